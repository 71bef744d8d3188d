import { useState } from 'react';
import { useAction } from '../action.ts';
import { ask } from '../api.ts';
import { isOpen, type Job } from '../contracts.ts';
import { announce } from '../ui/announcer.tsx';
import { Confirm } from '../ui/dialog.tsx';
import { jobInWords } from '../words.ts';

/** An import that was refused or cancelled has let its file go: only a dead one can be sent again. */
export function mayRetry({ kind, state }: Job): boolean {
  return state === 'dead' || (kind !== 'import-rows' && (state === 'failed' || state === 'cancelled'));
}

/** Cancel for what may still run, send again for what ended badly. */
export function JobActions({ job, reload, isSmall = false }: { job: Job; reload: () => void; isSmall?: boolean }) {
  const [wish, setWish] = useState<'cancel' | 'retry' | null>(null);
  const name = jobInWords(job);
  const acting = useAction(async () => {
    await ask(`/jobs/v1/${encodeURIComponent(job.id)}/${wish}`, { method: 'POST' });
    announce(wish === 'cancel' ? `${name} is being cancelled` : `${name} is sent again`);
    setWish(null);
    reload();
  });
  const close = (): void => {
    acting.forget();
    setWish(null);
  };
  const className = isSmall ? 'button button-small' : 'button';
  return (
    <>
      {isOpen(job.state) ? (
        <button type="button" className={className} onClick={() => setWish('cancel')} aria-label={`Cancel: ${name}`}>Cancel</button>
      ) : mayRetry(job) ? (
        <button type="button" className={className} onClick={() => setWish('retry')} aria-label={`Retry: ${name}`}>Retry</button>
      ) : null}
      {wish === 'cancel' ? (
        <Confirm title="Cancel this job?" yes="Cancel the job" no="Let it go on" action={acting} close={close}>
          {`“${name}” stops as soon as the worker hears of it. What it has done so far stays.`}
        </Confirm>
      ) : null}
      {wish === 'retry' ? (
        <Confirm title="Send this job again?" yes="Send again" no="Leave it" action={acting} close={close}>
          {`“${name}” is tried afresh, with all its attempts. It goes on where its own record says that it stood.`}
        </Confirm>
      ) : null}
    </>
  );
}
