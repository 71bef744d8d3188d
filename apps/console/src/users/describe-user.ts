import type { User } from '../contracts.ts';

/** What an account is, in the one word that matters most. */
export type Standing = 'deleted' | 'banned' | 'anonymous' | 'invited' | 'not confirmed' | 'confirmed';

type Told = Pick<User, 'email' | 'phone' | 'is_anonymous'> & Partial<Pick<User, 'deleted_at' | 'banned_until' | 'confirmed_at' | 'invited_at' | 'user_metadata'>>;

export function standingOf(user: Told, now: number): Standing {
  if (user.deleted_at !== undefined) return 'deleted';
  if (isBanned(user, now)) return 'banned';
  if (user.is_anonymous) return 'anonymous';
  if (user.confirmed_at !== undefined) return 'confirmed';
  return user.invited_at === undefined ? 'not confirmed' : 'invited';
}

export function isBanned({ banned_until: until }: Told, now: number): boolean {
  return until !== undefined && Date.parse(until) > now;
}

/** A ban without an end in sight is one of many years. */
export function isForever(until: string, now: number): boolean {
  return Date.parse(until) - now > 20 * 365 * 86_400_000;
}

/** How a user is called where there is one line: the address, the number, or what they are. */
export function nameOf(user: Told): string {
  // What a soft delete leaves of an address is a digest, and no name.
  if (user.deleted_at !== undefined) return 'Deleted user';
  if (user.email !== '') return user.email;
  if (user.phone !== '') return phoneInWords(user.phone);
  return user.is_anonymous ? 'Anonymous user' : 'User without an address';
}

export function phoneInWords(digits: string): string {
  return `+${digits}`;
}

/** The name that somebody gave of themselves, by the keys that providers and applications use. */
export function fullNameOf({ user_metadata: metadata = {} }: Told): string | null {
  const name = [metadata['full_name'], metadata['name'], metadata['display_name']].find((value) => typeof value === 'string' && value.trim() !== '');
  return name === undefined ? null : String(name).trim();
}

const namesOfProviders: Readonly<Record<string, string>> = {
  email: 'E-mail', phone: 'Phone', github: 'GitHub', gitlab: 'GitLab', linkedin: 'LinkedIn', linkedin_oidc: 'LinkedIn', slack_oidc: 'Slack', workos: 'WorkOS', anonymous_users: 'Anonymous',
};

/** `github` → `GitHub`. */
export function providerInWords(provider: string): string {
  return namesOfProviders[provider] ?? provider.charAt(0).toUpperCase() + provider.slice(1).replaceAll('_', ' ');
}

/** The ways by which a user signs in, each once. */
export function waysIn({ identities }: Pick<User, 'identities'>): string {
  const ways = [...new Set(identities.map(({ provider }) => providerInWords(provider)))];
  return ways.length === 0 ? '–' : ways.join(', ');
}

const factorKinds: Readonly<Record<string, string>> = { totp: 'Authenticator app', phone: 'Phone', webauthn: 'Security key', recovery_codes: 'Recovery codes', recovery_code: 'Recovery codes' };

export function factorInWords(type: string): string {
  return factorKinds[type] ?? type;
}
