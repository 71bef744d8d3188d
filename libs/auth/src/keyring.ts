import { createHash } from 'node:crypto';
import type { Settings } from '@mainstay/config';
import { calculateJwkThumbprint, importJWK, type CryptoKey, type JWK } from 'jose';
import { fittingKeys, readOutsideKeys, type OutsideKey } from './outside-keys.ts';
import type { TokenKey } from './token-key.ts';

/** The key that signs new access tokens. */
export interface SigningKey extends TokenKey {
  readonly signing: CryptoKey | Uint8Array;
}

/** An API key of no token's form, as it is known here. */
export interface OpaqueKey {
  readonly role: string;
  /** Unix seconds; infinite for one that stays. */
  readonly endsAtSeconds: number;
}

/** Keys that the database keeps beside those of the settings. */
export interface StoredKeys {
  /** The private half stands in the JWK unless it could not be read; a kid that is revoked is nobody's any more, wherever it stood. */
  readonly signing: readonly { readonly kid: string; readonly state: 'standby' | 'current' | 'previous' | 'revoked'; readonly jwk: JWK | null }[];
  /** By digest, in hex. Null: revoked, wherever it stood. */
  readonly opaque: ReadonlyMap<string, OpaqueKey | null>;
}

export const noStoredKeys: StoredKeys = { signing: [], opaque: new Map() };

const algorithms = ['ES256', 'RS256', 'EdDSA', 'HS256'];

/** The settings that hold keys. */
export type KeySettings = Pick<Settings, 'jwtSecret' | 'jwtKeys' | 'publishableKey' | 'secretKey'> & Partial<Pick<Settings, 'jwtSecretIsBase64'>>;

/** All keys of ours: what signs, what verifies, what is published, and the opaque API keys. */
export class Keyring {
  private readonly byKid: ReadonlyMap<string, TokenKey>;

  private constructor(
    private readonly ownSigning: SigningKey | null,
    /** The shared secret of HS256 tokens, which need no `kid`, or the keys of others that stand in its place. */
    private readonly shared: readonly OutsideKey[],
    named: readonly TokenKey[],
    /** The public halves, as `/.well-known/jwks.json` gives them: a shared secret never stands there. */
    readonly published: { readonly keys: readonly JWK[] },
    /** The keys of the settings, revoked ones left out. */
    readonly own: readonly TokenKey[],
    private readonly opaque: ReadonlyMap<string, OpaqueKey | null>,
  ) {
    this.byKid = new Map(named.map((key) => [key.kid!, key]));
  }

  /** The key that signs. @throws Error where only tokens of others are verified. */
  get signing(): SigningKey {
    if (this.ownSigning === null) throw new Error('JWT_KEYS or JWT_SECRET is needed: without a key no token can be signed.');
    return this.ownSigning;
  }

  /** Reads the keys of the settings. @throws Error with one sentence that names the setting. */
  static async read(settings: KeySettings): Promise<Keyring> {
    const keyring = await Keyring.readAny(settings);
    return keyring.signing && keyring;
  }

  /** As `read`, but a key that signs may be missing, and so may every key. Keys that the database keeps stand before those of the settings. */
  static async readAny(settings: KeySettings, stored: StoredKeys = noStoredKeys): Promise<Keyring> {
    const revoked = new Set(stored.signing.filter(({ state }) => state === 'revoked').map(({ kid }) => kid));
    const jwks = settings.jwtKeys === null ? [] : parseKeySet(settings.jwtKeys);
    const own = (await Promise.all(jwks.map(readKey))).filter(({ kid }) => !revoked.has(kid!));
    const signer = own.find((key): key is SigningKey => isSigning(key));
    const kept = stored.signing.flatMap(({ kid, state, jwk }) => (jwk === null || state === 'revoked' ? [] : [{ state, jwk: { ...jwk, kid } }]));
    const keptKeys = await Promise.all(kept.map(({ jwk }) => readStoredKey(jwk)));
    const shared = settings.jwtSecret === null ? [] : await readOutsideKeys(settings.jwtSecret, settings.jwtSecretIsBase64 ?? false);
    const current = keptKeys.find((key, index): key is SigningKey => kept[index]!.state === 'current' && isSigning(key));
    const halves = await Promise.all([...kept.map(({ jwk }) => jwk), ...jwks].filter(({ kty }) => kty !== 'oct').map(publicHalf));
    return new Keyring(current ?? signer ?? signingSecret(shared), shared, [...own, ...keptKeys], { keys: halves.filter(({ kid }) => !revoked.has(kid!)) }, own, opaqueKeys(settings, stored.opaque));
  }

  /**
   * The keys that may have signed a token with this header. The algorithm belongs to the key: a header that asks for another
   * is not served, so a public key can never be taken for a shared secret. A `kid` is looked up among these and nowhere else.
   */
  keysFor(header: { readonly alg?: unknown; readonly kid?: unknown }): readonly TokenKey[] {
    const own = typeof header.kid === 'string' ? this.byKid.get(header.kid) : undefined;
    return own !== undefined ? (own.alg === header.alg ? [own] : []) : fittingKeys(this.shared, header);
  }

  /** Whether there is any key that a token could be verified with. */
  get canVerify(): boolean {
    return this.byKid.size > 0 || this.shared.length > 0;
  }

  /** Whether there are opaque keys that a request could show. */
  get hasOpaqueKeys(): boolean {
    return this.opaque.size > 0;
  }

  /** An opaque API key, or null. It is looked up by its digest, so that comparing letters tells nothing. */
  findOpaqueKey(key: string): OpaqueKey | null {
    return this.opaque.get(digestOfKey(key)) ?? null;
  }
}

/** A shared secret signs as well where there is no better key; keys of others cannot. */
function signingSecret([only, ...others]: readonly OutsideKey[]): SigningKey | null {
  const secret = only?.byAlgorithm.get('HS256');
  return others.length > 0 || only?.kid !== null || secret === undefined ? null : { ...secret, signing: secret.verifying };
}

/** True for the style of key that no token has: it is looked up, never decoded. */
export function isOpaqueKey(text: string): boolean {
  return text.startsWith('sb_publishable_') || text.startsWith('sb_secret_');
}

function opaqueKeys(settings: KeySettings, stored: ReadonlyMap<string, OpaqueKey | null>): ReadonlyMap<string, OpaqueKey | null> {
  const pairs = [
    [settings.publishableKey, 'anon'],
    [settings.secretKey, 'service_role'],
  ] as const;
  const own = pairs.flatMap(([key, role]) => (key === null ? [] : [[digestOfKey(key), { role, endsAtSeconds: Infinity }] as const]));
  // What was revoked in the database holds for keys of the settings too.
  return new Map<string, OpaqueKey | null>([...own, ...stored]);
}

/** By what an opaque key is known. */
export function digestOfKey(key: string): string {
  return createHash('sha256').update(key).digest('hex');
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

/** A key that is said to verify only, as GoTrue's setting has it after a rotation, does not sign and needs no private part. */
async function readKey(jwk: JWK, index: number): Promise<TokenKey | SigningKey> {
  const place = `JWT_KEYS is not right: key ${index + 1}`;
  const alg = jwk.alg ?? defaultAlgorithm(jwk);
  if (alg === undefined || !algorithms.includes(alg)) throw new Error(`${place} has the algorithm "${String(jwk.alg)}", it must be one of ${algorithms.join(', ')}.`);
  const isPublic = jwk.d === undefined && jwk.k === undefined;
  if (isPublic && maySign(jwk)) throw new Error(`${place} has no private part, so it cannot sign.`);
  try {
    const kid = jwk.kid ?? (await calculateJwkThumbprint(jwk));
    const key = await importJWK(withoutUse(jwk), alg);
    const verifying = jwk.kty === 'oct' || isPublic ? key : await importJWK(await publicHalf(jwk), alg);
    return { kid, alg, verifying, ...(maySign(jwk) ? { signing: key } : {}) };
  } catch (cause) {
    throw new Error(`${place} cannot be read: ${(cause as Error).message}.`, { cause });
  }
}

/** A key that the database keeps: we wrote it, so it is as it should be; without its private half it still verifies. */
async function readStoredKey(jwk: JWK): Promise<TokenKey | SigningKey> {
  const alg = jwk.alg!;
  const key = await importJWK(withoutUse(jwk), alg);
  const verifying = jwk.kty === 'oct' ? key : await importJWK(await publicHalf(jwk), alg);
  return { kid: jwk.kid!, alg, verifying, ...(jwk.d === undefined && jwk.k === undefined ? {} : { signing: key }) };
}

/** `key_ops` of a set say which of its keys signs; where they say nothing, any may. */
function maySign({ key_ops: operations }: JWK): boolean {
  return !Array.isArray(operations) || operations.includes('sign');
}

function isSigning(key: TokenKey | SigningKey): key is SigningKey {
  return 'signing' in key;
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
