import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { Database } from './database.ts';
import { asHouse, enqueue, type EnqueueTerms } from './enqueue.ts';
import { asWorker } from './jobs.ts';
import { Listener } from './listen.ts';
import { connectionOf } from './logins.ts';
import { backlogs, longestWaits, outboxChannel, promoteDue, sayAsleep, takeTurn, unclaimed } from './outbox.ts';
import { cancelJob } from './own-jobs.ts';

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
    expect(await told(await takeTurn(worker, 'upkeep', 9, ''))).toEqual([...a.slice(0, 3), ...b, ...house.slice(0, 3)].sort());
  });

  it('gives everybody a turn when there are more owners than places', async () => {
    for (const owner of ['a', 'b', 'c', 'd', 'e']) await put(2, { owner });
    const seen: string[] = [];
    let last = '';
    for (let i = 0; i < 4; i += 1) {
      const turn = await takeTurn(worker, 'upkeep', 3, last);
      last = turn.lastOwner;
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
    expect(await told(await takeTurn(worker, 'upkeep', 1, ''))).toEqual([urgent]);
  });

  it('keeps to its queue', async () => {
    await put(2);
    expect((await takeTurn(worker, 'transfers', 10, '')).rows).toBe(0);
  });

  it('of two relays at once gives each row to one of them', async () => {
    const ids = await put(40);
    const turns = await Promise.all([1, 2, 3, 4].map(() => takeTurn(worker, 'upkeep', 20, '')));
    const all = turns.flatMap(({ publications }) => publications.map(({ jobId }) => jobId));
    expect(new Set(all).size).toBe(all.length);
    while (all.length < ids.length) all.push(...(await takeTurn(worker, 'upkeep', 20, '')).publications.map(({ jobId }) => jobId));
    expect(all.sort()).toEqual([...ids].sort());
  });

  it('passes over a job that was cancelled, and takes its row away', async () => {
    const [gone, stays] = await put(2);
    await worker.transaction(asWorker, (tx) => cancelJob(tx, gone!));
    const turn = await takeTurn(worker, 'upkeep', 10, '');
    expect(turn.rows).toBe(2);
    expect(await told(turn)).toEqual([stays]);
    expect(await backlogs(worker, ['upkeep'])).toEqual(new Map());
  });

  it('counts what it took as told, with the attempt that comes', async () => {
    const [id] = await put(1);
    await put(1);
    expect((await takeTurn(worker, 'upkeep', 1, '')).publications).toEqual([{ jobId: id, attempt: 1 }]);
    expect(await backlogs(worker, ['upkeep', 'transfers'])).toEqual(new Map([['upkeep', 1]]));
    await test.admin.rows(`update mainstay_internal.jobs set published_at = published_at - interval '2 seconds'`);
    expect(await worker.transaction(asWorker, (tx) => unclaimed(tx))).toEqual([{ jobId: id, attempt: 1, queue: 'upkeep' }]);
  });
});

describe('a job of later', () => {
  it('comes into the outbox when its time has come, and says how soon that is', async () => {
    expect(await promoteDue(worker)).toBeNull();
    await put(1, { runAt: new Date(Date.now() + 60_000) });
    const seconds = await promoteDue(worker);
    expect(seconds).toBeGreaterThan(50);
    expect(seconds).toBeLessThanOrEqual(60);
    expect(await backlogs(worker, ['upkeep'])).toEqual(new Map());
    await test.admin.rows(`update mainstay_internal.jobs set run_at = now()`);
    expect(await promoteDue(worker)).toBeNull();
    expect((await takeTurn(worker, 'upkeep', 5, '')).publications).toHaveLength(1);
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
    await takeTurn(worker, 'upkeep', 1, '');
    await test.admin.rows(`update mainstay_internal.jobs set published_at = published_at - interval '30 seconds' where published_at is not null`);
    const [wait] = await longestWaits(worker, ['upkeep', 'transfers']);
    expect(wait).toMatchObject({ queue: 'upkeep' });
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
