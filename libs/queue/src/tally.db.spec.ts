import { readTallies } from '@mainstay/persistence';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { Log } from './log.ts';
import { Tally } from './tally.ts';

const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

describe('what workers count', () => {
  let database: TestDatabase;
  const totals = async (): Promise<Record<string, number>> => Object.fromEntries((await readTallies(database.as('mainstay_api'))).map(({ queue, what, counts }) => [`${queue} ${what}`, counts.reduce((sum, count) => sum + count, 0)]));

  beforeAll(async () => {
    database = await makeTestDatabase();
  });
  afterAll(() => database.close());

  it('outlives them, and is that of all', async () => {
    for (const worker of [new Tally(database.as('mainstay_worker'), silent), new Tally(database.as('mainstay_worker'), silent)]) {
      worker.start();
      worker.claimed('mail', 0.02);
      worker.ended('mail', 'done', 0.3);
      worker.ended('mail', 'again', 2);
      worker.lost('upkeep', 'dead');
      await worker.stop();
    }
    expect(await totals()).toEqual({ 'mail again': 2, 'mail done': 2, 'mail run': 4, 'mail wait': 2, 'upkeep dead': 2 });
  });

  it('is kept while the database is away', async () => {
    const gone = database.as('mainstay_worker', 1);
    const tally = new Tally(gone, silent);
    tally.ended('upkeep', 'done', 1);
    await database.admin.rows('alter table mainstay_internal.job_tallies rename to away');
    await tally.stop();
    await database.admin.rows('alter table mainstay_internal.away rename to job_tallies');
    await tally.stop();
    await tally.stop();
    expect(await totals()).toMatchObject({ 'upkeep done': 1, 'upkeep run': 1 });
  });
});
