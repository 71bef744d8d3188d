import { createHash, randomBytes } from 'node:crypto';
import { settings } from '@mainstay/config';
import { SignJWT, calculateJwkThumbprint, exportJWK, generateKeyPair, jwtVerify, type JWK } from 'jose';

const tenYearsInSeconds = 10 * 365.25 * 24 * 3600;

type Given = Readonly<Record<string, string | undefined>>;

/**
 * Makes every secret that a first start needs, by the names of the settings. What is given (under any of a setting's
 * names) is kept, and the rest follows from it: the JWT style API keys are signed with the JWT_SECRET that was given.
 */
export async function makeSecrets(given: Given): Promise<Record<string, string>> {
  const jwtSecret = givenOr(given, settings.jwtSecret, () => randomText(48));
  return {
    [settings.secret.name]: givenOr(given, settings.secret, () => randomText(32)),
    [settings.postgresPassword.name]: givenOr(given, settings.postgresPassword, () => randomText(24)),
    [settings.jwtSecret.name]: jwtSecret,
    [settings.jwtKeys.name]: givenValue(given, settings.jwtKeys) ?? JSON.stringify({ keys: [await makeSigningKey(algorithmOf(given))] }),
    [settings.anonKey.name]: await apiKey(given, settings.anonKey, 'anon', jwtSecret),
    [settings.serviceRoleKey.name]: await apiKey(given, settings.serviceRoleKey, 'service_role', jwtSecret),
    [settings.publishableKey.name]: givenOr(given, settings.publishableKey, () => makeOpaqueKey('sb_publishable_')),
    [settings.secretKey.name]: givenOr(given, settings.secretKey, () => makeOpaqueKey('sb_secret_')),
  };
}

/** With what access tokens may be signed. */
export type SigningAlgorithm = 'ES256' | 'RS256' | 'HS256';

/** A new key that signs; its `kid` is the key's own thumbprint (RFC 7638), so it can never name another. A shared secret has one at random, for a thumbprint would be a digest of it. */
export async function makeSigningKey(alg: SigningAlgorithm): Promise<JWK & { readonly kid: string; readonly alg: SigningAlgorithm }> {
  if (alg === 'HS256') return { kty: 'oct', k: randomText(32), kid: randomText(16), alg, use: 'sig' };
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = await exportJWK(privateKey);
  return { ...jwk, kid: await calculateJwkThumbprint(jwk), alg, use: 'sig' };
}

function algorithmOf(given: Given): SigningAlgorithm {
  const { name, read, default: otherwise } = settings.jwtAlgorithm;
  const value = given[name];
  return value === undefined || value === '' ? otherwise : read(value);
}

async function apiKey(given: Given, row: SecretRow, role: string, jwtSecret: string): Promise<string> {
  const value = givenValue(given, row);
  if (value === undefined) return signApiKey(role, jwtSecret);
  await refuseForeignKey(row.name, value, role, jwtSecret);
  return value;
}

/** The JWT style of API key, as Supabase issues it. */
async function signApiKey(role: string, jwtSecret: string): Promise<string> {
  const issuedAt = Math.floor(Date.now() / 1000);
  return new SignJWT({ role })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuer('supabase')
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + tenYearsInSeconds)
    .sign(Buffer.from(jwtSecret));
}

/** A key that JWT_SECRET did not sign would be refused at every request: say so at the start instead. */
async function refuseForeignKey(name: string, key: string, role: string, jwtSecret: string): Promise<void> {
  const signed = await jwtVerify(key, Buffer.from(jwtSecret), { algorithms: ['HS256'] }).catch((cause: unknown) => {
    throw new Error(`${name} is not right: ${settings.jwtSecret.name} did not sign it, or it has expired. Leave ${name} out and it is made anew.`, { cause });
  });
  if (signed.payload['role'] !== role) throw new Error(`${name} is not right: its role is "${String(signed.payload['role'])}", it must be "${role}".`);
}

/** The opaque style: 128 random bits and a check sum, so that a scanner for leaked keys knows a real one from a typo. */
export function makeOpaqueKey(prefix: 'sb_publishable_' | 'sb_secret_'): string {
  const body = prefix + randomText(16);
  return `${body}_${createHash('sha256').update(body).digest('base64url').slice(0, 8)}`;
}

function randomText(byteCount: number): string {
  return randomBytes(byteCount).toString('base64url');
}

interface SecretRow {
  readonly name: string;
  readonly synonyms: readonly string[];
}

function givenValue(given: Given, row: SecretRow): string | undefined {
  return [row.name, ...row.synonyms].map((name) => given[name]).find((value) => value !== undefined && value !== '');
}

function givenOr(given: Given, row: SecretRow, make: () => string): string {
  return givenValue(given, row) ?? make();
}
