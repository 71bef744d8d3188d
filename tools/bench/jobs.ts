import { setTimeout as sleep } from 'node:timers/promises';
import Bull from 'bull';
import { cpuSeconds } from './cpu.ts';
import type { BenchStack, Section } from './stack.ts';

const jobs = 5000;
const single = 200;

type Stack = Pick<BenchStack, 'parts' | 'environment' | 'database' | 'pids'>;

/** Empty jobs from end to end: enqueued and committed, relayed through Bull, claimed with a commit, completed with a commit. */
export async function benchJobs(stack: Stack): Promise<Section> {
  const api = stack.parts.makeDatabase(stack.parts.readSettings(stack.environment), 'mainstay_api', { max: 10 });
  const enqueueOne = () => api.transaction({ role: null, settings: {} }, (tx) => stack.parts.enqueue(tx, 'ping', {}, stack.parts.asHouse));
  try {
    await stack.database.rows('create function public.nothing() returns void language sql as $$ select $$; grant execute on function public.nothing() to service_role');
    await warmUp(stack, enqueueOne);
    const rows = [
      await measure(stack, 'kind `ping`, one transaction each, ten at a time', () => tenAtATime(enqueueOne)),
      await measure(stack, 'kind `ping`, all in one transaction', () => stack.database.rows(`select mainstay_internal.enqueue_job('ping', 'upkeep', '{}', null, 'service_role', '{}') from generate_series(1, $1)`, [jobs])),
      await measure(stack, 'SQL function, one transaction each, ten at a time', () => tenAtATime(() => asService(stack, `select mainstay.enqueue('public.nothing')`))),
      await measure(stack, 'SQL function, all in one transaction', () => asService(stack, `select mainstay.enqueue('public.nothing') from generate_series(1, ${jobs})`)),
      await measureBull(stack),
      await measureSingly(stack, 'kind `ping`', enqueueOne),
      await measureSingly(stack, 'SQL function', () => asService(stack, `select mainstay.enqueue('public.nothing')`)),
    ];
    return {
      title: 'Jobs',
      about:
        `${jobs} jobs that do nothing, from the first enqueueing to the last completion: every enqueueing, claim and completion is a commit that was flushed to disk. ` +
        '*To start* is the time from a job’s enqueueing to its claim. *Processor* is what worker, database and queue used per job, the enqueueing included: it tells more than the clock where others use the machine too. ' +
        'Bare Bull keeps nothing: it is there to compare with.',
      head: ['Enqueued', 'per second', 'to start, p50 ms', 'to start, p99 ms', 'processor ms: worker, database, queue'],
      rows,
    };
  } finally {
    await api.close();
  }
}

function asService(stack: Stack, text: string): Promise<unknown> {
  return stack.database.transaction({ role: 'service_role', settings: { 'request.jwt.claims': '{"role":"service_role"}' } }, (tx) => tx.rows(text));
}

async function tenAtATime(enqueueOne: () => Promise<unknown>): Promise<void> {
  await Promise.all(Array.from({ length: 10 }, async () => {
    for (let i = 0; i < jobs / 10; i += 1) await enqueueOne();
  }));
}

async function warmUp(stack: Stack, enqueueOne: () => Promise<unknown>): Promise<void> {
  await clear(stack);
  for (let i = 0; i < 100; i += 1) await enqueueOne();
  await asService(stack, `select mainstay.enqueue('public.nothing') from generate_series(1, 300)`);
  await allDone(stack, 400);
}

async function measure(stack: Stack, name: string, enqueueAll: () => Promise<unknown>): Promise<string[]> {
  await clear(stack);
  const [used, began] = [processors(stack), performance.now()];
  await enqueueAll();
  await allDone(stack, jobs);
  const perSecond = (jobs / (performance.now() - began)) * 1000;
  return [name, perSecond.toFixed(0), ...(await waits(stack)), perJob(used, processors(stack))];
}

async function clear(stack: Stack): Promise<void> {
  await stack.database.rows(`delete from mainstay_internal.jobs where kind in ('ping', 'call-function')`);
}

function processors({ pids }: Stack): readonly number[] {
  return [cpuSeconds(pids.worker), cpuSeconds(pids.postgres, { withChildren: true }), cpuSeconds(pids.valkey)];
}

function perJob(before: readonly number[], after: readonly number[]): string {
  return after.map((seconds, i) => (((seconds - before[i]!) / jobs) * 1000).toFixed(2)).join(', ');
}

/** Ids through Bull and nothing else, on the same Valkey: what the queue alone can do. */
async function measureBull(stack: Stack): Promise<string[]> {
  const queue = new Bull('bench', stack.environment['REDIS_URL']!, { prefix: '{bench}', defaultJobOptions: { removeOnComplete: true } });
  await queue.isReady();
  const began = performance.now();
  let done = 0;
  const all = new Promise<void>((resolve) => {
    void queue.process(32, () => {
      done += 1;
      if (done === jobs) resolve();
      return Promise.resolve();
    });
  });
  for (let i = 0; i < jobs; i += 100) await queue.addBulk(Array.from({ length: 100 }, (_, n) => ({ data: {}, opts: { jobId: `${i + n}-1` } })));
  await all;
  const perSecond = (jobs / (performance.now() - began)) * 1000;
  await queue.close(true);
  return ['bare Bull, in hundreds', perSecond.toFixed(0), '', '', ''];
}

/** One at a time into an idle house: what a user waits who presses a button. */
async function measureSingly(stack: Stack, name: string, enqueueOne: () => Promise<unknown>): Promise<string[]> {
  await clear(stack);
  for (let i = 1; i <= single; i += 1) {
    await enqueueOne();
    await sleep(20);
  }
  await allDone(stack, single);
  return [`${name}, ${single}, one every 20 ms`, '', ...(await waits(stack)), ''];
}

async function waits(stack: Stack): Promise<string[]> {
  const [row] = await stack.database.rows<{ p50: number; p99: number }>(
    `select percentile_cont(0.5) within group (order by ms) as p50, percentile_cont(0.99) within group (order by ms) as p99
     from (select extract(epoch from started_at - created_at)::float8 * 1000 as ms from mainstay_internal.jobs where kind in ('ping', 'call-function')) as waits`,
  );
  return [row!.p50.toFixed(1), row!.p99.toFixed(1)];
}

async function allDone(stack: Stack, count: number): Promise<void> {
  for (;;) {
    const [row] = await stack.database.rows<{ done: number; over: number }>(
      `select count(*) filter (where state = 'done')::int as done, count(*) filter (where state in ('failed', 'dead'))::int as over from mainstay_internal.jobs where kind in ('ping', 'call-function')`,
    );
    if (row!.over > 0) throw new Error(`${row!.over} jobs came to nothing`);
    if (row!.done >= count) return;
    await sleep(50);
  }
}
