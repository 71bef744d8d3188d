import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import { join, dirname } from 'node:path';
import { freePort } from '@mainstay/testing';
import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { Secret, TOTP } from 'otpauth';
import type { CDPSession, Page } from 'playwright-core';
import { desktop, RealBrowser } from './browser.ts';
import { startStack, type Stack } from './stack.ts';

const password = 'correct horse battery staple';

/** supabase-js as it is published for pages. */
const bundle = readFileSync(join(dirname(createRequire(import.meta.url).resolve('@supabase/supabase-js/package.json')), 'dist/umd/supabase.js'), 'utf8');

describe('second factors and passkeys, with unmodified supabase-js', () => {
  let stack: Stack;
  let site: Server;
  let origin: string;
  let browser: RealBrowser;
  let page: Page;
  let authenticator: CDPSession;
  let service: SupabaseClient;
  let count = 0;

  const newUser = async (): Promise<{ id: string; email: string }> => {
    const email = `user-${(count += 1)}@example.org`;
    const { data, error } = await service.auth.admin.createUser({ email, password, email_confirm: true });
    expect(error).toBeNull();
    return { id: data.user!.id, email };
  };
  const client = (): SupabaseClient => createClient(stack.url, stack.publishableKey, { auth: { persistSession: false, autoRefreshToken: false, experimental: { recoveryCodes: true } } as never });
  const signedIn = async (email: string): Promise<SupabaseClient> => {
    const supabase = client();
    expect((await supabase.auth.signInWithPassword({ email, password })).error).toBeNull();
    return supabase;
  };
  const codeOf = (secret: string, stepsAway = 0): string => TOTP.generate({ secret: Secret.fromBase32(secret), timestamp: Date.now() + stepsAway * 30_000 });
  /** Runs a line of the application on its page, and gives what it gave. */
  const inPage = async <T>(line: string): Promise<T> => {
    const { data, error } = (await page.evaluate(`(async () => JSON.parse(JSON.stringify(await (${line}), (key, value) => value instanceof Error ? value.name + ': ' + value.message : value)))()`)) as { data: T; error: unknown };
    expect(error).toBeNull();
    return data;
  };
  const claims = (): Promise<{ aal: string; amr: { method: string }[]; sub: string }> => page.evaluate(`(async () => JSON.parse(atob((await supabase.auth.getSession()).data.session.access_token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'))))()`);

  /** Plugs a device into the browser, in place of the last one. */
  const plugIn = async (transport: 'internal' | 'usb'): Promise<void> => {
    await authenticator.send('WebAuthn.disable');
    await authenticator.send('WebAuthn.enable');
    await authenticator.send('WebAuthn.addVirtualAuthenticator', { options: { protocol: 'ctap2', transport, hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true } });
  };

  beforeAll(async () => {
    const port = await freePort();
    origin = `http://localhost:${port}`;
    stack = await startStack({ environment: { SITE_URL: origin } });
    service = createClient(stack.url, stack.secretKey, { auth: { persistSession: false, autoRefreshToken: false } });
    site = createServer((request, response) => {
      const isScript = request.url === '/supabase.js';
      const start = `window.supabase = supabase.createClient(${JSON.stringify(stack.url)}, ${JSON.stringify(stack.publishableKey)}, { auth: { experimental: { passkey: true, recoveryCodes: true } } });`;
      response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
      response.end(isScript ? bundle : `<!doctype html><title>Application</title><link rel="icon" href="data:,"><script src="/supabase.js"></script><script>${start}</script>`);
    }).listen(port, 'localhost');
    browser = await RealBrowser.start();
    page = await browser.open(desktop);
    await page.goto(origin);
    authenticator = await page.context().newCDPSession(page);
  }, 120_000);
  afterAll(async () => {
    await browser?.stop();
    site?.close();
    await stack?.stop();
  }, 30_000);

  it('a passkey is made on a page, and signs in with no address and no password', async () => {
    const { id, email } = await newUser();
    await plugIn('internal');
    await inPage(`supabase.auth.signInWithPassword({ email: ${JSON.stringify(email)}, password: ${JSON.stringify(password)} })`);
    const made = await inPage<{ id: string; created_at: string }>('supabase.auth.registerPasskey()');
    expect(made).toMatchObject({ id: expect.any(String), created_at: expect.any(String) });
    await page.evaluate('supabase.auth.signOut()');
    const { session, user } = await inPage<{ session: { refresh_token: string }; user: { email: string } }>('supabase.auth.signInWithPasskey()');
    expect({ email: user.email, hasSession: session.refresh_token.length > 0, ...(await claims()) }).toMatchObject({ email, hasSession: true, sub: id, aal: 'aal1', amr: [{ method: 'passkey' }] });
    expect(await inPage('supabase.auth.passkey.list()')).toMatchObject([{ id: made.id, last_used_at: expect.any(String) }]);
    expect(await inPage(`supabase.auth.passkey.update({ passkeyId: ${JSON.stringify(made.id)}, friendlyName: 'Laptop' })`)).toMatchObject({ id: made.id, friendly_name: 'Laptop' });
    const admin = (service.auth.admin as unknown as { passkey: { listPasskeys(params: object): Promise<{ data: unknown[] }>; deletePasskey(params: object): Promise<{ error: unknown }> } }).passkey;
    expect((await admin.listPasskeys({ userId: id })).data).toMatchObject([{ id: made.id, friendly_name: 'Laptop' }]);
    await inPage(`supabase.auth.passkey.delete({ passkeyId: ${JSON.stringify(made.id)} })`);
    expect(await inPage('supabase.auth.passkey.list()')).toEqual([]);
    await page.evaluate('supabase.auth.signOut()');
    // The device still has it, the server does not.
    expect(await page.evaluate('supabase.auth.signInWithPasskey().then(({ error }) => error.code)')).toBe('webauthn_verification_failed');
    browser.forgive(/status of 400.*passkeys\/authentication\/verify/);
    expect(browser.complaints).toEqual([]);
  });

  it('a security key is made a second factor on a page, and raises the next session', async () => {
    const { email } = await newUser();
    await plugIn('usb');
    const signIn = `supabase.auth.signInWithPassword({ email: ${JSON.stringify(email)}, password: ${JSON.stringify(password)} })`;
    await inPage(signIn);
    await inPage(`supabase.auth.mfa.webauthn.register({ friendlyName: 'key' })`);
    expect(await claims()).toMatchObject({ aal: 'aal2', amr: [{ method: 'mfa/webauthn' }, { method: 'password' }] });
    await page.evaluate('supabase.auth.signOut()');
    await inPage(signIn);
    expect(await inPage('supabase.auth.mfa.getAuthenticatorAssuranceLevel()')).toMatchObject({ currentLevel: 'aal1', nextLevel: 'aal2' });
    const { webauthn } = await inPage<{ webauthn: { id: string }[] }>('supabase.auth.mfa.listFactors()');
    await inPage(`supabase.auth.mfa.webauthn.authenticate({ factorId: ${JSON.stringify(webauthn[0]!.id)} })`);
    expect(await claims()).toMatchObject({ aal: 'aal2' });
    expect(browser.complaints).toEqual([]);
  });

  it('an authenticator app is enrolled by a picture that a browser draws', async () => {
    const { email } = await newUser();
    await inPage(`supabase.auth.signInWithPassword({ email: ${JSON.stringify(email)}, password: ${JSON.stringify(password)} })`);
    const { totp } = await inPage<{ totp: { qr_code: string; secret: string } }>(`supabase.auth.mfa.enroll({ factorType: 'totp', friendlyName: 'app' })`);
    expect(totp.qr_code).toMatch(/^data:image\/svg\+xml;utf-8,<svg/);
    expect(await page.evaluate(`new Promise((resolve) => { const image = new Image(); image.onload = () => resolve(image.naturalWidth > 100); image.onerror = () => resolve(false); image.src = ${JSON.stringify(totp.qr_code)}; })`)).toBe(true);
  });

  it('codes of an app, recovery codes and the levels of a session go as the client’s pages say', async () => {
    const { id: userId, email } = await newUser();
    const supabase = await signedIn(email);
    const events: string[] = [];
    supabase.auth.onAuthStateChange((event) => void events.push(event));
    const { mfa } = supabase.auth;
    const enrolled = await mfa.enroll({ factorType: 'totp', friendlyName: 'app', issuer: 'Our app' });
    const { id, totp } = enrolled.data as { id: string; totp: { secret: string; uri: string } };
    expect(new URL(totp.uri).searchParams.get('issuer')).toBe('Our app');
    expect((await mfa.listFactors()).data).toMatchObject({ all: [{ id, status: 'unverified' }], totp: [] });
    expect((await mfa.challengeAndVerify({ factorId: id, code: '000000' })).error).toMatchObject({ code: 'mfa_verification_failed', status: 422 });
    expect((await mfa.challengeAndVerify({ factorId: id, code: codeOf(totp.secret) })).error).toBeNull();
    expect(events).toContain('MFA_CHALLENGE_VERIFIED');
    expect((await mfa.getAuthenticatorAssuranceLevel()).data).toMatchObject({ currentLevel: 'aal2', nextLevel: 'aal2', currentAuthenticationMethods: [{ method: 'totp' }, { method: 'password' }] });
    expect((await mfa.listFactors()).data).toMatchObject({ totp: [{ id, friendly_name: 'app' }] });
    expect((await supabase.auth.refreshSession()).error).toBeNull();

    const { codes } = (await mfa.recoveryCodes.generate()).data!;
    expect(codes).toHaveLength(10);
    expect((await mfa.recoveryCodes.generate()).error).toMatchObject({ code: 'mfa_verified_factor_exists' });
    const later = await signedIn(email);
    expect((await later.auth.updateUser({ password: 'another password of mine' })).error).toMatchObject({ code: 'insufficient_aal', status: 401 });
    expect((await later.auth.mfa.recoveryCodes.verify({ code: codes[0]!.toUpperCase().replace(/(.{4})(?=.)/g, '$1-') })).error).toBeNull();
    expect((await later.auth.mfa.getAuthenticatorAssuranceLevel()).data).toMatchObject({ currentLevel: 'aal2' });
    expect((await later.auth.mfa.recoveryCodes.getStatus()).data).toMatchObject({ total: 10, remaining: 9 });
    expect((await later.auth.mfa.recoveryCodes.regenerate()).data!.codes).toHaveLength(10);
    expect((await mfa.unenroll({ factorId: id })).error).toMatchObject({ code: 'mfa_recovery_codes_sole_factor' });
    expect((await mfa.recoveryCodes.unenroll()).error).toBeNull();
    expect((await mfa.unenroll({ factorId: id })).data).toEqual({ id });

    const again = await supabase.auth.mfa.enroll({ factorType: 'totp', friendlyName: 'app' });
    expect((await service.auth.admin.mfa.listFactors({ userId })).data!.factors).toMatchObject([{ id: again.data!.id, factor_type: 'totp', status: 'unverified' }]);
    expect((await service.auth.admin.mfa.deleteFactor({ userId, id: again.data!.id })).error).toBeNull();
    expect((await service.auth.admin.mfa.listFactors({ userId })).data!.factors).toEqual([]);
  });
});
