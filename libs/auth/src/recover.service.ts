import { randomUUID } from 'node:crypto';
import type { Settings } from '@mainstay/config';
import type { Accounts, Device, OpenAccounts, User } from '@mainstay/persistence';
import { audit } from './audit.ts';
import type { EvenTime } from './even-time.ts';
import { fault } from './faults.ts';
import { parseChallenge, type CodeChallenge } from './flow-states.ts';
import type { Letters } from './letters.ts';
import type { Limits } from './limits.ts';
import { parseEmail, parsePhone } from './parse-address.ts';
import { redirectTarget } from './redirects.ts';
import type { SignedIn } from './sessions.service.ts';
import { isEmailConfirmed, isPhoneConfirmed } from './views.ts';

export interface RecoverRequest {
  readonly email: string;
  readonly codeChallenge: string;
  readonly codeChallengeMethod: string;
  readonly redirectTo: string;
}

export interface ResendRequest extends RecoverRequest {
  readonly phone: string;
  readonly type: string;
}

type RecoverSettings = Pick<Settings, 'emailEnabled' | 'phoneEnabled' | 'secureEmailChange' | 'siteUrl' | 'redirectAllowList'>;

/** What is mailed once more, or to somebody who has lost the password. None of it tells whether there is such an account. */
export class Recover {
  constructor(
    private readonly accounts: Accounts,
    private readonly letters: Letters,
    private readonly limits: Limits,
    private readonly evenTime: EvenTime,
    private readonly settings: RecoverSettings,
  ) {}

  async recover(request: RecoverRequest, device: Device): Promise<object> {
    if (!this.settings.emailEnabled) throw fault('email_provider_disabled', { message: 'Email logins are disabled' });
    if (request.email === '') throw fault('validation_failed', { message: 'Password recovery requires an email' });
    const email = parseEmail(request.email);
    const { proof, redirectTo } = this.way(request);
    await this.limits.request('otp', device);
    await this.limits.mail('recovery', email);
    await this.inform(await this.accounts.findByEmail(email), device, async (tx, user) => {
      await audit(tx, 'user_recovery_requested', user, device);
      await this.letters.post(tx, user, { type: 'recovery', to: email, redirectTo, proof });
      return true;
    });
    return {};
  }

  async resend(request: ResendRequest, device: Device): Promise<object> {
    const { email, phone, type } = request;
    if (!['signup', 'email_change', 'sms', 'phone_change'].includes(type)) throw fault('validation_failed', { message: 'Missing one of these types: signup, email_change, sms, phone_change' });
    const isMail = type === 'signup' || type === 'email_change';
    if (isMail && email === '') throw fault('validation_failed', { message: 'Type provided requires an email address' });
    if (!isMail && phone === '') throw fault('validation_failed', { message: 'Type provided requires a phone number' });
    if (email !== '' && phone !== '') throw fault('validation_failed', { message: 'Only an email address or phone number should be provided.' });
    await this.limits.request('otp', device);
    return isMail ? this.resendMail(request, type, device) : this.resendText(phone, type as 'sms' | 'phone_change', device);
  }

  /** Mails a nonce (or texts it) that proves that it is still the owner who sits there. */
  async reauthenticate({ account }: SignedIn, device: Device): Promise<object> {
    const { id, email, phone } = account.user;
    const [mail, number] = [email ?? '', phone ?? ''];
    if (mail === '' && number === '') throw fault('validation_failed', { status: 422, message: 'Reauthentication requires the user to have an email or a phone number' });
    if (mail !== '' && !isEmailConfirmed(account.user)) throw fault('email_not_confirmed', { status: 422, message: 'Please verify your email first.' });
    if (mail === '' && !isPhoneConfirmed(account.user)) throw fault('phone_not_confirmed', { status: 422, message: 'Please verify your phone first.' });
    await (mail === '' ? this.limits.text(number) : this.limits.mail('reauthentication', id));
    let messageId: string | null = null;
    await this.inform(account.user, device, async (tx, user) => {
      await audit(tx, 'user_reauthenticate_requested', user, device);
      if (mail === '') messageId = await this.letters.text(tx, user, 'reauthentication_token', number, 'sms');
      else await this.letters.post(tx, user, { type: 'reauthentication', to: mail, redirectTo: this.settings.siteUrl, proof: null });
      return true;
    });
    return messageId === null ? {} : { message_id: messageId };
  }

  private async resendMail(request: ResendRequest, type: 'signup' | 'email_change', device: Device): Promise<object> {
    if (!this.settings.emailEnabled) throw fault('email_provider_disabled', { message: 'Email logins are disabled' });
    const email = parseEmail(request.email);
    const { proof, redirectTo } = this.way(request);
    await this.limits.mail(type, email);
    await this.inform(await this.accounts.findByEmail(email), device, async (tx, user) => {
      if (type === 'signup') {
        if (isEmailConfirmed(user)) return false;
        await audit(tx, 'user_confirmation_requested', user, device);
        await this.letters.post(tx, user, { type: 'signup', to: email, redirectTo, proof });
        return true;
      }
      if ((user.emailChange ?? '') === '') return false;
      await this.postEmailChange(tx, user, { redirectTo, proof });
      return true;
    });
    return {};
  }

  /** To the new mailbox, and where both must agree to the old one too. */
  async postEmailChange(tx: OpenAccounts, user: User, { redirectTo, proof }: { redirectTo: string; proof: CodeChallenge | null }): Promise<void> {
    const [old, newEmail] = [user.email ?? '', user.emailChange!];
    user.emailChangeConfirmStatus = 0;
    if (this.settings.secureEmailChange && old !== '') await this.letters.post(tx, user, { type: 'email_change', to: old, redirectTo, proof, change: { isForNew: false, newEmail } });
    await this.letters.post(tx, user, { type: 'email_change', to: newEmail, redirectTo, proof, change: { isForNew: true, newEmail } });
  }

  private async resendText(given: string, type: 'sms' | 'phone_change', device: Device): Promise<object> {
    if (!this.settings.phoneEnabled) throw fault('phone_provider_disabled', { message: 'Phone logins are disabled' });
    const phone = parsePhone(given);
    await this.limits.text(phone);
    // Invented where nothing is sent: an answer without one would tell.
    let messageId: string = randomUUID();
    await this.inform(await this.accounts.findByPhone(phone), device, async (tx, user) => {
      const to = type === 'sms' ? phone : (user.phoneChange ?? '');
      if (to === '' || (type === 'sms' && isPhoneConfirmed(user))) return false;
      await audit(tx, 'user_recovery_requested', user, device, { channel: 'sms' });
      messageId = await this.letters.text(tx, user, type === 'sms' ? 'confirmation_token' : 'phone_change_token', to, 'sms');
      return true;
    }, 'sms');
    return { message_id: messageId };
  }

  private way({ codeChallenge, codeChallengeMethod, redirectTo }: RecoverRequest): { proof: CodeChallenge | null; redirectTo: string } {
    return { proof: parseChallenge(codeChallenge, codeChallengeMethod), redirectTo: redirectTarget(this.settings, redirectTo) };
  }

  /** Writes to the owner of an account, or does as if: where there is none, and where `write` says that there is nothing to tell. */
  private async inform(known: User | null, device: Device, write: (tx: OpenAccounts, user: User) => Promise<boolean>, channel: 'email' | 'sms' = 'email'): Promise<void> {
    await this.evenTime.run(() => this.accounts.transaction(async (tx) => {
      const account = known === null ? null : await tx.lock(known.id);
      const isWritten = account !== null && (await write(tx, account.user));
      if (isWritten) await tx.write();
      else await this.letters.pretend(tx, device, channel);
    }));
  }
}
