import { randomBytes } from 'node:crypto';
import type { Settings } from '@mainstay/config';
import type { Account, Accounts, Device, Metadata, OpenAccounts, User } from '@mainstay/persistence';
import { auditAdmin } from './audit.ts';
import { fault } from './faults.ts';
import { noHooks, type Hooks } from './hooks.ts';
import type { Letters } from './letters.ts';
import type { LinkType, Messages } from './messages.ts';
import { refuseOversize, refuseUnstorable } from './metadata.ts';
import { addAccount } from './new-account.ts';
import { parseEmail } from './parse-address.ts';
import type { PasswordRules } from './password-rules.ts';
import type { Passwords } from './passwords.ts';
import { redirectTarget } from './redirects.ts';
import { saving } from './saving.ts';
import { isEmailConfirmed, viewUser, type UserView } from './views.ts';

export interface InviteRequest {
  readonly email: string;
  readonly data: Metadata;
  readonly redirectTo: string;
}

export interface LinkRequest extends InviteRequest {
  readonly type: string;
  readonly password: string;
  readonly newEmail: string;
}

type LinkSettings = Pick<Settings, 'secureEmailChange' | 'jwtAudience' | 'siteUrl' | 'redirectAllowList'>;

const linkTypes = ['signup', 'invite', 'magiclink', 'recovery', 'email_change_current', 'email_change_new'] as const;
type AskedType = (typeof linkTypes)[number];

/** Invitations, and links that an administrator hands over in another way than by our mails. */
export class Links {
  constructor(
    private readonly accounts: Accounts,
    private readonly passwords: Passwords,
    private readonly rules: PasswordRules,
    private readonly letters: Letters,
    private readonly messages: Messages,
    private readonly settings: LinkSettings,
    private readonly hooks: Hooks = noHooks,
  ) {}

  async invite(request: InviteRequest, device: Device): Promise<UserView> {
    const email = this.checked(request);
    const known = await this.accounts.findByEmail(email);
    if (known !== null && isEmailConfirmed(known)) throw fault('email_exists');
    return saving('Database error inviting user', () => this.accounts.transaction(async (tx) => {
      const { user, identities } = await this.invited(tx, known, email, request.data, device);
      await auditAdmin(tx, 'user_invited', user, device);
      await this.letters.post(tx, user, { type: 'invite', to: email, redirectTo: redirectTarget(this.settings, request.redirectTo), proof: null });
      await tx.write();
      return viewUser({ user, identities });
    }));
  }

  /** Makes a link with its code and posts nothing. @returns the user's fields with the link's beside them */
  async generate(request: LinkRequest, device: Device): Promise<object> {
    const asked = linkTypes.find((type) => type === request.type);
    if (asked === undefined) throw fault('validation_failed', { message: `Invalid email action link type requested: ${request.type}` });
    const email = this.checked(request);
    const known = await this.accounts.findByEmail(email);
    const type = asked === 'magiclink' && known === null ? 'signup' : asked;
    const newEmail = type.startsWith('email_change') ? await this.checkedNewEmail(type, request.newEmail) : '';
    const passwordHash = await this.passwordFor(type, asked, known, request.password);
    const redirectTo = redirectTarget(this.settings, request.redirectTo);
    return saving('Database error creating new user', () => this.accounts.transaction(async (tx) => {
      const account = await this.accountFor(tx, type, known, email, passwordHash, request.data, device);
      const { user } = account;
      await auditAdmin(tx, type === 'invite' ? 'user_invited' : type === 'recovery' || type === 'magiclink' ? 'user_recovery_requested' : 'user_modified', user, device);
      const linkType: LinkType = newEmail === '' ? (type as LinkType) : 'email_change';
      if (newEmail !== '') Object.assign(user, { emailChange: newEmail, emailChangeConfirmStatus: 0 });
      const isForNew = type !== 'email_change_current';
      const change = newEmail === '' ? {} : { change: { isForNew, newEmail } };
      const { code, hash } = await this.letters.make(tx, user, { type: linkType, to: newEmail !== '' && isForNew ? newEmail : email, proof: null, ...change });
      await tx.write();
      return { ...viewUser(account), action_link: this.messages.linkOf(linkType, hash, redirectTo), email_otp: code, hashed_token: hash, verification_type: type, redirect_to: redirectTo };
    }));
  }

  private checked({ email, data }: InviteRequest): string {
    refuseUnstorable(data, 'data');
    refuseOversize(data);
    return parseEmail(email);
  }

  private async checkedNewEmail(type: AskedType, newEmail: string): Promise<string> {
    if (type === 'email_change_current' && !this.settings.secureEmailChange) throw fault('validation_failed', { message: 'Enable secure email change to generate link for current email' });
    const parsed = parseEmail(newEmail);
    if ((await this.accounts.findByEmail(parsed)) !== null) throw fault('email_exists');
    return parsed;
  }

  private async passwordFor(type: AskedType, asked: AskedType, known: User | null, password: string): Promise<string | null> {
    if (type === 'signup' && known !== null && isEmailConfirmed(known)) throw fault('email_exists');
    if (type === 'invite' && known !== null && isEmailConfirmed(known)) throw fault('email_exists');
    if (type !== 'signup') return null;
    if (asked === 'signup' && password === '') throw fault('validation_failed', { message: 'Signup requires a valid password' });
    const chosen = asked === 'magiclink' ? randomBytes(36).toString('base64url') : password;
    if (chosen === password) await this.rules.refuseWeak(password);
    return this.passwords.hash(chosen);
  }

  private async accountFor(tx: OpenAccounts, type: AskedType, known: User | null, email: string, passwordHash: string | null, data: Metadata, device: Device): Promise<Account> {
    if (type === 'invite') return this.invited(tx, known, email, data, device);
    const account = known === null ? null : await tx.lock(known.id);
    if (type === 'signup') {
      if (account === null) return addAccount(tx, { email, phone: null, passwordHash, data }, this.settings.jwtAudience, { hooks: this.hooks, device });
      account.user.encryptedPassword = passwordHash;
      account.user.rawUserMetaData = { ...account.user.rawUserMetaData, ...data };
      return account;
    }
    if (account === null) throw fault('user_not_found', { message: 'User with this email not found' });
    return account;
  }

  private async invited(tx: OpenAccounts, known: User | null, email: string, data: Metadata, device: Device): Promise<Account> {
    const account = known === null ? null : await tx.lock(known.id);
    if (account === null) return addAccount(tx, { email, phone: null, passwordHash: null, data, invitedAt: new Date() }, this.settings.jwtAudience, { hooks: this.hooks, device });
    if (isEmailConfirmed(account.user)) throw fault('email_exists');
    account.user.invitedAt = new Date();
    return account;
  }
}
