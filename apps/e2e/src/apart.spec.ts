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
  let apis: Apart[];
  let workers: Apart[];

  beforeAll(async () => {
    test = await makeTestDatabase({ MAINSTAY_QUEUE_PREFIX: testRedis().prefix });
    await test.admin.rows(`set role postgres; ${createThings}; reset role`);
    const start = (app: 'api' | 'worker'): Promise<Apart> => startApart(app, test.environment);
    apis = await Promise.all([start('api'), start('api')]);
    workers = await Promise.all([start('worker'), start('worker')]);
  });
  afterAll(async () => {
    await Promise.all([...apis, ...workers].map((apart) => apart.stop()));
    await test.close();
  });

  it('work together, two of each', async () => {
    expect(await importAndRead(apis[0]!, apis[1]!, test.environment['SUPABASE_SECRET_KEY']!)).toEqual(threeThings);
  });

  it('show a new table to every api within a second', async () => {
    await test.admin.rows('set role postgres; create table public.shared (id int); reset role');
    await sleep(1000);
    for (const api of apis) {
      expect((await createClient(api.url, test.environment['SUPABASE_SECRET_KEY']!).from('shared').select()).error).toBeNull();
    }
  });

  it('refuse to join with other keys, in one sentence', async () => {
    const other = { ...test.environment, JWT_SECRET: 'another secret of at least thirty-two characters' };
    await expect(startApart('api', other)).rejects.toThrow(/api ended with 1: [^\n]*$/);
    await expect(startApart('worker', other)).rejects.toThrow(/worker ended with 1: [^\n]*$/);
  });

  it('refuse to start without keys', async () => {
    const { DATABASE_URL, REDIS_URL } = test.environment;
    await expect(startApart('api', { DATABASE_URL: DATABASE_URL!, REDIS_URL: REDIS_URL! })).rejects.toThrow(/api ended with 1: [^\n]*$/);
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
