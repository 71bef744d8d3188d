import { useState } from 'react';
import { useAction } from '../action.ts';
import { askJson } from '../api.ts';
import type { JobState } from '../contracts.ts';
import { useLive } from '../live.ts';
import { announce } from '../ui/announcer.tsx';
import { Confirm } from '../ui/dialog.tsx';
import { some } from '../words.ts';

interface Retried {
  readonly retried: number;
  readonly is_complete: boolean;
}

/** Sends all again that the filters show: dead letters above all. */
export function RetryAll({ state, kind, queue }: { state: 'dead' | 'failed' | 'cancelled'; kind: string; queue: string }) {
  const [isAsking, setAsking] = useState(false);
  const search = Object.fromEntries(Object.entries({ kind, queue }).filter(([, value]) => value !== ''));
  const counts = useLive(`count ${state} ${kind} ${queue}`, (signal) => askJson<Readonly<Record<JobState, number>>>(`/jobs/v1/counts?${new URLSearchParams({ ...search, state })}`, { signal }), () => 4000);
  const found = counts.value?.[state] ?? 0;
  const sending = useAction(async () => {
    let sent = 0;
    // The api sends for some seconds at a time.
    for (;;) {
      const { retried, is_complete: isComplete } = await askJson<Retried>('/jobs/v1/retry', { method: 'POST', json: { ...search, state } });
      sent += retried;
      if (isComplete) break;
    }
    announce(`${some(sent, 'job')} sent again`);
    setAsking(false);
    counts.reload();
  });
  if (found === 0) return null;
  return (
    <>
      <button type="button" className="button" onClick={() => setAsking(true)}>{`Retry all ${found.toLocaleString('en')}`}</button>
      {isAsking ? (
        <Confirm title={`Send ${some(found, 'job')} again?`} yes="Send them again" no="Leave them" action={sending} close={() => setAsking(false)}>
          {`All that are ${state}${kind === '' ? '' : ` and ${kind}`}${queue === '' ? '' : ` in ${queue}`} are tried afresh, with all their attempts. Each goes on where its own record says that it stood.`}
        </Confirm>
      ) : null}
    </>
  );
}
