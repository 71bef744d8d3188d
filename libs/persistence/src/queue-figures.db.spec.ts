import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { addTallies, readQueueFigures, readTallies } from './queue-figures.ts';

describe('figures of the queues', () => {
  let database: TestDatabase;
  const figuresOf = async (queue: string) => (await readQueueFigures(database.as('mainstay_api'))).find((each) => each.queue === queue)!;
  const enqueue = (queue: string, more = ''): Promise<object[]> => database.admin.rows(`select mainstay_internal.enqueue_job(kind => 'ping', queue => '${queue}', payload => '{}', owner => null, role => 'service_role', claims => '{}' ${more})`);

  beforeAll(async () => {
    database = await makeTestDatabase();
  });
  afterAll(() => database.close());

  it('know every queue, also one in which nothing is', async () => {
    expect(await figuresOf('mail')).toEqual({ queue: 'mail', waiting: 0, unpublished: 0, scheduled: 0, running: 0, failed: 0, dead: 0, cancelled: 0, oldestSeconds: 0 });
  });

  it('tell where the jobs are on their way', async () => {
    for (let index = 0; index < 4; index += 1) await enqueue('upkeep');
    await enqueue('upkeep', `, run_at => now() + interval '1 hour'`);
    await database.admin.rows(`update mainstay_internal.outbox set created_at = now() - interval '90 seconds' where id = (select min(id) from mainstay_internal.outbox)`);
    // One was told to Bull, one runs, one is dead.
    const [told, runs, dead] = (await database.admin.rows<{ job_id: string }>('select job_id from mainstay_internal.outbox order by id desc limit 3')).map(({ job_id }) => job_id);
    await database.admin.rows('delete from mainstay_internal.outbox where job_id = any ($1)', [[told, runs, dead]]);
    await database.admin.rows('update mainstay_internal.jobs set published_at = now() where id = $1', [told]);
    await database.admin.rows(`update mainstay_internal.jobs set state = 'running', lease_token = gen_random_uuid(), lease_until = now() where id = $1`, [runs]);
    await database.admin.rows(`update mainstay_internal.jobs set state = 'dead', finished_at = now() where id = $1`, [dead]);
    const { oldestSeconds, ...figures } = await figuresOf('upkeep');
    expect(figures).toEqual({ queue: 'upkeep', waiting: 2, unpublished: 1, scheduled: 1, running: 1, failed: 0, dead: 1, cancelled: 0 });
    expect(oldestSeconds).toBeGreaterThanOrEqual(90);
  });

  it('are counted by indexes, however many jobs have ended', async () => {
    await database.admin.rows(`insert into mainstay_internal.jobs (kind, queue, carrier, turn, payload, role, claims, state, max_attempts, patience, finished_at)
      select 'ping', 'upkeep', 'upkeep', '', '{}', 'service_role', '{}', 'done', 1, 1, now() from generate_series(1, 20000)`);
    await database.admin.rows('analyze mainstay_internal.jobs');
    const text = (await database.admin.rows<{ body: string }>(`select prosrc as body from pg_proc where proname = 'queue_figures'`))[0]!.body;
    await database.admin.transaction({ role: null, settings: { enable_seqscan: 'off' } }, async (tx) => {
      const plan = (await tx.rows<{ 'QUERY PLAN': string }>(`explain ${text}`)).map((row) => row['QUERY PLAN']).join('\n');
      expect(plan).not.toMatch(/Seq Scan on jobs|jobs_pkey/);
    });
  });

  it('are added up over all workers', async () => {
    const worker = database.as('mainstay_worker');
    await addTallies(worker, []);
    await addTallies(worker, [{ queue: 'upkeep', what: 'wait', counts: [1, 0, 2], sum: 1.5 }, { queue: 'upkeep', what: 'done', counts: [3], sum: 0 }]);
    await addTallies(worker, [{ queue: 'upkeep', what: 'done', counts: [4], sum: 0 }, { queue: 'upkeep', what: 'wait', counts: [0, 5, 1], sum: 2 }]);
    expect(await readTallies(database.as('mainstay_api'))).toEqual([
      { queue: 'upkeep', what: 'done', counts: [7], sum: 0 },
      { queue: 'upkeep', what: 'wait', counts: [1, 5, 3], sum: 3.5 },
    ]);
  });
});
