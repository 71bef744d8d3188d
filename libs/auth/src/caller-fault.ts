import { Fault } from '@mainstay/domain';

/**
 * What was wrong with a caller's proof. Each protocol has its own words for these: `/rest/v1` says PGRST301 for
 * `empty`, `unreadable` and `key`, PGRST303 for `claims` and PGRST302 for `guest`; GoTrue says `bad_jwt` or `no_authorization`.
 */
export type CallerFaultReason =
  /** The header says Bearer, and nothing follows. */
  | 'empty'
  /** The token could not be read, or none of our keys signed it. */
  | 'unreadable'
  /** The signature is right, but the claims are not: expired, not yet valid, for somebody else. */
  | 'claims'
  /** The API key is none of ours, or no longer. */
  | 'key'
  /** Guests are not let in here. */
  | 'guest'
  /** A token came, and there is no key to verify any. */
  | 'keyless';

const pgrstCodes: Readonly<Record<CallerFaultReason, string>> = { empty: 'PGRST301', unreadable: 'PGRST301', key: 'PGRST301', claims: 'PGRST303', guest: 'PGRST302', keyless: 'PGRST300' };

/** The proof of who asks was refused: 401 in every protocol of ours but GoTrue's, which has a 403 for bad tokens. */
export class CallerFault extends Fault {
  readonly reason: CallerFaultReason;

  constructor(reason: CallerFaultReason, message: string, more: { readonly cause?: unknown; readonly details?: string } = {}) {
    const isOurs = reason === 'keyless';
    super('unauthorized', { status: isOurs ? 500 : 401, message }, { ...more, headers: isOurs ? {} : { 'www-authenticate': challenge(reason, message) } });
    this.reason = reason;
  }

  /** The code by which PostgREST's clients know this. */
  get pgrstCode(): string {
    return pgrstCodes[this.reason];
  }
}

/** RFC 6750: a caller who brought nothing is only told the scheme. The messages are ours, so none can break out of the quotes. */
function challenge(reason: CallerFaultReason, message: string): string {
  return reason === 'guest' ? 'Bearer' : `Bearer error="invalid_token", error_description="${message.replace(/["\\]/g, "'")}"`;
}
