import { useState } from 'react';
import { askJson } from '../api.ts';
import { isOpen, type Job, type JobState } from '../contracts.ts';
import { useLive } from '../live.ts';
import { links } from '../route.ts';
import { ProblemNotice } from '../ui/notice.tsx';
import { Empty, Page, Section } from '../ui/page.tsx';
import { go } from '../use-route.ts';
import { kindInWords } from '../words.ts';
import { JobTable } from './job-table.tsx';
import { QueueSection } from './queue-section.tsx';
import { RetryAll } from './retry-all.tsx';

const states: readonly JobState[] = ['queued', 'running', 'done', 'failed', 'dead', 'cancelled'];
type Filter = 'state' | 'kind' | 'queue';
const step = 50;

/** How the queues stand, and the jobs in them as they come and go. */
export function JobsPage({ query }: { query: URLSearchParams }) {
  const state = states.find((name) => name === query.get('state')) ?? '';
  const [kind, queue] = [query.get('kind') ?? '', query.get('queue') ?? ''];
  const search = new URLSearchParams(Object.entries({ state, kind, queue }).filter(([, value]) => value !== ''));
  const filter = (name: Filter, value: string): void => {
    const next = new URLSearchParams(search);
    if (value === '') next.delete(name);
    else next.set(name, value);
    go(links.jobs(next.toString()));
  };
  return (
    <Page title="Jobs" lead="Slow work that the worker does after the answer was given. A job survives every restart." isWide>
      <QueueSection />
      <Section title="Jobs" id="jobs">
        <div className="filter-form" role="group" aria-label="Filter">
          <Choice label="State" value={state} values={states} choose={(value) => filter('state', value)} />
          <KindFilter kind={kind} choose={(value) => filter('kind', value)} />
          {queue === '' ? null : <Choice label="Queue" value={queue} values={[queue]} choose={(value) => filter('queue', value)} />}
          {state === 'dead' || state === 'failed' || state === 'cancelled' ? <RetryAll key={search.toString()} state={state} kind={kind} queue={queue} /> : null}
        </div>
        <JobsFound key={search.toString()} search={search.toString()} />
      </Section>
    </Page>
  );
}

function Choice({ label, value, values, words = (name) => name, choose }: { label: string; value: string; values: readonly string[]; words?: (name: string) => string; choose: (value: string) => void }) {
  return (
    <label className="inline-field">
      {label}
      <select className="input" value={value} onChange={(event) => choose(event.target.value)}>
        <option value="">all</option>
        {values.map((name) => <option key={name} value={name}>{words(name)}</option>)}
      </select>
    </label>
  );
}

/** The kinds are those of the jobs that there are; the api has no list of them. */
function KindFilter({ kind, choose }: { kind: string; choose: (kind: string) => void }) {
  const { value } = useLive('job kinds', async (signal) => [...new Set((await askJson<readonly Job[]>('/jobs/v1?limit=100', { signal })).map((job) => job.kind))], () => 15_000);
  const kinds = [...new Set([...(value ?? []), ...(kind === '' ? [] : [kind])])].sort();
  return <Choice label="Kind" value={kind} values={kinds} words={kindInWords} choose={choose} />;
}

function JobsFound({ search }: { search: string }) {
  const [older, setOlder] = useState<readonly Job[]>([]);
  const [isEnd, setEnd] = useState(false);
  const path = `/jobs/v1?limit=${step}${search === '' ? '' : `&${search}`}`;
  const newest = useLive(path, (signal) => askJson<readonly Job[]>(path, { signal }), (jobs) => (jobs.some((job) => isOpen(job.state)) ? 1500 : 4000));
  const known = new Set(newest.value?.map(({ id }) => id));
  const all = newest.value === null ? null : [...newest.value, ...older.filter(({ id }) => !known.has(id))];
  const loadMore = async (): Promise<void> => {
    const last = all?.at(-1);
    if (last === undefined) return;
    const more = await askJson<readonly Job[]>(`${path}&before=${encodeURIComponent(last.id)}`);
    setOlder([...older, ...more]);
    setEnd(more.length < step);
  };
  return (
    <>
      {newest.problem === null ? null : <ProblemNotice problem={newest.problem} />}
      {all === null && newest.problem !== null ? null : all?.length === 0 ? (
        <Empty title={search === '' ? 'No jobs yet' : 'No job passes these filters'}>
          {search === '' ? 'Ask for one in SQL by mainstay.enqueue, or by POST /jobs/v1. Imports, exports and the upkeep of the house are jobs too.' : 'Choose another state, kind or queue.'}
        </Empty>
      ) : (
        <JobTable jobs={all} reload={newest.reload} />
      )}
      {isEnd || all === null || all.length < step ? null : (
        <button type="button" className="button" onClick={() => void loadMore()}>
          Show older ones
        </button>
      )}
    </>
  );
}
