import { createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import type { TokenInFamily } from '@mainstay/persistence';

/** 128 bits: nobody guesses one, and it fits into a cookie beside an access token. */
const tokenBytes = 16;

/** How far a client may lag behind its family within the reuse interval, in refreshes. */
const longestLag = 1000;

/**
 * Refresh tokens of one lineage. The database keeps digests only, and yet a client that lost an answer must be given the live
 * token once more: so each token is derived from its parent and a key of ours, and whoever shows an ancestor can be
 * led down the line again. Without the key, an old token tells nothing about the next.
 */
export class RefreshTokens {
  private readonly key: Buffer;

  constructor(secret: string) {
    this.key = Buffer.from(hkdfSync('sha256', secret, '', 'mainstay refresh tokens', 32));
  }

  /** The first token of a family. */
  makeFirst(): string {
    return randomBytes(tokenBytes).toString('base64url');
  }

  childOf(token: string): string {
    return createHmac('sha256', this.key).update(token).digest().subarray(0, tokenBytes).toString('base64url');
  }

  /** The descendant of `token` with this digest; null if it was not derived from it with the key that we have now. */
  descendant(token: string, digest: string): string | null {
    let candidate = token;
    for (let generation = 0; generation < longestLag; generation += 1) {
      candidate = this.childOf(candidate);
      if (digestOf(candidate) === digest) return candidate;
    }
    return null;
  }
}

/** What stands in the table instead of the token. */
export function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}

/**
 * What a refresh token is worth to its family:
 * - `rotate`: it is the live one and is replaced by its child;
 * - `repeat`: it was replaced, but the client seems to have lost the answer: the live one is given again;
 * - `refuse`: the family is dead;
 * - `revoke`: it was used long ago, so two hold the line now and one of them stole it: the family dies.
 */
export type Worth = 'rotate' | 'repeat' | 'refuse' | 'revoke';

export function worthOf(digest: string, family: TokenInFamily, reuseSeconds: number): Worth {
  if (!family.isRevoked) return 'rotate';
  if (family.active === null) return 'refuse';
  return family.active.parent === digest || family.ageSeconds <= reuseSeconds ? 'repeat' : 'revoke';
}
