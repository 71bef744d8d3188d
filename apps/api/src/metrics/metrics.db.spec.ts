import { request as ask } from 'node:http';
import { makeSecrets } from '@mainstay/auth';
import { readSettings, type Settings } from '@mainstay/config';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { startAdminServer } from '../admin-server.ts';
import { ApiModule } from '../api.module.ts';
import { EdgeFilter } from '../edge.filter.ts';
import { makeHttpServer } from '../http-server.ts';
import { LiveSettings } from '../live-settings.ts';
import { Readiness } from '../readiness.ts';
import { catalogue } from './catalogue.ts';
import { Exposition } from './exposition.ts';
import { kept } from './house-figures.ts';

let database: TestDatabase;
let app: NestFastifyApplication;
let url: string;
let settings: Settings;
const token = 'for-prometheus-alone';

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Record<string, unknown>;
}

function get(path: string, headers: Record<string, string> = {}, { method = 'GET', base = url } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    ask(`${base}${path}`, { method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk)).on('end', () => resolve({ status: response.statusCode!, text, headers: response.headers }));
    }).on('error', reject).end();
  });
}

const scrape = async (): Promise<string> => (await get('/metrics', { authorization: `Bearer ${token}` })).text;
/** What the database tells is kept for two seconds, and longer where it took long to read. */
async function scrapeUntil(isSo: (text: string) => boolean): Promise<string> {
  for (const end = Date.now() + 15_000; ; ) {
    const text = await scrape();
    if (isSo(text) || Date.now() > end) return text;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** The value of a sample, as it is written. */
async function valueOf(sample: string): Promise<number | null> {
  const line = (await scrape()).split('\n').find((each) => each.startsWith(`${sample} `));
  return line === undefined ? null : Number(line.slice(sample.length + 1));
}

beforeAll(async () => {
  database = await makeTestDatabase();
  const secrets = await makeSecrets(database.environment);
  settings = readSettings({ ...database.environment, ...secrets, PGRST_DB_SCHEMAS: 'public', MAINSTAY_METRICS_TOKEN: token });
  await database.admin.rows('create table people (id int primary key, name text); insert into people values (1, $$Ada$$); grant select on people to service_role, anon');
  const live = new LiveSettings(settings);
  app = await NestFactory.create<NestFastifyApplication>(ApiModule.with(settings, live), makeHttpServer(settings, live), { bodyParser: false, logger: false });
  app.useGlobalFilters(app.get(EdgeFilter));
  await app.listen(0, '127.0.0.1');
  url = (await app.getUrl()).replace('[::1]', '127.0.0.1');
}, 60_000);
afterAll(async () => {
  await app.close();
  await database.close();
});

describe('who may read the metrics', () => {
  it.each([
    ['nobody', () => ({}), 401],
    ['a guest', () => ({ apikey: settings.publishableKey! }), 403],
    ['a guest with the token of somebody else', () => ({ authorization: 'Bearer for-something-else' }), 401],
    ['Prometheus with its token', () => ({ authorization: `Bearer ${token}` }), 200],
    ['the service key', () => ({ apikey: settings.secretKey! }), 200],
    ['the service key as a bearer', () => ({ authorization: `Bearer ${settings.serviceRoleKey!}` }), 200],
  ])('%s', async (_who, headers, status) => {
    expect((await get('/metrics', headers() as Record<string, string>)).status).toBe(status);
  });

  it('and everybody who reaches the port for operators', async () => {
    const admin = (await startAdminServer({ adminHost: '127.0.0.1', adminPort: 0 }, app.get(Readiness), app.get(Exposition)))!;
    const base = `http://127.0.0.1:${(admin.address() as { port: number }).port}`;
    const answer = await get('/metrics', {}, { base });
    expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' } });
    expect(answer.text).toContain('pgrst_db_pool_max 10');
    expect((await get('/live', {}, { base })).status).toBe(200);
    expect((await get('/other', {}, { base })).status).toBe(404);
    admin.close();
  });
});

describe('the metrics', () => {
  it('count requests by the template of their route, and time them', async () => {
    const key = { apikey: settings.secretKey! };
    for (const path of ['/rest/v1/people?name=eq.Ada', '/rest/v1/people?select=id', '/rest/v1/nobody', '/rest/v1/rpc/nothing', '/jobs/v1/0198c0de-0000-7000-8000-000000000000']) await get(path, key);
    expect(await valueOf('mainstay_http_requests_total{route="/rest/v1/:collection",method="GET",status="200"}')).toBe(2);
    expect(await valueOf('mainstay_http_requests_total{route="/rest/v1/:collection",method="GET",status="404"}')).toBe(1);
    expect(await valueOf('mainstay_http_requests_total{route="/rest/v1/rpc/:function",method="GET",status="404"}')).toBe(1);
    expect(await valueOf('mainstay_http_requests_total{route="/jobs/v1/:id",method="GET",status="404"}')).toBe(1);
    expect(await valueOf('mainstay_http_request_duration_seconds_count{route="/rest/v1/:collection",method="GET",status="200"}')).toBe(2);
    expect(await valueOf('mainstay_http_request_duration_seconds_bucket{route="/rest/v1/:collection",method="GET",status="200",le="+Inf"}')).toBe(2);
    expect(await valueOf('mainstay_http_requests_in_flight')).toBe(1);
  });

  it('grow no label for each path, verb or name that somebody makes up', async () => {
    for (let index = 0; index < 30; index += 1) {
      await get(`/made/up/${index}?email=ada@example.com`, { origin: `https://${index}.example` });
      await get(`/rest/v1/table_${index}`, { apikey: settings.publishableKey! });
      await get('/rest/v1/people', {}, { method: index % 2 === 0 ? 'PROPFIND' : 'MKCOL' });
    }
    const text = await scrape();
    const routes = new Set([...text.matchAll(/^mainstay_http_requests_total\{route="([^"]*)"/gm)].map(([, route]) => route));
    expect([...routes].filter((route) => !route!.startsWith('/'))).toEqual(['none']);
    expect([...routes].length).toBeLessThan(10);
    expect(text).toContain('method="other"');
    expect(text).not.toMatch(/table_|ada@|made\/up|PROPFIND/);
  });

  it('count who was turned away, and who left', async () => {
    await get(`/rest/v1/people?${'x'.repeat(17_000)}`);
    expect(await valueOf('mainstay_http_requests_refused_total{reason="line_too_long"}')).toBe(1);
    expect(await valueOf('mainstay_http_requests_refused_total{reason="overload"}')).toBe(0);
  });

  it('tell of connections, caches, queues and this process', async () => {
    await database.admin.rows(`select mainstay_internal.enqueue_job(kind => 'ping', queue => 'upkeep', payload => '{}', owner => null, role => 'service_role', claims => '{}')`);
    await database.admin.rows(`insert into mainstay_internal.schedules (name, role, claims, cron, target, next_at) values ('late', 'service_role', '{}', '@daily', '{"kind": "sql", "sql": "select 1"}', now() - interval '1 minute')`);
    await database.admin.rows(`insert into mainstay_internal.job_tallies values ('upkeep', 'done', array[5], 0), ('upkeep', 'run', array_fill(1, array[17])::float8[], 4.5)`);
    for (let turn = 0; turn < 3; turn += 1) await get('/rest/v1/people?id=eq.1', { apikey: settings.secretKey! });
    const text = await scrapeUntil((told) => told.includes('mainstay_queue_waiting{queue="upkeep"} 1\n') && told.includes('mainstay_schedules_late 1\n'));
    for (const sample of [
      'mainstay_db_pool_connections_max{pool="authenticator"} 10',
      'mainstay_schema_cache_collections 1',
      'mainstay_queue_waiting{queue="upkeep"} 1',
      'mainstay_outbox_length 1',
      'mainstay_jobs_ended_total{queue="upkeep",outcome="done"} 5',
      'mainstay_job_run_seconds_bucket{queue="upkeep",le="+Inf"} 17',
      'mainstay_job_run_seconds_sum{queue="upkeep"} 4.5',
      'mainstay_webhook_endpoints{state="active"} 0',
      'mainstay_webhook_deliveries{state="dead"} 0',
      'mainstay_schedules_late 1',
      'mainstay_schedules{state="active"} 1',
      'mainstay_imports{state="done"} 0',
      'mainstay_exports{state="done"} 0',
      'mainstay_processes{kind="api"} 1',
      'mainstay_processes{kind="worker"} 0',
    ]) expect(text).toContain(`${sample}\n`);
    expect(Number(/^mainstay_plan_cache_hits_total (\d+)$/m.exec(text)![1])).toBeGreaterThan(0);
    expect(Number(/^mainstay_db_pool_acquire_seconds_count\{pool="authenticator"\} (\d+)$/m.exec(text)![1])).toBeGreaterThan(3);
    for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'nodejs_eventloop_lag_seconds', 'nodejs_gc_duration_seconds']) expect(text).toContain(`# TYPE ${name} `);
  });

  it('are each described, typed, and written as the format asks', async () => {
    const lines = (await scrape()).trimEnd().split('\n');
    const typed = new Map(lines.flatMap((line) => (/^# TYPE (\S+) (\S+)$/.exec(line) === null ? [] : [line.split(' ').slice(2) as [string, string]])));
    for (const [name, type] of typed) {
      if (name in catalogue) expect(catalogue[name as keyof typeof catalogue].type).toBe(type);
      if (name.startsWith('mainstay_')) expect(name in catalogue).toBe(true);
    }
    for (const line of lines.filter((each) => each !== '' && !each.startsWith('#'))) expect(line).toMatch(/^[a-zA-Z_:][\w:]*(\{([a-z_]+="([^"\\\n]|\\.)*",?)+\})? (-?[\d.e+-]+|\+Inf|Nan)$/);
    // A sample stands once.
    const samples = lines.filter((each) => each !== '' && !each.startsWith('#')).map((line) => line.slice(0, line.lastIndexOf(' ')));
    expect(new Set(samples).size).toBe(samples.length);
  });

  it('are told as far as they are known when the database is away', async () => {
    await database.admin.rows('alter function mainstay_internal.queue_figures() rename to away');
    const text = await scrapeUntil((told) => !told.includes('mainstay_queue_waiting'));
    await database.admin.rows('alter function mainstay_internal.away() rename to queue_figures');
    expect(text).toContain('mainstay_http_requests_total');
    expect(text).not.toContain('mainstay_queue_waiting');
  });
});

describe('what is dear to read', () => {
  it('is read once for all who ask, and rests twenty times as long as it took', async () => {
    let now = 0;
    let readings = 0;
    const read = kept(() => Promise.resolve((readings += 1)), () => now);
    expect(await Promise.all([read(), read()])).toEqual([1, 1]);
    now = 1999;
    expect(await read()).toBe(1);
    now = 2001;
    const slow = kept(async () => {
      now += 500;
      return (readings += 1);
    }, () => now);
    expect(await slow()).toBe(2);
    now += 9900;
    expect(await slow()).toBe(2);
    now += 200;
    expect(await slow()).toBe(3);
  });
});
