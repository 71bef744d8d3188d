import { createHash, createHmac, hkdfSync, randomInt, timingSafeEqual } from 'node:crypto';
import type { Settings } from '@mainstay/config';
import { findToken, keepToken, listTokensTo, spendToken, type OneTimeToken, type OpenAccounts, type TokenType, type User } from '@mainstay/persistence';

/** A code with the longer text of a link: either lets its holder in, once. */
export interface IssuedToken {
  readonly code: string;
  /** `token_hash` of the protocol. */
  readonly hash: string;
}

/** Where a user's row repeats a token, as other tools expect it: its digest, and when it was sent. */
const columnsOf = {
  confirmation_token: ['confirmationToken', 'confirmationSentAt'],
  recovery_token: ['recoveryToken', 'recoverySentAt'],
  email_change_token_new: ['emailChangeTokenNew', 'emailChangeSentAt'],
  email_change_token_current: ['emailChangeTokenCurrent', 'emailChangeSentAt'],
  phone_change_token: ['phoneChangeToken', 'phoneChangeSentAt'],
  reauthentication_token: ['reauthenticationToken', 'reauthenticationSentAt'],
} as const satisfies Record<TokenType, readonly [keyof User, keyof User]>;

/** A link of a flow with proof (PKCE) begins so: whoever follows it gets a code for the client that began it, no session. */
const pkcePrefix = 'pkce_';

type TokenSettings = Pick<Settings, 'secret' | 'mailOtpSeconds' | 'mailOtpLength' | 'smsOtpSeconds' | 'smsOtpLength' | 'smsTestOtp' | 'smsTestOtpUntil'>;

/**
 * Codes and links. A link's text is an HMAC of the code, so that both are one token and either spends it; the database keeps a
 * digest of that text. Without our key neither can be found from what the database keeps, though a code has six digits only.
 */
export class OneTimeTokens {
  private readonly key: Buffer;
  private readonly testCodes: ReadonlyMap<string, string>;

  constructor(private readonly settings: TokenSettings) {
    this.key = Buffer.from(hkdfSync('sha256', settings.secret ?? '', '', 'mainstay one-time tokens', 32));
    this.testCodes = new Map(settings.smsTestOtp.map((pair) => pair.split(/[=:]/, 2) as [string, string]).map(([number, code]) => [number.replace(/^\+/, ''), code]));
  }

  /** Makes a token, keeps it in place of the last one of its type, and marks the user's row; the caller sends it to `address`. */
  async issue(tx: OpenAccounts, user: User, type: TokenType, address: string, { isPkce = false } = {}): Promise<IssuedToken> {
    const code = this.testCodeOf(address) ?? makeCode(isPhone(address) ? this.settings.smsOtpLength : this.settings.mailOtpLength);
    const hash = `${isPkce ? pkcePrefix : ''}${this.hashOf(user.id, type, address, code)}`;
    const digest = digestOf(hash);
    const [tokenColumn, sentColumn] = columnsOf[type];
    Object.assign(user, { [tokenColumn]: digest, [sentColumn]: new Date() });
    await tx.write();
    await keepToken(tx, user.id, type, digest, address);
    return { code, hash };
  }

  /** The token of a link; null for one that was never given out or is used up. It may be too old: ask `isFresh`. */
  async findByHash(tx: Pick<OpenAccounts, 'rows'>, hash: string): Promise<OneTimeToken | null> {
    return findToken(tx, digestOf(hash));
  }

  /** The token of one of these types that went to this address with this code. Counting guesses is the caller's. */
  async findByCode(tx: Pick<OpenAccounts, 'rows'>, types: readonly TokenType[], address: string, code: string): Promise<OneTimeToken | null> {
    const kept = await listTokensTo(tx, address);
    // All of them are compared, each in constant time.
    const right = kept.filter((token) => types.includes(token.type) && this.isCodeOf(token, code));
    return right[0] ?? null;
  }

  isFresh({ relatesTo, ageSeconds }: OneTimeToken): boolean {
    return ageSeconds <= (isPhone(relatesTo) ? this.settings.smsOtpSeconds : this.settings.mailOtpSeconds);
  }

  /** Uses a token up, and empties the user's row of it. False where somebody was faster. */
  async spend(tx: OpenAccounts, user: User, token: OneTimeToken): Promise<boolean> {
    if (!(await spendToken(tx, token))) return false;
    Object.assign(user, { [columnsOf[token.type][0]]: '' });
    return true;
  }

  /** Whether a link began with a proof to come (PKCE). */
  isPkce(hash: string): boolean {
    return hash.startsWith(pkcePrefix);
  }

  /** Whether a number has a fixed code, and gets no message. */
  isTestNumber(phone: string): boolean {
    return this.testCodeOf(phone) !== null;
  }

  private testCodeOf(address: string): string | null {
    const until = this.settings.smsTestOtpUntil;
    if (until !== null && !(Date.parse(until) > Date.now())) return null;
    return this.testCodes.get(address) ?? null;
  }

  private isCodeOf({ userId, type, relatesTo, digest }: OneTimeToken, code: string): boolean {
    const hash = this.hashOf(userId, type, relatesTo, code);
    return [hash, pkcePrefix + hash].map((text) => isSame(digestOf(text), digest)).includes(true);
  }

  private hashOf(userId: string, type: TokenType, address: string, code: string): string {
    return createHmac('sha256', this.key).update(JSON.stringify([userId, type, address, code])).digest('hex').slice(0, 56);
  }
}

function makeCode(digits: number): string {
  return String(randomInt(10 ** digits)).padStart(digits, '0');
}

/** Numbers are kept as digits alone, and no mail address is. */
function isPhone(address: string): boolean {
  return /^\d+$/.test(address);
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
