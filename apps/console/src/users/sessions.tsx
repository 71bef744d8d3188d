import { useState } from 'react';
import { useAction } from '../action.ts';
import { askAuth, askAuthJson } from '../api.ts';
import type { UserSession } from '../contracts.ts';
import { useLive } from '../live.ts';
import { announce } from '../ui/announcer.tsx';
import { Confirm } from '../ui/dialog.tsx';
import { Moment } from '../ui/moment.tsx';
import { ProblemNotice } from '../ui/notice.tsx';
import { Section } from '../ui/page.tsx';
import { SkeletonRows, TableFrame } from '../ui/table-frame.tsx';
import { Tag } from '../ui/tag.tsx';
import { some } from '../words.ts';
import { deviceInWords } from './device-in-words.ts';

/** Where the user is signed in, the last used first. */
export function Sessions({ userId }: { userId: string }) {
  const path = `/admin/users/${userId}/sessions`;
  const { value, problem, reload } = useLive(path, async (signal) => (await askAuthJson<{ sessions: readonly UserSession[] }>(path, { signal })).sessions, () => 10_000);
  // The one that is to be ended; 'all' ends every one.
  const [wish, setWish] = useState<UserSession | 'all' | null>(null);
  const ending = useAction(async () => {
    await askAuth(wish === 'all' || wish === null ? path : `${path}/${wish.id}`, { method: 'DELETE' });
    announce(wish === 'all' ? 'Every session was ended' : 'The session was ended');
    setWish(null);
    reload();
  });
  const close = (): void => {
    ending.forget();
    setWish(null);
  };
  return (
    <Section title="Sessions" id="sessions" aside={value === null || value.length === 0 ? null : <button type="button" className="button button-small" onClick={() => setWish('all')}>End all</button>}>
      {problem === null ? null : <ProblemNotice problem={problem} />}
      {value === null && problem !== null ? null : value?.length === 0 ? <p className="muted">Signed in nowhere.</p> : <SessionTable sessions={value} end={setWish} />}
      {wish === null ? null : (
        <Confirm title={wish === 'all' ? 'End every session?' : 'End this session?'} yes={wish === 'all' ? 'End them' : 'End the session'} no="Keep" action={ending} close={close}>
          {wish === 'all' ? `The user is signed out of ${some(value?.length ?? 0, 'place')} and must sign in again.` : `The user is signed out of ${deviceInWords(wish.user_agent)} and must sign in again there.`}
        </Confirm>
      )}
    </Section>
  );
}

function SessionTable({ sessions, end }: { sessions: readonly UserSession[] | null; end: (session: UserSession) => void }) {
  return (
    <TableFrame label="Table of sessions" isBusy={sessions === null}>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Device</th>
            <th scope="col">Address</th>
            <th scope="col">Last used</th>
            <th scope="col">Signed in</th>
            <th scope="col">Proof</th>
            <th scope="col"><span className="visually-hidden">Actions</span></th>
          </tr>
        </thead>
        {sessions === null ? <SkeletonRows columns={6} rows={2} /> : (
          <tbody>
            {sessions.map((session) => (
              <tr key={session.id}>
                <th scope="row" title={session.user_agent ?? ''}>{deviceInWords(session.user_agent)}</th>
                <td>{session.ip === null ? <span className="muted">–</span> : <code>{session.ip}</code>}</td>
                <td><Moment time={session.last_used_at} /></td>
                <td><Moment time={session.created_at} /></td>
                <td>{session.aal === 'aal2' ? <Tag tone="good" title="a second factor was shown (aal2)">two factors</Tag> : <Tag title="one factor was shown (aal1)">one factor</Tag>}</td>
                <td className="actions"><button type="button" className="button button-small" onClick={() => end(session)} aria-label={`End the session: ${deviceInWords(session.user_agent)}`}>End</button></td>
              </tr>
            ))}
          </tbody>
        )}
      </table>
    </TableFrame>
  );
}
