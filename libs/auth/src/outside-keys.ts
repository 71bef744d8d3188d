import { importJWK, type JWK } from 'jose';
import type { TokenKey } from './token-key.ts';

/** A key that verifies tokens of others: it may have no `kid` and leave the algorithm open among those of its type. */
export interface OutsideKey {
  readonly kid: string | null;
  /** The algorithms that it may verify, each with the key in the form that it needs. */
  readonly byAlgorithm: ReadonlyMap<string, TokenKey>;
}

/**
 * Reads what PostgREST takes as its secret: a text, a JWK or a JWK set, all of it perhaps in base64.
 * @throws Error with one sentence, never with the secret.
 */
export async function readOutsideKeys(secret: string, isBase64: boolean): Promise<readonly OutsideKey[]> {
  const bytes = isBase64 ? decodeBase64(secret) : Buffer.from(secret);
  const set = keySetOf(bytes);
  if (set !== null) return Promise.all(set.map(readKey));
  if (bytes.length < 32) throw new Error('The JWT secret must be at least 32 characters long.');
  return [{ kid: null, byAlgorithm: new Map([['HS256', { kid: null, alg: 'HS256', verifying: bytes }]]) }];
}

/** The keys that may have signed a token with this header: a `kid` in it must be the key's, and the algorithm one of the key's. */
export function fittingKeys(keys: readonly OutsideKey[], header: { readonly alg?: unknown; readonly kid?: unknown }): TokenKey[] {
  return keys.flatMap(({ kid, byAlgorithm }) => {
    const key = header.kid === undefined || header.kid === kid ? byAlgorithm.get(String(header.alg)) : undefined;
    return key === undefined ? [] : [key];
  });
}

/** The URL-safe letters count as well, and `.` for padding. */
function decodeBase64(text: string): Buffer {
  const plain = text.trim().replaceAll('-', '+').replaceAll('_', '/').replaceAll('.', '=');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(plain) || plain.length % 4 !== 0) throw new Error('PGRST_JWT_SECRET is not right: it must be base64, as PGRST_JWT_SECRET_IS_BASE64 says.');
  return Buffer.from(plain, 'base64');
}

function keySetOf(bytes: Buffer): JWK[] | null {
  try {
    const value = JSON.parse(bytes.toString('utf8')) as { keys?: unknown; kty?: unknown } | null;
    if (Array.isArray(value?.keys)) return value.keys as JWK[];
    return typeof value?.kty === 'string' ? [value as JWK] : null;
  } catch {
    // Not JSON: then it is the secret itself.
    return null;
  }
}

async function readKey(jwk: JWK, index: number): Promise<OutsideKey> {
  const algorithms = jwk.alg === undefined ? algorithmsOf(jwk) : algorithmsOf(jwk).filter((alg) => alg === jwk.alg);
  try {
    const keys = await Promise.all(algorithms.map(async (alg) => [alg, { kid: jwk.kid ?? null, alg, verifying: await importJWK(publicPart(jwk), alg) }] as const));
    return { kid: jwk.kid ?? null, byAlgorithm: new Map(keys) };
  } catch (cause) {
    throw new Error(`PGRST_JWT_SECRET is not right: key ${index + 1} of its set cannot be read.`, { cause });
  }
}

/** What a key of this type can verify; a key of another type, or for encryption, verifies nothing. */
function algorithmsOf({ kty, crv, use }: JWK): readonly string[] {
  if (use !== undefined && use !== 'sig') return [];
  if (kty === 'oct') return ['HS256', 'HS384', 'HS512'];
  if (kty === 'RSA') return ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
  if (kty === 'EC') return { 'P-256': ['ES256'], 'P-384': ['ES384'], 'P-521': ['ES512'] }[crv ?? ''] ?? [];
  return kty === 'OKP' && crv === 'Ed25519' ? ['EdDSA'] : [];
}

/** Verifying needs no private part, and `key_ops` of a signing key would forbid it. */
function publicPart({ kty, crv, x, y, n, e, k }: JWK): JWK {
  return Object.fromEntries(Object.entries({ kty, crv, x, y, n, e, k }).filter(([, value]) => value !== undefined)) as JWK;
}
