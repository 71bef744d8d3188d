import { randomUUID } from 'node:crypto';
import type { Settings } from '@mainstay/config';
import {
  dropIdentity, dropOtherIdentities, findIdentityOwner, isDatabaseError, isEmailTaken, listOwnersOfEmail, type Account, type Accounts, type Device, type Identity, type OpenAccounts, type User,
} from '@mainstay/persistence';
import { audit } from './audit.ts';
import { beforeUserCreated } from './birth-hook.ts';
import { fault } from './faults.ts';
import { noHooks, type Hooks } from './hooks.ts';
import type { Letters } from './letters.ts';
import type { Limits } from './limits.ts';
import { mergeMetadata } from './metadata.ts';
import { confirmEmail } from './new-account.ts';
import type { Notices } from './notices.ts';
import { primaryOf, type Profile, type ProviderEmail } from './provider-profiles.ts';
import { isBanned, isEmailConfirmed, isPhoneConfirmed } from './views.ts';

/** Who came from another provider, and where the application wants its user. */
export interface Arrival {
  readonly provider: string;
  readonly profile: Profile;
  readonly isEmailOptional: boolean;
  readonly redirectTo: string;
}

/** Either they are in, or their address must first answer a mail; null: it is taken, and nobody is told so. */
type Entry<T> = { readonly kind: 'in'; readonly value: T } | { readonly kind: 'unverified'; readonly userId: string | null; readonly email: string };

type OutsideSettings = Pick<Settings, 'disableSignup' | 'mailerAutoconfirm' | 'allowsUnverifiedSignIns' | 'jwtAudience'>;

/**
 * Accounts of people whom another provider vouches for. An address joins two ways of signing in only where the provider has
 * verified it; and an account that was waiting for its address to be confirmed loses everything that somebody else may have put there.
 */
export class OutsideAccounts {
  constructor(
    private readonly accounts: Accounts,
    private readonly letters: Letters,
    private readonly limits: Limits,
    private readonly settings: OutsideSettings,
    private readonly notices: Notices,
    private readonly hooks: Hooks = noHooks,
  ) {}

  /**
   * Finds, joins or makes the account, and does `work` with it in the same transaction.
   * @throws Fault `provider_email_needs_verification` when a mail has been sent instead
   */
  async enter<T>(arrival: Arrival, device: Device, work: (tx: OpenAccounts, account: Account) => Promise<T>): Promise<T> {
    const entry = await this.onceMore(() => this.accounts.transaction(async (tx) => {
      const found = await this.find(tx, arrival, device);
      if (found.kind === 'unverified') return found;
      if (isBanned(found.value.user)) throw fault('user_banned', { status: 403 });
      return { kind: 'in' as const, value: await work(tx, found.value) };
    }));
    return entry.kind === 'in' ? entry.value : this.askToConfirm(arrival, entry, device);
  }

  /** Gives an account another way of signing in. @throws Fault `identity_already_exists`, `email_exists` */
  async link<T>(userId: string, { provider, profile }: Arrival, device: Device, work: (tx: OpenAccounts, account: Account) => Promise<T>): Promise<T> {
    return this.onceMore(() => this.accounts.transaction(async (tx) => {
      const owner = await findIdentityOwner(tx, provider, profile.subject);
      if (owner !== null) throw fault('identity_already_exists', { message: owner === userId ? 'Identity is already linked' : 'Identity is already linked to another user' });
      const locked = await tx.lock(userId);
      if (locked === null || locked.user.deletedAt instanceof Date) throw fault('user_not_found', { status: 403, message: 'User from sub claim in JWT does not exist' });
      if (isBanned(locked.user)) throw fault('user_banned', { status: 403 });
      const account = await this.withIdentity(tx, locked, provider, profile);
      await takeAddress(tx, account.user, profile);
      account.user.isAnonymous = false;
      await audit(tx, 'identity_linked', account.user, device, { provider, provider_id: profile.subject });
      await this.notices.tell(tx, 'identity_linked', account.user, { provider });
      return work(tx, account);
    }));
  }

  /** Takes a way of signing in away; one must be left. */
  async unlink(userId: string, identityId: string, device: Device): Promise<void> {
    await this.accounts.transaction(async (tx) => {
      const account = await tx.lock(userId);
      if (account === null) throw fault('user_not_found', { status: 403, message: 'User from sub claim in JWT does not exist' });
      const { user, identities } = account;
      if (identities.length <= 1) throw fault('single_identity_not_deletable');
      const gone = identities.find(({ id }) => id === identityId);
      if (gone === undefined) throw fault('identity_not_found', { message: "Identity doesn't exist" });
      const kept = identities.filter((identity) => identity !== gone);
      // With the identity its address may go, and it is its reader who has to know.
      const to = user.email ?? '';
      await audit(tx, 'identity_unlinked', user, device, { identity_id: gone.id, provider: gone.provider, provider_id: gone.providerId });
      await dropIdentity(tx, gone.id);
      if (gone.provider === 'phone') Object.assign(user, { phone: null, phoneConfirmedAt: null });
      else moveAddress(user, kept);
      listProviders(user, kept);
      await tx.write();
      await this.notices.tell(tx, 'identity_unlinked', user, { provider: gone.provider, to });
    }).catch((error: unknown) => {
      if (isDatabaseError(error) && error.code === '23505') throw fault('email_conflict_identity_not_deletable', { cause: error });
      throw error;
    });
  }

  private async find(tx: OpenAccounts, arrival: Arrival, device: Device): Promise<Entry<Account>> {
    const { provider, profile } = arrival;
    const owner = await findIdentityOwner(tx, provider, profile.subject);
    if (owner !== null) return this.comeBack(tx, owner, arrival, device);
    const owners = new Set<string>();
    for (const { email, isVerified } of profile.emails) if (isVerified) for (const id of await listOwnersOfEmail(tx, email)) owners.add(id);
    if (owners.size > 1) throw fault('unexpected_failure', { message: 'Multiple accounts with the same email address in the same linking domain detected: default' });
    const [joined] = owners;
    return joined === undefined ? this.create(tx, arrival, device) : this.join(tx, joined, arrival, device);
  }

  private async comeBack(tx: OpenAccounts, owner: string, { provider, profile }: Arrival, device: Device): Promise<Entry<Account>> {
    const account = await locked(tx, owner);
    const identity = account.identities.find((each) => each.provider === provider && each.providerId === profile.subject)!;
    identity.identityData = profile.data;
    identity.lastSignInAt = new Date();
    const { user } = account;
    user.rawUserMetaData = mergeMetadata(user.rawUserMetaData, profile.data);
    if ((user.email ?? '') === '' || isEmailConfirmed(user) || isPhoneConfirmed(user)) return signedIn(account);
    if (hasVerified(profile, user.email!)) return signedIn(await this.prove(tx, account, identity, device));
    return this.mayEnterUnverified ? signedIn(account) : { kind: 'unverified', userId: user.id, email: user.email!.toLowerCase() };
  }

  /** The verified address is known here: this is the same person. */
  private async join(tx: OpenAccounts, owner: string, { provider, profile }: Arrival, device: Device): Promise<Entry<Account>> {
    const account = await this.withIdentity(tx, await locked(tx, owner), provider, profile);
    const { user, identities } = account;
    await audit(tx, 'identity_linked', user, device, { provider, provider_id: profile.subject });
    if (!isEmailConfirmed(user) && hasVerified(profile, user.email ?? '')) return signedIn(await this.prove(tx, account, identities.at(-1)!, device));
    user.rawUserMetaData = mergeMetadata(user.rawUserMetaData, profile.data);
    await this.notices.tell(tx, 'identity_linked', user, { provider });
    return signedIn(account);
  }

  private async create(tx: OpenAccounts, arrival: Arrival, device: Device): Promise<Entry<Account>> {
    const { provider, profile, isEmailOptional } = arrival;
    if (this.settings.disableSignup) throw fault('signup_disabled');
    const address = chosenAddress(profile);
    if (address === null && !isEmailOptional) throw fault('unexpected_failure', { message: 'Error getting user email from external provider' });
    const isUnverified = address !== null && !address.isVerified;
    if (isUnverified && (await isEmailTaken(tx, address.email))) return { kind: 'unverified', userId: null, email: address.email };
    const row = {
      id: randomUUID(), email: address?.email ?? null, phone: null, aud: this.settings.jwtAudience, role: 'authenticated', encryptedPassword: null, isAnonymous: false,
      rawAppMetaData: { provider, providers: [provider] }, rawUserMetaData: profile.data,
    };
    await beforeUserCreated(tx, row, { hooks: this.hooks, device });
    const user = await tx.add(row);
    const account: Account = { user, identities: [await tx.addIdentity(user.id, provider, profile.data, profile.subject)] };
    const isConfirmed = address?.isVerified === true || (isUnverified && this.settings.mailerAutoconfirm);
    if (isConfirmed) confirmEmail(user);
    if (isUnverified && !this.mayEnterUnverified) return { kind: 'unverified', userId: user.id, email: address.email };
    await audit(tx, 'user_signedup', user, device, { provider });
    return signedIn(account);
  }

  private get mayEnterUnverified(): boolean {
    return this.settings.mailerAutoconfirm || this.settings.allowsUnverifiedSignIns;
  }

  /**
   * The provider has shown whose the address is. Whoever wrote it here before never did: their password, number, identities,
   * factors, sessions and links go, so that nobody has laid a way in beforehand.
   */
  private async prove(tx: OpenAccounts, { user }: Account, identity: Identity, device: Device): Promise<Account> {
    await dropOtherIdentities(tx, user.id, identity.id);
    await tx.dropOneTimeTokens(user.id);
    await tx.dropFactors(user.id);
    await tx.endSessions(user.id);
    Object.assign(user, {
      encryptedPassword: null, phone: null, phoneConfirmedAt: null, phoneChange: '', phoneChangeToken: '', emailChange: '', emailChangeTokenNew: '', emailChangeTokenCurrent: '', emailChangeConfirmStatus: 0,
      recoveryToken: '', reauthenticationToken: '', rawUserMetaData: identity.identityData,
    });
    listProviders(user, [identity]);
    await audit(tx, 'user_signedup', user, device, { provider: identity.provider });
    confirmEmail(user);
    await tx.write();
    return { user, identities: [identity] };
  }

  private async withIdentity(tx: OpenAccounts, account: Account, provider: string, profile: Profile): Promise<Account> {
    const identities = [...account.identities, await tx.addIdentity(account.user.id, provider, profile.data, profile.subject)];
    listProviders(account.user, identities);
    return { ...account, identities };
  }

  /** Asks the address itself, by a mail, in the same way whether or not it is somebody's here. */
  private async askToConfirm({ provider, redirectTo }: Arrival, { userId, email }: { readonly userId: string | null; readonly email: string }, device: Device): Promise<never> {
    await this.limits.mail('signup', email);
    await this.accounts.transaction(async (tx) => {
      const account = userId === null ? null : await tx.lock(userId);
      if (account === null) return this.letters.pretend(tx, device);
      await audit(tx, 'user_confirmation_requested', account.user, device, { provider });
      await this.letters.post(tx, account.user, { type: 'signup', to: email, redirectTo, proof: null });
      await tx.write();
    });
    throw fault('provider_email_needs_verification', { message: `Unverified email with ${provider}. A confirmation email has been sent to your ${provider} email` });
  }

  /** Two browsers may bring the same new identity at once: the slower one finds what the faster one made. */
  private async onceMore<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isDatabaseError(error)) throw error;
      if (error.constraint === 'identities_provider_id_provider_unique' || error.constraint === 'users_email_partial_key') return work();
      throw fault('unexpected_failure', { message: 'Database error saving new user', cause: error });
    }
  }
}

function signedIn(account: Account): Entry<Account> {
  return { kind: 'in', value: account };
}

async function locked(tx: OpenAccounts, id: string): Promise<Account> {
  const account = await tx.lock(id);
  if (account === null || account.user.deletedAt instanceof Date) throw fault('user_not_found', { status: 403 });
  return account;
}

function hasVerified({ emails }: Profile, address: string): boolean {
  return emails.some(({ email, isVerified }) => isVerified && email === address.toLowerCase());
}

/** A verified address before any other. */
function chosenAddress({ emails }: Profile): ProviderEmail | null {
  return primaryOf(emails.filter(({ isVerified }) => isVerified)) ?? primaryOf(emails);
}

/** An account without an address takes one that the provider has verified. */
async function takeAddress(tx: OpenAccounts, user: User, profile: Profile): Promise<void> {
  const address = chosenAddress(profile);
  if ((user.email ?? '') !== '' || address === null || !address.isVerified) return;
  if (await isEmailTaken(tx, address.email)) throw fault('email_exists', { status: 400 });
  user.email = address.email;
  confirmEmail(user);
}

/** Whose address came with the identity that goes gets that of another. */
function moveAddress(user: User, kept: readonly Identity[]): void {
  const addresses = kept.flatMap(({ identityData }) => (typeof identityData['email'] === 'string' ? [{ email: identityData['email'].toLowerCase(), isVerified: identityData['email_verified'] === true }] : []));
  if ((user.email ?? '') === '' || addresses.some(({ email }) => email === user.email!.toLowerCase())) return;
  const next = addresses.find(({ isVerified }) => isVerified);
  Object.assign(user, { email: next?.email ?? null, emailConfirmedAt: next === undefined ? null : user.emailConfirmedAt });
}

/** `app_metadata` names the first way of signing in, and all of them. */
function listProviders(user: User, identities: readonly Identity[]): void {
  const providers = [...new Set(identities.map(({ provider }) => provider))];
  user.rawAppMetaData = { ...user.rawAppMetaData, provider: providers[0], providers };
}
