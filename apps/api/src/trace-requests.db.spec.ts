import { makeSecrets } from '@mainstay/auth';
import { readSettings, type Settings } from '@mainstay/config';
import { actingAs, enqueue, ownSessionOf } from '@mainstay/persistence';
import { makeCaller } from '@mainstay/domain';
import { asStep, startTracing, type Tracing } from '@mainstay/telemetry';
import { makeTestDatabase, OtlpReceiver, type SentSpan, type TestDatabase } from '@mainstay/testing';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { ApiModule } from './api.module.ts';
import { EdgeFilter } from './edge.filter.ts';
import { makeHttpServer } from './http-server.ts';
import { LiveSettings } from './live-settings.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;

let database: TestDatabase;
let receiver: OtlpReceiver;
let traces: Tracing;
let app: NestFastifyApplication;
let settings: Settings;
const attributesOf = ({ attributes }: SentSpan): Record<string, unknown> => Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

beforeAll(async () => {
  database = await makeTestDatabase();
  receiver = await OtlpReceiver.start();
  traces = (await startTracing({ EXPORTER_OTLP_ENDPOINT: receiver.url, BSP_SCHEDULE_DELAY: '20' }, { serviceName: 'mainstay-api', version: '1' }))!;
  settings = readSettings({ ...database.environment, ...(await makeSecrets(database.environment)), PGRST_DB_SCHEMAS: 'public' });
  await database.admin.rows(`
    create table people (id int primary key, email text); grant all on people to service_role;
    create function ask_for_it() returns trigger language plpgsql security definer as $$ begin
      perform mainstay_internal.enqueue_job(kind => 'ping', queue => 'upkeep', payload => '{}', owner => null, role => 'service_role', claims => '{}');
      return new;
    end $$;
    create trigger ask_for_it after insert on people for each row execute function ask_for_it()`);
  const live = new LiveSettings(settings);
  app = await NestFactory.create<NestFastifyApplication>(ApiModule.with(settings, live), makeHttpServer(settings, live), { bodyParser: false, logger: false });
  app.useGlobalFilters(app.get(EdgeFilter));
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
}, 60_000);
afterAll(async () => {
  await app.close();
  receiver.stop();
  await database.close();
});

describe('a request that is traced', () => {
  it('goes on with the trace that it brings, down to the job that a trigger enqueues', async () => {
    const { statusCode } = await app.inject({ method: 'POST', url: '/rest/v1/people?columns=id,email&select=id', headers: { apikey: settings.secretKey!, traceparent, 'content-type': 'application/json' }, payload: '{"id":1,"email":"ada@example.com"}' });
    expect(statusCode).toBe(201);
    const [{ trace }] = (await database.admin.rows<{ trace: string }>('select trace from mainstay_internal.jobs')) as [{ trace: string }];
    expect((await app.inject({ url: '/rest/v1/nothing', headers: { apikey: settings.secretKey!, traceparent } })).statusCode).toBe(404);
    const caller = makeCaller('key', { role: 'service_role' });
    const id = await asStep('a surface', () => ({ after: traceparent }), () => database.as('mainstay_api').transaction(ownSessionOf(caller), (tx) => enqueue(tx, 'ping', {}, actingAs(caller))));
    const [enqueued] = (await database.admin.rows<{ trace: string }>('select trace from mainstay_internal.jobs where id = $1', [id])) as [{ trace: string }];
    await traces.stop();

    const request = receiver.named('POST /rest/v1/:collection');
    expect(request).toMatchObject({ traceId, parentSpanId: '00f067aa0ba902b7', kind: 2, service: 'mainstay-api' });
    expect(attributesOf(request)).toMatchObject({ 'http.request.method': 'POST', 'http.route': '/rest/v1/:collection', 'url.path': '/rest/v1/people', 'http.response.status_code': 201 });
    const below = receiver.spans.find(({ parentSpanId }) => parentSpanId === request.spanId)!;
    expect(below).toMatchObject({ traceId, kind: 3 });
    expect(attributesOf(below)).toMatchObject({ 'db.system.name': 'postgresql' });
    expect(trace).toMatch(new RegExp(`^00-${traceId}-`));
    expect(enqueued.trace).toBe(`00-${traceId}-${receiver.named('enqueue ping').spanId}-01`);
    expect(attributesOf(receiver.named('GET /rest/v1/:collection'))).toMatchObject({ 'http.response.status_code': 404 });
    expect(JSON.stringify(receiver.spans)).not.toMatch(/ada@|columns=|sb_secret/);
  });
});
