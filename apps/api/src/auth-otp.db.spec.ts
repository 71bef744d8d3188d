import { createHash, randomInt, randomUUID } from 'node:crypto';
import { makeSecrets } from '@mainstay/auth';
import { readSettings } from '@mainstay/config';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { decodeJwt } from 'jose';
import { AuthAdminController } from './auth-admin.controller.ts';
import { AuthOtpController } from './auth-otp.controller.ts';
import { AuthController, AuthNotYetController } from './auth.controller.ts';
import { MailboxController, mailboxDatabase } from './mailbox.controller.ts';
import { startQuickAuth } from './quick-auth.ts';

interface Answer {
  readonly status: number;
  readonly body: any;
  readonly headers: Record<string, unknown>;
}

interface Ask {
  readonly bearer?: string;
  readonly on?: NestFastifyApplication;
  readonly headers?: Record<string, string>;
  readonly remoteAddress?: string;
}

let database: TestDatabase;
let secrets: Record<string, string>;
/** Mails without a pause between them. */
let app: NestFastifyApplication;
/** As it is without any setting. */
let plain: NestFastifyApplication;
const apps: NestFastifyApplication[] = [];

const open = { GOTRUE_SMTP_MAX_FREQUENCY: '0', GOTRUE_SMS_MAX_FREQUENCY: '0', GOTRUE_EXTERNAL_PHONE_ENABLED: 'true', GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED: 'true', GOTRUE_URI_ALLOW_LIST: 'https://*.app.test/**,myapp://back' };

beforeAll(async () => {
  database = await makeTestDatabase();
  secrets = await makeSecrets(database.environment);
  app = await startApp(open);
  plain = await startApp({});
});
afterAll(async () => {
  await Promise.all(apps.map((each) => each.close()));
  await database.close();
});

async function startApp(more: Record<string, string>): Promise<NestFastifyApplication> {
  const settings = readSettings({ ...database.environment, ...secrets, ...more });
  const started = await startQuickAuth(settings, [AuthController, AuthOtpController, AuthAdminController, MailboxController, AuthNotYetController], [{ provide: mailboxDatabase, useValue: database.as('mainstay_api') }]);
  apps.push(started);
  return started;
}

async function call(method: string, url: string, body?: unknown, { bearer, on = app, headers = {}, remoteAddress }: Ask = {}): Promise<Answer> {
  const answer = await on.inject({
    method: method as 'GET',
    url: url.startsWith('/mailbox') ? url : `/auth/v1${url}`,
    headers: { 'x-supabase-api-version': '2024-01-01', apikey: secrets['ANON_KEY']!, ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(remoteAddress === undefined ? {} : { remoteAddress }),
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });
  const isJson = String(answer.headers['content-type'] ?? '').includes('json');
  return { status: answer.statusCode, headers: answer.headers, body: isJson ? answer.json() : answer.body === '' ? null : answer.body };
}

const post = (path: string, body: unknown, ask?: Ask) => call('POST', path, body, ask);
const service = (method: string, path: string, body?: unknown, ask: Ask = {}) => call(method, path, body, { ...ask, bearer: secrets['SERVICE_ROLE_KEY']! });
const password = 'correct horse battery';
const freshEmail = () => `user-${randomUUID()}@example.com`;
const freshPhone = () => `49151${randomInt(1e8, 1e9)}`;

interface Kept {
  readonly id: string;
  readonly kind: string;
  readonly code: string;
  readonly link: string;
  readonly channel: string;
  readonly subject: string;
}
const mailbox = async (to: string): Promise<Kept[]> => (await service('GET', `/mailbox/v1/messages?to=${encodeURIComponent(to)}`)).body as Kept[];
const newest = async (to: string): Promise<Kept> => (await mailbox(to))[0]!;
const hashOf = (link: string): string => new URL(link).searchParams.get('token')!;
/** Follows a link as a browser does, and gives where it leads. */
const follow = async (link: string, on = app): Promise<URL> => {
  const { pathname, search } = new URL(link);
  const answer = await on.inject({ method: 'GET', url: pathname + search });
  expect(answer.statusCode).toBe(303);
  return new URL(answer.headers.location as string);
};
const fragmentOf = (url: URL): Record<string, string> => Object.fromEntries(new URLSearchParams(url.hash.slice(1)));
const verify = (body: object, ask?: Ask) => post('/verify', body, ask);
const signIn = (email: string, secret = password, ask?: Ask) => post('/token?grant_type=password', { email, password: secret }, ask);

async function confirmed(email = freshEmail(), ask: Ask = {}): Promise<{ id: string; email: string; access: string; refresh: string }> {
  const { body } = await service('POST', '/admin/users', { email, password, email_confirm: true });
  const session = (await signIn(email, password, ask)).body;
  return { id: body.id, email, access: session.access_token, refresh: session.refresh_token };
}

const pkce = () => {
  const verifier = randomUUID() + randomUUID();
  return { verifier, asked: { code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 's256' } };
};

const actionsOf = async (id: string): Promise<string[]> =>
  (await database.admin.rows<{ action: string }>(`select payload ->> 'action' as action from auth.audit_log_entries where payload ->> 'actor_id' = $1 or payload -> 'traits' ->> 'user_id' = $1 order by created_at`, [id])).map(({ action }) => action);

describe('sign-up by mail', () => {
  it('is confirmed by the code, once, and then signs in', async () => {
    const email = freshEmail();
    const user = (await post('/signup', { email, password })).body;
    expect(user).toMatchObject({ email, confirmation_sent_at: expect.any(String) });
    expect(await signIn(email)).toMatchObject({ status: 400, body: { code: 'email_not_confirmed' } });
    const { code, kind, subject } = await newest(email);
    expect({ kind, subject }).toEqual({ kind: 'confirmation', subject: 'Confirm Your Signup' });
    const { status, body } = await verify({ email, token: code, type: 'signup' });
    expect({ status, amr: decodeJwt(body.access_token)['amr'], verified: body.user.user_metadata.email_verified }).toEqual({ status: 200, amr: [expect.objectContaining({ method: 'otp' })], verified: true });
    expect(await verify({ email, token: code, type: 'signup' })).toMatchObject({ status: 403, body: { code: 'otp_expired', message: 'Token has expired or is invalid' } });
    expect((await signIn(email)).status).toBe(200);
    expect(await actionsOf(user.id)).toEqual(['user_confirmation_requested', 'user_signedup', 'login', 'login']);
  });

  it('is confirmed by the link, which leads on with a session behind the #', async () => {
    const email = freshEmail();
    await post('/signup?redirect_to=https://pr1.app.test/welcome', { email, password });
    const { link } = await newest(email);
    const target = await follow(link);
    expect(target.origin + target.pathname).toBe('https://pr1.app.test/welcome');
    expect(fragmentOf(target)).toMatchObject({ access_token: expect.any(String), refresh_token: expect.any(String), token_type: 'bearer', type: 'signup', expires_in: '3600' });
    expect(fragmentOf(await follow(link))).toEqual({ error: 'access_denied', error_code: 'otp_expired', error_description: 'Email link is invalid or has expired', sb: '' });
  });

  it('with proof to come ends with a code that is good for that client alone', async () => {
    const email = freshEmail();
    const { verifier, asked } = pkce();
    await post('/signup?redirect_to=myapp://back', { email, password, ...asked });
    const { link } = await newest(email);
    expect(hashOf(link)).toMatch(/^pkce_/);
    const target = await follow(link);
    expect(target.href).toMatch(/^myapp:\/\/back\?code=[0-9a-f-]{36}$/);
    const auth_code = target.searchParams.get('code');
    expect(await post('/token?grant_type=pkce', { auth_code, code_verifier: 'x'.repeat(43) })).toMatchObject({ status: 400, body: { code: 'bad_code_verifier' } });
    expect(await post('/token?grant_type=pkce', { auth_code, code_verifier: verifier })).toMatchObject({ status: 200, body: { user: { email } } });
    expect(await post('/token?grant_type=pkce', { auth_code, code_verifier: verifier })).toMatchObject({ status: 404, body: { code: 'flow_state_not_found' } });
    expect((await follow(link)).searchParams.get('error_code')).toBe('otp_expired');
  });

  it('whoever only asks for the headers of a link does not use it up', async () => {
    const email = freshEmail();
    await post('/signup', { email, password });
    const { link } = await newest(email);
    const { pathname, search } = new URL(link);
    expect((await app.inject({ method: 'HEAD', url: pathname + search })).statusCode).toBe(200);
    expect(fragmentOf(await follow(link))).toHaveProperty('access_token');
  });

  it('the page in between needs a press of its button', async () => {
    const careful = await startApp({ ...open, MAINSTAY_VERIFY_PAGE: 'true' });
    const email = freshEmail();
    await post('/signup', { email, password }, { on: careful });
    const { pathname, search } = new URL((await newest(email)).link);
    const page = await careful.inject({ method: 'GET', url: `${pathname}${search}&x=${encodeURIComponent('"><script>')}` });
    expect(page.statusCode).toBe(200);
    expect(page.body).toContain('name="confirmed" value="1"');
    expect(page.body).not.toContain('<script>');
    expect((await careful.inject({ method: 'GET', url: `${pathname}${search}&confirmed=1` })).headers.location).toContain('access_token=');
  });

  it('a password of whoever signed up first does not outlive the owner’s own sign-up or magic link', async () => {
    const email = freshEmail();
    await post('/signup', { email, password: 'of the attacker' });
    await post('/otp', { email });
    const { code, kind } = await newest(email);
    expect(kind).toBe('magic_link');
    expect((await verify({ email, token: code, type: 'email' })).status).toBe(200);
    expect(await signIn(email, 'of the attacker')).toMatchObject({ body: { code: 'invalid_credentials' } });
  });
});

describe('anonymous accounts', () => {
  it('become permanent by an address, keep their id, and then take a password', async () => {
    const { status, body } = await post('/signup', { data: { cart: 1 } });
    expect({ status, claims: decodeJwt(body.access_token) }).toMatchObject({ status: 200, claims: { is_anonymous: true, amr: [{ method: 'anonymous' }], email: '' } });
    const bearer = body.access_token;
    expect(await call('PUT', '/user', { password }, { bearer })).toMatchObject({ status: 422, body: { code: 'validation_failed' } });
    const email = freshEmail();
    expect((await call('PUT', '/user', { email }, { bearer })).body).toMatchObject({ new_email: email, is_anonymous: true });
    const after = (await verify({ email, token: (await newest(email)).code, type: 'email_change' })).body;
    expect(after.user).toMatchObject({ id: body.user.id, email, is_anonymous: false, user_metadata: { cart: 1 }, app_metadata: { provider: 'email', providers: ['email'] }, identities: [{ provider: 'email' }] });
    expect((await call('PUT', '/user', { password }, { bearer: after.access_token })).status).toBe(200);
    expect((await signIn(email)).status).toBe(200);
  });

  it('are off by default', async () => {
    expect(await post('/signup', {}, { on: plain })).toMatchObject({ status: 422, body: { code: 'anonymous_provider_disabled', message: 'Anonymous sign-ins are disabled' } });
  });
});

describe('codes and links', () => {
  it('a new address gets an account, a known one a sign-in', async () => {
    const email = freshEmail();
    expect(await post('/otp', { email, data: { a: 1 } })).toMatchObject({ status: 200, body: {} });
    const first = await newest(email);
    expect(first.kind).toBe('confirmation');
    expect((await verify({ email, token: first.code, type: 'email' })).body).toMatchObject({ user: { user_metadata: { a: 1 } } });
    await post('/magiclink', { email });
    const { code, kind, link } = await newest(email);
    expect(kind).toBe('magic_link');
    expect(new URL(link).searchParams.get('type')).toBe('magiclink');
    expect((await verify({ email, token: code, type: 'magiclink' })).status).toBe(200);
  });

  it('without create_user an unknown address is refused', async () => {
    expect(await post('/otp', { email: freshEmail(), create_user: false })).toMatchObject({ status: 422, body: { code: 'otp_disabled', message: 'Signups not allowed for otp' } });
    expect(await post('/otp', { email: (await confirmed()).email, create_user: false })).toMatchObject({ status: 200 });
  });

  it('a number gets a text message', async () => {
    const phone = freshPhone();
    expect(await post('/otp', { phone: `+${phone}` })).toMatchObject({ status: 200, body: { message_id: expect.any(String) } });
    const { code, channel } = await newest(`+${phone}`);
    expect(channel).toBe('sms');
    expect((await verify({ phone: `+${phone}`, token: code, type: 'sms' })).body).toMatchObject({ user: { phone, phone_confirmed_at: expect.any(String), app_metadata: { provider: 'phone' } } });
  });

  it('phone and password: sign-up, confirmation, sign-in', async () => {
    const phone = freshPhone();
    expect((await post('/signup', { phone, password, channel: 'whatsapp' })).body).toMatchObject({ phone, identities: [{ provider: 'phone' }] });
    expect(await post('/token?grant_type=password', { phone, password })).toMatchObject({ status: 400, body: { code: 'phone_not_confirmed' } });
    const { code, channel } = await newest(phone);
    expect(channel).toBe('whatsapp');
    expect((await verify({ phone, token: code, type: 'sms' })).status).toBe(200);
    expect((await post('/token?grant_type=password', { phone: `+${phone}`, password })).status).toBe(200);
  });

  it('a hash is spent by its application too', async () => {
    const { email } = await confirmed();
    await post('/otp', { email });
    const token_hash = hashOf((await newest(email)).link);
    expect(await verify({ token_hash, type: 'signup' })).toMatchObject({ status: 403, body: { code: 'otp_expired', message: 'Email link is invalid or has expired' } });
    expect((await verify({ token_hash, type: 'email' })).status).toBe(200);
    expect((await verify({ token_hash, type: 'email' })).status).toBe(403);
  });

  it('ten wrong codes shut the address, and the right one with it, known or not', async () => {
    const { email } = await confirmed();
    await post('/otp', { email });
    const { code } = await newest(email);
    const wrong = String((Number(code) + 1) % 1e6).padStart(6, '0');
    const guesses = await Promise.all(Array.from({ length: 25 }, () => verify({ email, token: wrong, type: 'email' })));
    expect(guesses.filter(({ status }) => status === 403)).toHaveLength(10);
    expect(await verify({ email, token: code, type: 'email' })).toMatchObject({ status: 429, body: { code: 'over_request_rate_limit' } });
    const nobody = freshEmail();
    const others = await Promise.all(Array.from({ length: 12 }, () => verify({ email: nobody, token: wrong, type: 'email' })));
    expect(others.map(({ status }) => status).sort()).toEqual([...Array<number>(10).fill(403), 429, 429]);
  });

  it.each<[string, object, string, RegExp]>([
    ['/otp', {}, 'validation_failed', /One of email or phone/],
    ['/otp', { email: 'a@b.de', phone: '491' }, 'validation_failed', /Only an email/],
    ['/otp', { email: 'nonsense' }, 'validation_failed', /invalid format/],
    ['/otp', { phone: 'nonsense' }, 'validation_failed', /E\.164/],
    ['/otp', { phone: '4915112345678', channel: 'pigeon' }, 'validation_failed', /Invalid channel/],
    ['/otp', { email: 'a@b.de', channel: 'sms' }, 'validation_failed', /Channel should only be specified with Phone OTP/],
    ['/otp', { email: 'a@b.de', code_challenge: 'short', code_challenge_method: 's256' }, 'validation_failed', /between 43 and 128/],
    ['/otp', { email: 'a@b.de', code_challenge: 'x'.repeat(43) }, 'validation_failed', /requires code_challenge_method/],
    ['/otp', { email: 'a@b.de', code_challenge: 'x'.repeat(43), code_challenge_method: 'md5' }, 'validation_failed', /unsupported/],
    ['/recover', {}, 'validation_failed', /requires an email/],
    ['/resend', { email: 'a@b.de' }, 'validation_failed', /Missing one of these types/],
    ['/resend', { type: 'signup' }, 'validation_failed', /requires an email/],
    ['/resend', { type: 'sms' }, 'validation_failed', /requires a phone/],
    ['/verify', { token: '1' }, 'validation_failed', /verification type/],
    ['/verify', { type: 'email' }, 'validation_failed', /either a token or a token hash/],
    ['/verify', { type: 'email', token: '1', token_hash: 'x' }, 'validation_failed', /either a token or a token hash/],
    ['/verify', { type: 'email', token: '1' }, 'validation_failed', /Only an email address or phone/],
    ['/verify', { type: 'constructor', token_hash: 'x' }, 'validation_failed', /Invalid/],
    ['/verify', { type: 'email', token_hash: 'x', email: 'a@b.de' }, 'validation_failed', /Only the token_hash/],
    ['/verify', { type: 'email', token_hash: 'x', redirect_to: 'https://a.app.test/x' }, 'validation_failed', /Only the token_hash/],
    ['/verify', { type: 'sms', token_hash: 'x' }, 'validation_failed', /Invalid email verification type/],
    ['/verify', { type: 7, token_hash: 'x' }, 'bad_json', /type must be a string/],
  ])('%s %j is refused', async (path, body, code, message) => {
    expect(await post(path, body)).toMatchObject({ status: 400, body: { code, message: expect.stringMatching(message) } });
  });

  it.each<[object, number, object]>([
    [{ email: 'nonsense', type: 'email' }, 422, { code: 'validation_failed', message: 'Invalid email format' }],
    [{ email: 'nobody@example.com', type: 'sms' }, 403, { code: 'otp_expired', message: 'Token has expired or is invalid' }],
    [{ email: 'nobody@example.com', type: 'constructor' }, 403, { code: 'otp_expired', message: 'Token has expired or is invalid' }],
    [{ phone: '4915112345679', type: 'signup' }, 403, { code: 'otp_expired', message: 'Token has expired or is invalid' }],
  ])('a code for %j is refused as GoTrue refuses it', async (body, status, refusal) => expect(await verify({ token: '123456', ...body })).toMatchObject({ status, body: refusal }));
});

describe('recovery, resending, invitation', () => {
  it('a recovery lets in, and the new password ends the other sessions', async () => {
    const { email, refresh } = await confirmed();
    expect(await post('/recover', { email })).toMatchObject({ status: 200, body: {} });
    const { body } = await verify({ email, token: (await newest(email)).code, type: 'recovery' });
    expect((await call('PUT', '/user', { password: 'a new password' }, { bearer: body.access_token })).status).toBe(200);
    expect((await post('/token?grant_type=refresh_token', { refresh_token: refresh })).status).toBe(400);
    expect((await signIn(email, 'a new password')).status).toBe(200);
  });

  it.each(['/recover', '/otp', '/resend', '/signup'])('%s answers for an unknown address as for a known one, also when it is asked again', async (path) => {
    const known = (await confirmed()).email;
    const extra = path === '/resend' ? { type: 'signup' } : path === '/signup' ? { password } : {};
    const seen = [];
    for (const email of [known, freshEmail()]) {
      const first = await post(path, { email, ...extra }, { on: plain });
      const second = await post(path, { email, ...extra }, { on: plain });
      expect(second).toMatchObject({ status: 429, body: { code: 'over_email_send_rate_limit', message: expect.stringMatching(/^For security purposes, you can only request this after \d+ seconds\.$/) } });
      seen.push([first.status, Object.keys(first.body).sort(), second.status]);
    }
    expect(seen[0]).toEqual(seen[1]);
  });

  it('a confirmation is sent again, and only the last one is good', async () => {
    const email = freshEmail();
    await post('/signup', { email, password });
    const first = await newest(email);
    expect(await post('/resend', { email, type: 'signup' })).toMatchObject({ status: 200, body: {} });
    const second = await newest(email);
    expect(second.id).not.toBe(first.id);
    expect((await verify({ token_hash: hashOf(first.link), type: 'signup' })).status).toBe(403);
    expect((await verify({ token_hash: hashOf(second.link), type: 'signup' })).status).toBe(200);
    expect(await post('/resend', { email, type: 'signup' })).toMatchObject({ status: 200 });
    expect(await mailbox(email)).toHaveLength(2);
  });

  it('an invitation is for the administration, and its reader becomes a user', async () => {
    const email = freshEmail();
    expect(await post('/invite', { email })).toMatchObject({ status: 401 });
    expect(await post('/invite', { email }, { bearer: (await confirmed()).access })).toMatchObject({ status: 403, body: { code: 'not_admin' } });
    const { body } = await service('POST', '/invite', { email, data: { team: 'x' } });
    expect(body).toMatchObject({ email, invited_at: expect.any(String), user_metadata: { team: 'x' } });
    const target = await follow((await newest(email)).link);
    expect(fragmentOf(target)).toMatchObject({ type: 'invite', access_token: expect.any(String) });
    expect(await service('POST', '/invite', { email })).toMatchObject({ status: 422, body: { code: 'email_exists' } });
  });

  it.each(['signup', 'invite', 'magiclink', 'recovery'])('a link of type %s is made and lets in', async (type) => {
    const email = type === 'magiclink' || type === 'recovery' ? (await confirmed()).email : freshEmail();
    const { status, body } = await service('POST', '/admin/generate_link', { type, email, ...(type === 'signup' ? { password } : {}), redirect_to: 'https://a.app.test/x' });
    expect({ status, body }).toMatchObject({ status: 200, body: { email, verification_type: type, redirect_to: 'https://a.app.test/x', email_otp: expect.stringMatching(/^\d{6}$/), hashed_token: expect.any(String) } });
    expect(hashOf(body.action_link)).toBe(body.hashed_token);
    expect(body.action_link).toContain('&redirect_to=https://a.app.test/x');
    expect(await mailbox(email)).toEqual([]);
    expect((await verify({ token_hash: body.hashed_token, type })).status).toBe(200);
  });

  it.each<[object, number, string]>([
    [{ type: 'recovery', email: 'nobody@example.com' }, 404, 'user_not_found'],
    [{ type: 'nonsense', email: 'a@b.de' }, 400, 'validation_failed'],
    [{ type: 'signup', email: 'new@example.com' }, 400, 'validation_failed'],
    [{ type: 'email_change_new', email: 'nobody@example.com', new_email: 'other@example.com' }, 404, 'user_not_found'],
  ])('a link of %j is refused', async (body, status, code) => expect(await service('POST', '/admin/generate_link', body)).toMatchObject({ status, body: { code } }));
});

describe('changes of an account', () => {
  it('both mailboxes confirm a new address, in any order', async () => {
    for (const first of ['old', 'new'] as const) {
      const { email, access } = await confirmed();
      const newEmail = freshEmail();
      expect((await call('PUT', '/user', { email: newEmail }, { bearer: access })).body).toMatchObject({ email, new_email: newEmail });
      const [one, other] = first === 'old' ? [email, newEmail] : [newEmail, email];
      expect(await verify({ email: one, token: (await newest(one)).code, type: 'email_change' })).toMatchObject({ status: 200, body: { code: '200', msg: expect.stringMatching(/^Confirmation link accepted/) } });
      expect((await call('GET', '/user', undefined, { bearer: access })).body).toMatchObject({ email });
      expect(fragmentOf(await follow((await newest(other)).link))).toMatchObject({ type: 'email_change', access_token: expect.any(String) });
      expect((await signIn(newEmail)).status).toBe(200);
      expect((await signIn(email)).status).toBe(400);
    }
  });

  it('one mailbox does where that is set, and links for it are made by the administration', async () => {
    const lax = await startApp({ ...open, GOTRUE_MAILER_SECURE_EMAIL_CHANGE_ENABLED: 'false' });
    const { email, access } = await confirmed();
    const newEmail = freshEmail();
    await call('PUT', '/user', { email: newEmail }, { bearer: access, on: lax });
    expect(await mailbox(email)).toEqual([]);
    expect((await verify({ email: newEmail, token: (await newest(newEmail)).code, type: 'email_change' }, { on: lax })).body.user).toMatchObject({ email: newEmail });
    const third = freshEmail();
    const { body } = await service('POST', '/admin/generate_link', { type: 'email_change_new', email: newEmail, new_email: third }, { on: lax });
    expect((await verify({ token_hash: body.hashed_token, type: 'email_change' }, { on: lax })).body.user).toMatchObject({ email: third });
  });

  it('a new number is confirmed by text message', async () => {
    const { access } = await confirmed();
    const phone = freshPhone();
    expect((await call('PUT', '/user', { phone }, { bearer: access })).body).toMatchObject({ new_phone: phone, phone: '' });
    expect((await verify({ phone, token: (await newest(phone)).code, type: 'phone_change' })).body.user).toMatchObject({ phone, phone_confirmed_at: expect.any(String) });
  });

  it('a taken address or number is refused', async () => {
    const [one, other] = [await confirmed(), await confirmed()];
    expect(await call('PUT', '/user', { email: other.email }, { bearer: one.access })).toMatchObject({ status: 422, body: { code: 'email_exists' } });
  });

  it('a new password needs a nonce, or the current one, where that is set', async () => {
    const strict = await startApp({ ...open, GOTRUE_SECURITY_UPDATE_PASSWORD_REQUIRE_REAUTHENTICATION: 'true', GOTRUE_SECURITY_UPDATE_PASSWORD_REQUIRE_CURRENT_PASSWORD: 'true' });
    const { email, access, id } = await confirmed();
    const change = (body: object) => call('PUT', '/user', { password: 'another one', ...body }, { bearer: access, on: strict });
    expect(await change({})).toMatchObject({ status: 400, body: { code: 'current_password_required' } });
    expect(await change({ current_password: 'wrong' })).toMatchObject({ status: 400, body: { code: 'current_password_invalid' } });
    await database.admin.rows(`update auth.sessions set created_at = created_at - interval '2 days' where user_id = $1`, [id]);
    expect(await change({ current_password: password })).toMatchObject({ status: 400, body: { code: 'reauthentication_needed' } });
    expect(await call('GET', '/reauthenticate', undefined, { bearer: access, on: strict })).toMatchObject({ status: 200, body: {} });
    const { code, kind } = await newest(email);
    expect(kind).toBe('reauthentication');
    expect(await change({ current_password: password, nonce: '000000' === code ? '1' : '000000' })).toMatchObject({ status: 422, body: { code: 'reauthentication_not_valid' } });
    expect((await change({ current_password: password, nonce: code })).status).toBe(200);
  });

  it.each([
    ['a code', async (email: string) => (await verify({ email, token: (await newest(email)).code, type: 'recovery' })).body.access_token],
    ['a link', async (email: string) => fragmentOf(await follow((await newest(email)).link))['access_token']],
  ] as [string, (email: string) => Promise<string>][])('whoever comes by %s because the password is forgotten is not asked for it', async (_, enter) => {
    const strict = await startApp({ ...open, GOTRUE_SECURITY_UPDATE_PASSWORD_REQUIRE_CURRENT_PASSWORD: 'true' });
    const { email } = await confirmed();
    await post('/recover', { email });
    expect((await call('PUT', '/user', { password: 'another one' }, { bearer: await enter(email), on: strict })).status).toBe(200);
    const { access_token: bearer } = (await signIn(email, 'another one')).body;
    expect(await call('PUT', '/user', { password: 'and one more' }, { bearer, on: strict })).toMatchObject({ status: 400, body: { code: 'current_password_required' } });
  });

  it('with a second factor, neither password nor address changes without it', async () => {
    const { access, id } = await confirmed();
    await database.admin.rows(`insert into auth.mfa_factors (id, user_id, factor_type, status, created_at, updated_at) values (gen_random_uuid(), $1, 'totp', 'verified', now(), now())`, [id]);
    expect(await call('PUT', '/user', { password: 'another one' }, { bearer: access })).toMatchObject({ status: 401, body: { code: 'insufficient_aal' } });
    expect((await call('PUT', '/user', { data: { a: 1 } }, { bearer: access })).status).toBe(200);
  });
});

describe('guesses', () => {
  it('of a hundred passwords at once ten are compared, the owner’s session lives on, and is free again in time', async () => {
    const { email, refresh, access } = await confirmed();
    const guesses = await Promise.all(Array.from({ length: 100 }, (_, n) => signIn(email, `guess ${n}`, { headers: { 'x-forwarded-for': `203.0.113.${n}` } })));
    expect(guesses.filter(({ status }) => status === 400)).toHaveLength(10);
    expect(await signIn(email)).toMatchObject({ status: 429, body: { code: 'over_request_rate_limit' }, headers: { 'retry-after': expect.any(String) } });
    expect((await call('GET', '/user', undefined, { bearer: access })).status).toBe(200);
    expect((await post('/token?grant_type=refresh_token', { refresh_token: refresh })).status).toBe(200);
    await database.admin.rows(`update mainstay_internal.attempts set counted_at = counted_at - interval '60 seconds'`);
    expect((await signIn(email)).status).toBe(200);
  });

  it('only a listed proxy says where a request comes from', async () => {
    const behind = await startApp({ ...open, MAINSTAY_TRUSTED_PROXIES: '127.0.0.1', GOTRUE_RATE_LIMIT_OTP: '1' });
    const ask = (forwarded: string, remoteAddress?: string) => post('/recover', { email: freshEmail() }, { on: behind, headers: { 'x-forwarded-for': forwarded }, ...(remoteAddress === undefined ? {} : { remoteAddress }) });
    expect((await ask('198.51.100.1')).status).toBe(200);
    expect(await ask('198.51.100.1')).toMatchObject({ status: 429, body: { code: 'over_request_rate_limit' } });
    expect((await ask('198.51.100.2')).status).toBe(200);
    expect((await ask('198.51.100.3', '198.51.100.9')).status).toBe(200);
    expect((await ask('198.51.100.4', '198.51.100.9')).status).toBe(429);
  });
});

describe('sessions', () => {
  it('are listed, and ended one by one', async () => {
    const { email, access } = await confirmed();
    const other = (await signIn(email, password, { headers: { 'user-agent': 'phone' } })).body.access_token;
    const { sessions } = (await call('GET', '/user/sessions', undefined, { bearer: access })).body;
    expect(sessions).toHaveLength(2);
    const [its, own] = [sessions.find((each: any) => each.user_agent === 'phone'), sessions.find((each: any) => each.is_current)];
    expect(own.id).toBe(decodeJwt(access)['session_id']);
    expect((await call('DELETE', `/user/sessions/${its.id}`, undefined, { bearer: access })).status).toBe(204);
    expect(await call('GET', '/user', undefined, { bearer: other })).toMatchObject({ status: 403, body: { code: 'session_not_found' } });
    expect((await call('DELETE', `/user/sessions/${own.id}`, undefined, { bearer: (await confirmed()).access })).status).toBe(404);
  });

  it.each<[string, Record<string, string>, string]>([
    ['past its time box', { GOTRUE_SESSIONS_TIMEBOX: '24h' }, `created_at = created_at - interval '25 hours'`],
    ['idle for too long', { GOTRUE_SESSIONS_INACTIVITY_TIMEOUT: '1h' }, `updated_at = updated_at - interval '61 minutes'`],
  ])('one %s neither refreshes nor acts', async (_name, more, change) => {
    const limited = await startApp({ ...open, ...more });
    const { id, access, refresh } = await confirmed(undefined, { on: limited });
    await database.admin.rows(`update auth.sessions set ${change} where user_id = $1`, [id]);
    expect(await call('GET', '/user', undefined, { bearer: access, on: limited })).toMatchObject({ status: 403, body: { code: 'session_expired' } });
    expect(await post('/token?grant_type=refresh_token', { refresh_token: refresh }, { on: limited })).toMatchObject({ status: 400, body: { code: 'session_expired' } });
  });

  it('only the newest refreshes where a user may have one', async () => {
    const single = await startApp({ ...open, GOTRUE_SESSIONS_SINGLE_PER_USER: 'true' });
    const { email, refresh } = await confirmed(undefined, { on: single });
    const second = (await signIn(email, password, { on: single })).body.refresh_token;
    expect(await post('/token?grant_type=refresh_token', { refresh_token: refresh }, { on: single })).toMatchObject({ status: 400, body: { code: 'session_expired' } });
    expect((await post('/token?grant_type=refresh_token', { refresh_token: second }, { on: single })).status).toBe(200);
  });
});

describe('the mailbox', () => {
  it('is open to the service key only, and messages go when they are deleted', async () => {
    const email = freshEmail();
    await post('/otp', { email });
    const { id } = await newest(email);
    expect((await call('GET', `/mailbox/v1/messages?to=${email}`)).status).toBe(403);
    expect((await call('GET', `/mailbox/v1/messages/${id}`, undefined, { bearer: (await confirmed()).access })).status).toBe(403);
    expect((await service('GET', `/mailbox/v1/messages/${id}`)).body).toMatchObject({ id, recipient: email, html: expect.stringContaining('<a href='), text: expect.stringContaining('/auth/v1/verify?token='), created_at: expect.any(String) });
    expect((await service('DELETE', `/mailbox/v1/messages/${id}`)).status).toBe(204);
    expect((await service('GET', `/mailbox/v1/messages/${id}`)).status).toBe(404);
    expect((await service('GET', '/mailbox/v1/messages?limit=0')).status).toBe(400);
  });
});
