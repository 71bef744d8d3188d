import { randomUUID } from 'node:crypto';
import { Keyring, KeyStore, makeSecrets } from '@mainstay/auth';
import { readSettings } from '@mainstay/config';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { AuthController, JwksController } from './auth.controller.ts';
import { KeysController } from './keys.controller.ts';
import { startQuickAuth } from './quick-auth.ts';

let database: TestDatabase;
let secrets: Record<string, string>;
/** Two processes on one database, but for Passport, which has one strategy of a name in a process: whatever is proved anew is proved by the last that was started. */
let one: NestFastifyApplication;
let two: NestFastifyApplication;
const apps: NestFastifyApplication[] = [];

beforeAll(async () => {
  database = await makeTestDatabase();
  secrets = await makeSecrets(database.environment);
  [one, two] = [await startApp(), await startApp()];
  await database.admin.rows('create role keyed_reader');
  await database.admin.rows('grant keyed_reader to authenticator');
  await database.admin.rows('create role nobody_may_be');
});

afterAll(async () => {
  await Promise.all(apps.map((each) => each.close()));
  await database.close();
  const server = await makeTestDatabase();
  await server.admin.rows('drop role if exists keyed_reader, nobody_may_be');
  await server.close();
});

async function startApp(more: Record<string, string> = {}): Promise<NestFastifyApplication> {
  const settings = readSettings({ ...database.environment, ...secrets, GOTRUE_MAILER_AUTOCONFIRM: 'true', ...more });
  const app = await startQuickAuth(settings, [AuthController, KeysController, JwksController]);
  apps.push(app);
  return app;
}

async function call(app: NestFastifyApplication, method: string, url: string, body?: unknown, key = secrets['SUPABASE_SECRET_KEY']!, bearer = key) {
  const answer = await app.inject({
    method: method as 'GET', url, headers: { apikey: key, authorization: `Bearer ${bearer}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.body === '' ? null : answer.json() as any };
}

/** Asks until the answer is as wished: a change needs a moment to reach another process. */
async function soon<T>(ask: () => Promise<T>, isRight: (answer: T) => boolean): Promise<T> {
  for (let n = 0; ; n += 1) {
    const answer = await ask();
    if (isRight(answer) || n > 40) return answer;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

const create = (body: object, app = one) => call(app, 'POST', '/keys/v1', { name: randomUUID(), ...body });
const statusWith = async (app: NestFastifyApplication, key: string) => (await call(app, 'GET', '/keys/v1', undefined, key)).status;

describe('an API key', () => {
  it('is shown once, kept as a digest, known everywhere, and refused everywhere when it is revoked', async () => {
    const { status, body } = await create({ name: 'import job' });
    expect(status).toBe(201);
    expect(body).toEqual({ id: expect.any(String), name: 'import job', kind: 'secret', role: 'service_role', source: 'database', key: expect.stringMatching(/^sb_secret_[\w-]{22}_[\w-]{8}$/), hint: expect.stringMatching(/^sb_secret_.{5}…$/), created_at: expect.any(String), expires_at: null, revoked_at: null });
    expect((await call(two, 'GET', '/keys/v1', undefined, body.key)).body).toContainEqual(expect.objectContaining({ id: body.id, name: 'import job' }));
    const [dump] = await database.admin.rows<{ all: string }>(`select (select json_agg(k) from mainstay_internal.api_keys k)::text || (select json_agg(a) from auth.audit_log_entries a)::text as all`);
    expect(dump!.all).not.toContain(body.key.slice(0, 20));
    expect((await call(one, 'DELETE', `/keys/v1/${body.id}`)).status).toBe(204);
    // Where it was revoked it is refused at once, elsewhere as soon as that is heard of.
    expect(await statusWith(one, body.key)).toBe(401);
    expect(await soon(() => statusWith(two, body.key), (answer) => answer === 401)).toBe(401);
    expect((await call(one, 'DELETE', `/keys/v1/${body.id}`)).body).toMatchObject({ code: 'key_not_found' });
    const told = await database.admin.rows<{ action: string }>(`select payload ->> 'action' as action from auth.audit_log_entries where payload #>> '{traits,key_id}' = $1 order by created_at`, [body.id]);
    expect(told.map(({ action }) => action)).toEqual(['api_key_created', 'api_key_revoked']);
  });

  it('ends by itself', async () => {
    const { body } = await create({ expires_at: new Date(Date.now() + 400).toISOString() });
    expect(await statusWith(one, body.key)).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await statusWith(one, body.key)).toBe(401);
    expect(await statusWith(two, body.key)).toBe(401);
  });

  it('has the scope of its role', async () => {
    const { body } = await create({ role: 'keyed_reader' });
    expect((await call(one, 'GET', '/keys/v1', undefined, body.key)).body).toMatchObject({ code: 'service_role_needed' });
    const { body: open } = await create({ kind: 'publishable' });
    expect(open).toMatchObject({ role: 'anon', key: expect.stringMatching(/^sb_publishable_/) });
  });

  it.each([
    [{ name: ' ' }, 400, '"name" must be a text of 1 to 100 characters'],
    [{ kind: 'other' }, 400, '"kind" must be "secret" or "publishable"'],
    [{ role: 'no_such_role' }, 400, 'There is no role "no_such_role" in the database'],
    [{ role: 'nobody_may_be' }, 400, 'Requests cannot be made as "nobody_may_be": GRANT "nobody_may_be" TO authenticator'],
    [{ kind: 'publishable', role: 'service_role' }, 400, 'A publishable key cannot have the role "service_role", which no row policy binds'],
    [{ expires_at: '2001-01-01' }, 400, '"expires_at" must be a time to come, such as 2030-01-31T00:00:00Z'],
    [{ expires_at: 'soon' }, 400, '"expires_at" must be a time to come, such as 2030-01-31T00:00:00Z'],
  ])('%j is refused', async (body, status, message) => {
    expect(await create(body)).toMatchObject({ status, body: { message } });
  });

  it('has a name that no other living one has', async () => {
    expect((await create({ name: 'twice' })).status).toBe(201);
    expect(await create({ name: 'twice' })).toMatchObject({ status: 409, body: { code: 'key_name_taken' } });
  });

  it.each([['GET', '/keys/v1'], ['POST', '/keys/v1'], ['DELETE', '/keys/v1/x'], ['GET', '/keys/v1/signing'], ['POST', '/keys/v1/signing/rotate'], ['DELETE', '/keys/v1/signing/x']])('%s %s is for the service key alone', async (method, url) => {
    for (const key of ['SUPABASE_PUBLISHABLE_KEY', 'ANON_KEY']) expect(await call(one, method, url, method === 'POST' ? {} : undefined, secrets[key]!)).toMatchObject({ status: 403, body: { code: 'service_role_needed' } });
  });
});

describe('signing keys', () => {
  const password = 'correct horse battery';
  const session = async (app: NestFastifyApplication) => (await call(app, 'POST', '/auth/v1/signup', { email: `${randomUUID()}@example.com`, password }, secrets['ANON_KEY']!)).body;
  const userWith = async (app: NestFastifyApplication, token: string) => (await call(app, 'GET', '/auth/v1/user', undefined, secrets['ANON_KEY']!, token)).status;
  const kidOf = (token: string) => decodeProtectedHeader(token).kid!;
  const signing = async (app = one) => (await call(app, 'GET', '/keys/v1/signing')).body as { kid: string; state: string; source: string }[];
  const jwks = async (app: NestFastifyApplication) => (await app.inject({ method: 'GET', url: '/auth/v1/.well-known/jwks.json' })).json() as { keys: any[] };

  it('are rotated while everybody stays signed in, in every process', async () => {
    const [before] = await signing();
    const old = await session(one);
    expect(before).toMatchObject({ kid: kidOf(old.access_token), state: 'current', source: 'settings' });

    const { body: rotated } = await call(one, 'POST', '/keys/v1/signing/rotate');
    expect(rotated.map(({ state, source }: any) => [state, source]).sort()).toEqual([['current', 'database'], ['previous', 'settings'], ['standby', 'database']]);
    const fresh = await session(one);
    expect(kidOf(fresh.access_token)).not.toBe(before!.kid);
    // At once, before or after the other has heard of it.
    for (const app of [two, one]) for (const token of [fresh.access_token, old.access_token]) expect(await userWith(app, token)).toBe(200);
    expect(kidOf((await session(two)).access_token)).toBe(kidOf(fresh.access_token));

    const standby = rotated.find(({ state }: any) => state === 'standby').kid;
    const published = await jwks(two);
    expect(published.keys.map(({ kid }) => kid).sort()).toEqual([before!.kid, kidOf(fresh.access_token), standby].sort());
    for (const key of published.keys) for (const half of ['d', 'k', 'p', 'q']) expect(key).not.toHaveProperty(half);
    for (const token of [old.access_token, fresh.access_token]) await jwtVerify(token, createLocalJWKSet(published as never));

    await call(two, 'POST', '/keys/v1/signing/rotate');
    expect(kidOf((await session(two)).access_token)).toBe(standby);
    for (const token of [old.access_token, fresh.access_token]) expect(await userWith(one, token)).toBe(200);
    expect((await call(one, 'POST', '/auth/v1/token?grant_type=refresh_token', { refresh_token: old.refresh_token }, secrets['ANON_KEY']!)).status).toBe(200);
  });

  it('stand in the database sealed', async () => {
    const [row] = await database.admin.rows<{ all: string }>(`select json_agg(k)::text as all from mainstay_internal.signing_keys k`);
    expect(row!.all).not.toMatch(/"d"\s*:/);
    const [, second] = await database.admin.rows<{ kid: string }>(`select kid from mainstay_internal.signing_keys where sealed is not null order by kid`);
    expect(second).toBeDefined();
  });

  it('that are previous can be revoked, and what they signed is refused; the current one cannot', async () => {
    const old = await session(one);
    await call(one, 'POST', '/keys/v1/signing/rotate');
    const kid = kidOf(old.access_token);
    expect(await userWith(two, old.access_token)).toBe(200);
    expect((await call(one, 'DELETE', `/keys/v1/signing/${kid}`)).status).toBe(204);
    expect(await soon(() => userWith(two, old.access_token), (status) => status === 403)).toBe(403);
    expect((await jwks(two)).keys.map((key) => key.kid)).not.toContain(kid);
    const current = (await signing()).find(({ state }) => state === 'current')!;
    expect(await call(one, 'DELETE', `/keys/v1/signing/${current.kid}`)).toMatchObject({ status: 409, body: { code: 'key_needed' } });
    const ofSettings = (await signing()).find(({ source }) => source === 'settings')!;
    expect((await call(one, 'DELETE', `/keys/v1/signing/${ofSettings.kid}`)).status).toBe(204);
    expect((await signing()).find((key) => key.kid === ofSettings.kid)).toMatchObject({ state: 'revoked' });
  });

  it('fall back to those of the settings where another MAINSTAY_SECRET sealed them', async () => {
    const { settings } = database;
    const store = new KeyStore({ rows: (text: string, values?: readonly unknown[]) => database.admin.rows(text, values) } as never, { ...settings, ...readSettings({ ...database.environment, ...secrets }), secret: 'x'.repeat(40) }, await Keyring.read(readSettings({ ...database.environment, ...secrets })));
    await store.reread();
    const current = (await signing()).find(({ state }) => state === 'current')!;
    expect(store.signing.kid).not.toBe(current.kid);
    expect(store.published.keys.map(({ kid }) => kid)).toContain(current.kid);
  });

  it.each(['RS256', 'HS256'])('are %s by a setting', async (alg) => {
    const app = await startApp({ MAINSTAY_JWT_ALGORITHM: alg });
    await call(app, 'POST', '/keys/v1/signing/rotate');
    const { access_token: token } = await session(app);
    expect(decodeProtectedHeader(token).alg).toBe(alg);
    expect(await userWith(app, token)).toBe(200);
    expect((await jwks(app)).keys.some(({ kid }) => kid === kidOf(token))).toBe(alg === 'RS256');
  });
});

describe('keys of the settings', () => {
  it('stand in the list, and one can be revoked as long as another may do as much', async () => {
    const ids = (await call(one, 'GET', '/keys/v1')).body.filter(({ source }: any) => source === 'settings').map(({ id }: any) => id);
    expect(ids).toEqual(['SUPABASE_PUBLISHABLE_KEY', 'SUPABASE_SECRET_KEY', 'ANON_KEY', 'SERVICE_ROLE_KEY']);
    expect(await call(one, 'DELETE', '/keys/v1/SERVICE_ROLE_KEY')).toMatchObject({ status: 400, body: { message: 'SERVICE_ROLE_KEY is a token that JWT_SECRET signed: change JWT_SECRET to end it' } });
    expect((await call(one, 'DELETE', '/keys/v1/SUPABASE_PUBLISHABLE_KEY')).status).toBe(204);
    const open = async () => (await call(one, 'GET', '/auth/v1/settings', undefined, secrets['SUPABASE_PUBLISHABLE_KEY']!)).status;
    expect(await soon(open, (status) => status === 401)).toBe(401);
    const third = await startApp();
    expect((await call(third, 'GET', '/auth/v1/settings', undefined, secrets['SUPABASE_PUBLISHABLE_KEY']!)).status).toBe(401);
  });
});
