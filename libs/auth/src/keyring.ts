import { createHash, timingSafeEqual } from 'node:crypto';
import type { Settings } from '@mainstay/config';
import { calculateJwkThumbprint, importJWK, type CryptoKey, type JWK } from 'jose';

/** A key of ours: it is used with its own algorithm and with no other. */
export interface TokenKey {
  readonly kid: string | null;
  readonly alg: string;
  readonly verifying: CryptoKey | Uint8Array;
}

/** The key that signs new access tokens. */
export interface SigningKey extends TokenKey {
  readonly signing: CryptoKey | Uint8Array;
}

const algorithms = ['ES256', 'RS256', 'EdDSA', 'HS256'];

/** The settings that hold keys. */
export type KeySettings = Pick<Settings, 'jwtSecret' | 'jwtKeys' | 'publishableKey' | 'secretKey'>;

/** All keys of ours: what signs, what verifies, what is published, and the opaque API keys. */
export class Keyring {
  private readonly byKid: ReadonlyMap<string, TokenKey>;

  private constructor(
    readonly signing: SigningKey,
    /** The shared secret of HS256 tokens; they need no `kid`. */
    private readonly shared: TokenKey | null,
    named: readonly SigningKey[],
    /** The public halves, as `/.well-known/jwks.json` gives them: a shared secret never stands there. */
    readonly published: { readonly keys: readonly JWK[] },
    private readonly opaque: readonly { readonly digest: Buffer; readonly role: string }[],
  ) {
    this.byKid = new Map(named.map((key) => [key.kid!, key]));
  }

  /** Reads the keys of the settings. @throws Error with one sentence that names the setting. */
  static async read(settings: KeySettings): Promise<Keyring> {
    const jwks = settings.jwtKeys === null ? [] : parseKeySet(settings.jwtKeys);
    const named = await Promise.all(jwks.map(readKey));
    const secret = settings.jwtSecret === null ? null : Buffer.from(settings.jwtSecret);
    const shared = secret === null ? null : { kid: null, alg: 'HS256', verifying: secret, signing: secret };
    const signing = named[0] ?? shared;
    if (signing === null) throw new Error('JWT_KEYS or JWT_SECRET is needed: without a key no token can be signed.');
    return new Keyring(signing, shared, named, { keys: await Promise.all(jwks.filter((jwk) => jwk.kty !== 'oct').map(publicHalf)) }, opaqueKeys(settings));
  }

  /**
   * The key for a token's header, or null. The algorithm belongs to the key: a header that asks for another is not served,
   * so a public key can never be taken for a shared secret. A `kid` is looked up among ours and nowhere else.
   */
  keyFor(header: { readonly alg?: unknown; readonly kid?: unknown }): TokenKey | null {
    const key = header.kid === undefined ? this.shared : typeof header.kid === 'string' ? this.byKid.get(header.kid) : undefined;
    return key !== undefined && key !== null && key.alg === header.alg ? key : null;
  }

  /** The role of an opaque API key, or null. Every key is compared, by digest and in constant time. */
  roleOfOpaqueKey(key: string): string | null {
    const digest = sha256(key);
    return this.opaque.reduce<string | null>((found, candidate) => (timingSafeEqual(candidate.digest, digest) ? candidate.role : found), null);
  }
}

/** True for the style of key that no token has: it is looked up, never decoded. */
export function isOpaqueKey(text: string): boolean {
  return text.startsWith('sb_publishable_') || text.startsWith('sb_secret_');
}

function opaqueKeys(settings: KeySettings): { digest: Buffer; role: string }[] {
  const pairs = [
    [settings.publishableKey, 'anon'],
    [settings.secretKey, 'service_role'],
  ] as const;
  return pairs.flatMap(([key, role]) => (key === null ? [] : [{ digest: sha256(key), role }]));
}

/** A JWK set, or the bare array of keys that GoTrue's and the Supabase CLI's setting holds. */
function parseKeySet(text: string): JWK[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Error('JWT_KEYS is not right: it must be a JWK set in JSON, {"keys":[…]}.', { cause });
  }
  const keys = Array.isArray(value) ? value : (value as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(keys) || keys.length === 0) throw new Error('JWT_KEYS is not right: it must be a JWK set with at least one key, {"keys":[…]}.');
  return keys as JWK[];
}

async function readKey(jwk: JWK, index: number): Promise<SigningKey> {
  const place = `JWT_KEYS is not right: key ${index + 1}`;
  const alg = jwk.alg ?? defaultAlgorithm(jwk);
  if (alg === undefined || !algorithms.includes(alg)) throw new Error(`${place} has the algorithm "${String(jwk.alg)}", it must be one of ${algorithms.join(', ')}.`);
  if (jwk.d === undefined && jwk.k === undefined) throw new Error(`${place} has no private part, so it cannot sign.`);
  try {
    const kid = jwk.kid ?? (await calculateJwkThumbprint(jwk));
    const signing = await importJWK(withoutUse(jwk), alg);
    return { kid, alg, signing, verifying: jwk.kty === 'oct' ? signing : await importJWK(await publicHalf(jwk), alg) };
  } catch (cause) {
    throw new Error(`${place} cannot be read: ${(cause as Error).message}.`, { cause });
  }
}

function defaultAlgorithm(jwk: JWK): string | undefined {
  const byType: Record<string, string | undefined> = { EC: 'ES256', RSA: 'RS256', OKP: 'EdDSA', oct: 'HS256' };
  return byType[jwk.kty ?? ''];
}

/** `use` and `key_ops` narrow what WebCrypto does with a key; here one key signs and its public half verifies. */
function withoutUse(jwk: JWK): JWK {
  const { use: _use, key_ops: _ops, ...rest } = jwk;
  return rest;
}

/** Named field by field, so that no private part can slip through. */
async function publicHalf(jwk: JWK): Promise<JWK> {
  const { kty, crv, x, y, n, e } = jwk;
  const half = Object.fromEntries(Object.entries({ kty, crv, x, y, n, e }).filter(([, value]) => value !== undefined)) as JWK;
  return { ...half, kid: jwk.kid ?? (await calculateJwkThumbprint(jwk)), alg: jwk.alg ?? defaultAlgorithm(jwk), use: 'sig', key_ops: ['verify'] };
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
