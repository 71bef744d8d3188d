import type { Settings } from '@mainstay/config';
import type { Account, Accounts, Device, OneTimeToken, OpenAccounts, TokenType } from '@mainstay/persistence';
import { audit } from './audit.ts';
import { fault } from './faults.ts';
import type { FlowStates } from './flow-states.ts';
import { methodOf } from './letters.ts';
import type { Limits } from './limits.ts';
import type { LinkType } from './messages.ts';
import { confirmEmail, confirmPhone, holdIdentity } from './new-account.ts';
import type { Notices } from './notices.ts';
import type { OneTimeTokens } from './one-time-tokens.ts';
import { parseEmail, parsePhone } from './parse-address.ts';
import { saving } from './saving.ts';
import type { OpenSession, SessionAnswer, Sessions } from './sessions.service.ts';
import { isBanned, isEmailConfirmed } from './views.ts';

export interface VerifyRequest {
  readonly type: string;
  readonly token: string;
  readonly tokenHash: string;
  readonly email: string;
  readonly phone: string;
  readonly redirectTo: string;
}

/** The first half of a change of address that both mailboxes must confirm. */
export interface HalfConfirmed {
  readonly msg: string;
  readonly code: '200';
}

/** How a followed link ends: with a session, with a code for the client that brings its proof, or half-way. */
export type LinkEnd =
  | { readonly kind: 'session'; readonly session: SessionAnswer }
  | { readonly kind: 'code'; readonly code: string }
  | { readonly kind: 'message'; readonly message: string; readonly isPkce: boolean };

/** Which tokens a type of the protocol may spend: by a code that went to an address, and by a link. */
const mailTypes: Readonly<Record<string, readonly TokenType[]>> = {
  signup: ['confirmation_token'],
  invite: ['confirmation_token'],
  recovery: ['recovery_token'],
  magiclink: ['recovery_token'],
  email_change: ['email_change_token_current', 'email_change_token_new'],
  email: ['confirmation_token', 'recovery_token'],
};
const textTypes: Readonly<Record<string, readonly TokenType[]>> = { sms: ['confirmation_token'], phone_change: ['phone_change_token'] };

const halfWay = 'Confirmation link accepted. Please proceed to confirm link sent to the other email';
const isOldLink = 'Email link is invalid or has expired';

type Outcome = OpenSession | { readonly code: string } | { readonly isHalf: true };

/** Where codes and links are spent. */
export class Verify {
  constructor(
    private readonly accounts: Accounts,
    private readonly sessions: Sessions,
    private readonly tokens: OneTimeTokens,
    private readonly flows: FlowStates,
    private readonly limits: Limits,
    private readonly settings: Pick<Settings, 'secureEmailChange' | 'mailerAutoconfirm'>,
    private readonly notices: Notices,
  ) {}

  /** A code that was typed in, or the hash of a link that an application took apart. */
  async verify(request: VerifyRequest, device: Device): Promise<SessionAnswer | HalfConfirmed> {
    const { type, token, tokenHash } = request;
    if (type === '') throw fault('validation_failed', { message: 'Verify requires a verification type' });
    if ((token === '') === (tokenHash === '')) throw fault('validation_failed', { message: 'Verify requires either a token or a token hash' });
    await this.limits.request('verify', device);
    const end = tokenHash === '' ? await this.byCode(request, device) : await this.byHash(request, device);
    return 'isHalf' in end ? { msg: halfWay, code: '200' } : this.sessions.answer(end as OpenSession);
  }

  /** A link that was followed. A hash that began with a proof to come ends with a code. @throws Fault `otp_expired` and others */
  async follow(type: string, hash: string, device: Device): Promise<LinkEnd> {
    if (type === '') throw fault('validation_failed', { message: 'Verify requires a verification type' });
    if (hash === '') throw fault('validation_failed', { message: 'Verify requires a token or a token hash' });
    await this.limits.request('verify', device);
    const isPkce = this.tokens.isPkce(hash);
    const end = await this.spend(this.typesOfLink(type), (tx) => this.tokens.findByHash(tx, hash), isOldLink, device, isPkce ? (type as LinkType) : null);
    if ('isHalf' in end) return { kind: 'message', message: halfWay, isPkce };
    return 'code' in end ? { kind: 'code', code: end.code } : { kind: 'session', session: await this.sessions.answer(end) };
  }

  private async byHash({ type, tokenHash, email, phone, redirectTo }: VerifyRequest, device: Device): Promise<Outcome> {
    if (email !== '' || phone !== '' || redirectTo !== '') throw fault('validation_failed', { message: 'Only the token_hash and type should be provided' });
    return this.spend(this.typesOfLink(type), (tx) => this.tokens.findByHash(tx, tokenHash), isOldLink, device);
  }

  /** Every guess at a code is counted before it is looked at, by the address that it is said to have gone to. */
  private async byCode({ type, token, email, phone }: VerifyRequest, device: Device): Promise<Outcome> {
    if ((email === '') === (phone === '')) throw fault('validation_failed', { message: 'Only an email address or phone number should be provided on verify' });
    const address = phone === '' ? addressOf(email) : parsePhone(phone);
    const known = phone === '' ? mailTypes : textTypes;
    // There is no code of a type that is none, so GoTrue says of it what it says of a wrong one.
    const types = Object.hasOwn(known, type) ? known[type]! : [];
    const guess = await this.limits.guess('code', address, device);
    const end = await this.spend(types, (tx) => this.tokens.findByCode(tx, types, address, token.trim()), 'Token has expired or is invalid', device);
    await guess.wasRight();
    return end;
  }

  private typesOfLink(type: string): readonly TokenType[] {
    if (!Object.hasOwn(mailTypes, type)) throw fault('validation_failed', { message: 'Invalid email verification type' });
    return mailTypes[type]!;
  }

  private async spend(types: readonly TokenType[], find: (tx: OpenAccounts) => Promise<OneTimeToken | null>, refusal: string, device: Device, pkce: LinkType | null = null): Promise<Outcome> {
    const refuse = () => fault('otp_expired', { message: refusal });
    return saving('Database error updating user', () => this.accounts.transaction(async (tx) => {
      const token = await find(tx);
      if (token === null || !types.includes(token.type) || !this.tokens.isFresh(token)) throw refuse();
      const account = await tx.lock(token.userId);
      if (account === null || account.user.deletedAt instanceof Date) throw refuse();
      if (isBanned(account.user)) throw fault('user_banned', { status: 403 });
      if (!(await this.tokens.spend(tx, account.user, token))) throw refuse();
      const changed = await this.effect(tx, account, token, device);
      await tx.write();
      if (changed === 'half') return { isHalf: true } as const;
      if (pkce !== null) return { code: await this.flows.issueCodeFor(tx, account.user.id, methodOf(pkce)) };
      await audit(tx, 'login', changed.user, device, { provider: 'otp' });
      return this.sessions.open(tx, changed, 'otp', device);
    }));
  }

  /** What the token was for. */
  private async effect(tx: OpenAccounts, account: Account, token: OneTimeToken, device: Device): Promise<Account | 'half'> {
    if (token.type === 'email_change_token_current' || token.type === 'email_change_token_new') return this.changeEmail(tx, account, token, device);
    if (token.type === 'phone_change_token') return this.changePhone(tx, account, token, device);
    if (token.relatesTo === (account.user.phone ?? '').replace(/^\+/, '')) return this.confirmPhone(tx, account, device);
    return this.confirmEmail(tx, account, token, device);
  }

  private async confirmEmail(tx: OpenAccounts, account: Account, token: OneTimeToken, device: Device): Promise<Account> {
    const { user } = account;
    // A token that went to an address which is no longer the account's proves nothing about the present one.
    if (token.relatesTo !== (user.email ?? '').toLowerCase()) throw fault('otp_expired');
    if (isEmailConfirmed(user)) return account;
    // Whoever signed up with a password may have been somebody else: only the answer to that very sign-up keeps it.
    if (token.type === 'recovery_token') user.encryptedPassword = null;
    await audit(tx, user.invitedAt instanceof Date ? 'invite_accepted' : 'user_signedup', user, device, { provider: 'email' });
    confirmEmail(user);
    return holdIdentity(tx, account, 'email', true);
  }

  private async confirmPhone(tx: OpenAccounts, account: Account, device: Device): Promise<Account> {
    if (account.user.phoneConfirmedAt instanceof Date) return account;
    await audit(tx, 'user_signedup', account.user, device, { provider: 'phone' });
    confirmPhone(account.user);
    return holdIdentity(tx, account, 'phone', true);
  }

  /** Where both mailboxes must agree, the first answer is only kept. */
  private async changeEmail(tx: OpenAccounts, account: Account, token: OneTimeToken, device: Device): Promise<Account | 'half'> {
    const { user } = account;
    const newEmail = user.emailChange ?? '';
    if (newEmail === '') throw fault('otp_expired');
    const isOther = user.emailChangeConfirmStatus === 0 && this.settings.secureEmailChange && !this.settings.mailerAutoconfirm && (user.email ?? '') !== '';
    if (isOther) {
      user.emailChangeConfirmStatus = 1;
      return 'half';
    }
    await audit(tx, 'user_modified', user, device, { changed: 'email' });
    const oldEmail = user.email ?? '';
    const taken = await takeNewEmail(tx, account, newEmail);
    await this.notices.ofEmail(tx, oldEmail, taken);
    return taken;
  }

  private async changePhone(tx: OpenAccounts, account: Account, token: OneTimeToken, device: Device): Promise<Account> {
    const { user } = account;
    if (token.relatesTo !== user.phoneChange) throw fault('otp_expired');
    await audit(tx, 'user_modified', user, device, { changed: 'phone' });
    const oldPhone = user.phone ?? '';
    const taken = await takeNewPhone(tx, account, user.phoneChange);
    await this.notices.ofPhone(tx, oldPhone, taken);
    return taken;
  }
}

function addressOf(email: string): string {
  try {
    return parseEmail(email);
  } catch (cause) {
    throw fault('validation_failed', { status: 422, message: 'Invalid email format', cause });
  }
}

/** Makes an address that has been confirmed the account's own. An anonymous account is one no more. */
export async function takeNewEmail(tx: OpenAccounts, account: Account, email: string): Promise<Account> {
  const { user } = account;
  Object.assign(user, { email, emailChange: '', emailChangeTokenCurrent: '', emailChangeTokenNew: '', emailChangeConfirmStatus: 0, isAnonymous: false });
  user.rawUserMetaData = { ...user.rawUserMetaData, email };
  confirmEmail(user);
  return holdIdentity(tx, account, 'email', true);
}

/** The same for a number. */
export async function takeNewPhone(tx: OpenAccounts, account: Account, phone: string): Promise<Account> {
  const { user } = account;
  Object.assign(user, { phone, phoneChange: '', phoneChangeToken: '', isAnonymous: false });
  confirmPhone(user);
  return holdIdentity(tx, account, 'phone', true);
}
