import { isOpen, type Job } from '../contracts.ts';
import { links } from '../route.ts';
import { StateBadge } from '../ui/badge.tsx';
import { Moment } from '../ui/moment.tsx';
import { ProgressBar } from '../ui/progress-bar.tsx';
import { SkeletonRows, TableFrame } from '../ui/table-frame.tsx';
import { count, jobInWords } from '../words.ts';
import { JobActions } from './job-actions.tsx';

/** Jobs as a table; null while they are on their way. */
export function JobTable({ jobs, reload }: { jobs: readonly Job[] | null; reload: () => void }) {
  return (
    <TableFrame label="Table of jobs" isBusy={jobs === null}>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">Job</th>
            <th scope="col">State</th>
            <th scope="col">Progress</th>
            <th scope="col" className="number">Attempts</th>
            <th scope="col">Asked for</th>
            <th scope="col"><span className="visually-hidden">Actions</span></th>
          </tr>
        </thead>
        {jobs === null ? <SkeletonRows columns={6} rows={8} /> : (
          <tbody>
            {jobs.map((job) => (
              <tr key={job.id}>
                <th scope="row">
                  <a href={links.job(job.id)}>{jobInWords(job)}</a>
                  {job.function === null || job.queue === 'functions' ? null : <span className="second-line">{`in ${job.queue}`}</span>}
                </th>
                <td><StateBadge state={job.state} /></td>
                <td className="job-progress"><JobProgress job={job} /></td>
                <td className="number">{`${job.attempts} of ${job.max_attempts}`}</td>
                <td><Moment time={job.created_at} /></td>
                <td className="actions"><JobActions job={job} reload={reload} isSmall /></td>
              </tr>
            ))}
          </tbody>
        )}
      </table>
    </TableFrame>
  );
}

/** How far a job is, or why it ended. */
export function JobProgress({ job }: { job: Job }) {
  if (job.error !== null && job.state !== 'done') return <span className="job-error" title={job.error.message}>{job.error.message}</span>;
  if (!isOpen(job.state) || job.progress === null) return <span className="muted">{job.progress?.note ?? '–'}</span>;
  const { done, total, note } = job.progress;
  return (
    <>
      <ProgressBar label={`Progress of ${jobInWords(job)}`} done={done} total={total} isSmall />
      <span className="job-note">{note ?? (total === null ? count(done) : `${count(done)} of ${count(total)}`)}</span>
    </>
  );
}
