import type { TokenInFamily } from '@mainstay/persistence';
import { digestOf, RefreshTokens, worthOf } from './refresh-tokens.ts';

const tokens = new RefreshTokens('s'.repeat(32));

describe('a refresh token', () => {
  it('is short, and random at first', () => {
    expect(tokens.makeFirst()).toMatch(/^[\w-]{22}$/);
    expect(tokens.makeFirst()).not.toBe(tokens.makeFirst());
  });

  it('leads to its descendants, however many generations down', () => {
    const first = tokens.makeFirst();
    const line = [first];
    for (let i = 0; i < 20; i += 1) line.push(tokens.childOf(line.at(-1)!));
    expect(new Set(line).size).toBe(21);
    for (const generation of [1, 2, 20]) expect(tokens.descendant(first, digestOf(line[generation]!))).toBe(line[generation]);
  });

  it('leads to no other: not to an ancestor, not one of another line, not with another key', () => {
    const first = tokens.makeFirst();
    const child = tokens.childOf(first);
    expect(tokens.descendant(child, digestOf(first))).toBeNull();
    expect(tokens.descendant(tokens.makeFirst(), digestOf(child))).toBeNull();
    expect(new RefreshTokens('t'.repeat(32)).descendant(first, digestOf(child))).toBeNull();
  });
});

describe('the worth of a token to its family', () => {
  const family = (more: Partial<TokenInFamily>): TokenInFamily => ({
    session: { id: 's', userId: 'u', aal: 'aal1', amr: [] }, isSessionOver: false, isRevoked: true, ageSeconds: 3600, active: { digest: 'active', parent: 'parent' }, ...more,
  });

  it.each<[string, string, Partial<TokenInFamily>, string]>([
    ['the live one', 'active', { isRevoked: false }, 'rotate'],
    ['its parent, just used', 'parent', { ageSeconds: 0 }, 'repeat'],
    ['its parent, used an hour ago', 'parent', {}, 'repeat'],
    ['a grandparent, used ten seconds ago', 'grandparent', { ageSeconds: 10 }, 'repeat'],
    ['a grandparent, used longer ago', 'grandparent', { ageSeconds: 10.1 }, 'revoke'],
    ['any of a dead family', 'parent', { active: null, ageSeconds: 0 }, 'refuse'],
    ['the first of a family, used long ago, when the live one has no parent', 'first', { active: { digest: 'active', parent: null } }, 'revoke'],
  ])('%s', (_name, digest, state, worth) => {
    expect(worthOf(digest, family(state), 10)).toBe(worth);
  });
});
