import { factorInWords, fullNameOf, isForever, nameOf, providerInWords, standingOf, waysIn } from './describe-user.ts';

const now = Date.parse('2026-11-24T12:00:00Z');
const user = { email: 'ada@example.com', phone: '', is_anonymous: false, confirmed_at: '2026-01-01T00:00:00Z' };
const { confirmed_at: _, ...unconfirmed } = user;

describe('a user, described', () => {
  it.each([
    ['confirmed', user],
    ['not confirmed', unconfirmed],
    ['invited', { ...unconfirmed, invited_at: '2026-11-01T00:00:00Z' }],
    ['anonymous', { ...unconfirmed, email: '', is_anonymous: true }],
    ['banned', { ...user, banned_until: '2026-11-25T00:00:00Z' }],
    ['confirmed', { ...user, banned_until: '2026-11-23T00:00:00Z' }],
    ['deleted', { ...user, banned_until: '2026-11-25T00:00:00Z', deleted_at: '2026-11-20T00:00:00Z' }],
  ])('is %s', (standing, told) => expect(standingOf(told, now)).toBe(standing));

  it.each([
    ['ada@example.com', user],
    ['+4915112345678', { ...user, email: '', phone: '4915112345678' }],
    ['Anonymous user', { ...user, email: '', is_anonymous: true }],
    ['Deleted user', { ...user, email: 'c0ffee', deleted_at: '2026-11-20T00:00:00Z' }],
  ])('is called %s', (name, told) => expect(nameOf(told)).toBe(name));

  it('has the name that its metadata tell', () => {
    expect(fullNameOf({ ...user, user_metadata: { full_name: '', name: ' Ada Lovelace ' } })).toBe('Ada Lovelace');
    expect(fullNameOf({ ...user, user_metadata: { full_name: 7 } })).toBeNull();
    expect(fullNameOf(user)).toBeNull();
  });

  it('has ways in, each once', () => {
    expect(waysIn({ identities: [{ identity_id: '1', provider: 'email' }, { identity_id: '2', provider: 'github' }, { identity_id: '3', provider: 'github' }] })).toBe('E-mail, GitHub');
    expect(waysIn({ identities: [] })).toBe('–');
    expect(providerInWords('my_company')).toBe('My company');
  });

  it('tells a ban for years from one for days', () => {
    expect(isForever('2126-11-24T12:00:00Z', now)).toBe(true);
    expect(isForever('2026-12-24T12:00:00Z', now)).toBe(false);
  });

  it('names factors', () => expect(['totp', 'webauthn', 'new_kind'].map(factorInWords)).toEqual(['Authenticator app', 'Security key', 'new_kind']));
});
