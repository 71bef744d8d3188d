import type { Claims } from '@mainstay/domain';
import { compactVerify, decodeProtectedHeader, type ProtectedHeaderParameters } from 'jose';
import { CallerFault } from './caller-fault.ts';
import type { Keyring } from './keyring.ts';
import type { TokenKey } from './token-key.ts';

/** Clocks of two machines may differ by this much. */
export const leewaySeconds = 30;

/** Header fields by which a token brings or names its own key, or changes what its signature means: never followed, always refused. */
const forbiddenHeaders = ['jku', 'jwk', 'x5u', 'x5c', 'crit', 'b64', 'zip'];

const texts = {
  algorithm: 'Wrong or unsupported encoding algorithm',
  crypto: 'JWT cryptographic operation failed',
  expired: 'JWT expired',
  future: 'JWT issued at future',
  key: 'No suitable key or wrong key type',
  audience: 'JWT not in audience',
  audienceType: "The JWT 'aud' claim must be a string or an array of strings",
  notYet: 'JWT not yet valid',
  claims: 'Parsing claims failed',
};

export interface VerifyTerms {
  /** Whether a token for this audience is for us; null lets every audience in. A token may have none. */
  readonly isForUs: ((audience: string) => boolean) | null;
  /** Those of somebody else's users may last for ever. A token of ours that names a user must end; one that names a role alone is a key. */
  readonly mayLastForEver?: boolean;
  readonly nowSeconds: number;
}

/**
 * Verifies a JWT of ours and gives its claims. The key is chosen first, from our own; then the signature; then the claims.
 * @throws CallerFault: `unreadable` until the signature is known to be right, `claims` after that.
 */
export async function verifyToken(token: string, keyring: Keyring, terms: VerifyTerms): Promise<Claims> {
  const header = readHeader(token);
  const claims = parseClaims(await verifiedPayload(token, chooseKeys(header, keyring)));
  checkTimes(claims, terms);
  checkAudience(claims, terms.isForUs);
  return claims;
}

function readHeader(token: string): ProtectedHeaderParameters {
  const parts = token.split('.').length;
  if (parts !== 3) throw new CallerFault('unreadable', `Expected 3 parts in JWT; got ${parts}`);
  try {
    return decodeProtectedHeader(token);
  } catch (cause) {
    throw new CallerFault('unreadable', texts.crypto, { cause });
  }
}

function chooseKeys(header: ProtectedHeaderParameters, keyring: Keyring): readonly TokenKey[] {
  if (header.alg === 'none') throw new CallerFault('unreadable', texts.algorithm, { details: "JWT is unsecured but expected 'alg' was not 'none'" });
  if (forbiddenHeaders.some((name) => name in header)) throw new CallerFault('unreadable', texts.algorithm);
  const keys = keyring.keysFor(header);
  if (keys.length === 0) throw new CallerFault('unreadable', texts.key, { details: 'No suitable key was found to decode the JWT' });
  return keys;
}

/** The payload, if one of the keys signed it. */
async function verifiedPayload(token: string, keys: readonly TokenKey[]): Promise<Uint8Array> {
  let cause: unknown;
  for (const key of keys) {
    try {
      return (await compactVerify(token, key.verifying, { algorithms: [key.alg] })).payload;
    } catch (error) {
      cause = error;
    }
  }
  throw new CallerFault('unreadable', texts.key, { details: 'None of the keys was able to decode the JWT', cause });
}

function parseClaims(payload: Uint8Array): Claims {
  let claims: unknown;
  try {
    claims = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch (cause) {
    throw new CallerFault('claims', texts.claims, { cause });
  }
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) throw new CallerFault('claims', texts.claims);
  return claims as Claims;
}

function checkTimes(claims: Claims, { nowSeconds, mayLastForEver = false }: VerifyTerms): void {
  const exp = timeOf(claims, 'exp');
  if (exp === null && !mayLastForEver && isOfUser(claims) && !isOfAdministration(claims)) throw new CallerFault('claims', "The JWT 'exp' claim is missing");
  if (exp !== null && exp + leewaySeconds <= nowSeconds) throw new CallerFault('claims', texts.expired);
  if ((timeOf(claims, 'nbf') ?? 0) - leewaySeconds > nowSeconds) throw new CallerFault('claims', texts.notYet);
  if ((timeOf(claims, 'iat') ?? 0) - leewaySeconds > nowSeconds) throw new CallerFault('claims', texts.future);
}

/** Whether a token names somebody: it speaks for a user then, and else for its role alone, as an API key does. */
export function isOfUser({ sub }: Claims): boolean {
  return typeof sub === 'string' && sub !== '';
}

/** Self-hosted projects sign keys of these roles by hand, some of them with a name and none with an end. */
function isOfAdministration({ role }: Claims): boolean {
  return role === 'service_role' || role === 'supabase_admin';
}

function timeOf(claims: Claims, name: string): number | null {
  const value = claims[name];
  if (value === undefined || value === null) return null;
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new CallerFault('claims', `The JWT '${name}' claim must be a number`);
  return value;
}

/** API keys have no audience. A token that we sign for another purpose has another one, and must not open anything here. */
function checkAudience(claims: Claims, isForUs: VerifyTerms['isForUs']): void {
  const given = claims['aud'];
  if (given === undefined || given === null || given === '') return;
  const audiences: unknown[] = Array.isArray(given) ? given : [given];
  if (!audiences.every((audience) => typeof audience === 'string')) throw new CallerFault('claims', texts.audienceType);
  if (isForUs !== null && audiences.length > 0 && !audiences.some(isForUs)) throw new CallerFault('claims', texts.audience);
}
