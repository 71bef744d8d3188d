import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { Database } from './database.ts';
import { countRunning, RegisteredProcess } from './processes.ts';

let db: TestDatabase;
let api: Database;
let worker: Database;
beforeAll(async () => {
  db = await makeTestDatabase();
  [api, worker] = [db.as('mainstay_api', 2), db.as('mainstay_worker', 2)];
});
afterEach(() => db.admin.rows('truncate mainstay_internal.processes'));
afterAll(() => db.close());

const otherKeys = () => ({ ...db.settings, jwtSecret: 'another secret of at least 32 characters' });

describe('a registered process', () => {
  it('lets others with the same keys in, and is counted by its kind', async () => {
    const running = [await RegisteredProcess.register(api, 'api', db.settings), await RegisteredProcess.register(worker, 'worker', db.settings), await RegisteredProcess.register(worker, 'worker', db.settings)];
    expect([await countRunning(api, 'api'), await countRunning(api, 'worker')]).toEqual([1, 2]);
    await Promise.all(running.map((process) => process.leave()));
    expect([await countRunning(api, 'api'), await countRunning(api, 'worker')]).toEqual([0, 0]);
  });

  it('keeps one with other keys out, in one sentence that says what to do', async () => {
    const running = await RegisteredProcess.register(worker, 'worker', db.settings);
    await expect(RegisteredProcess.register(api, 'api', otherKeys())).rejects.toThrow(
      /^A worker with other keys runs on this database \(since \d{4}-[^)]+\): give every process the same MAINSTAY_SECRET, JWT_SECRET, JWT_KEYS and API keys; to change them, stop all processes and wait 30 s\.$/,
    );
    expect(await countRunning(api, 'api')).toBe(0);
    await running.leave();
  });

  it('of two that start at once with different keys, exactly one stays', async () => {
    const both = await Promise.allSettled([RegisteredProcess.register(api, 'api', db.settings), RegisteredProcess.register(api, 'api', otherKeys())]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    for (const one of both) if (one.status === 'fulfilled') await one.value.leave();
  });

  it('is forgotten 30 s after it was last seen, and keeps out nobody any more', async () => {
    const dead = await RegisteredProcess.register(api, 'api', db.settings);
    await db.admin.rows(`update mainstay_internal.processes set seen_at = now() - interval '31 s'`);
    const next = await RegisteredProcess.register(api, 'api', otherKeys());
    expect(await countRunning(api, 'api')).toBe(1);
    await Promise.all([dead.leave(), next.leave()]);
  });

  it('keeps no key in its row', async () => {
    const running = await RegisteredProcess.register(api, 'api', db.settings);
    const [row] = await db.admin.rows<{ text: string }>(`select to_jsonb(p)::text as text from mainstay_internal.processes p`);
    for (const key of [db.settings.secret, db.settings.jwtSecret, db.settings.secretKey]) expect(row!.text).not.toContain(key);
    await running.leave();
  });
});
