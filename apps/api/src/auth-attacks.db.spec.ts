import { randomInt, randomUUID } from 'node:crypto';
import { makeSecrets } from '@mainstay/auth';
import { readSettings } from '@mainstay/config';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { decodeJwt, SignJWT, type JWTPayload } from 'jose';
import { AuthAdminController } from './auth-admin.controller.ts';
import { AuthOtpController } from './auth-otp.controller.ts';
import { AuthController } from './auth.controller.ts';
import { startQuickAuth } from './quick-auth.ts';

let database: TestDatabase;
let secrets: Record<string, string>;
let app: NestFastifyApplication;

beforeAll(async () => {
  database = await makeTestDatabase();
  secrets = await makeSecrets(database.environment);
  const settings = readSettings({
    ...database.environment, ...secrets, GOTRUE_MAILER_AUTOCONFIRM: 'true', GOTRUE_EXTERNAL_PHONE_ENABLED: 'true', GOTRUE_SMS_AUTOCONFIRM: 'true',
    GOTRUE_PASSWORD_REQUIRED_CHARACTERS: 'abcdefghijklmnopqrstuvwxyz:0123456789', GOTRUE_RATE_LIMIT_OTP: '5',
  });
  app = await startQuickAuth(settings, [AuthController, AuthOtpController, AuthAdminController]);
});
afterAll(async () => {
  await app.close();
  await database.close();
});

interface Ask {
  readonly bearer?: string;
  readonly headers?: Record<string, string>;
  readonly from?: string;
}

async function call(method: string, path: string, body?: unknown, { bearer, headers = {}, from = '127.0.0.1' }: Ask = {}) {
  const answer = await app.inject({
    method: method as 'GET', url: `/auth/v1${path}`, remoteAddress: from,
    headers: { 'x-supabase-api-version': '2024-01-01', apikey: secrets['ANON_KEY']!, ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.body === '' ? null : answer.json() as any };
}

const password = 'passw0rd of mine';
const freshEmail = () => `${randomUUID()}@example.com`;
const service = (method: string, path: string, body?: unknown) => call(method, path, body, { bearer: secrets['SERVICE_ROLE_KEY']! });
const signUp = async (email = freshEmail()) => (await call('POST', '/signup', { email, password })).body;
const sign = (claims: JWTPayload, header: object = {}, key = secrets['JWT_SECRET']!) => new SignJWT(claims).setProtectedHeader({ alg: 'HS256', typ: 'JWT', ...header }).sign(Buffer.from(key));
const inAnHour = () => Math.floor(Date.now() / 1000) + 3600;
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('a token that does not hold', () => {
  const user = () => ({ sub: randomUUID(), role: 'authenticated', aud: 'authenticated', exp: inAnHour() });

  it.each<[string, () => string | Promise<string>, RegExp]>([
    ['is one piece', () => 'bad', /token is malformed: token contains an invalid number of segments$/],
    ['has no header', () => 'a.b.c', /token is malformed/],
    ['is not signed', () => `${part({ alg: 'none' })}.${part(user())}.`, /signing method none is invalid$/],
    ['is not signed, in other letters', () => `${part({ alg: 'nOnE' })}.${part(user())}.`, /token is unverifiable/],
    ['was signed by another project', () => sign(user(), {}, 'x'.repeat(40)), /token signature is invalid: signature is invalid$/],
    ['names a key that is not there', () => sign(user(), { kid: '../../dev/null' }), /invalid|unverifiable/],
    ['brings its own key set', () => sign(user(), { jku: 'https://evil.example/jwks.json' }), /./],
    ['brings its own key', () => sign(user(), { jwk: { kty: 'oct', k: 'AA' } }), /./],
    ['has a critical header', async () => { const [, claims, mac] = (await sign(user())).split('.'); return `${part({ alg: 'HS256', crit: ['exp'], exp: 1 })}.${claims}.${mac}`; }, /./],
    ['has ended', () => sign({ ...user(), exp: 1_700_000_000 }), /token has invalid claims: token is expired$/],
    ['never ends', () => sign({ ...user(), exp: undefined }), /exp/],
    ['ends at a text', () => sign({ ...user(), exp: String(inAnHour()) as unknown as number }), /exp/],
    ['begins tomorrow', () => sign({ ...user(), nbf: inAnHour() + 86_400 }), /token is not valid yet$/],
    ['was issued tomorrow', () => sign({ ...user(), iat: inAnHour() + 86_400 }), /token used before issued$/],
    ['is for somebody else', () => sign({ ...user(), aud: 'another' }), /token has invalid audience$/],
  ])('that %s is refused in GoTrue’s words', async (_name, make, message) => {
    expect(await call('GET', '/user', undefined, { bearer: await make() })).toMatchObject({ status: 403, body: { code: 'bad_jwt', message: expect.stringMatching(message) } });
  });

  it('is no trouble where a self-hosted project has signed a key of its administration by hand', async () => {
    for (const claims of [{ sub: '1234567890', role: 'supabase_admin' }, { role: 'service_role' }]) {
      expect((await call('GET', '/admin/users', undefined, { bearer: await sign(claims) })).status).toBe(200);
    }
  });

  it.each([{ user_metadata: { role: 'service_role' } }, { app_metadata: { role: 'service_role' } }, { role: ['service_role'] }, { role: 'SERVICE_ROLE' }])('%j opens no administration', async (claims) => {
    const { user: { id } } = await signUp();
    expect(await call('GET', '/admin/users', undefined, { bearer: await sign({ sub: id, role: 'authenticated', exp: inAnHour(), ...claims }) })).toMatchObject({ status: 403, body: { code: 'not_admin' } });
  });
});

describe('guessing', () => {
  const statuses = (answers: readonly { status: number }[]) => Object.groupBy(answers, ({ status }) => String(status));

  it.each<[string, (email: string) => (n: number) => object]>([
    ['at sign-in, in many spellings', (email) => (n) => ({ email: n % 2 === 0 ? email : email.toUpperCase() })],
    ['at sign-up, of an account that was never confirmed', (email) => () => ({ email })],
  ])('%s, all at once and from forged addresses, is counted', async (name, spell) => {
    const email = freshEmail();
    await service('POST', '/admin/users', { email, password });
    const path = name.includes('sign-up') ? '/signup' : '/token?grant_type=password';
    const answers = await Promise.all(Array.from({ length: 30 }, (_, n) => call('POST', path, { ...spell(email)(n), password: `guess number ${n}` }, { headers: { 'x-forwarded-for': `10.0.${n}.1`, 'x-real-ip': `10.1.${n}.1`, forwarded: `for=10.2.${n}.1` } })));
    expect(statuses(answers)['429']).toHaveLength(20);
  });

  it('a number is one account, however its plus and spaces stand', async () => {
    const phone = `49151${randomInt(1e7, 1e8)}`;
    await call('POST', '/signup', { phone, password });
    const spellings = [phone, `+${phone}`, `++${phone}`, `${phone.slice(0, 4)} ${phone.slice(4)}`, `${phone}+`];
    const answers = await Promise.all(Array.from({ length: 30 }, (_, n) => call('POST', '/token?grant_type=password', { phone: spellings[n % spellings.length], password: `guess number ${n}` })));
    expect(statuses(answers)['429']).toHaveLength(20);
  });

  it('which addresses are taken, by asking for one’s own account to have them, is limited by network', async () => {
    const { access_token: bearer } = await signUp();
    const taken = freshEmail();
    await signUp(taken);
    const answers = [];
    for (let n = 0; n < 8; n += 1) answers.push(await call('PUT', '/user', { email: taken }, { bearer, from: '203.0.113.9' }));
    expect(answers.map(({ status }) => status)).toEqual([422, 422, 422, 422, 422, 429, 429, 429]);
  });
});

describe('a body that wants more than it may', () => {
  it.each<[string, unknown, number]>([
    ['rights', { role: 'service_role', aud: 'x', id: randomUUID(), is_super_admin: true, is_anonymous: true, email_confirmed_at: '2020-01-01', raw_app_meta_data: { admin: true }, encrypted_password: 'x', banned_until: null }, 200],
    ['app_metadata', { app_metadata: { admin: true } }, 403],
    ['a prototype', '{"__proto__":{"app_metadata":{"admin":true}},"constructor":{"prototype":{"app_metadata":{"admin":true}}}}', 200],
    ['a prototype in its data', '{"data":{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}}', 200],
    ['NUL', '{"data":{"a":"\\u0000"}}', 400],
    ['half a character', '{"data":{"\\ud800":1}}', 400],
    ['a password with half a character', '{"password":"passw0rd \\ud800"}', 400],
    ['a password that is an object', { password: { $ne: '' } }, 400],
    ['more than a token can carry', { data: { a: 'x'.repeat(40_000) } }, 400],
  ])('%s gets none of it', async (_name, body, status) => {
    const { access_token: bearer, user } = await signUp();
    expect((await call('PUT', '/user', body, { bearer })).status).toBe(status);
    const { body: now } = await call('GET', '/user', undefined, { bearer });
    expect(now).toMatchObject({ id: user.id, role: 'authenticated', aud: 'authenticated', is_anonymous: false, app_metadata: { provider: 'email', providers: ['email'] } });
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
  });

  it('at sign-up gets no rights, and no name of another', async () => {
    const other = await signUp();
    const email = freshEmail();
    const { body } = await call('POST', '/signup', { email, password, role: 'service_role', aud: 'x', id: other.user.id, app_metadata: { admin: true }, data: { sub: other.user.id, email: other.user.email, email_verified: true } });
    expect(body.user).toMatchObject({ email, role: 'authenticated', app_metadata: { provider: 'email', providers: ['email'] }, user_metadata: { sub: body.user.id, email } });
    expect(decodeJwt(body.access_token)).toMatchObject({ sub: body.user.id, role: 'authenticated', aud: 'authenticated' });
  });
});

describe('rules hold at every door', () => {
  it.each([['create', 'only letters'], ['update', 'only letters'], ['create', 'ab1'], ['update', 'ab1']])('an administrator who would %s a user with a password that nobody may choose is told so', async (way, weak) => {
    const { user } = await signUp();
    const answer = way === 'create' ? await service('POST', '/admin/users', { email: freshEmail(), password: weak }) : await service('PUT', `/admin/users/${user.id}`, { password: weak });
    expect(answer).toMatchObject({ status: 422, body: { code: 'weak_password', weak_password: { reasons: [weak === 'ab1' ? 'length' : 'characters'] } } });
  });

  it('who is banned does not come in by signing up again', async () => {
    const email = freshEmail();
    await service('POST', '/admin/users', { email, password, ban_duration: '1h' });
    expect(await call('POST', '/signup', { email, password })).toMatchObject({ status: 400, body: { code: 'user_banned' } });
  });

  it('a refresh without a token says so as OAuth does', async () => {
    expect(await call('POST', '/token?grant_type=refresh_token', {})).toMatchObject({ status: 400, body: { error: 'invalid_request', error_description: 'refresh_token required' } });
  });
});
