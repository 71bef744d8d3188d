import { randomInt, randomUUID } from 'node:crypto';
import { makeSecrets } from '@mainstay/auth';
import { readSettings } from '@mainstay/config';
import { sweepAccounts } from '@mainstay/persistence';
import { makeTestDatabase, SoftAuthenticator, type TestDatabase } from '@mainstay/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { decodeJwt, SignJWT } from 'jose';
import { Secret, TOTP } from 'otpauth';
import { AuthAdminController } from './auth-admin.controller.ts';
import { AuthFactorsAdminController } from './auth-factors-admin.controller.ts';
import { AuthFactorsController } from './auth-factors.controller.ts';
import { AuthController } from './auth.controller.ts';
import { startQuickAuth } from './quick-auth.ts';

interface Answer {
  readonly status: number;
  readonly body: any;
}

interface Ask {
  readonly bearer?: string;
  readonly on?: NestFastifyApplication;
  readonly remoteAddress?: string;
}

let database: TestDatabase;
let secrets: Record<string, string>;
/** Of the password that everybody has: hashing it once is enough. */
let passwordHash: string;
let app: NestFastifyApplication;
const apps: NestFastifyApplication[] = [];

const open = { GOTRUE_MFA_PHONE_ENROLL_ENABLED: 'true', GOTRUE_MFA_PHONE_VERIFY_ENABLED: 'true', GOTRUE_MFA_PHONE_MAX_FREQUENCY: '0', GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED: 'true', SITE_URL: 'https://app.test:8443/x' };

beforeAll(async () => {
  database = await makeTestDatabase();
  secrets = await makeSecrets(database.environment);
  app = await startApp(open);
  passwordHash = await hashOf(password);
});
afterAll(async () => {
  await Promise.all(apps.map((each) => each.close()));
  await database.close();
});

async function startApp(more: Record<string, string>): Promise<NestFastifyApplication> {
  const settings = readSettings({ ...database.environment, ...secrets, ...more });
  const started = await startQuickAuth(settings, [AuthController, AuthAdminController, AuthFactorsController, AuthFactorsAdminController]);
  apps.push(started);
  return started;
}

async function call(method: string, url: string, body?: unknown, { bearer, on = app, remoteAddress }: Ask = {}): Promise<Answer> {
  const answer = await on.inject({
    method: method as 'GET',
    url: `/auth/v1${url}`,
    headers: { 'x-supabase-api-version': '2024-01-01', apikey: secrets['ANON_KEY']!, ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(remoteAddress === undefined ? {} : { remoteAddress }),
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.body === '' ? null : answer.json() };
}

const service = (method: string, path: string, body?: unknown) => call(method, path, body, { bearer: secrets['SERVICE_ROLE_KEY']! });
const password = 'correct horse battery';
const refusal = ({ status, body }: Answer): unknown[] => [status, body?.code];

interface Person {
  readonly id: string;
  readonly email: string;
  access: string;
  refresh: string;
}

async function signIn(email: string): Promise<Answer> {
  return call('POST', '/token?grant_type=password', { email, password });
}

async function hashOf(secret: string): Promise<string> {
  const { body } = await service('POST', '/admin/users', { email: `user-${randomUUID()}@example.com`, password: secret });
  return (await database.admin.rows<{ hash: string }>('select encrypted_password as hash from auth.users where id = $1', [body.id]))[0]!.hash;
}

async function person(): Promise<Person> {
  const email = `user-${randomUUID()}@example.com`;
  const { body } = await service('POST', '/admin/users', { email, password_hash: passwordHash, email_confirm: true });
  const session = (await signIn(email)).body;
  return { id: body.id, email, access: session.access_token, refresh: session.refresh_token };
}

const as = (someone: Person, more: Ask = {}) => (method: string, path: string, body?: unknown) => call(method, path, body, { bearer: someone.access, ...more });
const codeOf = (secret: string, stepsAway = 0): string => TOTP.generate({ secret: Secret.fromBase32(secret), timestamp: Date.now() + stepsAway * 30_000 });
const wrong = (code: string): string => String((Number(code) + 1) % 1_000_000).padStart(6, '0');

const enrollTotp = async (someone: Person, name = 'app') => (await as(someone)('POST', '/factors', { factor_type: 'totp', friendly_name: name })).body as { id: string; totp: { secret: string; uri: string; qr_code: string } };
const challenge = async (someone: Person, id: string): Promise<string> => (await as(someone)('POST', `/factors/${id}/challenge`, { factorId: id })).body.id;
const verify = (someone: Person, id: string, challengeId: string, code: string, more: Ask = {}) => as(someone, more)('POST', `/factors/${id}/verify`, { challenge_id: challengeId, code });

/** Waits until a step of time has long to go, where a test is about its borders. */
const midStep = async (): Promise<void> => {
  const left = 30_000 - (Date.now() % 30_000);
  if (left < 6000) await new Promise((resolve) => setTimeout(resolve, left + 50));
};

/** Somebody with a verified authenticator, at aal2. */
async function raised(): Promise<Person & { readonly factor: string; readonly secret: string }> {
  const someone = await person();
  const { id, totp } = await enrollTotp(someone);
  const session = (await verify(someone, id, await challenge(someone, id), codeOf(totp.secret))).body;
  return Object.assign(someone, { access: session.access_token, refresh: session.refresh_token, factor: id, secret: totp.secret });
}

const actionsOf = async (id: string): Promise<string[]> =>
  (await database.admin.rows<{ action: string }>(`select payload ->> 'action' as action from auth.audit_log_entries where payload ->> 'actor_id' = $1 or payload -> 'traits' ->> 'user_id' = $1 order by created_at`, [id])).map(({ action }) => action);

describe('an authenticator app', () => {
  it('is enrolled with a QR code as SVG, and its secret is kept sealed', async () => {
    const someone = await person();
    const { status, body } = await as(someone)('POST', '/factors', { factor_type: 'totp', friendly_name: 'phone', issuer: '' });
    expect({ status, type: body.type, name: body.friendly_name }).toEqual({ status: 200, type: 'totp', name: 'phone' });
    expect(body.totp.qr_code).toMatch(/^<svg [^#]*<\/svg>$/);
    const uri = new URL(body.totp.uri);
    expect(Object.fromEntries(uri.searchParams)).toEqual({ issuer: 'app.test:8443', secret: body.totp.secret, algorithm: 'SHA1', digits: '6', period: '30' });
    expect(decodeURIComponent(uri.pathname)).toContain(someone.email);
    const [{ secret }] = (await database.admin.rows<{ secret: string }>('select secret from auth.mfa_factors where id = $1', [body.id])) as [{ secret: string }];
    expect(secret).toMatch(/^mainstay:v1:/);
    expect(secret).not.toContain(body.totp.secret);
    expect((await as(someone)('GET', '/user')).body.factors).toEqual([
      { id: body.id, friendly_name: 'phone', factor_type: 'totp', status: 'unverified', phone: '', created_at: expect.any(String), updated_at: expect.any(String), last_challenged_at: null },
    ]);
  });

  it('raises the session to aal2, with the newest method first and a user that shows it', async () => {
    const someone = await person();
    const { id, totp } = await enrollTotp(someone);
    const asked = await as(someone)('POST', `/factors/${id}/challenge`, { factorId: id });
    expect(asked).toEqual({ status: 200, body: { id: expect.any(String), type: 'totp', expires_at: expect.any(Number) } });
    expect(Math.abs(asked.body.expires_at - Date.now() / 1000 - 300)).toBeLessThan(5);
    const { status, body } = await verify(someone, id, asked.body.id, codeOf(totp.secret));
    expect(status).toBe(200);
    const claims = decodeJwt(body.access_token);
    expect({ aal: claims['aal'], amr: (claims['amr'] as { method: string }[]).map(({ method }) => method), same: claims['session_id'] === decodeJwt(someone.access)['session_id'] }).toEqual({ aal: 'aal2', amr: ['totp', 'password'], same: true });
    expect(body).toMatchObject({ token_type: 'bearer', expires_in: 3600, user: { id: someone.id, factors: [{ id, status: 'verified', last_challenged_at: expect.any(String) }] } });
    const again = await call('POST', '/token?grant_type=refresh_token', { refresh_token: body.refresh_token });
    expect(decodeJwt(again.body.access_token)['aal']).toBe('aal2');
    expect(await actionsOf(someone.id)).toEqual(['user_signedup', 'login', 'factor_in_progress', 'challenge_created', 'verification_attempted']);
  });

  it('leaves nothing to a refresh token that was got without it', async () => {
    const someone = await person();
    const before = someone.refresh;
    const { id, totp } = await enrollTotp(someone);
    const { body } = await verify(someone, id, await challenge(someone, id), codeOf(totp.secret));
    expect(refusal(await call('POST', '/token?grant_type=refresh_token', { refresh_token: before }))).toEqual([400, 'refresh_token_not_found']);
    expect((await call('POST', '/token?grant_type=refresh_token', { refresh_token: body.refresh_token })).status).toBe(200);
  });

  it('leaves no more rights to an access token that was got without it', async () => {
    const someone = await person();
    const before = someone.access;
    const { id, totp } = await enrollTotp(someone);
    const { body } = await verify(someone, id, await challenge(someone, id), codeOf(totp.secret));
    expect(refusal(await call('PUT', '/user', { password: 'another long one' }, { bearer: before }))).toEqual([401, 'insufficient_aal']);
    expect(refusal(await call('DELETE', `/factors/${id}`, undefined, { bearer: before }))).toEqual([422, 'insufficient_aal']);
    expect(refusal(await call('POST', '/factors/recovery-codes', undefined, { bearer: before }))).toEqual([403, 'insufficient_aal']);
    expect((await call('DELETE', `/factors/${id}`, undefined, { bearer: body.access_token })).status).toBe(200);
  });

  it('ends the sessions in which it was not shown', async () => {
    const someone = await person();
    const other = (await signIn(someone.email)).body;
    const { id, totp } = await enrollTotp(someone);
    const { body } = await verify(someone, id, await challenge(someone, id), codeOf(totp.secret));
    expect(refusal(await call('GET', '/user', undefined, { bearer: other.access_token }))).toEqual([403, 'session_not_found']);
    expect((await call('GET', '/user', undefined, { bearer: body.access_token })).status).toBe(200);
  });

  it.each([[-1], [0], [1]])('takes the code of %i steps from now', async (steps) => {
    const someone = await person();
    const { id, totp } = await enrollTotp(someone);
    const challengeId = await challenge(someone, id);
    await midStep();
    expect((await verify(someone, id, challengeId, codeOf(totp.secret, steps))).status).toBe(200);
  });

  it.each([[-2], [2]])('refuses the code of %i steps from now', async (steps) => {
    const someone = await person();
    const { id, totp } = await enrollTotp(someone);
    const challengeId = await challenge(someone, id);
    await midStep();
    expect(await verify(someone, id, challengeId, codeOf(totp.secret, steps))).toMatchObject({ status: 422, body: { code: 'mfa_verification_failed', message: 'Invalid TOTP code entered' } });
  });

  it('takes no code twice, nor an older one after a newer, and never two at once', async () => {
    const someone = await person();
    const { id, totp } = await enrollTotp(someone);
    const challenges = await Promise.all(Array.from({ length: 6 }, () => challenge(someone, id)));
    const code = codeOf(totp.secret);
    const answers = await Promise.all(challenges.map((each) => verify(someone, id, each, code)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status !== 200).map(refusal)).toEqual(Array(5).fill([422, 'mfa_verification_failed']));
    const access = answers.find(({ status }) => status === 200)!.body.access_token as string;
    const now = { ...someone, access };
    expect(refusal(await verify(now, id, await challenge(now, id), code))).toEqual([422, 'mfa_verification_failed']);
    expect(refusal(await verify(now, id, await challenge(now, id), codeOf(totp.secret, -1)))).toEqual([422, 'mfa_verification_failed']);
    expect((await verify(now, id, await challenge(now, id), codeOf(totp.secret, 1))).status).toBe(200);
  });

  it('counts guesses before it looks, also in parallel, and refuses the right code while they are too many', async () => {
    const someone = await person();
    const { id, totp } = await enrollTotp(someone);
    const challengeId = await challenge(someone, id);
    const bad = wrong(codeOf(totp.secret));
    const answers = await Promise.all(Array.from({ length: 14 }, () => verify(someone, id, challengeId, bad)));
    expect(answers.filter(({ status }) => status === 422)).toHaveLength(10);
    expect(answers.filter(({ status }) => status === 429).map(refusal)).toEqual(Array(4).fill([429, 'over_request_rate_limit']));
    expect(refusal(await verify(someone, id, challengeId, codeOf(totp.secret)))).toEqual([429, 'over_request_rate_limit']);
    // The session that is there goes on.
    expect((await as(someone)('GET', '/user')).status).toBe(200);
  });

  it('is read also where another system kept its secret as it is, and is sealed then', async () => {
    const someone = await person();
    const [id, secret] = [randomUUID(), new Secret({ size: 20 }).base32];
    await database.admin.rows(`insert into auth.mfa_factors (id, user_id, friendly_name, factor_type, status, secret, created_at, updated_at) values ($1, $2, 'old', 'totp', 'verified', $3, now(), now())`, [id, someone.id, secret]);
    expect((await verify(someone, id, await challenge(someone, id), codeOf(secret))).status).toBe(200);
    expect(await database.admin.rows('select secret from auth.mfa_factors where id = $1', [id])).toEqual([{ secret: expect.stringMatching(/^mainstay:v1:/) }]);
  });
});

describe('a challenge', () => {
  it.each<[string, (someone: Person, id: string, code: string) => Promise<Answer>, number, string, string | RegExp]>([
    ['that was never asked', (someone, id, code) => verify(someone, id, randomUUID(), code), 422, 'mfa_factor_not_found', 'MFA factor with the provided challenge ID not found'],
    ['that is not named', (someone, id, code) => verify(someone, id, '', code), 422, 'mfa_factor_not_found', 'MFA factor with the provided challenge ID not found'],
    ['that is no id', (someone, id, code) => verify(someone, id, 'x', code), 400, 'bad_json', /challenge_id must be a UUID/],
    ['without a code', async (someone, id) => verify(someone, id, await challenge(someone, id), ''), 400, 'validation_failed', 'Code needs to be non-empty'],
    ['answered from elsewhere', async (someone, id, code) => verify(someone, id, await challenge(someone, id), code, { remoteAddress: '198.51.100.7' }), 422, 'mfa_ip_address_mismatch', 'Challenge and verify IP addresses mismatch.'],
    ['that is too old', async (someone, id, code) => {
      const challengeId = await challenge(someone, id);
      await database.admin.rows(`update auth.mfa_challenges set created_at = created_at - interval '301 seconds' where id = $1`, [challengeId]);
      return verify(someone, id, challengeId, code);
    }, 422, 'mfa_challenge_expired', /^MFA challenge [0-9a-f-]{36} has expired, verify against another challenge or create a new challenge\.$/],
    ['of another factor', async (someone, id, code) => {
      const other = await enrollTotp(someone, 'second');
      return verify(someone, id, await challenge(someone, other.id), code);
    }, 422, 'mfa_factor_not_found', 'MFA factor with the provided challenge ID not found'],
    ['of a factor that is no id', (someone, _, code) => verify(someone, 'x', randomUUID(), code), 404, 'validation_failed', 'factor_id must be an UUID'],
    ['of somebody else’s factor', async (someone, _, code) => verify(someone, (await enrollTotp(await person())).id, randomUUID(), code), 404, 'mfa_factor_not_found', 'Factor not found'],
  ])('%s', async (_, act, status, code, message) => {
    const someone = await person();
    const { id, totp } = await enrollTotp(someone);
    const answer = await act(someone, id, codeOf(totp.secret));
    expect(answer).toMatchObject({ status, body: { code, message: typeof message === 'string' ? message : expect.stringMatching(message) } });
  });

  it('is answered once', async () => {
    const someone = await person();
    const { id, totp } = await enrollTotp(someone);
    const challengeId = await challenge(someone, id);
    expect(refusal(await verify(someone, id, challengeId, wrong(codeOf(totp.secret))))).toEqual([422, 'mfa_verification_failed']);
    expect((await verify(someone, id, challengeId, codeOf(totp.secret))).status).toBe(200);
    expect(refusal(await verify(someone, id, challengeId, codeOf(totp.secret, 1)))).toEqual([422, 'mfa_ip_address_mismatch']);
  });

  it('is swept away by the worker a day later', async () => {
    const someone = await person();
    const { id } = await enrollTotp(someone);
    const [old, fresh] = [await challenge(someone, id), await challenge(someone, id)];
    await database.admin.rows(`update auth.mfa_challenges set created_at = created_at - interval '25 hours' where id = $1`, [old]);
    await database.admin.rows(`insert into auth.webauthn_challenges (challenge_type, session_data, expires_at) values ('authentication', '{}', now() - interval '2 hours')`);
    await sweepAccounts(database.as('mainstay_worker'));
    expect(await database.admin.rows('select id from auth.mfa_challenges where factor_id = $1', [id])).toEqual([{ id: fresh }]);
    expect(await database.admin.rows(`select 1 from auth.webauthn_challenges where expires_at < now() - interval '1 hour'`)).toEqual([]);
  });

  it('is asked fifteen times a minute from one network', async () => {
    const someone = await person();
    const { id } = await enrollTotp(someone);
    const answers: Answer[] = [];
    for (let n = 0; n < 16; n += 1) answers.push(await as(someone, { remoteAddress: '203.0.113.9' })('POST', `/factors/${id}/challenge`, {}));
    expect(answers.slice(0, 15).every(({ status }) => status === 200)).toBe(true);
    expect(refusal(answers[15]!)).toEqual([429, 'over_request_rate_limit']);
  });
});

describe('enrolling', () => {
  it.each<[string, unknown, number, string, string | RegExp]>([
    ['an unknown type', { factor_type: 'palm' }, 400, 'validation_failed', 'factor_type needs to be totp, phone, or webauthn'],
    ['no type', {}, 400, 'validation_failed', 'factor_type needs to be totp, phone, or webauthn'],
    ['a phone without a number', { factor_type: 'phone' }, 400, 'validation_failed', 'Phone number required to enroll Phone factor'],
    ['a phone that is none', { factor_type: 'phone', phone: 'tomorrow' }, 400, 'validation_failed', 'Invalid phone number format (E.164 required)'],
    ['a name that is no text', { factor_type: 'totp', friendly_name: 7 }, 400, 'bad_json', /friendly_name/],
    ['a name that cannot be kept', { factor_type: 'totp', friendly_name: 'a\0b' }, 400, 'validation_failed', /friendly_name/],
    ['a list', [], 400, 'bad_json', /JSON object/],
  ])('%s', async (_, body, status, code, message) => {
    expect(await as(await person())('POST', '/factors', body)).toMatchObject({ status, body: { code, message: typeof message === 'string' ? message : expect.stringMatching(message) } });
  });

  it('needs a bearer, and an account of a person', async () => {
    expect(refusal(await call('POST', '/factors', { factor_type: 'totp' }))).toEqual([401, 'no_authorization']);
    const guest = (await call('POST', '/signup', {})).body;
    expect(refusal(await call('POST', '/factors', { factor_type: 'totp' }, { bearer: guest.access_token }))).toEqual([403, 'no_authorization']);
  });

  it('is no business of an application that acts for its user', async () => {
    const someone = await person();
    const { sub, role, aud, session_id: sessionId } = decodeJwt(someone.access);
    const bearer = await new SignJWT({ sub, role, aud, session_id: sessionId, client_id: randomUUID() }).setProtectedHeader({ alg: 'HS256' }).setExpirationTime('1h').sign(Buffer.from(secrets['JWT_SECRET']!));
    expect((await call('GET', '/user', undefined, { bearer })).status).toBe(200);
    expect(refusal(await call('POST', '/factors', { factor_type: 'totp' }, { bearer }))).toEqual([403, 'no_authorization']);
  });

  it('takes a name once, also for two at once', async () => {
    const someone = await person();
    const answers = await Promise.all([1, 2, 3].map(() => as(someone)('POST', '/factors', { factor_type: 'totp', friendly_name: 'mine' })));
    expect(answers.map(refusal).sort()).toEqual([[200, undefined], [422, 'mfa_factor_name_conflict'], [422, 'mfa_factor_name_conflict']]);
    expect(answers.find(({ status }) => status === 422)!.body.message).toBe('A factor with the friendly name "mine" for this user already exists');
  });

  it('takes ten factors', async () => {
    const someone = await person();
    for (let n = 0; n < 10; n += 1) expect((await as(someone)('POST', '/factors', { factor_type: 'totp', friendly_name: `f${n}` })).status).toBe(200);
    expect(await as(someone)('POST', '/factors', { factor_type: 'totp', friendly_name: 'f10' })).toMatchObject({ status: 422, body: { code: 'too_many_enrolled_mfa_factors', message: 'Maximum number of verified factors reached, unenroll to continue' } });
    // Those that were begun five minutes ago make room.
    await database.admin.rows(`update auth.mfa_factors set created_at = created_at - interval '6 minutes' where user_id = $1`, [someone.id]);
    expect((await as(someone)('POST', '/factors', { factor_type: 'totp', friendly_name: 'f0' })).status).toBe(200);
    expect((await as(someone)('GET', '/user')).body.factors).toHaveLength(1);
  });

  it('another one needs aal2', async () => {
    const someone = await raised();
    expect((await as(someone)('POST', '/factors', { factor_type: 'totp', friendly_name: 'b' })).status).toBe(200);
    const low = (await signIn(someone.email)).body.access_token;
    expect(await call('POST', '/factors', { factor_type: 'totp', friendly_name: 'c' }, { bearer: low })).toMatchObject({ status: 403, body: { code: 'insufficient_aal', message: 'AAL2 required to enroll a new factor' } });
  });

  it('what is off says so', async () => {
    const closed = await startApp({ GOTRUE_MFA_TOTP_ENROLL_ENABLED: 'false', GOTRUE_MFA_TOTP_VERIFY_ENABLED: 'false', GOTRUE_MFA_WEB_AUTHN_ENROLL_ENABLED: 'false', GOTRUE_MFA_RECOVERY_CODES_ENROLL_ENABLED: 'false', GOTRUE_MFA_RECOVERY_CODES_VERIFY_ENABLED: 'false', GOTRUE_MFA_MAX_VERIFIED_FACTORS: '1' });
    const someone = await person();
    const ask = as(someone, { on: closed });
    const { id } = await enrollTotp(someone);
    const phone = (await as(someone)('POST', '/factors', { factor_type: 'phone', friendly_name: 'p', phone: '+4915112345678' })).body.id;
    const found = [
      await ask('POST', '/factors', { factor_type: 'totp' }), await ask('POST', '/factors', { factor_type: 'phone', phone: '+4915112345678' }), await ask('POST', '/factors', { factor_type: 'webauthn' }),
      await ask('POST', `/factors/${id}/challenge`, {}), await ask('POST', `/factors/${id}/verify`, { challenge_id: randomUUID(), code: '123456' }), await ask('POST', `/factors/${phone}/challenge`, {}),
      await ask('POST', '/factors/recovery-codes'), await ask('POST', '/factors/recovery-codes/regenerate'), await ask('POST', '/factors/recovery-codes/verify', { code: 'a' }),
    ];
    expect(found.map(refusal)).toEqual([
      'mfa_totp_enroll_not_enabled', 'mfa_phone_enroll_not_enabled', 'mfa_webauthn_enroll_not_enabled', 'mfa_totp_verify_not_enabled', 'mfa_totp_verify_not_enabled', 'mfa_phone_verify_not_enabled',
      'mfa_recovery_codes_enroll_not_enabled', 'mfa_recovery_codes_enroll_not_enabled', 'mfa_recovery_codes_verify_not_enabled',
    ].map((code) => [422, code]));
  });
});

describe('unenrolling', () => {
  it('gives up an unverified factor at aal1, a verified one at aal2 only', async () => {
    const someone = await person();
    const { id } = await enrollTotp(someone);
    expect(await as(someone)('DELETE', `/factors/${id}`)).toEqual({ status: 200, body: { id } });
    const owner = await raised();
    const low = (await signIn(owner.email)).body.access_token;
    expect(await call('DELETE', `/factors/${owner.factor}`, undefined, { bearer: low })).toMatchObject({ status: 422, body: { code: 'insufficient_aal', message: 'AAL2 required to unenroll verified factor' } });
    expect(await as(owner)('DELETE', `/factors/${owner.factor}`)).toEqual({ status: 200, body: { id: owner.factor } });
    const { body } = await call('POST', '/token?grant_type=refresh_token', { refresh_token: owner.refresh });
    expect({ aal: decodeJwt(body.access_token)['aal'], amr: (decodeJwt(body.access_token)['amr'] as { method: string }[]).map(({ method }) => method), factors: body.user.factors }).toEqual({ aal: 'aal1', amr: ['password'], factors: undefined });
  });

  it.each([['x', 404, 'validation_failed'], [randomUUID(), 404, 'mfa_factor_not_found']])('%s', async (id, status, code) => {
    expect(refusal(await as(await person())('DELETE', `/factors/${id}`))).toEqual([status, code]);
  });
});

it('an address or a password is changed at aal2 only, once there is a factor', async () => {
  const someone = await raised();
  const low = (await signIn(someone.email)).body.access_token;
  for (const change of [{ password: 'another long one' }, { email: `new-${randomUUID()}@example.com` }]) {
    expect(refusal(await call('PUT', '/user', change, { bearer: low }))).toEqual([401, 'insufficient_aal']);
  }
  expect((await as(someone)('PUT', '/user', { password: 'another long one' })).status).toBe(200);
});

describe('a phone', () => {
  const freshPhone = (): string => `49151${randomInt(1e8, 1e9)}`;
  const newest = async (to: string): Promise<{ text: string; channel: string; code: string }> => (await database.admin.rows<{ text: string; channel: string; code: string }>('select body_text as text, channel, code from mainstay_internal.messages where recipient = $1 order by id desc limit 1', [to]))[0]!;

  it('gets a code, which raises the session; what is kept of it is a digest', async () => {
    const [someone, phone] = [await person(), freshPhone()];
    const enrolled = await as(someone)('POST', '/factors', { factor_type: 'phone', friendly_name: 'cell', phone: `+${phone}` });
    expect(enrolled).toEqual({ status: 200, body: { id: expect.any(String), type: 'phone', friendly_name: 'cell', phone: `+${phone}` } });
    const { id } = enrolled.body;
    const asked = (await as(someone)('POST', `/factors/${id}/challenge`, { channel: 'whatsapp' })).body;
    expect(asked).toMatchObject({ type: 'phone', expires_at: expect.any(Number) });
    const { text, channel, code } = await newest(phone);
    expect({ text, channel }).toEqual({ text: `Your code is ${code}`, channel: 'whatsapp' });
    expect(await database.admin.rows('select otp_code from auth.mfa_challenges where id = $1 and otp_code like $2', [asked.id, `%${code}%`])).toEqual([]);
    expect(await verify(someone, id, asked.id, wrong(code))).toMatchObject({ status: 422, body: { code: 'mfa_verification_failed', message: 'Invalid MFA Phone code entered' } });
    const { body } = await verify(someone, id, asked.id, code);
    expect((decodeJwt(body.access_token)['amr'] as { method: string }[])[0]!.method).toBe('mfa/phone');
    expect(body.user.factors).toMatchObject([{ id, phone, status: 'verified' }]);
    const now = { ...someone, access: body.access_token as string };
    expect(await as(now)('POST', '/factors', { factor_type: 'phone', friendly_name: 'again', phone })).toMatchObject({ status: 422, body: { code: 'mfa_verified_factor_exists' } });
  });

  it('is begun anew under the same number, and refuses an unknown channel', async () => {
    const [someone, phone] = [await person(), freshPhone()];
    const first = (await as(someone)('POST', '/factors', { factor_type: 'phone', friendly_name: 'cell', phone })).body.id;
    const second = (await as(someone)('POST', '/factors', { factor_type: 'phone', friendly_name: 'cell', phone })).body.id;
    expect(refusal(await as(someone)('POST', `/factors/${first}/challenge`, {}))).toEqual([404, 'mfa_factor_not_found']);
    expect(refusal(await as(someone)('POST', `/factors/${second}/challenge`, { channel: 'pigeon' }))).toEqual([400, 'validation_failed']);
  });

  it('is sent one code a minute', async () => {
    const slow = await startApp({ GOTRUE_MFA_PHONE_ENROLL_ENABLED: 'true', GOTRUE_MFA_PHONE_VERIFY_ENABLED: 'true' });
    const someone = await person();
    const ask = as(someone, { on: slow });
    const { id } = (await ask('POST', '/factors', { factor_type: 'phone', phone: freshPhone() })).body;
    expect((await ask('POST', `/factors/${id}/challenge`, {})).status).toBe(200);
    expect(refusal(await ask('POST', `/factors/${id}/challenge`, {}))).toEqual([429, 'over_sms_send_rate_limit']);
  });
});

describe('a security key', () => {
  const device = () => new SoftAuthenticator('app.test', 'https://app.test:8443');
  const begin = async (someone: Person): Promise<string> => (await as(someone)('POST', '/factors', { factor_type: 'webauthn', friendly_name: randomUUID() })).body.id;
  const ask = async (someone: Person, id: string) => (await as(someone)('POST', `/factors/${id}/challenge`, { factorId: id, webauthn: { rpId: 'evil.test', rpOrigins: ['https://evil.test'] } })).body;
  const show = (someone: Person, id: string, challengeId: string, type: string, response: unknown) => as(someone)('POST', `/factors/${id}/verify`, { challenge_id: challengeId, webauthn: { type, rpId: 'evil.test', credential_response: response } });

  it('is made, and shown again', async () => {
    const [someone, key] = [await person(), device()];
    const id = await begin(someone);
    const made = await ask(someone, id);
    expect(made).toMatchObject({ id: expect.any(String), type: 'webauthn', expires_at: expect.any(Number), webauthn: { type: 'create', credential_options: { publicKey: { rp: { id: 'app.test' }, user: { id: Buffer.from(someone.id).toString('base64url'), name: someone.email } } } } });
    const first = await show(someone, id, made.id, 'create', key.create(made.webauthn.credential_options.publicKey));
    expect({ status: first.status, aal: decodeJwt(first.body.access_token)['aal'], method: (decodeJwt(first.body.access_token)['amr'] as { method: string }[])[0]!.method }).toEqual({ status: 200, aal: 'aal2', method: 'mfa/webauthn' });
    const later = { ...someone, access: (await signIn(someone.email)).body.access_token as string };
    const asked = await ask(later, id);
    expect(asked.webauthn).toMatchObject({ type: 'request', credential_options: { publicKey: { rpId: 'app.test', allowCredentials: [{ id: key.credentialId }] } } });
    const second = await show(later, id, asked.id, 'request', key.get(asked.webauthn.credential_options.publicKey));
    expect({ status: second.status, aal: decodeJwt(second.body.access_token)['aal'] }).toEqual({ status: 200, aal: 'aal2' });
    expect(await database.admin.rows(`select (web_authn_credential -> 'authenticator' ->> 'signCount')::int as count from auth.mfa_factors where id = $1`, [id])).toEqual([{ count: 1 }]);
    // The same answer, and one with a counter that stood still.
    expect(refusal(await show(later, id, asked.id, 'request', key.get(asked.webauthn.credential_options.publicKey)))).toEqual([422, 'mfa_ip_address_mismatch']);
    const third = await ask(later, id);
    expect(refusal(await show(later, id, third.id, 'request', key.get(third.webauthn.credential_options.publicKey, { counter: 1 })))).toEqual([422, 'mfa_verification_failed']);
  });

  it.each<[string, string, (key: SoftAuthenticator, options: any) => unknown, number, string]>([
    ['from another page', 'create', (key, options) => key.create(options, { origin: 'https://evil.test' }), 422, 'mfa_verification_failed'],
    ['of another site', 'create', (key, options) => key.create(options, { rpId: 'evil.test' }), 422, 'mfa_verification_failed'],
    ['to another challenge', 'create', (key, options) => key.create(options, { challenge: Buffer.from(randomUUID()).toString('base64url') }), 422, 'mfa_verification_failed'],
    ['as if it were known', 'request', (key, options) => key.get(options), 400, 'validation_failed'],
    ['of an unknown type', 'both', (key, options) => key.create(options), 400, 'validation_failed'],
    ['that is none', 'create', () => ({ id: 'x' }), 400, 'validation_failed'],
    ['that is missing', 'create', () => undefined, 400, 'validation_failed'],
  ])('refuses an answer %s', async (_, type, twist, status, code) => {
    const [someone, key] = [await person(), device()];
    const id = await begin(someone);
    const { id: challengeId, webauthn } = await ask(someone, id);
    expect(refusal(await show(someone, id, challengeId, type, twist(key, webauthn.credential_options.publicKey)))).toEqual([status, code]);
    expect((await as(someone)('GET', '/user')).body.factors).toMatchObject([{ status: 'unverified' }]);
  });

  it('needs the answer at all', async () => {
    const someone = await person();
    const id = await begin(someone);
    expect(await as(someone)('POST', `/factors/${id}/verify`, { challenge_id: (await ask(someone, id)).id, code: '123456' })).toMatchObject({ status: 400, body: { code: 'validation_failed', message: 'WebAuthn config required' } });
  });
});

describe('recovery codes', () => {
  const generate = async (someone: Person) => as(someone)('POST', '/factors/recovery-codes');

  it('are made once, counted, replaced and given up', async () => {
    const someone = await raised();
    expect(await as(someone)('GET', '/factors/recovery-codes')).toMatchObject({ status: 404, body: { code: 'mfa_factor_not_found', message: 'The user has not enrolled recovery codes' } });
    const { status, body } = await generate(someone);
    expect({ status, body }).toEqual({ status: 200, body: { id: expect.any(String), type: 'recovery_code', friendly_name: 'Recovery codes', total: 10, codes: expect.any(Array) } });
    expect(new Set(body.codes).size).toBe(10);
    expect(body.codes.every((code: string) => /^[a-z2-9]{16}$/.test(code))).toBe(true);
    expect(await as(someone)('GET', '/factors/recovery-codes')).toEqual({ status: 200, body: { id: body.id, type: 'recovery_code', total: 10, remaining: 10 } });
    expect(refusal(await generate(someone))).toEqual([422, 'mfa_verified_factor_exists']);
    expect((await as(someone)('GET', '/user')).body.factors).toContainEqual(expect.objectContaining({ factor_type: 'recovery_code', status: 'verified' }));
    const renewed = (await as(someone)('POST', '/factors/recovery-codes/regenerate')).body;
    expect({ id: renewed.id, common: renewed.codes.filter((code: string) => body.codes.includes(code)) }).toEqual({ id: body.id, common: [] });
    expect(refusal(await as(someone)('POST', '/factors/recovery-codes/verify', { code: body.codes[0] }))).toEqual([422, 'mfa_verification_failed']);
    expect(await as(someone)('DELETE', '/factors/recovery-codes')).toEqual({ status: 200, body: { id: body.id } });
    expect(refusal(await as(someone)('DELETE', '/factors/recovery-codes'))).toEqual([404, 'mfa_factor_not_found']);
    expect(refusal(await as(someone)('POST', '/factors/recovery-codes/regenerate'))).toEqual([404, 'mfa_factor_not_found']);
  });

  it('raise a session, each once, however they are typed and however many at once', async () => {
    const owner = await raised();
    const { codes } = (await generate(owner)).body as { codes: string[] };
    const low = { ...owner, access: (await signIn(owner.email)).body.access_token as string };
    const typed = codes[0]!.toUpperCase().replace(/(.{4})(?=.)/g, '$1-').replace('-', ' ');
    const answers = await Promise.all([1, 2, 3].map(() => as(low)('POST', '/factors/recovery-codes/verify', { code: typed })));
    expect(answers.map(refusal).sort()).toEqual([[200, undefined], [422, 'mfa_verification_failed'], [422, 'mfa_verification_failed']]);
    const claims = decodeJwt(answers.find(({ status }) => status === 200)!.body.access_token);
    expect({ aal: claims['aal'], method: (claims['amr'] as { method: string }[])[0]!.method }).toEqual({ aal: 'aal2', method: 'mfa/recovery_code' });
    expect((await as(owner)('GET', '/factors/recovery-codes')).body.remaining).toBe(9);
    expect(await database.admin.rows('select 1 from auth.mfa_recovery_codes where code_hash = any($1)', [codes])).toEqual([]);
  });

  it('are locked after five wrong ones, and regenerating unlocks them', async () => {
    const owner = await raised();
    const { codes } = (await generate(owner)).body as { codes: string[] };
    const answers = await Promise.all(Array.from({ length: 7 }, () => as(owner)('POST', '/factors/recovery-codes/verify', { code: 'wrongwrongwrong' })));
    expect(answers.map(refusal).sort()).toEqual([...Array(5).fill([422, 'mfa_verification_failed']), ...Array(2).fill([429, 'mfa_recovery_codes_locked'])]);
    expect(refusal(await as(owner)('POST', '/factors/recovery-codes/verify', { code: codes[0] }))).toEqual([429, 'mfa_recovery_codes_locked']);
    const renewed = (await as(owner)('POST', '/factors/recovery-codes/regenerate')).body;
    expect((await as(owner)('POST', '/factors/recovery-codes/verify', { code: renewed.codes[3] })).status).toBe(200);
  });

  it('are never alone', async () => {
    const plain = await person();
    expect(refusal(await generate(plain))).toEqual([403, 'insufficient_aal']);
    expect(refusal(await as(plain)('DELETE', '/factors/recovery-codes'))).toEqual([403, 'insufficient_aal']);
    expect(refusal(await as(plain)('POST', '/factors/recovery-codes/verify', { code: ' - ' }))).toEqual([400, 'validation_failed']);
    expect(refusal(await as(plain)('POST', '/factors/recovery-codes/verify', { code: 'abc' }))).toEqual([422, 'mfa_verification_failed']);
    const owner = await raised();
    const { id } = (await generate(owner)).body;
    expect(refusal(await as(owner)('DELETE', `/factors/${owner.factor}`))).toEqual([422, 'mfa_recovery_codes_sole_factor']);
    expect(refusal(await as(owner)('DELETE', `/factors/${id}`))).toEqual([422, 'validation_failed']);
    expect(refusal(await as(owner)('POST', `/factors/${id}/challenge`, {}))).toEqual([400, 'validation_failed']);
    expect((await as(owner)('DELETE', '/factors/recovery-codes')).status).toBe(200);
    expect((await as(owner)('DELETE', `/factors/${owner.factor}`)).status).toBe(200);
  });

  it('need another factor even where a session is at aal2', async () => {
    const owner = await raised();
    await database.admin.rows('delete from auth.mfa_factors where user_id = $1', [owner.id]);
    expect(refusal(await generate(owner))).toEqual([422, 'mfa_recovery_codes_sole_factor']);
  });
});

describe('the administration', () => {
  it('lists, renames and deletes factors, and sessions that they raised fall back', async () => {
    const owner = await raised();
    const path = `/admin/users/${owner.id}/factors`;
    expect(await service('GET', path)).toMatchObject({ status: 200, body: [{ id: owner.factor, friendly_name: 'app', factor_type: 'totp', status: 'verified' }] });
    expect(await service('PUT', `${path}/${owner.factor}`, { friendly_name: 'lost one' })).toMatchObject({ status: 200, body: { id: owner.factor, friendly_name: 'lost one' } });
    expect((await service('PUT', `${path}/${owner.factor}`, { phone: 'nonsense' })).status).toBe(200);
    const { id } = (await as(owner)('POST', '/factors', { factor_type: 'phone', friendly_name: 'b', phone: '+4915100000001' })).body;
    expect(refusal(await service('PUT', `${path}/${id}`, { friendly_name: 'lost one' }))).toEqual([422, 'mfa_factor_name_conflict']);
    expect(refusal(await service('PUT', `${path}/${id}`, { phone: 'nonsense' }))).toEqual([400, 'validation_failed']);
    expect((await service('PUT', `${path}/${id}`, { phone: '+4915100000002' })).body.phone).toBe('4915100000002');
    expect(await service('DELETE', `${path}/${owner.factor}`)).toMatchObject({ status: 200, body: { id: owner.factor, factor_type: 'totp' } });
    const { body } = await call('POST', '/token?grant_type=refresh_token', { refresh_token: owner.refresh });
    expect(decodeJwt(body.access_token)['aal']).toBe('aal1');
    expect((await actionsOf(owner.id)).filter((action) => action.startsWith('factor_'))).toEqual(['factor_in_progress', 'factor_updated', 'factor_updated', 'factor_in_progress', 'factor_updated', 'factor_deleted']);
  });

  it.each([
    ['GET', '/admin/users/x/factors', 404, 'validation_failed'],
    ['GET', `/admin/users/${randomUUID()}/factors`, 404, 'user_not_found'],
    ['DELETE', `/admin/users/${randomUUID()}/factors/${randomUUID()}`, 404, 'user_not_found'],
  ])('%s %s', async (method, path, status, code) => {
    expect(refusal(await service(method, path))).toEqual([status, code]);
  });

  it('refuses a factor that is no id or not there, and whoever is no administrator', async () => {
    const someone = await person();
    expect(refusal(await service('DELETE', `/admin/users/${someone.id}/factors/x`))).toEqual([404, 'validation_failed']);
    expect(refusal(await service('DELETE', `/admin/users/${someone.id}/factors/${randomUUID()}`))).toEqual([404, 'mfa_factor_not_found']);
    expect(refusal(await as(someone)('GET', `/admin/users/${someone.id}/factors`))).toEqual([403, 'not_admin']);
    expect(refusal(await call('GET', `/admin/users/${someone.id}/factors`))).toEqual([401, 'no_authorization']);
  });
});
