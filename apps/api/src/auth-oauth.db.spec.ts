import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { makeSecrets } from '@mainstay/auth';
import { readSettings } from '@mainstay/config';
import { freePort, makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { decodeJwt } from 'jose';
import * as oidc from 'openid-client';
import { AuthAdminController } from './auth-admin.controller.ts';
import { AuthFactorsController } from './auth-factors.controller.ts';
import { AuthOAuthAdminController, AuthOAuthController } from './auth-oauth.controller.ts';
import { AuthOtpController } from './auth-otp.controller.ts';
import { AuthPasskeysController } from './auth-passkeys.controller.ts';
import { AuthProvidersController } from './auth-providers.controller.ts';
import { AuthController, AuthNotYetController, JwksController } from './auth.controller.ts';
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

let database: TestDatabase;
let secrets: Record<string, string>;
let app: NestFastifyApplication;
let issuer: string;
const apps: NestFastifyApplication[] = [];
const callback = 'https://client.test/callback';
const password = 'correct horse battery';

beforeAll(async () => {
  database = await makeTestDatabase();
  secrets = await makeSecrets(database.environment);
  const port = await freePort();
  issuer = `http://127.0.0.1:${port}/auth/v1`;
  app = await startApp({ GOTRUE_OAUTH_SERVER_ENABLED: 'true', GOTRUE_OAUTH_SERVER_ALLOW_DYNAMIC_REGISTRATION: 'true', API_EXTERNAL_URL: `http://127.0.0.1:${port}` });
  await app.listen(port, '127.0.0.1');
});
afterAll(async () => {
  await Promise.all(apps.map((each) => each.close()));
  await database.close();
});

async function startApp(more: Record<string, string>): Promise<NestFastifyApplication> {
  const settings = readSettings({ ...database.environment, ...secrets, SITE_URL: 'https://site.test', ...more });
  const started = await startQuickAuth(settings, [AuthController, AuthAdminController, AuthOtpController, AuthFactorsController, AuthPasskeysController, AuthProvidersController, AuthOAuthController, AuthOAuthAdminController, JwksController, AuthNotYetController]);
  apps.push(started);
  return started;
}

async function call(method: string, url: string, body?: unknown, { bearer, on = app, headers = {} }: Ask = {}): Promise<Answer> {
  const answer = await on.inject({
    method: method as 'GET',
    url: `/auth/v1${url}`,
    headers: {
      'x-supabase-api-version': '2024-01-01', ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      ...(body === undefined ? {} : { 'content-type': typeof body === 'string' ? 'application/x-www-form-urlencoded' : 'application/json' }), ...headers,
    },
    ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const isJson = String(answer.headers['content-type'] ?? '').includes('json');
  return { status: answer.statusCode, headers: answer.headers, body: isJson ? answer.json() : answer.body };
}

const service = (method: string, path: string, body?: unknown, ask: Ask = {}) => call(method, path, body, { ...ask, bearer: secrets['SERVICE_ROLE_KEY']! });
const query = (values: Record<string, string>): string => new URLSearchParams(values).toString();

async function person(): Promise<{ id: string; email: string; access: string; refresh: string }> {
  const email = `user-${randomUUID()}@example.com`;
  const { body } = await service('POST', '/admin/users', { email, password, email_confirm: true, user_metadata: { full_name: 'Ada L.', avatar_url: 'https://img.test/a.png' } });
  const { body: session } = await call('POST', '/token?grant_type=password', { email, password });
  return { id: body.id, email, access: session.access_token, refresh: session.refresh_token };
}

interface Client {
  readonly client_id: string;
  readonly client_secret?: string;
}
const register = async (more: Record<string, unknown> = {}): Promise<Client> => (await service('POST', '/admin/oauth/clients', { client_name: 'Reports', redirect_uris: [callback], ...more })).body;

const verifier = randomBytes(32).toString('base64url');
const challenge = createHash('sha256').update(verifier).digest('base64url');
const asked = (client: Client, more: Record<string, string> = {}) => ({ client_id: client.client_id, redirect_uri: callback, response_type: 'code', scope: 'openid email', state: 'mine', code_challenge: challenge, code_challenge_method: 'S256', ...more });

/** Brings an application's request; gives the id under which the user finds it. */
async function bring(client: Client, more: Record<string, string> = {}): Promise<string> {
  const { status, headers } = await call('GET', `/oauth/authorize?${query(asked(client, more))}`);
  expect([status, headers['location']]).toEqual([302, expect.stringMatching(/^https:\/\/site\.test\/oauth\/consent\?authorization_id=[\w-]{43}$/)]);
  return new URL(headers['location']).searchParams.get('authorization_id')!;
}

const details = (id: string, bearer: string) => call('GET', `/oauth/authorizations/${id}`, undefined, { bearer });
const decide = (id: string, bearer: string, action = 'approve') => call('POST', `/oauth/authorizations/${id}/consent`, { action }, { bearer });

/** The whole way to a code. */
async function codeFor(client: Client, bearer: string, more: Record<string, string> = {}): Promise<string> {
  const id = await bring(client, more);
  const shown = await details(id, bearer);
  const url = shown.body.redirect_url ?? (await decide(id, bearer)).body.redirect_url;
  return new URL(url).searchParams.get('code')!;
}

const form = (client: Client, values: Record<string, string>): string => query({ client_id: client.client_id, ...(client.client_secret === undefined ? {} : { client_secret: client.client_secret }), ...values });
const exchange = (client: Client, code: string, more: Record<string, string> = {}) => call('POST', '/oauth/token', form(client, { grant_type: 'authorization_code', code, redirect_uri: callback, code_verifier: verifier, ...more }));

describe('with openid-client', () => {
  const insecure = { execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks] };

  it('a confidential client signs its user in, reads who it is and refreshes', async () => {
    const [client, user] = [await register(), await person()];
    const configuration = await oidc.discovery(new URL(issuer), client.client_id, client.client_secret, undefined, insecure);
    expect(configuration.serverMetadata().supportsPKCE()).toBe(true);
    const [nonce, state, proof] = [oidc.randomNonce(), oidc.randomState(), oidc.randomPKCECodeVerifier()];
    const url = oidc.buildAuthorizationUrl(configuration, { redirect_uri: callback, scope: 'openid email profile', nonce, state, code_challenge: await oidc.calculatePKCECodeChallenge(proof), code_challenge_method: 'S256' });
    const { headers } = await fetch(url, { redirect: 'manual' });
    const id = new URL(headers.get('location')!).searchParams.get('authorization_id')!;
    await details(id, user.access);
    const { body } = await decide(id, user.access);
    const tokens = await oidc.authorizationCodeGrant(configuration, new URL(body.redirect_url), { pkceCodeVerifier: proof, expectedNonce: nonce, expectedState: state, idTokenExpected: true });
    expect(tokens.claims()).toMatchObject({ iss: issuer, sub: user.id, aud: client.client_id, email: user.email, email_verified: true, name: 'Ada L.', nonce, auth_time: expect.any(Number) });
    const info = await oidc.fetchUserInfo(configuration, tokens.access_token, user.id);
    expect(info).toMatchObject({ sub: user.id, email: user.email, email_verified: true, name: 'Ada L.', picture: 'https://img.test/a.png' });
    expect(decodeJwt(tokens.access_token)).toMatchObject({ sub: user.id, client_id: client.client_id, scope: 'openid email profile', role: 'authenticated', amr: [{ method: 'oauth_provider/authorization_code' }] });
    const fresh = await oidc.refreshTokenGrant(configuration, tokens.refresh_token!);
    expect(decodeJwt(fresh.access_token)).toMatchObject({ client_id: client.client_id, session_id: decodeJwt(tokens.access_token)['session_id'] });
  });

  it('a client that registered itself, without a secret', async () => {
    const configuration = await oidc.dynamicClientRegistration(new URL(issuer), { redirect_uris: [callback], client_name: 'Editor', token_endpoint_auth_method: 'none' }, oidc.None(), insecure);
    const user = await person();
    const client = { client_id: configuration.clientMetadata().client_id };
    const { status, body } = await exchange(client, await codeFor(client, user.access));
    expect([status, Object.keys(body).sort()]).toEqual([200, ['access_token', 'expires_in', 'id_token', 'refresh_token', 'scope', 'token_type']]);
  });

  it('a client that registered itself, with a secret that it shows by header', async () => {
    const configuration = await oidc.dynamicClientRegistration(new URL(issuer), { redirect_uris: [callback], client_name: 'Server' }, undefined, insecure);
    const { client_id, client_secret } = configuration.clientMetadata();
    const basic = await oidc.discovery(new URL(issuer), client_id, client_secret, oidc.ClientSecretBasic(client_secret), insecure);
    const user = await person();
    const proof = oidc.randomPKCECodeVerifier();
    const code = await codeFor({ client_id }, user.access, { state: '', scope: 'email', code_challenge: await oidc.calculatePKCECodeChallenge(proof) });
    const tokens = await oidc.authorizationCodeGrant(basic, new URL(`${callback}?${query({ code, iss: issuer })}`), { pkceCodeVerifier: proof });
    expect(tokens).toMatchObject({ token_type: 'bearer', scope: 'email' });
    expect(tokens.id_token).toBeUndefined();
  });
});

describe('GET /oauth/authorize', () => {
  it.each<[string, Record<string, string>, object]>([
    ['no client', { client_id: '' }, { code: 'validation_failed', message: 'client_id is required' }],
    ['no address', { redirect_uri: '' }, { code: 'validation_failed', message: 'redirect_uri is required' }],
    ['an unknown client', { client_id: randomUUID() }, { code: 'oauth_client_not_found', message: 'invalid client_id' }],
    ['a client that is no id', { client_id: 'x' }, { code: 'oauth_client_not_found' }],
    ['another address', { redirect_uri: 'https://evil.test/callback' }, { code: 'validation_failed', message: 'invalid redirect_uri' }],
    ['a longer address', { redirect_uri: `${callback}/more` }, { code: 'validation_failed', message: 'invalid redirect_uri' }],
    ['the address in other letters', { redirect_uri: callback.replace('client', 'CLIENT') }, { code: 'validation_failed', message: 'invalid redirect_uri' }],
    ['the address with a query', { redirect_uri: `${callback}?x=1` }, { code: 'validation_failed', message: 'invalid redirect_uri' }],
  ])('%s: no redirect', async (_, more, body) => {
    const answer = await call('GET', `/oauth/authorize?${query(asked(await register(), more))}`);
    expect(answer).toMatchObject({ status: 400, body });
    expect(answer.headers['location']).toBeUndefined();
  });

  it.each<[string, Record<string, string>, string]>([
    ['another response type', { response_type: 'token' }, 'unsupported_response_type'],
    ['no proof', { code_challenge: '', code_challenge_method: '' }, 'invalid_request'],
    ['a plain proof', { code_challenge_method: 'plain' }, 'invalid_request'],
    ['a short proof', { code_challenge: 'short' }, 'invalid_request'],
    ['a nonce without end', { nonce: 'n'.repeat(256) }, 'invalid_request'],
  ])('%s: the client is told', async (_, more, error) => {
    const { status, headers } = await call('GET', `/oauth/authorize?${query(asked(await register(), more))}`);
    const url = new URL(headers['location']);
    expect([status, url.origin + url.pathname, url.searchParams.get('error'), url.searchParams.get('state'), url.searchParams.get('iss')]).toEqual([302, callback, error, 'mine', issuer]);
  });
});

describe('consent', () => {
  it('is asked for once, shown to one user, and leads back with state and issuer', async () => {
    const [client, user, other] = [await register({ client_uri: 'https://client.test' }), await person(), await person()];
    const id = await bring(client);
    expect((await decide(id, user.access)).status).toBe(404); // Not yet seen.
    expect(await details(id, user.access)).toMatchObject({
      status: 200,
      body: { authorization_id: id, redirect_uri: callback, client: { id: client.client_id, name: 'Reports', uri: 'https://client.test', logo_uri: '' }, user: { id: user.id, email: user.email }, scope: 'openid email' },
    });
    expect(await details(id, other.access)).toMatchObject({ status: 404, body: { code: 'oauth_authorization_not_found', message: 'authorization not found' } });
    expect((await decide(id, other.access)).status).toBe(404);
    expect(await decide(id, user.access, 'perhaps')).toMatchObject({ status: 400, body: { code: 'validation_failed', message: "action must be 'approve' or 'deny'" } });
    const { body } = await decide(id, user.access);
    expect(Object.fromEntries(new URL(body.redirect_url).searchParams)).toEqual({ code: expect.stringMatching(/^[\w-]{43}$/), state: 'mine', iss: issuer });
    expect(await decide(id, user.access)).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
    // The next time it is known, unless more is asked for.
    expect((await details(await bring(client), user.access)).body).toEqual({ redirect_url: expect.stringContaining('code=') });
    expect((await details(await bring(client, { scope: 'openid email phone' }), user.access)).body).toHaveProperty('client');
  });

  it('may be denied', async () => {
    const [client, user] = [await register(), await person()];
    const id = await bring(client);
    await details(id, user.access);
    const { body } = await decide(id, user.access, 'deny');
    expect(Object.fromEntries(new URL(body.redirect_url).searchParams)).toMatchObject({ error: 'access_denied', error_description: 'User denied the request', state: 'mine' });
  });

  it('waits no longer than it says', async () => {
    const [client, user] = [await register(), await person()];
    const id = await bring(client);
    await database.admin.rows(`update auth.oauth_authorizations set created_at = now() - interval '1 hour', expires_at = now() - interval '1 second' where authorization_id = $1`, [id]);
    expect((await details(id, user.access)).status).toBe(404);
  });

  it.each([['GET', '/oauth/authorizations/x'], ['POST', '/oauth/authorizations/x/consent'], ['GET', '/user/oauth/grants'], ['DELETE', '/user/oauth/grants'], ['GET', '/oauth/userinfo']])('%s %s is for whoever is signed in', async (method, path) => {
    expect(await call(method, path, method === 'POST' ? {} : undefined)).toMatchObject({ status: 401, body: { code: 'no_authorization' } });
  });
});

describe('POST /oauth/token', () => {
  it.each<[string, (client: Client) => Record<string, string>, number, string]>([
    ['no grant type', () => ({ grant_type: '' }), 400, 'invalid_request'],
    ['another grant type', () => ({ grant_type: 'password' }), 400, 'unsupported_grant_type'],
    ['no code', () => ({ code: '' }), 400, 'invalid_request'],
    ['another code', () => ({ code: randomBytes(32).toString('base64url') }), 400, 'invalid_grant'],
    ['another verifier', () => ({ code_verifier: randomBytes(32).toString('base64url') }), 400, 'invalid_grant'],
    ['no verifier', () => ({ code_verifier: '' }), 400, 'invalid_grant'],
    ['another address', () => ({ redirect_uri: 'https://client.test/other' }), 400, 'invalid_grant'],
    ['another resource', () => ({ resource: 'https://api.test' }), 400, 'invalid_grant'],
    ['a wrong secret', () => ({ client_secret: 'wrong' }), 401, 'invalid_client'],
    ['no secret', () => ({ client_secret: '' }), 401, 'invalid_client'],
    ['no client', () => ({ client_id: '' }), 401, 'invalid_client'],
    ['an unknown client', () => ({ client_id: randomUUID() }), 401, 'invalid_client'],
  ])('%s', async (_, more, status, error) => {
    const [client, user] = [await register(), await person()];
    const answer = await exchange(client, await codeFor(client, user.access), more(client));
    expect(answer).toMatchObject({ status, body: { error, error_description: expect.any(String) } });
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  it('two ways of authentication at once are refused, and fields that come twice are none', async () => {
    const [client, user] = [await register(), await person()];
    const basic = { authorization: `Basic ${Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64')}` };
    expect(await call('POST', '/oauth/token', form(client, { grant_type: 'authorization_code' }), { headers: basic })).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
    const code = await codeFor(client, user.access);
    expect((await call('POST', '/oauth/token', `${form(client, { grant_type: 'authorization_code', code, code_verifier: verifier })}&code=x`)).body).toMatchObject({ error: 'invalid_request' });
    const wrong = await call('POST', '/oauth/token', query({ grant_type: 'authorization_code', code, code_verifier: verifier }), { headers: { authorization: `Basic ${Buffer.from(`${client.client_id}:wrong`).toString('base64')}` } });
    expect([wrong.status, wrong.headers['www-authenticate']]).toEqual([401, 'Basic realm="oauth"']);
  });

  it('a code of one client is nothing to another', async () => {
    const [client, other, user] = [await register(), await register(), await person()];
    expect(await exchange(other, await codeFor(client, user.access))).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
  });

  it('a code is good once: of ten at once one gets tokens, and with the second use those end', async () => {
    const [client, user] = [await register(), await person()];
    const code = await codeFor(client, user.access);
    const answers = await Promise.all(Array.from({ length: 10 }, () => exchange(client, code)));
    const won = answers.filter(({ status }) => status === 200);
    expect(won).toHaveLength(1);
    expect(answers.filter(({ body }) => body.error === 'invalid_grant')).toHaveLength(9);
    const { access_token, refresh_token } = won[0]!.body;
    expect((await call('GET', '/user', undefined, { bearer: access_token })).status).toBe(403);
    expect((await call('POST', '/oauth/token', form(client, { grant_type: 'refresh_token', refresh_token }))).body).toEqual({ error: 'invalid_grant', error_description: 'Refresh token is invalid or expired.' });
    // The user's own session is not touched.
    expect((await call('GET', '/user', undefined, { bearer: user.access })).status).toBe(200);
  });

  it('a code does not outlive its time, and opens nothing for who is banned', async () => {
    const [client, user] = [await register(), await person()];
    const old = await codeFor(client, user.access);
    await database.admin.rows(`update auth.oauth_authorizations set created_at = now() - interval '1 hour', expires_at = now() - interval '1 second' where user_id = $1::uuid`, [user.id]);
    expect((await exchange(client, old)).body).toMatchObject({ error: 'invalid_grant', error_description: 'Authorization code has expired' });
    const code = await codeFor(client, user.access);
    await service('PUT', `/admin/users/${user.id}`, { ban_duration: '1h' });
    expect((await exchange(client, code)).body).toMatchObject({ error: 'access_denied' });
  });

  it('a client may refresh only what it holds, and the user only what is the user’s own', async () => {
    const [client, other, user] = [await register(), await register(), await person()];
    const { body } = await exchange(client, await codeFor(client, user.access));
    const refresh = (by: Client, refresh_token: string) => call('POST', '/oauth/token', form(by, { grant_type: 'refresh_token', refresh_token }));
    expect((await refresh(other, body.refresh_token)).body.error).toBe('invalid_grant');
    expect((await refresh(client, user.refresh)).body.error).toBe('invalid_grant');
    expect(await call('POST', '/token?grant_type=refresh_token', { refresh_token: body.refresh_token })).toMatchObject({ status: 400, body: { code: 'refresh_token_not_found' } });
    expect((await refresh(client, body.refresh_token)).status).toBe(200);
    expect((await call('POST', '/token?grant_type=refresh_token', { refresh_token: user.refresh })).status).toBe(200);
  });

  it('a client without that grant gets no refresh token', async () => {
    const [client, user] = [await register({ grant_types: ['authorization_code'] }), await person()];
    const { body } = await exchange(client, await codeFor(client, user.access));
    expect(body).not.toHaveProperty('refresh_token');
    expect((await call('POST', '/oauth/token', form(client, { grant_type: 'refresh_token', refresh_token: 'x' }))).body.error).toBe('unauthorized_client');
  });
});

describe('a token that an application holds', () => {
  it('reads who its user is, and changes nothing of the user’s', async () => {
    const [client, user] = [await register(), await person()];
    const { body } = await exchange(client, await codeFor(client, user.access));
    const bearer = body.access_token as string;
    expect((await call('GET', '/user', undefined, { bearer })).body.id).toBe(user.id);
    expect((await call('GET', '/oauth/userinfo', undefined, { bearer })).body).toEqual({ sub: user.id, email: user.email, email_verified: true });
    const second = await bring(client);
    for (const [method, path, more] of [['PUT', '/user', { data: { x: 1 } }], ['POST', '/logout', undefined], ['GET', `/oauth/authorizations/${second}`, undefined], ['POST', `/oauth/authorizations/${second}/consent`, { action: 'approve' }], ['GET', '/user/oauth/grants', undefined], ['DELETE', '/user/oauth/grants', undefined]] as const) {
      expect(await call(method, path, more, { bearer })).toMatchObject({ status: 403, body: { code: 'no_authorization' } });
    }
    // An ID token is no access token.
    expect((await call('GET', '/user', undefined, { bearer: body.id_token })).status).toBe(403);
    expect((await call('POST', '/logout?scope=local', undefined, { bearer })).status).toBe(204);
    expect((await call('GET', '/user', undefined, { bearer })).status).toBe(403);
  });

  it('the user sees what was granted, and takes it back', async () => {
    const [client, user] = [await register(), await person()];
    const { body } = await exchange(client, await codeFor(client, user.access));
    const own = { bearer: user.access };
    expect((await call('GET', '/user/oauth/grants', undefined, own)).body).toEqual([{ client: { id: client.client_id, name: 'Reports', uri: '', logo_uri: '' }, scopes: ['openid', 'email'], granted_at: expect.any(String) }]);
    expect(await call('DELETE', '/user/oauth/grants', undefined, own)).toMatchObject({ status: 400, body: { message: 'client_id query parameter is required' } });
    expect(await call('DELETE', '/user/oauth/grants?client_id=x', undefined, own)).toMatchObject({ status: 400, body: { message: 'invalid client_id format' } });
    expect(await call('DELETE', `/user/oauth/grants?client_id=${randomUUID()}`, undefined, own)).toMatchObject({ status: 404, body: { code: 'oauth_consent_not_found' } });
    expect((await call('DELETE', `/user/oauth/grants?client_id=${client.client_id}`, undefined, own)).status).toBe(204);
    expect((await call('GET', '/user', undefined, { bearer: body.access_token })).status).toBe(403);
    expect((await call('POST', '/oauth/token', form(client, { grant_type: 'refresh_token', refresh_token: body.refresh_token }))).body.error).toBe('invalid_grant');
    expect((await call('GET', '/user/oauth/grants', undefined, own)).body).toEqual([]);
    expect((await details(await bring(client), user.access)).body).toHaveProperty('client');
  });
});

describe('what an application may do with the account of its user', () => {
  const id = randomUUID();
  let access: string;

  beforeAll(async () => {
    const client = await register();
    access = (await exchange(client, await codeFor(client, (await person()).access))).body.access_token;
  });

  it.each([
    ['PUT', '/user', { password: 'a door of its own' }], ['PUT', '/user', { email: 'its@own.test' }], ['GET', '/reauthenticate'], ['POST', '/logout'], ['POST', '/logout?scope=others'],
    ['GET', '/user/identities/authorize?provider=github'], ['DELETE', `/user/identities/${id}`], ['GET', '/user/sessions'], ['DELETE', `/user/sessions/${id}`],
    ['GET', '/user/oauth/grants'], ['DELETE', `/user/oauth/grants?client_id=${id}`], ['GET', '/oauth/authorizations/x'], ['POST', '/oauth/authorizations/x/consent', { action: 'approve' }],
    ['POST', '/factors', { factor_type: 'totp' }], ['POST', `/factors/${id}/challenge`, {}], ['POST', `/factors/${id}/verify`, {}], ['DELETE', `/factors/${id}`], ['POST', '/factors/recovery-codes', {}],
    ['POST', '/passkeys/registration/options', {}], ['POST', '/passkeys/registration/verify', {}], ['GET', '/passkeys'], ['DELETE', `/passkeys/${id}`],
    ['POST', '/token?grant_type=id_token', { provider: 'google', id_token: 'x', link_identity: true }],
  ] as [string, string, object?][])('%s %s it may not', async (...[method, path, body]) => {
    expect(await call(method, path, body, { bearer: access })).toMatchObject({ status: 403, body: { code: 'no_authorization', message: 'OAuth clients are not allowed to perform these actions' } });
  });

  it('it may read who its user is, and give the token back', async () => {
    expect([(await call('GET', '/user', undefined, { bearer: access })).status, (await call('GET', '/oauth/userinfo', undefined, { bearer: access })).status]).toEqual([200, 200]);
    expect((await call('POST', '/logout?scope=local', undefined, { bearer: access })).status).toBe(204);
    expect((await call('GET', '/user', undefined, { bearer: access })).status).toBe(403);
  });

  it('a hook of the project cannot take the application out of its token', async () => {
    await database.admin.rows(`create function public.forget_application(event jsonb) returns jsonb language sql as $$ select jsonb_build_object('claims', (event -> 'claims') - 'client_id' - 'scope') $$`);
    await database.admin.rows('grant execute on function public.forget_application to supabase_auth_admin');
    const on = await startApp({ GOTRUE_OAUTH_SERVER_ENABLED: 'true', GOTRUE_HOOK_CUSTOM_ACCESS_TOKEN_ENABLED: 'true', GOTRUE_HOOK_CUSTOM_ACCESS_TOKEN_URI: 'pg-functions://postgres/public/forget_application' });
    const client = await register();
    const code = await codeFor(client, (await person()).access);
    const { body } = await call('POST', '/oauth/token', form(client, { grant_type: 'authorization_code', code, redirect_uri: callback, code_verifier: verifier }), { on });
    expect(decodeJwt(body.access_token)).toMatchObject({ client_id: client.client_id, scope: 'openid email' });
  });
});

describe('clients', () => {
  it.each<[string, Record<string, unknown>, string]>([
    ['no addresses', { redirect_uris: [] }, 'redirect_uris is required'],
    ['eleven addresses', { redirect_uris: Array.from({ length: 11 }, (_, i) => `https://a.test/${i}`) }, 'redirect_uris cannot exceed 10 items'],
    ['plain HTTP', { redirect_uris: ['http://client.test/'] }, "invalid redirect_uri 'http://client.test/': HTTP scheme only allowed for localhost"],
    ['a script', { redirect_uris: ['javascript:alert(1)'] }, "invalid redirect_uri 'javascript:alert(1)': must have scheme and host"],
    ['another scheme', { redirect_uris: ['ftp://client.test/'] }, "invalid redirect_uri 'ftp://client.test/': scheme must be HTTPS or HTTP (localhost only)"],
    ['a fragment', { redirect_uris: ['https://client.test/#x'] }, "invalid redirect_uri 'https://client.test/#x': fragment not allowed in redirect URI"],
    ['a name before the host', { redirect_uris: ['https://good.test@evil.test/'] }, "invalid redirect_uri 'https://good.test@evil.test/': no name or password allowed in redirect URI"],
    ['a backslash', { redirect_uris: ['https://good.test\\@evil.test/'] }, "invalid redirect_uri 'https://good.test\\@evil.test/': invalid URL format"],
    ['no text', { redirect_uris: [5] }, "invalid redirect_uri '5': must be a text"],
    ['another grant', { grant_types: ['password'] }, "grant_types must only contain 'authorization_code' and/or 'refresh_token'"],
    ['another type', { client_type: 'secret' }, "client_type must be 'public' or 'confidential'"],
    ['another method', { token_endpoint_auth_method: 'private_key_jwt' }, 'token_endpoint_auth_method must be one of: [none client_secret_basic client_secret_post]'],
    ['a method that does not fit', { client_type: 'public', token_endpoint_auth_method: 'client_secret_post' }, "token_endpoint_auth_method 'client_secret_post' is not valid for client_type 'public'"],
    ['a logo that runs', { logo_uri: 'javascript:alert(1)' }, 'logo_uri must be a valid URL'],
    ['a long name', { client_name: 'n'.repeat(1025) }, 'client_name cannot exceed 1024 characters'],
  ])('%s is refused', async (_, more, message) => {
    const body = { client_name: 'x', redirect_uris: [callback], ...more };
    expect(await service('POST', '/admin/oauth/clients', body)).toMatchObject({ status: 400, body: { code: 'validation_failed', message } });
    expect(await call('POST', '/oauth/clients/register', body)).toMatchObject({ status: 400, body: { code: 'validation_failed', message } });
  });

  it('the administration makes, reads, lists, changes and deletes them; a secret is shown once', async () => {
    const { status, body: made } = await service('POST', '/admin/oauth/clients', { client_name: 'Made', redirect_uris: [callback, 'http://localhost:3000/cb'] });
    expect([status, made]).toEqual([201, expect.objectContaining({
      client_id: expect.any(String), client_secret: expect.stringMatching(/^[\w-]{43}$/), client_type: 'confidential', token_endpoint_auth_method: 'client_secret_basic', registration_type: 'manual',
      grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'], redirect_uris: [callback, 'http://localhost:3000/cb'], created_at: expect.any(String), updated_at: expect.any(String),
    })]);
    const path = `/admin/oauth/clients/${made.client_id}`;
    const { client_secret: secret, client_secret_expires_at: _, ...rest } = made;
    expect((await service('GET', path)).body).toEqual(rest);
    const list = await service('GET', '/admin/oauth/clients?page=1&per_page=2');
    expect(list.body.clients).toHaveLength(2);
    expect(list.body.clients[0]).toEqual(rest);
    expect([Number(list.headers['x-total-count']) > 2, list.headers['link']]).toEqual([true, expect.stringContaining('page=2&per_page=2>; rel="next"')]);
    expect((await service('PUT', path, {})).body).toMatchObject({ code: 'validation_failed', message: 'No fields provided for update' });
    expect((await service('PUT', path, { client_name: 'Other', token_endpoint_auth_method: 'client_secret_post' })).body).toMatchObject({ client_name: 'Other', token_endpoint_auth_method: 'client_secret_post', redirect_uris: made.redirect_uris });
    const { body: again } = await service('POST', `${path}/regenerate_secret`);
    expect(again.client_secret).toMatch(/^[\w-]{43}$/);
    expect((await exchange({ client_id: made.client_id, client_secret: secret }, 'x')).body.error).toBe('invalid_client');
    expect((await exchange({ client_id: made.client_id, client_secret: again.client_secret }, 'x')).body.error).toBe('invalid_grant');
    expect((await service('DELETE', path)).status).toBe(204);
    expect((await service('GET', path)).body).toMatchObject({ code: 'oauth_client_not_found', message: 'OAuth client not found' });
    expect((await exchange({ client_id: made.client_id, client_secret: again.client_secret }, 'x')).body.error).toBe('invalid_client');
    expect((await service('GET', '/admin/oauth/clients/x')).body).toMatchObject({ code: 'validation_failed', message: 'invalid client_id format' });
    const kept = await database.admin.rows('select 1 from auth.oauth_clients where oauth_clients::text like $1', [`%${again.client_secret}%`]);
    expect(kept).toEqual([]);
  });

  it('a public client has no secret, and shows none', async () => {
    const client = await register({ token_endpoint_auth_method: 'none' });
    expect(client).not.toHaveProperty('client_secret');
    expect((await service('POST', `/admin/oauth/clients/${client.client_id}/regenerate_secret`)).body.message).toBe('Cannot regenerate secret for public client');
    expect((await exchange({ ...client, client_secret: 'any' }, 'x')).body.error).toBe('invalid_client');
  });

  it('deleting one ends what it holds', async () => {
    const [client, user] = [await register(), await person()];
    const { body } = await exchange(client, await codeFor(client, user.access));
    await service('DELETE', `/admin/oauth/clients/${client.client_id}`);
    expect((await call('GET', '/user', undefined, { bearer: body.access_token })).status).toBe(403);
  });

  it('nobody else manages them', async () => {
    const { access } = await person();
    expect((await call('GET', '/admin/oauth/clients', undefined, { bearer: access })).body.code).toBe('not_admin');
    expect((await call('GET', '/admin/oauth/clients')).status).toBe(401);
  });
});

describe('where it is off', () => {
  it('every route says so', async () => {
    const on = await startApp({});
    const { access } = await person();
    const off = { status: 404, body: { code: 'feature_disabled', message: 'OAuth server is disabled' } };
    for (const path of ['/oauth/authorize?client_id=x', '/.well-known/openid-configuration', '/.well-known/oauth-authorization-server']) expect(await call('GET', path, undefined, { on })).toMatchObject(off);
    expect(await call('POST', '/oauth/token', 'grant_type=refresh_token', { on })).toMatchObject(off);
    expect(await call('POST', '/oauth/clients/register', {}, { on })).toMatchObject(off);
    for (const path of ['/user/oauth/grants', '/oauth/userinfo', '/oauth/authorizations/x']) expect(await call('GET', path, undefined, { on, bearer: access })).toMatchObject(off);
    expect(await service('GET', '/admin/oauth/clients', undefined, { on })).toMatchObject(off);
  });

  it('registration is a setting of its own', async () => {
    const on = await startApp({ GOTRUE_OAUTH_SERVER_ENABLED: 'true' });
    expect(await call('POST', '/oauth/clients/register', { redirect_uris: [callback] }, { on })).toMatchObject({ status: 403, body: { code: 'oauth_dynamic_client_registration_disabled', message: 'Dynamic client registration is not enabled' } });
    expect((await call('GET', '/.well-known/openid-configuration', undefined, { on })).body).not.toHaveProperty('registration_endpoint');
  });
});
