import { randomUUID } from 'node:crypto';
import { AuthModule, makeSecrets } from '@mainstay/auth';
import { JobsService } from '@mainstay/automation';
import { readSettings } from '@mainstay/config';
import { asHouse, asWorker, enqueue, type EnqueueTerms } from '@mainstay/persistence';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { SignJWT } from 'jose';
import { makeHttpServer } from './http-server.ts';
import { JobsController } from './jobs.controller.ts';
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
    controllers: [JobsController],
    providers: [SurfaceFilter, { provide: JobsService, useValue: new JobsService(test.as('mainstay_api', 10)) }],
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
beforeEach(() => test.admin.rows('truncate mainstay_internal.jobs, mainstay_internal.outbox, mainstay_internal.idempotency_keys'));

describe('who may do what with anna’s job', () => {
  it.each<[Who, number]>([
    ['guest', 401],
    ['anna', 200],
    ['bert', 404],
    ['service', 200],
  ])('%s: %i', async (who, status) => {
    for (const action of ['', '/cancel', '/retry']) {
      const id = await put({ owner: anna });
      if (action === '/retry') await end(id, 'dead');
      const { status: answered, body } = await ask(who, action === '' ? 'GET' : 'POST', `/jobs/v1/${id}${action}`);
      expect(answered).toBe(status);
      expect(body).toMatchObject(status === 200 ? { id, owner: anna } : { code: status === 401 ? 'job_needs_caller' : 'job_not_found', details: status === 401 ? null : id });
      // Whoever may not must not have changed it either.
      const [{ state }] = (await test.admin.rows<{ state: string }>('select state from mainstay_internal.jobs where id = $1', [id])) as [{ state: string }];
      expect(state).toBe(status === 200 ? { '': 'queued', '/cancel': 'cancelled', '/retry': 'queued' }[action] : action === '/retry' ? 'dead' : 'queued');
    }
  });

  it('a list shows one’s own, and all to the service key', async () => {
    const mine = await put({ owner: anna });
    const other = await put({ owner: bert });
    const house = await put();
    expect(ids(await ask('anna', 'GET', '/jobs/v1'))).toEqual([mine]);
    expect(ids(await ask('service', 'GET', '/jobs/v1'))).toEqual([house, other, mine]);
    expect((await ask('guest', 'GET', '/jobs/v1')).status).toBe(401);
  });
});

describe('a job', () => {
  it('is shown with nothing of the engine’s own', async () => {
    const id = await put({ owner: anna });
    const { body } = await ask('anna', 'GET', `/jobs/v1/${id}`);
    expect(Object.keys(body).sort()).toEqual(
      ['after', 'arguments', 'attempts', 'created_at', 'error', 'finished_at', 'function', 'id', 'kind', 'max_attempts', 'owner', 'priority', 'progress', 'queue', 'result', 'role', 'run_at', 'started_at', 'state'],
    );
    expect(body).toMatchObject({ id, kind: 'ping', queue: 'upkeep', state: 'queued', owner: anna, attempts: 0, max_attempts: 3, created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) });
  });

  it('that has ended cannot be cancelled, and one that is open cannot be sent again', async () => {
    const id = await put({ owner: anna });
    expect(await ask('anna', 'POST', `/jobs/v1/${id}/retry`)).toMatchObject({ status: 409, body: { code: 'job_is_open', details: 'It is queued.' } });
    await end(id, 'done');
    expect(await ask('anna', 'POST', `/jobs/v1/${id}/cancel`)).toMatchObject({ status: 409, body: { code: 'job_is_over', details: 'It is done.' } });
    expect(await ask('anna', 'POST', `/jobs/v1/${id}/retry`)).toMatchObject({ status: 409, body: { code: 'job_is_done' } });
  });

  it('is not sent again while another open one has its key', async () => {
    const dead = await put({ owner: anna, key: 'one' });
    await end(dead, 'dead');
    await put({ owner: anna, key: 'one' });
    expect(await ask('anna', 'POST', `/jobs/v1/${dead}/retry`)).toMatchObject({ status: 409, body: { code: 'job_has_successor' } });
  });

  it('sent again with an Idempotency-Key is sent once, and answered the same', async () => {
    const id = await put({ owner: anna });
    await end(id, 'dead');
    const key = { 'idempotency-key': 'again-1' };
    const first = await ask('anna', 'POST', `/jobs/v1/${id}/retry`, key);
    const second = await ask('anna', 'POST', `/jobs/v1/${id}/retry`, key);
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(second.text).toBe(first.text);
    expect([first.replayed, second.replayed]).toEqual([undefined, 'true']);
    expect(await ask('anna', 'POST', `/jobs/v1/${id}/cancel`, key)).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
    expect(await ask('anna', 'POST', `/jobs/v1/${id}/cancel`, { 'idempotency-key': 'a b' })).toMatchObject({ status: 400, body: { code: 'idempotency_key_not_valid' } });
  });
});

describe('a list', () => {
  it('has filters and goes on where it stopped', async () => {
    const made: string[] = [];
    for (let i = 0; i < 5; i += 1) made.push(await put({ owner: anna }));
    await end(made[1]!, 'dead');
    made.reverse();
    expect(ids(await ask('anna', 'GET', '/jobs/v1?limit=2'))).toEqual(made.slice(0, 2));
    expect(ids(await ask('anna', 'GET', `/jobs/v1?limit=2&before=${made[1]}`))).toEqual(made.slice(2, 4));
    expect(ids(await ask('anna', 'GET', '/jobs/v1?state=dead'))).toEqual([made[3]]);
    expect(ids(await ask('anna', 'GET', '/jobs/v1?kind=import-rows'))).toEqual([]);
    expect(ids(await ask('anna', 'GET', '/jobs/v1?kind=ping&state=queued'))).toHaveLength(4);
  });

  it.each([
    ['state=over', '"over" is no state of a job'],
    ['limit=0', '"limit" must be a whole number from 1 to 500, not "0"'],
    ['limit=1e3', '"limit" must be a whole number from 1 to 500, not "1e3"'],
    ['before=1', '"before" must be the id of a job, not "1"'],
    ['kind=ping&kind=ping', '"kind" must be the name of a kind of job, such as "import-rows"'],
  ])('refuses %s', async (query, message) => {
    expect(await ask('anna', 'GET', `/jobs/v1?${query}`)).toMatchObject({ status: 400, body: { code: 'job_filter_not_valid', message } });
  });

  it.each(['/jobs/v1?kind=%00', '/jobs/v1/%00'])('%s is refused before anything is looked up', async (path) => {
    expect(await ask('anna', 'GET', path)).toMatchObject({ status: 400, body: { code: 'text_not_storable' } });
  });

  it('of an id that is none knows no such job', async () => {
    for (const id of ['1', randomUUID(), "';select"]) expect(await ask('anna', 'GET', `/jobs/v1/${encodeURIComponent(decodeURIComponent(id))}`)).toMatchObject({ status: 404, body: { code: 'job_not_found' } });
  });
});

interface Answer {
  status: number;
  body: any;
  text: string;
  replayed: unknown;
}

async function ask(who: Who, method: 'GET' | 'POST', url: string, headers: Record<string, string> = {}): Promise<Answer> {
  const answer = await app.inject({ method, url, headers: { ...(await credentials(who)), ...headers } });
  return { status: answer.statusCode, body: answer.json(), text: answer.body, replayed: answer.headers['idempotency-replayed'] };
}

async function credentials(who: Who): Promise<Record<string, string>> {
  if (who === 'guest') return {};
  if (who === 'service') return { apikey: secrets['SUPABASE_SECRET_KEY']! };
  const token = await new SignJWT({ sub: who === 'anna' ? anna : bert, role: 'authenticated' }).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('1h').sign(Buffer.from(secrets['JWT_SECRET']!));
  return { apikey: secrets['SUPABASE_PUBLISHABLE_KEY']!, authorization: `Bearer ${token}` };
}

function ids({ body }: Answer): string[] {
  return (body as { id: string }[]).map(({ id }) => id);
}

async function put(terms: Partial<EnqueueTerms> = {}): Promise<string> {
  // Ids grow by the millisecond; a list of two made in the same one may have either first.
  await new Promise((resolve) => setTimeout(resolve, 2));
  return test.admin.transaction(asWorker, (tx) => enqueue(tx, 'ping', {}, { ...asHouse, ...terms }));
}

function end(id: string, state: string): Promise<unknown> {
  return test.admin.rows(`update mainstay_internal.jobs set state = $2, finished_at = now() where id = $1`, [id, state]);
}
