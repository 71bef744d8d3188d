import { randomUUID } from 'node:crypto';
import { makeSecrets } from '@mainstay/auth';
import { readSettings } from '@mainstay/config';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify, SignJWT, type JSONWebKeySet } from 'jose';
import { AuthAdminController } from './auth-admin.controller.ts';
import { AuthOtpController } from './auth-otp.controller.ts';
import { AuthController, AuthNotYetController, JwksController } from './auth.controller.ts';
import { startQuickAuth } from './quick-auth.ts';

interface Answer {
  readonly status: number;
  readonly body: any;
  readonly headers: Record<string, unknown>;
}

interface Ask {
  readonly bearer?: string;
  readonly apikey?: string | null;
  readonly headers?: Record<string, string>;
}

let database: TestDatabase;
let secrets: Record<string, string>;
let app: NestFastifyApplication;
let appWithMail: NestFastifyApplication;

const apps: NestFastifyApplication[] = [];

beforeAll(async () => {
  database = await makeTestDatabase();
  secrets = await makeSecrets(database.environment);
  app = await startApp({ GOTRUE_MAILER_AUTOCONFIRM: 'true' });
  appWithMail = await startApp({ GOTRUE_SMTP_MAX_FREQUENCY: '0' });
});

afterAll(async () => {
  await Promise.all(apps.map((each) => each.close()));
  await database.close();
});

async function startApp(more: Record<string, string>): Promise<NestFastifyApplication> {
  const settings = readSettings({ ...database.environment, ...secrets, ...more });
  const started = await startQuickAuth(settings, [AuthController, AuthOtpController, AuthAdminController, JwksController, AuthNotYetController]);
  apps.push(started);
  return started;
}

async function call(method: string, path: string, body?: unknown, ask: Ask = {}, on = app): Promise<Answer> {
  const apikey = ask.apikey === undefined ? secrets['ANON_KEY']! : ask.apikey;
  const answer = await on.inject({
    method: method as 'GET',
    url: path.startsWith('/.well-known/jwks') ? path : `/auth/v1${path}`,
    headers: {
      'x-supabase-api-version': '2024-01-01',
      ...(apikey === null ? {} : { apikey }),
      ...(ask.bearer === undefined ? {} : { authorization: `Bearer ${ask.bearer}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json;charset=UTF-8' }),
      ...ask.headers,
    },
    ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: answer.statusCode, headers: answer.headers, body: answer.body === '' ? null : answer.json() };
}

const post = (path: string, body: unknown, ask?: Ask, on?: NestFastifyApplication) => call('POST', path, body, ask, on);
const admin = (method: string, path: string, body?: unknown) => call(method, `/admin${path}`, body, { bearer: secrets['SERVICE_ROLE_KEY']! });
const freshEmail = () => `user-${randomUUID()}@example.com`;
const password = 'correct horse battery';

async function signUp(email = freshEmail(), data: object = {}): Promise<{ email: string; id: string; access: string; refresh: string }> {
  const { status, body } = await post('/signup', { email, password, data });
  expect(status).toBe(200);
  return { email, id: body.user.id, access: body.access_token, refresh: body.refresh_token };
}

const signIn = (email: string, secret = password) => post('/token?grant_type=password', { email, password: secret });
const refresh = (refresh_token: string) => post('/token?grant_type=refresh_token', { refresh_token });
/** Makes every token of a session look as if it had been used so many seconds ago. */
const age = (seconds: number, refreshOf: string) =>
  database.admin.rows(`update auth.refresh_tokens set updated_at = updated_at - make_interval(secs => $1) where session_id = $2`, [seconds, decodeJwt(refreshOf)['session_id']]);

describe('sign-up', () => {
  it('gives a session whose user is confirmed', async () => {
    const email = `Mixed-${randomUUID()}@Example.com`;
    const { status, body, headers } = await post('/signup', { email, password, data: { full_name: 'Ada' }, gotrue_meta_security: {}, code_challenge: null, code_challenge_method: null });
    expect(status).toBe(200);
    expect(headers).toMatchObject({ 'x-supabase-api-version': '2024-01-01', 'cache-control': 'no-store' });
    expect(body).toEqual({
      access_token: expect.any(String), token_type: 'bearer', expires_in: 3600, expires_at: expect.any(Number), refresh_token: expect.stringMatching(/^[\w-]{22}$/),
      user: {
        id: expect.any(String), aud: 'authenticated', role: 'authenticated', email: email.toLowerCase(), phone: '', email_confirmed_at: expect.any(String), confirmed_at: expect.any(String),
        last_sign_in_at: expect.any(String), app_metadata: { provider: 'email', providers: ['email'] },
        user_metadata: { full_name: 'Ada', sub: body.user.id, email: email.toLowerCase(), email_verified: true, phone_verified: false },
        identities: [{
          identity_id: expect.any(String), id: body.user.id, user_id: body.user.id, provider: 'email', email: email.toLowerCase(), created_at: expect.any(String), updated_at: expect.any(String), last_sign_in_at: expect.any(String),
          identity_data: { full_name: 'Ada', sub: body.user.id, email: email.toLowerCase(), email_verified: false, phone_verified: false },
        }],
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/), updated_at: expect.any(String), is_anonymous: false,
      },
    });
    expect(Math.abs(body.expires_at - Date.now() / 1000 - 3600)).toBeLessThan(5);
  });

  it('signs an ES256 token with the claims of the protocol, which the published keys verify', async () => {
    const { access, id, email } = await signUp();
    const jwks = (await call('GET', '/.well-known/jwks.json', undefined, { apikey: null })).body as JSONWebKeySet;
    const { payload } = await jwtVerify(access, createLocalJWKSet(jwks), { audience: 'authenticated' });
    expect(payload).toEqual({
      iss: 'http://127.0.0.1:54321/auth/v1', sub: id, aud: 'authenticated', exp: payload.iat! + 3600, iat: expect.any(Number), email, phone: '', app_metadata: { provider: 'email', providers: ['email'] },
      user_metadata: expect.objectContaining({ sub: id, email }), role: 'authenticated', aal: 'aal1', amr: [{ method: 'password', timestamp: expect.any(Number) }], session_id: expect.any(String), is_anonymous: false,
    });
    expect(decodeProtectedHeader(access)).toEqual({ alg: 'ES256', typ: 'JWT', kid: jwks.keys[0]!.kid });
  });

  it('lets a trigger of the project read the metadata at the insert, and see the confirmation as a change', async () => {
    await database.admin.rows(`
      create table public.profiles (id uuid primary key references auth.users on delete cascade, name text, was_confirmed boolean, confirmed integer not null default 0);
      create function public.on_user() returns trigger language plpgsql security definer set search_path = '' as $$
      begin
        if tg_op = 'INSERT' then insert into public.profiles values (new.id, new.raw_user_meta_data ->> 'full_name', new.email_confirmed_at is not null);
        else update public.profiles set confirmed = confirmed + 1 where id = new.id; end if;
        return new;
      end $$;
      create trigger made after insert on auth.users for each row execute function public.on_user();
      create trigger confirmed after update on auth.users for each row when (old.email_confirmed_at is null and new.email_confirmed_at is not null) execute function public.on_user()`);
    const { id } = await signUp(undefined, { full_name: 'Grace' });
    expect(await database.admin.rows('select * from public.profiles')).toEqual([{ id, name: 'Grace', was_confirmed: false, confirmed: 1 }]);
    await database.admin.rows('drop function public.on_user cascade; drop table public.profiles');
  });

  it('is undone whole when a trigger refuses it, and says so as GoTrue does', async () => {
    await database.admin.rows(`
      create function public.refuse() returns trigger language plpgsql as $$ begin raise exception 'not you, secret detail'; end $$;
      create trigger refuse after insert on auth.identities for each row execute function public.refuse()`);
    const email = freshEmail();
    const { status, body, headers } = await post('/signup', { email, password });
    await database.admin.rows('drop function public.refuse cascade');
    expect({ status, body }).toEqual({ status: 500, body: { code: 'unexpected_failure', message: 'Database error saving new user', error_id: expect.any(String) } });
    expect(headers['x-sb-error-code']).toBe('unexpected_failure');
    expect(await database.admin.rows('select from auth.users where email = $1', [email])).toEqual([]);
    await signUp(email);
  });

  it('of one address by many at once makes one account', async () => {
    const email = freshEmail();
    const answers = await Promise.all(Array.from({ length: 8 }, () => post('/signup', { email, password })));
    expect(answers.map(({ status, body }) => (status === 200 ? 'made' : body.code)).sort()).toEqual(['made', ...Array(7).fill('user_already_exists')]);
  });

  it('gives an unconfirmed account to whoever knows its password, and to nobody else', async () => {
    const email = freshEmail();
    await admin('POST', '/users', { email, password });
    expect(await post('/signup', { email, password: 'somebody else' })).toMatchObject({ status: 422, body: { code: 'user_already_exists' } });
    expect(await post('/signup', { email, password })).toMatchObject({ status: 200, body: { access_token: expect.any(String), user: { email } } });
  });

  it.each<[string, unknown, number, string, RegExp]>([
    ['no address', { password }, 422, 'anonymous_provider_disabled', /Anonymous sign-ins are disabled/],
    ['a phone number', { phone: '+491512345678', password }, 400, 'phone_provider_disabled', /Phone signups are disabled/],
    ['address and phone number', { email: 'a@b.de', phone: '+491512345678', password }, 400, 'validation_failed', /Only an email address or phone number/],
    ['no password', { email: 'a@b.de' }, 400, 'validation_failed', /Signup requires a valid password/],
    ['a short password', { email: 'a@b.de', password: '12345' }, 422, 'weak_password', /at least 6 characters/],
    ['a long password', { email: 'a@b.de', password: 'x'.repeat(73) }, 400, 'validation_failed', /longer than 72/],
    ['no address at all', { email: 'nonsense', password }, 400, 'validation_failed', /invalid format/],
    ['an address of another type', { email: { $ne: '' }, password }, 400, 'bad_json', /email must be a string/],
    ['data that is a list', { email: 'a@b.de', password, data: [1] }, 400, 'bad_json', /data must be an object/],
    ['data that cannot be stored', { email: 'a@b.de', password, data: { x: 'a\0' } }, 400, 'validation_failed', /data\.x has a character/],
    ['data that no token can carry', { email: 'a@b.de', password, data: { x: 'x'.repeat(20_000) } }, 400, 'validation_failed', /larger than 16 KiB/],
    ['a body that is no object', '[1]', 400, 'bad_json', /a JSON object is expected, not an array/],
    ['a body that is no JSON', '{', 400, 'bad_json', /Could not parse request body as JSON/],
    ['a __proto__ that would pass the check', '{"__proto__":{"constructor":{}},"email":7,"password":"abcdef"}', 400, 'bad_json', /email must be a string/],
  ])('with %s is refused', async (_name, body, status, code, message) => {
    const answer = await post('/signup', body);
    expect(answer).toMatchObject({ status, body: { code, message: expect.stringMatching(message) }, headers: { 'x-sb-error-code': code, 'x-supabase-api-version': '2024-01-01' } });
  });

  it('tells of a weak password its reasons, in both shapes', async () => {
    const body = { email: 'a@b.de', password: '123' };
    const weak_password = { message: 'Password should be at least 6 characters.', reasons: ['length'] };
    expect((await post('/signup', body)).body).toEqual({ code: 'weak_password', message: weak_password.message, weak_password });
    expect((await post('/signup', body, { headers: { 'x-supabase-api-version': '2023-01-01' } })).body).toEqual({ code: 422, error_code: 'weak_password', msg: weak_password.message, weak_password });
  });
});

describe('sign-up where addresses are confirmed by mail', () => {
  const byMail = (email: string, secret = password, data = {}) => post('/signup', { email, password: secret, data }, {}, appWithMail);

  it('gives the user alone, who cannot sign in yet', async () => {
    const email = freshEmail();
    const { status, body } = await byMail(email, password, { a: 1 });
    expect(status).toBe(200);
    expect(body).toMatchObject({ id: expect.any(String), email, identities: [{ provider: 'email' }], user_metadata: { a: 1, email_verified: false } });
    expect(body).not.toHaveProperty('access_token');
    expect(body).not.toHaveProperty('email_confirmed_at');
    expect(await signIn(email)).toMatchObject({ status: 400, body: { code: 'email_not_confirmed', message: 'Email not confirmed' } });
    expect(await signIn(email, 'wrong')).toMatchObject({ status: 400, body: { code: 'invalid_credentials' } });
  });

  it('of a confirmed address answers an invented user and changes nothing', async () => {
    const { email, id } = await signUp(undefined, { name: 'Ada' });
    const { status, body } = await byMail(email, 'another password', { name: 'Eve' });
    expect({ status, identities: body.identities, name: body.user_metadata.name }).toEqual({ status: 200, identities: [], name: 'Eve' });
    expect(body.id).not.toBe(id);
    const stranger = (await byMail(freshEmail())).body;
    expect(Object.keys(body).sort()).toEqual(Object.keys(stranger).sort());
    expect(await signIn(email)).toMatchObject({ status: 200, body: { user: { id, user_metadata: { name: 'Ada' } } } });
  });

  it('of an address that waits for its confirmation answers as for a new one, and what was said last counts', async () => {
    const email = freshEmail();
    const first = (await byMail(email, password, { name: 'Eve' })).body;
    const again = (await byMail(email, 'another password', { name: 'Ada' })).body;
    expect(again).toMatchObject({ id: first.id, user_metadata: { name: 'Ada' }, identities: [{ user_id: first.id }] });
    await admin('PUT', `/users/${first.id}`, { email_confirm: true });
    expect(await signIn(email)).toMatchObject({ status: 400 });
    expect(await signIn(email, 'another password')).toMatchObject({ status: 200, body: { user: { user_metadata: { name: 'Ada' } } } });
  });
});

describe('sign-in by password', () => {
  it('opens a session of its own each time, whatever the case of the address', async () => {
    const { email, id, access } = await signUp();
    const { status, body } = await signIn(email.toUpperCase());
    expect({ status, id: body.user.id }).toEqual({ status: 200, id });
    expect(decodeJwt(body.access_token)['session_id']).not.toBe(decodeJwt(access)['session_id']);
    expect(body).not.toHaveProperty('weak_password');
  });

  it('answers a wrong password and an unknown address alike', async () => {
    const { email } = await signUp();
    const [wrong, unknown] = [await signIn(email, 'wrong'), await signIn(freshEmail(), 'wrong')];
    expect(wrong).toMatchObject({ status: 400, body: { code: 'invalid_credentials', message: 'Invalid login credentials' } });
    expect(unknown.body).toEqual(wrong.body);
  });

  it('lets in who was written by a seed: a crypt() hash, null columns, no identity', async () => {
    const [seed] = await database.admin.rows<{ id: string }>(
      `insert into auth.users (id, email, encrypted_password, email_confirmed_at) values (gen_random_uuid(), 'Seeded@Example.com', extensions.crypt('password123', extensions.gen_salt('bf')), now()) returning id`,
    );
    const { status, body } = await signIn('seeded@example.com', 'password123');
    expect({ status, user: body.user }).toMatchObject({ status: 200, user: { id: seed!.id, aud: 'authenticated', role: 'authenticated', identities: [], app_metadata: {}, user_metadata: {} } });
    expect(decodeJwt(body.access_token)).toMatchObject({ role: 'authenticated', aud: 'authenticated' });
    expect(await call('GET', '/user', undefined, { bearer: body.access_token })).toMatchObject({ status: 200 });
    const [row] = await database.admin.rows<{ encrypted_password: string }>('select encrypted_password from auth.users where id = $1', [seed!.id]);
    expect(row!.encrypted_password).toMatch(/^\$argon2id\$/);
    expect(await signIn('SEEDED@example.com', 'password123')).toMatchObject({ status: 200 });
  });

  it('lets in who was written as Supabase seeds write them, with empty tokens', async () => {
    const email = freshEmail();
    await database.admin.rows(
      `with u as (insert into auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, recovery_sent_at, last_sign_in_at, raw_app_meta_data, raw_user_meta_data, created_at, updated_at, confirmation_token, email_change, email_change_token_new, recovery_token)
         values ('00000000-0000-0000-0000-000000000000', gen_random_uuid(), 'authenticated', 'authenticated', $1, extensions.crypt('password123', extensions.gen_salt('bf')), now(), now(), now(), '{"provider":"email","providers":["email"]}', '{}', now(), now(), '', '', '', '') returning id)
       insert into auth.identities (id, provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at) select gen_random_uuid(), id::text, id, format('{"sub":"%s","email":"%s"}', id, $1::text)::jsonb, 'email', now(), now(), now() from u`,
      [email],
    );
    expect(await signIn(email, 'password123')).toMatchObject({ status: 200, body: { user: { email, identities: [{ provider: 'email', email }] } } });
  });

  it('tells of a ban only who knows the password', async () => {
    const { email, id } = await signUp();
    await admin('PUT', `/users/${id}`, { ban_duration: '24h' });
    expect(await signIn(email)).toMatchObject({ status: 400, body: { code: 'user_banned', message: 'User is banned' } });
    expect(await signIn(email, 'wrong')).toMatchObject({ status: 400, body: { code: 'invalid_credentials' } });
    await admin('PUT', `/users/${id}`, { ban_duration: 'none' });
    expect(await signIn(email)).toMatchObject({ status: 200 });
    await database.admin.rows(`update auth.users set banned_until = 'infinity' where id = $1`, [id]);
    expect(await signIn(email)).toMatchObject({ status: 400, body: { code: 'user_banned' } });
  });

  it('says when the password would be too weak today', async () => {
    const email = freshEmail();
    await database.admin.rows(`insert into auth.users (id, email, encrypted_password, email_confirmed_at) values (gen_random_uuid(), $1, extensions.crypt('abc', extensions.gen_salt('bf', 4)), now())`, [email]);
    expect(await signIn(email, 'abc')).toMatchObject({ status: 200, body: { weak_password: { reasons: ['length'] } } });
  });

  it.each<[string, unknown, number, string]>([
    ['nothing', {}, 400, 'validation_failed'],
    ['an empty password', { email: 'a@b.de', password: '' }, 400, 'invalid_credentials'],
    ['a phone number', { phone: '+491512345678', password }, 422, 'phone_provider_disabled'],
    ['both', { email: 'a@b.de', phone: '+491512345678', password }, 400, 'validation_failed'],
    ['an address that is no text', { email: ['a@b.de'], password }, 400, 'bad_json'],
    ['an address with SQL in it', { email: `' or 1=1 --`, password }, 400, 'invalid_credentials'],
    ['an address with a NUL', { email: 'a\0@b.de', password }, 400, 'invalid_credentials'],
    ['no body', undefined, 400, 'bad_json'],
  ])('with %s is refused', async (_name, body, status, code) => {
    expect(await post('/token?grant_type=password', body)).toMatchObject({ status, body: { code } });
  });

  it.each([
    ['web3', 422, 'web3_provider_disabled', /^Web3 provider is disabled$/],
    ['constructor', 400, 'invalid_credentials', /^unsupported_grant_type$/],
    ['', 400, 'invalid_credentials', /^unsupported_grant_type$/],
  ])('by grant_type=%s is not offered', async (grant, status, code, message) => {
    expect(await post(`/token?grant_type=${grant}`, {})).toMatchObject({ status, body: { code, message: expect.stringMatching(message) } });
  });
});

describe('refresh', () => {
  it('rotates: a new token each time, in the same session, with the same account', async () => {
    const first = await signUp();
    const { status, body } = await refresh(first.refresh);
    expect({ status, id: body.user.id }).toEqual({ status: 200, id: first.id });
    expect(body.refresh_token).not.toBe(first.refresh);
    expect(decodeJwt(body.access_token)).toMatchObject({ session_id: decodeJwt(first.access)['session_id'], amr: [{ method: 'password' }] });
    expect(await refresh(body.refresh_token)).toMatchObject({ status: 200 });
  });

  it('by fifty at once leaves one lineage', async () => {
    const first = await signUp();
    const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(first.refresh)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.map(({ body }) => body.refresh_token)).size).toBe(1);
    const [live] = await database.admin.rows<{ count: string }>('select count(*) from auth.refresh_tokens where not revoked and session_id = $1', [decodeJwt(first.access)['session_id']]);
    expect(live!.count).toBe('1');
  });

  it('with the parent of the live token gives the live token again, however late', async () => {
    const first = await signUp();
    const second = (await refresh(first.refresh)).body;
    await age(3600, first.access);
    expect((await refresh(first.refresh)).body.refresh_token).toBe(second.refresh_token);
    expect(await refresh(second.refresh_token)).toMatchObject({ status: 200 });
  });

  it('with any ancestor within ten seconds gives the live token', async () => {
    const first = await signUp();
    let last = first.refresh;
    for (let i = 0; i < 4; i += 1) last = (await refresh(last)).body.refresh_token;
    expect((await refresh(first.refresh)).body.refresh_token).toBe(last);
  });

  it('with a grandparent after ten seconds ends the family: no token, and the auth API lets its access token in no more', async () => {
    const first = await signUp();
    const second = (await refresh(first.refresh)).body;
    const third = (await refresh(second.refresh_token)).body;
    await age(11, first.access);
    expect(await refresh(first.refresh)).toMatchObject({ status: 400, body: { code: 'refresh_token_already_used', message: 'Invalid Refresh Token: Already Used' } });
    for (const token of [first.refresh, second.refresh_token, third.refresh_token]) {
      expect(await refresh(token)).toMatchObject({ status: 400, body: { code: 'refresh_token_already_used' } });
    }
    expect(await call('GET', '/user', undefined, { bearer: third.access_token })).toMatchObject({ status: 403, body: { code: 'session_not_found' } });
    expect(await signIn(first.email)).toMatchObject({ status: 200 });
  });

  it('keeps digests only', async () => {
    const { refresh: token } = await signUp();
    const rows = await database.admin.rows('select from auth.refresh_tokens where token = $1 or parent = $1', [token]);
    expect(rows).toEqual([]);
  });

  it('is refused to the banned, and asked for again when the ban is over', async () => {
    const { id, refresh: token } = await signUp();
    await admin('PUT', `/users/${id}`, { ban_duration: '1h' });
    expect(await refresh(token)).toMatchObject({ status: 400, body: { code: 'user_banned', message: 'Invalid Refresh Token: User Banned' } });
    await admin('PUT', `/users/${id}`, { ban_duration: 'none' });
    expect(await refresh(token)).toMatchObject({ status: 200 });
  });

  it.each([['unknown', 'AAAAAAAAAAAAAAAAAAAAAA'], ['a NUL', '\0'], ['long', 'x'.repeat(10_000)]])('with a token that is %s is refused', async (_name, token) => {
    expect(await refresh(token)).toMatchObject({ status: 400, body: { code: 'refresh_token_not_found', message: 'Invalid Refresh Token: Refresh Token Not Found' } });
  });

  it('that has to wait too long is asked to come again, in words that keep the client signed in', async () => {
    const { refresh: token, access } = await signUp();
    await database.admin.transaction({ role: null, settings: {} }, async (tx) => {
      await tx.rows('select from auth.sessions where id = $1 for update', [decodeJwt(access)['session_id']]);
      expect(await refresh(token)).toMatchObject({ status: 504, body: { code: 'request_timeout' }, headers: { 'retry-after': '2' } });
    });
    expect(await refresh(token)).toMatchObject({ status: 200 });
  });

  it('is not hindered by the worn-out token that the client sends along', async () => {
    const { refresh: token } = await signUp();
    expect(await post('/token?grant_type=refresh_token', { refresh_token: token }, { bearer: 'worn.out.token' })).toMatchObject({ status: 200 });
  });

  it('takes up what an administrator changed', async () => {
    const { id, refresh: token } = await signUp();
    await admin('PUT', `/users/${id}`, { app_metadata: { plan: 'pro' }, role: 'editor' });
    expect(decodeJwt((await refresh(token)).body.access_token)).toMatchObject({ role: 'editor', app_metadata: { plan: 'pro', provider: 'email' } });
  });
});

describe('the user', () => {
  it('is shown to itself', async () => {
    const { access, id, email } = await signUp(undefined, { a: 1 });
    expect(await call('GET', '/user', undefined, { bearer: access })).toMatchObject({ status: 200, body: { id, email, user_metadata: { a: 1 }, identities: [{ provider: 'email' }] }, headers: { 'x-supabase-api-version': '2024-01-01' } });
  });

  it('merges data: a value sets its key, null deletes it', async () => {
    const { access } = await signUp(undefined, { a: 1, b: 2, c: { d: 3 } });
    const { body } = await call('PUT', '/user', { data: { a: 9, b: null, c: { e: 4 } } }, { bearer: access });
    expect(body.user_metadata).toMatchObject({ a: 9, c: { e: 4 } });
    expect(body.user_metadata).not.toHaveProperty('b');
    expect((await call('GET', '/user', undefined, { bearer: access })).body.user_metadata).toEqual(body.user_metadata);
  });

  it('changes its password: the old one is void, other sessions end, this one stays', async () => {
    const { access, email, refresh: token } = await signUp();
    const other = (await signIn(email)).body;
    expect(await call('PUT', '/user', { password: 'a new password' }, { bearer: access })).toMatchObject({ status: 200 });
    expect(await signIn(email)).toMatchObject({ status: 400 });
    expect(await signIn(email, 'a new password')).toMatchObject({ status: 200 });
    expect(await refresh(token)).toMatchObject({ status: 200 });
    expect(await refresh(other.refresh_token)).toMatchObject({ status: 400, body: { code: 'refresh_token_not_found' } });
    expect(await call('GET', '/user', undefined, { bearer: other.access_token })).toMatchObject({ status: 403, body: { code: 'session_not_found' } });
  });

  it('that was nobody’s takes its first address at once where addresses are confirmed at once', async () => {
    const on = await startApp({ GOTRUE_MAILER_AUTOCONFIRM: 'true', GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED: 'true' });
    const { access_token: bearer, user: { id } } = (await post('/signup', {}, {}, on)).body;
    const email = freshEmail();
    const { body } = await call('PUT', '/user', { email: email.toUpperCase(), password }, { bearer }, on);
    expect(body).toMatchObject({ id, email, is_anonymous: false, user_metadata: { email, email_verified: true }, identities: [{ email, identity_data: { email, email_verified: true } }] });
    expect(body).not.toHaveProperty('new_email');
    expect(await signIn(email)).toMatchObject({ status: 200, body: { user: { id } } });
  });

  it('that has an address shows that a new one is its own, also where those of sign-ups are confirmed at once', async () => {
    const { access, email, id } = await signUp();
    const next = freshEmail();
    expect(await call('PUT', '/user', { email: next }, { bearer: access })).toMatchObject({ status: 200, body: { email, new_email: next } });
    expect(await signIn(next)).toMatchObject({ status: 400 });
    const [{ code }] = await database.admin.rows<{ code: string }>('select code from mainstay_internal.messages where recipient = $1', [next]) as [{ code: string }];
    expect(await post('/verify', { type: 'email_change', email: next, token: code })).toMatchObject({ status: 200, body: { user: { id, email: next } } });
  });

  it('lets a new address wait where mail has to confirm it', async () => {
    const { access, email } = await signUp();
    const answer = await call('PUT', '/user', { email: 'next@example.com' }, { bearer: access }, appWithMail);
    expect(answer).toMatchObject({ status: 200, body: { email, new_email: 'next@example.com' } });
    expect(await signIn('next@example.com')).toMatchObject({ status: 400 });
  });

  it('keeps changes that are made at once', async () => {
    const { access } = await signUp();
    await Promise.all(['a', 'b', 'c', 'd', 'e'].map((key) => call('PUT', '/user', { data: { [key]: 1 } }, { bearer: access })));
    expect((await call('GET', '/user', undefined, { bearer: access })).body.user_metadata).toMatchObject({ a: 1, b: 1, c: 1, d: 1, e: 1 });
  });

  it.each<[string, object, number, string]>([
    ['the same password', { password }, 422, 'same_password'],
    ['a weak password', { password: '123' }, 422, 'weak_password'],
    ['app_metadata', { app_metadata: { role: 'admin' } }, 403, 'not_admin'],
    ['a phone number', { phone: '+491512345678' }, 400, 'phone_provider_disabled'],
    ['no address', { email: 'nonsense' }, 400, 'validation_failed'],
    ['data that is text', { data: 'x' }, 400, 'bad_json'],
    ['data that cannot be stored', { data: { x: '\ud800' } }, 400, 'validation_failed'],
    ['more data than a token carries', { data: { x: 'x'.repeat(17_000) } }, 400, 'validation_failed'],
  ])('may not set %s', async (_name, body, status, code) => {
    const { access } = await signUp();
    expect(await call('PUT', '/user', body, { bearer: access })).toMatchObject({ status, body: { code } });
  });

  it('may not take the address of another', async () => {
    const [one, other] = [await signUp(), await signUp()];
    expect(await call('PUT', '/user', { email: other.email }, { bearer: one.access })).toMatchObject({ status: 422, body: { code: 'email_exists', message: 'A user with this email address has already been registered' } });
  });

  it('of a role column or rights in user_metadata has no right by it', async () => {
    const { access, refresh: token } = await signUp(undefined, { role: 'service_role', app_metadata: { plan: 'pro' } });
    await call('PUT', '/user', { data: { role: 'service_role' }, role: 'service_role' }, { bearer: access });
    expect(decodeJwt((await refresh(token)).body.access_token)).toMatchObject({ role: 'authenticated', app_metadata: { provider: 'email', providers: ['email'] } });
  });
});

describe('who asks for the user, or to end its session', () => {
  const sign = (claims: object) => new SignJWT({ ...claims }).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('1h').sign(Buffer.from(secrets['JWT_SECRET']!));
  const forged = async () => new SignJWT({ sub: randomUUID(), role: 'authenticated' }).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('1h').sign(Buffer.from('x'.repeat(40)));
  const banned = async () => {
    const { id, access } = await signUp();
    await admin('PUT', `/users/${id}`, { ban_duration: '1h' });
    return access;
  };
  const deleted = async (soft: boolean) => {
    const { id, access } = await signUp();
    await admin('DELETE', `/users/${id}`, { should_soft_delete: soft });
    return access;
  };
  const endedSession = async () => {
    const { access } = await signUp();
    await call('POST', '/logout', undefined, { bearer: access });
    return access;
  };
  const ofAnother = async () => {
    const [one, other] = [await signUp(), await signUp()];
    return sign({ sub: one.id, role: 'authenticated', session_id: decodeJwt(other.access)['session_id'] });
  };

  it.each<[string, () => Promise<string | undefined> | string | undefined, number, string, RegExp]>([
    ['a guest', () => undefined, 401, 'no_authorization', /requires a Bearer token/],
    ['an empty bearer', () => '', 401, 'no_authorization', /requires a Bearer token/],
    ['nonsense', () => 'nonsense', 403, 'bad_jwt', /unable to parse or verify signature/],
    ['a forged token', forged, 403, 'bad_jwt', /unable to parse or verify signature/],
    ['an expired token', async () => new SignJWT({ sub: randomUUID() }).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('-1h').sign(Buffer.from(secrets['JWT_SECRET']!)), 403, 'bad_jwt', /token is expired/],
    ['the anon key', () => secrets['ANON_KEY'], 403, 'bad_jwt', /missing sub claim/],
    ['the publishable key', () => secrets['SUPABASE_PUBLISHABLE_KEY'], 403, 'bad_jwt', /missing sub claim/],
    ['the secret key', () => secrets['SUPABASE_SECRET_KEY'], 403, 'bad_jwt', /missing sub claim/],
    ['a sub that is no id', () => sign({ sub: 'me' }), 403, 'bad_jwt', /sub claim must be a UUID/],
    ['a session_id that is no id', () => sign({ sub: randomUUID(), session_id: 'x' }), 403, 'bad_jwt', /session_id claim must be a UUID/],
    ['a user who never was', () => sign({ sub: randomUUID() }), 403, 'user_not_found', /User from sub claim in JWT does not exist/],
    ['a deleted user', () => deleted(false), 403, 'user_not_found', /does not exist/],
    ['a softly deleted user', () => deleted(true), 403, 'user_not_found', /does not exist/],
    ['a banned user', banned, 403, 'user_banned', /banned/],
    ['an ended session', endedSession, 403, 'session_not_found', /Session from session_id claim in JWT does not exist/],
    ['a session of somebody else', ofAnother, 403, 'session_not_found', /does not exist/],
  ])('%s is refused', async (_name, make, status, code, message) => {
    const bearer = await make();
    for (const [method, path, body] of [['GET', '/user'], ['PUT', '/user', { data: {} }], ['POST', '/logout']] as const) {
      expect(await call(method, path, body, bearer === undefined ? {} : { bearer })).toMatchObject({ status, body: { code, message: expect.stringMatching(message) }, headers: { 'x-sb-error-code': code } });
    }
  });

  it('a user whose application signed the token itself, without a session, is served', async () => {
    const { id } = await signUp();
    expect(await call('GET', '/user', undefined, { bearer: await sign({ sub: id, role: 'authenticated' }) })).toMatchObject({ status: 200, body: { id } });
  });

  it('with a key that is none of ours is refused at every door', async () => {
    const { access } = await signUp();
    for (const [method, path, body] of [['GET', '/user'], ['POST', '/signup', {}], ['POST', '/token?grant_type=refresh_token', {}], ['GET', '/settings'], ['GET', '/admin/users']] as const) {
      expect(await call(method, path, body, { bearer: access, apikey: 'sb_publishable_nobody' })).toMatchObject({ status: 401, body: { code: 'no_authorization', message: 'Invalid API key' } });
    }
  });
});

describe('sign-out', () => {
  const three = async () => {
    const first = await signUp();
    const [second, third] = [(await signIn(first.email)).body, (await signIn(first.email)).body];
    return { tokens: [first.access, second.access_token, third.access_token] as string[], refreshes: [first.refresh, second.refresh_token, third.refresh_token] as string[] };
  };

  it.each<[string, string, boolean[]]>([
    ['by default', '', [false, false, false]],
    ['global', '?scope=global', [false, false, false]],
    ['local', '?scope=local', [false, true, true]],
    ['others', '?scope=others', [true, false, false]],
  ])('%s ends what it says, at once', async (_name, query, alive) => {
    const { tokens, refreshes } = await three();
    expect(await call('POST', `/logout${query}`, undefined, { bearer: tokens[0]! })).toMatchObject({ status: 204, body: null });
    for (const [i, isAlive] of alive.entries()) {
      expect((await call('GET', '/user', undefined, { bearer: tokens[i]! })).status).toBe(isAlive ? 200 : 403);
      expect((await refresh(refreshes[i]!)).status).toBe(isAlive ? 200 : 400);
    }
  });

  it('of an unknown scope is refused', async () => {
    const { access } = await signUp();
    expect(await call('POST', '/logout?scope=all', undefined, { bearer: access })).toMatchObject({ status: 400, body: { code: 'validation_failed', message: 'Unsupported logout scope "all"' } });
  });
});

describe('administration', () => {
  it.each<[string, () => Promise<Ask> | Ask, number, string]>([
    ['a guest', () => ({}), 401, 'no_authorization'],
    ['the anon key', () => ({ bearer: secrets['ANON_KEY']! }), 403, 'not_admin'],
    ['the publishable key', () => ({ bearer: secrets['SUPABASE_PUBLISHABLE_KEY']! }), 403, 'not_admin'],
    ['a user', async () => ({ bearer: (await signUp()).access }), 403, 'not_admin'],
    ['a user beside the secret key', async () => ({ bearer: (await signUp()).access, apikey: secrets['SUPABASE_SECRET_KEY']! }), 403, 'not_admin'],
  ])('is closed to %s', async (_name, ask, status, code) => {
    for (const [method, path, body] of [['GET', '/admin/users'], ['POST', '/admin/users', {}], ['GET', `/admin/users/${randomUUID()}`], ['PUT', `/admin/users/${randomUUID()}`, {}], ['DELETE', `/admin/users/${randomUUID()}`]] as const) {
      expect(await call(method, path, body, await ask())).toMatchObject({ status, body: { code } });
    }
  });

  it.each([['SERVICE_ROLE_KEY'], ['SUPABASE_SECRET_KEY']])('is open to %s', async (name) => {
    expect(await call('GET', '/admin/users?per_page=1', undefined, { bearer: secrets[name]! })).toMatchObject({ status: 200, body: { aud: 'authenticated' } });
    expect(await call('GET', '/admin/users?per_page=1', undefined, { apikey: secrets[name]! })).toMatchObject({ status: 200 });
  });

  it('makes a user of every kind', async () => {
    const email = freshEmail();
    const id = randomUUID();
    const { status, body } = await admin('POST', '/users', { id, email, password, email_confirm: true, user_metadata: { name: 'Ada', drop: null }, app_metadata: { plan: 'pro' }, role: 'editor', ban_duration: '1h', phone: '+49 151 23456', phone_confirm: true });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      id, email, phone: '4915123456', role: 'editor', app_metadata: { provider: 'email', providers: ['email', 'phone'], plan: 'pro' }, user_metadata: { name: 'Ada', email_verified: true }, email_confirmed_at: expect.any(String), phone_confirmed_at: expect.any(String),
      banned_until: expect.any(String), identities: [{ provider: 'email', email }, { provider: 'phone', identity_data: { phone: '4915123456' } }],
    });
    expect(new Date(body.banned_until).getTime() - Date.now()).toBeGreaterThan(3_500_000);
    expect((await admin('GET', `/users/${id}`)).body).toEqual(body);
  });

  it('takes the hash of a password that was hashed elsewhere', async () => {
    const [row] = await database.admin.rows<{ hash: string }>(`select extensions.crypt('imported', extensions.gen_salt('bf', 8)) as hash`);
    const argon = '$argon2id$v=19$m=4096,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$8Qs7dy4LAzoTZ5tQkq2UEGM8kWbR3wX7CUz5M1eP4C0';
    const email = freshEmail();
    expect(await admin('POST', '/users', { email, password_hash: row!.hash, email_confirm: true })).toMatchObject({ status: 200 });
    expect(await signIn(email, 'imported')).toMatchObject({ status: 200 });
    expect(await admin('POST', '/users', { email: freshEmail(), password_hash: argon })).toMatchObject({ status: 200 });
  });

  it('makes a user without a password, whom no password lets in', async () => {
    const email = freshEmail();
    await admin('POST', '/users', { email, email_confirm: true });
    for (const guess of ['', 'null', 'undefined']) expect(await signIn(email, guess)).toMatchObject({ status: 400 });
  });

  it.each<[string, () => object | Promise<object>, number, string, RegExp]>([
    ['neither address nor number', () => ({ password }), 400, 'validation_failed', /without either an email or phone/],
    ['a taken address', async () => ({ email: (await signUp()).email.toUpperCase() }), 422, 'email_exists', /already been registered/],
    ['password and hash', () => ({ email: freshEmail(), password, password_hash: '$2a$04$x' }), 400, 'validation_failed', /Only a password or a password hash/],
    ['a hash of an unknown kind', () => ({ email: freshEmail(), password_hash: 'plain' }), 400, 'validation_failed', /password_hash must be a bcrypt/],
    ['a hash that nobody can pay', () => ({ email: freshEmail(), password_hash: `$2a$31$${'a'.repeat(53)}` }), 400, 'validation_failed', /moderate cost/],
    ['an id that is none', () => ({ email: freshEmail(), id: '1' }), 400, 'validation_failed', /uuid v4 format/],
    ['a nil id', () => ({ email: freshEmail(), id: '00000000-0000-0000-0000-000000000000' }), 400, 'validation_failed', /nil uuid/],
    ['days of ban, which Go does not know', () => ({ email: freshEmail(), ban_duration: '7d' }), 400, 'validation_failed', /unknown unit "d" in duration "7d"/],
    ['email_confirm as text', () => ({ email: freshEmail(), email_confirm: 'yes' }), 400, 'bad_json', /email_confirm must be a boolean/],
    ['a bad number', () => ({ phone: 'call me' }), 400, 'validation_failed', /E\.164/],
    ['a role that cannot be stored', () => ({ email: freshEmail(), role: 'a\0' }), 400, 'validation_failed', /cannot be stored/],
    ['a weak password', () => ({ email: freshEmail(), password: '1' }), 422, 'weak_password', /at least 6/],
  ])('makes no user with %s', async (_name, body, status, code, message) => {
    expect(await admin('POST', '/users', await body())).toMatchObject({ status, body: { code, message: expect.stringMatching(message) } });
  });

  it('makes no second user of one id or one number', async () => {
    const { body } = await admin('POST', '/users', { phone: '+4915199', email: freshEmail() });
    expect(await admin('POST', '/users', { phone: '4915199' })).toMatchObject({ status: 422, body: { code: 'phone_exists' } });
    expect(await admin('POST', '/users', { id: body.id, email: freshEmail() })).toMatchObject({ status: 500, body: { code: 'unexpected_failure', message: 'Database error creating new user' } });
  });

  it('lists users by pages that the client can follow', async () => {
    for (let i = 0; i < 5; i += 1) await admin('POST', '/users', { email: freshEmail() });
    const { body, headers } = await admin('GET', '/users?page=1&per_page=2');
    const total = Number(headers['x-total-count']);
    expect(body.users).toHaveLength(2);
    expect(total).toBeGreaterThanOrEqual(5);
    expect(headers['link']).toBe(`</auth/v1/admin/users?page=2&per_page=2>; rel="next", </auth/v1/admin/users?page=${Math.ceil(total / 2)}&per_page=2>; rel="last"`);
    const last = await admin('GET', `/users?page=${Math.ceil(total / 2)}&per_page=2`);
    expect(last.headers['link']).not.toContain('next');
    const all = (await admin('GET', '/users?page=&per_page=1000')).body.users as { id: string; created_at: string }[];
    expect(new Set(all.map(({ id }) => id)).size).toBe(total);
    for (const query of ['page=x', 'per_page=0', 'per_page=-1', 'page=1e9']) expect(await admin('GET', `/users?${query}`)).toMatchObject({ status: 400, body: { code: 'validation_failed', message: expect.stringContaining('Bad Pagination Parameters') } });
  });

  it('changes what it is told to and nothing else', async () => {
    const { id, email } = await signUp(undefined, { a: 1, b: 2 });
    const next = freshEmail();
    const { body } = await admin('PUT', `/users/${id}`, { user_metadata: { a: null, c: 3 }, app_metadata: { plan: 'pro' }, email: next, email_confirm: true });
    expect(body).toMatchObject({ email: next, user_metadata: { b: 2, c: 3, email: next }, app_metadata: { plan: 'pro', provider: 'email' }, identities: [{ email: next, identity_data: { email: next, email_verified: true } }] });
    expect(body.user_metadata).not.toHaveProperty('a');
    expect(await signIn(email)).toMatchObject({ status: 400 });
    expect(await signIn(next)).toMatchObject({ status: 200 });
  });

  it('sets a password, which ends every session', async () => {
    const { id, email, refresh: token } = await signUp();
    expect(await admin('PUT', `/users/${id}`, { password: 'set by admin' })).toMatchObject({ status: 200 });
    expect(await refresh(token)).toMatchObject({ status: 400 });
    expect(await signIn(email, 'set by admin')).toMatchObject({ status: 200 });
  });

  it('gives an identity to an account that had none', async () => {
    const [seed] = await database.admin.rows<{ id: string }>(`insert into auth.users (id) values (gen_random_uuid()) returning id`);
    const email = freshEmail();
    expect(await admin('PUT', `/users/${seed!.id}`, { email, email_confirm: true, password, phone: '+49151777' })).toMatchObject({ status: 200, body: { identities: [{ provider: 'email', email }, { provider: 'phone' }] } });
    expect(await signIn(email)).toMatchObject({ status: 200 });
  });

  it('deletes a user with all that hangs on it', async () => {
    const { id, email } = await signUp();
    expect(await admin('DELETE', `/users/${id}`)).toMatchObject({ status: 200, body: {} });
    expect(await database.admin.rows('select from auth.identities where user_id = $1 union all select from auth.sessions where user_id = $1', [id])).toEqual([]);
    expect(await admin('DELETE', `/users/${id}`)).toMatchObject({ status: 404, body: { code: 'user_not_found' } });
    await signUp(email);
  });

  it('deletes softly: the row stays, the person does not', async () => {
    const { id, email, refresh: token } = await signUp(undefined, { name: 'Ada' });
    expect(await admin('DELETE', `/users/${id}`, { should_soft_delete: true })).toMatchObject({ status: 200, body: {} });
    const { body } = await admin('GET', `/users/${id}`);
    expect(body).toMatchObject({ id, deleted_at: expect.any(String), user_metadata: {}, app_metadata: {} });
    expect(JSON.stringify(body)).not.toMatch(new RegExp(`${email}|Ada`));
    expect(await refresh(token)).toMatchObject({ status: 400 });
    expect(await signIn(email)).toMatchObject({ status: 400, body: { code: 'invalid_credentials' } });
    expect(await admin('DELETE', `/users/${id}`, { should_soft_delete: true })).toMatchObject({ status: 200 });
    await signUp(email);
  });

  it('does not delete a user whom the project’s own rows hold', async () => {
    const { id } = await signUp();
    await database.admin.rows(`create table public.held (owner uuid references auth.users); insert into public.held values ('${id}')`);
    expect(await admin('DELETE', `/users/${id}`)).toMatchObject({ status: 500, body: { code: 'unexpected_failure', message: 'Database error deleting user', error_id: expect.any(String) } });
    await database.admin.rows('drop table public.held');
  });

  it.each([['GET'], ['PUT'], ['DELETE']])('%s of nobody is 404', async (method) => {
    const body = method === 'PUT' ? {} : undefined;
    expect(await admin(method, `/users/${randomUUID()}`, body)).toMatchObject({ status: 404, body: { code: 'user_not_found', message: 'User not found' } });
    expect(await admin(method, '/users/1', body)).toMatchObject({ status: 404, body: { code: 'validation_failed', message: 'user_id must be an UUID' } });
  });
});

describe('the service', () => {
  it('describes itself and its settings without a key', async () => {
    expect(await call('GET', '/health', undefined, { apikey: null })).toMatchObject({ status: 200, body: { name: expect.any(String), version: expect.any(String), description: expect.any(String) } });
    expect(await call('GET', '/settings', undefined, { apikey: null })).toMatchObject({ status: 200, body: { external: { email: true, phone: false, anonymous_users: false, github: false }, disable_signup: false, mailer_autoconfirm: true } });
  });

  it('publishes its keys at both places, cacheable, and never a private part', async () => {
    for (const path of ['/.well-known/jwks.json', '/auth/v1/.well-known/jwks.json']) {
      const answer = await app.inject({ method: 'GET', url: path });
      expect(answer.headers['cache-control']).toBe('public, max-age=600');
      expect(answer.json()).toEqual({ keys: [expect.objectContaining({ kty: 'EC', alg: 'ES256' })] });
      expect(answer.json().keys[0]).not.toHaveProperty('d');
    }
  });

  it.each([
    ['POST', '/sso', 404, 'saml_provider_disabled', 'SAML 2.0 is disabled'],
    ['GET', '/sso/saml/metadata', 404, 'saml_provider_disabled', 'SAML 2.0 is disabled'],
    ['POST', '/sso/saml/acs', 404, 'saml_provider_disabled', 'SAML 2.0 is disabled'],
    ['GET', '/scim/v2/ServiceProviderConfig', 404, 'feature_disabled', 'SCIM server is disabled'],
    ['POST', '/token?grant_type=web3', 422, 'web3_provider_disabled', 'Web3 provider is disabled'],
    ['GET', '/admin/sso/providers', 401, 'no_authorization', 'This endpoint requires a Bearer token'],
  ])('%s %s says that it is off', async (method, path, status, code, message) => {
    expect(await call(method, path, method === 'POST' ? {} : undefined)).toMatchObject({ status, body: { code, message } });
  });

  it.each([
    ['/admin/sso/providers', 'saml_provider_disabled', 'SAML 2.0 is disabled'],
  ])('%s says so to the administration', async (path, code, message) => {
    expect(await call('GET', path, undefined, { bearer: secrets['SERVICE_ROLE_KEY']! })).toMatchObject({ status: 404, body: { code, message } });
  });

  it('says of any other path that there is nothing', async () => {
    expect(await call('PATCH', '/user', {})).toMatchObject({ status: 404, body: { code: 'not_found', message: 'There is nothing at PATCH /auth/v1/user' } });
  });

  it('refuses new accounts where that is set, and e-mail where that is off', async () => {
    const closed = await startApp({ GOTRUE_DISABLE_SIGNUP: 'true', GOTRUE_EXTERNAL_EMAIL_ENABLED: 'false' });
    expect(await post('/signup', { email: freshEmail(), password }, {}, closed)).toMatchObject({ status: 422, body: { code: 'signup_disabled' } });
    expect(await post('/token?grant_type=password', { email: freshEmail(), password }, {}, closed)).toMatchObject({ status: 422, body: { code: 'email_provider_disabled', message: 'Email logins are disabled' } });
    expect(await post('/recover', { email: freshEmail() }, {}, closed)).toMatchObject({ status: 400, body: { code: 'email_provider_disabled', message: 'Email logins are disabled' } });
    const noEmail = await startApp({ GOTRUE_EXTERNAL_EMAIL_ENABLED: 'false' });
    expect(await post('/signup', { email: freshEmail(), password }, {}, noEmail)).toMatchObject({ status: 400, body: { code: 'email_provider_disabled' } });
  });
});
