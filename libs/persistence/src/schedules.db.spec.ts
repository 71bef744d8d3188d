import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { lookAhead } from './schedules.ts';

describe('the outlook of the clock', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await makeTestDatabase();
  });
  afterAll(() => database.close());

  // Null is a rest; with a zero in its place an idle worker asked four hundred times a second.
  it('is empty without a schedule', async () => {
    expect(await lookAhead(database.as('mainstay_worker'))).toEqual({ seconds: null, hasOpen: false });
  });

  it('is now for a schedule whose time is not worked out, and the time itself for one that has it', async () => {
    await database.admin.transaction({ role: 'postgres', settings: {} }, (tx) => tx.rows(`select mainstay.schedule_sql('hourly', '0 * * * *', 'select 1')`));
    expect((await lookAhead(database.as('mainstay_worker'))).seconds).toBe(0);
    await database.admin.rows(`update mainstay_internal.schedules set next_at = now() + interval '90 seconds'`);
    expect((await lookAhead(database.as('mainstay_worker'))).seconds).toBeCloseTo(90, -1);
    await database.admin.rows(`update mainstay_internal.schedules set next_at = 'infinity'`);
    expect((await lookAhead(database.as('mainstay_worker'))).seconds).toBeNull();
  });
});
