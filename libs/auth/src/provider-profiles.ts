import type { Metadata } from '@mainstay/persistence';

export interface ProviderEmail {
  /** In small letters. */
  readonly email: string;
  /** The provider has seen that it is theirs. */
  readonly isVerified: boolean;
  readonly isPrimary: boolean;
}

/** Who somebody is at another provider. */
export interface Profile {
  readonly subject: string;
  readonly emails: readonly ProviderEmail[];
  /** What is kept as `identity_data`, and as the user's metadata. */
  readonly data: Metadata;
}

export interface Traits {
  readonly issuer: string;
  readonly subject: unknown;
  readonly emails?: readonly (ProviderEmail | null)[];
  readonly name?: unknown;
  readonly userName?: unknown;
  readonly avatar?: unknown;
  readonly claims?: Metadata;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- each provider's answer has a form of its own, and each field is read with care
export type Json = Readonly<Record<string, any>>;

/** Reads an address as a provider gives it; null where it gives none. */
export function emailOf(email: unknown, isVerified: unknown, isPrimary = true): ProviderEmail | null {
  const isAddress = typeof email === 'string' && /^[^\s@]+@[^\s@]+$/.test(email) && email.length <= 255;
  return isAddress ? { email: email.toLowerCase(), isVerified: isVerified === true || isVerified === 'true', isPrimary } : null;
}

/** Words a profile as GoTrue does. @returns null where the provider names nobody */
export function profileOf({ issuer, subject, emails = [], name, userName, avatar, claims = {} }: Traits): Profile | null {
  const id = typeof subject === 'number' ? String(subject) : subject;
  if (typeof id !== 'string' || id === '' || id.length > 255) return null;
  const known = emails.filter((email): email is ProviderEmail => email !== null);
  const chosen = primaryOf(known);
  const data = {
    ...claims,
    iss: issuer,
    sub: id,
    provider_id: id,
    ...given({ name, full_name: name, user_name: userName, preferred_username: userName, avatar_url: avatar }),
    ...(chosen === null ? {} : { email: chosen.email }),
    email_verified: chosen?.isVerified ?? false,
    phone_verified: false,
  };
  return { subject: id, emails: known, data };
}

/** The address that stands for somebody: the primary one, else one that is verified, else any. */
export function primaryOf(emails: readonly ProviderEmail[]): ProviderEmail | null {
  return emails.find(({ isPrimary }) => isPrimary) ?? emails.find(({ isVerified }) => isVerified) ?? emails[0] ?? null;
}

/** Claims of OpenID Connect that are kept; others are the provider's affair with us, such as `nonce`. */
const keptClaims = ['name', 'given_name', 'family_name', 'middle_name', 'nickname', 'preferred_username', 'profile', 'picture', 'website', 'gender', 'birthdate', 'zoneinfo', 'locale'];

/** The profile in the claims of an ID token or of userinfo. */
export function profileOfClaims(claims: Json, isVerified: (claims: Json) => unknown = ({ email_verified }) => email_verified): Profile | null {
  const { name, picture } = claims;
  const fullName = name ?? ([claims['given_name'], claims['family_name']].filter((part) => typeof part === 'string' && part !== '').join(' ') || undefined);
  const hosted = typeof claims['hd'] === 'string' ? { custom_claims: { hd: claims['hd'] } } : {};
  const kept = given(Object.fromEntries(keptClaims.map((key) => [key, claims[key]])));
  return profileOf({ issuer: String(claims['iss'] ?? ''), subject: claims['sub'], emails: [emailOf(claims['email'], isVerified(claims))], name: fullName, avatar: picture, claims: { ...kept, ...hosted } });
}

/** Texts of a bearable length; a provider's whim must not fill a token. */
function given(values: Readonly<Record<string, unknown>>): Metadata {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => typeof value === 'string' && value !== '' && value.length <= 1024 && !value.includes('\0') && value.isWellFormed()));
}
