import { useState } from 'react';
import { useAction } from '../action.ts';
import { askAuth, askAuthJson } from '../api.ts';
import type { Factor, Passkey } from '../contracts.ts';
import { useLive } from '../live.ts';
import { announce } from '../ui/announcer.tsx';
import { Confirm } from '../ui/dialog.tsx';
import { Moment } from '../ui/moment.tsx';
import { ProblemNotice } from '../ui/notice.tsx';
import { Section } from '../ui/page.tsx';
import { SkeletonRows, TableFrame } from '../ui/table-frame.tsx';
import { Tag } from '../ui/tag.tsx';
import { factorInWords, phoneInWords } from './describe-user.ts';

/** A second factor or a passkey, as a line of one table. */
interface Proof {
  readonly id: string;
  readonly group: 'factors' | 'passkeys';
  readonly kind: string;
  readonly name: string;
  readonly isVerified: boolean;
  readonly created_at: string;
  readonly used_at: string | null;
}

/** What the user shows beside or instead of a password. */
export function Factors({ userId }: { userId: string }) {
  const path = `/admin/users/${userId}`;
  const { value, problem, reload } = useLive(`proofs of ${userId}`, (signal) => loadProofs(path, signal), () => 10_000);
  const [wish, setWish] = useState<Proof | null>(null);
  const deleting = useAction(async () => {
    if (wish === null) return;
    await askAuth(`${path}/${wish.group}/${wish.id}`, { method: 'DELETE' });
    announce(`${wish.kind} deleted`);
    setWish(null);
    reload();
  });
  const close = (): void => {
    deleting.forget();
    setWish(null);
  };
  return (
    <Section title="Second factors and passkeys" id="factors">
      {problem === null ? null : <ProblemNotice problem={problem} />}
      {value === null && problem !== null ? null : value?.length === 0 ? <p className="muted">None. The user adds them in your application (supabase.auth.mfa.enroll).</p> : <ProofTable proofs={value} remove={setWish} />}
      {wish === null ? null : (
        <Confirm title={`Delete this ${wish.kind.toLowerCase()}?`} yes="Delete it" no="Keep it" action={deleting} close={close}>
          {wish.group === 'passkeys' ? 'The user can no longer sign in with it.' : 'The user signs in without it from now on. Do so only for somebody of whom you know that they have lost it.'}
        </Confirm>
      )}
    </Section>
  );
}

async function loadProofs(path: string, signal: AbortSignal): Promise<readonly Proof[]> {
  const [factors, passkeys] = await Promise.all([
    askAuthJson<readonly Factor[]>(`${path}/factors`, { signal }),
    // Where passkeys are switched off, nobody has one.
    askAuthJson<readonly Passkey[]>(`${path}/passkeys`, { signal }).catch((error: unknown) => {
      if (error instanceof Error && 'status' in error && error.status === 404) return [];
      throw error;
    }),
  ]);
  return [
    ...factors.map((factor): Proof => ({
      id: factor.id, group: 'factors', kind: factorInWords(factor.factor_type), name: factor.friendly_name ?? (factor.phone ? phoneInWords(factor.phone) : ''),
      isVerified: factor.status === 'verified', created_at: factor.created_at, used_at: factor.last_challenged_at ?? null,
    })),
    ...passkeys.map((passkey): Proof => ({ id: passkey.id, group: 'passkeys', kind: 'Passkey', name: passkey.friendly_name ?? '', isVerified: true, created_at: passkey.created_at, used_at: passkey.last_used_at ?? null })),
  ];
}

function ProofTable({ proofs, remove }: { proofs: readonly Proof[] | null; remove: (proof: Proof) => void }) {
  return (
    <TableFrame label="Table of second factors and passkeys" isBusy={proofs === null}>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Kind</th>
            <th scope="col">Name</th>
            <th scope="col">State</th>
            <th scope="col">Added</th>
            <th scope="col">Last asked for</th>
            <th scope="col"><span className="visually-hidden">Actions</span></th>
          </tr>
        </thead>
        {proofs === null ? <SkeletonRows columns={6} rows={1} /> : (
          <tbody>
            {proofs.map((proof) => (
              <tr key={proof.id}>
                <th scope="row">{proof.kind}</th>
                <td>{proof.name === '' ? <span className="muted">–</span> : proof.name}</td>
                <td>{proof.isVerified ? <Tag tone="good">verified</Tag> : <Tag tone="warn" title="begun, and its first code was never entered">not verified</Tag>}</td>
                <td><Moment time={proof.created_at} /></td>
                <td><Moment time={proof.used_at} /></td>
                <td className="actions"><button type="button" className="button button-small" onClick={() => remove(proof)} aria-label={`Delete: ${proof.kind} ${proof.name}`.trim()}>Delete</button></td>
              </tr>
            ))}
          </tbody>
        )}
      </table>
    </TableFrame>
  );
}
