import { randomUUID } from 'node:crypto';
import type { Settings } from '@mainstay/config';
import { isDatabaseError, type Account, type Accounts, type Device, type Metadata, type OpenAccounts, type User } from '@mainstay/persistence';
import { fault } from './faults.ts';
import { refuseOversize, refuseUnstorable } from './metadata.ts';
import { parseEmail } from './parse-address.ts';
import { refuseWeakPassword, type Passwords } from './passwords.ts';
import { emailClaims, type OpenSession, type SessionAnswer, type Sessions } from './sessions.service.ts';
import { isEmailConfirmed, viewUser, type UserView } from './views.ts';

export interface SignUpRequest {
  readonly email: string;
  readonly phone: string;
  readonly password: string;
  readonly data: Metadata;
}

type SignUpSettings = Pick<Settings, 'disableSignup' | 'emailEnabled' | 'mailerAutoconfirm' | 'passwordMinLength' | 'jwtAudience'>;

/** What a new account is made of. */
interface Draft {
  readonly email: string;
  readonly passwordHash: string;
  readonly data: Metadata;
}

/** How somebody becomes a user. */
export class SignUp {
  constructor(
    private readonly accounts: Accounts,
    private readonly sessions: Sessions,
    private readonly passwords: Passwords,
    private readonly settings: SignUpSettings,
  ) {}

  /** Makes an account: with a session where addresses are confirmed at once, else the user alone. */
  async signUp(request: SignUpRequest, device: Device): Promise<SessionAnswer | UserView> {
    const { email, password, data } = this.checked(request);
    // Always hashed, and before anything is looked up: a known address must not answer sooner than an unknown one.
    const draft: Draft = { email, data, passwordHash: await this.passwords.hash(password) };
    return this.settings.mailerAutoconfirm ? this.confirmedAtOnce(draft, password, device) : this.toBeConfirmed(draft);
  }

  private checked({ email, phone, password, data }: SignUpRequest): { email: string; password: string; data: Metadata } {
    if (this.settings.disableSignup) throw fault('signup_disabled');
    if (email === '' && phone === '') throw fault('anonymous_provider_disabled');
    if (password === '') throw fault('validation_failed', { message: 'Signup requires a valid password' });
    if (email !== '' && phone !== '') throw fault('validation_failed', { message: 'Only an email address or phone number should be provided on signup.' });
    if (phone !== '') throw fault('phone_provider_disabled');
    if (!this.settings.emailEnabled) throw fault('email_provider_disabled');
    refuseWeakPassword(password, this.settings.passwordMinLength);
    refuseUnstorable(data, 'data');
    refuseOversize(data);
    return { email: parseEmail(email), password, data };
  }

  private async confirmedAtOnce(draft: Draft, password: string, device: Device): Promise<SessionAnswer> {
    const existing = await this.accounts.findByEmail(draft.email);
    const open = existing === null ? await this.addWithSession(draft, device) : await this.takeUp(existing, password, device);
    return this.sessions.answer(open);
  }

  private async addWithSession(draft: Draft, device: Device): Promise<OpenSession> {
    const work = async (tx: OpenAccounts): Promise<OpenSession> => {
      const account = await this.add(tx, draft);
      confirmEmail(account.user);
      return this.sessions.open(tx, account, 'password', device);
    };
    return this.saving(() => this.accounts.transaction(work), () => {
      throw fault('user_already_exists');
    });
  }

  /**
   * The address is known. Who never confirmed it may come back, with the same password only: the address alone proves
   * nothing, and somebody else may have signed up with it first.
   */
  private async takeUp(existing: User, password: string, device: Device): Promise<OpenSession> {
    const isSame = !isEmailConfirmed(existing) && (await this.passwords.verify(password, existing.encryptedPassword ?? null)).isRight;
    if (!isSame) throw fault('user_already_exists');
    return this.accounts.transaction(async (tx) => {
      const account = await tx.lock(existing.id);
      if (account === null || account.user.encryptedPassword !== existing.encryptedPassword) throw fault('user_already_exists');
      confirmEmail(account.user);
      return this.sessions.open(tx, account, 'password', device);
    });
  }

  private async toBeConfirmed(draft: Draft): Promise<UserView> {
    const existing = await this.accounts.findByEmail(draft.email);
    if (existing !== null) return this.likeNew(draft, existing);
    return this.saving(
      async () => viewUser(await this.accounts.transaction((tx) => this.add(tx, draft))),
      async () => this.likeNew(draft, await this.accounts.findByEmail(draft.email)),
    );
  }

  /**
   * What a stranger is told of an address that is taken: an account as if made now, with nothing of the real one. One that still
   * waits for its confirmation keeps its id, since it may be the same person who asks again.
   */
  private likeNew(draft: Draft, existing: User | null): UserView {
    const isWaiting = existing !== null && !isEmailConfirmed(existing);
    const id = isWaiting ? existing.id : randomUUID();
    const now = new Date();
    const identity = { id: randomUUID(), providerId: id, userId: id, provider: 'email', identityData: this.identityOf(draft, id), email: draft.email, lastSignInAt: now, createdAt: now, updatedAt: now };
    return viewUser({ user: { ...this.rowOf(draft, id), createdAt: now, updatedAt: now, isAnonymous: false }, identities: isWaiting ? [identity] : [] });
  }

  private async add(tx: OpenAccounts, draft: Draft): Promise<Account> {
    const user = await tx.add(this.rowOf(draft, randomUUID()));
    const identity = await tx.addIdentity(user.id, 'email', this.identityOf(draft, user.id));
    return { user, identities: [identity] };
  }

  /** The row in one piece: a project's trigger on insert already reads the metadata. */
  private rowOf({ email, passwordHash, data }: Draft, id: string) {
    return {
      id,
      email,
      aud: this.settings.jwtAudience,
      role: 'authenticated',
      encryptedPassword: passwordHash,
      rawAppMetaData: { provider: 'email', providers: ['email'] },
      rawUserMetaData: { ...data, ...emailClaims({ id }, email, false) },
    };
  }

  private identityOf({ data, email }: Draft, userId: string): Metadata {
    return { ...data, ...emailClaims({ id: userId }, email, false) };
  }

  /** Somebody else may take the address between our look and our insert; and a trigger of the project's own may refuse the account. */
  private async saving<T>(work: () => Promise<T>, whenTaken: () => T | Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isDatabaseError(error)) throw error;
      if (error.code === '23505' && error.constraint === 'users_email_partial_key') return whenTaken();
      throw fault('unexpected_failure', { message: 'Database error saving new user', cause: error });
    }
  }
}

/** Marks the address as confirmed. An update of its own, after the insert: projects put triggers on exactly this change. */
export function confirmEmail(user: User): void {
  user.emailConfirmedAt = new Date();
  user.confirmationToken = '';
  user.rawUserMetaData = { ...user.rawUserMetaData, email_verified: true };
}
