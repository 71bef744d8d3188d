import { createPrivateKey, createPublicKey, createSign, generateKeyPairSync } from 'node:crypto';
import { base64url, CompactSign, exportJWK, importJWK, SignJWT, UnsecuredJWT, type JWK, type JWTHeaderParameters } from 'jose';
import { CallerFault } from './caller-fault.ts';
import { Callers, credentialsOf } from './callers.ts';
import { Keyring } from './keyring.ts';
import { makeSecrets } from './make-secrets.ts';

const now = 1_800_000_000;
const user = { sub: '6fd1a6ba-1d69-4f1c-8ec6-33a7b9c39c6f', role: 'authenticated', aud: 'authenticated', session_id: 's', exp: now + 3600, iat: now };

let secrets: Record<string, string>;
let ours: JWK;
let callers: Callers;
let clock: number;

beforeAll(async () => {
  secrets = await makeSecrets({});
  ours = JSON.parse(secrets['JWT_KEYS']!).keys[0];
});

beforeEach(async () => {
  clock = now;
  callers = await callersWith({});
});

async function callersWith(more: Partial<{ jwtKeys: string }>): Promise<Callers> {
  const keyring = await Keyring.read({
    jwtSecret: secrets['JWT_SECRET']!,
    jwtKeys: more.jwtKeys ?? secrets['JWT_KEYS']!,
    publishableKey: secrets['SUPABASE_PUBLISHABLE_KEY']!,
    secretKey: secrets['SUPABASE_SECRET_KEY']!,
  });
  return new Callers(keyring, { dbAnonRole: 'anon', jwtAudience: 'authenticated' }, () => clock);
}

async function signed(claims: object, header: Partial<JWTHeaderParameters> = {}, key: JWK | string = ours): Promise<string> {
  const alg = header.alg ?? (typeof key === 'string' ? 'HS256' : 'ES256');
  const kid = typeof key === 'string' ? {} : { kid: key.kid };
  const signing = typeof key === 'string' ? Buffer.from(key) : await importJWK(key, alg);
  return new SignJWT({ ...claims }).setProtectedHeader({ typ: 'JWT', ...kid, ...header, alg }).sign(signing);
}

/** A token put together by hand, for headers that a library would not write. */
function forged(header: object, claims: object, signature: string): string {
  return [header, claims].map((part) => base64url.encode(JSON.stringify(part))).join('.') + `.${signature}`;
}

const ask = (bearer: string | null, key: string | null = null) => callers.prove({ bearer, key });

describe('a caller is', () => {
  it('a guest without any header', async () => {
    expect(await ask(null)).toMatchObject({ kind: 'anonymous', role: 'anon', subject: null });
  });

  it('a user by an ES256 token of ours', async () => {
    expect(await ask(await signed(user))).toMatchObject({ kind: 'user', role: 'authenticated', subject: user.sub, sessionId: 's', claims: user });
  });

  it('a user by an HS256 token without kid, signed with JWT_SECRET', async () => {
    expect(await ask(await signed(user, {}, secrets['JWT_SECRET']!))).toMatchObject({ kind: 'user', subject: user.sub });
  });

  it.each([
    ['ANON_KEY', 'anon'],
    ['SERVICE_ROLE_KEY', 'service_role'],
    ['SUPABASE_PUBLISHABLE_KEY', 'anon'],
    ['SUPABASE_SECRET_KEY', 'service_role'],
  ])('a key by %s, as apikey, as bearer, or as both', async (name, role) => {
    const key = secrets[name]!;
    for (const [bearer, apikey] of [[key, null], [null, key], [key, key]] as const) {
      expect(await ask(bearer, apikey)).toMatchObject({ kind: 'key', role, subject: null });
    }
  });

  it('the user, when a key and a user token come together', async () => {
    for (const name of ['ANON_KEY', 'SUPABASE_PUBLISHABLE_KEY', 'SUPABASE_SECRET_KEY']) {
      expect(await ask(await signed(user), secrets[name]!)).toMatchObject({ kind: 'user', role: 'authenticated' });
    }
  });

  it('a guest by role, when the token names none', async () => {
    expect(await ask(await signed({ exp: user.exp }))).toMatchObject({ kind: 'key', role: 'anon' });
    expect(await ask(await signed({ role: 'service_role' }))).toMatchObject({ kind: 'key', role: 'service_role' });
  });

  it('accepted for as long as two clocks may differ', async () => {
    for (const claims of [{ exp: now - 29 }, { exp: now + 60, nbf: now + 30 }, { exp: now + 60, iat: now + 30 }, { exp: now + 60, aud: ['x', 'authenticated'] }]) {
      expect(await ask(await signed({ ...user, ...claims }))).toMatchObject({ kind: 'user' });
    }
  });
});

describe('what is refused', () => {
  const otherEs = () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    return privateKey.export({ format: 'jwk' }) as JWK;
  };
  const tampered = async () => {
    const [header, , signature] = (await signed(user)).split('.');
    return `${header}.${base64url.encode(JSON.stringify({ ...user, role: 'service_role' }))}.${signature}`;
  };
  /** HS256 with the public key as its secret, the classic confusion. */
  const confused = async () => {
    const pem = createPublicKey(createPrivateKey({ key: ours as never, format: 'jwk' })).export({ type: 'spki', format: 'pem' });
    return new SignJWT(user).setProtectedHeader({ alg: 'HS256', kid: ours.kid! }).sign(Buffer.from(pem));
  };
  const derSignature = () => {
    const data = `${base64url.encode(JSON.stringify({ alg: 'ES256', kid: ours.kid }))}.${base64url.encode(JSON.stringify(user))}`;
    return `${data}.${base64url.encode(createSign('sha256').update(data).sign(createPrivateKey({ key: ours as never, format: 'jwk' })))}`;
  };
  const embedded = async () => {
    const other = otherEs();
    const { d: _, ...jwk } = other;
    return signed(user, { jwk: jwk as never }, { ...other, kid: ours.kid! });
  };

  it.each<[string, () => string | Promise<string>, string, RegExp]>([
    ['an empty bearer', () => '', 'PGRST301', /Empty JWT/],
    ['no token at all', () => 'nonsense', 'PGRST301', /Expected 3 parts in JWT; got 1/],
    ['three parts of nonsense', () => 'a.b.c', 'PGRST301', /cryptographic/],
    ['five parts', () => 'a.b.c.d.e', 'PGRST301', /got 5/],
    ['alg none', () => new UnsecuredJWT(user).encode(), 'PGRST301', /unsupported encoding algorithm/],
    ['alg none with our kid', () => forged({ alg: 'none', kid: ours.kid }, user, ''), 'PGRST301', /unsupported encoding algorithm/],
    ['alg None in capitals with a signature', () => forged({ alg: 'None' }, user, 'AAAA'), 'PGRST301', /suitable key/],
    ['alg missing', () => forged({ typ: 'JWT', kid: ours.kid }, user, 'AAAA'), 'PGRST301', /suitable key/],
    ['HS256 under the kid of an ES256 key, signed with its public half', confused, 'PGRST301', /suitable key/],
    ['ES256 without a kid', () => signed(user, {}, { ...ours, kid: undefined as never }), 'PGRST301', /suitable key/],
    ['HS256 with another secret', () => signed(user, {}, 'x'.repeat(48)), 'PGRST301', /suitable key/],
    ['HS256 with an empty signature', () => forged({ alg: 'HS256' }, user, ''), 'PGRST301', /suitable key/],
    ['HS512 with the right secret', () => signed(user, { alg: 'HS512' }, secrets['JWT_SECRET']!), 'PGRST301', /suitable key/],
    ['HS256 with the right secret under a foreign kid', () => signed(user, { kid: 'elsewhere' }, secrets['JWT_SECRET']!), 'PGRST301', /suitable key/],
    ['a foreign key under a foreign kid', () => signed(user, { kid: 'elsewhere' }, otherEs()), 'PGRST301', /suitable key/],
    ['a foreign key under our kid', () => signed(user, { kid: ours.kid! }, otherEs()), 'PGRST301', /suitable key/],
    ['a kid that is a path', () => signed(user, { kid: '../../../dev/null' }, ''.padEnd(32, '0')), 'PGRST301', /suitable key/],
    ['a kid that is no text', () => forged({ alg: 'ES256', kid: { $ne: 1 } }, user, 'AAAA'), 'PGRST301', /suitable key/],
    ['a key embedded in the header', embedded, 'PGRST301', /algorithm/],
    ['jku, though our key signed it', () => signed(user, { jku: 'https://evil.example/jwks' }), 'PGRST301', /algorithm/],
    ['x5u, though our key signed it', () => signed(user, { x5u: 'https://evil.example/cert' }), 'PGRST301', /algorithm/],
    ['crit, though our key signed it', () => forged({ alg: 'ES256', kid: ours.kid, crit: ['exp'] }, user, 'AAAA'), 'PGRST301', /algorithm/],
    ['a signature in the wrong encoding', derSignature, 'PGRST301', /suitable key/],
    ['a role raised after signing', tampered, 'PGRST301', /suitable key/],
    ['a signature cut short', async () => (await signed(user)).slice(0, -2), 'PGRST301', /suitable key/],
    ['claims that are no object', () => new CompactSign(Buffer.from('[1]')).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(secrets['JWT_SECRET']!)), 'PGRST303', /Parsing claims/],
    ['no exp', () => signed({ ...user, exp: undefined }), 'PGRST303', /'exp' claim is missing/],
    ['an exp that is no number', () => signed({ ...user, exp: 'never' }), 'PGRST303', /must be a number/],
    ['expired', () => signed({ ...user, exp: now - 31 }), 'PGRST303', /JWT expired/],
    ['not yet valid', () => signed({ ...user, nbf: now + 40 }), 'PGRST303', /not yet valid/],
    ['issued in the future', () => signed({ ...user, iat: now + 40 }), 'PGRST303', /issued at future/],
    ['for another audience', () => signed({ ...user, aud: 'some-client' }), 'PGRST303', /not in audience/],
    ['an opaque key of nobody', () => 'sb_secret_AAAAAAAAAAAAAAAAAAAAAA_AAAAAAAA', 'PGRST301', /Invalid API key/],
    ['an opaque key with one letter more', () => `${secrets['SUPABASE_SECRET_KEY']}x`, 'PGRST301', /Invalid API key/],
  ])('%s', async (_name, make, code, message) => {
    const token = await make();
    const error = await ask(token).then(() => null, (thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CallerFault);
    expect(error).toMatchObject({ status: 401, pgrstCode: code, message: expect.stringMatching(message) });
    expect((error as CallerFault).headers['www-authenticate']).toMatch(/^Bearer error="invalid_token", error_description="[^"]+"$/);
    // As a key it opens nothing either, not even beside a good token.
    await expect(ask(await signed(user), token)).rejects.toMatchObject({ reason: 'key' });
  });

  it('a good token beside a key that does not hold, in either order of remembering', async () => {
    const token = await signed(user);
    await ask(token);
    const credentials = { bearer: token, key: 'sb_publishable_wrong' };
    expect(callers.remembered(credentials)).toBeNull();
    await expect(callers.prove(credentials)).rejects.toMatchObject({ reason: 'key', message: 'Invalid API key' });
  });
});

describe('a proof', () => {
  it('is remembered until the token has expired, and no longer', async () => {
    const token = await signed(user);
    const credentials = { bearer: token, key: secrets['ANON_KEY']! };
    expect(callers.remembered(credentials)).toBeNull();
    const caller = await callers.prove(credentials);
    expect(callers.remembered(credentials)).toBe(caller);
    clock = user.exp + 30;
    expect(callers.remembered(credentials)).toBeNull();
    await expect(callers.prove(credentials)).rejects.toMatchObject({ reason: 'claims', message: 'JWT expired' });
  });

  it('of a guest needs nothing', () => {
    expect(callers.remembered({ bearer: null, key: null })).toMatchObject({ kind: 'anonymous' });
    expect(callers.remembered({ bearer: '', key: null })).toBeNull();
  });

  it('holds for a key that no longer signs but still stands in JWT_KEYS', async () => {
    const token = await signed(user);
    const fresh = JSON.parse((await makeSecrets({}))['JWT_KEYS']!).keys[0] as JWK;
    callers = await callersWith({ jwtKeys: JSON.stringify([fresh, ours]) });
    expect(await ask(token)).toMatchObject({ kind: 'user' });
    callers = await callersWith({ jwtKeys: JSON.stringify([fresh]) });
    await expect(ask(token)).rejects.toMatchObject({ reason: 'unreadable' });
  });
});

it('PostgREST’s audience is a regular expression, ours is a name', async () => {
  const keyring = await Keyring.read({ jwtSecret: secrets['JWT_SECRET']!, jwtKeys: null, publishableKey: null, secretKey: null });
  const prove = async (jwtAudience: string, aud: unknown, dbUri?: string) => {
    const settings = { dbAnonRole: 'anon', jwtAudience, databaseUrl: dbUri === undefined ? 'postgres://x' : null, dbUri: dbUri ?? null };
    return new Callers(keyring, settings as never, () => now).prove({ key: null, bearer: await signed({ ...user, aud }, {}, secrets['JWT_SECRET']!) });
  };
  for (const aud of ['a', 'https://x.example.com', ['z', 'a'], []]) expect(await prove('a|https://[a-z]*\\.example\\.com', aud, 'postgres://y')).toMatchObject({ role: 'authenticated' });
  for (const aud of ['ab', ['z'], 'https://example.org/a']) await expect(prove('a|https://[a-z]*\\.example\\.com', aud, 'postgres://y')).rejects.toMatchObject({ reason: 'claims', message: 'JWT not in audience' });
  await expect(prove('(', 'a', 'postgres://y')).rejects.toThrow('PGRST_JWT_AUD is not right');
  await expect(prove('a|b', 'a')).rejects.toMatchObject({ reason: 'claims' });
});

describe('the keyring', () => {
  it('publishes public halves only', async () => {
    const oct = { ...(await exportJWK(Buffer.from('k'.repeat(32)))), kid: 'shared', alg: 'HS256' };
    const keyring = await Keyring.read({ jwtSecret: null, jwtKeys: JSON.stringify([ours, oct]), publishableKey: null, secretKey: null });
    expect(keyring.published.keys).toEqual([{ kty: 'EC', crv: 'P-256', x: ours.x, y: ours.y, kid: ours.kid, alg: 'ES256', use: 'sig', key_ops: ['verify'] }]);
  });

  it.each([
    ['no JSON', 'x', /JWK set in JSON/],
    ['no keys', '{"keys":[]}', /at least one key/],
    ['an unknown algorithm', '[{"kty":"EC","alg":"ES256K","d":"x"}]', /algorithm "ES256K"/],
    ['a public key only', '[{"kty":"EC","crv":"P-256","x":"a","y":"b"}]', /no private part/],
    ['a broken key', '[{"kty":"EC","crv":"P-256","x":"a","y":"b","d":"c"}]', /key 1 cannot be read/],
  ])('refuses %s in one sentence', async (_name, jwtKeys, message) => {
    await expect(Keyring.read({ jwtSecret: null, jwtKeys, publishableKey: null, secretKey: null })).rejects.toThrow(message);
  });

  it('signs with the key that says so, wherever it stands, and takes those that only verify, as GoTrue’s setting has them', async () => {
    const old = JSON.parse((await makeSecrets({}))['JWT_KEYS']!).keys[0] as JWK;
    const { d: _d, ...oldPublic } = old;
    const set = [{ ...(await exportJWK(Buffer.from('k'.repeat(32)))), kid: 'shared', alg: 'HS256', key_ops: ['verify'] }, { ...oldPublic, key_ops: ['verify'] }, { ...ours, use: 'sig', key_ops: ['sign', 'verify'], ext: true }];
    const keyring = await Keyring.read({ jwtSecret: null, jwtKeys: JSON.stringify(set), publishableKey: null, secretKey: null });
    expect([keyring.signing.kid, keyring.published.keys.map(({ kid }) => kid)]).toEqual([ours.kid, [old.kid, ours.kid]]);
    expect([keyring.keysFor({ alg: 'HS256', kid: 'shared' }), keyring.keysFor({ alg: 'ES256', kid: old.kid })].map(({ length }) => length)).toEqual([1, 1]);
    await expect(Keyring.read({ jwtSecret: null, jwtKeys: JSON.stringify(set.slice(0, 2)), publishableKey: null, secretKey: null })).rejects.toThrow('without a key no token can be signed');
  });

  it('signs with JWT_SECRET where there is no other key, and refuses to stand without any', async () => {
    const keyring = await Keyring.read({ jwtSecret: 's'.repeat(32), jwtKeys: null, publishableKey: null, secretKey: null });
    expect(keyring.signing.alg).toBe('HS256');
    await expect(Keyring.read({ jwtSecret: null, jwtKeys: null, publishableKey: null, secretKey: null })).rejects.toThrow('JWT_KEYS or JWT_SECRET is needed');
  });
});

describe('credentials are read', () => {
  it.each([
    [{}, undefined, { key: null, bearer: null }],
    [{ authorization: 'Bearer abc' }, undefined, { key: null, bearer: 'abc' }],
    [{ authorization: 'bearer  abc ' }, undefined, { key: null, bearer: 'abc' }],
    [{ authorization: 'Bearer' }, undefined, { key: null, bearer: '' }],
    [{ authorization: 'Bearer ' }, undefined, { key: null, bearer: '' }],
    [{ authorization: 'Basic abc' }, undefined, { key: null, bearer: null }],
    [{ apikey: 'k' }, 'q', { key: 'k', bearer: null }],
    [{}, 'q', { key: 'q', bearer: null }],
    [{}, ['q', 'r'], { key: null, bearer: null }],
  ])('%j and ?apikey=%j', (headers, query, expected) => {
    expect(credentialsOf(headers as never, query)).toEqual(expected);
  });
});
