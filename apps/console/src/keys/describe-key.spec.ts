import type { ApiKey } from '../contracts.ts';
import { expiryOf, isHintOf, keyStanding, lifetimeInWords, liveFirst, mayRevoke } from './describe-key.ts';

const now = Date.parse('2026-11-24T12:00:00Z');
const key: ApiKey = { id: '1', name: 'Robot', kind: 'secret', hint: 'sb_secret_abcde…', role: 'service_role', source: 'database', created_at: null, expires_at: null, revoked_at: null };

describe('a key, described', () => {
  it.each([
    ['valid', {}],
    ['valid', { expires_at: '2027-11-24T12:00:00Z' }],
    ['runs out soon', { expires_at: '2026-11-30T12:00:00Z' }],
    ['expired', { expires_at: '2026-11-24T12:00:00Z' }],
    ['revoked', { expires_at: '2026-11-24T12:00:00Z', revoked_at: '2026-11-20T00:00:00Z' }],
  ])('is %s', (standing, part) => expect(keyStanding({ ...key, ...part }, now)).toBe(standing));

  it('stands above those that are over', () => {
    const over = { ...key, id: '0', revoked_at: '2026-11-20T00:00:00Z' };
    expect(liveFirst([over, key], now).map(({ id }) => id)).toEqual(['1', '0']);
  });

  it('may be revoked while it holds, unless it is a token of the settings', () => {
    expect(mayRevoke(key, now)).toBe(true);
    expect(mayRevoke({ ...key, source: 'settings', name: 'SUPABASE_SECRET_KEY' }, now)).toBe(true);
    expect(mayRevoke({ ...key, kind: 'jwt', source: 'settings' }, now)).toBe(false);
    expect(mayRevoke({ ...key, revoked_at: '2026-11-20T00:00:00Z' }, now)).toBe(false);
  });

  it('is known by its hint', () => {
    expect(isHintOf('sb_secret_abcde…', 'sb_secret_abcdefghijk')).toBe(true);
    expect(isHintOf('sb_secret_abcdx…', 'sb_secret_abcdefghijk')).toBe(false);
    expect(isHintOf('HS256 token', 'HS256 token')).toBe(false);
    expect(isHintOf('sb_secret_abcde…', null)).toBe(false);
  });

  it('runs out when it was said to', () => {
    expect(expiryOf('30', now)).toBe('2026-12-24T12:00:00.000Z');
    expect(expiryOf('never', now)).toBeNull();
    expect([lifetimeInWords('365'), lifetimeInWords('90')]).toEqual(['In a year', 'In 90 days']);
  });
});
