import { hash } from 'node:crypto';
import { standsInForPostgrest, type Settings } from '@mainstay/config';
import { makeCaller, type Caller, type Claims } from '@mainstay/domain';
import { LRUCache } from 'lru-cache';
import { CallerFault } from './caller-fault.ts';
import { parseClaimPath, type ClaimPath } from './claim-path.ts';
import { isOpaqueKey, Keyring, type KeySettings } from './keyring.ts';
import { isOfUser, leewaySeconds, verifyToken, type VerifyTerms } from './verify-token.ts';

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

/** What decides who a token's bearer is. */
type CallerSettings = Pick<Settings, 'dbAnonRole' | 'jwtAudience'> & Partial<Pick<Settings, 'jwtRoleClaimKey' | 'jwtCacheMaxEntries' | 'databaseUrl' | 'dbUri'>>;

/** All that a reload may replace; replaced together, so that no token is proved by half of a change. */
interface Terms {
  readonly keyring: Keyring;
  /** Null where guests are not let in. */
  readonly guest: Caller | null;
  readonly roleOf: ClaimPath;
  readonly isForUs: VerifyTerms['isForUs'];
  /** Tokens of others: they may have no end, and no API key comes with them. */
  readonly isOutside: boolean;
  /** Keyed by digest, so that looking a secret up does not compare it letter by letter. Null remembers nothing. */
  readonly proofs: LRUCache<string, Proof> | null;
}

/** Where keys come from: the settings alone, unless a database keeps some as well. */
export interface KeySource {
  read(settings: KeySettings): Promise<Keyring>;
  /** Looks whether there are keys that are not yet known here; true if there were. Asked when a proof fits no key. */
  lookAgain(): Promise<boolean>;
}

const settingsAlone: KeySource = { read: (settings) => Keyring.readAny(settings), lookAgain: async () => false };

/** Proves who asks, and remembers it: the same token is verified once, not once per request. */
export class Callers {
  private terms: Terms;

  constructor(
    keyring: Keyring,
    settings: CallerSettings,
    private readonly nowSeconds: () => number = () => Date.now() / 1000,
    private readonly keys: KeySource = settingsAlone,
  ) {
    this.terms = termsOf(keyring, settings);
  }

  /** Takes over other keys and rules; what was proved by the old ones is forgotten. @throws Error that names the setting; the old ones then hold. */
  async adopt(settings: KeySettings & CallerSettings): Promise<void> {
    this.terms = termsOf(await this.keys.read(settings), settings);
  }

  /** Takes over other keys; what was proved by the old ones is forgotten. */
  takeKeys(keyring: Keyring): void {
    const { proofs } = this.terms;
    this.terms = { ...this.terms, keyring, proofs: proofs === null ? null : new LRUCache({ max: proofs.max }) };
  }

  /** The caller, if everything that they brought was proved before and still holds. */
  remembered(credentials: Credentials): Caller | null {
    const { key, bearer } = this.heard(credentials);
    if (key === null && bearer === null) return this.terms.guest;
    const byKey = key === null || key === bearer ? null : this.known(key);
    if (bearer === null) return byKey;
    return key !== null && key !== bearer && byKey === null ? null : this.known(bearer);
  }

  /**
   * Who asks: a user's token decides over the key that came with it, and the key must hold all the same.
   * Nothing at all is a guest.
   * @throws CallerFault when anything that was brought does not hold, or guests are not let in.
   */
  async prove(credentials: Credentials): Promise<Caller> {
    const { key, bearer } = this.heard(credentials);
    const byKey = key === null ? null : await this.proveKey(key);
    if (bearer === null) return byKey ?? this.guest();
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

  /** Where Mainstay stands in for PostgREST nobody gave out API keys, and clients that send one all the same are served. */
  private heard(credentials: Credentials): Credentials {
    return this.terms.isOutside ? { key: null, bearer: credentials.bearer } : credentials;
  }

  private guest(): Caller {
    if (this.terms.guest === null) throw new CallerFault('guest', 'Anonymous access is disabled');
    return this.terms.guest;
  }

  private async proveOne(text: string): Promise<Caller> {
    const known = this.known(text);
    if (known !== null) return known;
    try {
      return await this.proveNew(text);
    } catch (error) {
      // Another process may have made the key a moment ago.
      if (!(error instanceof CallerFault) || error.reason !== 'unreadable' || !(await this.keys.lookAgain())) throw error;
      return this.proveNew(text);
    }
  }

  private async proveNew(text: string): Promise<Caller> {
    const { terms } = this;
    const isOpaque = isOpaqueKey(text) && (terms.keyring.hasOpaqueKeys || !terms.isOutside);
    const proof = isOpaque ? proofOfOpaqueKey(text, terms, this.nowSeconds()) : await this.proofOfToken(text, terms);
    terms.proofs?.set(digestOf(text), proof);
    return proof.caller;
  }

  private async proofOfToken(text: string, { keyring, isForUs, isOutside, roleOf }: Terms): Promise<Proof> {
    if (!keyring.canVerify) throw new CallerFault('keyless', 'Server lacks JWT secret');
    const claims = await verifyToken(text, keyring, { isForUs, nowSeconds: this.nowSeconds(), mayLastForEver: isOutside });
    const kind = isOfUser(claims) ? 'user' : 'key';
    const role = textOf(roleOf(claims)) ?? this.guest().role;
    return { caller: makeCaller(kind, { ...claims, role }), validUntilSeconds: expiryOf(claims) + leewaySeconds };
  }

  private known(text: string): Caller | null {
    const proof = this.terms.proofs?.get(digestOf(text));
    return proof !== undefined && proof.validUntilSeconds > this.nowSeconds() ? proof.caller : null;
  }
}

function termsOf(keyring: Keyring, settings: CallerSettings): Terms {
  const mostProofs = settings.jwtCacheMaxEntries ?? remembered;
  return {
    keyring,
    guest: settings.dbAnonRole === '' ? null : makeCaller('anonymous', {}, settings.dbAnonRole),
    roleOf: parseClaimPath(settings.jwtRoleClaimKey ?? '$.role'),
    isForUs: audienceRule(settings),
    isOutside: standsInForPostgrest(settings),
    proofs: mostProofs === 0 ? null : new LRUCache({ max: mostProofs }),
  };
}

/** PostgREST takes its setting for a regular expression; ours is also written into tokens, and so is one name. @throws Error that names the setting. */
function audienceRule(settings: CallerSettings): VerifyTerms['isForUs'] {
  const { jwtAudience: rule } = settings;
  if (rule === '') return null;
  if (!standsInForPostgrest(settings)) return (audience) => audience === rule;
  try {
    const whole = new RegExp(`^(?:${rule})$`, 'u');
    return (audience) => whole.test(audience);
  } catch (cause) {
    throw new Error('PGRST_JWT_AUD is not right: it must be a regular expression.', { cause });
  }
}

function proofOfOpaqueKey(text: string, { keyring }: Terms, nowSeconds: number): Proof {
  const key = keyring.findOpaqueKey(text);
  if (key === null || key.endsAtSeconds <= nowSeconds) throw new CallerFault('unreadable', 'Invalid API key');
  return { caller: makeCaller('key', { role: key.role }), validUntilSeconds: key.endsAtSeconds };
}

/** A role is a text; PostgREST takes any other value by its JSON. */
function textOf(value: unknown): string | null {
  if (value === undefined || value === null || value === '') return null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function expiryOf(claims: Claims): number {
  return typeof claims['exp'] === 'number' ? claims['exp'] : Infinity;
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
