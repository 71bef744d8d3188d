import { useState } from 'react';
import { useAction } from '../action.ts';
import { ask } from '../api.ts';
import type { Schedule } from '../contracts.ts';
import { links } from '../route.ts';
import { announce } from '../ui/announcer.tsx';
import { Confirm } from '../ui/dialog.tsx';
import { ProblemNotice } from '../ui/notice.tsx';
import { go } from '../use-route.ts';

/** Run it now, stop it for a while; on its own page also change it and be rid of it. */
export function ScheduleActions({ schedule, reload, isSmall = false }: { schedule: Schedule; reload: () => void; isSmall?: boolean }) {
  const [isAsking, setAsking] = useState(false);
  const path = `/schedules/v1/${encodeURIComponent(schedule.id)}`;
  const className = isSmall ? 'button button-small' : 'button';
  // What was made by cron.schedule is changed by its kin.
  const isOwn = schedule.origin === 'own';
  const running = useAction(async () => {
    await ask(`${path}/run-now`, { method: 'POST', headers: { 'idempotency-key': crypto.randomUUID() } });
    announce(`${schedule.name} runs now`);
    reload();
  });
  const pausing = useAction(async () => {
    await ask(`${path}/${schedule.is_paused ? 'resume' : 'pause'}`, { method: 'POST' });
    announce(schedule.is_paused ? `${schedule.name} goes on` : `${schedule.name} is paused`);
    reload();
  });
  const deleting = useAction(async () => {
    await ask(path, { method: 'DELETE' });
    announce(`${schedule.name} is deleted`);
    go(links.schedules);
  });
  const problem = running.problem ?? pausing.problem;
  return (
    <span className="action-row">
      <button type="button" className={className} onClick={running.run} disabled={running.isBusy} aria-label={`Run now: ${schedule.name}`}>Run now</button>
      {isOwn ? <button type="button" className={className} onClick={pausing.run} disabled={pausing.isBusy} aria-label={`${schedule.is_paused ? 'Resume' : 'Pause'}: ${schedule.name}`}>{schedule.is_paused ? 'Resume' : 'Pause'}</button> : null}
      {isSmall || !isOwn ? null : (
        <>
          <a className="button" href={links.editSchedule(schedule.id)}>Edit</a>
          <button type="button" className="button" onClick={() => setAsking(true)}>Delete</button>
        </>
      )}
      {problem === null ? null : <ProblemNotice problem={problem} />}
      {isAsking ? (
        <Confirm title={`Delete “${schedule.name}”?`} yes="Delete the schedule" no="Keep it" action={deleting} close={() => setAsking(false)}>
          It does not run any more, and its history goes with it. What runs now goes on to its end.
        </Confirm>
      ) : null}
    </span>
  );
}
