import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Fault, jobs, queues } from '@mainstay/domain';
import { asHouse, asWorker, cancelJob, enqueue, makeDatabase, makeListener, retryJob, workerHealth, type Database, type EnqueueTerms } from '@mainstay/persistence';
import { makeTestDatabase, testRedis, type TestDatabase } from '@mainstay/testing';
import Bull from 'bull';
import { bullOptions } from './bull-options.ts';
import { BullQueues } from './bull-queues.ts';
import { JobEngine } from './engine.ts';
import type { Handlers, JobRun } from './job-run.ts';

let test: TestDatabase;
let admin: Database;
const redis = testRedis();
const engines: { stop(): Promise<void> }[] = [];

beforeAll(async () => {
  test = await makeTestDatabase();
  admin = test.admin;
  await admin.rows('create table effects (job uuid, attempt int)');
  await admin.rows('grant all on effects to mainstay_worker, service_role, authenticated');
});
afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.stop()));
  await flush();
  await admin.rows('truncate mainstay_internal.jobs, mainstay_internal.outbox, mainstay_internal.processes, effects');
});
afterAll(() => test.close());

describe('a job', () => {
  it('runs after its transaction has committed, soon, and never for one that rolled back', async () => {
    await start(() => Promise.resolve({ answer: 42 }));
    await test.as('mainstay_worker').transaction(asWorker, (tx) => enqueue(tx, 'ping', {}, asHouse).then(() => Promise.reject(new Error('no')))).catch(() => {});
    const began = Date.now();
    const id = await put();
    expect(await ended(id)).toMatchObject({ state: 'done', attempts: 1, result: { answer: 42 } });
    expect(Date.now() - began).toBeLessThan(3000);
    expect(await count(`select 1 from mainstay_internal.jobs`)).toBe(1);
  });

  it('is published though the process died between commit and publication', async () => {
    const id = await put();
    // Nobody was listening when it was enqueued; the outbox row is all there is.
    await start(noWork);
    expect(await ended(id)).toMatchObject({ state: 'done' });
  });

  it('runs once though Bull delivers it three times', async () => {
    await start(leaveMark);
    const queue = new Bull('upkeep', bullOptions(settings()));
    const id = await put({ runAt: new Date(Date.now() + 300) });
    for (const attempt of [1, 2, 3]) await pause(350).then(() => queue.add({}, { jobId: `${id}-${attempt}` }));
    await ended(id);
    await pause(200);
    await queue.close();
    expect(await marks(id)).toEqual([1]);
  });

  it('runs at its time and not before', async () => {
    await start(noWork);
    const runAt = new Date(Date.now() + 700);
    const { started_at: startedAt } = await ended(await put({ runAt }));
    expect((startedAt as Date).getTime()).toBeGreaterThanOrEqual(runAt.getTime() - 5);
    expect((startedAt as Date).getTime()).toBeLessThan(runAt.getTime() + 3000);
  });

  it('commits its effects and its follow-up jobs together with its completion', async () => {
    await start((run) => {
      run.finish(async (tx) => {
        await tx.rows('insert into effects values ($1, $2)', [run.jobId, run.attempt]);
        await enqueue(tx, 'sweep-over', {}, { ...asHouse, key: `after ${run.jobId}` });
        // The second attempt gets through; of the first, nothing may stay.
        if (run.attempt === 1) throw new Error('after the effects');
      });
      return Promise.resolve('well');
    });
    const id = await put();
    await soon(id);
    expect(await ended(id)).toMatchObject({ state: 'done', attempts: 2, result: 'well' });
    expect(await marks(id)).toEqual([2]);
    expect(await count(`select 1 from mainstay_internal.jobs where kind = 'sweep-over'`)).toBe(1);
  });

  it('takes no effect by a worker that lost it: the zombie’s completion is rolled back', async () => {
    const release = Promise.withResolvers<void>();
    await start(async (run) => {
      if (run.attempt === 1) await release.promise;
      run.finish((tx) => tx.rows('insert into effects values ($1, $2)', [run.jobId, run.attempt]));
    });
    const id = await put();
    await running(id);
    // As the reaper does when a worker was halted for longer than its lease.
    await admin.rows(`update mainstay_internal.jobs set state = 'queued', lease_token = null, lease_until = null, is_due = false, published_at = null where id = $1`, [id]);
    expect(await ended(id)).toMatchObject({ state: 'done', attempts: 2 });
    release.resolve();
    await pause(200);
    expect(await marks(id)).toEqual([2]);
  });

  it('that a handler refuses by a fault is failed at once, with the fault’s words', async () => {
    await start(() => Promise.reject(new Fault('no_good', { status: 422, message: 'This is no good' }, { details: 'row 3', hint: 'mend it' })));
    expect(await ended(await put())).toMatchObject({ state: 'failed', attempts: 1, error: { code: 'no_good', message: 'This is no good', details: 'row 3', hint: 'mend it' } });
  });

  it('that breaks is tried again, is dead after its attempts, and can be sent again', async () => {
    let isMended = false;
    await start(() => (isMended ? Promise.resolve(null) : Promise.reject(new Error('secret: the table is broken'))));
    const id = await put({ maxAttempts: 2 });
    await soon(id);
    const dead = await ended(id);
    expect(dead).toMatchObject({ state: 'dead', attempts: 2, error: { code: 'unexpected' } });
    expect(JSON.stringify(dead.error)).not.toContain('secret');
    isMended = true;
    await test.as('mainstay_worker').transaction(asWorker, (tx) => retryJob(tx, id));
    expect(await ended(id)).toMatchObject({ state: 'done', attempts: 3, max_attempts: 4 });
  });

  it('whose payload is not what its kind asks for is refused before the handler sees it', async () => {
    await start(noWork);
    const id = await test.as('mainstay_worker').transaction(asWorker, (tx) => enqueue(tx, 'import-rows', { importId: 'not a uuid' }, asHouse));
    expect(await ended(id)).toMatchObject({ state: 'failed', error: { code: 'payload_not_valid', details: ['importId must be a UUID'] } });
  });

  it('of a kind that this release does not know is left for another attempt', async () => {
    await start(noWork);
    const id = await put();
    await admin.rows(`update mainstay_internal.jobs set kind = 'from-the-future' where id = $1 and state = 'queued'`, [id]);
    await until(async () => (await row(id)).error !== null || (await row(id)).state === 'done');
    // Either it was renamed in time, and waits for a worker that knows it; or it was done before.
    expect(await row(id)).toMatchObject({ state: expect.stringMatching(/queued|done/) });
  });

  it('of an account that was banned meanwhile is refused', async () => {
    const sub = randomUUID();
    await admin.rows(`insert into auth.users (id, email, banned_until) values ($1, $2, now() + interval '1 day')`, [sub, `${sub}@example.org`]);
    await start(noWork);
    const id = await put({ owner: sub, role: 'authenticated', claims: { sub, role: 'authenticated' } });
    expect(await ended(id)).toMatchObject({ state: 'failed', error: { code: 'caller_banned' } });
  });

  it('acts as who asked: role, claims and time limit are its session', async () => {
    const seen = Promise.withResolvers<unknown>();
    await start(async (run, database) => {
      const result = await database.once(run.session, { text: `select current_user, auth.uid(), current_setting('statement_timeout')`, values: [] });
      seen.resolve(result.rows[0]);
    });
    const sub = randomUUID();
    await put({ owner: sub, role: 'authenticated', claims: { sub, role: 'authenticated' } });
    expect(await seen.promise).toEqual(['authenticated', sub, '15min']);
  });

  it('shows its progress while it runs', async () => {
    const release = Promise.withResolvers<void>();
    await start(async (run) => {
      run.progress({ done: 1, total: 3 });
      run.progress({ done: 2, total: 3, note: 'nearly' });
      await release.promise;
    });
    const id = await put();
    await until(async () => (await row(id)).progress !== null);
    expect((await row(id)).progress).toEqual({ done: 2, total: 3, note: 'nearly' });
    release.resolve();
    await ended(id);
  });
});

describe('cancelling', () => {
  it('reaches a running job at once, and nothing of it commits any more', async () => {
    const aborted = Promise.withResolvers<unknown>();
    await start((run) => {
      run.signal.addEventListener('abort', () => aborted.resolve(run.signal.reason));
      return untilAborted(run);
    });
    const id = await put();
    await running(id);
    const began = Date.now();
    await test.as('mainstay_worker').transaction(asWorker, (tx) => cancelJob(tx, id));
    expect(await aborted.promise).toMatchObject({ name: 'JobCancelled' });
    expect(Date.now() - began).toBeLessThan(500);
    expect(await ended(id)).toMatchObject({ state: 'cancelled' });
  });

  it('of a queued job keeps it from ever running', async () => {
    const id = await put();
    await test.as('mainstay_worker').transaction(asWorker, (tx) => cancelJob(tx, id));
    await start(leaveMark);
    await ended(await put());
    expect(await marks(id)).toEqual([]);
    expect(await row(id)).toMatchObject({ state: 'cancelled' });
  });
});

describe('the queue', () => {
  it('may be emptied at any time: what was lost is published again within seconds', async () => {
    const release = Promise.withResolvers<void>();
    const stop = await start(() => release.promise);
    // As many as there are slots run, the rest lie in Bull.
    const ids = await putMany(56);
    await until(async () => (await count(`select 1 from mainstay_internal.jobs where state = 'queued' and published_at is not null`)) === 24);
    await flush();
    const began = Date.now();
    release.resolve();
    for (const id of ids) await ended(id);
    expect(Date.now() - began).toBeLessThan(15_000);
    expect(await count(`select 1 from mainstay_internal.jobs where attempts <> 1`)).toBe(0);
    await stop();
  }, 40_000);

  it('may lose single ids, or an id’s place in its list', async () => {
    const queue = new Bull('upkeep', bullOptions(settings()));
    const id = await put();
    await admin.rows(`delete from mainstay_internal.outbox`);
    await admin.rows(`update mainstay_internal.jobs set published_at = now()`);
    // The record of the id is there, as after an eviction, and no list has it.
    await queue.client.hset(queue.toKey(`${id}-1`), 'data', '{}');
    await start(noWork);
    expect(await ended(id)).toMatchObject({ state: 'done', attempts: 1 });
    await queue.close();
  });

  it('may bring several ids as one: who comes behind a slow job does not wait for it', async () => {
    const release = Promise.withResolvers<void>();
    const [slow, ...quick] = [await put(), await put(), await put()];
    await admin.rows(`delete from mainstay_internal.outbox`);
    await admin.rows(`update mainstay_internal.jobs set published_at = now()`);
    const stop = await start((run) => (run.jobId === slow ? release.promise : Promise.resolve(null)));
    const queue = new Bull('upkeep', bullOptions(settings()));
    await queue.add({}, { jobId: [slow, ...quick].map((id) => `${id}-1`).join(',') });
    for (const id of quick) expect(await ended(id)).toMatchObject({ state: 'done', attempts: 1 });
    await running(slow!);
    release.resolve();
    expect(await ended(slow!)).toMatchObject({ state: 'done', attempts: 1 });
    await queue.close();
    await stop();
  });

  it('whose client has ended is given a new one', async () => {
    const stop = await start(noWork);
    await ended(await put());
    for (const client of lastQueues.flatMap((queue) => (queue as unknown as { clients: { disconnect(): void }[] }).clients)) client.disconnect();
    expect(await ended(await put())).toMatchObject({ state: 'done' });
    await stop();
  }, 40_000);
});

describe('turns', () => {
  it('are fair between owners: a hundred jobs of one do not delay another’s first', async () => {
    const order: string[] = [];
    const big = randomUUID();
    const small = randomUUID();
    await putMany(300, { owner: big });
    await putMany(2, { owner: small });
    await start(async (run) => {
      order.push(run.owner!);
      await pause(2);
    });
    await until(async () => (await count(`select 1 from mainstay_internal.jobs where state = 'done'`)) === 302);
    expect(order.indexOf(small)).toBeLessThan(60);
    expect(order.lastIndexOf(small)).toBeLessThan(60);
  });

  it('take an owner’s jobs by priority', async () => {
    const low = await putMany(200, { priority: 0 });
    const high = await putMany(1, { priority: 9 });
    const order: string[] = [];
    await start((run) => Promise.resolve(order.push(run.jobId)));
    await until(() => Promise.resolve(order.length === 201));
    expect(order.indexOf(high[0]!)).toBeLessThan(32);
    expect(low).toHaveLength(200);
  });

  it('leave slow jobs in the outbox: Bull holds a handful', async () => {
    const release = Promise.withResolvers<void>();
    const stop = await start(() => release.promise);
    await putMany(400);
    await pause(1500);
    expect(await count(`select 1 from mainstay_internal.jobs where state = 'queued' and published_at is not null`)).toBeLessThanOrEqual(100);
    release.resolve();
    await until(async () => (await count(`select 1 from mainstay_internal.jobs where state = 'done'`)) === 400);
    await stop();
  });
});

describe('stopping', () => {
  it('lets a short job end, tells a long one to, and hands it back at once and uncounted', async () => {
    const stop = await start(async (run) => {
      if (run.owner === 'short') await pause(600);
      else await untilAborted(run);
    });
    const [short] = await putMany(1, { owner: 'short' });
    const [long] = await putMany(1, { owner: 'long' });
    await running(short!);
    await running(long!);
    const began = Date.now();
    await stop();
    expect(Date.now() - began).toBeLessThan(4000);
    expect(await row(short!)).toMatchObject({ state: 'done' });
    expect(await row(long!)).toMatchObject({ state: 'queued', attempts: 0, lease_token: null });
    await start(noWork);
    expect(await ended(long!)).toMatchObject({ state: 'done', attempts: 1 });
  });

  it('hands back the job of a handler that does not heed the signal too', async () => {
    const release = Promise.withResolvers<void>();
    const stop = await start(async (run) => {
      await release.promise;
      run.finish((tx) => tx.rows('insert into effects values ($1, $2)', [run.jobId, run.attempt]));
    });
    const id = await put();
    await running(id);
    const began = Date.now();
    await stop();
    expect(Date.now() - began).toBeLessThan(4000);
    expect(await row(id)).toMatchObject({ state: 'queued', attempts: 0 });
    release.resolve();
    await pause(100);
    expect(await marks(id)).toEqual([]);
  });
});

describe('a worker’s health', () => {
  it('is down before a worker has reported, well while it makes progress, and told to the api', async () => {
    const api = test.as('mainstay_api');
    expect(await workerHealth(api)).toMatchObject({ worker: { state: 'down' }, queue: { state: 'down' } });
    await start(noWork);
    await until(async () => (await workerHealth(api)).queue.state === 'ok');
    expect(await workerHealth(api)).toEqual({ worker: { state: 'ok', note: null }, queue: { state: 'ok', note: null } });
  });
});

let lastQueues: Bull.Queue[] = [];

function settings(): { redisUrl: string; queuePrefix: string } {
  return { redisUrl: redis.url, queuePrefix: redis.prefix };
}

/** Starts an engine whose `ping` does what is given. */
async function start(work: (run: JobRun, database: Database) => Promise<unknown>): Promise<() => Promise<void>> {
  const options = bullOptions(settings());
  lastQueues = Object.keys(queues).map((name) => new Bull(name, options));
  const database = makeDatabase(test.settings, 'mainstay_worker', { max: 10 });
  const upkeep = makeDatabase(test.settings, 'mainstay_worker', { max: 3 });
  const idle = Object.fromEntries(Object.keys(jobs).map((kind) => [kind, () => Promise.resolve(null)])) as unknown as Handlers;
  const handlers: Handlers = { ...idle, ping: (_, run) => work(run, database) };
  const engine = new JobEngine({
    database,
    upkeep,
    listener: makeListener(test.settings, 'mainstay_worker'),
    bull: new BullQueues(options, lastQueues),
    handlers,
    leaseSeconds: 6,
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
  });
  const processId = randomUUID();
  await admin.rows(`insert into mainstay_internal.processes (id, kind, key_fingerprint) values ($1, 'worker', 'x')`, [processId]);
  engine.start(processId);
  let stopped: Promise<void> | null = null;
  const stop = (): Promise<void> =>
    (stopped ??= engine.stop().then(async () => {
      await Promise.all([database.close(), upkeep.close()]);
    }));
  engines.push({ stop });
  return stop;
}

function noWork(): Promise<unknown> {
  return Promise.resolve(null);
}

function untilAborted(run: JobRun): Promise<never> {
  return new Promise((_, reject) => run.signal.addEventListener('abort', () => reject(run.signal.reason as Error)));
}

async function leaveMark(run: JobRun): Promise<void> {
  await admin.rows('insert into effects values ($1, $2)', [run.jobId, run.attempt]);
}

async function marks(id: string): Promise<number[]> {
  const rows = await admin.rows<{ attempt: number }>('select attempt from effects where job = $1 order by attempt', [id]);
  return rows.map(({ attempt }) => attempt);
}

async function put(terms: Partial<EnqueueTerms> = {}): Promise<string> {
  return (await putMany(1, terms))[0]!;
}

function putMany(times: number, terms: Partial<EnqueueTerms> = {}): Promise<string[]> {
  return admin.transaction(asWorker, async (tx) => {
    const ids: string[] = [];
    for (let i = 0; i < times; i += 1) ids.push(await enqueue(tx, 'ping', {}, { ...asHouse, ...terms }));
    return ids;
  });
}

interface Row {
  state: string;
  error: unknown;
  progress: unknown;
  started_at: Date | null;
}

async function row(id: string): Promise<Row> {
  return (await admin.rows<Row>('select * from mainstay_internal.jobs where id = $1', [id]))[0]!;
}

async function ended(id: string): Promise<Row> {
  await until(async () => ['done', 'failed', 'dead', 'cancelled'].includes((await row(id)).state));
  return row(id);
}

async function running(id: string): Promise<void> {
  await until(async () => (await row(id)).state === 'running');
}

/** Once an attempt has failed, the next comes at once instead of after its back-off. */
async function soon(id: string): Promise<void> {
  await until(async () => (await row(id)).error !== null);
  await admin.rows(`update mainstay_internal.jobs set run_at = now() where id = $1 and state = 'queued'`, [id]);
}

async function count(text: string): Promise<number> {
  return (await admin.rows(text)).length;
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 20_000;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error('it did not come to pass within 20 s');
    await pause(10);
  }
}

/** Empties what this file has in Redis; other files share the server. */
async function flush(): Promise<void> {
  const queue = new Bull('upkeep', bullOptions(settings()));
  const keys = await queue.client.keys(`${redis.prefix.replace(/[{}]/g, '?')}*`);
  if (keys.length > 0) await queue.client.del(...keys);
  await queue.close();
}
