import { setTimeout as pause } from 'node:timers/promises';
import { AuthModule, makeSecrets } from '@mainstay/auth';
import { readSettings } from '@mainstay/config';
import { makeListener } from '@mainstay/persistence';
import { BatchService, RestService, SchemaKeeper, termsSource } from '@mainstay/rest';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { SignJWT } from 'jose';
import { BatchController, BatchFilter } from './batch.controller.ts';
import { makeHttpServer } from './http-server.ts';
import { RestController } from './rest.controller.ts';
import { RestFilter } from './rest.filter.ts';

let database: TestDatabase;
let secrets: Record<string, string>;
let keeper: SchemaKeeper;
let app: NestFastifyApplication;
let url: string;

beforeAll(async () => {
  database = await makeTestDatabase();
  await database.admin.rows(`
    create table posts (id int generated always as identity primary key, title text not null, author uuid default auth.uid());
    grant all on posts to anon, authenticated, service_role;
    create function dawdle() returns void language sql as $$ select pg_sleep(20) $$;
    create function picture() returns bytea language sql volatile as $$ insert into public.posts (title) values ('pictured'); select '\\x00ff'::bytea $$;`);
  secrets = await makeSecrets(database.environment);
  const settings = readSettings({ ...database.environment, ...secrets });
  const pool = database.as('authenticator', 8);
  keeper = new SchemaKeeper(pool, makeListener(settings, 'authenticator'), termsSource(settings));
  await keeper.start();
  const rest = new RestService(pool, keeper, 'anon', { keepsAnswers: true });
  const module = await Test.createTestingModule({
    imports: [AuthModule.with(settings)],
    controllers: [RestController, BatchController],
    providers: [RestFilter, BatchFilter, { provide: RestService, useValue: rest }, { provide: BatchService, useValue: new BatchService(rest, { maxEntries: 1000, maxBodyBytes: settings.maxBodyBytes }) }],
  }).compile();
  app = module.createNestApplication<NestFastifyApplication>(makeHttpServer(settings), { bodyParser: false, logger: false });
  await app.listen(0, '127.0.0.1');
  url = await app.getUrl();
});
afterAll(async () => {
  await app.close();
  await keeper.close();
  await database.close();
});
beforeEach(async () => {
  await database.admin.rows('truncate posts restart identity');
});

async function send(path: string, body: unknown, headers: Record<string, string> = {}, method = 'POST', signal?: AbortSignal): Promise<{ status: number; headers: Headers; text: string }> {
  const answer = await fetch(`${url}${path}`, { method, headers: { apikey: secrets['ANON_KEY']!, 'content-type': 'application/json', ...headers }, body: JSON.stringify(body), ...(signal === undefined ? {} : { signal }) });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}

const asUser = async (sub: string): Promise<Record<string, string>> => ({
  authorization: `Bearer ${await new SignJWT({ role: 'authenticated', sub, aud: 'authenticated' }).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('1h').sign(new TextEncoder().encode(secrets['JWT_SECRET']!))}`,
});
const ada = '00000000-0000-0000-0000-00000000000a';
const ben = '00000000-0000-0000-0000-00000000000b';
const titles = async (): Promise<unknown[]> => database.admin.rows('select title from posts order by id');
const insert = (title: string | null) => ({ method: 'POST', path: '/posts?select=id,title', headers: { Prefer: 'return=representation' }, body: { title } });

describe('POST /batch/v1', () => {
  it('gives the list of answers', async () => {
    const { status, headers, text } = await send('/batch/v1', [insert('a'), { method: 'GET', path: '/posts?select=title', query: { id: { eq: { $ref: '0.body[0].id' } } } }]);
    expect({ status, type: headers.get('content-type') }).toEqual({ status: 200, type: 'application/json; charset=utf-8' });
    expect(JSON.parse(text)).toMatchObject([{ status: 201, headers: { 'preference-applied': 'return=representation' }, body: [{ id: 1, title: 'a' }] }, { status: 200, body: [{ title: 'a' }] }]);
  });

  it('tells which request was refused, in the words of the data API', async () => {
    const { status, headers, text } = await send('/batch/v1', [insert('a'), insert(null)]);
    expect({ status, code: headers.get('proxy-status'), body: JSON.parse(text) as unknown }).toEqual({
      status: 400,
      code: 'PostgREST; error=23502',
      body: { code: '23502', message: 'null value in column "title" of relation "posts" violates not-null constraint', details: expect.stringContaining('Failing row'), hint: null, index: 1 },
    });
    expect(await titles()).toEqual([]);
  });

  it.each<[string, unknown, Record<string, string>, number, string]>([
    ['no list', {}, {}, 400, 'batch_not_valid'],
    ['a worn-out token', [insert('a')], { authorization: 'Bearer x.y.z' }, 401, 'PGRST301'],
    ['a wrong key', [insert('a')], { 'idempotency-key': 'ü' }, 400, 'idempotency_key_not_valid'],
  ])('refuses %s', async (_what, body, headers, status, code) => {
    const answer = await send('/batch/v1', body, headers);
    expect({ status: answer.status, body: JSON.parse(answer.text) as unknown }).toMatchObject({ status, body: { code, index: null } });
  });

  it('is cancelled in PostgreSQL when the client leaves', async () => {
    const leaving = new AbortController();
    const sent = send('/batch/v1', [insert('a'), { method: 'POST', path: '/rpc/dawdle', body: {} }], {}, 'POST', leaving.signal).catch((error: Error) => error.name);
    const sleeping = async () => (await database.admin.rows(`select 1 from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`)).length;
    while ((await sleeping()) === 0) await pause(20);
    leaving.abort();
    expect(await sent).toBe('AbortError');
    while ((await sleeping()) > 0) await pause(20);
    expect(await titles()).toEqual([]);
  });
});

describe('Idempotency-Key', () => {
  it('of fifty requests at once one takes effect, and the rest have its answer or are told to wait', async () => {
    const headers = { 'idempotency-key': 'fifty', prefer: 'return=representation', ...(await asUser(ada)) };
    const answers = await Promise.all(Array.from({ length: 50 }, () => send('/rest/v1/posts?select=id,title', { title: 'once' }, headers)));
    expect(await titles()).toEqual([{ title: 'once' }]);
    const done = answers.filter(({ status }) => status === 201);
    expect(new Set(done.map(({ text }) => text))).toEqual(new Set(['[{"id":1,"title":"once"}]']));
    expect(done.filter((answer) => answer.headers.get('idempotency-replayed') === null)).toHaveLength(1);
    expect(answers.filter(({ status }) => status !== 201 && status !== 409)).toEqual([]);
    const [refused] = answers.filter(({ status }) => status === 409);
    if (refused !== undefined) expect({ body: JSON.parse(refused.text) as unknown, again: refused.headers.get('retry-after') }).toMatchObject({ body: { code: 'idempotency_key_in_flight' }, again: '1' });
  });

  it('the same answer comes again, with its status and headers', async () => {
    const again = () => send('/rest/v1/posts', { title: 'x' }, { 'idempotency-key': 'same', prefer: 'return=headers-only' });
    const [first, second] = [await again(), await again()];
    expect([first.status, first.text, first.headers.get('location')]).toEqual([201, '', '/posts?id=eq.1']);
    expect([second.status, second.text, second.headers.get('location'), second.headers.get('idempotency-replayed')]).toEqual([201, '', '/posts?id=eq.1', 'true']);
    expect(await titles()).toHaveLength(1);
  });

  it('a key belongs to whom it came from, to its method, path and body', async () => {
    const post = async (body: unknown, who: Record<string, string>, path = '/rest/v1/posts', method = 'POST') => (await send(path, body, { 'idempotency-key': 'mine', ...who }, method)).status;
    const [adas, bens] = [await asUser(ada), await asUser(ben)];
    expect(await post({ title: 'a' }, adas)).toBe(201);
    expect(await post({ title: 'b' }, adas)).toBe(422);
    expect(await post({ title: 'a' }, adas, '/rest/v1/posts?id=eq.1', 'PATCH')).toBe(422);
    expect(await post([insert('a')], adas, '/batch/v1')).toBe(422);
    expect(await post({ title: 'b' }, bens)).toBe(201);
    expect(await post({ title: 'c' }, {})).toBe(201);
    expect(await titles()).toEqual([{ title: 'a' }, { title: 'b' }, { title: 'c' }]);
  });

  it('holds for calls that write, for PATCH and DELETE, and for batches', async () => {
    const key = (name: string) => ({ 'idempotency-key': name });
    for (const _ of [1, 2]) {
      expect((await send('/batch/v1', [insert('a'), insert('b')], key('batch'))).status).toBe(200);
      expect((await send('/rest/v1/posts?title=eq.a', { title: 'c' }, { ...key('patch'), prefer: 'return=representation' }, 'PATCH')).text).toContain('"title":"c"');
      expect((await send('/rest/v1/posts?title=eq.b', null, { ...key('delete'), prefer: 'return=representation' }, 'DELETE')).text).toContain('"title":"b"');
      expect((await send('/rest/v1/rpc/picture', {}, key('call'))).text).toBe('"\\\\x00ff"');
    }
    expect(await titles()).toEqual([{ title: 'c' }, { title: 'pictured' }]);
  });
});
