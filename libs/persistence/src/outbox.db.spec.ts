import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { Database } from './database.ts';
import { asHouse, enqueue, type EnqueueTerms } from './enqueue.ts';
import { asWorker } from './jobs.ts';
import { Listener } from './listen.ts';
import { connectionOf } from './logins.ts';
import { backlogs, longestWaits, outboxChannel, promoteDue, sayAsleep, takeTurn, unclaimed } from './outbox.ts';
import { cancelJob } from './own-jobs.ts';

const upkeep = { carrier: 'upkeep', queue: 'upkeep' };
const transfers = { carrier: 'transfers', queue: 'transfers' };

let test: TestDatabase;
let worker: Database;

beforeAll(async () => {
  test = await makeTestDatabase();
  worker = test.as('mainstay_worker');
});
afterAll(() => test.close());
beforeEach(() => test.admin.rows('truncate mainstay_internal.jobs, mainstay_internal.outbox'));

describe('a turn', () => {
  it('takes from each owner equally, and from each the oldest first', async () => {
    const a = await put(50, { owner: 'a' });
    const b = await put(3, { owner: 'b' });
    const house = await put(50);
    expect(await told(await takeTurn(worker, upkeep, 9, ''))).toEqual([...a.slice(0, 3), ...b, ...house.slice(0, 3)].sort());
  });

  it('gives everybody a turn when there are more owners than places', async () => {
    for (const owner of ['a', 'b', 'c', 'd', 'e']) await put(2, { owner });
    const seen: string[] = [];
    let last = '';
    for (let i = 0; i < 4; i += 1) {
      const turn = await takeTurn(worker, upkeep, 3, last);
      last = turn.last;
      for (const { jobId } of turn.publications) seen.push(await ownerOf(jobId));
    }
    // a b c | d e a | b c d | e
    expect(seen.slice(0, 3).sort()).toEqual(['a', 'b', 'c']);
    expect(seen.slice(3, 6).sort()).toEqual(['a', 'd', 'e']);
    expect(seen).toHaveLength(10);
  });

  it('takes an owner’s jobs by priority', async () => {
    await put(5, { owner: 'a' });
    const [urgent] = await put(1, { owner: 'a', priority: 7 });
    expect(await told(await takeTurn(worker, upkeep, 1, ''))).toEqual([urgent]);
  });

  it('keeps to its queue', async () => {
    await put(2);
    expect((await takeTurn(worker, transfers, 10, '')).rows).toBe(0);
  });

  it('of two relays at once gives each row to one of them', async () => {
    const ids = await put(40);
    const turns = await Promise.all([1, 2, 3, 4].map(() => takeTurn(worker, upkeep, 20, '')));
    const all = turns.flatMap(({ publications }) => publications.map(({ jobId }) => jobId));
    expect(new Set(all).size).toBe(all.length);
    while (all.length < ids.length) all.push(...(await takeTurn(worker, upkeep, 20, '')).publications.map(({ jobId }) => jobId));
    expect(all.sort()).toEqual([...ids].sort());
  });

  it('passes over a job that was cancelled, and takes its row away', async () => {
    const [gone, stays] = await put(2);
    await worker.transaction(asWorker, (tx) => cancelJob(tx, gone!));
    const turn = await takeTurn(worker, upkeep, 10, '');
    expect(turn.rows).toBe(2);
    expect(await told(turn)).toEqual([stays]);
    expect(await backlogs(worker)).toEqual([]);
  });

  it('counts what it took as told, with the attempt that comes', async () => {
    const [id] = await put(1);
    await put(1);
    expect((await takeTurn(worker, upkeep, 1, '')).publications).toEqual([{ jobId: id, attempt: 1 }]);
    expect(await backlogs(worker)).toEqual([{ ...upkeep, unclaimed: 1, isLimited: false }]);
    await test.admin.rows(`update mainstay_internal.jobs set published_at = published_at - interval '2 seconds'`);
    expect(await worker.transaction(asWorker, (tx) => unclaimed(tx))).toEqual([{ jobId: id, attempt: 1, carrier: 'upkeep' }]);
  });
});

describe('a queue with terms', () => {
  const letters = { carrier: 'upkeep', queue: 'letters' };
  const terms = (columns: string): Promise<unknown> => test.admin.rows(`insert into mainstay_internal.queues (name, ${columns.split('=')[0]!}) values ('letters', ${columns.split('=')[1]!})`);
  const take = async (places: number): Promise<number> => (await takeTurn(worker, letters, places, '')).publications.length;
  afterEach(() => test.admin.rows(`delete from mainstay_internal.queues where name = 'letters'`));

  it('has no more on their way or running than it may, over all relays', async () => {
    await terms('concurrency = 3');
    await put(10, { queue: 'letters' });
    const taken = await Promise.all([1, 2, 3, 4].map(() => take(10)));
    expect(taken.reduce((sum, n) => sum + n)).toBe(3);
    expect(await take(10)).toBe(0);
    await test.admin.rows(`update mainstay_internal.jobs set state = 'cancelled', finished_at = now() where id = (select id from mainstay_internal.jobs where published_at is not null limit 1)`);
    expect(await take(10)).toBe(1);
  });

  it('has no more of one turn than it may, and passes over those who have enough', async () => {
    await terms('per_turn_concurrency = 2');
    for (const turn of ['a', 'b', 'c', 'd']) await put(5, { queue: 'letters', turn });
    expect(await take(4)).toBe(4);
    expect(await take(4)).toBe(4);
    expect(await take(4)).toBe(0);
    await put(1, { queue: 'letters', turn: 'e' });
    expect(await take(1)).toBe(1);
  });

  it('gives so many within its time and then waits', async () => {
    await terms('rate_count, rate_seconds = 4, 0.4');
    await put(10, { queue: 'letters' });
    expect([await take(3), await take(3), await take(3)]).toEqual([3, 1, 0]);
    await test.admin.rows(`update mainstay_internal.queue_takes set taken_at = taken_at - interval '1 second'`);
    await test.admin.rows(`update mainstay_internal.jobs set state = 'cancelled', finished_at = now() where published_at is not null`);
    expect(await take(9)).toBe(4);
  });

  it('gives so many of each turn within its time', async () => {
    await terms('rate_count, rate_seconds, is_rate_per_turn = 2, 60, true');
    for (const turn of ['a', 'b']) await put(5, { queue: 'letters', turn });
    expect([await take(9), await take(9)]).toEqual([4, 0]);
  });

  it('gives nothing while it is paused, and nobody calls that stuck', async () => {
    await terms('is_paused = true');
    await put(3, { queue: 'letters' });
    expect(await take(3)).toBe(0);
    expect(await backlogs(worker)).toEqual([]);
    expect(await longestWaits(worker, ['upkeep'])).toEqual([]);
    await test.admin.rows(`update mainstay_internal.queues set is_paused = false where name = 'letters'`);
    expect(await backlogs(worker)).toEqual([{ ...letters, unclaimed: 0, isLimited: false }]);
    expect(await take(3)).toBe(3);
  });
});

describe('a job of later', () => {
  it('comes into the outbox when its time has come, and says how soon that is', async () => {
    expect(await promoteDue(worker)).toBeNull();
    await put(1, { runAt: new Date(Date.now() + 60_000) });
    const seconds = await promoteDue(worker);
    expect(seconds).toBeGreaterThan(50);
    expect(seconds).toBeLessThanOrEqual(60);
    expect(await backlogs(worker)).toEqual([]);
    await test.admin.rows(`update mainstay_internal.jobs set run_at = now()`);
    expect(await promoteDue(worker)).toBeNull();
    expect((await takeTurn(worker, upkeep, 5, '')).publications).toHaveLength(1);
  });

  it('has more to come when there are more than fit', async () => {
    await put(3, { runAt: new Date(Date.now() + 60_000) });
    await test.admin.rows(`update mainstay_internal.jobs set run_at = now()`);
    expect(await promoteDue(worker, 2)).toBe(0);
    expect(await promoteDue(worker, 2)).toBeNull();
  });
});

describe('the longest wait', () => {
  it('is that of the oldest job in the outbox or with Bull', async () => {
    expect(await longestWaits(worker, ['upkeep', 'transfers'])).toEqual([]);
    await put(2);
    await takeTurn(worker, upkeep, 1, '');
    await test.admin.rows(`update mainstay_internal.jobs set published_at = published_at - interval '30 seconds' where published_at is not null`);
    const [wait] = await longestWaits(worker, ['upkeep', 'transfers']);
    expect(wait).toMatchObject({ carrier: 'upkeep' });
    expect(wait!.seconds).toBeGreaterThanOrEqual(30);
  });
});

describe('a NOTIFY', () => {
  it('is sent while the relay sleeps, and not while it looks by itself', async () => {
    const heard: string[] = [];
    const listener = new Listener(connectionOf(test.settings, 'mainstay_worker'));
    const listening = new Promise<void>((resolve) => listener.on({ channel: outboxChannel, onNotify: (queue) => heard.push(queue), onListening: resolve }));
    await listener.start();
    await listening;
    await put(1);
    await sayAsleep(worker, false);
    await put(1);
    await sayAsleep(worker, true);
    await put(1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await listener.close();
    expect(heard).toEqual(['upkeep', 'upkeep']);
  });
});

async function put(times: number, terms: Partial<EnqueueTerms> = {}): Promise<string[]> {
  const ids: string[] = [];
  await worker.transaction(asWorker, async (tx) => {
    for (let i = 0; i < times; i += 1) ids.push(await enqueue(tx, 'ping', {}, { ...asHouse, ...terms }));
  });
  return ids;
}

function told({ publications }: { publications: readonly { jobId: string }[] }): string[] {
  return publications.map(({ jobId }) => jobId).sort();
}

async function ownerOf(id: string): Promise<string> {
  const [row] = await test.admin.rows<{ owner: string }>('select owner from mainstay_internal.jobs where id = $1', [id]);
  return row!.owner;
}
