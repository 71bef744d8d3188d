import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { AuthModule, makeSecrets } from '@mainstay/auth';
import { askForRequestBy, JobsService, SigningSecrets } from '@mainstay/automation';
import { readSettings } from '@mainstay/config';
import { makeOutward } from '@mainstay/outward';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { SignJWT } from 'jose';
import { makeHttpServer } from './http-server.ts';
import { JobsController } from './jobs.controller.ts';
import { SigningSecretsController } from './signing-secrets.controller.ts';
import { SurfaceFilter } from './surface.filter.ts';

type Who = 'guest' | 'anna' | 'service';

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
    controllers: [SigningSecretsController, JobsController],
    providers: [SurfaceFilter, { provide: JobsService, useValue: new JobsService(database, askForRequestBy(makeOutward(settings))) }, { provide: SigningSecrets, useValue: new SigningSecrets(database, settings.secret!) }],
  }).compile();
  app = module.createNestApplication<NestFastifyApplication>(makeHttpServer(settings), { bodyParser: false, logger: false });
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
});
afterAll(async () => {
  await app.close();
  await test.close();
});

const anna = new Map<string, string>();

async function credentials(who: Who): Promise<Record<string, string>> {
  if (who === 'guest') return { apikey: secrets['SUPABASE_PUBLISHABLE_KEY']! };
  if (who === 'service') return { apikey: secrets['SUPABASE_SECRET_KEY']! };
  const token = anna.get('token') ?? (await new SignJWT({ role: 'authenticated', aud: 'authenticated' }).setSubject(randomUUID()).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('1h').sign(new TextEncoder().encode(secrets['JWT_SECRET'])));
  anna.set('token', token);
  return { authorization: `Bearer ${token}` };
}

async function ask(who: Who, method: 'GET' | 'POST', url: string, body?: object, headers: Record<string, string> = {}): Promise<{ status: number; body: any }> {
  const answer = await app.inject({ method, url, headers: { ...(await credentials(who)), ...headers }, ...(body === undefined ? {} : { payload: body }) });
  return { status: answer.statusCode, body: answer.json() };
}

describe('POST /jobs/v1 with a URL', () => {
  it('makes a job that can be looked at and cancelled, and the same one for the same key', async () => {
    const body = { url: 'https://example.com/hook', body: { a: 1 }, headers: { 'x-a': 'b' }, max_attempts: 3 };
    const made = await ask('service', 'POST', '/jobs/v1', body, { 'idempotency-key': 'once' });
    expect(made).toMatchObject({ status: 202, body: { kind: 'send-request', queue: 'calls', state: 'queued', owner: 'service_role', max_attempts: 3 } });
    expect(await ask('service', 'POST', '/jobs/v1', body, { 'idempotency-key': 'once' })).toEqual(made);
    expect(await ask('service', 'GET', `/jobs/v1/${made.body.id}`)).toMatchObject({ status: 200 });
    expect(await ask('service', 'POST', `/jobs/v1/${made.body.id}/cancel`)).toMatchObject({ status: 200, body: { state: 'cancelled' } });
  });

  it.each<[Who, object, number, object]>([
    ['guest', { url: 'https://example.com/' }, 401, { code: 'job_needs_caller' }],
    ['anna', { url: 'https://example.com/' }, 403, { code: 'request_needs_service_key' }],
    ['service', { url: 'http://169.254.169.254/latest/meta-data/' }, 400, { code: 'request_not_valid', details: { reason: 'address_refused' }, hint: expect.stringContaining('MAINSTAY_OUTWARD_ALLOW=169.254.169.254:80') }],
    ['service', { url: 'http://0x7f.1/' }, 400, { code: 'request_not_valid', details: { reason: 'address_refused' } }],
    ['service', { url: 'http://example.com:6379/' }, 400, { code: 'request_not_valid', details: { reason: 'port_refused' } }],
    ['service', { url: 'file:///etc/passwd' }, 400, { code: 'request_not_valid', details: { reason: 'scheme_refused' } }],
    ['service', { url: 'https://example.com/', function: 'public.x' }, 400, { code: 'request_not_valid' }],
    ['service', { url: 'https://example.com/', timeout_ms: 1 }, 400, { code: 'request_not_valid', message: 'timeout_ms must be from 100 to 300000, not 1' }],
    ['service', { url: 7 }, 400, { code: 'request_not_valid', message: '"url" must be a text' }],
  ])('as %s, %j: %i', async (who, body, status, answer) => {
    expect(await ask(who, 'POST', '/jobs/v1', body)).toMatchObject({ status, body: answer });
  });
});

describe('/jobs/v1/signing-secrets', () => {
  it('shows the secret, and rotates it with an overlap', async () => {
    const [first] = (await ask('service', 'GET', '/jobs/v1/signing-secrets')).body;
    expect(first).toMatchObject({ secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/), expires_at: null });
    const rotated = await ask('service', 'POST', '/jobs/v1/signing-secrets/rotate', { overlap_seconds: 60 });
    expect(rotated).toMatchObject({ status: 200, body: [{ expires_at: null }, { id: first.id, secret: first.secret, expires_at: expect.any(String) }] });
    expect((await ask('service', 'GET', '/jobs/v1/signing-secrets')).body).toEqual(rotated.body);
    expect(await ask('service', 'POST', '/jobs/v1/signing-secrets/rotate', { overlap_seconds: -1 })).toMatchObject({ status: 400, body: { code: 'request_not_valid' } });
  });

  it.each<Who>(['guest', 'anna'])('is not for %s', async (who) => {
    for (const [method, path] of [['GET', ''], ['POST', '/rotate']] as const) expect(await ask(who, method, `/jobs/v1/signing-secrets${path}`)).toMatchObject({ status: 403, body: { code: 'signing_needs_service_key' } });
  });
});

it('the SQL of docs/outgoing-calls.md runs as postgres', async () => {
  await test.admin.transaction({ role: 'postgres', settings: {} }, (tx) => tx.rows('create table public.orders (id bigint)'));
  const page = readFileSync(new URL('../../../docs/outgoing-calls.md', import.meta.url), 'utf8');
  const blocks = [...page.matchAll(/```sql\n([\s\S]*?)```/g)].map(([, sql]) => sql!);
  expect(blocks.length).toBeGreaterThanOrEqual(4);
  for (const sql of blocks) await test.admin.transaction({ role: 'postgres', settings: {} }, (tx) => tx.rows(sql));
});
