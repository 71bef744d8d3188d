import { hash } from 'node:crypto';
import type { Settings } from '@mainstay/config';
import { makeCaller, type Caller, type Claims } from '@mainstay/domain';
import { LRUCache } from 'lru-cache';
import { CallerFault } from './caller-fault.ts';
import { isOpaqueKey, type Keyring } from './keyring.ts';
import { leewaySeconds, verifyToken } from './verify-token.ts';

/** What a request brought to show who asks. Null: not there at all; an empty bearer is something else, and refused. */
export interface Credentials {
  /** The `apikey` header, or `?apikey=`. */
  readonly key: string | null;
  /** What follows `Bearer` in the `Authorization` header. */
  readonly bearer: string | null;
}

/** How many proofs are remembered, of callers who are now with us; about 1 kB each. */
const remembered = 10_000;

interface Proof {
  readonly caller: Caller;
  readonly validUntilSeconds: number;
}

/** Proves who asks, and remembers it: the same token is verified once, not once per request. */
export class Callers {
  /** Keyed by digest, so that looking a secret up does not compare it letter by letter. */
  private readonly proofs = new LRUCache<string, Proof>({ max: remembered });
  private readonly guest: Caller;

  constructor(
    private readonly keyring: Keyring,
    private readonly settings: Pick<Settings, 'dbAnonRole' | 'jwtAudience'>,
    private readonly nowSeconds: () => number = () => Date.now() / 1000,
  ) {
    this.guest = makeCaller('anonymous', {}, settings.dbAnonRole);
  }

  /** The caller, if everything that they brought was proved before and still holds. */
  remembered(credentials: Credentials): Caller | null {
    const { key, bearer } = credentials;
    if (key === null && bearer === null) return this.guest;
    const byKey = key === null || key === bearer ? null : this.known(key);
    if (bearer === null) return byKey;
    return key !== null && key !== bearer && byKey === null ? null : this.known(bearer);
  }

  /**
   * Who asks: a user's token decides over the key that came with it, and the key must hold all the same.
   * Nothing at all is a guest.
   * @throws CallerFault when anything that was brought does not hold.
   */
  async prove(credentials: Credentials): Promise<Caller> {
    const { key, bearer } = credentials;
    const byKey = key === null ? null : await this.proveKey(key);
    if (bearer === null) return byKey ?? this.guest;
    if (bearer === '') throw new CallerFault('empty', 'Empty JWT is sent in Authorization header');
    return bearer === key ? byKey! : this.proveOne(bearer);
  }

  /** The caller of an API key. @throws CallerFault with the reason `key`. */
  async proveKey(key: string): Promise<Caller> {
    try {
      return await this.proveOne(key);
    } catch (cause) {
      if (!(cause instanceof CallerFault)) throw cause;
      throw new CallerFault('key', key === '' ? 'No API key found in request' : 'Invalid API key', { cause });
    }
  }

  private async proveOne(text: string): Promise<Caller> {
    const known = this.known(text);
    if (known !== null) return known;
    const proof = isOpaqueKey(text) ? this.proofOfOpaqueKey(text) : await this.proofOfToken(text);
    this.proofs.set(digestOf(text), proof);
    return proof.caller;
  }

  private proofOfOpaqueKey(text: string): Proof {
    const role = this.keyring.roleOfOpaqueKey(text);
    if (role === null) throw new CallerFault('unreadable', 'Invalid API key');
    return { caller: makeCaller('key', { role }, this.settings.dbAnonRole), validUntilSeconds: Infinity };
  }

  private async proofOfToken(text: string): Promise<Proof> {
    const claims = await verifyToken(text, this.keyring, { audience: this.settings.jwtAudience, nowSeconds: this.nowSeconds() });
    const kind = typeof claims['sub'] === 'string' && claims['sub'] !== '' ? 'user' : 'key';
    return { caller: makeCaller(kind, claims, this.settings.dbAnonRole), validUntilSeconds: expiryOf(claims) + leewaySeconds };
  }

  private known(text: string): Caller | null {
    const proof = this.proofs.get(digestOf(text));
    return proof !== undefined && proof.validUntilSeconds > this.nowSeconds() ? proof.caller : null;
  }
}

function expiryOf(claims: Claims): number {
  return claims['exp'] as number;
}

function digestOf(text: string): string {
  return hash('sha256', text, 'base64');
}

/** Reads the credentials of a request. A scheme other than Bearer, such as a proxy's Basic, is not for us and counts as nothing. */
export function credentialsOf(headers: Readonly<Record<string, string | string[] | undefined>>, queryKey?: unknown): Credentials {
  const key = headers['apikey'] ?? queryKey;
  const bearer = /^bearer(?:\s+(.*))?$/is.exec(String(headers['authorization'] ?? ''));
  return { key: typeof key === 'string' ? key.trim() : null, bearer: bearer === null ? null : (bearer[1] ?? '').trim() };
}
