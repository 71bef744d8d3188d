import type { ApiKey, SigningKey } from '../contracts.ts';

export type KeyStanding = 'valid' | 'runs out soon' | 'expired' | 'revoked';

const soonMs = 14 * 86_400_000;

export function keyStanding({ expires_at: expiresAt, revoked_at: revokedAt }: Pick<ApiKey, 'expires_at' | 'revoked_at'>, now: number): KeyStanding {
  if (revokedAt !== null) return 'revoked';
  if (expiresAt === null) return 'valid';
  const left = Date.parse(expiresAt) - now;
  if (left <= 0) return 'expired';
  return left < soonMs ? 'runs out soon' : 'valid';
}

/** Keys that hold first; in each half as they came. */
export function liveFirst(keys: readonly ApiKey[], now: number): readonly ApiKey[] {
  const isOver = (key: ApiKey): boolean => ['expired', 'revoked'].includes(keyStanding(key, now));
  return [...keys.filter((key) => !isOver(key)), ...keys.filter(isOver)];
}

/** A key that is a token of JWT_SECRET cannot be ended by itself, and what is over needs no end. */
export function mayRevoke(key: ApiKey, now: number): boolean {
  return key.kind !== 'jwt' && !['expired', 'revoked'].includes(keyStanding(key, now));
}

/** Whether a hint (the first letters of a key and `…`) is of this key. */
export function isHintOf(hint: string, key: string | null): boolean {
  const start = hint.replace(/…$/, '');
  return key !== null && hint.endsWith('…') && start.length > 8 && key.startsWith(start);
}

export const lifetimes = ['never', '30', '90', '365'] as const;
export type Lifetime = (typeof lifetimes)[number];

/** When a key that is made now is to run out; null stays until it is revoked. */
export function expiryOf(lifetime: Lifetime, now: number): string | null {
  return lifetime === 'never' ? null : new Date(now + Number(lifetime) * 86_400_000).toISOString();
}

export function lifetimeInWords(lifetime: Lifetime): string {
  if (lifetime === 'never') return 'Never: until it is revoked';
  return lifetime === '365' ? 'In a year' : `In ${lifetime} days`;
}

const parts: Readonly<Record<SigningKey['state'], string>> = {
  standby: 'signs after the next rotation; everybody knows it already',
  current: 'signs the tokens of today',
  previous: 'signs no more; what it signed is good until it expires',
  revoked: 'what it signed is refused',
};

export function signingPart(state: SigningKey['state']): string {
  return parts[state];
}
