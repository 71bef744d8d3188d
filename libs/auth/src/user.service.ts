import type { Settings } from '@mainstay/config';
import { listMethods, type Account, type Accounts, type Device, type Metadata, type OpenAccounts, type User } from '@mainstay/persistence';
import { audit } from './audit.ts';
import { fault } from './faults.ts';
import { parseChallenge, type CodeChallenge } from './flow-states.ts';
import type { Letters } from './letters.ts';
import type { Guess, Limits } from './limits.ts';
import { mergeMetadata, refuseOversize, refuseUnstorable } from './metadata.ts';
import { confirmEmail, holdIdentity } from './new-account.ts';
import type { Notices } from './notices.ts';
import type { OneTimeTokens } from './one-time-tokens.ts';
import { parseChannel, parseEmail, parsePhone } from './parse-address.ts';
import type { PasswordRules } from './password-rules.ts';
import type { Passwords } from './passwords.ts';
import type { Recover } from './recover.service.ts';
import { redirectTarget } from './redirects.ts';
import { saving } from './saving.ts';
import type { SignedIn } from './sessions.service.ts';
import { takeNewEmail, takeNewPhone } from './verify.service.ts';
import { viewUser, type UserView } from './views.ts';

/** What users may change about themselves; empty or null is what a request does not touch. */
export interface UserChanges {
  readonly email: string;
  readonly phone: string;
  readonly password: string | null;
  readonly data: Metadata | null;
  readonly appMetadata: Metadata | null;
  readonly nonce: string;
  readonly currentPassword: string | null;
  readonly channel: string;
  readonly codeChallenge: string;
  readonly codeChallengeMethod: string;
  readonly redirectTo: string;
}

type UserSettings = Pick<
  Settings,
  'mailerAutoconfirm' | 'phoneAutoconfirm' | 'phoneEnabled' | 'reauthenticatesForPassword' | 'currentPasswordForPassword' | 'siteUrl' | 'redirectAllowList'
>;

/** What is to become of an account. */
interface Plan {
  readonly newEmail: string | null;
  readonly newPhone: string | null;
  readonly newHash: string | null;
  readonly proof: CodeChallenge | null;
  /** A nonce that was counted before it is looked at. */
  readonly guess: Guess | null;
}

/** A session this young needs no nonce for a new password. */
const freshSessionMs = 24 * 3_600_000;

/** How a session began that a mailbox or a number opened, by the words of `amr`. */
const recoveryMethods = ['otp', 'magiclink', 'recovery'];

/** What a user sees and changes of the account. */
export class UserService {
  constructor(
    private readonly accounts: Accounts,
    private readonly passwords: Passwords,
    private readonly rules: PasswordRules,
    private readonly tokens: OneTimeTokens,
    private readonly letters: Letters,
    private readonly recover: Recover,
    private readonly limits: Limits,
    private readonly settings: UserSettings,
    private readonly notices: Notices,
  ) {}

  view({ account }: SignedIn): UserView {
    return viewUser(account);
  }

  async update(signedIn: SignedIn, changes: UserChanges, device: Device): Promise<UserView> {
    const { user } = signedIn.account;
    const plan = await this.planned(signedIn, changes, device);
    const view = await saving('Error updating user', () => this.accounts.transaction(async (tx) => {
      let account = await tx.lock(user.id);
      if (account === null) throw fault('user_not_found', { status: 403, message: 'User from sub claim in JWT does not exist' });
      await refuseWithoutFactor(tx, signedIn, plan);
      if (plan.newHash !== null) await this.changePassword(tx, account.user, plan, signedIn, changes, device);
      if (changes.data !== null) setUserMetadata(account.user, changes.data);
      if (plan.newEmail !== null) account = await this.changeEmail(tx, account, plan.newEmail, plan.proof, changes.redirectTo);
      if (plan.newPhone !== null) account = await this.changePhone(tx, account, plan.newPhone, changes.channel);
      await audit(tx, 'user_modified', account.user, device);
      await tx.write();
      return viewUser(account);
    }));
    await plan.guess?.wasRight();
    return view;
  }

  /** Everything that may be refused, hashed or counted before a row is locked. */
  private async planned(signedIn: SignedIn, changes: UserChanges, device: Device): Promise<Plan> {
    const { user } = signedIn.account;
    const { email, phone, password, data, appMetadata } = changes;
    if (appMetadata !== null) throw fault('not_admin', { message: 'Updating app_metadata requires admin privileges' });
    if (data !== null) refuseUnstorable(data, 'data');
    const [givenEmail, givenPhone] = [email === '' ? null : parseEmail(email), phone === '' ? null : parsePhone(phone)];
    const newEmail = givenEmail === user.email ? null : givenEmail;
    const newPhone = givenPhone === user.phone ? null : givenPhone;
    if (user.isSsoUser && (password !== null || newEmail !== null || newPhone !== null)) throw fault('user_sso_managed');
    if (newPhone !== null && !this.settings.phoneEnabled) throw fault('phone_provider_disabled', { message: 'Unsupported phone provider' });
    const proof = parseChallenge(changes.codeChallenge, changes.codeChallengeMethod);
    const newHash = password === null ? null : await this.newHash(signedIn, password, changes, device);
    const guess = newHash !== null && this.needsNonce(signedIn) ? await this.countNonce(user, changes.nonce, device) : null;
    // Its owner has to be told that an address is taken; nobody may ask for many.
    if (newEmail !== null || newPhone !== null) await this.limits.request('otp', device);
    await this.refuseTaken(newEmail, newPhone);
    if (newEmail !== null && !this.takesAtOnce(user)) {
      await this.limits.mail('email_change', user.id);
      await this.limits.mail('email_change', newEmail);
    }
    if (newPhone !== null && !this.settings.phoneAutoconfirm) await this.limits.text(newPhone);
    return { newEmail, newPhone, newHash, proof, guess };
  }

  private async refuseTaken(email: string | null, phone: string | null): Promise<void> {
    if (email !== null && (await this.accounts.findByEmail(email)) !== null) throw fault('email_exists');
    if (phone !== null && (await this.accounts.findByPhone(phone)) !== null) throw fault('phone_exists', { message: 'A user with this phone number has already been registered' });
  }

  private async newHash(signedIn: SignedIn, password: string, { currentPassword, email, phone }: UserChanges, device: Device): Promise<string> {
    const { user } = signedIn.account;
    if (user.isAnonymous && (user.email ?? '') === '' && (user.phone ?? '') === '' && email === '' && phone === '') {
      throw fault('validation_failed', { status: 422, message: 'Updating password of an anonymous user without an email or phone is not allowed' });
    }
    await this.rules.refuseWeak(password);
    const stored = user.encryptedPassword ?? null;
    if (this.settings.currentPasswordForPassword && stored !== null && !(await this.isRecovery(signedIn))) await this.refuseWrongCurrent(user, stored, currentPassword, device);
    const { isRight } = await this.passwords.verify(password, stored);
    if (isRight) throw fault('same_password');
    return this.passwords.hash(password);
  }

  /** A session that a mail or a message opened: whoever has forgotten the password cannot be asked for it. */
  private async isRecovery({ session }: SignedIn): Promise<boolean> {
    const methods = session === null ? [] : await listMethods(this.accounts, session.id);
    return methods.some((method) => recoveryMethods.includes(method));
  }

  private async refuseWrongCurrent(user: User, stored: string, current: string | null, device: Device): Promise<void> {
    if (current === null || current === '') throw fault('current_password_required');
    const guess = await this.limits.guess('password', user.id, device);
    if (!(await this.passwords.verify(current, stored)).isRight) throw fault('current_password_invalid');
    await guess.wasRight();
  }

  private needsNonce({ session }: SignedIn): boolean {
    const isFresh = session?.createdAt instanceof Date && Date.now() - session.createdAt.getTime() < freshSessionMs;
    return this.settings.reauthenticatesForPassword && !isFresh;
  }

  private async countNonce(user: User, nonce: string, device: Device): Promise<Guess> {
    if (nonce === '') throw fault('reauthentication_needed');
    return this.limits.guess('code', user.id, device);
  }

  private async changePassword(tx: OpenAccounts, user: User, { newHash, guess }: Plan, { session }: SignedIn, { nonce }: UserChanges, device: Device): Promise<void> {
    if (guess !== null) await this.spendNonce(tx, user, nonce);
    await setPassword(tx, user, newHash!, session?.id);
    await audit(tx, 'user_updated_password', user, device);
    await this.notices.tell(tx, 'password_changed', user);
  }

  private async spendNonce(tx: OpenAccounts, user: User, nonce: string): Promise<void> {
    const address = (user.email ?? '') === '' ? (user.phone ?? '') : user.email!.toLowerCase();
    const token = await this.tokens.findByCode(tx, ['reauthentication_token'], address, nonce);
    const isRight = token !== null && token.userId === user.id && this.tokens.isFresh(token) && (await this.tokens.spend(tx, user, token));
    if (!isRight) throw fault('reauthentication_not_valid');
  }

  /** An anonymous account signs up by its first address; whoever has one shows that a new one is theirs, whatever sign-ups need. */
  private takesAtOnce({ isAnonymous }: User): boolean {
    return isAnonymous && this.settings.mailerAutoconfirm;
  }

  /** The new address waits in `new_email` until it has shown that it answers. */
  private async changeEmail(tx: OpenAccounts, account: Account, email: string, proof: CodeChallenge | null, redirectTo: string): Promise<Account> {
    if (this.takesAtOnce(account.user)) return takeNewEmail(tx, account, email);
    account.user.emailChange = email;
    await this.recover.postEmailChange(tx, account.user, { redirectTo: redirectTarget(this.settings, redirectTo), proof });
    return account;
  }

  private async changePhone(tx: OpenAccounts, account: Account, phone: string, channel: string): Promise<Account> {
    if (this.settings.phoneAutoconfirm) {
      const oldPhone = account.user.phone ?? '';
      const taken = await takeNewPhone(tx, account, phone);
      await this.notices.ofPhone(tx, oldPhone, taken);
      return taken;
    }
    account.user.phoneChange = phone;
    await this.letters.text(tx, account.user, 'phone_change_token', phone, parseChannel(channel));
    return account;
  }
}

/** Who has a second factor must have shown it before an address or the password changes. */
async function refuseWithoutFactor(tx: OpenAccounts, { account, session }: SignedIn, { newEmail, newPhone, newHash }: Plan): Promise<void> {
  if (newEmail === null && newPhone === null && newHash === null) return;
  if (session?.aal === 'aal2' || session?.aal === 'aal3') return;
  const verified = await tx.rows(`select 1 from auth.mfa_factors where user_id = $1::uuid and status = 'verified' limit 1`, [account.user.id]);
  if (verified.length > 0) throw fault('insufficient_aal');
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
  const { user } = account;
  user.email = email;
  user.emailChange = '';
  if (isVerified) confirmEmail(user);
  user.rawUserMetaData = { ...user.rawUserMetaData, email };
  return holdIdentity(tx, account, 'email', isVerified);
}

export function setUserMetadata(user: User, changes: Metadata): void {
  const merged = mergeMetadata(user.rawUserMetaData, changes);
  refuseOversize(merged);
  user.rawUserMetaData = merged;
}
