import { randomUUID } from 'node:crypto';
import type { Account, Metadata, OpenAccounts, User } from '@mainstay/persistence';
import { beforeUserCreated, type Birth } from './birth-hook.ts';

/** What a new account is made of. Without an address and a number it is an anonymous one. */
export interface Draft {
  readonly email: string | null;
  readonly phone: string | null;
  readonly passwordHash: string | null;
  readonly data: Metadata;
  readonly invitedAt?: Date;
}

export type OwnProvider = 'email' | 'phone';

export function providersOf({ email, phone }: Pick<Draft, 'email' | 'phone'>): OwnProvider[] {
  return [...(email === null ? [] : ['email' as const]), ...(phone === null ? [] : ['phone' as const])];
}

/** Writes an account with the ways by which it signs in, all of them unconfirmed. */
export async function addAccount(tx: OpenAccounts, draft: Draft, audience: string, birth: Birth): Promise<Account> {
  const row = userRow(draft, randomUUID(), audience);
  await beforeUserCreated(tx, row, birth);
  const user = await tx.add(row);
  const identities = [];
  for (const provider of providersOf(draft)) identities.push(await tx.addIdentity(user.id, provider, { ...draft.data, ...claimsOf(user.id, draft, provider, false) }));
  return { user, identities };
}

/** The row in one piece: a project's trigger on insert already reads the metadata. */
export function userRow(draft: Draft, id: string, audience: string) {
  const { email, phone, passwordHash, data, invitedAt } = draft;
  const providers = providersOf(draft);
  const [provider] = providers;
  return {
    id,
    email,
    phone,
    aud: audience,
    role: 'authenticated',
    encryptedPassword: passwordHash,
    isAnonymous: provider === undefined,
    ...(invitedAt === undefined ? {} : { invitedAt }),
    rawAppMetaData: provider === undefined ? {} : { provider, providers },
    rawUserMetaData: provider === undefined ? data : { ...data, ...claimsOf(id, draft, provider, false) },
  };
}

/** The claims that identity data and user metadata begin with, as GoTrue writes them. */
export function claimsOf(userId: string, { email, phone }: Pick<Draft, 'email' | 'phone'>, provider: OwnProvider, isVerified: boolean): Metadata {
  return provider === 'email' ? { sub: userId, email, email_verified: isVerified, phone_verified: false } : { sub: userId, phone, email_verified: false, phone_verified: isVerified };
}

/** Marks the address as confirmed. An update of its own, after the insert: projects put triggers on exactly this change. */
export function confirmEmail(user: User): void {
  user.emailConfirmedAt = new Date();
  user.confirmationToken = '';
  user.rawUserMetaData = { ...user.rawUserMetaData, email_verified: true };
}

export function confirmPhone(user: User): void {
  user.phoneConfirmedAt = new Date();
  user.confirmationToken = '';
}

/** Takes the account's address or number, as it is now, for a way by which it signs in. */
export async function holdIdentity(tx: OpenAccounts, account: Account, provider: OwnProvider, isVerified: boolean): Promise<Account> {
  const { user, identities } = account;
  const { email = null, phone = null } = user;
  const claims = claimsOf(user.id, { email, phone }, provider, isVerified);
  const known = identities.find((identity) => identity.provider === provider);
  addProvider(user, provider);
  if (known === undefined) return { ...account, identities: [...identities, await tx.addIdentity(user.id, provider, claims)] };
  const flag = provider === 'email' ? { email, email_verified: isVerified } : { phone, phone_verified: isVerified };
  known.identityData = { ...known.identityData, ...flag };
  // Generated in the database; the answer shows it before it is read again.
  if (provider === 'email') known.email = email;
  return account;
}

/** `app_metadata` names the first way of signing in, and all of them. */
function addProvider(user: User, provider: OwnProvider): void {
  const app = user.rawAppMetaData ?? {};
  const providers = Array.isArray(app['providers']) ? (app['providers'] as unknown[]) : [];
  if (providers.includes(provider) && app['provider'] !== undefined) return;
  user.rawAppMetaData = { ...app, provider: app['provider'] ?? provider, providers: providers.includes(provider) ? providers : [...providers, provider] };
}
