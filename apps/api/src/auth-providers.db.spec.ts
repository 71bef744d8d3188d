import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { makeSecrets } from '@mainstay/auth';
import { readSettings } from '@mainstay/config';
import { makeTestDatabase, startIssuer, type Issuer, type TestDatabase } from '@mainstay/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { decodeJwt, exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWTPayload } from 'jose';
import { AuthAdminController } from './auth-admin.controller.ts';
import { AuthOtpController } from './auth-otp.controller.ts';
import { AuthProvidersController } from './auth-providers.controller.ts';
import { AuthController, AuthNotYetController } from './auth.controller.ts';
import { MailboxController, mailboxDatabase } from './mailbox.controller.ts';
import { startQuickAuth } from './quick-auth.ts';

interface Answer {
  readonly status: number;
  readonly body: any;
  readonly headers: Record<string, any>;
}

interface Ask {
  readonly bearer?: string | undefined;
  readonly on?: NestFastifyApplication;
  readonly headers?: Record<string, string>;
}

/** A GitHub whose people and mood the specs decide, and an issuer that signs whatever it is told to. */
class Double {
  url = '';
  signing!: CryptoKey;
  person: Record<string, unknown> = {};
  emails: unknown = [];
  tokenAnswer: { status: number; body: unknown } | null = null;
  readonly seen: { path: string; authorization: string | undefined; form: URLSearchParams }[] = [];
  private server!: Server;

  async start(): Promise<void> {
    const { publicKey, privateKey } = await generateKeyPair('ES256');
    this.signing = privateKey;
    const keys = [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' }];
    this.server = createServer((request, response) => {
      let text = '';
      request.on('data', (piece) => (text += String(piece)));
      request.on('end', () => {
        const path = request.url!.split('?')[0]!;
        this.seen.push({ path, authorization: request.headers.authorization, form: new URLSearchParams(text) });
        const { status, body } = this.answerTo(path, keys);
        response.writeHead(status, { 'content-type': 'application/json' }).end(typeof body === 'string' ? body : JSON.stringify(body));
      });
    });
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  private answerTo(path: string, keys: unknown[]): { status: number; body: unknown } {
    if (path === '/login/oauth/access_token') return this.tokenAnswer ?? { status: 200, body: { access_token: 'gho_secret', token_type: 'bearer', scope: 'user:email' } };
    if (path === '/api/v3/user') return { status: 200, body: this.person };
    if (path === '/api/v3/user/emails') return { status: 200, body: this.emails };
    if (path === '/.well-known/openid-configuration') {
      return { status: 200, body: { issuer: this.url, authorization_endpoint: `${this.url}/auth`, token_endpoint: `${this.url}/token`, jwks_uri: `${this.url}/jwks`, response_types_supported: ['code'], subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['ES256'] } };
    }
    return path === '/jwks' ? { status: 200, body: { keys } } : { status: 404, body: {} };
  }

  idToken(claims: JWTPayload, { alg = 'ES256', key = this.signing }: { alg?: string; key?: CryptoKey | Uint8Array } = {}): Promise<string> {
    return new SignJWT({ iss: this.url, aud: 'signer-web', sub: randomUUID(), ...claims }).setProtectedHeader({ alg, kid: 'k1' }).setIssuedAt().setExpirationTime('5m').sign(key);
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

const double = new Double();
let database: TestDatabase;
let secrets: Record<string, string>;
let issuer: Issuer;
let app: NestFastifyApplication;
const apps: NestFastifyApplication[] = [];
const api = 'http://127.0.0.1:56901';
const site = 'https://site.app.test/';
const back = 'https://www.app.test/back';

beforeAll(async () => {
  await double.start();
  issuer = await startIssuer([{ client_id: 'acme-web', client_secret: 'acme-secret', redirect_uris: [`${api}/auth/v1/callback`], grant_types: ['authorization_code'], response_types: ['code'] }]);
  database = await makeTestDatabase();
  secrets = await makeSecrets(database.environment);
  app = await startApp({});
});
afterAll(async () => {
  await Promise.all(apps.map((each) => each.close()));
  await Promise.all([database.close(), issuer.close()]);
  double.stop();
});

const providers = (): Record<string, string> => ({
  GOTRUE_EXTERNAL_ACME_ENABLED: 'true', GOTRUE_EXTERNAL_ACME_CLIENT_ID: 'acme-web', GOTRUE_EXTERNAL_ACME_SECRET: 'acme-secret', GOTRUE_EXTERNAL_ACME_URL: issuer.url,
  GOTRUE_EXTERNAL_GITHUB_ENABLED: 'true', GOTRUE_EXTERNAL_GITHUB_CLIENT_ID: 'gh-web', GOTRUE_EXTERNAL_GITHUB_SECRET: 'gh-secret', GOTRUE_EXTERNAL_GITHUB_URL: double.url,
  GOTRUE_EXTERNAL_KEYCLOAK_ENABLED: 'true', GOTRUE_EXTERNAL_KEYCLOAK_CLIENT_ID: 'signer-web,signer-ios', GOTRUE_EXTERNAL_KEYCLOAK_SECRET: 's', GOTRUE_EXTERNAL_KEYCLOAK_URL: double.url,
  GOTRUE_EXTERNAL_AZURE_CLIENT_ID: 'off', GOTRUE_EXTERNAL_DISCORD_ENABLED: 'true',
  GOTRUE_SECURITY_MANUAL_LINKING_ENABLED: 'true', GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED: 'true', GOTRUE_SMTP_MAX_FREQUENCY: '0',
  API_EXTERNAL_URL: api, SITE_URL: site, GOTRUE_URI_ALLOW_LIST: 'https://*.app.test/**,app://back',
});

async function startApp(more: Record<string, string>): Promise<NestFastifyApplication> {
  const settings = readSettings({ ...database.environment, ...secrets, ...providers(), ...more });
  const started = await startQuickAuth(settings, [AuthController, AuthOtpController, AuthAdminController, AuthProvidersController, MailboxController, AuthNotYetController], [{ provide: mailboxDatabase, useValue: database.as('mainstay_api') }]);
  apps.push(started);
  return started;
}

async function call(method: string, url: string, body?: unknown, { bearer, on = app, headers = {} }: Ask = {}): Promise<Answer> {
  const answer = await on.inject({
    method: method as 'GET',
    url: url.startsWith('/mailbox') ? url : `/auth/v1${url}`,
    headers: { 'x-supabase-api-version': '2024-01-01', ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const isJson = String(answer.headers['content-type'] ?? '').includes('json');
  return { status: answer.statusCode, headers: answer.headers, body: isJson ? answer.json() : answer.body };
}

const service = (method: string, path: string, body?: unknown) => call(method, path, body, { bearer: secrets['SERVICE_ROLE_KEY']! });
const freshEmail = (): string => `user-${randomUUID()}@example.com`;
const password = 'correct horse battery';
const fragmentOf = (url: URL): Record<string, string> => Object.fromEntries(new URLSearchParams(url.hash.slice(1)));
const query = (values: Record<string, string>): string => new URLSearchParams(values).toString();
const userOf = async (token: string): Promise<any> => (await call('GET', '/user', undefined, { bearer: token })).body;

/** Begins a sign-in; gives where the browser is led and the cookies that it keeps. */
async function begin(provider: string, more: Record<string, string> = {}, ask: Ask = {}): Promise<{ url: URL; cookie: string }> {
  const { status, headers } = await call('GET', `/authorize?${query({ provider, redirect_to: back, ...more })}`, undefined, ask);
  expect(status).toBe(302);
  const set = ([headers['set-cookie'] ?? []].flat() as string[]).map((each) => each.split(';')[0]).join('; ');
  return { url: new URL(headers['location']), cookie: set };
}

/** Brings the provider's answer back, as the browser does. */
async function land(callback: URL, ask: Ask = {}): Promise<URL> {
  const { status, headers } = await call('GET', `/callback${callback.search}`, undefined, ask);
  expect([status, headers['cache-control'], headers['referrer-policy']]).toEqual([303, 'no-store', 'no-referrer']);
  return new URL(headers['location']);
}

/** The whole way by the double of GitHub. */
async function byGithub(person: { id: number; login: string; name?: string }, emails: unknown, more: Record<string, string> = {}, ask: Ask = {}): Promise<URL> {
  Object.assign(double, { person, emails });
  const { url } = await begin('github', more, ask);
  return land(new URL(`${api}/auth/v1/callback?${query({ code: 'gh-code', state: url.searchParams.get('state')! })}`), ask);
}
const github = (email: string, verified = true) => [{ email: 'other@example.com', verified: false, primary: false }, { email, verified, primary: true }];
const person = (id = Math.floor(Math.random() * 1e12)) => ({ id, login: `octo-${id}`, name: 'Octo Cat', avatar_url: 'https://img.test/1.png' });

describe('GET /authorize', () => {
  it.each([
    ['provider=nobody', 'Unsupported provider: Provider nobody could not be found'],
    ['', 'Unsupported provider: Provider  could not be found'],
    ['provider=google', 'Unsupported provider: provider is not enabled'],
    ['provider=azure', 'Unsupported provider: provider is not enabled'],
    ['provider=discord', 'Unsupported provider: missing OAuth client ID'],
    ['provider=__proto__', 'Unsupported provider: Provider __proto__ could not be found'],
    ['provider=github&code_challenge=short&code_challenge_method=s256', 'code challenge has to be between 43 and 128 characters'],
    [`provider=github&code_challenge=${'a'.repeat(43)}`, 'PKCE flow requires code_challenge_method and code_challenge'],
  ])('?%s is refused', async (asked, message) => {
    expect(await call('GET', `/authorize?${asked}`)).toMatchObject({ status: 400, body: { code: 'validation_failed', message } });
  });

  it('leads to plain OAuth 2 with state and proof, and lets a request overrule neither', async () => {
    const { url } = await begin('github', { scopes: 'repo user', prompt: 'consent', state: 'mine', redirect_uri: 'https://evil.test', client_id: 'evil', response_type: 'token' });
    expect(url.origin + url.pathname).toBe(`${double.url}/login/oauth/authorize`);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      prompt: 'consent', redirect_uri: `${api}/auth/v1/callback`, state: expect.stringMatching(/^[\w-]{36}\.o\.[\w-]{43}$/), scope: 'user:email repo user', client_id: 'gh-web', response_type: 'code',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/), code_challenge_method: 'S256',
    });
  });

  it('leads to an OpenID issuer that was found by discovery, with a nonce', async () => {
    const { url } = await begin('custom:acme');
    expect(url.origin).toBe(issuer.url);
    expect(Object.fromEntries(url.searchParams)).toMatchObject({ client_id: 'acme-web', scope: 'openid profile email', nonce: expect.any(String), code_challenge_method: 'S256', response_type: 'code' });
  });

  it('GET /settings says which providers are on', async () => {
    expect((await call('GET', '/settings')).body.external).toMatchObject({ github: true, acme: true, keycloak: true, google: false, azure: false, email: true });
  });
});

describe('a sign-in at an OpenID provider', () => {
  const verifier = randomBytes(32).toString('base64url');
  const proof = { code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 's256' };

  it('implicit: the session and the provider’s token come behind #, once', async () => {
    const email = freshEmail();
    issuer.people.set('ada', { email, email_verified: true, name: 'Ada L.', picture: 'https://img.test/ada.png' });
    const { url } = await begin('acme');
    const callback = await issuer.walk(url.href, 'ada');
    const landed = await land(callback);
    expect(landed.href.split('#')[0]).toBe(back);
    const got = fragmentOf(landed);
    expect(Object.keys(got).sort()).toEqual(['access_token', 'expires_at', 'expires_in', 'provider_token', 'refresh_token', 'sb', 'token_type']);
    const user = await userOf(got['access_token']!);
    expect(user).toMatchObject({ email, email_confirmed_at: expect.any(String), app_metadata: { provider: 'acme', providers: ['acme'] }, user_metadata: { full_name: 'Ada L.', email_verified: true, sub: 'ada', iss: issuer.url } });
    expect(user.identities).toEqual([expect.objectContaining({ provider: 'acme', id: 'ada', email, identity_data: expect.objectContaining({ sub: 'ada', email, avatar_url: 'https://img.test/ada.png' }) })]);
    expect(decodeJwt(got['access_token']!)).toMatchObject({ amr: [{ method: 'oauth' }], aal: 'aal1' });
    // The same way back again is worth nothing.
    expect(fragmentOf(await land(callback))).toMatchObject({ error: 'invalid_request', error_code: 'bad_oauth_state' });
  });

  it('PKCE: a code that its client alone exchanges, once, and with the provider’s token', async () => {
    issuer.people.set('bob', { email: freshEmail(), email_verified: true });
    const { url } = await begin('acme', proof);
    const landed = await land(await issuer.walk(url.href, 'bob'));
    expect(landed.hash).toBe('');
    const code = landed.searchParams.get('code')!;
    const [row] = await database.admin.rows<{ token: string }>('select provider_access_token as token from auth.flow_state where user_id is not null order by created_at desc limit 1');
    const exchange = (code_verifier: string) => call('POST', '/token?grant_type=pkce', { auth_code: code, code_verifier });
    expect(await exchange(randomBytes(32).toString('base64url'))).toMatchObject({ status: 400, body: { code: 'bad_code_verifier' } });
    const { status, body } = await exchange(verifier);
    expect([status, body.user.app_metadata.provider]).toEqual([200, 'acme']);
    expect(body.provider_token).toMatch(/^[\w-]{20,}$/);
    // What the database kept meanwhile opens nothing.
    expect(row!.token).not.toContain(body.provider_token);
    expect(await exchange(verifier)).toMatchObject({ status: 404, body: { code: 'flow_state_not_found' } });
  });

  it('somebody says no: the application is told so, with PKCE in the query as well', async () => {
    const { url } = await begin('acme');
    expect(fragmentOf(await land(await issuer.walk(url.href, 'eve', 'deny')))).toEqual({ error: 'access_denied', error_description: expect.any(String), sb: '' });
    const again = await land(await issuer.walk((await begin('acme', proof)).url.href, 'eve', 'deny'));
    expect([again.searchParams.get('error'), fragmentOf(again)['error']]).toEqual(['access_denied', 'access_denied']);
  });

  it('a redirect_to that is not allowed leads to the site', async () => {
    issuer.people.set('carl', { email: freshEmail(), email_verified: true });
    const landed = await land(await issuer.walk((await begin('acme', { redirect_to: 'https://evil.test/' })).url.href, 'carl'));
    expect(landed.href.split('#')[0]).toBe(site);
  });
});

describe('the way back', () => {
  it.each([
    ['', 'bad_oauth_callback', 'OAuth state parameter missing'],
    ['state=nonsense&code=x', 'bad_oauth_state', 'OAuth callback with invalid state'],
    [`state=${randomUUID()}.o.${'a'.repeat(43)}&code=x`, 'bad_oauth_state', 'OAuth callback with invalid state'],
  ])('?%s leads to the site with an error', async (asked, error_code, error_description) => {
    const landed = await land(new URL(`${api}/auth/v1/callback?${asked}`));
    expect(landed.href.split('#')[0]).toBe(site);
    expect(fragmentOf(landed)).toEqual({ error: 'invalid_request', error_code, error_description, sb: '' });
  });

  it('HEAD uses nothing up', async () => {
    expect((await call('HEAD', '/callback?state=x')).status).toBe(200);
  });

  it('of twenty at once with one state, one signs in', async () => {
    Object.assign(double, { person: person(), emails: github(freshEmail()) });
    const { url } = await begin('github');
    const callback = new URL(`${api}/auth/v1/callback?${query({ code: 'c', state: url.searchParams.get('state')! })}`);
    const ends = await Promise.all(Array.from({ length: 20 }, () => land(callback)));
    expect(ends.filter((end) => 'access_token' in fragmentOf(end))).toHaveLength(1);
  });

  it('a browser takes only what it began itself', async () => {
    const browser = { 'sec-fetch-mode': 'navigate' };
    Object.assign(double, { person: person(), emails: github(freshEmail()) });
    const { url, cookie } = await begin('github', {}, { headers: browser });
    expect(cookie).toMatch(/^mainstay-flow-\w{8}=/);
    const callback = new URL(`${api}/auth/v1/callback?${query({ code: 'c', state: url.searchParams.get('state')! })}`);
    // Somebody else is led to the end of it.
    expect(fragmentOf(await land(callback, { headers: browser }))).toMatchObject({ error_code: 'bad_oauth_state' });
    expect(fragmentOf(await land(callback, { headers: { ...browser, cookie: cookie.replace(/=.*/, '=forged') } }))).toMatchObject({ error_code: 'bad_oauth_state' });
    expect(fragmentOf(await land(callback, { headers: { ...browser, cookie: `other=1; ${cookie}` } }))).toHaveProperty('access_token');
    // And what was begun elsewhere does not end in a browser.
    const elsewhere = await begin('github');
    const end = new URL(`${api}/auth/v1/callback?${query({ code: 'c', state: elsewhere.url.searchParams.get('state')! })}`);
    expect(fragmentOf(await land(end, { headers: browser }))).toMatchObject({ error_code: 'bad_oauth_state' });
  });

  it('a form does as well', async () => {
    Object.assign(double, { person: person(), emails: github(freshEmail()) });
    const { url } = await begin('github');
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const { status, headers } = await call('POST', '/callback', query({ code: 'c', state: url.searchParams.get('state')! }), { headers: form });
    expect([status, fragmentOf(new URL(headers['location']))]).toEqual([303, expect.objectContaining({ provider_token: 'gho_secret' })]);
  });

  it.each([
    ['the provider refuses the code', { status: 200, body: { error: 'bad_verification_code' } }, github('a@b.test')],
    ['the provider is out of order', { status: 500, body: {} }, github('a@b.test')],
    ['the provider says too much', { status: 200, body: 'x'.repeat(2_000_000) }, github('a@b.test')],
    ['the provider knows no address', null, []],
  ])('%s', async (_, tokenAnswer, emails) => {
    double.tokenAnswer = tokenAnswer;
    try {
      expect(fragmentOf(await byGithub(person(), emails))).toMatchObject({ error: 'server_error', error_code: 'unexpected_failure', error_description: expect.not.stringMatching(/secret|127\.0/) });
    } finally {
      double.tokenAnswer = null;
    }
  });

  it('an address is optional where the setting says so', async () => {
    const on = await startApp({ GOTRUE_EXTERNAL_GITHUB_EMAIL_OPTIONAL: 'true' });
    const got = fragmentOf(await byGithub(person(), [], {}, { on }));
    expect(await userOf(got['access_token']!)).toMatchObject({ email: '', user_metadata: { user_name: expect.stringMatching(/^octo/) } });
  });

  it('no new account where sign-up is off; who has one comes in', async () => {
    const [who, email] = [person(), freshEmail()];
    const on = await startApp({ GOTRUE_DISABLE_SIGNUP: 'true' });
    expect(fragmentOf(await byGithub(who, github(email), {}, { on }))).toMatchObject({ error_code: 'signup_disabled' });
    await byGithub(who, github(email));
    expect(fragmentOf(await byGithub(who, github(email), {}, { on }))).toHaveProperty('access_token');
  });

  it('who is banned does not come in', async () => {
    const [who, email] = [person(), freshEmail()];
    const { id } = await userOf(fragmentOf(await byGithub(who, github(email)))['access_token']!);
    await service('PUT', `/admin/users/${id}`, { ban_duration: '1h' });
    expect(fragmentOf(await byGithub(who, github(email)))).toMatchObject({ error: 'access_denied', error_code: 'user_banned' });
  });
});

describe('an address that is known here', () => {
  it('joins the account where the provider has verified it, and the password stays', async () => {
    const email = freshEmail();
    const { body } = await service('POST', '/admin/users', { email, password, email_confirm: true, app_metadata: { plan: 'gold' } });
    const user = await userOf(fragmentOf(await byGithub(person(), github(email.toUpperCase())))['access_token']!);
    expect(user).toMatchObject({ id: body.id, app_metadata: { provider: 'email', providers: ['email', 'github'], plan: 'gold' } });
    expect((await call('POST', '/token?grant_type=password', { email, password })).status).toBe(200);
  });

  it('does not join it where the provider has not: nobody is let in, and nobody is told', async () => {
    const email = freshEmail();
    const { body } = await service('POST', '/admin/users', { email, password, email_confirm: true });
    const taken = fragmentOf(await byGithub(person(), github(email, false)));
    const free = fragmentOf(await byGithub(person(), github(freshEmail(), false)));
    expect(taken).toEqual(free);
    expect(taken).toMatchObject({ error: 'invalid_request', error_code: 'provider_email_needs_verification', error_description: 'Unverified email with github. A confirmation email has been sent to your github email' });
    const { body: after } = await service('GET', `/admin/users/${body.id}`);
    expect(after.identities.map(({ provider }: any) => provider)).toEqual(['email']);
  });

  it('nor with mails confirmed at once', async () => {
    const email = freshEmail();
    await service('POST', '/admin/users', { email, password, email_confirm: true });
    const on = await startApp({ GOTRUE_MAILER_AUTOCONFIRM: 'true' });
    expect(fragmentOf(await byGithub(person(), github(email, false), {}, { on }))).toMatchObject({ error_code: 'provider_email_needs_verification' });
    expect(fragmentOf(await byGithub(person(), github(freshEmail(), false), {}, { on }))).toHaveProperty('access_token');
  });

  it('takes an unconfirmed account from whoever laid it in wait: password, metadata and links go', async () => {
    const email = freshEmail();
    const { body: laid } = await call('POST', '/signup', { email, password, data: { theirs: true } });
    const [mail] = (await service('GET', `/mailbox/v1/messages?to=${encodeURIComponent(email)}`)).body;
    const user = await userOf(fragmentOf(await byGithub(person(), github(email)))['access_token']!);
    expect(user).toMatchObject({ id: laid.id, app_metadata: { provider: 'github', providers: ['github'] } });
    expect(user.user_metadata).not.toHaveProperty('theirs');
    expect(user.identities.map(({ provider }: any) => provider)).toEqual(['github']);
    expect((await call('POST', '/token?grant_type=password', { email, password })).body.code).toBe('invalid_credentials');
    expect((await call('POST', '/verify', { type: 'signup', email, token: mail.code })).status).toBe(403);
  });

  it('a mail confirms what the provider could not, and then the identity lets in', async () => {
    const [who, email] = [person(), freshEmail()];
    await byGithub(who, github(email, false));
    const [mail] = (await service('GET', `/mailbox/v1/messages?to=${encodeURIComponent(email)}`)).body;
    expect((await call('POST', '/verify', { type: 'signup', email, token: mail.code })).status).toBe(200);
    expect(fragmentOf(await byGithub(who, github(email, false)))).toHaveProperty('access_token');
  });
});

describe('linking', () => {
  const anonymous = async () => (await call('POST', '/signup', { data: {} })).body;
  const linkFor = async (bearer: string, more: Record<string, string> = {}) => {
    const { status, body } = await call('GET', `/user/identities/authorize?${query({ provider: 'github', skip_http_redirect: 'true', redirect_to: back, ...more })}`, undefined, { bearer });
    expect(status).toBe(200);
    return land(new URL(`${api}/auth/v1/callback?${query({ code: 'c', state: new URL(body.url).searchParams.get('state')! })}`), { headers: { 'sec-fetch-mode': 'navigate' } });
  };

  it('gives an anonymous account a way back in, and its address', async () => {
    const [guest, email] = [await anonymous(), freshEmail()];
    Object.assign(double, { person: person(), emails: github(email) });
    const user = await userOf(fragmentOf(await linkFor(guest.access_token))['access_token']!);
    expect(user).toMatchObject({ id: guest.user.id, is_anonymous: false, email, app_metadata: { provider: 'github', providers: ['github'] } });
    expect(fragmentOf(await linkFor(guest.access_token))).toMatchObject({ error_code: 'identity_already_exists', error_description: 'Identity is already linked' });
    const other = await anonymous();
    expect(fragmentOf(await linkFor(other.access_token))).toMatchObject({ error_description: 'Identity is already linked to another user' });
  });

  it('without skip_http_redirect it leads there', async () => {
    const { access_token } = await anonymous();
    const { status, headers } = await call('GET', '/user/identities/authorize?provider=github', undefined, { bearer: access_token });
    expect([status, headers['location']]).toEqual([302, expect.stringContaining(double.url)]);
  });

  it('unlinking leaves at least one way, and moves the address', async () => {
    const [guest, email, second] = [await anonymous(), freshEmail(), freshEmail()];
    Object.assign(double, { person: person(), emails: github(email) });
    await linkFor(guest.access_token);
    const [first] = (await userOf(guest.access_token)).identities;
    const unlink = (id: string) => call('DELETE', `/user/identities/${id}`, undefined, { bearer: guest.access_token });
    expect(await unlink(first.identity_id)).toMatchObject({ status: 422, body: { code: 'single_identity_not_deletable' } });
    Object.assign(double, { person: person(), emails: github(second) });
    await linkFor(guest.access_token);
    expect(await unlink(randomUUID())).toMatchObject({ status: 422, body: { code: 'identity_not_found', message: "Identity doesn't exist" } });
    expect(await unlink('nonsense')).toMatchObject({ status: 404, body: { code: 'validation_failed' } });
    expect(await unlink(first.identity_id)).toMatchObject({ status: 200, body: {} });
    expect(await userOf(guest.access_token)).toMatchObject({ email: second, identities: [{ provider: 'github' }] });
  });

  it('is for whoever is signed in, and off unless it is set', async () => {
    const off = await startApp({ GOTRUE_SECURITY_MANUAL_LINKING_ENABLED: 'false' });
    const { access_token: bearer } = await anonymous();
    for (const [method, path] of [['GET', '/user/identities/authorize?provider=github'], ['DELETE', `/user/identities/${randomUUID()}`]] as const) {
      expect(await call(method, path)).toMatchObject({ status: 401, body: { code: 'no_authorization' } });
      expect(await call(method, path, undefined, { bearer, on: off })).toMatchObject({ status: 404, body: { code: 'manual_linking_disabled', message: 'Manual linking is disabled' } });
    }
  });
});

describe('POST /token?grant_type=id_token', () => {
  const signIn = (body: Record<string, unknown>, ask?: Ask) => call('POST', '/token?grant_type=id_token', { provider: 'keycloak', ...body }, ask);
  const nonce = 'a nonce';
  const hashed = createHash('sha256').update(nonce).digest('hex');

  it('signs in, and comes back to the same account', async () => {
    const claims = { sub: randomUUID(), email: freshEmail(), email_verified: true, aud: 'signer-ios', nonce: hashed };
    const { status, body } = await signIn({ id_token: await double.idToken(claims), nonce });
    expect([status, body.token_type, body.user.email, body.user.app_metadata.provider]).toEqual([200, 'bearer', claims.email, 'keycloak']);
    expect((await signIn({ id_token: await double.idToken({ ...claims, aud: 'signer-web' }), nonce })).body.user.id).toBe(body.user.id);
    // By the issuer instead of the name.
    expect((await signIn({ provider: double.url, id_token: await double.idToken(claims), nonce })).body.user.id).toBe(body.user.id);
  });

  it.each<[string, () => Promise<Record<string, unknown>>, number, object]>([
    ['no token', async () => ({}), 400, { error: 'invalid request', error_description: 'id_token required' }],
    ['no provider', async () => ({ provider: '', id_token: 'x' }), 400, { error: 'invalid request', error_description: 'provider or client_id and issuer required' }],
    ['a provider that is unknown', async () => ({ provider: 'nobody', id_token: 'x' }), 400, { code: 'validation_failed', message: 'Custom OIDC provider "nobody" not allowed' }],
    ['a provider that is off', async () => ({ provider: 'google', id_token: 'x' }), 400, { code: 'provider_disabled', message: 'Provider (issuer "https://accounts.google.com") is not enabled' }],
    ['a provider without ID tokens', async () => ({ provider: 'github', id_token: 'x' }), 400, { code: 'validation_failed' }],
    ['a token that is none', async () => ({ id_token: 'x.y.z' }), 400, { error: 'invalid request', error_description: 'Bad ID token' }],
    ['a text that is none', async () => ({ id_token: 'nonsense' }), 400, { error: 'invalid request', error_description: 'Bad ID token' }],
    ['a strange key', async () => ({ id_token: await double.idToken({}, { key: (await generateKeyPair('ES256')).privateKey }) }), 400, { error_description: 'Bad ID token' }],
    ['a shared secret', async () => ({ id_token: await double.idToken({}, { alg: 'HS256', key: Buffer.from('signer-web'.padEnd(32, 'x')) }) }), 400, { error_description: 'Bad ID token' }],
    ['another issuer', async () => ({ id_token: await double.idToken({ iss: 'https://evil.test' }) }), 400, { error_description: 'Bad ID token' }],
    ['for somebody else', async () => ({ id_token: await double.idToken({ aud: 'another-app' }) }), 400, { error: 'invalid request', error_description: 'Unacceptable audience in id_token' }],
    ['worn out', async () => ({ id_token: await new SignJWT({ iss: double.url, aud: 'signer-web', sub: 'x' }).setProtectedHeader({ alg: 'ES256', kid: 'k1' }).setIssuedAt(1).setExpirationTime(1000).sign(double.signing) }), 400, { error_description: 'Bad ID token' }],
    ['a nonce only in the token', async () => ({ id_token: await double.idToken({ nonce: hashed }) }), 400, { error_description: 'Passed nonce and nonce in id_token should either both exist or not.' }],
    ['a nonce only in the request', async () => ({ id_token: await double.idToken({}), nonce }), 400, { error_description: 'Passed nonce and nonce in id_token should either both exist or not.' }],
    ['another nonce', async () => ({ id_token: await double.idToken({ nonce: hashed }), nonce: 'other' }), 400, { error: 'invalid nonce', error_description: 'Nonces mismatch' }],
    ['the nonce unhashed', async () => ({ id_token: await double.idToken({ nonce }), nonce }), 400, { error: 'invalid nonce' }],
    ['another access token', async () => ({ id_token: await double.idToken({ at_hash: 'AAAAAAAAAAAAAAAAAAAAAA' }), access_token: 'token' }), 400, { error_description: 'Bad ID token' }],
    ['linking by nobody', async () => ({ id_token: await double.idToken({}), link_identity: true }), 400, { error_description: 'Linking requires a valid user authentication' }],
  ])('%s', async (_, makeBody, status, body) => {
    expect(await signIn(await makeBody())).toMatchObject({ status, body });
  });

  it('the access token must be the one that the token names', async () => {
    const atHash = createHash('sha256').update('the token').digest().subarray(0, 16).toString('base64url');
    const id_token = await double.idToken({ email: freshEmail(), email_verified: true, at_hash: atHash });
    expect((await signIn({ id_token, access_token: 'the token' })).status).toBe(200);
  });

  it('link_identity links it to whoever is signed in', async () => {
    const { body: guest } = await call('POST', '/signup', { data: {} });
    const { status, body } = await signIn({ id_token: await double.idToken({ email: freshEmail(), email_verified: true }), link_identity: true }, { bearer: guest.access_token });
    expect([status, body.user.id, body.user.is_anonymous]).toEqual([200, guest.user.id, false]);
  });

  it('an issuer that is let in by name signs in with the audience that the request names', async () => {
    const on = await startApp({ GOTRUE_EXTERNAL_KEYCLOAK_ENABLED: 'false', GOTRUE_EXTERNAL_KEYCLOAK_URL: 'https://other.test', GOTRUE_EXTERNAL_ALLOWED_ID_TOKEN_ISSUERS: double.url });
    const id_token = await double.idToken({ aud: 'some-app', email: freshEmail(), email_verified: true });
    const { status, body } = await signIn({ provider: '', issuer: double.url, client_id: 'some-app', id_token }, { on });
    expect([status, body.user.app_metadata.provider]).toEqual([200, double.url]);
    expect((await signIn({ provider: '', issuer: double.url, client_id: 'other', id_token }, { on })).status).toBe(400);
  });
});

it('each of these is in the audit log, and no token of a provider is anywhere in the database', async () => {
  const [who, email] = [person(), freshEmail()];
  await byGithub(who, github(email));
  await byGithub(who, github(email));
  const entries = await database.admin.rows<{ action: string }>(`select payload ->> 'action' as action from auth.audit_log_entries where payload ->> 'actor_username' = $1 order by created_at`, [email]);
  expect(entries.map(({ action }) => action)).toEqual(['user_signedup', 'login', 'login']);
  const kept = await database.admin.rows('select 1 from auth.flow_state f where f::text like $1 union all select 1 from auth.identities i where i::text like $1', ['%gho_secret%']);
  expect(kept).toEqual([]);
});
