import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { Callers } from './callers.ts';
import { Keyring } from './keyring.ts';

const secret = 'reallyreallyreallyreallyverysafe';
const outside = { dbUri: 'postgres://', databaseUrl: null, dbAnonRole: '', jwtAudience: '', jwtRoleClaimKey: '.role' };

async function callersWith(jwtSecret: string | null, more: object = {}): Promise<Callers> {
  const settings = { ...outside, jwtSecret, jwtKeys: null, publishableKey: null, secretKey: null, jwtSecretIsBase64: false, ...more };
  return new Callers(await Keyring.readAny(settings), settings);
}

const tokenOf = (key: Parameters<SignJWT['sign']>[0], alg: string, claims: object = { role: 'r' }, kid?: string): Promise<string> =>
  new SignJWT({ ...claims }).setProtectedHeader({ alg, ...(kid === undefined ? {} : { kid }) }).sign(key);

describe('tokens of others', () => {
  it.each(['RS256', 'RS512', 'PS256', 'ES256', 'ES384', 'EdDSA'])('are proved with %s, by a key or a set of them', async (alg) => {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    const jwk = await exportJWK(publicKey);
    for (const text of [JSON.stringify(jwk), JSON.stringify({ keys: [{ kty: 'oct', k: 'AAAA' }, { ...jwk, kid: 'k' }] })]) {
      const callers = await callersWith(text);
      expect(await callers.prove({ key: null, bearer: await tokenOf(privateKey, alg) })).toMatchObject({ role: 'r' });
    }
    const named = await callersWith(JSON.stringify({ ...jwk, kid: 'k' }));
    expect(await named.prove({ key: null, bearer: await tokenOf(privateKey, alg, { role: 'r' }, 'k') })).toMatchObject({ role: 'r' });
    await expect(named.prove({ key: null, bearer: await tokenOf(privateKey, alg, { role: 'r' }, 'other') })).rejects.toMatchObject({ message: 'No suitable key or wrong key type', details: 'No suitable key was found to decode the JWT' });
  });

  it('are proved with a secret, in base64 as well', async () => {
    const bytes = Buffer.from(secret);
    expect(await (await callersWith(secret)).prove({ key: null, bearer: await tokenOf(bytes, 'HS256') })).toMatchObject({ role: 'r' });
    expect(await (await callersWith(bytes.toString('base64'), { jwtSecretIsBase64: true })).prove({ key: null, bearer: await tokenOf(bytes, 'HS256') })).toMatchObject({ role: 'r' });
    await expect(callersWith('short')).rejects.toThrow('The JWT secret must be at least 32 characters long.');
  });

  it.each<[object, object, object]>([
    [{ role: 'r' }, {}, { role: 'r' }],
    [{ aud: ['x', 'mine'], role: 'r' }, { jwtAudience: 'mine' }, { role: 'r' }],
    [{ aud: [], role: 'r' }, { jwtAudience: 'mine' }, { role: 'r' }],
    [{ aud: 'x', role: 'r' }, {}, { role: 'r' }],
    [{ aud: 'x', role: 'r' }, { jwtAudience: 'mine' }, { message: 'JWT not in audience', pgrstCode: 'PGRST303' }],
    [{ aud: 5, role: 'r' }, {}, { message: "The JWT 'aud' claim must be a string or an array of strings", pgrstCode: 'PGRST303' }],
    [{ roles: ['x', 'y'] }, { jwtRoleClaimKey: '$.roles[1]' }, { role: 'y' }],
    [{}, { dbAnonRole: 'guest' }, { role: 'guest' }],
    [{}, {}, { message: 'Anonymous access is disabled', pgrstCode: 'PGRST302', status: 401, headers: { 'www-authenticate': 'Bearer' } }],
  ])('%j with %j is %j', async (claims, settings, outcome) => {
    const callers = await callersWith(secret, settings);
    expect(await callers.prove({ key: 'any', bearer: await tokenOf(Buffer.from(secret), 'HS256', claims) }).catch((error: unknown) => error)).toMatchObject(outcome);
  });

  it('open nothing where there is no key, which is the server’s fault', async () => {
    const callers = await callersWith(null, { dbAnonRole: 'guest' });
    expect(await callers.prove({ key: null, bearer: null })).toMatchObject({ role: 'guest' });
    await expect(callers.prove({ key: null, bearer: await tokenOf(Buffer.from(secret), 'HS256') })).rejects.toMatchObject({ status: 500, pgrstCode: 'PGRST300', message: 'Server lacks JWT secret' });
  });
});
