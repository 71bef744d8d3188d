import { createHmac, randomUUID } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { makeSecrets } from '@mainstay/auth';
import { readSettings } from '@mainstay/config';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { decodeJwt } from 'jose';
import { AuthAdminController } from './auth-admin.controller.ts';
import { AuthOtpController } from './auth-otp.controller.ts';
import { AuthController } from './auth.controller.ts';
import { startQuickAuth } from './quick-auth.ts';

/** What the other side of an HTTP hook does with the next requests, one after the other; the last one is kept. */
type Reply = { readonly status?: number; readonly body?: string; readonly type?: string; readonly headers?: Record<string, string>; readonly waitMs?: number };

let database: TestDatabase;
let secrets: Record<string, string>;
let receiver: Server;
let replies: Reply[] = [{}];
let received: { headers: IncomingHttpHeaders; text: string; body: any }[] = [];
const apps: NestFastifyApplication[] = [];
const signing = Buffer.alloc(32, 3);

beforeAll(async () => {
  database = await makeTestDatabase();
  secrets = await makeSecrets(database.environment);
  receiver = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece)).on('end', () => {
      const text = Buffer.concat(pieces).toString();
      received.push({ headers: request.headers, text, body: JSON.parse(text) });
      const { status = 200, body = '{}', type = 'application/json', headers = {}, waitMs = 0 } = replies.length > 1 ? replies.shift()! : replies[0]!;
      setTimeout(() => response.writeHead(status, { 'content-type': type, ...headers }).end(body), waitMs).unref();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
});

beforeEach(() => {
  replies = [{}];
  received = [];
});

afterAll(async () => {
  await Promise.all(apps.map((each) => each.close()));
  receiver.closeAllConnections();
  receiver.close();
  await database.close();
});

async function startApp(hooks: Record<string, string>, more: Record<string, string> = {}): Promise<NestFastifyApplication> {
  const given = Object.entries(hooks).flatMap(([name, uri]) => {
    const set = (part: string, value: string) => [`GOTRUE_HOOK_${name}_${part}`, value] as const;
    const isHttp = uri === 'http';
    return [set('ENABLED', 'true'), set('URI', isHttp ? `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/` : `pg-functions://postgres/public/${uri}`), ...(isHttp ? [set('SECRETS', `v1,whsec_${signing.toString('base64')}`)] : [])];
  });
  const settings = readSettings({ ...database.environment, ...secrets, GOTRUE_MAILER_AUTOCONFIRM: 'true', GOTRUE_SMTP_MAX_FREQUENCY: '0', GOTRUE_SMS_MAX_FREQUENCY: '0', ...Object.fromEntries(given), ...more });
  const app = await startQuickAuth(settings, [AuthController, AuthOtpController, AuthAdminController]);
  apps.push(app);
  return app;
}

async function call(app: NestFastifyApplication, method: string, path: string, body?: unknown, bearer?: string) {
  const answer = await app.inject({
    method: method as 'GET', url: `/auth/v1${path}`,
    headers: { apikey: secrets['ANON_KEY']!, 'x-supabase-api-version': '2024-01-01', ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.body === '' ? null : answer.json() as any };
}

const password = 'correct horse battery';
const freshEmail = () => `${randomUUID()}@example.com`;
const signUp = (app: NestFastifyApplication, email = freshEmail()) => call(app, 'POST', '/signup', { email, password });
const signIn = (app: NestFastifyApplication, email: string, secret = password) => call(app, 'POST', '/token?grant_type=password', { email, password: secret });
const refresh = (app: NestFastifyApplication, token: string) => call(app, 'POST', '/token?grant_type=refresh_token', { refresh_token: token });

/** A function that a hook calls; the owner of accounts has to be let in, as with Supabase. */
async function makeFunction(name: string, body: string): Promise<void> {
  await database.admin.rows(`create or replace function public.${name}(event jsonb) returns jsonb language plpgsql as $f$ begin ${body} end $f$`);
  await database.admin.rows(`grant execute on function public.${name} to supabase_auth_admin`);
}

describe('custom access token', () => {
  let app: NestFastifyApplication;
  const tokenBy = async (body: string) => {
    await makeFunction('add_claims', body);
    return signUp(app);
  };

  beforeAll(async () => {
    await makeFunction('add_claims', 'return event;');
    app = await startApp({ CUSTOM_ACCESS_TOKEN: 'add_claims' });
  });

  it('claims of a function are in the token, of a sign-in and of a refresh', async () => {
    const { body } = await tokenBy(`return jsonb_build_object('claims', (event -> 'claims') || jsonb_build_object('plan', 'pro', 'by', event ->> 'authentication_method', 'who', current_user));`);
    expect(decodeJwt(body.access_token)).toMatchObject({ plan: 'pro', by: 'password', who: 'supabase_auth_admin', sub: body.user.id });
    expect(decodeJwt((await refresh(app, body.refresh_token)).body.access_token)).toMatchObject({ plan: 'pro', by: 'token_refresh' });
  });

  it('the owner, the session and the end stay what they were', async () => {
    const { body } = await tokenBy(`return jsonb_build_object('claims', (event -> 'claims') || '{"sub": "x", "session_id": "y", "exp": 99999999999, "role": "reader"}');`);
    expect(decodeJwt(body.access_token)).toMatchObject({ sub: body.user.id, role: 'reader', exp: body.expires_at, session_id: expect.not.stringMatching(/^y$/) });
  });

  it.each([
    ['one is missing', `return jsonb_build_object('claims', (event -> 'claims') - 'role' - 'aal');`, 500, 'unexpected_failure', 'output claims do not conform to the expected schema: \n- (root): role is required\n- (root): aal is required\n'],
    ['one is of another type', `return jsonb_build_object('claims', (event -> 'claims') || '{"email": 1}');`, 500, 'unexpected_failure', 'output claims do not conform to the expected schema: \n- email: Invalid type. Expected: string, given: integer\n'],
    ['there are none', `return '{}';`, 500, 'unexpected_failure', 'output claims do not conform to the expected schema: \n- (root): claims is required\n'],
    ['it says no', `return '{"error": {"http_code": 403, "message": "not today"}}';`, 403, 'unknown', 'not today'],
    ['it raises', `raise exception 'inside detail';`, 500, 'unexpected_failure', 'Error running hook URI: pg-functions://postgres/public/add_claims'],
    ['it takes long', `perform pg_sleep(3); return event;`, 422, 'hook_timeout', 'Failed to reach hook within maximum time of 2.000000 seconds'],
    ['it says much', `return jsonb_build_object('claims', event -> 'claims', 'x', repeat('x', 210000));`, 422, 'hook_payload_over_size_limit', 'Payload size exceeded size limit of 204800 bytes'],
    ['it is no object', `return '[]';`, 500, 'unexpected_failure', 'Error unmarshaling JSON output.'],
  ])('a sign-in fails where %s', async (_, body, status, code, message) => {
    expect(await tokenBy(body)).toMatchObject({ status, body: { code, message } });
  });

  it('a hook that is away ends no session: a refresh is to be repeated', async () => {
    const { body } = await tokenBy('return event;');
    await makeFunction('add_claims', 'perform pg_sleep(3); return event;');
    expect(await refresh(app, body.refresh_token)).toMatchObject({ status: 503, body: { code: 'hook_timeout' } });
    await makeFunction('add_claims', 'return event;');
    expect((await refresh(app, body.refresh_token)).status).toBe(200);
  });
});

describe('password verification attempt', () => {
  it('hears of each attempt, and may reject it and end the sessions', async () => {
    await database.admin.rows('create table public.attempts (user_id uuid, valid boolean)');
    await database.admin.rows('grant all on public.attempts to supabase_auth_admin');
    await makeFunction('on_password', `insert into public.attempts values ((event ->> 'user_id')::uuid, (event ->> 'valid')::boolean); return '{"decision": "continue"}';`);
    const app = await startApp({ PASSWORD_VERIFICATION_ATTEMPT: 'on_password' });
    const email = freshEmail();
    const { body: session } = await signUp(app, email);
    expect((await signIn(app, email, 'wrong')).body).toMatchObject({ code: 'invalid_credentials', message: 'Invalid login credentials' });
    expect((await signIn(app, email)).status).toBe(200);
    expect(await database.admin.rows('select * from public.attempts')).toEqual([{ user_id: session.user.id, valid: false }, { user_id: session.user.id, valid: true }]);
    expect((await signIn(app, freshEmail())).body).toMatchObject({ message: 'Invalid login credentials' });

    await makeFunction('on_password', `return '{"decision": "reject", "message": "Come back tomorrow", "should_logout_user": true}';`);
    expect(await signIn(app, email)).toMatchObject({ status: 400, body: { code: 'invalid_credentials', message: 'Come back tomorrow' } });
    expect((await refresh(app, session.refresh_token)).body).toMatchObject({ code: 'refresh_token_not_found' });
    await makeFunction('on_password', `return '{"decision": "reject"}';`);
    expect((await signIn(app, email)).body).toMatchObject({ message: 'Further password verification attempts will be rejected.' });
  });
});

describe('over HTTP', () => {
  let app: NestFastifyApplication;

  beforeAll(async () => {
    app = await startApp({ BEFORE_USER_CREATED: 'http', SEND_EMAIL: 'http', SEND_SMS: 'http' }, { GOTRUE_EXTERNAL_PHONE_ENABLED: 'true' });
  });

  it('a hook is asked before a user is made, signed as Standard Webhooks has it', async () => {
    const email = freshEmail();
    expect((await signUp(app, email)).status).toBe(200);
    const [{ headers, text, body }] = received as [typeof received[0]];
    expect(body).toEqual({
      metadata: { uuid: expect.any(String), time: expect.any(String), name: 'before-user-created', ip_address: '127.0.0.1' },
      user: expect.objectContaining({ id: expect.any(String), aud: 'authenticated', role: 'authenticated', email, phone: '', app_metadata: { provider: 'email', providers: ['email'] }, identities: [], is_anonymous: false, created_at: '0001-01-01T00:00:00Z' }),
    });
    expect(headers['content-type']).toBe('application/json');
    const signed = createHmac('sha256', signing).update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${text}`).digest('base64');
    expect(headers['webhook-signature']).toBe(`v1,${signed}`);
  });

  it.each([
    ['says no', [{ body: '{"error":{"http_code":403,"message":"No sign-ups from there"}}' }], 403, 'unknown', 'No sign-ups from there'],
    ['is away for a moment', [{ status: 503, headers: { 'retry-after': '0' } }, { status: 429, headers: { 'retry-after': '0' } }, {}], 200, undefined, undefined],
    ['has no objection in words', [{ status: 204, body: '' }], 200, undefined, undefined],
    ['is away for good', [{ status: 503, headers: { 'retry-after': '0' } }], 422, 'hook_timeout_after_retry', 'Failed to reach hook after maximum retries'],
    ['is away and does not say until when', [{ status: 503 }], 500, 'unexpected_failure', 'Service currently unavailable due to hook'],
    ['knows us not', [{ status: 401 }], 500, 'unexpected_failure', 'Hook requires authorization token'],
    ['leads elsewhere', [{ status: 302, headers: { location: 'http://127.0.0.1:1/' } }], 500, 'unexpected_failure', 'Unexpected status code returned from hook: 302'],
    ['answers with a page', [{ type: 'text/html', body: '<p>' }], 400, 'hook_payload_invalid_content_type', 'Invalid JSON response. Received content-type: text/html'],
    ['answers without end', [{ body: `"${'x'.repeat(210_000)}"` }], 422, 'hook_payload_over_size_limit', 'Payload size exceeded size limit of 204800 bytes'],
    ['answers with half a value', [{ body: '{' }], 500, 'unexpected_failure', 'Error unmarshaling JSON output.'],
    ['is slow', [{ waitMs: 6000 }], 422, 'hook_timeout', 'Failed to reach hook within maximum time of 5.000000 seconds'],
  ] as [string, Reply[], number, string | undefined, string | undefined][])('one that %s', async (_, next, status, code, message) => {
    replies = next;
    const email = freshEmail();
    const answer = await signUp(app, email);
    expect(answer.status).toBe(status);
    if (code !== undefined) expect(answer.body).toMatchObject({ code, message });
    expect((await database.admin.rows('select 1 from auth.users where email = $1', [email])).length).toBe(status === 200 ? 1 : 0);
  });

  it('mails are sent by it instead of us', async () => {
    const email = freshEmail();
    await signUp(app, email);
    received = [];
    expect((await call(app, 'POST', '/recover?redirect_to=http://localhost:3000/reset', { email })).status).toBe(200);
    const [{ body }] = received as [typeof received[0]];
    expect(body).toEqual({
      user: expect.objectContaining({ email, identities: [expect.objectContaining({ provider: 'email' })] }),
      email_data: {
        token: expect.stringMatching(/^\d{6}$/), token_hash: expect.any(String), redirect_to: 'http://localhost:3000/reset', email_action_type: 'recovery', site_url: expect.stringMatching(/\/auth\/v1$/),
        token_new: '', token_hash_new: '', old_email: '', old_phone: '', provider: '', factor_type: '',
      },
    });
    const { token_hash } = body.email_data;
    expect((await call(app, 'POST', '/verify', { type: 'recovery', token_hash })).body.user.email).toBe(email);
    expect(await database.admin.rows('select 1 from mainstay_internal.messages where recipient = $1', [email])).toEqual([]);
  });

  it('neither its time nor its failure tells whether an address is known', async () => {
    const email = freshEmail();
    await signUp(app, email);
    const recover = async (to: string) => {
      const startedAt = performance.now();
      const { status, body } = await call(app, 'POST', '/recover', { email: to });
      return { status, code: body.code, ms: performance.now() - startedAt };
    };
    // Sixteen slow ones, so that none that was quick before is remembered.
    replies = [{ waitMs: 150 }];
    await Promise.all(Array.from({ length: 16 }, () => recover(email)));
    received = [];
    const stranger = await recover(freshEmail());
    expect(stranger).toMatchObject({ status: 200, code: undefined });
    expect(stranger.ms).toBeGreaterThan(140);
    expect(received).toEqual([]);
    replies = [{ status: 500 }];
    const [known, unknown] = [await recover(email), await recover(freshEmail())];
    expect([unknown.status, unknown.code]).toEqual([known.status, known.code]);
    expect(known.status).toBe(500);
    replies = [{}];
    expect([(await recover(email)).status, (await recover(freshEmail())).status]).toEqual([200, 200]);
  });

  it('text messages are sent by it instead of us', async () => {
    expect((await call(app, 'POST', '/otp', { phone: '+4915112345678' })).status).toBe(200);
    const { user, sms } = received.at(-1)!.body;
    expect({ phone: user.phone, sms }).toEqual({ phone: '4915112345678', sms: { otp: expect.stringMatching(/^\d{6}$/), sms_type: 'verification', phone: '4915112345678' } });
    expect((await call(app, 'POST', '/verify', { type: 'sms', phone: '4915112345678', token: sms.otp })).body.user.phone).toBe('4915112345678');
  });

  it('a change of address is one question with both codes', async () => {
    const withConfirmation = await startApp({ SEND_EMAIL: 'http' }, { GOTRUE_MAILER_AUTOCONFIRM: 'false' });
    const [email, newEmail] = [freshEmail(), freshEmail()];
    const { body } = await signUp(app, email);
    received = [];
    expect((await call(withConfirmation, 'PUT', '/user', { email: newEmail }, body.access_token)).status).toBe(200);
    expect(received).toHaveLength(1);
    const { email_action_type: type, token, token_new: tokenNew, token_hash: hash, token_hash_new: hashNew } = received[0]!.body.email_data;
    expect(type).toBe('email_change');
    expect(new Set([token, tokenNew, hash, hashNew]).size).toBe(4);
    expect((await call(withConfirmation, 'POST', '/verify', { type: 'email_change', email, token })).body).toMatchObject({ code: '200' });
    expect((await call(withConfirmation, 'POST', '/verify', { type: 'email_change', token_hash: hash })).body.user).toMatchObject({ email: newEmail });
  });
});
