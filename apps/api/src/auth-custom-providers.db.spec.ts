import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { makeSecrets } from '@mainstay/auth';
import { readSettings } from '@mainstay/config';
import { makeTestDatabase, startIssuer, type Issuer, type TestDatabase } from '@mainstay/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWTPayload } from 'jose';
import { AuthCustomProvidersController } from './auth-custom-providers.controller.ts';
import { AuthProvidersController } from './auth-providers.controller.ts';
import { AuthController } from './auth.controller.ts';
import { startQuickAuth } from './quick-auth.ts';

interface Answer {
  readonly status: number;
  readonly body: any;
  readonly headers: Record<string, any>;
}

interface Ask {
  readonly bearer?: string;
  readonly on?: NestFastifyApplication;
}

/** A server of plain OAuth 2 that knows its clients by the form alone, and an issuer that signs whatever it is told to. */
class Double {
  url = '';
  person: Record<string, unknown> = {};
  discovery: { status: number; body: unknown } = { status: 200, body: {} };
  readonly seen: { path: string; authorization: string | undefined; form: URLSearchParams }[] = [];
  private signing!: CryptoKey;
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
        const { status, body } = this.answerTo(path, this.seen.at(-1)!.form, keys);
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      });
    });
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    this.discovery = { status: 200, body: this.described() };
  }

  described(): Record<string, unknown> {
    return { issuer: this.url, authorization_endpoint: `${this.url}/auth`, token_endpoint: `${this.url}/token`, jwks_uri: `${this.url}/jwks`, response_types_supported: ['code'], subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['ES256'], odd: true };
  }

  private answerTo(path: string, form: URLSearchParams, keys: unknown[]): { status: number; body: unknown } {
    if (path === '/token') return form.get('client_secret') === 'plain-secret' ? { status: 200, body: { access_token: 'plain-token', token_type: 'bearer' } } : { status: 401, body: { error: 'invalid_client' } };
    if (path === '/me') return { status: 200, body: this.person };
    if (path.endsWith('/.well-known/openid-configuration') || path === '/elsewhere') return this.discovery;
    return path === '/jwks' ? { status: 200, body: { keys } } : { status: 404, body: {} };
  }

  idToken(claims: JWTPayload): Promise<string> {
    return new SignJWT({ iss: this.url, aud: 'signer-web', sub: randomUUID(), ...claims }).setProtectedHeader({ alg: 'ES256', kid: 'k1' }).setIssuedAt().setExpirationTime('5m').sign(this.signing);
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
const api = 'http://127.0.0.1:56902';
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
beforeEach(() => {
  double.discovery = { status: 200, body: double.described() };
});

async function startApp(more: Record<string, string>): Promise<NestFastifyApplication> {
  const settings = readSettings({ ...database.environment, ...secrets, API_EXTERNAL_URL: api, SITE_URL: 'https://site.app.test/', GOTRUE_URI_ALLOW_LIST: 'https://*.app.test/**', MAINSTAY_OUTWARD_ALLOW: '127.0.0.1', ...more });
  const started = await startQuickAuth(settings, [AuthController, AuthProvidersController, AuthCustomProvidersController]);
  apps.push(started);
  return started;
}

async function call(method: string, url: string, body?: unknown, { bearer, on = app }: Ask = {}): Promise<Answer> {
  const answer = await on.inject({
    method: method as 'GET',
    url: `/auth/v1${url}`,
    headers: { 'x-supabase-api-version': '2024-01-01', ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });
  const isJson = String(answer.headers['content-type'] ?? '').includes('json');
  return { status: answer.statusCode, headers: answer.headers, body: isJson ? answer.json() : answer.body };
}

const admin = (method: string, path = '', body?: unknown, on = app) => call(method, `/admin/custom-providers${path}`, body, { bearer: secrets['SERVICE_ROLE_KEY']!, on });
const freshId = () => `custom:p-${randomUUID().slice(0, 8)}`;
const freshEmail = (): string => `user-${randomUUID()}@example.com`;
const oidc = (more: object = {}) => ({ provider_type: 'oidc', identifier: freshId(), name: 'Acme', client_id: 'acme-web', client_secret: 'acme-secret', issuer: issuer.url, scopes: ['email', 'profile'], ...more });
const plain = (more: object = {}) => ({
  provider_type: 'oauth2', identifier: freshId(), name: 'Plain', client_id: 'plain-web', client_secret: 'plain-secret', authorization_url: `${double.url}/auth`, token_url: `${double.url}/token`, userinfo_url: `${double.url}/me`, ...more,
});
const signer = (more: object = {}) => oidc({ client_id: 'signer-web', issuer: double.url, ...more });

async function made(draft: object): Promise<string> {
  const { status, body } = await admin('POST', '', draft);
  expect([status, body.code]).toEqual([201, undefined]);
  return body.identifier;
}

async function begin(provider: string, more: Record<string, string> = {}): Promise<URL> {
  const { status, headers } = await call('GET', `/authorize?${new URLSearchParams({ provider, redirect_to: back, ...more }).toString()}`);
  expect(status).toBe(302);
  return new URL(headers['location']);
}

async function land(callback: URL): Promise<URL> {
  return new URL((await call('GET', `/callback${callback.search}`)).headers['location']);
}

/** Signs in at the server of plain OAuth 2 as whoever it says. */
async function landPlainly(provider: string): Promise<Record<string, string>> {
  const url = await begin(provider);
  const landed = await land(new URL(`${api}/auth/v1/callback?${new URLSearchParams({ code: 'c', state: url.searchParams.get('state')! }).toString()}`));
  return Object.fromEntries(new URLSearchParams(landed.hash.slice(1)));
}
const userOf = async (token: string): Promise<any> => (await call('GET', '/user', undefined, { bearer: token })).body;

describe('/admin/custom-providers', () => {
  it('creates, shows, lists, changes and removes one; its secret is shown nowhere and kept sealed', async () => {
    const draft = oidc({ acceptable_client_ids: ['acme-ios'], scopes: ['email'] });
    const { identifier } = draft;
    const created = await admin('POST', '', draft);
    expect(created.status).toBe(201);
    expect(created.body).toEqual({
      id: expect.stringMatching(/^[\da-f-]{36}$/), provider_type: 'oidc', identifier, name: 'Acme', client_id: 'acme-web', acceptable_client_ids: ['acme-ios'], scopes: ['openid', 'email'], pkce_enabled: true, attribute_mapping: {},
      custom_claims_allowlist: [], authorization_params: {}, enabled: true, email_optional: false, skip_nonce_check: false, issuer: issuer.url,
      discovery_document: expect.objectContaining({ issuer: issuer.url, authorization_endpoint: expect.any(String), token_endpoint: expect.any(String), jwks_uri: expect.any(String) }), created_at: expect.any(String), updated_at: expect.any(String),
    });
    expect(await admin('GET', `/${identifier}`)).toMatchObject({ status: 200, body: created.body });
    expect(await admin('GET', `/${encodeURIComponent(identifier)}`)).toMatchObject({ status: 200, body: created.body });
    const listed = async (query = '') => (await admin('GET', query)).body.providers.map((each: any) => each.identifier);
    expect(await listed()).toContain(identifier);
    expect(await listed('?type=oidc')).toContain(identifier);
    expect(await listed('?type=oauth2')).not.toContain(identifier);
    const changed = await admin('PUT', `/${identifier}`, { name: 'Acme again', enabled: false, scopes: [], authorization_params: { prompt: 'login' } });
    expect(changed).toMatchObject({ status: 200, body: { name: 'Acme again', enabled: false, scopes: ['openid'], authorization_params: { prompt: 'login' }, client_id: 'acme-web', issuer: issuer.url } });
    const rows = await database.admin.rows<{ client_secret: string }>('select client_secret from auth.custom_oauth_providers where identifier = $1', [identifier]);
    expect(rows[0]!.client_secret).toMatch(/^sealed:/);
    expect(JSON.stringify([rows, created.body, changed.body])).not.toContain('acme-secret');
    expect(await admin('DELETE', `/${identifier}`)).toMatchObject({ status: 204, body: '' });
    for (const [method, body] of [['GET'], ['DELETE'], ['PUT', {}]] as const) expect(await admin(method, `/${identifier}`, body)).toMatchObject({ status: 404, body: { code: 'custom_provider_not_found', message: 'Custom OAuth provider not found' } });
    const written = await database.admin.rows<{ action: string }>(`select payload->>'action' as action from auth.audit_log_entries where payload->'traits'->>'identifier' = $1 order by created_at`, [identifier]);
    expect(written.map(({ action }) => action)).toEqual(['custom_provider_created', 'custom_provider_updated', 'custom_provider_deleted']);
  });

  it('what a provider of plain OAuth 2 says, and nothing of an issuer', async () => {
    const { status, body } = await admin('POST', '', plain({ issuer: 'https://elsewhere.test', pkce_enabled: false }));
    expect(status).toBe(201);
    expect(body).toMatchObject({ provider_type: 'oauth2', scopes: [], pkce_enabled: false, authorization_url: `${double.url}/auth`, token_url: `${double.url}/token`, userinfo_url: `${double.url}/me` });
    expect(body).not.toHaveProperty('issuer');
    expect(body).not.toHaveProperty('discovery_document');
  });

  it.each([
    [{ provider_type: 'saml' }, "provider_type must be either 'oauth2' or 'oidc'"],
    [{ identifier: '' }, 'identifier is required'],
    [{ identifier: 'acme' }, "identifier must start with 'custom:' prefix, e.g. 'custom:acme'"],
    [{ identifier: 'custom:Acme' }, expect.stringContaining('small letters')],
    [{ identifier: `custom:${'a'.repeat(60)}` }, expect.stringContaining('at most 50')],
    [{ identifier: 'custom:' }, expect.stringContaining('small letters')],
    [{ name: '' }, 'name is required'],
    [{ name: 'n'.repeat(101) }, 'name cannot exceed 100 characters'],
    [{ client_id: '' }, 'client_id is required'],
    [{ client_id: 'c'.repeat(513) }, 'client_id cannot exceed 512 characters'],
    [{ client_secret: '' }, 'client_secret is required'],
    [{ issuer: '' }, 'issuer is required for OIDC providers'],
    [{ issuer: 'http://id.acme.test' }, 'issuer must use HTTPS'],
    [{ issuer: 'ftp://id.acme.test' }, 'issuer must be a valid URL'],
    [{ issuer: 'https://name:word@id.acme.test' }, 'issuer must be a valid URL'],
    [{ discovery_url: 'nonsense' }, 'discovery_url must be a valid URL'],
    [{ authorization_params: { state: 'mine' } }, 'Cannot override reserved OAuth parameter: state'],
    [{ authorization_params: { max_age: 5 } }, 'Authorization parameter "max_age" must be a string'],
    [{ attribute_mapping: { app_metadata: 'roles' } }, 'Cannot map to protected system field: app_metadata'],
    [{ attribute_mapping: { email_verified: 'trusted' } }, 'Cannot map to protected system field: email_verified'],
    [{ custom_claims_allowlist: ['groups', ' '] }, 'custom_claims_allowlist entries must be non-empty strings'],
    [{ name: 'a\u0000b' }, expect.any(String)],
    [{ scopes: 'openid' }, expect.any(String)],
    [{ enabled: 'yes' }, expect.any(String)],
  ])('refuses %j', async (...[part, message]) => {
    expect(await admin('POST', '', oidc(part))).toMatchObject({ status: 400, body: { code: expect.stringMatching(/^(validation_failed|bad_json)$/), message } });
  });

  it.each(['authorization_url', 'token_url', 'userinfo_url'])('asks a provider of plain OAuth 2 for its %s', async (field) => {
    expect(await admin('POST', '', plain({ [field]: '' }))).toMatchObject({ status: 400, body: { code: 'validation_failed', message: `${field} is required for OAuth2 providers` } });
    expect(await admin('POST', '', plain({ [field]: 'http://far.test/' }))).toMatchObject({ status: 400, body: { code: 'validation_failed', message: `${field} must use HTTPS` } });
  });

  it('refuses the same name twice, also at once, and other names and types in the path', async () => {
    const draft = plain();
    const answers = await Promise.all([1, 2, 3].map(() => admin('POST', '', draft)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 400, 400]);
    expect(await admin('POST', '', draft)).toMatchObject({ status: 400, body: { code: 'conflict' } });
    expect(await admin('GET', '/acme')).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
    expect(await admin('GET', '?type=saml')).toMatchObject({ status: 400, body: { code: 'validation_failed', message: "type must be either 'oauth2' or 'oidc'" } });
  });

  it('asks the issuer what it says of itself: refuses what is wrong, and takes one that is not there yet', async () => {
    double.discovery = { status: 500, body: {} };
    expect(await admin('POST', '', signer())).toMatchObject({ status: 400, body: { code: 'validation_failed', message: expect.stringContaining('it answered 500') } });
    double.discovery = { status: 200, body: { issuer: double.url } };
    expect(await admin('POST', '', signer())).toMatchObject({ status: 400, body: { message: 'OIDC discovery document is missing required fields: authorization_endpoint, token_endpoint, jwks_uri' } });
    double.discovery = { status: 200, body: { ...double.described(), issuer: 'https://another.test' } };
    expect(await admin('POST', '', signer())).toMatchObject({ status: 400, body: { message: expect.stringContaining('its issuer is "https://another.test"') } });
    expect(await admin('POST', '', signer({ issuer: 'http://127.0.0.1:9' }))).toMatchObject({ status: 201, body: { discovery_document: null } });
    // The administration says whom to ask, and not from where: an inner service is none of its business.
    expect(await admin('POST', '', signer({ issuer: 'https://169.254.169.254' }))).toMatchObject({ status: 400, body: { message: expect.stringMatching(/169\.254\.169\.254 is no public address .* MAINSTAY_OUTWARD_ALLOW=169\.254\.169\.254:443$/) } });
    double.discovery = { status: 200, body: double.described() };
    const { body } = await admin('POST', '', signer({ discovery_url: `${double.url}/elsewhere` }));
    expect(body).toMatchObject({ discovery_url: `${double.url}/elsewhere`, discovery_document: { issuer: double.url } });
    expect(body.discovery_document).not.toHaveProperty('odd');
  });

  it('is for the administration alone', async () => {
    const { access_token: bearer } = (await call('POST', '/signup', { email: freshEmail(), password: 'correct horse battery' }, { on: await startApp({ GOTRUE_MAILER_AUTOCONFIRM: 'true' }) })).body;
    for (const [method, path, body] of [['GET', ''], ['POST', '', plain()], ['GET', '/custom:any'], ['PUT', '/custom:any', {}], ['DELETE', '/custom:any']] as const) {
      expect(await call(method, `/admin/custom-providers${path}`, body)).toMatchObject({ status: 401 });
      expect(await call(method, `/admin/custom-providers${path}`, body, { bearer })).toMatchObject({ status: 403, body: { code: 'not_admin' } });
    }
  });

  it('can be turned off, and be bounded', async () => {
    const off = await startApp({ GOTRUE_CUSTOM_OAUTH_ENABLED: 'false' });
    const identifier = await made(plain());
    for (const [method, path] of [['GET', ''], ['POST', ''], ['GET', `/${identifier}`], ['DELETE', `/${identifier}`]] as const) {
      expect(await admin(method, path, method === 'POST' ? plain() : undefined, off)).toMatchObject({ status: 404, body: { code: 'feature_disabled', message: 'Custom OAuth providers are disabled' } });
    }
    expect(await call('GET', `/authorize?provider=${identifier}`, undefined, { on: off })).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
    const bounded = await startApp({ GOTRUE_CUSTOM_OAUTH_MAX_PROVIDERS: '1' });
    expect(await admin('POST', '', plain(), bounded)).toMatchObject({ status: 400, body: { code: 'over_custom_provider_quota' } });
  });
});

describe('a sign-in at a provider that was set up while we run', () => {
  it('OpenID: the identity bears its name', async () => {
    const provider = await made(oidc());
    const email = freshEmail();
    issuer.people.set('ada', { email, email_verified: true, name: 'Ada L.' });
    const url = await begin(provider);
    expect(Object.fromEntries(url.searchParams)).toMatchObject({ client_id: 'acme-web', nonce: expect.any(String), code_challenge_method: 'S256', scope: 'openid email profile' });
    const landed = await land(await issuer.walk(url.href, 'ada'));
    const user = await userOf(new URLSearchParams(landed.hash.slice(1)).get('access_token')!);
    expect(user).toMatchObject({ email, app_metadata: { provider, providers: [provider] }, user_metadata: { full_name: 'Ada L.' }, identities: [{ provider, id: 'ada', email }] });
  });

  it('with proof (PKCE), and with a new secret from the moment it is set', async () => {
    const provider = await made(oidc({ client_secret: 'not this one' }));
    issuer.people.set('bob', { email: freshEmail(), email_verified: true });
    const verifier = randomBytes(32).toString('base64url');
    const proof = { code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 's256' };
    const failed = await land(await issuer.walk((await begin(provider, proof)).href, 'bob'));
    expect(failed.searchParams.get('error')).toBe('server_error');
    expect((await admin('PUT', `/${provider}`, { client_secret: 'acme-secret' })).status).toBe(200);
    const landed = await land(await issuer.walk((await begin(provider, proof)).href, 'bob'));
    const session = await call('POST', '/token?grant_type=pkce', { auth_code: landed.searchParams.get('code'), code_verifier: verifier });
    expect(session).toMatchObject({ status: 200, body: { access_token: expect.any(String), provider_token: expect.any(String), user: { app_metadata: { provider } } } });
  });

  it('plain OAuth 2: claims are mapped, those that are let in come along, and whether an address is verified no mapping says', async () => {
    const email = freshEmail();
    const draft = plain({ attribute_mapping: { sub: 'uid', email: 'mail', full_name: 'display', user_name: 'nick' }, custom_claims_allowlist: ['groups', 'missing'], authorization_params: { audience: 'x' } });
    const provider = await made(draft);
    double.person = { uid: 77, mail: email, email_verified: true, display: 'Ada L.', nick: 'ada', groups: ['staff'], hidden: 'x' };
    const url = await begin(provider);
    expect(url.searchParams.get('audience')).toBe('x');
    const { access_token: token = '' } = await landPlainly(provider);
    const user = await userOf(token);
    expect(user).toMatchObject({ email, app_metadata: { provider }, user_metadata: { sub: '77', full_name: 'Ada L.', user_name: 'ada', custom_claims: { groups: ['staff'] } }, identities: [{ provider, id: '77' }] });
    expect(JSON.stringify(user)).not.toContain('hidden');
    // Our way by the header it did not know, and its code was not used up.
    const [byHeader, byForm] = double.seen.filter(({ path }) => path === '/token').slice(-2);
    expect([byHeader!.authorization, byForm!.form.get('client_secret'), byForm!.form.get('code_verifier')]).toEqual([expect.stringMatching(/^Basic /), 'plain-secret', expect.any(String)]);
    double.person = { uid: 78, mail: freshEmail() };
    expect(await landPlainly(provider)).toMatchObject({ error_code: 'provider_email_needs_verification' });
  });

  it('lets in nobody without an address, unless told so', async () => {
    const strict = await made(plain());
    const easy = await made(plain({ email_optional: true }));
    double.person = { sub: `s-${randomUUID()}` };
    expect(await landPlainly(strict)).not.toHaveProperty('access_token');
    expect(await landPlainly(easy)).toHaveProperty('access_token');
  });

  it('by an ID token of its own, for the clients it names', async () => {
    const provider = await made(signer({ acceptable_client_ids: ['signer-ios'] }));
    const email = freshEmail();
    for (const aud of ['signer-web', 'signer-ios']) {
      const { status, body } = await call('POST', '/token?grant_type=id_token', { provider, id_token: await double.idToken({ aud, sub: 'one', email, email_verified: true }) });
      expect([status, body.user?.app_metadata?.provider]).toEqual([200, provider]);
    }
    expect(await call('POST', '/token?grant_type=id_token', { provider, id_token: await double.idToken({ aud: 'another' }) })).toMatchObject({ status: 400 });
    const nameless = await made(plain());
    expect(await call('POST', '/token?grant_type=id_token', { provider: nameless, id_token: await double.idToken({}) })).toMatchObject({ status: 400, body: { message: `Custom OIDC provider "${nameless}" not allowed` } });
    await admin('PUT', `/${provider}`, { enabled: false });
    expect(await call('POST', '/token?grant_type=id_token', { provider, id_token: await double.idToken({ sub: 'one', email }) })).toMatchObject({ status: 400, body: { code: 'provider_disabled' } });
  });

  it('leads nowhere while it is off, unknown or removed, also for who is on the way', async () => {
    const provider = await made(plain());
    const url = await begin(provider);
    await admin('PUT', `/${provider}`, { enabled: false });
    expect(await call('GET', `/authorize?provider=${provider}`)).toMatchObject({ status: 400, body: { code: 'validation_failed', message: `Unsupported provider: custom provider ${provider} is disabled` } });
    const landed = await land(new URL(`${api}/auth/v1/callback?${new URLSearchParams({ code: 'c', state: url.searchParams.get('state')! }).toString()}`));
    expect(landed.hash).toContain('error=');
    expect(landed.hash).not.toContain('access_token');
    await admin('DELETE', `/${provider}`);
    expect(await call('GET', `/authorize?provider=${provider}`)).toMatchObject({ status: 400, body: { code: 'validation_failed', message: `Unsupported provider: custom provider ${provider} not found` } });
  });
});
