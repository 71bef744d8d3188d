import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchStack, Section } from '../bench/stack.ts';

/** So many others come, one after another, while one owner's jobs wait. */
const others = 30;
const everyMs = 1000;
/** What is promised. */
const mostSeconds = 2;
const crowd = '00000000-0000-4000-8000-000000000000';

/** One owner asks for very many jobs; then others come, each with a first one: how long that waits. */
export async function measureFairness(stack: BenchStack, jobs: number): Promise<Section> {
  await stack.database.rows(`
    create function public.nothing() returns void language sql as $$ select $$;
    create function public.nap() returns void language sql as $$ select pg_sleep(0.05) $$;
    grant execute on function public.nothing(), public.nap() to authenticated`);
  const rows = [await measure(stack, jobs, 'nothing', 'do nothing'), await measure(stack, jobs, 'nap', 'take 50 ms each')];
  return {
    title: 'One owner’s jobs and another’s first',
    about:
      `One user asks for ${jobs.toLocaleString('en')} functions in one transaction. While they are being done, ${others} other users come, one each second, with one job: how long it waits for its start, ` +
      `from its enqueueing (at most ${mostSeconds} s are promised).`,
    head: ['The jobs', 'enqueued in, s', 'another’s first waits: p50, longest ms', 'of the crowd done meanwhile', 'promise'],
    rows,
  };
}

async function measure(stack: BenchStack, jobs: number, called: string, name: string): Promise<string[]> {
  await stack.database.rows(`delete from mainstay_internal.outbox where job_id in (select id from mainstay_internal.jobs where kind = 'call-function')`);
  await stack.database.rows(`delete from mainstay_internal.jobs where kind = 'call-function'`);
  const began = performance.now();
  await asUser(stack, crowd, `select mainstay.enqueue('public.${called}') from generate_series(1, ${jobs})`);
  const enqueuedIn = (performance.now() - began) / 1000;
  console.log(`  ${jobs.toLocaleString('en')} jobs that ${name}, enqueued in ${enqueuedIn.toFixed(1)} s`);
  for (let n = 1; n <= others; n += 1) {
    await asUser(stack, crowd.replace(/..$/, String(n).padStart(2, '0')), `select mainstay.enqueue('public.${called}')`);
    await sleep(everyMs);
  }
  const waits = await firstWaits(stack);
  const [row] = await stack.database.rows<{ done: number; open: number }>(
    `select count(*) filter (where state = 'done')::int as done, count(*) filter (where state = 'queued')::int as open from mainstay_internal.jobs where kind = 'call-function' and owner = $1`, [crowd]);
  if (row!.open === 0) throw new Error(`all ${jobs} jobs were done before the last of the others came: ask for more`);
  const longest = waits.at(-1)!;
  return [name, enqueuedIn.toFixed(1), `${waits[Math.floor(waits.length / 2)]!.toFixed(0)}, ${longest.toFixed(0)}`, row!.done.toLocaleString('en'), longest <= mostSeconds * 1000 ? 'kept' : 'BROKEN'];
}

/** The quickest first; of one that has not started, how long it has been waiting. */
async function firstWaits({ database }: BenchStack): Promise<number[]> {
  const rows = await database.rows<{ ms: number }>(
    `select extract(epoch from coalesce(started_at, clock_timestamp()) - created_at)::float8 * 1000 as ms from mainstay_internal.jobs where kind = 'call-function' and owner <> $1 order by 1`, [crowd]);
  return rows.map(({ ms }) => ms);
}

function asUser(stack: BenchStack, sub: string, text: string): Promise<unknown> {
  return stack.database.transaction({ role: 'authenticated', settings: { 'request.jwt.claims': JSON.stringify({ role: 'authenticated', sub }) } }, (tx) => tx.rows(text));
}
