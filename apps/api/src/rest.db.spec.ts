import { AuthModule, makeSecrets } from '@mainstay/auth';
import { readSettings } from '@mainstay/config';
import { makeListener } from '@mainstay/persistence';
import { RestService, SchemaKeeper } from '@mainstay/rest';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { SignJWT } from 'jose';
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
    create table towns (id int primary key, name text);
    insert into towns values (1, 'Bergen'), (2, 'Zürich');
    grant all on towns to anon, authenticated, service_role;
    create table closed (id int);
    create function cookies() returns text language plpgsql as $$ begin perform set_config('response.headers', '[{"Set-Cookie":"a=1"},{"Set-Cookie":"b=2"}]', true); return 'ok'; end $$;`);
  secrets = await makeSecrets(database.environment);
  const settings = readSettings({ ...database.environment, ...secrets });
  const pool = database.as('authenticator');
  const terms = { schemas: ['public'], extraSearchPath: ['public'], maxRows: 1000, areAggregatesAllowed: false, arePlansAllowed: false, preRequest: null, transactionEnd: 'commit' } as const;
  keeper = new SchemaKeeper(pool, makeListener(settings, 'authenticator'), terms);
  await keeper.start();
  const module = await Test.createTestingModule({
    imports: [AuthModule.with(settings)],
    controllers: [RestController],
    providers: [RestFilter, { provide: RestService, useValue: new RestService(pool, keeper, 'anon') }],
  }).compile();
  app = module.createNestApplication<NestFastifyApplication>(makeHttpServer(settings), { bodyParser: false, logger: false });
  app.useGlobalFilters(new RestFilter());
  await app.listen(0, '127.0.0.1');
  url = await app.getUrl();
});

afterAll(async () => {
  await app.close();
  await keeper.close();
  await database.close();
});

/** Asks over a real connection, as a browser would. */
async function ask(line: string, headers: Record<string, string> = {}, body?: string | Uint8Array): Promise<{ status: number; headers: Headers; text: string }> {
  const [method, path] = line.split(/ (.*)/s) as [string, string];
  const answer = await fetch(`${url}/rest/v1${path}`, { method, headers: { apikey: secrets['ANON_KEY']!, ...headers }, ...(body === undefined ? {} : { body: body as string }) });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}

const stringOrNull = { asymmetricMatch: (value: unknown) => value === null || typeof value === 'string' };

describe('/rest/v1 over HTTP', () => {
  it('gives rows with the headers of the protocol', async () => {
    const { status, headers, text } = await ask('GET /towns?select=name&order=id', { 'accept-profile': 'public' });
    expect({ status, rows: JSON.parse(text) as unknown }).toEqual({ status: 200, rows: [{ name: 'Bergen' }, { name: 'Zürich' }] });
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'content-range': '0-1/*',
      'content-location': '/towns?order=id&select=name',
      'content-profile': 'public',
      'content-length': String(new TextEncoder().encode(text).length),
      'access-control-allow-origin': '*',
    });
  });

  it('a HEAD has the headers of the GET and no body', async () => {
    const { status, headers, text } = await ask('HEAD /towns', { prefer: 'count=exact' });
    expect({ status, text, range: headers.get('content-range'), type: headers.get('content-type') }).toEqual({ status: 200, text: '', range: '0-1/2', type: 'application/json; charset=utf-8' });
  });

  it('takes bodies as bytes, and answers a plain insert with no body', async () => {
    const inserted = await ask('POST /towns', { 'content-type': 'application/json' }, '{"id":3,"name":"Łódź"}');
    expect({ status: inserted.status, text: inserted.text }).toEqual({ status: 201, text: '' });
    expect((await ask('GET /towns?select=name&id=eq.3')).text).toBe('[{"name":"Łódź"}]');
    expect((await ask('DELETE /towns?id=eq.3', { 'content-type': 'application/json' })).status).toBe(204);
  });

  it('sends every cookie that SQL sets', async () => {
    expect((await ask('POST /rpc/cookies', { 'content-type': 'application/json' }, '{}')).headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  });

  it('OPTIONS tells what may be done, and a preflight is the edge’s', async () => {
    expect((await ask('OPTIONS /towns')).headers.get('allow')).toBe('OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE');
    expect((await ask('OPTIONS /towns', { origin: 'http://a.b', 'access-control-request-method': 'POST' })).status).toBe(204);
  });

  const token = (claims: Record<string, unknown>, expires = '1h', secret = secrets['JWT_SECRET']!) => new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).setIssuedAt().setExpirationTime(expires).sign(new TextEncoder().encode(secret));

  it.each<[string, string, () => Promise<Record<string, string>> | Record<string, string>, number, string]>([
    ['an unknown table', 'GET /nowhere', () => ({}), 404, 'PGRST205'],
    ['an unknown path', 'GET /a/b/c', () => ({}), 404, 'PGRST125'],
    ['the root, which is not described yet', 'GET /', () => ({}), 404, 'PGRST126'],
    ['a verb', 'PUT /rpc/cookies', () => ({}), 405, 'PGRST101'],
    ['a verb that HTTP knows and we do not', 'PURGE /towns', () => ({}), 405, 'PGRST117'],
    ['what is not granted', 'GET /closed', () => ({}), 401, '42501'],
    ['what is not granted to a member', 'GET /closed', async () => ({ authorization: `Bearer ${await token({ role: 'authenticated', sub: 'x' })}` }), 403, '42501'],
    ['an empty token', 'GET /towns', () => ({ authorization: 'Bearer ' }), 401, 'PGRST301'],
    ['a worn-out token', 'GET /towns', async () => ({ authorization: `Bearer ${await token({ role: 'authenticated' }, '-1h')}` }), 401, 'PGRST303'],
    ['a forged token', 'GET /towns', async () => ({ authorization: `Bearer ${await token({ role: 'service_role' }, '1h', 'x'.repeat(40))}` }), 401, 'PGRST301'],
    ['a key of nobody', 'GET /towns', () => ({ apikey: 'sb_secret_nobody' }), 401, 'PGRST301'],
  ])('%s is refused in the protocol’s words', async (_what, line, headers, status, code) => {
    const answer = await ask(line, await headers());
    expect({ status: answer.status, body: JSON.parse(answer.text) as unknown }).toEqual({ status, body: { code, message: expect.any(String), details: stringOrNull, hint: stringOrNull } });
    expect(answer.headers.get('proxy-status')).toBe(`PostgREST; error=${code}`);
    expect(answer.headers.get('www-authenticate') === null).toBe(status !== 401);
  });

  it.each(['', 'nonsense', 'image/png'])('a body of the type "%s" is refused', async (type) => {
    const { status, text } = await ask('POST /towns', { 'content-type': type }, '{}');
    expect([status, JSON.parse(text)]).toEqual([400, { code: 'PGRST102', details: null, hint: null, message: `Content-Type not acceptable: ${type === '' ? '*/*' : type}` }]);
  });

  it.each(['', 'nonsense'])('a DELETE brings no body, so its type "%s" says nothing', async (type) => {
    expect((await ask('DELETE /towns?id=eq.3000', { 'content-type': type })).status).toBe(204);
  });

  it('an error of HEAD has its status and no body', async () => {
    expect(await ask('HEAD /nowhere')).toMatchObject({ status: 404, text: '' });
  });
});
