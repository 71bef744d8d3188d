import { askJson } from '../api.ts';
import { type Import, isOpen, type Job } from '../contracts.ts';
import { useLive } from '../live.ts';
import { links } from '../route.ts';
import { StateBadge, stateMeaning } from '../ui/badge.tsx';
import { Fact } from '../ui/fact.tsx';
import { Icon } from '../ui/icons.tsx';
import { Moment } from '../ui/moment.tsx';
import { Notice, ProblemNotice } from '../ui/notice.tsx';
import { Page, Section } from '../ui/page.tsx';
import { duration, jobInWords, moment } from '../words.ts';
import { JobActions, mayRetry } from './job-actions.tsx';
import { JobProgress } from './job-table.tsx';

/** One job: how it is, why, and what can be done. */
export function JobPage({ id }: { id: string }) {
  const { value: job, problem, reload } = useLive(`job ${id}`, (signal) => askJson<Job>(`/jobs/v1/${encodeURIComponent(id)}`, { signal }), ({ state }) => (isOpen(state) ? 1000 : null));
  return (
    <Page title="Job" lead={job === null ? ' ' : jobInWords(job)} actions={job === null ? null : <JobActions job={job} reload={reload} />}>
      <a className="back" href={links.jobs()}>
        <Icon name="left" />
        All jobs
      </a>
      {problem === null ? null : <ProblemNotice problem={problem} />}
      {job === null && problem === null ? <div className="card skeleton-block skeleton-tall" aria-hidden="true" /> : null}
      {job === null ? null : <JobCard job={job} />}
    </Page>
  );
}

function JobCard({ job }: { job: Job }) {
  return (
    <Section title="Details" id="job" aside={<StateBadge state={job.state} />}>
      {job.error === null ? null : (
        <Notice tone={job.state === 'done' || isOpen(job.state) ? 'warn' : 'bad'} title={job.error.message}>
          {job.error.details ? <p>{job.error.details}</p> : null}
          {job.error.hint ? <p>{job.error.hint}</p> : null}
          {isOpen(job.state) ? <p>This was the last attempt’s; another one follows.</p> : null}
        </Notice>
      )}
      {isOpen(job.state) || job.state === 'done' || mayRetry(job) ? null : (
        <Notice title="It cannot be sent again, since its file is no longer kept.">
          <p><a href={links.newImport}>Import the file once more</a></p>
        </Notice>
      )}
      <dl className="facts">
        <Fact name="State">{`${job.state}: ${stateMeaning(job.state)}`}</Fact>
        {isOpen(job.state) ? <Fact name="Progress"><JobProgress job={{ ...job, error: null }} /></Fact> : null}
        <Fact name="Attempts">{`${job.attempts} of ${job.max_attempts}`}</Fact>
        {job.state === 'queued' ? <Fact name="Runs">{Date.parse(job.run_at) > Date.parse(job.created_at) ? `not before ${moment(job.run_at)}` : 'as soon as a worker is free'}</Fact> : null}
        <Fact name="Asked for"><Moment time={job.created_at} /></Fact>
        <Fact name="Begun"><Moment time={job.started_at} /></Fact>
        <Fact name="Ended">{job.finished_at === null ? '–' : <Ended job={job} />}</Fact>
        <Fact name="Owner">{job.owner ?? 'Mainstay itself'}</Fact>
        <Fact name="Runs as">{job.role}</Fact>
        <Fact name="Queue"><a href={links.jobs(`queue=${encodeURIComponent(job.queue)}`)}>{job.queue}</a></Fact>
        {job.priority === 0 ? null : <Fact name="Priority">{String(job.priority)}</Fact>}
        {job.after.length === 0 ? null : <Fact name="After">{job.after.map((id) => <a key={id} className="one-line" href={links.job(id)}><code>{id}</code></a>)}</Fact>}
        {hasContent(job.arguments) ? <Fact name="Arguments"><pre tabIndex={0} role="region" aria-label="Arguments">{JSON.stringify(job.arguments, null, 2)}</pre></Fact> : null}
        <Fact name="Id"><code>{job.id}</code></Fact>
        {job.kind === 'import-rows' ? <ImportOf job={job} /> : null}
        {job.result === null || job.result === undefined ? null : <Fact name="Result"><pre tabIndex={0} role="region" aria-label="Result">{JSON.stringify(job.result, null, 2)}</pre></Fact>}
      </dl>
    </Section>
  );
}

function hasContent(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}

function Ended({ job }: { job: Job }) {
  const seconds = job.started_at === null || job.finished_at === null ? null : (Date.parse(job.finished_at) - Date.parse(job.started_at)) / 1000;
  return (
    <>
      <Moment time={job.finished_at} />
      {seconds === null ? null : `, after ${duration(Math.max(0, seconds))}`}
    </>
  );
}

/** The import that a job carries out; it may have been swept away meanwhile. */
function ImportOf({ job }: { job: Job }) {
  const { value } = useLive(`import of ${job.id}`, async (signal) => (await askJson<readonly Import[]>('/imports/v1?limit=500', { signal })).find((run) => run.job_id === job.id) ?? null);
  return <Fact name="Import">{value === null ? '–' : <a href={links.import(value.id)}>{`Into ${value.collection}`}</a>}</Fact>;
}
