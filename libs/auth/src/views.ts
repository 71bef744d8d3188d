import type { Account, Factor, Identity, User } from '@mainstay/persistence';

/** A user as the wire shows one. A field that would be empty is left out, but for those that clients read without asking. */
export type UserView = Readonly<Record<string, unknown>> & { readonly id: string };

/** What of an account is shown; an invented one has no row. */
export interface Viewable {
  readonly user: Partial<User> & Pick<User, 'id' | 'isAnonymous'>;
  readonly identities: Account['identities'];
  readonly factors?: Account['factors'];
}

export function viewUser({ user, identities, factors = [] }: Viewable): UserView {
  return {
    id: user.id,
    aud: user.aud ?? 'authenticated',
    role: user.role ?? 'authenticated',
    email: user.email ?? '',
    ...given('email_confirmed_at', user.emailConfirmedAt),
    ...given('invited_at', user.invitedAt),
    phone: user.phone ?? '',
    ...given('phone_confirmed_at', user.phoneConfirmedAt),
    ...given('confirmation_sent_at', user.confirmationSentAt),
    ...given('confirmed_at', confirmedAt(user)),
    ...given('recovery_sent_at', user.recoverySentAt),
    ...given('new_email', user.emailChange),
    ...given('email_change_sent_at', user.emailChangeSentAt),
    ...given('new_phone', user.phoneChange),
    ...given('phone_change_sent_at', user.phoneChangeSentAt),
    ...given('reauthentication_sent_at', user.reauthenticationSentAt),
    ...given('last_sign_in_at', user.lastSignInAt),
    app_metadata: user.rawAppMetaData ?? {},
    user_metadata: user.rawUserMetaData ?? {},
    identities: identities.map(viewIdentity),
    ...(factors.length === 0 ? {} : { factors: factors.map(viewFactor) }),
    created_at: user.createdAt,
    updated_at: user.updatedAt,
    ...given('banned_until', user.bannedUntil),
    ...given('deleted_at', user.deletedAt),
    is_anonymous: user.isAnonymous,
  };
}

function viewIdentity(identity: Identity): Readonly<Record<string, unknown>> {
  return {
    identity_id: identity.id,
    id: identity.providerId,
    user_id: identity.userId,
    identity_data: identity.identityData,
    provider: identity.provider,
    ...given('last_sign_in_at', identity.lastSignInAt),
    created_at: identity.createdAt,
    updated_at: identity.updatedAt,
    ...given('email', identity.email),
  };
}

/** A second factor as its owner and an administrator see it: never what it is checked by. */
export function viewFactor(factor: Factor): Readonly<Record<string, unknown>> {
  return {
    id: factor.id,
    ...given('friendly_name', factor.friendlyName),
    factor_type: factor.type,
    status: factor.status,
    phone: factor.phone ?? '',
    created_at: factor.createdAt,
    updated_at: factor.updatedAt,
    last_challenged_at: factor.lastChallengedAt,
  };
}

/** As the generated column has it: the earlier of the two confirmations. */
function confirmedAt({ emailConfirmedAt, phoneConfirmedAt }: Partial<User>): Date | null {
  const times = [emailConfirmedAt, phoneConfirmedAt].filter((time): time is Date => time instanceof Date);
  return times.length === 0 ? null : new Date(Math.min(...times.map(Number)));
}

function given(name: string, value: unknown): Record<string, unknown> {
  return value === null || value === undefined || value === '' ? {} : { [name]: value };
}

/** Whether the address was shown to belong to the account. */
export function isEmailConfirmed(user: User): boolean {
  return user.emailConfirmedAt instanceof Date;
}

export function isPhoneConfirmed(user: User): boolean {
  return user.phoneConfirmedAt instanceof Date;
}

export function isBanned(user: User): boolean {
  return user.bannedUntil instanceof Date && user.bannedUntil.getTime() > Date.now();
}
