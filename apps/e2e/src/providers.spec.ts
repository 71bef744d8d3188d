import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { freePort, startIssuer, type Issuer } from '@mainstay/testing';
import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import * as oidc from 'openid-client';
import type { Page } from 'playwright-core';
import { desktop, RealBrowser } from './browser.ts';
import { startStack, type Stack } from './stack.ts';

/** supabase-js as it is published for pages. */
const bundle = readFileSync(join(dirname(createRequire(import.meta.url).resolve('@supabase/supabase-js/package.json')), 'dist/umd/supabase.js'), 'utf8');

describe('sign-in by an OpenID provider in a real browser, with unmodified supabase-js', () => {
  let stack: Stack;
  let site: Server;
  let origin: string;
  let issuer: Issuer;
  let browser: RealBrowser;

  const evaluate = <T>(page: Page, line: string): Promise<T> => page.evaluate(`(async () => JSON.parse(JSON.stringify(await (${line}) ?? null)))()`);
  const sessionOf = (page: Page): Promise<any> => evaluate(page, 'supabase.auth.getSession().then(({ data }) => data.session)');

  /** Signs in at the provider's own pages, as a person does. */
  const signInThere = async (page: Page, login: string): Promise<void> => {
    await page.waitForURL((url) => url.origin === issuer.url);
    await page.fill('input[name=login]', login);
    await page.fill('input[name=password]', 'any');
    await page.click('button[type=submit]');
    await page.click('button:has-text("Continue")');
  };
  const begin = (page: Page, provider = 'acme', path = '/'): Promise<unknown> =>
    evaluate(page, `supabase.auth.signInWithOAuth({ provider: ${JSON.stringify(provider)}, options: { redirectTo: location.origin + ${JSON.stringify(path)} } }).then(({ error }) => error)`);

  beforeAll(async () => {
    const [sitePort, apiPort] = [await freePort(), await freePort()];
    origin = `http://localhost:${sitePort}`;
    const api = `http://127.0.0.1:${apiPort}`;
    issuer = await startIssuer([{ client_id: 'acme-web', client_secret: 'acme-secret', redirect_uris: [`${api}/auth/v1/callback`], grant_types: ['authorization_code'], response_types: ['code'] }]);
    stack = await startStack({
      environment: {
        PORT: String(apiPort), SITE_URL: origin, GOTRUE_URI_ALLOW_LIST: `${origin}/**`, GOTRUE_OAUTH_SERVER_ENABLED: 'true', GOTRUE_OAUTH_SERVER_ALLOW_DYNAMIC_REGISTRATION: 'true',
        GOTRUE_SECURITY_MANUAL_LINKING_ENABLED: 'true', GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED: 'true',
        GOTRUE_EXTERNAL_ACME_ENABLED: 'true', GOTRUE_EXTERNAL_ACME_CLIENT_ID: 'acme-web', GOTRUE_EXTERNAL_ACME_SECRET: 'acme-secret', GOTRUE_EXTERNAL_ACME_URL: issuer.url,
      },
    });
    site = createServer((request, response) => {
      const isScript = request.url === '/supabase.js';
      const flowType = request.url?.startsWith('/pkce') ? 'pkce' : 'implicit';
      const start = `window.supabase = supabase.createClient(${JSON.stringify(stack.url)}, ${JSON.stringify(stack.publishableKey)}, { auth: { flowType: '${flowType}' } });`;
      response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
      response.end(isScript ? bundle : `<!doctype html><title>Application</title><link rel="icon" href="data:,"><script src="/supabase.js"></script><script>${start}</script>`);
    }).listen(sitePort, 'localhost');
    browser = await RealBrowser.start();
  }, 60_000);
  afterAll(async () => {
    await browser?.stop();
    site?.close();
    await stack?.stop();
    await issuer?.close();
  }, 30_000);

  it('implicit: the page finds its session, with the provider’s token', async () => {
    issuer.people.set('ada', { email: 'ada@example.org', email_verified: true, name: 'Ada L.' });
    const page = await browser.open(desktop);
    await page.goto(origin);
    await begin(page);
    await signInThere(page, 'ada');
    await page.waitForURL((url) => url.origin === origin);
    const session = await sessionOf(page);
    expect(session).toMatchObject({ provider_token: expect.any(String), user: { email: 'ada@example.org', app_metadata: { provider: 'acme' }, user_metadata: { full_name: 'Ada L.' } } });
    expect(page.url()).not.toContain('access_token');
  });

  it('PKCE: the page exchanges its code', async () => {
    issuer.people.set('bob', { email: 'bob@example.org', email_verified: true });
    const page = await browser.open(desktop);
    await page.goto(`${origin}/pkce`);
    await begin(page, 'custom:acme', '/pkce');
    await signInThere(page, 'bob');
    await page.waitForURL((url) => url.origin === origin);
    expect(await sessionOf(page)).toMatchObject({ provider_token: expect.any(String), user: { email: 'bob@example.org' } });
  });

  it('a way back that one browser began ends in no other', async () => {
    issuer.people.set('mallory', { email: 'mallory@example.org', email_verified: true });
    const [hers, victims] = [await browser.open(desktop), await browser.open(desktop)];
    await hers.goto(origin);
    const asked = hers.waitForRequest((request) => request.url().startsWith(`${issuer.url}/auth?`));
    await begin(hers);
    // Mallory signs in at the provider, and does not follow its last redirect: somebody else is led to it.
    const callback = await issuer.walk((await asked).url(), 'mallory');
    await victims.goto(callback.href);
    await victims.waitForURL((url) => url.origin === origin);
    expect(await sessionOf(victims)).toBeNull();
    expect(decodeURIComponent(victims.url())).toContain('error_code=bad_oauth_state');
    await hers.goto(callback.href);
    await hers.waitForURL((url) => url.origin === origin);
    expect(await sessionOf(hers)).toMatchObject({ user: { email: 'mallory@example.org' } });
  });

  it('an anonymous account is linked and becomes a person’s', async () => {
    issuer.people.set('carl', { email: 'carl@example.org', email_verified: true });
    const page = await browser.open(desktop);
    await page.goto(origin);
    const id = await evaluate<string>(page, 'supabase.auth.signInAnonymously().then(({ data }) => data.user.id)');
    await evaluate(page, `supabase.auth.linkIdentity({ provider: 'acme', options: { redirectTo: location.origin } }).then(() => null)`);
    await signInThere(page, 'carl');
    await page.waitForURL((url) => url.origin === origin);
    expect(await sessionOf(page)).toMatchObject({ user: { id, email: 'carl@example.org', is_anonymous: false } });
    const identities = await evaluate<{ provider: string }[]>(page, 'supabase.auth.getUserIdentities().then(({ data }) => data.identities)');
    expect(identities.map(({ provider }) => provider)).toEqual(['acme']);
    expect(await evaluate(page, 'supabase.auth.getUserIdentities().then(({ data }) => supabase.auth.unlinkIdentity(data.identities[0])).then(({ error }) => error.code)')).toBe('single_identity_not_deletable');
  });

  it('the project is a provider itself: an application asks, the user agrees on a page of the site, and takes it back', async () => {
    const service: SupabaseClient = createClient(stack.url, stack.secretKey, { auth: { persistSession: false, autoRefreshToken: false } });
    await service.auth.admin.createUser({ email: 'dora@example.org', password: 'correct horse battery', email_confirm: true });
    const { data: client } = await service.auth.admin.oauth.createClient({ client_name: 'Reports', redirect_uris: [`${origin}/client`] });
    const configuration = await oidc.discovery(new URL(`${stack.url}/auth/v1`), client!.client_id, client!.client_secret, undefined, { execute: [oidc.allowInsecureRequests] });
    const [state, nonce, pkceCodeVerifier] = [oidc.randomState(), oidc.randomNonce(), oidc.randomPKCECodeVerifier()];
    const url = oidc.buildAuthorizationUrl(configuration, { redirect_uri: `${origin}/client`, scope: 'openid email', state, nonce, code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: 'S256' });

    const page = await browser.open(desktop);
    await page.goto(origin);
    await evaluate(page, `supabase.auth.signInWithPassword({ email: 'dora@example.org', password: 'correct horse battery' }).then(() => null)`);
    await page.goto(url.href);
    const id = new URL(page.url()).searchParams.get('authorization_id');
    expect(new URL(page.url()).pathname).toBe('/oauth/consent');
    expect(await evaluate(page, `supabase.auth.oauth.getAuthorizationDetails(${JSON.stringify(id)})`)).toMatchObject({ data: { client: { id: client!.client_id, name: 'Reports' }, user: { email: 'dora@example.org' }, scope: 'openid email' }, error: null });
    await Promise.all([page.waitForURL((to) => to.pathname === '/client'), page.evaluate(`void supabase.auth.oauth.approveAuthorization(${JSON.stringify(id)})`)]);
    const tokens = await oidc.authorizationCodeGrant(configuration, new URL(page.url()), { expectedState: state, expectedNonce: nonce, pkceCodeVerifier, idTokenExpected: true });
    expect(tokens.claims()).toMatchObject({ email: 'dora@example.org', email_verified: true });

    expect(await evaluate(page, 'supabase.auth.oauth.listGrants()')).toMatchObject({ data: [{ client: { name: 'Reports' }, scopes: ['openid', 'email'] }], error: null });
    expect(await evaluate(page, `supabase.auth.oauth.revokeGrant({ clientId: ${JSON.stringify(client!.client_id)} })`)).toMatchObject({ error: null });
    await expect(oidc.refreshTokenGrant(configuration, tokens.refresh_token!)).rejects.toMatchObject({ error: 'invalid_grant' });
    const { data: listed } = await service.auth.admin.oauth.listClients();
    expect(listed.clients).toMatchObject([{ client_id: client!.client_id }]);
    expect((await service.auth.admin.oauth.deleteClient(client!.client_id)).error).toBeNull();
  });
});
