import { randomUUID } from 'node:crypto';
import { AuthModule, makeSecrets } from '@mainstay/auth';
import { JobsService, QueuesService } from '@mainstay/automation';
import { readSettings } from '@mainstay/config';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { SignJWT } from 'jose';
import { makeHttpServer } from './http-server.ts';
import { JobsController } from './jobs.controller.ts';
import { QueuesController } from './queues.controller.ts';
import { SurfaceFilter } from './surface.filter.ts';

const anna = randomUUID();
const bert = randomUUID();
type Who = 'guest' | 'anna' | 'bert' | 'service';

let test: TestDatabase;
let app: NestFastifyApplication;
let secrets: Record<string, string>;

beforeAll(async () => {
  test = await makeTestDatabase();
  secrets = await makeSecrets(test.environment);
  const settings = readSettings({ ...test.environment, ...secrets });
  const database = test.as('mainstay_api', 10);
  const module = await Test.createTestingModule({
    imports: [AuthModule.with(settings)],
    controllers: [JobsController, QueuesController],
    providers: [SurfaceFilter, { provide: JobsService, useValue: new JobsService(database) }, { provide: QueuesService, useValue: new QueuesService(database) }],
  }).compile();
  app = module.createNestApplication<NestFastifyApplication>(makeHttpServer(settings), { bodyParser: false, logger: false });
  app.useGlobalFilters(app.get(SurfaceFilter));
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
  await test.admin.transaction({ role: 'postgres', settings: {} }, (tx) =>
    tx.rows(`create function greet(name text, times integer default 1) returns text language sql as $$ select repeat('hello ' || name, times) $$;
      create function hidden() returns integer language sql as $$ select 1 $$;
      revoke execute on function hidden from public, anon, authenticated, service_role`));
}, 30_000);
afterAll(async () => {
  await app.close();
  await test.close();
});
beforeEach(async () => {
  await test.admin.rows('truncate mainstay_internal.jobs, mainstay_internal.outbox, mainstay_internal.idempotency_keys');
  await test.admin.rows('delete from mainstay_internal.queues where not is_house');
});

describe('asking for a job', () => {
  it('is answered with the job and where it is found', async () => {
    const answer = await ask('anna', 'POST', '/jobs/v1', { function: 'greet', arguments: { name: 'Ada' }, priority: 4, max_attempts: 2, run_at: '2030-01-01T00:00:00Z' });
    expect(answer).toMatchObject({ status: 202, body: { kind: 'call-function', function: 'public.greet', arguments: { name: 'Ada' }, queue: 'functions', state: 'queued', owner: anna, role: 'authenticated', priority: 4, max_attempts: 2, run_at: '2030-01-01T00:00:00.000Z', after: [] } });
    expect(answer.location).toBe(`/jobs/v1/${answer.body.id}`);
    expect((await ask('anna', 'GET', answer.location!)).body).toEqual(answer.body);
    expect((await ask('bert', 'GET', answer.location!)).status).toBe(404);
  });

  it('with the same Idempotency-Key is one request, and with another body none', async () => {
    const headers = { 'idempotency-key': 'k-1' };
    const first = await ask('anna', 'POST', '/jobs/v1', { function: 'greet', arguments: { name: 'Ada' } }, headers);
    const again = await ask('anna', 'POST', '/jobs/v1', { function: 'greet', arguments: { name: 'Ada' } }, headers);
    expect(again).toMatchObject({ status: 202, location: first.location, body: first.body, replayed: 'true' });
    expect((await ask('anna', 'POST', '/jobs/v1', { function: 'greet', arguments: { name: 'Bob' } }, headers)).status).toBe(422);
    expect((await ask('anna', 'GET', '/jobs/v1')).body).toHaveLength(1);
  });

  it('keeps the trace of the request', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const { body } = await ask('anna', 'POST', '/jobs/v1', { function: 'greet', arguments: { name: 'x' } }, { traceparent });
    expect(await test.admin.rows('select trace from mainstay_internal.jobs where id = $1', [body.id])).toEqual([{ trace: traceparent }]);
  });

  it('is for who has signed in, or holds the service key', async () => {
    expect(await ask('guest', 'POST', '/jobs/v1', { function: 'greet', arguments: { name: 'x' } })).toMatchObject({ status: 401, body: { code: 'job_needs_caller' } });
    expect(await ask('service', 'POST', '/jobs/v1', { function: 'greet', arguments: { name: 'x' } })).toMatchObject({ status: 202, body: { owner: 'service_role', role: 'service_role' } });
  });

  it.each<[unknown, number, string, RegExp]>([
    [[], 400, 'job_not_valid', /The body must be a JSON object/],
    [{}, 400, 'job_not_valid', /"function" is missing/],
    [{ function: 1 }, 400, 'job_not_valid', /"function" must be the name of a function/],
    [{ function: 'a.b.c' }, 400, 'job_not_valid', /"function" must be the name of a function/],
    [{ function: 'greet; drop' }, 400, 'job_not_valid', /"function" must be/],
    [{ function: 'no_such' }, 404, 'function_not_found', /function public\.no_such does not exist/],
    [{ function: 'hidden' }, 403, 'function_not_allowed', /role authenticated may not execute function public\.hidden\(\)/],
    [{ function: 'pg_catalog.pg_sleep', arguments: { seconds: 1 } }, 400, 'job_not_valid', /parameter/],
    [{ function: 'mainstay_internal.owns', arguments: { owner: 'x' } }, 403, 'function_not_allowed', /may not use schema mainstay_internal/],
    [{ function: 'greet' }, 400, 'job_not_valid', /public\.greet needs name/],
    [{ function: 'greet', arguments: { name: 'x', times: 'often' } }, 400, 'job_not_valid', /argument times is no integer/],
    [{ function: 'greet', arguments: [1] }, 400, 'job_not_valid', /must be a JSON object/],
    [{ function: 'greet', arguments: { name: 'x' }, color: 1 }, 400, 'job_not_valid', /There is no field "color"/],
    [{ function: 'greet', arguments: { name: 'x' }, run_at: 'soon' }, 400, 'job_not_valid', /"run_at" must be a time with its zone/],
    [{ function: 'greet', arguments: { name: 'x' }, run_at: '9999-01-01T00:00:00Z' }, 400, 'job_not_valid', /run_at must be a time within the next ten years/],
    [{ function: 'greet', arguments: { name: 'x' }, max_attempts: 0 }, 400, 'job_not_valid', /max_attempts must be from 1 to 100/],
    [{ function: 'greet', arguments: { name: 'x' }, max_attempts: 1e30 }, 400, 'job_not_valid', /"max_attempts" must be a whole number/],
    [{ function: 'greet', arguments: { name: 'x' }, queue: 'nowhere' }, 400, 'job_not_valid', /there is no queue nowhere/],
    [{ function: 'greet', arguments: { name: 'x' }, after: ['1'] }, 400, 'job_not_valid', /"after" must be a list of ids/],
    [{ function: 'greet', arguments: { name: 'x' }, after: [randomUUID()] }, 400, 'job_not_valid', /there is no job/],
    [{ function: 'greet', arguments: { name: 'x' }, key: 'k'.repeat(256) }, 400, 'job_not_valid', /key must have 1 to 255 characters/],
    [{ function: 'greet', arguments: { name: 'a\u0000b' } }, 400, 'text_not_storable', /PostgreSQL cannot keep/],
  ])('%j is refused', async (body, status, code, message) => {
    expect(await ask('anna', 'POST', '/jobs/v1', body)).toMatchObject({ status, body: { code, message: expect.stringMatching(message) } });
  });
});

describe('a list', () => {
  it('has filters, and counts with the same ones', async () => {
    await ask('service', 'PUT', '/queues/v1/letters', {});
    for (const queue of ['functions', 'letters', 'letters']) await ask('anna', 'POST', '/jobs/v1', { function: 'greet', arguments: { name: 'x' }, queue });
    await ask('bert', 'POST', '/jobs/v1', { function: 'greet', arguments: { name: 'x' }, queue: 'letters' });
    await test.admin.rows(`update mainstay_internal.jobs set state = 'dead', finished_at = now() where id = (select id from mainstay_internal.jobs where queue = 'letters' order by id limit 1)`);
    const hourAgo = new Date(Date.now() - 3_600_000).toISOString();
    const count = async (query: string): Promise<number> => ((await ask('anna', 'GET', `/jobs/v1?${query}`)).body as unknown[]).length;
    expect([await count('queue=letters'), await count('queue=letters&state=dead'), await count('function=greet'), await count('function=public.greet&queue=functions'), await count('function=other')]).toEqual([2, 1, 3, 1, 0]);
    expect([await count(`created_from=${hourAgo}`), await count(`created_before=${hourAgo}`)]).toEqual([3, 0]);
    expect((await ask('anna', 'GET', '/jobs/v1/counts')).body).toEqual({ queued: 2, running: 0, done: 0, failed: 0, dead: 1, cancelled: 0 });
    expect((await ask('anna', 'GET', '/jobs/v1/counts?queue=functions')).body).toMatchObject({ queued: 1, dead: 0 });
    expect((await ask('service', 'GET', '/jobs/v1/counts?queue=letters')).body).toMatchObject({ queued: 2, dead: 1 });
    expect(await ask('anna', 'GET', '/jobs/v1?colour=red')).toMatchObject({ status: 400, body: { code: 'job_filter_not_valid', message: 'There is no filter "colour"' } });
  });
});

describe('sending again what a filter finds', () => {
  it('sends all of one’s own, in any number, and nobody else’s', async () => {
    await test.admin.rows(`
      insert into mainstay_internal.jobs (kind, queue, carrier, turn, payload, owner, role, claims, state, attempts, max_attempts, patience, finished_at, unique_key)
      select 'call-function', 'functions', 'functions', owner, '{"schema": "public", "name": "greet", "arguments": {}}', owner, 'authenticated', '{}', 'dead', 2, 2, 2, now(),
        case when n <= 3 then 'same ' || owner end
      from generate_series(1, 1203) as n, unnest(array[$1, $2]) as owner`, [anna, bert]);
    const { status, body } = await ask('anna', 'POST', '/jobs/v1/retry', { state: 'dead', function: 'greet' });
    // Of the three with one key one is sent: two would be the same.
    expect({ status, body }).toEqual({ status: 200, body: { retried: 1201, is_complete: true } });
    expect((await ask('anna', 'GET', '/jobs/v1/counts')).body).toMatchObject({ queued: 1201, dead: 2 });
    expect((await ask('bert', 'GET', '/jobs/v1/counts')).body).toMatchObject({ queued: 0, dead: 1203 });
  });

  it.each<[object, RegExp]>([
    [{}, /"state" must say which are sent again/],
    [{ state: 'done' }, /"state" must say/],
    [{ state: 'dead', owner: 'x' }, /There is no filter "owner"/],
  ])('%j is refused', async (body, message) => {
    expect(await ask('anna', 'POST', '/jobs/v1/retry', body)).toMatchObject({ status: 400, body: { message: expect.stringMatching(message) } });
  });
});

describe('queues', () => {
  it('are for the service key', async () => {
    for (const who of ['guest', 'anna'] as const) {
      for (const [method, url] of [['GET', '/queues/v1'], ['PUT', '/queues/v1/letters'], ['POST', '/queues/v1/mail/pause'], ['DELETE', '/queues/v1/mail']] as const) {
        expect((await ask(who, method, url, method === 'PUT' ? {} : undefined)).body).toMatchObject({ code: 'queue_needs_service_key' });
      }
    }
  });

  it('are made and changed: what is left out stays, null takes a limit away', async () => {
    const made = await ask('service', 'PUT', '/queues/v1/letters', { concurrency: 4, rate_limit: { count: 10, per_seconds: 1, per_key: true }, key: 'customer' });
    expect(made).toMatchObject({ status: 200, body: { name: 'letters', is_house: false, is_paused: false, concurrency: 4, concurrency_per_key: null, rate_limit: { count: 10, per_seconds: 1, per_key: true }, key: 'customer', waiting: 0, running: 0 } });
    expect((await ask('service', 'PUT', '/queues/v1/letters', { concurrency: null, concurrency_per_key: 2 })).body).toMatchObject({ concurrency: null, concurrency_per_key: 2, key: 'customer', rate_limit: { count: 10 } });
    expect((await ask('service', 'GET', '/queues/v1')).body.map(({ name }: { name: string }) => name)).toEqual(expect.arrayContaining(['functions', 'letters', 'mail']));
  });

  it('tell how they stand; a paused one gives back what is on its way', async () => {
    await ask('service', 'PUT', '/queues/v1/letters', {});
    for (const run_at of [undefined, undefined, '2030-01-01T00:00:00Z']) await ask('anna', 'POST', '/jobs/v1', { function: 'greet', arguments: { name: 'x' }, queue: 'letters', run_at });
    await test.as('mainstay_worker').rows(`select * from mainstay_internal.take_turn('functions', 'letters', 1, '')`);
    expect((await ask('service', 'POST', '/queues/v1/letters/pause')).body).toMatchObject({ is_paused: true, waiting: 2, later: 1, running: 0 });
    expect(await test.admin.rows('select from mainstay_internal.outbox')).toHaveLength(2);
    expect(await test.admin.rows('select from mainstay_internal.jobs where published_at is not null')).toHaveLength(0);
    expect((await ask('service', 'POST', '/queues/v1/letters/resume')).body).toMatchObject({ is_paused: false });
  });

  it('are deleted when nothing is left in them, and the house’s never', async () => {
    await ask('service', 'PUT', '/queues/v1/letters', {});
    const { body } = await ask('anna', 'POST', '/jobs/v1', { function: 'greet', arguments: { name: 'x' }, queue: 'letters' });
    expect(await ask('service', 'DELETE', '/queues/v1/letters')).toMatchObject({ status: 409, body: { code: 'queue_in_use' } });
    await ask('anna', 'POST', `/jobs/v1/${body.id}/cancel`);
    await test.admin.rows('truncate mainstay_internal.outbox');
    expect((await ask('service', 'DELETE', '/queues/v1/letters')).status).toBe(204);
    expect((await ask('service', 'GET', '/queues/v1/letters')).status).toBe(404);
    expect((await ask('service', 'DELETE', '/queues/v1/mail')).status).toBe(409);
  });

  it('count a job by the argument that is their key', async () => {
    await ask('service', 'PUT', '/queues/v1/letters', { key: 'name' });
    await ask('anna', 'POST', '/jobs/v1', { function: 'greet', arguments: { name: 'Ada' }, queue: 'letters' });
    expect(await test.admin.rows('select turn from mainstay_internal.outbox')).toEqual([{ turn: 'Ada' }]);
  });

  it.each<[string, unknown, RegExp]>([
    ['Letters', {}, /is no name of a queue/],
    ['letters', [], /The body must be a JSON object/],
    ['letters', { speed: 1 }, /There is no field "speed"/],
    ['letters', { concurrency: 0 }, /"concurrency" must be a whole number from 1 to 100000, or null, not 0/],
    ['letters', { is_paused: 'yes' }, /"is_paused" must be true or false/],
    ['letters', { rate_limit: { count: 1 } }, /"rate_limit.per_seconds" must be a number/],
    ['letters', { rate_limit: { count: 1.5, per_seconds: 1 } }, /"rate_limit.count" must be a whole number/],
  ])('%s with %j is refused', async (name, body, message) => {
    expect(await ask('service', 'PUT', `/queues/v1/${name}`, body)).toMatchObject({ status: 400, body: { code: expect.stringMatching(/queue_not_valid/), message: expect.stringMatching(message) } });
  });

  it.each(['GET', 'DELETE'] as const)('%s of a name with NUL is refused before it is looked up', async (method) => {
    expect(await ask('service', method as 'GET', '/queues/v1/a%00')).toMatchObject({ status: 400, body: { code: 'text_not_storable' } });
  });
});

interface Answer {
  status: number;
  body: any;
  location: string | undefined;
  replayed: unknown;
}

async function ask(who: Who, method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const answer = await app.inject({
    method,
    url,
    headers: { ...(await credentials(who)), ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.body === '' ? null : answer.json(), location: answer.headers.location, replayed: answer.headers['idempotency-replayed'] };
}

async function credentials(who: Who): Promise<Record<string, string>> {
  if (who === 'guest') return {};
  if (who === 'service') return { apikey: secrets['SUPABASE_SECRET_KEY']! };
  const token = await new SignJWT({ sub: who === 'anna' ? anna : bert, role: 'authenticated' }).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('1h').sign(Buffer.from(secrets['JWT_SECRET']!));
  return { apikey: secrets['SUPABASE_PUBLISHABLE_KEY']!, authorization: `Bearer ${token}` };
}
