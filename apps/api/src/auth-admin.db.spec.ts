import { randomUUID } from 'node:crypto';
import { makeSecrets } from '@mainstay/auth';
import { readSettings } from '@mainstay/config';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AuthAdminController } from './auth-admin.controller.ts';
import { AuthController } from './auth.controller.ts';
import { startQuickAuth } from './quick-auth.ts';

let database: TestDatabase;
let secrets: Record<string, string>;
let app: NestFastifyApplication;

beforeAll(async () => {
  database = await makeTestDatabase();
  secrets = await makeSecrets(database.environment);
  const settings = readSettings({ ...database.environment, ...secrets, GOTRUE_MAILER_AUTOCONFIRM: 'true', GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED: 'true' });
  app = await startQuickAuth(settings, [AuthController, AuthAdminController]);
});

afterAll(async () => {
  await app.close();
  await database.close();
});

async function call(method: string, path: string, body?: unknown, bearer = secrets['SERVICE_ROLE_KEY']!) {
  const answer = await app.inject({
    method: method as 'GET',
    url: `/auth/v1${path}`,
    headers: { apikey: secrets['ANON_KEY']!, 'x-supabase-api-version': '2024-01-01', authorization: `Bearer ${bearer}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, headers: answer.headers as Record<string, string>, body: answer.body === '' ? null : answer.json() as any };
}

const password = 'user1password';
const freshEmail = () => `${randomUUID()}@example.com`;
const made = async (more: object = {}) => (await call('POST', '/admin/users', { email: freshEmail(), password, email_confirm: true, ...more })).body;
const signIn = (email: string, secret = password) => call('POST', '/token?grant_type=password', { email, password: secret });
const emails = (answer: { body: any }) => answer.body.users.map(({ email }: { email: string }) => email);

describe('the list of users', () => {
  beforeAll(async () => {
    await made({ email: 'anna@list.test', user_metadata: { full_name: 'Anna Lind' } });
    await made({ email: 'bert@list.test', user_metadata: { full_name: '100% Bert' } });
    await made({ email: 'cleo@list.test', phone: '4915112345678', user_metadata: { name: 'Cleo' } });
  });

  it.each([
    ['filter=list.test', ['cleo@list.test', 'bert@list.test', 'anna@list.test']],
    ['filter=LIST.test&sort=created_at%20asc', ['anna@list.test', 'bert@list.test', 'cleo@list.test']],
    ['filter=list.test&sort=email%20DESC', ['cleo@list.test', 'bert@list.test', 'anna@list.test']],
    ['filter=anna%20l', ['anna@list.test']],
    ['filter=100%25', ['bert@list.test']],
    ['filter=%2B49%20151', ['cleo@list.test']],
    ['filter=_nna@', []],
    ['filter=list.test&page=2&per_page=2', ['anna@list.test']],
    ['filter=list.test&page=3&per_page=2', []],
  ])('%s', async (query, found) => {
    expect(emails(await call('GET', `/admin/users?${query}`))).toEqual(found);
  });

  it('counts what it finds and leads to the next page', async () => {
    const { headers } = await call('GET', '/admin/users?filter=list.test&per_page=2');
    expect(headers).toMatchObject({ 'x-total-count': '3', link: '</auth/v1/admin/users?page=2&per_page=2>; rel="next", </auth/v1/admin/users?page=2&per_page=2>; rel="last"' });
  });

  it('finds one by the whole id', async () => {
    const { id, email } = await made();
    expect(emails(await call('GET', `/admin/users?filter=${id.toUpperCase()}`))).toEqual([email]);
  });

  it.each([
    ['sort=password', "Bad Sort Parameters: bad field for sort 'password'"],
    ['sort=created_at%20up', "Bad Sort Parameters: bad direction for sort 'up', only 'asc' and 'desc' allowed"],
    ['per_page=0', 'Bad Pagination Parameters: per_page must be greater than 0'],
    ['page=x', 'Bad Pagination Parameters: page must be a whole number, not "x"'],
    ['filter=%00', 'filter has a character that cannot be stored: NUL or half of a surrogate pair'],
  ])('refuses %s', async (query, message) => {
    expect(await call('GET', `/admin/users?${query}`)).toMatchObject({ status: 400, body: { code: 'validation_failed', message } });
  });
});

const firebase = '$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==';

describe('an imported hash', () => {
  it('of Firebase lets its owner in, and is replaced by argon2id', async () => {
    const { email, id } = await made({ password: undefined, password_hash: firebase });
    expect(await signIn(email, 'user2password')).toMatchObject({ status: 400, body: { code: 'invalid_credentials' } });
    expect((await signIn(email)).status).toBe(200);
    const [row] = await database.admin.rows<{ encrypted_password: string }>('select encrypted_password from auth.users where id = $1', [id]);
    expect(row!.encrypted_password).toMatch(/^\$argon2id\$/);
    expect((await signIn(email)).status).toBe(200);
  });

  it.each([
    ['no hash at all', 'hunter2'],
    ['another version of Firebase’s', firebase.replace('v=1', 'v=2')],
    ['without the signer key', firebase.replace(/,sk=[^$]*/, '')],
    ['too dear to verify', firebase.replace('n=14', 'n=30')],
    ['not base64', firebase.replace('42xEC+', '42x%C+')],
  ])('%s is refused', async (_, hash) => {
    expect(await call('POST', '/admin/users', { email: freshEmail(), password_hash: hash })).toMatchObject({ status: 400, body: { code: 'validation_failed', message: expect.stringMatching(/^password_hash must be/) } });
  });

  it('and a password exclude each other', async () => {
    expect(await call('POST', '/admin/users', { email: freshEmail(), password, password_hash: firebase })).toMatchObject({ status: 400, body: { message: 'Only a password or a password hash should be provided' } });
  });
});

describe('a ban', () => {
  it('refuses sign-in, refresh and the user’s own page at once, and ends when it is lifted', async () => {
    const { email, id } = await made();
    const { body: session } = await signIn(email);
    const refresh = () => call('POST', '/token?grant_type=refresh_token', { refresh_token: session.refresh_token });
    expect((await call('PUT', `/admin/users/${id}`, { ban_duration: '24h' })).body.banned_until).toEqual(expect.any(String));
    expect(await signIn(email)).toMatchObject({ status: 400, body: { code: 'user_banned' } });
    expect(await refresh()).toMatchObject({ status: 400, body: { code: 'user_banned' } });
    expect(await call('GET', '/user', undefined, session.access_token)).toMatchObject({ status: 403, body: { code: 'user_banned' } });
    expect((await call('PUT', `/admin/users/${id}`, { ban_duration: 'none' })).body.banned_until).toBeUndefined();
    expect((await refresh()).status).toBe(200);
  });
});

describe('the audit log', () => {
  it('holds what the administration did, in GoTrue’s words', async () => {
    const { id, email } = await made();
    await call('PUT', `/admin/users/${id}`, { app_metadata: { plan: 'pro' } });
    await signIn(email);
    await call('DELETE', `/admin/users/${id}`, { should_soft_delete: true });
    const { status, body, headers } = await call('GET', '/admin/audit?per_page=5');
    expect(status).toBe(200);
    expect(Number(headers['x-total-count'])).toBeGreaterThanOrEqual(4);
    const told = body.filter(({ payload }: any) => payload.traits?.user_id === id || payload.actor_id === id).map(({ payload }: any) => [payload.action, payload.log_type, payload.actor_username]);
    expect(told).toEqual([['user_deleted', 'team', 'service_role'], ['login', 'account', email], ['user_modified', 'user', 'service_role'], ['user_signedup', 'team', 'service_role']]);
    expect(body[0]).toEqual({ id: expect.any(String), payload: expect.objectContaining({ timestamp: expect.stringMatching(/Z$/), traits: { user_id: id, user_email: email, user_phone: '' } }), created_at: expect.any(String), ip_address: '127.0.0.1' });
  });

  it.each([
    ['author:', true],
    ['action:user_del', true],
    ['AUTHOR:service', true],
    ['type:team', true],
    ['action:nothing-such', false],
    ['author:%25', false],
  ])('is searched by %s', async (query, isFound) => {
    expect((await call('GET', `/admin/audit?query=${query}`)).body.length > 0).toBe(isFound);
  });

  it.each(['author', 'who:ada', ':x'])('refuses the query %s', async (query) => {
    expect(await call('GET', `/admin/audit?query=${query}`)).toMatchObject({ status: 400, body: { code: 'validation_failed', message: `Invalid query scope: ${query}` } });
  });

  it('is for the administration alone', async () => {
    const { body } = await signIn((await made()).email);
    expect(await call('GET', '/admin/audit', undefined, body.access_token)).toMatchObject({ status: 403, body: { code: 'not_admin' } });
  });
});

it('a guest whom the administration gives a confirmed address is a guest no more', async () => {
  const { user } = (await call('POST', '/signup', { data: {} })).body;
  expect((await call('PUT', `/admin/users/${user.id}`, { email: freshEmail() })).body).toMatchObject({ is_anonymous: true });
  const email = freshEmail();
  expect((await call('PUT', `/admin/users/${user.id}`, { email, email_confirm: true })).body).toMatchObject({ email, email_confirmed_at: expect.any(String), is_anonymous: false });
});
