import type { Settings } from '@mainstay/config';
import { isDatabaseError, type Account, type Accounts, type Metadata, type OpenAccounts, type User } from '@mainstay/persistence';
import { fault } from './faults.ts';
import { mergeMetadata, refuseOversize, refuseUnstorable } from './metadata.ts';
import { parseEmail } from './parse-address.ts';
import { refuseWeakPassword, type Passwords } from './passwords.ts';
import { emailClaims, type SignedIn } from './sessions.service.ts';
import { confirmEmail } from './sign-up.service.ts';
import { viewUser, type UserView } from './views.ts';

/** What users may change about themselves; null is what a request does not touch. */
export interface UserChanges {
  readonly email: string;
  readonly phone: string;
  readonly password: string | null;
  readonly data: Metadata | null;
  readonly appMetadata: Metadata | null;
}

/** What a user sees and changes of the account. */
export class UserService {
  constructor(
    private readonly accounts: Accounts,
    private readonly passwords: Passwords,
    private readonly settings: Pick<Settings, 'mailerAutoconfirm' | 'passwordMinLength'>,
  ) {}

  view({ account }: SignedIn): UserView {
    return viewUser(account);
  }

  async update(signedIn: SignedIn, changes: UserChanges): Promise<UserView> {
    const { user } = signedIn.account;
    const email = this.checked(user, changes);
    const passwordHash = changes.password === null ? null : await this.newHash(user, changes.password);
    return saving('Error updating user', () => this.accounts.transaction(async (tx) => {
      const account = await tx.lock(user.id);
      if (account === null) throw fault('user_not_found', { status: 403, message: 'User from sub claim in JWT does not exist' });
      if (passwordHash !== null) await setPassword(tx, account.user, passwordHash, signedIn.session?.id);
      if (changes.data !== null) setUserMetadata(account.user, changes.data);
      const changed = email === null || email === account.user.email ? account : await this.changeEmail(tx, account, email);
      await tx.write();
      return viewUser(changed);
    }));
  }

  /** @returns the new address, or null where it is not to change */
  private checked(user: User, { email, phone, password, data, appMetadata }: UserChanges): string | null {
    if (appMetadata !== null) throw fault('not_admin', { message: 'Updating app_metadata requires admin privileges' });
    if (phone !== '' && phone !== user.phone) throw fault('phone_provider_disabled', { message: 'A phone number cannot be confirmed yet, so it cannot be changed' });
    if (password !== null) refuseWeakPassword(password, this.settings.passwordMinLength);
    if (data !== null) refuseUnstorable(data, 'data');
    const newEmail = email === '' ? null : parseEmail(email);
    if (user.isSsoUser && (password !== null || (newEmail !== null && newEmail !== user.email))) {
      throw fault('user_sso_managed');
    }
    return newEmail;
  }

  private async newHash(user: User, password: string): Promise<string> {
    const { isRight } = await this.passwords.verify(password, user.encryptedPassword ?? null);
    if (isRight) throw fault('same_password');
    return this.passwords.hash(password);
  }

  /** With confirmation on, the new address waits in `new_email` until it has shown that it answers. */
  private async changeEmail(tx: OpenAccounts, account: Account, email: string): Promise<Account> {
    if (this.settings.mailerAutoconfirm) return setEmail(tx, account, email, true);
    account.user.emailChange = email;
    account.user.emailChangeConfirmStatus = 0;
    return account;
  }
}

/** Writes a new password: what was mailed before it is void, and every other session ends, for one of them may be why it was changed. */
export async function setPassword(tx: OpenAccounts, user: User, passwordHash: string, keptSession?: string): Promise<void> {
  user.encryptedPassword = passwordHash;
  Object.assign(user, {
    confirmationToken: '', confirmationSentAt: null, recoveryToken: '', recoverySentAt: null, emailChangeTokenCurrent: '', emailChangeTokenNew: '',
    emailChangeSentAt: null, phoneChangeToken: '', phoneChangeSentAt: null, reauthenticationToken: '', reauthenticationSentAt: null,
  });
  await tx.dropOneTimeTokens(user.id);
  await tx.endSessions(user.id, keptSession === undefined ? {} : { except: keptSession });
}

/** Writes a new address, also where the account signs in by it. */
export async function setEmail(tx: OpenAccounts, account: Account, email: string, isVerified: boolean): Promise<Account> {
  const { user, identities } = account;
  user.email = email;
  user.emailChange = '';
  if (isVerified) confirmEmail(user);
  user.rawUserMetaData = { ...user.rawUserMetaData, email };
  const identity = identities.find(({ provider }) => provider === 'email');
  if (identity === undefined) return { user, identities: [...identities, await tx.addIdentity(user.id, 'email', emailClaims(user, email, isVerified))] };
  identity.identityData = { ...identity.identityData, email, email_verified: isVerified };
  identity.email = email;
  return account;
}

export function setUserMetadata(user: User, changes: Metadata): void {
  const merged = mergeMetadata(user.rawUserMetaData, changes);
  refuseOversize(merged);
  user.rawUserMetaData = merged;
}

/** Runs a change of accounts and words what the database says against it. */
export async function saving<T>(message: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isDatabaseError(error)) throw error;
    if (error.code === '23505' && error.constraint === 'users_email_partial_key') throw fault('email_exists', { cause: error });
    if (error.code === '23505' && error.constraint === 'users_phone_key') throw fault('phone_exists', { cause: error });
    throw fault('unexpected_failure', { message, cause: error });
  }
}
