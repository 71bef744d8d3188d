import { randomUUID } from 'node:crypto';
import type { Settings } from '@mainstay/config';
import { isDatabaseError, type Account, type Accounts, type Device, type Metadata, type OpenAccounts, type User } from '@mainstay/persistence';
import { audit } from './audit.ts';
import type { EvenTime } from './even-time.ts';
import { fault } from './faults.ts';
import { parseChallenge, type CodeChallenge } from './flow-states.ts';
import { noHooks, type Hooks } from './hooks.ts';
import type { Letters } from './letters.ts';
import type { Limits } from './limits.ts';
import { refuseOversize, refuseUnstorable } from './metadata.ts';
import { addAccount, claimsOf, confirmEmail, confirmPhone, holdIdentity, userRow, type Draft } from './new-account.ts';
import { parseChannel, parseEmail, parsePhone } from './parse-address.ts';
import type { PasswordRules } from './password-rules.ts';
import type { Passwords } from './passwords.ts';
import { redirectTarget } from './redirects.ts';
import { takenBy } from './saving.ts';
import type { OpenSession, SessionAnswer, Sessions } from './sessions.service.ts';
import { isBanned, isEmailConfirmed, isPhoneConfirmed, viewUser, type UserView } from './views.ts';

export interface SignUpRequest {
  readonly email: string;
  readonly phone: string;
  readonly password: string;
  readonly data: Metadata;
  readonly channel: string;
  readonly codeChallenge: string;
  readonly codeChallengeMethod: string;
  readonly redirectTo: string;
}

type SignUpSettings = Pick<
  Settings,
  'disableSignup' | 'emailEnabled' | 'mailerAutoconfirm' | 'phoneEnabled' | 'phoneAutoconfirm' | 'anonymousEnabled' | 'jwtAudience' | 'siteUrl' | 'redirectAllowList'
>;

/** What was asked for, once it has been found right. */
interface Checked {
  readonly draft: Draft;
  readonly address: string;
  readonly provider: 'email' | 'phone';
  readonly channel: 'sms' | 'whatsapp';
  readonly proof: CodeChallenge | null;
  readonly redirectTo: string;
}

/** How somebody becomes a user. */
export class SignUp {
  constructor(
    private readonly accounts: Accounts,
    private readonly sessions: Sessions,
    private readonly passwords: Passwords,
    private readonly rules: PasswordRules,
    private readonly letters: Letters,
    private readonly limits: Limits,
    private readonly evenTime: EvenTime,
    private readonly settings: SignUpSettings,
    private readonly hooks: Hooks = noHooks,
  ) {}

  /** Makes an account: with a session where addresses are confirmed at once and for an anonymous one, else the user alone. */
  async signUp(request: SignUpRequest, device: Device): Promise<SessionAnswer | UserView> {
    if (this.settings.disableSignup) throw fault('signup_disabled');
    if (request.email === '' && request.phone === '') return this.anonymously(request.data, device);
    await this.limits.request('otp', device);
    const checked = await this.checked(request);
    const isConfirmedAtOnce = checked.provider === 'email' ? this.settings.mailerAutoconfirm : this.settings.phoneAutoconfirm;
    // Before anything is looked up, and whatever there is: a known address must not answer otherwise or sooner than an unknown one.
    if (!isConfirmedAtOnce) await (checked.provider === 'email' ? this.limits.mail('signup', checked.address) : this.limits.text(checked.address));
    const draft = { ...checked.draft, passwordHash: await this.passwords.hash(request.password) };
    return isConfirmedAtOnce ? this.confirmedAtOnce({ ...checked, draft }, request.password, device) : this.evenTime.run(() => this.toBeConfirmed({ ...checked, draft }, device));
  }

  private async checked({ email, phone, password, data, channel, codeChallenge, codeChallengeMethod, redirectTo }: SignUpRequest): Promise<Checked> {
    if (password === '') throw fault('validation_failed', { message: 'Signup requires a valid password' });
    if (email !== '' && phone !== '') throw fault('validation_failed', { message: 'Only an email address or phone number should be provided on signup.' });
    if (phone !== '' && !this.settings.phoneEnabled) throw fault('phone_provider_disabled');
    if (email !== '' && !this.settings.emailEnabled) throw fault('email_provider_disabled');
    const proof = parseChallenge(codeChallenge, codeChallengeMethod);
    refuseUnstorable(data, 'data');
    refuseOversize(data);
    const [mail, number] = [email === '' ? null : parseEmail(email), phone === '' ? null : parsePhone(phone)];
    await this.rules.refuseWeak(password);
    return {
      draft: { email: mail, phone: number, passwordHash: null, data },
      address: (mail ?? number)!,
      provider: mail === null ? 'phone' : 'email',
      channel: parseChannel(channel),
      proof,
      redirectTo: redirectTarget(this.settings, redirectTo),
    };
  }

  private async anonymously(data: Metadata, device: Device): Promise<SessionAnswer> {
    if (!this.settings.anonymousEnabled) throw fault('anonymous_provider_disabled');
    refuseUnstorable(data, 'data');
    refuseOversize(data);
    await this.limits.request('anonymous', device);
    const open = await this.saving(() => this.accounts.transaction(async (tx) => {
      const account = await addAccount(tx, { email: null, phone: null, passwordHash: null, data }, this.settings.jwtAudience, { hooks: this.hooks, device });
      await audit(tx, 'user_signedup', account.user, device, { provider: 'anonymous' });
      return this.sessions.open(tx, account, 'anonymous', device);
    }));
    return this.sessions.answer(open);
  }

  private async confirmedAtOnce(checked: Checked, password: string, device: Device): Promise<SessionAnswer> {
    const existing = await this.find(checked);
    return this.sessions.answer(existing === null ? await this.addWithSession(checked, device) : await this.takeUp(checked, existing, password, device));
  }

  private async addWithSession(checked: Checked, device: Device): Promise<OpenSession> {
    return this.saving(() => this.accounts.transaction(async (tx) => {
      const added = await addAccount(tx, checked.draft, this.settings.jwtAudience, { hooks: this.hooks, device });
      return this.openConfirmed(tx, checked, added, device);
    }), () => {
      throw fault('user_already_exists');
    });
  }

  /**
   * The address is known. Who never confirmed it may come back, with the same password only: the address alone proves
   * nothing, and somebody else may have signed up with it first.
   */
  private async takeUp(checked: Checked, existing: User, password: string, device: Device): Promise<OpenSession> {
    if (isConfirmed(checked, existing)) throw fault('user_already_exists');
    // It is a sign-in too, and guesses at its password are counted with the others.
    const guess = await this.limits.guess('password', checked.address, device);
    if (!(await this.passwords.verify(password, existing.encryptedPassword ?? null)).isRight) throw fault('user_already_exists');
    await guess.wasRight();
    if (isBanned(existing)) throw fault('user_banned');
    return this.accounts.transaction(async (tx) => {
      const account = await tx.lock(existing.id);
      if (account === null || account.user.encryptedPassword !== existing.encryptedPassword) throw fault('user_already_exists');
      return this.openConfirmed(tx, checked, account, device);
    });
  }

  private async openConfirmed(tx: OpenAccounts, { provider }: Checked, account: Account, device: Device): Promise<OpenSession> {
    if (provider === 'email') confirmEmail(account.user);
    else confirmPhone(account.user);
    await audit(tx, 'user_signedup', account.user, device, { provider });
    const held = provider === 'phone' ? await holdIdentity(tx, account, provider, true) : account;
    return this.sessions.open(tx, held, 'password', device);
  }

  private async toBeConfirmed(checked: Checked, device: Device): Promise<UserView> {
    const existing = await this.find(checked);
    if (existing !== null) return this.repeated(checked, existing, device);
    return this.saving(
      () => this.accounts.transaction(async (tx) => {
        const account = await addAccount(tx, checked.draft, this.settings.jwtAudience, { hooks: this.hooks, device });
        await this.askToConfirm(tx, checked, account, device);
        return viewUser(account);
      }),
      async () => this.repeated(checked, (await this.find(checked))!, device),
    );
  }

  /**
   * Who waits for a confirmation may ask again. What was said last counts, password and metadata too, and earlier links are void:
   * somebody else may have signed up with this address first, to sign in with a password of theirs once its owner has confirmed it.
   */
  private async repeated(checked: Checked, existing: User, device: Device): Promise<UserView> {
    return this.accounts.transaction(async (tx) => {
      const account = isConfirmed(checked, existing) ? null : await tx.lock(existing.id);
      if (account === null || isConfirmed(checked, account.user)) {
        await audit(tx, 'user_repeated_signup', existing, device, { provider: checked.provider });
        await this.letters.pretend(tx, device, checked.provider === 'phone' ? 'sms' : 'email');
        return this.likeNew(checked);
      }
      const { draft } = checked;
      account.user.encryptedPassword = draft.passwordHash;
      account.user.rawUserMetaData = { ...draft.data, ...claimsOf(account.user.id, draft, checked.provider, false) };
      await this.askToConfirm(tx, checked, account, device);
      return viewUser(account);
    });
  }

  private async askToConfirm(tx: OpenAccounts, { provider, address, channel, proof, redirectTo }: Checked, { user }: Account, device: Device): Promise<void> {
    await audit(tx, 'user_confirmation_requested', user, device, { provider });
    if (provider === 'email') await this.letters.post(tx, user, { type: 'signup', to: address, redirectTo, proof });
    else await this.letters.text(tx, user, 'confirmation_token', address, channel);
    await tx.write();
  }

  /** What a stranger is told of an address that is taken: an account as if made now, with nothing of the real one. */
  private likeNew({ draft }: Checked): UserView {
    const now = new Date();
    return viewUser({ user: { ...userRow(draft, randomUUID(), this.settings.jwtAudience), confirmationSentAt: now, createdAt: now, updatedAt: now, isAnonymous: false }, identities: [] });
  }

  private find({ draft }: Checked): Promise<User | null> {
    return draft.email === null ? this.accounts.findByPhone(draft.phone!) : this.accounts.findByEmail(draft.email);
  }

  /** Somebody else may take the address between our look and our insert; and a trigger of the project's own may refuse the account. */
  private async saving<T>(work: () => Promise<T>, whenTaken?: () => T | Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isDatabaseError(error)) throw error;
      if (whenTaken !== undefined && takenBy(error) !== null) return whenTaken();
      throw fault('unexpected_failure', { message: 'Database error saving new user', cause: error });
    }
  }
}

function isConfirmed({ provider }: Pick<Checked, 'provider'>, user: User): boolean {
  return provider === 'email' ? isEmailConfirmed(user) : isPhoneConfirmed(user);
}
