import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { Settings } from '@mainstay/config';
import { listAudit, type Account, type Accounts, type AuditSearch, type Device, type KeptAuditEntry, type Metadata, type OpenAccounts, type User, type UserSearch } from '@mainstay/persistence';
import { auditAdmin } from './audit.ts';
import { fault } from './faults.ts';
import { mergeMetadata, refuseUnstorable } from './metadata.ts';
import { claimsOf, confirmEmail } from './new-account.ts';
import { parseEmail, parsePhone } from './parse-address.ts';
import { parseBanDuration } from './parse-duration.ts';
import type { PasswordRules } from './password-rules.ts';
import { isVerifiable, type Passwords } from './passwords.ts';
import { saving } from './saving.ts';
import { setEmail, setPassword } from './user.service.ts';
import { viewUser, type UserView } from './views.ts';

/** What an administrator says about a user; an empty text or null is what a request does not touch. */
export interface AdminChanges {
  readonly id: string;
  readonly aud: string;
  readonly role: string;
  readonly email: string;
  readonly phone: string;
  readonly password: string | null;
  readonly passwordHash: string;
  readonly emailConfirm: boolean;
  readonly phoneConfirm: boolean;
  readonly userMetadata: Metadata | null;
  readonly appMetadata: Metadata | null;
  readonly banDuration: string;
}

/** One page of a list, with what a pager needs to know. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly total: number;
  readonly page: number;
  readonly perPage: number;
  readonly lastPage: number;
}

/** The most that one page holds, whatever is asked. */
const maxPerPage = 1000;

const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const nilUuid = '00000000-0000-0000-0000-000000000000';

/** Accounts as an administrator manages them: by the service key, past every confirmation. */
export class AdminService {
  constructor(
    private readonly accounts: Accounts,
    private readonly passwords: Passwords,
    private readonly rules: PasswordRules,
    private readonly settings: Pick<Settings, 'jwtAudience'>,
  ) {}

  async list(search: UserSearch): Promise<Page<UserView>> {
    refuseUnstorable(search.filter, 'filter');
    const { page, perPage } = search;
    const size = Math.min(perPage, maxPerPage);
    const { accounts, total } = await this.accounts.page({ ...search, perPage: size });
    return { items: accounts.map(viewUser), total, page, perPage: size, lastPage: Math.ceil(total / size) };
  }

  /** What happened to accounts, newest first. */
  async audit(search: AuditSearch): Promise<Page<KeptAuditEntry>> {
    refuseUnstorable(search.text, 'query');
    const { page, perPage } = search;
    const size = Math.min(perPage, maxPerPage);
    const { entries, total } = await listAudit(this.accounts, { ...search, perPage: size });
    return { items: entries, total, page, perPage: size, lastPage: Math.ceil(total / size) };
  }

  async get(id: string): Promise<UserView> {
    return viewUser(await this.find(id));
  }

  async create(request: AdminChanges, device: Device): Promise<UserView> {
    const draft = await this.checkedDraft(request);
    const encryptedPassword = request.passwordHash !== '' ? request.passwordHash : await this.passwords.hash(draft.password);
    return saving('Database error creating new user', () => this.accounts.transaction(async (tx) => {
      const account = await this.add(tx, request, draft, encryptedPassword);
      await auditAdmin(tx, 'user_signedup', account.user, device);
      return viewUser(account);
    }));
  }

  async update(id: string, request: AdminChanges, device: Device): Promise<UserView> {
    const { email, phone } = this.checkedAddresses(request);
    const ban = banFrom(request.banDuration);
    const passwordHash = request.password === null ? null : await this.newHash(request.password);
    await this.find(id);
    return saving('Error updating user', () => this.accounts.transaction(async (tx) => {
      const account = await tx.lock(id);
      if (account === null) throw fault('user_not_found');
      if (passwordHash !== null) await setPassword(tx, account.user, passwordHash);
      const addressed = await setAddresses(tx, account, { email, phone, request });
      setRest(addressed.user, request, ban);
      await auditAdmin(tx, 'user_modified', addressed.user, device);
      await tx.write();
      return viewUser(addressed);
    }));
  }

  /** Deletes a user. Softly: the row stays for those who reference it, and holds nothing by which the person is known. */
  async remove(id: string, isSoft: boolean, device: Device): Promise<void> {
    await this.find(id);
    await saving('Database error deleting user', () => this.accounts.transaction(async (tx) => {
      const account = await tx.lock(id);
      if (account === null) throw fault('user_not_found');
      // Before: it names the person, and afterwards nothing does.
      await auditAdmin(tx, 'user_deleted', account.user, device);
      if (!isSoft) return tx.remove(account.user);
      if (!(account.user.deletedAt instanceof Date)) await forget(tx, account);
    }));
  }

  private async find(id: string): Promise<Account> {
    if (!uuidForm.test(id)) throw fault('validation_failed', { status: 404, message: 'user_id must be an UUID' });
    const account = await this.accounts.find(id);
    if (account === null) throw fault('user_not_found');
    return account;
  }

  private async checkedDraft(request: AdminChanges) {
    const { id, password, passwordHash } = request;
    const { email, phone } = this.checkedAddresses(request);
    if (email === null && phone === null) throw fault('validation_failed', { message: 'Cannot create a user without either an email or phone' });
    if (password !== null && passwordHash !== '') throw fault('validation_failed', { message: 'Only a password or a password hash should be provided' });
    if (passwordHash !== '' && !isVerifiable(passwordHash)) {
      throw fault('validation_failed', { message: 'password_hash must be a bcrypt ($2a$, $2b$, $2y$), argon2 ($argon2i$, $argon2id$) or Firebase scrypt ($fbscrypt$v=1,…) hash of moderate cost' });
    }
    if (id !== '' && !uuidForm.test(id)) throw fault('validation_failed', { message: 'ID must conform to the uuid v4 format' });
    if (id === nilUuid) throw fault('validation_failed', { message: 'ID cannot be a nil uuid' });
    // No password: one that nobody knows, so that the account is like any other and only a recovery opens it.
    const chosen = password === null || password === '' ? randomBytes(36).toString('base64url') : password;
    if (chosen === password) await this.rules.refuseWeak(chosen);
    return { id: id === '' ? randomUUID() : id.toLowerCase(), email, phone, password: chosen, ban: banFrom(request.banDuration) };
  }

  private checkedAddresses({ email, phone, role, aud, userMetadata, appMetadata }: AdminChanges): { email: string | null; phone: string | null } {
    refuseUnstorable({ role, aud }, 'the user');
    if (userMetadata !== null) refuseUnstorable(userMetadata, 'user_metadata');
    if (appMetadata !== null) refuseUnstorable(appMetadata, 'app_metadata');
    return { email: email === '' ? null : parseEmail(email), phone: phone === '' ? null : parsePhone(phone) };
  }

  private async newHash(password: string): Promise<string> {
    await this.rules.refuseWeak(password);
    return this.passwords.hash(password);
  }

  private async add(tx: OpenAccounts, request: AdminChanges, draft: Awaited<ReturnType<AdminService['checkedDraft']>>, encryptedPassword: string): Promise<Account> {
    const { id, email, phone, ban } = draft;
    const providers = [...(email === null ? [] : ['email' as const]), ...(phone === null ? [] : ['phone' as const])];
    const user = await tx.add({
      id,
      email,
      phone,
      encryptedPassword,
      aud: request.aud || this.settings.jwtAudience,
      role: request.role || 'authenticated',
      rawAppMetaData: mergeMetadata({ provider: providers[0], providers }, request.appMetadata ?? {}),
      rawUserMetaData: mergeMetadata({}, request.userMetadata ?? {}),
    });
    const identities = [];
    for (const provider of providers) identities.push(await tx.addIdentity(id, provider, claimsOf(id, { email, phone }, provider, false)));
    if (request.emailConfirm) confirmEmail(user);
    if (request.phoneConfirm) user.phoneConfirmedAt = new Date();
    setBan(user, ban);
    await tx.write();
    return { user, identities };
  }
}

async function setAddresses(tx: OpenAccounts, account: Account, terms: { email: string | null; phone: string | null; request: AdminChanges }): Promise<Account> {
  const { email, phone, request } = terms;
  if (request.emailConfirm) confirmEmail(account.user);
  if (request.phoneConfirm) account.user.phoneConfirmedAt = new Date();
  if ((email !== null && request.emailConfirm) || (phone !== null && request.phoneConfirm)) account.user.isAnonymous = false;
  const mailed = email === null ? account : await setEmail(tx, account, email, request.emailConfirm);
  return phone === null ? mailed : setPhone(tx, mailed, phone, request.phoneConfirm);
}

async function setPhone(tx: OpenAccounts, account: Account, phone: string, isVerified: boolean): Promise<Account> {
  const { user, identities } = account;
  user.phone = phone;
  const identity = identities.find(({ provider }) => provider === 'phone');
  if (identity === undefined) return { ...account, identities: [...identities, await tx.addIdentity(user.id, 'phone', phoneClaims(user.id, phone, isVerified))] };
  identity.identityData = { ...identity.identityData, phone, phone_verified: isVerified };
  return account;
}

function setRest(user: User, { role, appMetadata, userMetadata }: AdminChanges, ban: Ban): void {
  if (role !== '') user.role = role.trim();
  if (appMetadata !== null) user.rawAppMetaData = mergeMetadata(user.rawAppMetaData, appMetadata);
  if (userMetadata !== null) user.rawUserMetaData = mergeMetadata(user.rawUserMetaData, userMetadata);
  setBan(user, ban);
}

/** Undefined: nothing is said about it; null: no ban, or no longer. */
type Ban = number | null | undefined;

function banFrom(text: string): Ban {
  return text === '' ? undefined : parseBanDuration(text);
}

function setBan(user: User, ban: Ban): void {
  if (ban !== undefined) user.bannedUntil = ban === null || ban === 0 ? null : new Date(Date.now() + ban);
}

function phoneClaims(userId: string, phone: string, isVerified: boolean): Record<string, unknown> {
  return { sub: userId, phone, email_verified: false, phone_verified: isVerified };
}

/** Replaces by digests what tells the person, deletes what lets them in, and ends every session. */
async function forget(tx: OpenAccounts, { user, identities }: Account): Promise<void> {
  const blur = (text: string) => createHash('sha256').update(user.id + text).digest('base64url');
  Object.assign(user, {
    email: blur(user.email ?? ''), phone: blur(user.phone ?? '').slice(0, 15), emailChange: blur(user.emailChange ?? ''), phoneChange: blur(user.phoneChange ?? '').slice(0, 15),
    encryptedPassword: null, confirmationToken: '', recoveryToken: '', emailChangeTokenCurrent: '', emailChangeTokenNew: '', phoneChangeToken: '', reauthenticationToken: '',
    rawUserMetaData: {}, rawAppMetaData: {}, deletedAt: new Date(),
  });
  for (const identity of identities) {
    identity.identityData = {};
    identity.providerId = blur(`${identity.provider}:${identity.providerId}`);
  }
  await tx.dropOneTimeTokens(user.id);
  await tx.dropFactors(user.id);
  await tx.endSessions(user.id);
  await tx.write();
}
