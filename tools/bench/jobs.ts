import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchStack, Section } from './stack.ts';

const jobs = 5000;
const single = 200;

/** Empty jobs from end to end: enqueued and committed, relayed through Bull, claimed with a commit, completed with a commit. */
export async function benchJobs(stack: Pick<BenchStack, 'parts' | 'environment' | 'database'>): Promise<Section> {
  const api = stack.parts.makeDatabase(stack.parts.readSettings(stack.environment), 'mainstay_api', { max: 10 });
  const enqueueOne = () => api.transaction({ role: null, settings: {} }, (tx) => stack.parts.enqueue(tx, 'ping', {}, stack.parts.asHouse));
  try {
    await warmUp(stack, enqueueOne);
    const rows = [
      await measure(stack, 'one transaction each, ten at a time', async () => {
        await Promise.all(Array.from({ length: 10 }, async () => {
          for (let i = 0; i < jobs / 10; i += 1) await enqueueOne();
        }));
      }),
      await measure(stack, 'all in one transaction', async () => {
        await stack.database.rows(`select mainstay_internal.enqueue_job('ping', 'upkeep', '{}', null, 'service_role', '{}') from generate_series(1, $1)`, [jobs]);
      }),
      await measureSingly(stack, enqueueOne),
    ];
    return {
      title: 'Jobs',
      about:
        `${jobs} jobs that do nothing, from the first \`enqueue\` to the last completion: every enqueueing, claim and completion is a commit that was flushed to disk. ` +
        '*To start* is the time from a job’s enqueueing to its claim.',
      head: ['Enqueued', 'per second', 'to start, p50 ms', 'to start, p99 ms'],
      rows,
    };
  } finally {
    await api.close();
  }
}

async function warmUp(stack: Pick<BenchStack, 'database'>, enqueueOne: () => Promise<unknown>): Promise<void> {
  for (let i = 0; i < 100; i += 1) await enqueueOne();
  await allDone(stack, 100);
}

async function measure(stack: Pick<BenchStack, 'database'>, name: string, enqueueAll: () => Promise<unknown>): Promise<string[]> {
  await stack.database.rows(`delete from mainstay_internal.jobs where kind = 'ping'`);
  const began = performance.now();
  await enqueueAll();
  await allDone(stack, jobs);
  const perSecond = (jobs / (performance.now() - began)) * 1000;
  return [name, perSecond.toFixed(0), ...(await waits(stack))];
}

/** One at a time into an idle house: what a user waits who presses a button. */
async function measureSingly(stack: Pick<BenchStack, 'database'>, enqueueOne: () => Promise<unknown>): Promise<string[]> {
  await stack.database.rows(`delete from mainstay_internal.jobs where kind = 'ping'`);
  for (let i = 1; i <= single; i += 1) {
    await enqueueOne();
    await sleep(20);
  }
  await allDone(stack, single);
  return [`${single}, one every 20 ms`, '', ...(await waits(stack))];
}

async function waits(stack: Pick<BenchStack, 'database'>): Promise<string[]> {
  const [row] = await stack.database.rows<{ p50: number; p99: number }>(
    `select percentile_cont(0.5) within group (order by ms) as p50, percentile_cont(0.99) within group (order by ms) as p99
     from (select extract(epoch from started_at - created_at)::float8 * 1000 as ms from mainstay_internal.jobs where kind = 'ping') as waits`,
  );
  return [row!.p50.toFixed(1), row!.p99.toFixed(1)];
}

async function allDone(stack: Pick<BenchStack, 'database'>, count: number): Promise<void> {
  for (;;) {
    const [row] = await stack.database.rows<{ done: number }>(`select count(*)::int as done from mainstay_internal.jobs where kind = 'ping' and state = 'done'`);
    if (row!.done >= count) return;
    await sleep(25);
  }
}
