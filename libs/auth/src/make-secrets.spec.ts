import { createHash } from 'node:crypto';
import { readSettings } from '@mainstay/config';
import { decodeJwt, importJWK, jwtVerify, SignJWT } from 'jose';
import { makeSecrets } from './make-secrets.ts';

const names = ['MAINSTAY_SECRET', 'POSTGRES_PASSWORD', 'JWT_SECRET', 'JWT_KEYS', 'ANON_KEY', 'SERVICE_ROLE_KEY', 'SUPABASE_PUBLISHABLE_KEY', 'SUPABASE_SECRET_KEY'];

describe('the secrets of a first start', () => {
  it('are complete, never the same twice, and pass the table of settings', async () => {
    const [first, second] = await Promise.all([makeSecrets({}), makeSecrets({})]);
    expect(Object.keys(first).sort()).toEqual([...names].sort());
    for (const name of names) expect(first[name]).not.toBe(second[name]);
    expect(readSettings(first).jwtSecret).toBe(first['JWT_SECRET']);
  });

  it.each([['ANON_KEY', 'anon'], ['SERVICE_ROLE_KEY', 'service_role']])('%s is an HS256 token of role %s that lives for ten years', async (name, role) => {
    const secrets = await makeSecrets({});
    const { payload, protectedHeader } = await jwtVerify(secrets[name]!, Buffer.from(secrets['JWT_SECRET']!));
    expect(protectedHeader).toEqual({ alg: 'HS256', typ: 'JWT' });
    expect(payload).toMatchObject({ role, iss: 'supabase' });
    expect(payload.exp! - payload.iat!).toBe(315_576_000);
  });

  it('sign with an ES256 key that bears its thumbprint as kid', async () => {
    const { keys } = JSON.parse((await makeSecrets({}))['JWT_KEYS']!);
    expect(keys).toHaveLength(1);
    expect(keys[0]).toMatchObject({ kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig', kid: expect.stringMatching(/^[\w-]{43}$/), d: expect.any(String) });
    await expect(importJWK(keys[0])).resolves.toBeDefined();
  });

  it.each([['SUPABASE_PUBLISHABLE_KEY', 'sb_publishable_'], ['SUPABASE_SECRET_KEY', 'sb_secret_']])('%s begins with %s and ends with a check sum', async (name, prefix) => {
    const key = (await makeSecrets({}))[name]!;
    expect(key).toMatch(new RegExp(`^${prefix}[\\w-]{22}_[\\w-]{8}$`));
    expect(key.slice(-8)).toBe(createHash('sha256').update(key.slice(0, -9)).digest('base64url').slice(0, 8));
  });

  it('keep what was given, and follow from a JWT_SECRET given under any of its names', async () => {
    const jwtSecret = 'super-secret-jwt-token-with-at-least-32-characters-long';
    const secrets = await makeSecrets({ GOTRUE_JWT_SECRET: jwtSecret, POSTGRES_PASSWORD: 'mine', SUPABASE_SECRET_KEY: '' });
    expect(secrets).toMatchObject({ JWT_SECRET: jwtSecret, POSTGRES_PASSWORD: 'mine', SUPABASE_SECRET_KEY: expect.stringMatching(/^sb_secret_/) });
    await expect(jwtVerify(secrets['ANON_KEY']!, Buffer.from(jwtSecret))).resolves.toBeDefined();
    expect(await makeSecrets(secrets)).toEqual(secrets);
  });

  it('refuse an API key that another secret signed, or of another role', async () => {
    const { ANON_KEY, SERVICE_ROLE_KEY, JWT_SECRET } = await makeSecrets({});
    await expect(makeSecrets({ ANON_KEY })).rejects.toThrow('ANON_KEY is not right: JWT_SECRET did not sign it');
    await expect(makeSecrets({ JWT_SECRET, ANON_KEY: SERVICE_ROLE_KEY })).rejects.toThrow('its role is "service_role", it must be "anon"');
    const expired = await new SignJWT({ role: 'anon' }).setProtectedHeader({ alg: 'HS256' }).setExpirationTime(1).sign(Buffer.from(JWT_SECRET!));
    await expect(makeSecrets({ JWT_SECRET, ANON_KEY: expired })).rejects.toThrow('or it has expired');
    expect(decodeJwt(ANON_KEY!)['role']).toBe('anon');
  });
});
