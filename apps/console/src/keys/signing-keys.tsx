import { useState } from 'react';
import { useAction } from '../action.ts';
import { ask, askJson } from '../api.ts';
import type { SigningKey } from '../contracts.ts';
import { useLive } from '../live.ts';
import { announce } from '../ui/announcer.tsx';
import { Confirm } from '../ui/dialog.tsx';
import { Moment } from '../ui/moment.tsx';
import { ProblemNotice } from '../ui/notice.tsx';
import { Section } from '../ui/page.tsx';
import { SkeletonRows, TableFrame } from '../ui/table-frame.tsx';
import { Tag } from '../ui/tag.tsx';
import { signingPart } from './describe-key.ts';

const tones: Readonly<Record<SigningKey['state'], { readonly tone?: 'good' | 'bad' }>> = { current: { tone: 'good' }, standby: {}, previous: {}, revoked: { tone: 'bad' } };

/** The keys that sign access tokens: one signs, one stands by, the ones before are still believed. */
export function SigningKeys() {
  const { value, problem, reload } = useLive('signing keys', (signal) => askJson<readonly SigningKey[]>('/keys/v1/signing', { signal }), () => 10_000);
  const [wish, setWish] = useState<SigningKey | 'rotate' | null>(null);
  const acting = useAction(async () => {
    if (wish === null) return;
    if (wish === 'rotate') await ask('/keys/v1/signing/rotate', { method: 'POST' });
    else await ask(`/keys/v1/signing/${encodeURIComponent(wish.kid)}`, { method: 'DELETE' });
    announce(wish === 'rotate' ? 'Another key signs now' : 'The signing key is revoked');
    setWish(null);
    reload();
  });
  const close = (): void => {
    acting.forget();
    setWish(null);
  };
  return (
    <Section title="Signing keys" id="signing-keys" aside={value === null ? null : <button type="button" className="button button-small" onClick={() => setWish('rotate')}>Rotate</button>}>
      <p className="hint">They sign the access tokens of users. Everybody can check a token by the public halves at <code>/auth/v1/.well-known/jwks.json</code>.</p>
      {problem === null ? null : <ProblemNotice problem={problem} />}
      {value === null && problem !== null ? null : (
        <TableFrame label="Table of signing keys" isBusy={value === null}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">Id</th>
                <th scope="col">Algorithm</th>
                <th scope="col">State</th>
                <th scope="col">Since</th>
                <th scope="col"><span className="visually-hidden">Actions</span></th>
              </tr>
            </thead>
            {value === null ? <SkeletonRows columns={5} rows={2} /> : (
              <tbody>
                {value.map((key) => (
                  <tr key={key.kid}>
                    <th scope="row"><code>{key.kid}</code></th>
                    <td>{key.alg}</td>
                    <td>
                      <Tag {...tones[key.state]}>{key.state}</Tag>
                      <span className="second-line">{signingPart(key.state)}</span>
                    </td>
                    <td>{key.changed_at === null ? <span className="muted">by a setting</span> : <Moment time={key.changed_at} />}</td>
                    <td className="actions">{key.state === 'current' || key.state === 'revoked' ? null : <button type="button" className="button button-small" onClick={() => setWish(key)} aria-label={`Revoke the signing key ${key.kid}`}>Revoke</button>}</td>
                  </tr>
                ))}
              </tbody>
            )}
          </table>
        </TableFrame>
      )}
      {wish === 'rotate' ? (
        <Confirm title="Let another key sign?" yes="Rotate" no="Not now" action={acting} close={close}>
          The one that stands by signs from now on, and a new one stands by. Nobody is signed out: tokens of the old key are good until they expire.
        </Confirm>
      ) : wish === null ? null : (
        <Confirm title="Revoke this signing key?" yes="Revoke the key" no="Keep it" action={acting} close={close}>
          What it signed is refused at once. Users whose access token is of this key get a new one by themselves at their next refresh.
        </Confirm>
      )}
    </Section>
  );
}
