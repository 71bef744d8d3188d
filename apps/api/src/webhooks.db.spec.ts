import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { AuthModule, makeSecrets } from '@mainstay/auth';
import { WebhooksService } from '@mainstay/automation';
import { readSettings } from '@mainstay/config';
import { makeOutward } from '@mainstay/outward';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { SignJWT } from 'jose';
import { makeHttpServer } from './http-server.ts';
import { SurfaceFilter } from './surface.filter.ts';
import { WebhooksController } from './webhooks.controller.ts';

const anna = randomUUID();
const draft = { url: 'https://receiver.example.com/hook', events: [{ table: 'orders' }, 'job.dead'] };
type Who = 'guest' | 'anna' | 'service';

let test: TestDatabase;
let app: NestFastifyApplication;
let secrets: Record<string, string>;

beforeAll(async () => {
  test = await makeTestDatabase();
  secrets = await makeSecrets(test.environment);
  const settings = readSettings({ ...test.environment, ...secrets });
  await test.admin.rows('set role postgres; create table public.orders (id bigint primary key, status text); create table public.drafts (id int, status text); reset role');
  const module = await Test.createTestingModule({
    imports: [AuthModule.with(settings)],
    controllers: [WebhooksController],
    providers: [SurfaceFilter, { provide: WebhooksService, useValue: new WebhooksService(test.as('mainstay_api', 10), settings, makeOutward(settings)) }],
  }).compile();
  app = module.createNestApplication<NestFastifyApplication>(makeHttpServer(settings), { bodyParser: false, logger: false });
  app.useGlobalFilters(app.get(SurfaceFilter));
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
});
afterAll(async () => {
  await app.close();
  await test.close();
});
beforeEach(() => test.admin.rows('delete from mainstay_internal.webhook_endpoints; truncate mainstay_internal.webhook_deliveries, mainstay_internal.events, mainstay_internal.idempotency_keys'));

describe('who holds no service key', () => {
  const someId = randomUUID();
  it.each<['GET' | 'POST' | 'PATCH' | 'DELETE', string]>([
    ['POST', 'endpoints'],
    ['GET', 'endpoints'],
    ['GET', `endpoints/${someId}`],
    ['PATCH', `endpoints/${someId}`],
    ['DELETE', `endpoints/${someId}`],
    ['POST', `endpoints/${someId}/rotate-secret`],
    ['POST', `endpoints/${someId}/test`],
    ['POST', `endpoints/${someId}/pause`],
    ['POST', `endpoints/${someId}/resume`],
    ['POST', `endpoints/${someId}/redeliver`],
    ['GET', `endpoints/${someId}/deliveries`],
    ['GET', 'deliveries'],
    ['GET', 'deliveries/counts'],
    ['GET', 'deliveries/1-1'],
    ['POST', 'deliveries/1-1/redeliver'],
  ])('%s %s: 403', async (method, path) => {
    for (const who of ['guest', 'anna'] as const) expect(await ask(who, method, path, draft)).toMatchObject({ status: 403, body: { code: 'webhooks_need_service' } });
    const { status } = await ask('service', method, path, method === 'POST' && path === 'endpoints' ? draft : path.endsWith('redeliver') ? { since: '2020-01-01' } : {});
    expect(status).toBe(method === 'POST' && path === 'endpoints' ? 201 : path.includes(someId) || path.includes('1-1') ? 404 : 200);
  });
});

describe('an endpoint', () => {
  it('is made, shown, changed and deleted; its secret is shown once', async () => {
    const made = await ask('service', 'POST', 'endpoints', draft);
    const { id, secret } = made.body as { id: string; secret: string };
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(made.headers['location']).toBe(`/webhooks/v1/endpoints/${id}`);
    const shown = await ask('service', 'GET', `endpoints/${id}`);
    expect(shown.body).toEqual({
      id, url: draft.url, description: null, headers: {}, state: 'active', is_paused: false, reason: null, rate: null, waiting: 0, dead: 0,
      events: [{ schema: 'public', table: 'orders', operations: ['insert', 'update', 'delete'], filter: null, columns: null, broken: null, trouble: null }, { type: 'job.dead' }],
      breaker: { state: 'closed', failures: 0, rests_until: null },
      secrets: [{ created_at: expect.any(String), expires_at: null }],
      created_at: expect.stringMatching(/Z$/), updated_at: expect.stringMatching(/Z$/),
    });
    const changed = await ask('service', 'PATCH', `endpoints/${id}`, { description: 'ours', is_paused: true, rate: 5 });
    expect(changed.body).toMatchObject({ description: 'ours', state: 'paused', rate: 5, url: draft.url, events: [{ table: 'orders' }, { type: 'job.dead' }] });
    expect((await ask('service', 'GET', 'endpoints')).body).toHaveLength(1);
    expect((await ask('service', 'DELETE', `endpoints/${id}`)).status).toBe(204);
    expect((await ask('service', 'GET', `endpoints/${id}`)).body).toMatchObject({ code: 'endpoint_not_found' });
  });

  it('is made once for one Idempotency-Key, with the same answer, which is kept sealed', async () => {
    const [first, second] = [await ask('service', 'POST', 'endpoints', draft, 'once'), await ask('service', 'POST', 'endpoints', draft, 'once')];
    expect(second.body).toEqual(first.body);
    expect(second.headers['idempotency-replayed']).toBe('true');
    expect((await ask('service', 'GET', 'endpoints')).body).toHaveLength(1);
    const kept = await test.admin.rows('select * from mainstay_internal.idempotency_keys');
    expect(JSON.stringify(kept)).not.toContain('whsec_');
    expect(await ask('service', 'POST', 'endpoints', { ...draft, rate: 1 }, 'once')).toMatchObject({ status: 422 });
  });

  it('that is refused leaves nothing', async () => {
    expect(await ask('service', 'POST', 'endpoints', { ...draft, events: [{ table: 'drafts' }, { table: 'drafts', filter: 'stats=eq.1' }] })).toMatchObject({
      status: 400, body: { code: 'filter_not_valid', message: expect.stringContaining('"stats"'), hint: 'Did you mean "status"?' },
    });
    expect((await ask('service', 'GET', 'endpoints')).body).toEqual([]);
    expect(await test.admin.rows(`select from pg_trigger where tgrelid = 'public.drafts'::regclass and not tgisinternal`)).toHaveLength(0);
  });
});

describe('deliveries', () => {
  it('are listed by endpoint, state, event and time, in pages', async () => {
    const { id } = (await ask('service', 'POST', 'endpoints', { ...draft, is_paused: true })).body as { id: string };
    await test.admin.rows(`insert into public.orders select i, 'new' from generate_series(1, 5) i`);
    await test.admin.rows(`delete from public.orders`);
    const list = async (query: string): Promise<{ id: string; event: string }[]> => (await ask('service', 'GET', `endpoints/${id}/deliveries${query}`)).body as { id: string; event: string }[];
    expect(await list('')).toHaveLength(10);
    expect(await list('?event=public.orders.delete')).toHaveLength(5);
    expect(await list('?event=public.orders.*&state=queued')).toHaveLength(10);
    expect(await list('?state=done')).toHaveLength(0);
    expect(await list(`?since=${encodeURIComponent(new Date(Date.now() + 60_000).toISOString())}`)).toHaveLength(0);
    const page = await list('?limit=4');
    expect(page).toHaveLength(4);
    expect([...page, ...(await list(`?limit=6&before=${page[3]!.id}`))].map((one) => one.id)).toEqual((await list('')).map((one) => one.id));
    expect((await ask('service', 'GET', `deliveries/counts?endpoint=${id}`)).body).toEqual({ queued: 10, done: 0, dead: 0, cancelled: 0 });
    const { body } = await ask('service', 'GET', `deliveries/${page[0]!.id}`);
    expect(body).toMatchObject({ id: page[0]!.id, endpoint_id: id, event: 'public.orders.delete', state: 'queued', attempts: 0, max_attempts: 10, last_status: null, log: [] });
    expect(JSON.parse((body as { body: string }).body)).toMatchObject({ type: 'public.orders.delete', data: { operation: 'delete', record: null, old_record: { status: 'new' } } });
  });

  it.each(['state=lost', 'limit=0', 'limit=x', 'before=1', 'since=yesterday', 'endpoint=1'])('%s is refused', async (query) => {
    expect(await ask('service', 'GET', `deliveries?${query}`)).toMatchObject({ status: 400, body: { code: 'webhook_filter_not_valid' } });
  });

  it.each<[string, object, string]>([
    ['a name of a header that is none', { headers: { 'a b': 'x' } }, 'endpoint_not_valid'],
    ['a header of the connection', { headers: { Host: 'inner' } }, 'endpoint_not_valid'],
    ['a header that ends the line', { headers: { a: 'x\r\ny: z' } }, 'endpoint_not_valid'],
    ['NUL in a header', { headers: { a: '\0' } }, 'text_not_storable'],
    ['half a letter', { description: '\ud800' }, 'text_not_storable'],
    ['this machine by its name', { url: 'http://localhost/' }, 'endpoint_url_refused'],
  ])('an endpoint with %s is refused', async (_, more, code) => {
    expect(await ask('service', 'POST', 'endpoints', { url: 'https://example.com/hook', events: ['job.dead'], ...more })).toMatchObject({ status: 400, body: { code } });
  });

  it('a path with NUL is refused', async () => {
    expect(await ask('service', 'GET', 'deliveries?event=a%00b')).toMatchObject({ status: 400, body: { code: 'text_not_storable' } });
  });
});

describe('docs/webhooks.md', () => {
  const page = readFileSync(new URL('../../../docs/webhooks.md', import.meta.url), 'utf8');

  it('its first command makes an endpoint, and shows the secret once', async () => {
    const [, command] = /^```sh\n(.*?)^```$/ms.exec(page)!;
    const [, body] = /-d '(.*)'/.exec(command!)!;
    expect(command).toContain('curl -X POST "$API/webhooks/v1/endpoints"');
    await test.admin.rows('alter table public.orders add column if not exists total numeric');
    const { status, body: made } = await ask('service', 'POST', 'endpoints', JSON.parse(body!), /Idempotency-Key: (\S+)'/.exec(command!)![1]);
    expect([status, made]).toEqual([201, expect.objectContaining({ id: expect.any(String), secret: expect.stringMatching(/^whsec_/) })]);
    expect((await ask('service', 'GET', `endpoints/${(made as { id: string }).id}`)).body).not.toHaveProperty('secret');
  });

  it('what it says is sent is what an insert and an update write down', async () => {
    const told = JSON.parse(/^```json\n(.*?)^```$/ms.exec(page)![1]!) as { type: string; data: { record: object } };
    await test.admin.rows('alter table public.orders add column if not exists total numeric');
    await ask('service', 'POST', 'endpoints', { url: 'https://shop.example.com/hook', events: [{ table: 'orders', operations: ['update'] }] });
    await test.admin.rows(`insert into public.orders (id, status, total) values (7, 'new', 12.50)`);
    await test.admin.rows(`update public.orders set status = 'paid' where id = 7`);
    const [event] = await test.admin.rows<{ type: string; text: string }>('select e.type, e::text as text from mainstay_internal.events e');
    expect(event!.type).toBe(told.type);
    for (const name of Object.keys(told.data.record)) expect(event!.text).toContain(name);
    await test.admin.rows('delete from public.orders');
  });

  it('each path that it names is there', async () => {
    const paths = [...page.matchAll(/`(GET|POST|PATCH|DELETE) (\/webhooks\/v1\/[\w/:-]+|…\/[\w/:-]+)`/g)].map(([, method, path]) => [method!, path!.replace('…', 'endpoints').replace('/webhooks/v1/', '').replaceAll(':id', randomUUID())] as const);
    expect(paths.length).toBeGreaterThan(10);
    for (const [method, path] of paths) expect([method, path, (await ask('service', method as 'GET', path, {})).body]).not.toEqual([method, path, expect.objectContaining({ code: 'not_found' })]);
  });
});

async function ask(who: Who, method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown, key?: string): Promise<{ status: number; body: unknown; headers: Record<string, unknown> }> {
  const apikey = secrets[who === 'service' ? 'SERVICE_ROLE_KEY' : 'ANON_KEY']!;
  const token = who === 'anna' ? await new SignJWT({ role: 'authenticated', sub: anna, aud: 'authenticated' }).setProtectedHeader({ alg: 'HS256' }).setIssuedAt().setExpirationTime('1h').sign(new TextEncoder().encode(secrets['JWT_SECRET'] ?? test.environment['JWT_SECRET'])) : apikey;
  const { statusCode, payload, headers } = await app.inject({
    method, url: `/webhooks/v1/${path}`,
    headers: { apikey, authorization: `Bearer ${token}`, ...(key === undefined ? {} : { 'idempotency-key': key }), ...(body === undefined || method === 'GET' || method === 'DELETE' ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined || method === 'GET' || method === 'DELETE' ? {} : { payload: JSON.stringify(body) }),
  });
  return { status: statusCode, body: payload === '' ? null : (JSON.parse(payload) as unknown), headers };
}
