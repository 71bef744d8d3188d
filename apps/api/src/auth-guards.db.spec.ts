import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeSecrets } from '@mainstay/auth';
import { readSettings } from '@mainstay/config';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Secret, TOTP } from 'otpauth';
import { AuthAdminController } from './auth-admin.controller.ts';
import { AuthFactorsController } from './auth-factors.controller.ts';
import { AuthOtpController } from './auth-otp.controller.ts';
import { AuthController } from './auth.controller.ts';
import { startQuickAuth } from './quick-auth.ts';

let database: TestDatabase;
let secrets: Record<string, string>;
let verifier: Server;
let asked: URLSearchParams[] = [];
const apps: NestFastifyApplication[] = [];
const password = 'correct horse battery';
const freshEmail = () => `${randomUUID()}@example.com`;

beforeAll(async () => {
  database = await makeTestDatabase();
  secrets = await makeSecrets(database.environment);
  verifier = createServer((request, response) => {
    let text = '';
    request.on('data', (piece) => (text += String(piece))).on('end', () => {
      const form = new URLSearchParams(text);
      asked.push(form);
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(form.get('response') === 'good' ? { success: true } : { success: false, 'error-codes': ['invalid-input-response'] }));
    });
  });
  await new Promise<void>((resolve) => verifier.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  await Promise.all(apps.map((each) => each.close()));
  verifier.closeAllConnections();
  verifier.close();
  await database.close();
});
beforeEach(() => {
  asked = [];
});

async function startApp(more: Record<string, string>): Promise<NestFastifyApplication> {
  const settings = readSettings({ ...database.environment, ...secrets, GOTRUE_MAILER_AUTOCONFIRM: 'true', GOTRUE_SMTP_MAX_FREQUENCY: '0', ...more });
  const app = await startQuickAuth(settings, [AuthController, AuthOtpController, AuthFactorsController, AuthAdminController]);
  apps.push(app);
  return app;
}

async function call(app: NestFastifyApplication, method: string, path: string, body?: unknown, bearer?: string) {
  const answer = await app.inject({
    method: method as 'GET', url: `/auth/v1${path}`,
    headers: { apikey: secrets['ANON_KEY']!, 'x-supabase-api-version': '2024-01-01', ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });
  const isJson = String(answer.headers['content-type'] ?? '').includes('json');
  return { status: answer.statusCode, headers: answer.headers, body: (isJson ? answer.json() : answer.body) as any };
}

describe('where a captcha is set up', () => {
  let app: NestFastifyApplication;
  beforeAll(async () => {
    app = await startApp({ GOTRUE_SECURITY_CAPTCHA_ENABLED: 'true', GOTRUE_SECURITY_CAPTCHA_PROVIDER: 'turnstile', GOTRUE_SECURITY_CAPTCHA_SECRET: 'shh', MAINSTAY_CAPTCHA_VERIFIER_URL: `http://127.0.0.1:${(verifier.address() as AddressInfo).port}/` });
  });
  const proof = (token: string) => ({ gotrue_meta_security: { captcha_token: token } });

  it.each([
    ['/signup', { password }], ['/token?grant_type=password', { password }], ['/otp', {}], ['/magiclink', {}], ['/recover', {}], ['/resend', { type: 'signup' }], ['/token?grant_type=id_token', { provider: 'google', id_token: 'x' }],
  ])('POST %s needs its proof', async (...[path, body]) => {
    const email = freshEmail();
    const refused = { status: 400, body: { code: 'captcha_failed' } };
    expect(await call(app, 'POST', path, { email, ...body })).toMatchObject({ ...refused, body: { message: 'captcha protection: request disallowed (no captcha_token found in request)' } });
    expect(asked).toEqual([]);
    expect(await call(app, 'POST', path, { email, ...body, ...proof('bad') })).toMatchObject({ ...refused, body: { message: 'captcha protection: request disallowed (invalid-input-response)' } });
    expect(Object.fromEntries(asked[0]!)).toEqual({ secret: 'shh', response: 'bad', remoteip: '127.0.0.1' });
    expect((await call(app, 'POST', path, { email, ...body, ...proof('good') })).body?.code).not.toBe('captcha_failed');
  });

  it('a session that is there goes on without, and the service key needs none; a second grant in the query is no way round', async () => {
    const email = freshEmail();
    const { body } = await call(app, 'POST', '/signup', { email, password, ...proof('good') });
    expect((await call(app, 'POST', '/token?grant_type=refresh_token', { refresh_token: body.refresh_token })).status).toBe(200);
    expect((await call(app, 'POST', '/signup', { email: freshEmail(), password }, secrets['SERVICE_ROLE_KEY'])).status).toBe(200);
    expect((await call(app, 'POST', '/signup', { email: freshEmail(), password }, body.access_token)).body.code).toBe('captcha_failed');
    for (const query of ['grant_type=pkce&grant_type=password', 'grant_type=password&grant_type=pkce', 'grant_type[]=refresh_token&grant_type=password']) {
      expect((await call(app, 'POST', `/token?${query}`, { email, password })).body).not.toHaveProperty('access_token');
    }
  });
});

describe('the hook of second factors', () => {
  it('hears of each attempt, and may reject it and end the sessions', async () => {
    await database.admin.rows('create table public.attempts (event jsonb)');
    await database.admin.rows('grant all on public.attempts to supabase_auth_admin');
    const hook = async (body: string) => {
      await database.admin.rows(`create or replace function public.on_factor(event jsonb) returns jsonb language plpgsql as $f$ begin ${body} end $f$`);
      await database.admin.rows('grant execute on function public.on_factor to supabase_auth_admin');
    };
    await hook(`insert into public.attempts values (event); return '{"decision": "continue"}';`);
    const app = await startApp({ GOTRUE_HOOK_MFA_VERIFICATION_ATTEMPT_ENABLED: 'true', GOTRUE_HOOK_MFA_VERIFICATION_ATTEMPT_URI: 'pg-functions://postgres/public/on_factor' });
    const { body: session } = await call(app, 'POST', '/signup', { email: freshEmail(), password });
    const { body: factor } = await call(app, 'POST', '/factors', { factor_type: 'totp', friendly_name: 'app' }, session.access_token);
    const code = () => TOTP.generate({ secret: Secret.fromBase32(factor.totp.secret) });
    const verify = async (given: string) => {
      const { body: challenge } = await call(app, 'POST', `/factors/${factor.id}/challenge`, {}, session.access_token);
      return call(app, 'POST', `/factors/${factor.id}/verify`, { challenge_id: challenge.id, code: given }, session.access_token);
    };
    const wrong = String((Number(code()) + 1) % 1_000_000).padStart(6, '0');
    expect((await verify(wrong)).body).toMatchObject({ code: 'mfa_verification_failed' });
    const [event] = await database.admin.rows<{ event: object }>('select event from public.attempts');
    expect(event!.event).toEqual({ user_id: session.user.id, factor_id: factor.id, factor_type: 'totp', valid: false });

    await hook(`return '{"error": {"http_code": 429, "message": "Slower"}}';`);
    expect(await verify(wrong)).toMatchObject({ status: 429, body: { message: 'Slower' } });
    // A rejection ends the user's sessions, as in GoTrue.
    await hook(`return '{"decision": "reject", "message": "Not today"}';`);
    const rejected = await verify(code());
    expect(rejected.body).toMatchObject({ code: 'mfa_verification_rejected', message: 'Not today' });
    expect(rejected.body).not.toHaveProperty('access_token');
    expect((await call(app, 'GET', '/user', undefined, session.access_token)).body).toMatchObject({ code: 'session_not_found' });
    expect(await database.admin.rows('select status::text from auth.mfa_factors where id = $1', [factor.id])).toEqual([{ status: 'unverified' }]);
  });
});

describe('what users say of themselves', () => {
  const markup = '"><script>alert(1)</script><img src=x onerror=alert(1)>';

  it('is text in a mail, in attributes and links too, and one line in its subject', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mails-'));
    const template = join(folder, 'recovery.html');
    await writeFile(template, '<p title="{{ .Data.name }}">Hello {{ .Data.name }}, {{ .Email }}</p><a href="{{ .Data.link }}">you</a><a href="{{ .ConfirmationURL }}">reset</a>');
    const app = await startApp({ GOTRUE_MAILER_TEMPLATES_RECOVERY: template, GOTRUE_MAILER_SUBJECTS_RECOVERY: 'Hello {{ .Data.name }}' });
    const email = freshEmail();
    const data = { name: `${markup}\r\nBcc: everybody@example.com`, link: 'javascript:alert(1)' };
    expect((await call(app, 'POST', '/signup', { email, password, data })).status).toBe(200);
    expect((await call(app, 'POST', `/recover?redirect_to=${encodeURIComponent(`http://localhost:3000/${markup}`)}`, { email })).status).toBe(200);
    const [mail] = await database.admin.rows<{ subject: string; html: string }>('select subject, body_html as html from mainstay_internal.messages where recipient = $1', [email]);
    expect(mail!.html).not.toMatch(/<script|<img|javascript:/i);
    expect(mail!.html).toContain('&lt;script&gt;');
    expect(mail!.html).toMatch(/^<p title="[^"<>]*">Hello [^<>]*<\/p><a href="[^"<>]*">you<\/a><a href="[^"<>]*">reset<\/a>$/);
    expect(mail!.subject).not.toMatch(/[\r\n]/);
    await rm(folder, { recursive: true });
  });

  it('and what links bring is text on the page that a link opens', async () => {
    const app = await startApp({ MAINSTAY_VERIFY_PAGE: 'true' });
    const { status, headers, body } = await call(app, 'GET', `/verify?${new URLSearchParams({ token: `t${markup}`, type: `recovery${markup}`, redirect_to: `http://localhost:3000/${markup}` }).toString()}`);
    expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    expect(String(headers['content-security-policy'])).toMatch(/default-src 'none'/);
    expect(body).not.toMatch(/<script>alert|<img src=x/);
  });

  it('and a hook’s word is JSON, never a page', async () => {
    await database.admin.rows(`create function public.on_user(event jsonb) returns jsonb language sql as $f$ select jsonb_build_object('error', jsonb_build_object('http_code', 403, 'message', '${markup}')) $f$`);
    await database.admin.rows('grant execute on function public.on_user to supabase_auth_admin');
    const app = await startApp({ GOTRUE_HOOK_BEFORE_USER_CREATED_ENABLED: 'true', GOTRUE_HOOK_BEFORE_USER_CREATED_URI: 'pg-functions://postgres/public/on_user' });
    const answer = await call(app, 'POST', '/signup', { email: freshEmail(), password });
    expect(answer).toMatchObject({ status: 403, body: { message: markup } });
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
  });
});

it('a sign-up with an address that is taken is written down for its owner', async () => {
  const app = await startApp({ GOTRUE_MAILER_AUTOCONFIRM: 'false' });
  const email = freshEmail();
  const { body: user } = await call(app, 'POST', '/admin/users', { email, email_confirm: true }, secrets['SERVICE_ROLE_KEY']);
  expect((await call(app, 'POST', '/signup', { email, password })).body.id).not.toBe(user.id);
  const rows = await database.admin.rows<{ action: string }>(`select payload ->> 'action' as action from auth.audit_log_entries where payload ->> 'actor_id' = $1`, [user.id]);
  expect(rows.map(({ action }) => action)).toContain('user_repeated_signup');
});
