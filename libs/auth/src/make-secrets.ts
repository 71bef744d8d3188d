import { createHash, randomBytes } from 'node:crypto';
import { settings } from '@mainstay/config';
import { SignJWT, calculateJwkThumbprint, exportJWK, generateKeyPair, jwtVerify } from 'jose';

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
    [settings.jwtKeys.name]: givenValue(given, settings.jwtKeys) ?? (await makeSigningKeys()),
    [settings.anonKey.name]: await apiKey(given, settings.anonKey, 'anon', jwtSecret),
    [settings.serviceRoleKey.name]: await apiKey(given, settings.serviceRoleKey, 'service_role', jwtSecret),
    [settings.publishableKey.name]: givenOr(given, settings.publishableKey, () => makeOpaqueKey('sb_publishable_')),
    [settings.secretKey.name]: givenOr(given, settings.secretKey, () => makeOpaqueKey('sb_secret_')),
  };
}

/** A JWK set with one new ES256 key pair; its `kid` is the key's own thumbprint (RFC 7638), so it can never name another. */
async function makeSigningKeys(): Promise<string> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = await exportJWK(privateKey);
  const kid = await calculateJwkThumbprint(jwk);
  return JSON.stringify({ keys: [{ ...jwk, kid, alg: 'ES256', use: 'sig' }] });
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
function makeOpaqueKey(prefix: string): string {
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
