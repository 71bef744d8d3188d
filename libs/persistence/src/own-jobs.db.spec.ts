import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { Database } from './database.ts';
import { asHouse, enqueue } from './enqueue.ts';
import { asWorker } from './jobs.ts';
import { sweepJobs } from './own-jobs.ts';

let test: TestDatabase;
let worker: Database;

beforeAll(async () => {
  test = await makeTestDatabase();
  worker = test.as('mainstay_worker');
});
afterAll(() => test.close());

describe('the sweep', () => {
  it('takes jobs that ended long ago and worn-out keys, and nothing else', async () => {
    await age(await put(), '8 days', '8 days');
    const recent = await age(await put(), '8 days', '6 days');
    const oldButOpen = await age(await put(), '80 days', null);
    const open = await put();
    for (const hours of [23, 25]) {
      await test.admin.rows(
        `insert into mainstay_internal.idempotency_keys (owner, key, method, path, body_hash, status, headers, created_at) values ('a', $1, 'POST', '/', '', 200, '{}', now() - make_interval(hours => $2))`,
        [`key ${hours}`, hours],
      );
    }
    const sweep = () => worker.transaction(asWorker, (tx) => sweepJobs(tx, 7 * 86_400));
    expect(await sweep()).toEqual({ jobs: 1, keys: 1 });
    expect(await sweep()).toEqual({ jobs: 0, keys: 0 });
    const left = await test.admin.rows<{ id: string }>('select id from mainstay_internal.jobs');
    expect(left.map(({ id }) => id).sort()).toEqual([recent, oldButOpen, open].sort());
    expect(await test.admin.rows('select key from mainstay_internal.idempotency_keys')).toEqual([{ key: 'key 23' }]);
  });
});

function put(): Promise<string> {
  return worker.transaction(asWorker, (tx) => enqueue(tx, 'ping', {}, asHouse));
}

/** A job made so long ago has an id that says so. */
async function age(id: string, made: string, ended: string | null): Promise<string> {
  const [row] = await test.admin.rows<{ id: string }>(
    `update mainstay_internal.jobs
     set id = (lpad(to_hex((extract(epoch from now() - $2::interval) * 1000)::bigint), 12, '0') || substr(replace(id::text, '-', ''), 13))::uuid,
       state = case when $3::text is null then state else 'done' end, finished_at = now() - $3::interval
     where id = $1 returning id`,
    [id, made, ended],
  );
  return row!.id;
}
