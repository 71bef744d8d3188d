import { randomUUID } from 'node:crypto';
import { Fault, makeCaller } from '@mainstay/domain';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { Database } from './database.ts';
import { actingAs, asHouse, enqueue, type EnqueueTerms } from './enqueue.ts';
import { assertLease, asWorker, claim, complete, completeWith, fail, handBack, LeaseLost, reapExpired, renew, type ClaimedJob, type Failure } from './jobs.ts';
import { cancelJob } from './own-jobs.ts';

let test: TestDatabase;
let worker: Database;

beforeAll(async () => {
  test = await makeTestDatabase();
  worker = test.as('mainstay_worker');
});
afterAll(() => test.close());
beforeEach(() => test.admin.rows('truncate mainstay_internal.jobs, mainstay_internal.outbox'));

describe('enqueueing', () => {
  it('writes the job and its outbox row in the caller’s transaction, or neither', async () => {
    const id = await put();
    await expect(
      worker.transaction(asWorker, async (tx) => {
        await enqueue(tx, 'ping', {}, asHouse);
        throw new Error('rolled back');
      }),
    ).rejects.toThrow('rolled back');
    expect(await jobs()).toMatchObject([{ id, kind: 'ping', queue: 'upkeep', state: 'queued', attempts: 0, max_attempts: 3, owner: null, role: 'service_role' }]);
    expect(await test.admin.rows('select job_id, carrier, queue, turn from mainstay_internal.outbox')).toEqual([{ job_id: id, carrier: 'upkeep', queue: 'upkeep', turn: '' }]);
  });

  it('gives a job of later no outbox row', async () => {
    await put({ runAt: new Date(Date.now() + 60_000) });
    expect(await jobs()).toMatchObject([{ is_due: false }]);
    expect(await test.admin.rows('select from mainstay_internal.outbox')).toHaveLength(0);
  });

  it('is one job while one with the same key is open, and a new one afterwards', async () => {
    const first = await put({ key: 'once' });
    expect(await put({ key: 'once' })).toBe(first);
    const held = await mustClaim(first);
    expect(await put({ key: 'once' })).toBe(first);
    expect(await finish(held, null)).toBe(true);
    expect(await put({ key: 'once' })).not.toBe(first);
  });

  it('is one job for 30 at once with the same key', async () => {
    const pool = test.as('mainstay_worker', 15);
    const ids = await Promise.all(Array.from({ length: 30 }, () => pool.transaction(asWorker, (tx) => enqueue(tx, 'ping', {}, { ...asHouse, key: 'crowd' }))));
    expect(new Set(ids).size).toBe(1);
  });

  it('is one job for an idempotency key of an owner even when it is done, and another for another owner', async () => {
    const first = await put({ owner: 'a', idempotencyKey: 'k' });
    await finish(await mustClaim(first), null);
    expect(await put({ owner: 'a', idempotencyKey: 'k' })).toBe(first);
    expect(await put({ owner: 'b', idempotencyKey: 'k' })).not.toBe(first);
    const house = await put({ idempotencyKey: 'k' });
    expect(await put({ idempotencyKey: 'k' })).toBe(house);
  });

  it('gives ids in the order of their making', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 5; i += 1) {
      ids.push(await put());
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect([...ids].sort()).toEqual(ids);
    expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab]/);
  });

  it('is refused to callers’ roles', async () => {
    const authenticator = test.as('authenticator');
    await expect(authenticator.transaction({ role: 'authenticated', settings: {} }, (tx) => enqueue(tx, 'ping', {}, asHouse))).rejects.toMatchObject({ code: '42501' });
  });
});

describe('a claim', () => {
  it('takes a job once, counts the attempt and gives role and claims', async () => {
    const caller = makeCaller('user', { sub: randomUUID(), role: 'authenticated', email: 'a@example.org' });
    const id = await put(actingAs(caller));
    const [first, second] = await Promise.all([take(id), take(id)]);
    const [won, lost] = first === null ? [second, first] : [first, second];
    expect(lost).toBeNull();
    expect(won).toMatchObject({ kind: 'ping', payload: {}, attempt: 1, owner: caller.subject, role: 'authenticated', claims: caller.claims, callerIs: null });
  });

  it('finds nothing before the job is due, and nothing when it is over', async () => {
    expect(await take(await put({ runAt: new Date(Date.now() + 60_000) }))).toBeNull();
    const id = await put();
    await finish(await mustClaim(id), null);
    expect(await take(id)).toBeNull();
    expect(await take(randomUUID())).toBeNull();
  });

  it('takes over a running job only when its lease is over', async () => {
    const id = await put();
    const dead = await mustClaim(id);
    expect(await take(id)).toBeNull();
    await expire(id);
    const heir = await mustClaim(id);
    expect(heir.attempt).toBe(2);
    expect(await finish(dead, null)).toBe(false);
    expect(await finish(heir, { rows: 3 })).toBe(true);
    expect(await jobs()).toMatchObject([{ state: 'done', result: { rows: 3 }, lease_token: null }]);
  });

  it('tells that the account which asked was banned or deleted since', async () => {
    const [banned, deleted, gone, stranger] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
    for (const id of [banned, deleted, gone]) await test.admin.rows(`insert into auth.users (id, email) values ($1, $2)`, [id, `${id}@example.org`]);
    const asked: string[] = [];
    for (const sub of [banned, deleted, gone, stranger]) asked.push(await put(actingAs(makeCaller('user', { sub, role: 'authenticated' }))));
    await test.admin.rows(`update auth.users set banned_until = now() + interval '1 hour' where id = $1`, [banned]);
    await test.admin.rows(`update auth.users set deleted_at = now() where id = $1`, [deleted]);
    await test.admin.rows(`delete from auth.users where id = $1`, [gone]);
    const said: unknown[] = [];
    for (const id of asked) said.push((await mustClaim(id)).callerIs);
    // The last one's token is of another issuer: it never was an account here, so it cannot be gone.
    expect(said).toEqual(['banned', 'deleted', 'deleted', null]);
  });
});

describe('a lease', () => {
  it('fences a transaction of a worker that has lost its job: everything in it is rolled back', async () => {
    const id = await put();
    const zombie = await mustClaim(id);
    await expire(id);
    const heir = await mustClaim(id);
    const effect = (held: ClaimedJob) => completeWith(worker, { ...held, result: null }, async (tx) => void (await enqueue(tx, 'ping', {}, { ...asHouse, key: `of ${held.attempt}` })));
    await expect(effect(zombie)).rejects.toBeInstanceOf(LeaseLost);
    await effect(heir);
    expect((await jobs()).map(({ unique_key }) => unique_key)).toEqual([null, 'of 2']);
  });

  it('fences as the worker’s own login, whatever role the transaction had taken', async () => {
    const held = await mustClaim(await put());
    await worker.transaction({ role: 'authenticated', settings: {} }, (tx) => assertLease(tx, held, 15));
    await expect(
      worker.transaction({ role: 'authenticated', settings: {} }, (tx) => assertLease(tx, { ...held, token: randomUUID() }, 15)),
    ).rejects.toBeInstanceOf(LeaseLost);
  });

  it('makes whoever cancels wait for a fenced transaction, and ends every one that comes after', async () => {
    const id = await put();
    const held = await mustClaim(id);
    const order: string[] = [];
    let cancelling: Promise<unknown> = Promise.resolve();
    await worker.transaction(asWorker, async (tx) => {
      await assertLease(tx, held, 15);
      cancelling = worker.transaction(asWorker, (other) => cancelJob(other, id)).then(() => order.push('cancelled'));
      await new Promise((resolve) => setTimeout(resolve, 50));
      order.push('committed');
    });
    await cancelling;
    expect(order).toEqual(['committed', 'cancelled']);
    await expect(worker.transaction(asWorker, (tx) => assertLease(tx, held, 15))).rejects.toBeInstanceOf(LeaseLost);
    expect(await finish(held, null)).toBe(false);
  });

  it('stops a job whose caller is banned while it runs', async () => {
    const sub = randomUUID();
    await test.admin.rows(`insert into auth.users (id, email) values ($1, $2)`, [sub, `${sub}@example.org`]);
    const held = await mustClaim(await put(actingAs(makeCaller('user', { sub, role: 'authenticated' }))));
    await worker.transaction(asWorker, (tx) => assertLease(tx, held, 15));
    await test.admin.rows(`update auth.users set banned_until = now() + interval '1 hour' where id = $1`, [sub]);
    const fault = await worker.transaction(asWorker, (tx) => assertLease(tx, held, 15)).catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(Fault);
    expect(fault).toMatchObject({ code: 'caller_banned' });
  });

  it('is renewed for all jobs of a process at once, and tells which are cancelled, lost or busy', async () => {
    const held: ClaimedJob[] = [];
    for (let i = 0; i < 4; i += 1) held.push(await mustClaim(await put()));
    const [kept, cancelled, lost, busy] = held as [ClaimedJob, ClaimedJob, ClaimedJob, ClaimedJob];
    await worker.transaction(asWorker, (tx) => cancelJob(tx, cancelled.jobId));
    await expire(lost.jobId);
    await mustClaim(lost.jobId);
    await worker.transaction(asWorker, async (tx) => {
      await assertLease(tx, busy, 15);
      const standings = await renew(worker, held, 3600);
      expect([kept, cancelled, lost, busy].map(({ token }) => standings.get(token))).toEqual(['held', 'cancelled', 'lost', 'busy']);
    });
    const [row] = await test.admin.rows<{ left: number }>(`select extract(epoch from lease_until - now())::float8 as left from mainstay_internal.jobs where id = $1`, [kept.jobId]);
    expect(row!.left).toBeGreaterThan(3000);
  });
});

describe('a failed attempt', () => {
  it('is tried again after min(6 h, 2^n s) at most, and dead when attempts are used up', async () => {
    const id = await put({ maxAttempts: 3 });
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      await test.admin.rows(`update mainstay_internal.jobs set run_at = now()`);
      const state = (await fail(worker, await mustClaim(id), failure('no luck')))?.state;
      expect(state).toBe(attempt < 3 ? 'queued' : 'dead');
      const [row] = await test.admin.rows<{ wait: number }>(`select extract(epoch from run_at - now())::float8 as wait from mainstay_internal.jobs`);
      expect(row!.wait).toBeLessThanOrEqual(2 ** attempt);
    }
    expect(await jobs()).toMatchObject([{ state: 'dead', attempts: 3, error: { code: 'x', message: 'no luck' } }]);
  });

  it('never waits longer than 6 h', async () => {
    const id = await put({ maxAttempts: 100 });
    await test.admin.rows(`update mainstay_internal.jobs set failures = 60`);
    await fail(worker, await mustClaim(id), failure('x'));
    const [row] = await test.admin.rows<{ wait: number }>(`select extract(epoch from run_at - now())::float8 as wait from mainstay_internal.jobs`);
    expect(row!.wait).toBeLessThanOrEqual(6 * 3600);
  });

  it('does not wait the longer for attempts that ended with their worker', async () => {
    const id = await put({ maxAttempts: 100 });
    await test.admin.rows(`update mainstay_internal.jobs set attempts = 60`);
    await fail(worker, await mustClaim(id), failure('x'));
    const [row] = await test.admin.rows<{ wait: number }>(`select extract(epoch from run_at - now())::float8 as wait from mainstay_internal.jobs`);
    expect(row!.wait).toBeLessThanOrEqual(2);
  });

  it('is tried again after exactly the time it asks for', async () => {
    const id = await put();
    await fail(worker, await mustClaim(id), { ...failure('busy'), afterSeconds: 90 });
    const [row] = await test.admin.rows<{ wait: number }>(`select extract(epoch from run_at - now())::float8 as wait from mainstay_internal.jobs`);
    expect(Math.abs(row!.wait - 90)).toBeLessThan(1);
  });

  it('that refuses the job is the last', async () => {
    const id = await put();
    expect(await fail(worker, await mustClaim(id), { ...failure('no'), isRefused: true })).toMatchObject({ state: 'failed' });
    expect(await take(id)).toBeNull();
  });

  it('is not counted when the worker hands the job back', async () => {
    const id = await put();
    expect(await handBack(worker, [await mustClaim(id)])).toBe(1);
    expect((await mustClaim(id)).attempt).toBe(1);
  });
});

describe('the reaper', () => {
  it('queues the job of a silent worker at once, and it is dead after N: a poison job ends', async () => {
    const id = await put({ maxAttempts: 2 });
    await mustClaim(id);
    expect(await reap()).toEqual([]);
    await expire(id);
    expect(await reap()).toMatchObject([{ id, state: 'queued', attempts: 1 }]);
    await mustClaim(id);
    await expire(id);
    expect(await reap()).toMatchObject([{ id, state: 'dead', attempts: 2 }]);
    expect(await jobs()).toMatchObject([{ state: 'dead', error: { code: 'worker_lost' } }]);
  });

  it('does not count an attempt that brought something forward', async () => {
    const id = await put({ maxAttempts: 2 });
    for (let death = 1; death <= 6; death += 1) {
      const held = await mustClaim(id);
      await worker.transaction(asWorker, (tx) => assertLease(tx, held, 15));
      await expire(id);
      expect(await reap()).toMatchObject([{ state: 'queued', attempts: death }]);
    }
    await mustClaim(id);
    await expire(id);
    expect(await reap()).toMatchObject([{ state: 'dead', attempts: 7 }]);
  });

  it('leaves a job alone whose row is locked by a living transaction', async () => {
    const held = await mustClaim(await put());
    await worker.transaction(asWorker, async (tx) => {
      await assertLease(tx, held, 0);
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect(await reap()).toEqual([]);
    });
  });
});

function put(terms: Partial<EnqueueTerms> = {}): Promise<string> {
  return worker.transaction(asWorker, (tx) => enqueue(tx, 'ping', {}, { ...asHouse, ...terms }));
}

async function take(id: string): Promise<ClaimedJob | null> {
  // As the relay does with what is due.
  await test.admin.rows(`update mainstay_internal.jobs set is_due = true, published_at = clock_timestamp() where id = $1 and state = 'queued' and run_at <= clock_timestamp()`, [id]);
  const token = randomUUID();
  return (await claim(worker, [{ jobId: id, token }], 15)).get(token) ?? null;
}

async function finish(held: ClaimedJob, result: unknown = null): Promise<boolean> {
  return (await complete(worker, [{ ...held, result }])).has(held.token);
}

async function mustClaim(id: string): Promise<ClaimedJob> {
  const held = await take(id);
  if (held === null) throw new Error('nothing to claim');
  return held;
}

function expire(id: string): Promise<unknown> {
  return test.admin.rows(`update mainstay_internal.jobs set lease_until = now() - interval '1 second' where id = $1`, [id]);
}

function reap(): Promise<unknown> {
  return worker.transaction(asWorker, (tx) => reapExpired(tx));
}

function jobs(): Promise<Record<string, unknown>[]> {
  return test.admin.rows('select * from mainstay_internal.jobs order by id');
}

function failure(message: string): Failure {
  return { error: { code: 'x', message, details: null, hint: null }, isRefused: false, afterSeconds: null };
}
