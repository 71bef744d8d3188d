import { useState } from 'react';
import { useAction } from '../action.ts';
import { ask } from '../api.ts';
import type { ApiKey } from '../contracts.ts';
import { currentKey } from '../session.ts';
import { announce } from '../ui/announcer.tsx';
import { Confirm } from '../ui/dialog.tsx';
import { Moment } from '../ui/moment.tsx';
import { useNow } from '../ui/now.ts';
import { SkeletonRows, TableFrame } from '../ui/table-frame.tsx';
import { Tag } from '../ui/tag.tsx';
import { moment } from '../words.ts';
import { isHintOf, keyStanding, type KeyStanding, liveFirst, mayRevoke } from './describe-key.ts';

const tones: Readonly<Record<KeyStanding, 'good' | 'warn' | 'bad'>> = { valid: 'good', 'runs out soon': 'warn', expired: 'bad', revoked: 'bad' };
const kinds: Readonly<Record<ApiKey['kind'], string>> = { publishable: 'publishable', secret: 'secret', jwt: 'older style' };

/** Keys as a table; null while they are on their way. */
export function ApiKeyTable({ keys, reload }: { keys: readonly ApiKey[] | null; reload: () => void }) {
  const now = useNow();
  const [wish, setWish] = useState<ApiKey | null>(null);
  const revoking = useAction(async () => {
    if (wish === null) return;
    await ask(`/keys/v1/${encodeURIComponent(wish.id)}`, { method: 'DELETE' });
    announce(`${wish.name} is revoked`);
    setWish(null);
    reload();
  });
  const close = (): void => {
    revoking.forget();
    setWish(null);
  };
  return (
    <>
      <TableFrame label="API keys" isBusy={keys === null}>
        <table className="table">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Key</th>
              <th scope="col">Kind</th>
              <th scope="col">Role</th>
              <th scope="col">State</th>
              <th scope="col">Runs out</th>
              <th scope="col">Made</th>
              <th scope="col"><span className="visually-hidden">Actions</span></th>
            </tr>
          </thead>
          {keys === null ? <SkeletonRows columns={8} rows={4} /> : (
            <tbody>
              {liveFirst(keys, now).map((key) => (
                <tr key={key.id}>
                  <th scope="row">{key.name}</th>
                  <td><code>{key.hint}</code>{isHintOf(key.hint, currentKey()) ? <span className="second-line">you use it now</span> : null}</td>
                  <td>{kinds[key.kind]}</td>
                  <td><code>{key.role}</code></td>
                  <td><Tag tone={tones[keyStanding(key, now)]}>{keyStanding(key, now)}</Tag></td>
                  <td>{key.expires_at === null ? <span className="muted">never</span> : <time dateTime={key.expires_at}>{moment(key.expires_at)}</time>}</td>
                  <td>{key.source === 'settings' ? <span className="muted">by a setting</span> : <Moment time={key.created_at} />}</td>
                  <td className="actions">{mayRevoke(key, now) ? <button type="button" className="button button-small" onClick={() => setWish(key)} aria-label={`Revoke: ${key.name}`}>Revoke</button> : null}</td>
                </tr>
              ))}
            </tbody>
          )}
        </table>
      </TableFrame>
      {wish === null ? null : (
        <Confirm title={`Revoke “${wish.name}”?`} yes="Revoke the key" no="Keep it" action={revoking} close={close}>
          {`Whoever uses it is refused within a second, and it cannot be brought back.${isHintOf(wish.hint, currentKey()) ? ' You are signed in with it: you will need another key.' : ''}`}
        </Confirm>
      )}
    </>
  );
}
