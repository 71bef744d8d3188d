import type { Settings } from '@mainstay/config';
import type { Accounts, Device, User } from '@mainstay/persistence';
import { passwordAttempt } from './attempt-hooks.ts';
import { audit } from './audit.ts';
import { fault } from './faults.ts';
import type { FlowStates } from './flow-states.ts';
import { noHooks, type Hooks } from './hooks.ts';
import type { Guess, Limits } from './limits.ts';
import { isStorable } from './metadata.ts';
import type { PasswordRules } from './password-rules.ts';
import type { Passwords } from './passwords.ts';
import type { OpenSession, SessionAnswer, Sessions } from './sessions.service.ts';
import { isBanned, isEmailConfirmed, isPhoneConfirmed } from './views.ts';

export interface PasswordSignIn {
  readonly email: string;
  readonly phone: string;
  readonly password: string;
}

export interface CodeSignIn {
  readonly authCode: string;
  readonly codeVerifier: string;
}

type SignInSettings = Pick<Settings, 'emailEnabled' | 'phoneEnabled' | 'allowsUnverifiedSignIns'>;

/** How a user who is known comes in. */
export class SignIn {
  constructor(
    private readonly accounts: Accounts,
    private readonly sessions: Sessions,
    private readonly passwords: Passwords,
    private readonly rules: PasswordRules,
    private readonly flows: FlowStates,
    private readonly limits: Limits,
    private readonly settings: SignInSettings,
    private readonly hooks: Hooks = noHooks,
  ) {}

  /** Signs in by address and password. A wrong password and an unknown address are one answer, and take one time. */
  async withPassword(request: PasswordSignIn, device: Device): Promise<SessionAnswer> {
    const { email, phone, password } = this.checked(request);
    await this.limits.request('token', device);
    // Counted before it is hashed, by what was asked for: of many guesses at once no more are compared than may be.
    const guess = await this.limits.guess('password', email === '' ? phone : email, device);
    const user = await this.find(email, phone);
    const { isRight, isOutdated } = await this.passwords.verify(password, user?.encryptedPassword ?? null);
    await this.tellOfAttempt(user, isRight);
    if (user === null || !isRight) throw fault('invalid_credentials');
    const refusal = this.refusalOf(user, email);
    if (refusal !== null) {
      await guess.wasRight();
      throw fault(refusal);
    }
    const newHash = isOutdated ? await this.passwords.hash(password) : null;
    const answer = await this.sessions.answer(await this.open(user, newHash, guess, device));
    const weakness = this.rules.weaknessOfUsed(password);
    return weakness === null ? answer : { ...answer, weak_password: weakness };
  }

  /** Why an account may not come in by its password; told only to somebody who knows it. */
  private refusalOf(user: User, email: string): 'user_banned' | 'phone_not_confirmed' | 'email_not_confirmed' | null {
    if (isBanned(user)) return 'user_banned';
    if (email === '') return isPhoneConfirmed(user) ? null : 'phone_not_confirmed';
    return isEmailConfirmed(user) || this.settings.allowsUnverifiedSignIns ? null : 'email_not_confirmed';
  }

  /** Signs in by the code that a link or another provider brought back, with the proof that it is the client that began it. */
  async withCode({ authCode, codeVerifier }: CodeSignIn, device: Device): Promise<SessionAnswer> {
    await this.limits.request('token', device);
    const { open, flow } = await this.accounts.transaction(async (tx) => {
      const redeemed = await this.flows.redeem(tx, authCode, codeVerifier);
      const account = await tx.lock(redeemed.userId);
      if (account === null || account.user.deletedAt instanceof Date) throw fault('flow_state_not_found');
      if (isBanned(account.user)) throw fault('user_banned', { status: 403 });
      await audit(tx, 'login', account.user, device, { provider: redeemed.providerType, provider_type: redeemed.authenticationMethod });
      return { open: await this.sessions.open(tx, account, redeemed.authenticationMethod, device), flow: redeemed };
    });
    const answer = await this.sessions.answer(open);
    return {
      ...answer,
      ...(flow.providerAccessToken === null ? {} : { provider_token: flow.providerAccessToken }),
      ...(flow.providerRefreshToken === null ? {} : { provider_refresh_token: flow.providerRefreshToken }),
    };
  }

  private async tellOfAttempt(user: User | null, isRight: boolean): Promise<void> {
    if (user === null) return this.hooks.pretend('password_verification_attempt');
    const { isRejected, message, endsSessions } = await passwordAttempt(this.hooks, user.id, isRight);
    if (!isRejected) return;
    if (endsSessions) await this.accounts.transaction((tx) => tx.endSessions(user.id));
    throw fault('invalid_credentials', { message });
  }

  private checked({ email, phone, password }: PasswordSignIn): PasswordSignIn {
    if (email !== '' && phone !== '') throw fault('validation_failed', { message: 'Only an email address or phone number should be provided on login.' });
    if (phone !== '' && !this.settings.phoneEnabled) throw fault('phone_provider_disabled', { status: 422, message: 'Phone logins are disabled' });
    if (email === '' && phone === '') throw fault('validation_failed', { message: 'missing email or phone' });
    if (email !== '' && !this.settings.emailEnabled) throw fault('email_provider_disabled', { status: 422, message: 'Email logins are disabled' });
    // Counted and looked up in one spelling.
    return { email: email.toLowerCase(), phone: phone.replace(/[+\s]/g, ''), password };
  }

  private async find(email: string, phone: string): Promise<User | null> {
    if (!isStorable(email + phone)) return null;
    return email === '' ? this.accounts.findByPhone(phone) : this.accounts.findByEmail(email);
  }

  /** The password was verified outside the transaction; whoever changed it since wins. */
  private async open(verified: User, newHash: string | null, guess: Guess, device: Device): Promise<OpenSession> {
    return this.accounts.transaction(async (tx) => {
      const account = await tx.lock(verified.id);
      if (account === null || account.user.encryptedPassword !== verified.encryptedPassword) throw fault('invalid_credentials');
      if (newHash !== null) account.user.encryptedPassword = newHash;
      await audit(tx, 'login', account.user, device, { provider: 'password' });
      const open = await this.sessions.open(tx, account, 'password', device);
      await guess.wasRight(tx);
      return open;
    });
  }
}
