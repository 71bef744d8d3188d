import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import type { Settings } from '@mainstay/config';
import { returnAttempts, takeAttempts, type Accounts, type Bucket, type Device, type OpenAccounts } from '@mainstay/persistence';
import { fault } from './faults.ts';

type LimitSettings = Pick<
  Settings,
  'guessesPerAccount' | 'guessesPerNetwork' | 'rateOtp' | 'rateVerify' | 'rateToken' | 'rateAnonymous' | 'rateFactor' | 'ratePasskey' | 'rateMail' | 'rateSms' | 'smtpHost' | 'mailPauseSeconds' | 'smsPauseSeconds'
>;

/** A guess that was counted before it was known to be right. */
export interface Guess {
  /** It was right: the account's count begins anew, and the network has guessed nothing. By itself, or as the last step of a transaction. */
  wasRight(tx?: OpenAccounts): Promise<void>;
}

/** With most guesses used up, one more comes back each minute: an owner waits that long, and never 15 minutes. */
const secondsPerGuess = 60;

/**
 * How often what may be tried. Everything is counted in the database, in one statement and before the work: any number of
 * requests at once, at any number of api processes, are one count. What is counted is what was asked for, never whether it is there:
 * an address without an account is refused as one with.
 */
export class Limits {
  constructor(
    private readonly accounts: Accounts,
    private readonly settings: LimitSettings,
  ) {}

  /**
   * Counts a guess at a secret of an account.
   * @param account what the request calls it: an address, a number, an id
   * @throws Fault `over_request_rate_limit`
   */
  async guess(what: 'password' | 'code' | 'factor', account: string, device: Device): Promise<Guess> {
    const { guessesPerAccount, guessesPerNetwork } = this.settings;
    const ofAccount = bucket(`guess ${what}`, account.toLowerCase(), guessesPerAccount, guessesPerAccount * secondsPerGuess);
    // The network first: what it is refused must not use up the owner's.
    const ofNetwork = device.address === null ? [] : [bucket('guess', networkOf(device.address), guessesPerNetwork, 300)];
    await this.take([...ofNetwork, ofAccount], 'over_request_rate_limit', 'Too many attempts, please try again later');
    return {
      wasRight: (tx) => returnAttempts(tx ?? this.accounts, [{ digest: ofAccount.digest, how: 'all' }, ...ofNetwork.map(({ digest }) => ({ digest, how: 'one' as const }))]),
    };
  }

  /** Counts a request of a network. From loopback nothing is counted: there a proxy stands for everybody, or a developer for nobody. */
  async request(what: 'otp' | 'verify' | 'token' | 'anonymous' | 'factor' | 'passkey', { address }: Device): Promise<void> {
    if (address === null || isLoopback(address)) return;
    const { rateOtp, rateVerify, rateToken, rateAnonymous, rateFactor, ratePasskey } = this.settings;
    const rates = { otp: [rateOtp, 300], verify: [rateVerify, 300], token: [rateToken, 300], anonymous: [rateAnonymous, 3600], factor: [rateFactor, 60], passkey: [ratePasskey, 300] } as const;
    const [most, seconds] = rates[what];
    await this.take([bucket(`request ${what}`, networkOf(address), most, seconds)], 'over_request_rate_limit', 'Request rate limit reached');
  }

  /**
   * Counts a mail of a kind to an address, whether or not there is an account to send it to.
   * @throws Fault `over_email_send_rate_limit`
   */
  async mail(kind: string, address: string): Promise<void> {
    const { mailPauseSeconds, rateMail, smtpHost } = this.settings;
    const most = rateMail ?? (smtpHost === null ? null : 30);
    await this.send('over_email_send_rate_limit', bucket(`mail ${kind}`, address.toLowerCase(), 1, mailPauseSeconds), most === null ? null : bucket('mail', '', most, 3600));
  }

  /**
   * Counts a text message to a number; those of second factors have a pause of their own.
   * @throws Fault `over_sms_send_rate_limit`
   */
  async text(phone: string, kind = 'text', pauseSeconds = this.settings.smsPauseSeconds): Promise<void> {
    const { rateSms } = this.settings;
    await this.send('over_sms_send_rate_limit', bucket(kind, phone, 1, pauseSeconds), rateSms === null ? null : bucket('text', '', rateSms, 3600));
  }

  private async send(code: 'over_email_send_rate_limit' | 'over_sms_send_rate_limit', pause: Bucket, whole: Bucket | null): Promise<void> {
    const waits = pause.seconds === 0 ? 0 : await takeAttempts(this.accounts, [pause]);
    const seconds = Math.max(1, Math.ceil(waits));
    if (waits > 0) throw fault(code, { message: `For security purposes, you can only request this after ${seconds} seconds.`, headers: { 'retry-after': String(seconds) } });
    if (whole === null) return;
    if (whole.most === 0) throw fault(code);
    await this.take([whole], code);
  }

  private async take(buckets: readonly Bucket[], code: 'over_request_rate_limit' | 'over_email_send_rate_limit' | 'over_sms_send_rate_limit', message?: string): Promise<void> {
    const waits = await takeAttempts(this.accounts, buckets);
    if (waits > 0) throw fault(code, { ...(message === undefined ? {} : { message }), headers: { 'retry-after': String(Math.ceil(waits)) } });
  }
}

function bucket(what: string, whose: string, most: number, seconds: number): Bucket {
  return { digest: createHash('sha256').update(JSON.stringify([what, whose])).digest(), most, seconds };
}

/** Who has an IPv6 address has the whole /64. */
function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (isIP(address) !== 6) return address;
  const [head, tail] = address.toLowerCase().split('::', 2) as [string, string | undefined];
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = tail === undefined ? left : [...left, ...Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right];
  return groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, '')).join(':');
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./i.test(address);
}
