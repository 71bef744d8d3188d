import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@supabase/supabase-js';
import { makeTestDatabase, testRedis, type TestDatabase } from '@mainstay/testing';
import { startApart, type Apart } from './apart.ts';
import { debianPostgres, startDebianPostgres, type OutsidePostgres } from './outside-postgres.ts';

/** Imports three rows through one api and reads them through another. */
async function importAndRead(first: Apart, second: Apart, key: string): Promise<unknown> {
  const headers = { apikey: key, authorization: `Bearer ${key}`, 'content-type': 'text/csv' };
  const answer = await fetch(`${first.url}/imports/v1/things`, { method: 'POST', headers, body: 'id,name\n1,one\n2,two\n3,three\n' });
  expect({ status: answer.status, body: await answer.json() }).toMatchObject({ status: 202, body: { state: 'queued' } });
  for (let turn = 0; turn < 200; turn += 1) {
    const now = (await (await fetch(`${second.url}${answer.headers.get('location')}`, { headers })).json()) as { state: string };
    if (now.state === 'done') break;
    await sleep(50);
  }
  const { data, error } = await createClient(second.url, key).from('things').select('id, name').order('id');
  return error ?? data;
}

const threeThings = [{ id: 1, name: 'one' }, { id: 2, name: 'two' }, { id: 3, name: 'three' }];
const createThings = 'create table public.things (id int primary key, name text)';

describe('api and worker apart, on servers given by URL', () => {
  let test: TestDatabase;
  const running: Apart[] = [];
  const start = async (app: 'api' | 'worker', environment: Record<string, string>): Promise<Apart> => {
    const apart = await startApart(app, environment);
    running.push(apart);
    return apart;
  };

  beforeAll(async () => {
    test = await makeTestDatabase({ MAINSTAY_QUEUE_PREFIX: testRedis().prefix });
    await test.admin.rows(`set role postgres; ${createThings}; reset role`);
  });
  afterAll(async () => {
    await Promise.all(running.map((apart) => apart.stop()));
    await test.close();
  });

  it('work together, two of each', async () => {
    const [first, second] = await Promise.all([start('api', test.environment), start('api', test.environment), start('worker', test.environment), start('worker', test.environment)]);
    expect(await importAndRead(first!, second!, test.environment['SUPABASE_SECRET_KEY']!)).toEqual(threeThings);
  });

  it('show a new table to every api within a second', async () => {
    const [first, second] = running;
    await test.admin.rows('set role postgres; create table public.shared (id int); reset role');
    await sleep(1000);
    for (const api of [first!, second!]) {
      expect((await createClient(api.url, test.environment['SUPABASE_SECRET_KEY']!).from('shared').select()).error).toBeNull();
    }
  });

  it('refuse to join with other keys, in one sentence', async () => {
    const other = { ...test.environment, JWT_SECRET: 'another secret of at least thirty-two characters' };
    await expect(start('api', other)).rejects.toThrow(/api ended with 1: [^\n]*$/);
    await expect(start('worker', other)).rejects.toThrow(/worker ended with 1: [^\n]*$/);
  });

  it('refuse to start without keys', async () => {
    const { DATABASE_URL, REDIS_URL } = test.environment;
    await expect(start('api', { DATABASE_URL: DATABASE_URL!, REDIS_URL: REDIS_URL! })).rejects.toThrow(/api ended with 1: [^\n]*$/);
  });
});

const debian = debianPostgres();

(debian === null ? describe.skip : describe)(`on ${debian?.name ?? 'the distribution’s PostgreSQL, where it is installed'}`, () => {
  let outside: OutsidePostgres;
  const running: Apart[] = [];

  beforeAll(async () => {
    outside = await startDebianPostgres(debian!);
  });
  afterAll(async () => {
    await Promise.all(running.map((apart) => apart.stop()));
    await outside?.stop();
  });

  it('the journey works all the same', async () => {
    const { environment } = await makeTestDatabase().then(async (test) => {
      await test.close();
      return test;
    });
    const apart = { ...environment, DATABASE_URL: outside.url, MAINSTAY_DB_SOCKET: '', POSTGRES_PASSWORD: outside.password, MAINSTAY_QUEUE_PREFIX: testRedis().prefix };
    const api = await startApart('api', apart);
    const worker = await startApart('worker', apart);
    running.push(api, worker);
    await outside.run(createThings);
    await sleep(1000);
    expect(await importAndRead(api, api, environment['SUPABASE_SECRET_KEY']!)).toEqual(threeThings);
  });
});
