import { randomUUID } from 'node:crypto';
import type { Settings } from '@mainstay/config';
import type { Account, Accounts, Device, Metadata, OpenAccounts, User } from '@mainstay/persistence';
import { audit } from './audit.ts';
import type { EvenTime } from './even-time.ts';
import { fault } from './faults.ts';
import { parseChallenge, type CodeChallenge } from './flow-states.ts';
import { noHooks, type Hooks } from './hooks.ts';
import type { Letters } from './letters.ts';
import type { Limits } from './limits.ts';
import { refuseOversize, refuseUnstorable } from './metadata.ts';
import { addAccount, confirmEmail } from './new-account.ts';
import { parseChannel, parseEmail, parsePhone } from './parse-address.ts';
import { redirectTarget } from './redirects.ts';
import { saving, takenBy } from './saving.ts';
import { isEmailConfirmed } from './views.ts';

export interface OtpRequest {
  readonly email: string;
  readonly phone: string;
  readonly createUser: boolean;
  readonly data: Metadata;
  readonly channel: string;
  readonly codeChallenge: string;
  readonly codeChallengeMethod: string;
  readonly redirectTo: string;
}

type OtpSettings = Pick<Settings, 'emailEnabled' | 'phoneEnabled' | 'disableSignup' | 'mailerAutoconfirm' | 'jwtAudience' | 'siteUrl' | 'redirectAllowList'>;

/** Sign-in without a password: a code or a link goes to an address, a code to a number. */
export class Otp {
  constructor(
    private readonly accounts: Accounts,
    private readonly letters: Letters,
    private readonly limits: Limits,
    private readonly evenTime: EvenTime,
    private readonly settings: OtpSettings,
    private readonly hooks: Hooks = noHooks,
  ) {}

  async send(request: OtpRequest, device: Device): Promise<object> {
    const { email, phone, data } = request;
    if (email !== '' && phone !== '') throw fault('validation_failed', { message: 'Only an email address or phone number should be provided' });
    if (email !== '' && request.channel !== '') throw fault('validation_failed', { message: 'Channel should only be specified with Phone OTP' });
    refuseUnstorable(data, 'data');
    refuseOversize(data);
    await this.limits.request('otp', device);
    if (email !== '') return this.byMail(request, device);
    if (phone !== '') return this.byText(request, device);
    throw fault('validation_failed', { message: 'One of email or phone must be set' });
  }

  private async byMail(request: OtpRequest, device: Device): Promise<object> {
    if (!this.settings.emailEnabled) throw fault('email_provider_disabled', { status: 422, message: 'Email logins are disabled' });
    const email = parseEmail(request.email);
    const proof = parseChallenge(request.codeChallenge, request.codeChallengeMethod);
    const redirectTo = redirectTarget(this.settings, request.redirectTo);
    await this.limits.mail('magiclink', email);
    const known = await this.accounts.findByEmail(email);
    await this.evenTime.run(() => this.withAccount(known, () => this.accounts.findByEmail(email), request, { email, phone: null }, device, (tx, account, isNew) =>
      this.post(tx, account, { email, proof, redirectTo, isNew }, device)));
    return {};
  }

  /** A new account is asked to confirm; a known one is let in, and one that was never confirmed is so by that. */
  private async post(tx: OpenAccounts, { user }: Account, to: { email: string; proof: CodeChallenge | null; redirectTo: string; isNew: boolean }, device: Device): Promise<void> {
    const { email, proof, redirectTo, isNew } = to;
    if (isNew && this.settings.mailerAutoconfirm) confirmEmail(user);
    const isToConfirm = isNew && !isEmailConfirmed(user);
    await audit(tx, isToConfirm ? 'user_confirmation_requested' : 'user_recovery_requested', user, device, { provider: 'email' });
    await this.letters.post(tx, user, { type: isToConfirm ? 'signup' : 'magiclink', to: email, redirectTo, proof });
    await tx.write();
  }

  private async byText(request: OtpRequest, device: Device): Promise<object> {
    if (!this.settings.phoneEnabled) throw fault('phone_provider_disabled', { message: 'Unsupported phone provider' });
    const phone = parsePhone(request.phone);
    const channel = parseChannel(request.channel);
    await this.limits.text(phone);
    let messageId: string = randomUUID();
    const known = await this.accounts.findByPhone(phone);
    await this.evenTime.run(() => this.withAccount(known, () => this.accounts.findByPhone(phone), request, { email: null, phone }, device, async (tx, { user }) => {
      await audit(tx, 'user_recovery_requested', user, device, { channel });
      messageId = await this.letters.text(tx, user, 'confirmation_token', phone, channel);
      await tx.write();
    }));
    return { message_id: messageId };
  }

  /** Runs `work` with the account, which is made if it may be. */
  private async withAccount(
    known: User | null, findAgain: () => Promise<User | null>, request: OtpRequest, address: { email: string | null; phone: string | null }, device: Device,
    work: (tx: OpenAccounts, account: Account, isNew: boolean) => Promise<void>,
  ): Promise<void> {
    if (known !== null) return this.withKnown(known, work);
    if (!request.createUser) throw fault('otp_disabled');
    if (this.settings.disableSignup) throw fault('signup_disabled');
    try {
      // Without a password: nobody could know it, and hashing one would take a time that tells a new address from a known one.
      await saving('Database error saving new user', () => this.accounts.transaction(async (tx) => {
        const account = await addAccount(tx, { ...address, passwordHash: null, data: request.data }, this.settings.jwtAudience, { hooks: this.hooks, device });
        await audit(tx, 'user_signedup', account.user, device, { provider: address.email === null ? 'phone' : 'email' });
        await work(tx, account, true);
      }));
    } catch (error) {
      const rival = takenBy((error as Error).cause) === null ? null : await findAgain();
      if (rival === null) throw error;
      await this.withKnown(rival, work);
    }
  }

  private async withKnown(known: User, work: (tx: OpenAccounts, account: Account, isNew: boolean) => Promise<void>): Promise<void> {
    await this.accounts.transaction(async (tx) => {
      const account = await tx.lock(known.id);
      if (account !== null) await work(tx, account, false);
    });
  }
}
