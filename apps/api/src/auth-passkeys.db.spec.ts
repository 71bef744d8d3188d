import { randomUUID } from 'node:crypto';
import { makeSecrets } from '@mainstay/auth';
import { readSettings } from '@mainstay/config';
import { makeTestDatabase, SoftAuthenticator, type TestDatabase } from '@mainstay/testing';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { decodeJwt } from 'jose';
import { AuthAdminController } from './auth-admin.controller.ts';
import { AuthFactorsAdminController } from './auth-factors-admin.controller.ts';
import { AuthPasskeysController } from './auth-passkeys.controller.ts';
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
const site = { SITE_URL: 'https://app.test', GOTRUE_WEBAUTHN_RP_DISPLAY_NAME: 'Our app', GOTRUE_WEBAUTHN_RP_ORIGINS: 'https://app.test,https://admin.app.test', GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED: 'true' };

beforeAll(async () => {
  database = await makeTestDatabase();
  secrets = await makeSecrets(database.environment);
  app = await startApp(site);
  passwordHash = await hashOf(password);
});
afterAll(async () => {
  await Promise.all(apps.map((each) => each.close()));
  await database.close();
});

async function startApp(more: Record<string, string>): Promise<NestFastifyApplication> {
  const settings = readSettings({ ...database.environment, ...secrets, ...more });
  const started = await startQuickAuth(settings, [AuthController, AuthAdminController, AuthPasskeysController, AuthFactorsAdminController]);
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
const refusal = ({ status, body }: Answer): unknown[] => [status, body?.code];
const password = 'correct horse battery';
const device = () => new SoftAuthenticator('app.test', 'https://app.test');

interface Person {
  readonly id: string;
  readonly email: string;
  readonly access: string;
}

async function hashOf(secret: string): Promise<string> {
  const { body } = await service('POST', '/admin/users', { email: `user-${randomUUID()}@example.com`, password: secret });
  return (await database.admin.rows<{ hash: string }>('select encrypted_password as hash from auth.users where id = $1', [body.id]))[0]!.hash;
}

async function person(): Promise<Person> {
  const email = `user-${randomUUID()}@example.com`;
  const { body } = await service('POST', '/admin/users', { email, password_hash: passwordHash, email_confirm: true, user_metadata: { full_name: 'Ada L.' } });
  return { id: body.id, email, access: (await call('POST', '/token?grant_type=password', { email, password })).body.access_token };
}

const as = ({ access }: Person, more: Ask = {}) => (method: string, path: string, body?: unknown) => call(method, path, body, { bearer: access, ...more });
const begin = async (someone: Person) => (await as(someone)('POST', '/passkeys/registration/options', {})).body as { challenge_id: string; options: any; expires_at: number };
const finish = (someone: Person, challengeId: string, credential: unknown) => as(someone)('POST', '/passkeys/registration/verify', { challenge_id: challengeId, credential });
const ask = async (more: Ask = {}) => (await call('POST', '/passkeys/authentication/options', { gotrue_meta_security: {} }, more)).body as { challenge_id: string; options: any };
const signIn = (challengeId: string, credential: unknown, more: Ask = {}) => call('POST', '/passkeys/authentication/verify', { challenge_id: challengeId, credential }, more);

/** Somebody with a passkey. */
async function keeper(): Promise<Person & { readonly key: SoftAuthenticator; readonly passkey: string }> {
  const [someone, key] = [await person(), device()];
  const { challenge_id: challengeId, options } = await begin(someone);
  const { body } = await finish(someone, challengeId, key.create(options));
  return { ...someone, key, passkey: body.id };
}

const actionsOf = async (id: string): Promise<string[]> =>
  (await database.admin.rows<{ action: string }>(`select payload ->> 'action' as action from auth.audit_log_entries where payload ->> 'actor_id' = $1 or payload -> 'traits' ->> 'user_id' = $1 order by created_at`, [id])).map(({ action }) => action);
const giveFactor = (someone: Person) => database.admin.rows(`insert into auth.mfa_factors (id, user_id, factor_type, status, created_at, updated_at) values (gen_random_uuid(), $1, 'totp', 'verified', now(), now())`, [someone.id]);

describe('a passkey', () => {
  it('is made by its owner, signs in without an address, is listed, renamed and deleted', async () => {
    const [someone, key] = [await person(), device()];
    const begun = await begin(someone);
    expect(begun).toEqual({
      challenge_id: expect.any(String),
      expires_at: expect.any(Number),
      options: expect.objectContaining({
        rp: { id: 'app.test', name: 'Our app' }, user: { id: Buffer.from(someone.id).toString('base64url'), name: someone.email, displayName: 'Ada L.' }, attestation: 'none', excludeCredentials: [],
        authenticatorSelection: expect.objectContaining({ residentKey: 'required', userVerification: 'preferred' }),
      }),
    });
    expect(Math.abs(begun.expires_at - Date.now() / 1000 - 300)).toBeLessThan(5);
    const made = await finish(someone, begun.challenge_id, key.create(begun.options));
    expect(made).toEqual({ status: 200, body: { id: expect.any(String), created_at: expect.any(String) } });
    expect((await begin(someone)).options.excludeCredentials).toMatchObject([{ id: key.credentialId }]);

    const { challenge_id: challengeId, options } = await ask();
    expect(options).toMatchObject({ rpId: 'app.test', userVerification: 'preferred', challenge: expect.any(String) });
    expect(options.allowCredentials ?? []).toEqual([]);
    const { status, body } = await signIn(challengeId, key.get(options));
    const claims = decodeJwt(body.access_token);
    expect({ status, sub: claims.sub, aal: claims['aal'], amr: claims['amr'] }).toEqual({ status: 200, sub: someone.id, aal: 'aal1', amr: [{ method: 'passkey', timestamp: expect.any(Number) }] });
    expect(body).toMatchObject({ token_type: 'bearer', refresh_token: expect.any(String), user: { id: someone.id } });

    const path = `/passkeys/${made.body.id}`;
    expect(await as(someone)('GET', '/passkeys')).toEqual({ status: 200, body: [{ id: made.body.id, created_at: made.body.created_at, last_used_at: expect.any(String) }] });
    expect(await as(someone)('PATCH', path, { friendly_name: 'Laptop' })).toMatchObject({ status: 200, body: { id: made.body.id, friendly_name: 'Laptop', created_at: expect.any(String), last_used_at: expect.any(String) } });
    expect(await as(someone)('DELETE', path)).toEqual({ status: 204, body: null });
    expect((await as(someone)('GET', '/passkeys')).body).toEqual([]);
    const late = await ask();
    expect(refusal(await signIn(late.challenge_id, key.get(late.options)))).toEqual([400, 'webauthn_verification_failed']);
    expect(await actionsOf(someone.id)).toEqual(['user_signedup', 'login', 'passkey_created', 'login', 'passkey_updated', 'passkey_deleted']);
  });

  it('is taken on every page of the site', async () => {
    const { key } = await keeper();
    const { challenge_id: challengeId, options } = await ask();
    expect((await signIn(challengeId, key.get(options, { origin: 'https://admin.app.test' }))).status).toBe(200);
  });

  it('is one person’s', async () => {
    const [owner, other] = [await keeper(), await person()];
    const { challenge_id: challengeId, options } = await begin(other);
    expect(await finish(other, challengeId, owner.key.create(options))).toMatchObject({ status: 422, body: { code: 'webauthn_credential_exists', message: 'This credential is already registered' } });
  });

  it('is one of ten at most, also for two at once', async () => {
    const owner = await keeper();
    await database.admin.rows(`insert into auth.webauthn_credentials (user_id, credential_id, public_key) select $1::uuid, decode(md5(n::text || $1::uuid::text), 'hex'), '' from generate_series(1, 8) n`, [owner.id]);
    const two = [await begin(owner), await begin(owner)];
    const answers = await Promise.all(two.map(({ challenge_id: id, options }) => finish(owner, id, device().create(options))));
    expect(answers.map(refusal).sort()).toEqual([[200, undefined], [422, 'too_many_passkeys']]);
    expect(await as(owner)('POST', '/passkeys/registration/options', {})).toMatchObject({ status: 422, body: { code: 'too_many_passkeys', message: 'Maximum number of passkeys reached' } });
  });

  it('whose counter went back or stood still lets nobody in, and of two with one counter only one', async () => {
    const { key } = await keeper();
    const shown = async (counter: number) => {
      const { challenge_id: id, options } = await ask();
      return signIn(id, key.get(options, { counter }));
    };
    expect((await shown(5)).status).toBe(200);
    expect(refusal(await shown(5))).toEqual([400, 'webauthn_verification_failed']);
    expect(refusal(await shown(4))).toEqual([400, 'webauthn_verification_failed']);
    expect((await Promise.all([shown(6), shown(6), shown(6)])).filter(({ status }) => status === 200)).toHaveLength(1);
    // Authenticators that count nothing say 0 each time.
    const silent = await keeper();
    for (let n = 0; n < 2; n += 1) {
      const { challenge_id: id, options } = await ask();
      expect((await signIn(id, silent.key.get(options, { counter: 0 }))).status).toBe(200);
    }
  });

  it.each<[string, string, string, string]>([
    ['was banned', `banned_until = now() + interval '1 day'`, 'user_banned', 'User is banned'],
    ['was deleted', 'deleted_at = now()', 'user_not_found', 'User not found'],
    ['has an unconfirmed address', 'email_confirmed_at = null', 'email_not_confirmed', 'Email not confirmed'],
    ['has an unconfirmed number', `phone = '4915900' || floor(random() * 1e6)::text`, 'phone_not_confirmed', 'Phone not confirmed'],
  ])('does not let in who %s', async (_, change, code, message) => {
    const owner = await keeper();
    await database.admin.rows(`update auth.users set ${change} where id = $1`, [owner.id]);
    const { challenge_id: id, options } = await ask();
    expect(await signIn(id, owner.key.get(options))).toMatchObject({ status: 403, body: { code, message } });
  });
});

describe('a registration', () => {
  it.each<[string, (someone: Person, begun: Awaited<ReturnType<typeof begin>>) => Promise<Answer>, number, string, string]>([
    ['without a challenge', (someone, { options }) => finish(someone, '', device().create(options)), 400, 'validation_failed', 'challenge_id is required'],
    ['without a credential', (someone, { challenge_id: id }) => finish(someone, id, undefined), 400, 'validation_failed', 'credential is required'],
    ['whose challenge is no id', (someone, { options }) => finish(someone, 'x', device().create(options)), 400, 'validation_failed', 'challenge_id must be a valid UUID'],
    ['that was never begun', (someone, { options }) => finish(someone, randomUUID(), device().create(options)), 400, 'webauthn_challenge_not_found', 'Challenge not found or already used'],
    ['that somebody else began', async (_, { challenge_id: id, options }) => finish(await person(), id, device().create(options)), 400, 'webauthn_challenge_not_found', 'Challenge not found or already used'],
    ['by the challenge of a sign-in', async (someone, { options }) => finish(someone, (await ask()).challenge_id, device().create(options)), 400, 'webauthn_challenge_not_found', 'Challenge not found or already used'],
    ['that is too old', async (someone, { challenge_id: id, options }) => {
      await database.admin.rows(`update auth.webauthn_challenges set expires_at = now() - interval '1 second' where id = $1`, [id]);
      return finish(someone, id, device().create(options));
    }, 400, 'webauthn_challenge_expired', 'Challenge has expired'],
    ['that is none', (someone, { challenge_id: id }) => finish(someone, id, { id: 'x', rawId: 'y' }), 400, 'webauthn_verification_failed', 'Invalid credential response'],
    ['from another page', (someone, { challenge_id: id, options }) => finish(someone, id, device().create(options, { origin: 'https://evil.test' })), 400, 'webauthn_verification_failed', 'Credential verification failed'],
    ['of another site', (someone, { challenge_id: id, options }) => finish(someone, id, device().create(options, { rpId: 'evil.test' })), 400, 'webauthn_verification_failed', 'Credential verification failed'],
    ['to another challenge', (someone, { challenge_id: id, options }) => finish(someone, id, device().create(options, { challenge: 'AAAA' })), 400, 'webauthn_verification_failed', 'Credential verification failed'],
  ])('%s is refused', async (_, act, status, code, message) => {
    const someone = await person();
    expect(await act(someone, await begin(someone))).toMatchObject({ status, body: { code, message } });
    expect((await as(someone)('GET', '/passkeys')).body).toEqual([]);
  });

  it('is answered once, whatever the answer was worth', async () => {
    const someone = await person();
    const { challenge_id: id, options } = await begin(someone);
    expect((await finish(someone, id, device().create(options, { origin: 'https://evil.test' }))).status).toBe(400);
    expect(refusal(await finish(someone, id, device().create(options)))).toEqual([400, 'webauthn_challenge_not_found']);
  });

  it('needs a bearer, a person, and aal2 where there is a second factor', async () => {
    expect(refusal(await call('POST', '/passkeys/registration/options', {}))).toEqual([401, 'no_authorization']);
    const guest = (await call('POST', '/signup', {})).body.access_token;
    expect(refusal(await call('POST', '/passkeys/registration/options', {}, { bearer: guest }))).toEqual([403, 'no_authorization']);
    const owner = await keeper();
    await giveFactor(owner);
    const refused = { status: 403, body: { code: 'insufficient_aal', message: 'AAL2 session is required to manage passkeys when MFA is enabled' } };
    expect(await as(owner)('POST', '/passkeys/registration/options', {})).toMatchObject(refused);
    expect(await finish(owner, randomUUID(), device().create({ challenge: 'AAAA', user: { id: '' } }))).toMatchObject(refused);
    expect(await as(owner)('DELETE', `/passkeys/${owner.passkey}`)).toMatchObject(refused);
    expect((await as(owner)('GET', '/passkeys')).status).toBe(200);
  });
});

describe('a sign-in', () => {
  it.each<[string, (owner: Awaited<ReturnType<typeof keeper>>, asked: Awaited<ReturnType<typeof ask>>) => Promise<Answer>, string]>([
    ['by an unknown passkey', (_, { challenge_id: id, options }) => signIn(id, device().get(options)), 'webauthn_verification_failed'],
    ['from another page', ({ key }, { challenge_id: id, options }) => signIn(id, key.get(options, { origin: 'https://evil.test' })), 'webauthn_verification_failed'],
    ['of another site', ({ key }, { challenge_id: id, options }) => signIn(id, key.get(options, { rpId: 'evil.test' })), 'webauthn_verification_failed'],
    ['to another challenge', async ({ key }, { challenge_id: id }) => signIn(id, key.get((await ask()).options)), 'webauthn_verification_failed'],
    ['as somebody else', async ({ key }, { challenge_id: id, options }) => signIn(id, key.get(options, { userHandle: Buffer.from((await person()).id).toString('base64url') })), 'webauthn_verification_failed'],
    ['with a signature of something else', ({ key }, { challenge_id: id, options }) => {
      const shown = key.get(options) as { response: Record<string, unknown> };
      return signIn(id, { ...shown, response: { ...shown.response, signature: (key.get(options) as { response: Record<string, unknown> }).response['signature'] } });
    }, 'webauthn_verification_failed'],
    ['by a challenge of a registration', async (owner, { options }) => signIn((await begin(owner)).challenge_id, owner.key.get(options)), 'webauthn_challenge_not_found'],
    ['that is too old', async ({ key }, { challenge_id: id, options }) => {
      await database.admin.rows(`update auth.webauthn_challenges set expires_at = now() - interval '1 second' where id = $1`, [id]);
      return signIn(id, key.get(options));
    }, 'webauthn_challenge_expired'],
    ['that is none', (_, { challenge_id: id }) => signIn(id, { response: null }), 'webauthn_verification_failed'],
    ['without a credential', (_, { challenge_id: id }) => signIn(id, undefined), 'validation_failed'],
  ])('%s is refused', async (_, act, code) => {
    expect(refusal(await act(await keeper(), await ask()))).toEqual([400, code]);
  });

  it('is made once with each challenge, also by two at once', async () => {
    const { key } = await keeper();
    const { challenge_id: id, options } = await ask();
    const shown = key.get(options);
    const answers = await Promise.all([1, 2, 3].map(() => signIn(id, shown)));
    expect(answers.map(refusal).sort()).toEqual([[200, undefined], [400, 'webauthn_challenge_not_found'], [400, 'webauthn_challenge_not_found']]);
  });

  it('is begun thirty times in five minutes from one network', async () => {
    const answers: Answer[] = [];
    for (let n = 0; n < 31; n += 1) answers.push(await call('POST', '/passkeys/authentication/options', {}, { remoteAddress: '203.0.113.77' }));
    expect(answers.slice(0, 30).every(({ status }) => status === 200)).toBe(true);
    expect(refusal(answers[30]!)).toEqual([429, 'over_request_rate_limit']);
  });
});

describe('managing', () => {
  it.each<[string, string, unknown, number, string, string]>([
    ['PATCH', 'x', { friendly_name: 'a' }, 404, 'validation_failed', 'Passkey not found'],
    ['PATCH', randomUUID(), { friendly_name: 'a' }, 404, 'validation_failed', 'Passkey not found'],
    ['PATCH', 'own', { friendly_name: '' }, 400, 'validation_failed', 'friendly_name is required'],
    ['PATCH', 'own', { friendly_name: 'a'.repeat(121) }, 400, 'validation_failed', 'friendly_name must be 120 characters or less'],
    ['DELETE', 'x', undefined, 404, 'validation_failed', 'Passkey not found'],
    ['DELETE', randomUUID(), undefined, 404, 'validation_failed', 'Passkey not found'],
  ])('%s %s', async (method, id, body, status, code, message) => {
    const owner = await keeper();
    expect(await as(owner)(method, `/passkeys/${id === 'own' ? owner.passkey : id}`, body)).toMatchObject({ status, body: { code, message } });
  });

  it('reaches nobody else’s', async () => {
    const [owner, other] = [await keeper(), await person()];
    expect((await as(other)('PATCH', `/passkeys/${owner.passkey}`, { friendly_name: 'mine' })).status).toBe(404);
    expect((await as(other)('DELETE', `/passkeys/${owner.passkey}`)).status).toBe(404);
    expect((await as(other)('GET', '/passkeys')).body).toEqual([]);
  });

  it('is the administration’s too', async () => {
    const owner = await keeper();
    const path = `/admin/users/${owner.id}/passkeys`;
    expect(await service('GET', path)).toEqual({ status: 200, body: [{ id: owner.passkey, created_at: expect.any(String) }] });
    expect(refusal(await service('DELETE', `${path}/${randomUUID()}`))).toEqual([404, 'validation_failed']);
    expect(refusal(await service('DELETE', `${path}/x`))).toEqual([404, 'validation_failed']);
    expect(await service('DELETE', `${path}/${owner.passkey}`)).toEqual({ status: 204, body: null });
    expect(refusal(await service('GET', `/admin/users/${randomUUID()}/passkeys`))).toEqual([404, 'user_not_found']);
    expect(refusal(await as(owner)('GET', path))).toEqual([403, 'not_admin']);
  });

  it('goes with a softly deleted account', async () => {
    const owner = await keeper();
    await service('DELETE', `/admin/users/${owner.id}`, { should_soft_delete: true });
    expect(await database.admin.rows('select 1 from auth.webauthn_credentials where user_id = $1', [owner.id])).toEqual([]);
  });

  it('is refused where passkeys are off, and GET /settings says so', async () => {
    const closed = await startApp({ ...site, GOTRUE_PASSKEY_ENABLED: 'false' });
    const owner = await keeper();
    const calls: [string, string, unknown?][] = [['POST', '/passkeys/registration/options', {}], ['POST', '/passkeys/registration/verify', {}], ['POST', '/passkeys/authentication/options', {}], ['POST', '/passkeys/authentication/verify', {}], ['GET', '/passkeys'], ['PATCH', `/passkeys/${owner.passkey}`, {}], ['DELETE', `/passkeys/${owner.passkey}`]];
    for (const [method, path, body] of calls) expect(refusal(await as(owner, { on: closed })(method, path, body))).toEqual([404, 'passkey_disabled']);
    expect((await call('GET', '/settings', undefined, { on: closed })).body.passkeys_enabled).toBe(false);
    expect((await call('GET', '/settings')).body.passkeys_enabled).toBe(true);
  });
});
