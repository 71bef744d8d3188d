import { useState } from 'react';
import { askJson } from '../api.ts';
import { isOpen, type Job, type JobState } from '../contracts.ts';
import { useLive } from '../live.ts';
import { links } from '../route.ts';
import { ProblemNotice } from '../ui/notice.tsx';
import { Empty, Page } from '../ui/page.tsx';
import { go } from '../use-route.ts';
import { kindInWords } from '../words.ts';
import { JobTable } from './job-table.tsx';
import { QueueSection } from './queue-section.tsx';

const states: readonly JobState[] = ['queued', 'running', 'done', 'failed', 'dead', 'cancelled'];
const step = 50;

/** Jobs as they come and go, newest first. */
export function JobsPage({ query }: { query: URLSearchParams }) {
  const state = states.find((name) => name === query.get('state')) ?? '';
  const kind = query.get('kind') ?? '';
  const search = new URLSearchParams([['state', state], ['kind', kind]].filter(([, value]) => value !== '') as [string, string][]);
  const filter = (name: 'state' | 'kind', value: string): void => {
    const next = new URLSearchParams(search);
    if (value === '') next.delete(name);
    else next.set(name, value);
    go(links.jobs(next.toString()));
  };
  return (
    <Page title="Jobs" lead="Slow work that the worker does after the answer was given. A job survives every restart." isWide>
      <QueueSection />
      <div className="filter-form" role="group" aria-label="Filter">
        <label className="inline-field">
          State
          <select className="input" value={state} onChange={(event) => filter('state', event.target.value)}>
            <option value="">all</option>
            {states.map((name) => <option key={name}>{name}</option>)}
          </select>
        </label>
        <KindFilter kind={kind} choose={(value) => filter('kind', value)} />
      </div>
      <JobsFound key={search.toString()} search={search.toString()} />
    </Page>
  );
}

/** The kinds are those of the jobs that there are; the api has no list of them. */
function KindFilter({ kind, choose }: { kind: string; choose: (kind: string) => void }) {
  const { value } = useLive('job kinds', async (signal) => [...new Set((await askJson<readonly Job[]>('/jobs/v1?limit=100', { signal })).map((job) => job.kind))], () => 15_000);
  const kinds = [...new Set([...(value ?? []), ...(kind === '' ? [] : [kind])])].sort();
  return (
    <label className="inline-field">
      Kind
      <select className="input" value={kind} onChange={(event) => choose(event.target.value)}>
        <option value="">all</option>
        {kinds.map((name) => <option key={name} value={name}>{kindInWords(name)}</option>)}
      </select>
    </label>
  );
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
          {search === '' ? 'An import is a job; so is the upkeep that sweeps away what is over. They appear here as soon as they are asked for.' : 'Choose another state or kind.'}
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
