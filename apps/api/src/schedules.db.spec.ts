import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { AuthModule, makeSecrets } from '@mainstay/auth';
import { SchedulesService } from '@mainstay/automation';
import { readSettings } from '@mainstay/config';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { SignJWT } from 'jose';
import { makeHttpServer } from './http-server.ts';
import { SchedulesController } from './schedules.controller.ts';
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
  const module = await Test.createTestingModule({
    imports: [AuthModule.with(settings)],
    controllers: [SchedulesController],
    providers: [SurfaceFilter, { provide: SchedulesService, useValue: new SchedulesService(test.as('mainstay_api', 10)) }],
  }).compile();
  app = module.createNestApplication<NestFastifyApplication>(makeHttpServer(settings), { bodyParser: false, logger: false });
  app.useGlobalFilters(app.get(SurfaceFilter));
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
  await test.admin.rows('create function public.tick(n integer default 1) returns integer language sql as $$ select n $$; create function public.hidden() returns void language sql as $$ select $$; revoke execute on function public.hidden() from public, anon, authenticated, service_role');
});
afterAll(async () => {
  await app.close();
  await test.close();
});
beforeEach(() => test.admin.rows('delete from mainstay_internal.schedules; truncate mainstay_internal.jobs, mainstay_internal.outbox, mainstay_internal.idempotency_keys'));

const nightly = { name: 'nightly', cron: '30 2 * * *', time_zone: 'Europe/Berlin', function: 'public.tick', arguments: { n: 2 } };

interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: any;
}

async function ask(who: Who, method: 'GET' | 'POST' | 'PATCH' | 'DELETE', url: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const token = async (sub: string) => new SignJWT({ role: 'authenticated' }).setProtectedHeader({ alg: 'HS256' }).setSubject(sub).setAudience('authenticated').setIssuedAt().setExpirationTime('1h').sign(new TextEncoder().encode(secrets['JWT_SECRET']));
  const authorization = who === 'guest' ? {} : { authorization: `Bearer ${who === 'service' ? secrets['SERVICE_ROLE_KEY']! : await token(who === 'anna' ? anna : bert)}` };
  const answer = await app.inject({ method, url, headers: { ...authorization, ...headers }, ...(body === undefined ? {} : { payload: body as object }) });
  return { status: answer.statusCode, headers: answer.headers, body: answer.body === '' ? null : (answer.json() as unknown) };
}

async function make(who: Who, more: object = {}): Promise<any> {
  const { status, body } = await ask(who, 'POST', '/schedules/v1', { ...nightly, ...more });
  expect({ status, body }).toMatchObject({ status: 201 });
  return body;
}

describe('who may do what with anna’s schedule', () => {
  it.each<[Who, number]>([['guest', 401], ['anna', 200], ['bert', 404], ['service', 200]])('%s: %i', async (who, status) => {
    const { id } = await make('anna');
    const wanted = (good: number) => (status === 200 ? good : status);
    const calls = [['GET', '', 200], ['GET', '/runs', 200], ['PATCH', '', 200], ['POST', '/pause', 200], ['POST', '/resume', 200], ['POST', '/run-now', 202], ['DELETE', '', 204]] as const;
    for (const [method, path, good] of calls) {
      const answer = await ask(who, method, `/schedules/v1/${id}${path}`, method === 'PATCH' ? { priority: 3 } : undefined);
      expect({ path: `${method} ${path}`, status: answer.status }).toEqual({ path: `${method} ${path}`, status: wanted(good) });
      if (status !== 200) expect(answer.body).toMatchObject({ code: status === 401 ? 'schedule_needs_caller' : 'schedule_not_found' });
    }
    expect(await test.admin.rows('select owner, role, priority from mainstay_internal.schedules')).toEqual(status === 200 ? [] : [{ owner: anna, role: 'authenticated', priority: 0 }]);
  });

  it('a list shows one’s own, and all to the service key, also those of pg_cron', async () => {
    await make('anna');
    await make('bert', { name: 'other' });
    await make('service', { name: 'house' });
    await test.admin.rows(`insert into mainstay_internal.schedules (name, origin, cron_job_id, role, claims, cron, target) values ('job 1', 'pg_cron', 1, 'postgres', '{}', '30 seconds', '{"kind": "sql", "sql": "select 1"}')`);
    const names = async (who: Who, query = '') => ((await ask(who, 'GET', `/schedules/v1${query}`)).body as { name: string }[]).map(({ name }) => name);
    expect(await names('anna')).toEqual(['nightly']);
    expect(await names('service')).toEqual(['job 1', 'house', 'other', 'nightly']);
    expect(await names('service', '?origin=pg_cron')).toEqual(['job 1']);
    expect(await names('service', '?kind=function&limit=2')).toEqual(['house', 'other']);
    expect((await ask('service', 'GET', '/schedules/v1?state=odd')).body).toMatchObject({ code: 'schedule_filter_not_valid' });
  });

  it('one that the service key changes goes on to act as its owner', async () => {
    const { id } = await make('anna');
    await ask('service', 'PATCH', `/schedules/v1/${id}`, { cron: '@hourly' });
    expect(await test.admin.rows(`select owner, role, claims ->> 'sub' as sub, cron from mainstay_internal.schedules`)).toEqual([{ owner: anna, role: 'authenticated', sub: anna, cron: '@hourly' }]);
  });

  it('one of pg_cron is changed in SQL only', async () => {
    const [row] = await test.admin.rows<{ id: string }>(`insert into mainstay_internal.schedules (name, origin, cron_job_id, role, claims, cron, target) values ('job 1', 'pg_cron', 1, 'postgres', '{}', '@reboot', '{"kind": "sql", "sql": "select 1"}') returning id`);
    for (const [method, path] of [['PATCH', ''], ['POST', '/pause'], ['DELETE', '']] as const) {
      expect(await ask('service', method, `/schedules/v1/${row!.id}${path}`, method === 'PATCH' ? { cron: '@daily' } : undefined)).toMatchObject({ status: 409, body: { code: 'schedule_of_pg_cron' } });
    }
    expect((await ask('service', 'GET', `/schedules/v1/${row!.id}`)).body).toMatchObject({ origin: 'pg_cron', next_runs: [] });
  });
});

describe('a schedule', () => {
  it('is shown with its next five runs, and where it is', async () => {
    const { status, headers, body } = await ask('anna', 'POST', '/schedules/v1', nightly);
    expect({ status, location: headers['location'] }).toEqual({ status: 201, location: `/schedules/v1/${body.id}` });
    expect(body).toEqual({
      id: expect.any(String), name: 'nightly', origin: 'own', kind: 'function', cron: '30 2 * * *', time_zone: 'Europe/Berlin', function: 'public.tick', arguments: { n: 2 }, sql: null, url: null, method: null, headers: null,
      body: null, missed: 'once', overlap: 'skip', max_attempts: null, queue: null, priority: 0, is_paused: false, trouble: null, owner: anna, role: 'authenticated', next_run_at: expect.any(String), last_run: null,
      next_runs: expect.any(Array), created_at: expect.any(String), updated_at: expect.any(String),
    });
    expect(body.next_runs).toHaveLength(5);
    expect(body.next_runs[0]).toMatch(/T0[01]:30:00.000Z$/);
    expect((await ask('anna', 'GET', `/schedules/v1/${body.id}`)).body).toEqual(body);
  });

  it('of a name that is there already is none', async () => {
    await make('anna');
    expect(await ask('anna', 'POST', '/schedules/v1', nightly)).toMatchObject({ status: 409, body: { code: 'schedule_exists', details: 'nightly' } });
    await make('bert');
  });

  it('is made once for a request that is repeated', async () => {
    const key = { 'idempotency-key': 'make-1' };
    const first = await ask('anna', 'POST', '/schedules/v1', nightly, key);
    const second = await ask('anna', 'POST', '/schedules/v1', nightly, key);
    expect(second).toMatchObject({ status: 201, body: first.body });
    expect(second.headers['idempotency-replayed']).toBe('true');
    expect(await ask('anna', 'POST', '/schedules/v1', { ...nightly, name: 'b' }, key)).toMatchObject({ status: 422 });
  });

  it('changes what a PATCH says, and its target as a whole', async () => {
    const { id } = await make('service');
    expect((await ask('service', 'PATCH', `/schedules/v1/${id}`, { arguments: { n: 7 }, overlap: 'allow' })).body).toMatchObject({ function: 'public.tick', arguments: { n: 7 }, overlap: 'allow', cron: '30 2 * * *' });
    expect((await ask('service', 'PATCH', `/schedules/v1/${id}`, { sql: 'select 1' })).body).toMatchObject({ kind: 'sql', function: null, arguments: null, sql: 'select 1' });
    expect((await ask('service', 'PATCH', `/schedules/v1/${id}`, { url: 'https://example.test/hook', body: { a: 1 }, headers: { 'x-a': 'b' } })).body).toMatchObject({ kind: 'url', sql: null, method: 'POST', body: { a: 1 }, headers: { 'x-a': 'b' } });
  });

  it('paused has no next run; resumed has', async () => {
    const { id } = await make('anna');
    expect((await ask('anna', 'POST', `/schedules/v1/${id}/pause`)).body).toMatchObject({ is_paused: true, next_run_at: null, next_runs: [] });
    expect((await ask('anna', 'POST', `/schedules/v1/${id}/resume`)).body).toMatchObject({ is_paused: false, next_runs: { length: 5 } });
  });

  it('runs now as a job, and tells of it in its runs', async () => {
    const { id } = await make('anna');
    const { status, headers, body } = await ask('anna', 'POST', `/schedules/v1/${id}/run-now`);
    expect({ status, body }).toMatchObject({ status: 202, body: { state: 'queued', is_manual: true, job_id: expect.any(String), attempts: 0 } });
    expect(headers['location']).toBe(`/jobs/v1/${body.job_id}`);
    const [job] = await test.admin.rows('select kind, queue, owner, role, payload from mainstay_internal.jobs where id = $1', [body.job_id]);
    expect(job).toEqual({ kind: 'call-function', queue: 'functions', owner: anna, role: 'authenticated', payload: { schema: 'public', name: 'tick', arguments: { n: 2 } } });
    expect((await ask('anna', 'GET', `/schedules/v1/${id}/runs`)).body).toEqual([body]);
    expect((await ask('anna', 'GET', `/schedules/v1/${id}/runs?state=done`)).body).toEqual([]);
    expect((await ask('anna', 'GET', `/schedules/v1/${id}`)).body.last_run).toEqual(body);
  });

  it.each(['sql', 'url'])('of %s runs now as the job of its kind', async (kind) => {
    const { id } = await make('service', { function: undefined, arguments: undefined, ...(kind === 'sql' ? { sql: 'select 1' } : { url: 'https://example.test/' }) });
    const { body } = await ask('service', 'POST', `/schedules/v1/${id}/run-now`);
    expect(await test.admin.rows('select kind, owner from mainstay_internal.jobs where id = $1', [body.job_id])).toEqual([{ kind: kind === 'sql' ? 'run-command' : 'send-request', owner: 'service_role' }]);
  });

  it('whose function is gone has a run that failed', async () => {
    await test.admin.rows('create function public.fleeting() returns void language sql as $$ select $$');
    const { id } = await make('anna', { function: 'fleeting', arguments: undefined });
    await test.admin.rows('drop function public.fleeting()');
    expect((await ask('anna', 'POST', `/schedules/v1/${id}/run-now`)).body).toMatchObject({ state: 'failed', job_id: null, error: { code: '42883', message: 'function public.fleeting does not exist' } });
  });
});

describe('what is no schedule', () => {
  it.each<[string, Who, object, number, object]>([
    ['a wrong field', 'anna', { cron: '0 25 * * *' }, 422, { message: '"0 25 * * *" is no schedule: "25" is no hour (0 to 23)', details: { field: 'cron', at: 3 } }],
    ['no cron', 'anna', { cron: undefined }, 422, { message: '"" is no schedule: it is empty' }],
    ['null for a cron', 'anna', { cron: null }, 422, { message: '"" is no schedule: it is empty' }],
    ['null for a name', 'anna', { name: null }, 422, { message: '"name" is missing' }],
    ['NUL in a name', 'anna', { name: 'a\0b' }, 400, { code: 'text_not_storable', details: 'name' }],
    ['half a letter in a name', 'anna', { name: 'a\ud800' }, 400, { code: 'text_not_storable', details: 'name' }],
    ['NUL in an argument’s name', 'anna', { arguments: { 'a\0': 1 } }, 400, { code: 'text_not_storable', details: 'a key of arguments' }],
    ['a header that ends the line', 'service', { function: undefined, url: 'https://example.com/', headers: { a: 'x\r\ny: z' } }, 422, { message: expect.stringContaining('has a line break'), details: { field: 'headers' } }],
    ['a zone that is none', 'anna', { time_zone: 'Mars/Olympus' }, 422, { message: 'time zone "Mars/Olympus" is not known' }],
    ['no name', 'anna', { name: undefined }, 422, { message: '"name" is missing' }],
    ['no target', 'anna', { function: undefined }, 422, { message: 'A schedule needs exactly one of "function", "sql" and "url"' }],
    ['two targets', 'service', { sql: 'select 1' }, 422, { message: 'A schedule needs exactly one of "function", "sql" and "url"' }],
    ['a function that is none', 'anna', { function: 'nowhere' }, 422, { message: 'function public.nowhere does not exist' }],
    ['a function that one may not execute', 'anna', { function: 'hidden', arguments: {} }, 403, { message: 'role authenticated may not execute function public.hidden()' }],
    ['arguments that the function does not take', 'anna', { arguments: { m: 1 } }, 422, { message: 'public.tick has no parameter m; it takes n' }],
    ['SQL of a user', 'anna', { function: undefined, sql: 'select 1' }, 403, { message: 'only postgres and the service key may schedule SQL' }],
    ['a URL of a user', 'anna', { function: undefined, url: 'https://example.test/' }, 403, { message: 'only postgres and the service key may schedule calls of a URL' }],
    ['a URL that is none', 'service', { function: undefined, url: 'ftp://x' }, 422, { message: `'ftp://x' is no URL that can be called` }],
    ['a policy that is none', 'anna', { missed: 'maybe' }, 422, { message: `missed must be skip, once or all, not 'maybe'` }],
    ['a field that is none', 'anna', { color: 'red' }, 422, { message: '"color" is no field of a schedule' }],
    ['text for a number', 'anna', { priority: 'high' }, 422, { message: '"priority" must be a whole number' }],
    ['a queue that is none', 'anna', { queue: 'nowhere' }, 422, { message: 'there is no queue nowhere' }],
  ])('%s', async (_, who, more, status, body) => {
    expect(await ask(who, 'POST', '/schedules/v1', { ...nightly, ...more })).toMatchObject({ status, body: { code: 'schedule_not_valid', ...body } });
    expect((await ask('service', 'GET', '/schedules/v1')).body).toEqual([]);
  });

  it.each<[object, number, string]>([[{ name: null }, 422, 'schedule_not_valid'], [{ cron: null }, 422, 'schedule_not_valid'], [{ cron: 'a\0' }, 400, 'text_not_storable']])('a change by %j changes nothing', async (change, status, code) => {
    const { id } = await make('anna');
    expect(await ask('anna', 'PATCH', `/schedules/v1/${id}`, change)).toMatchObject({ status, body: { code } });
    expect((await ask('anna', 'GET', `/schedules/v1/${id}`)).body).toMatchObject({ name: 'nightly', cron: nightly.cron });
  });

  it.each([['name=%00', 'text_not_storable'], ['name=a&name=b', 'schedule_filter_not_valid'], ['state=paused&state=active', 'schedule_filter_not_valid']])('a list by %s is refused', async (query, code) => {
    expect(await ask('anna', 'GET', `/schedules/v1?${query}`)).toMatchObject({ status: 400, body: { code } });
  });

  it('an account has a hundred schedules and no more', async () => {
    await test.admin.rows(`insert into mainstay_internal.schedules (name, owner, role, claims, cron, target) select 'n' || i, $1, 'authenticated', '{}', '@daily', '{"kind": "function"}' from generate_series(1, 100) i`, [anna]);
    expect(await ask('anna', 'POST', '/schedules/v1', nightly)).toMatchObject({ status: 422, body: { message: 'an account has at most 100 schedules' } });
  });
});

describe('the examples of docs/schedules.md', () => {
  const blocks = Array.from(readFileSync(new URL('../../../docs/schedules.md', import.meta.url), 'utf8').matchAll(/^```(sql|json)\n(.*?)^```$/gms), ([, kind, text]) => ({ kind: kind!, text: text! }));

  it('work as they stand', async () => {
    expect(blocks.map(({ kind }) => kind)).toEqual(['sql', 'json']);
    await test.admin.transaction({ role: 'postgres', settings: {} }, (tx) => tx.rows(blocks[0]!.text));
    expect(await test.admin.rows('select name, role, owner from mainstay_internal.schedules order by name')).toEqual(['digest', 'tidy'].map((name) => ({ name, role: 'postgres', owner: 'service_role' })));
    expect(await ask('anna', 'POST', '/schedules/v1', JSON.parse(blocks[1]!.text))).toMatchObject({ status: 201, body: { name: 'weekly report', next_runs: { length: 5 } } });
  });
});
