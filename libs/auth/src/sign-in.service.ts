import type { Settings } from '@mainstay/config';
import type { Accounts, Device, User } from '@mainstay/persistence';
import { fault } from './faults.ts';
import { isStorable } from './metadata.ts';
import { weaknessOf, type Passwords } from './passwords.ts';
import type { OpenSession, SessionAnswer, Sessions } from './sessions.service.ts';
import { isBanned, isEmailConfirmed } from './views.ts';

export interface PasswordSignIn {
  readonly email: string;
  readonly phone: string;
  readonly password: string;
}

/** How a user who is known comes in. */
export class SignIn {
  constructor(
    private readonly accounts: Accounts,
    private readonly sessions: Sessions,
    private readonly passwords: Passwords,
    private readonly settings: Pick<Settings, 'emailEnabled' | 'passwordMinLength'>,
  ) {}

  /** Signs in by address and password. A wrong password and an unknown address are one answer, and take one time. */
  async withPassword(request: PasswordSignIn, device: Device): Promise<SessionAnswer> {
    const { email, password } = this.checked(request);
    const user = isStorable(email) ? await this.accounts.findByEmail(email) : null;
    const { isRight, isOutdated } = await this.passwords.verify(password, user?.encryptedPassword ?? null);
    if (user === null || !isRight) throw fault('invalid_credentials');
    // What follows is told only to somebody who knows the password.
    if (isBanned(user)) throw fault('user_banned');
    if (!isEmailConfirmed(user)) throw fault('email_not_confirmed');
    const newHash = isOutdated ? await this.passwords.hash(password) : null;
    const answer = await this.sessions.answer(await this.open(user, newHash, device));
    const weakness = weaknessOf(password, this.settings.passwordMinLength);
    return weakness === null ? answer : { ...answer, weak_password: weakness };
  }

  private checked({ email, phone, password }: PasswordSignIn): { email: string; password: string } {
    if (email !== '' && phone !== '') throw fault('validation_failed', { message: 'Only an email address or phone number should be provided on login.' });
    if (phone !== '') throw fault('phone_provider_disabled', { status: 422, message: 'Phone logins are disabled' });
    if (email === '') throw fault('validation_failed', { message: 'missing email or phone' });
    if (!this.settings.emailEnabled) throw fault('email_provider_disabled', { status: 422, message: 'Email logins are disabled' });
    return { email, password };
  }

  /** The password was verified outside the transaction; whoever changed it since wins. */
  private async open(verified: User, newHash: string | null, device: Device): Promise<OpenSession> {
    return this.accounts.transaction(async (tx) => {
      const account = await tx.lock(verified.id);
      if (account === null || account.user.encryptedPassword !== verified.encryptedPassword) throw fault('invalid_credentials');
      if (newHash !== null) account.user.encryptedPassword = newHash;
      return this.sessions.open(tx, account, 'password', device);
    });
  }
}
