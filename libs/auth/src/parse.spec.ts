import { mergeMetadata, refuseOversize, refuseUnstorable } from './metadata.ts';
import { parseEmail, parsePhone } from './parse-address.ts';
import { parseBanDuration } from './parse-duration.ts';

const refused = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return (error as { code: string }).code === 'validation_failed' ? (error as Error).message : String(error);
  }
  return 'taken';
};

describe('an e-mail address', () => {
  it.each([['Ada@Example.COM', 'ada@example.com'], ["o'neil+tag@sub.example.co", "o'neil+tag@sub.example.co"], ['a@localhost', 'a@localhost']])('%s is kept as %s', (text, kept) => {
    expect(parseEmail(text)).toBe(kept);
  });

  it.each([
    ['', 'An email address is required'],
    [`${'a'.repeat(250)}@b.com`, 'An email address is too long'],
    ...['x', 'a@', '@b.com', 'a b@c.de', 'a@b..c', 'a@-b.de', 'a@b.de\n', 'a\0@b.de', 'a@b.de,c@d.de', 'ä@b.de', '<a@b.de>'].map((text) => [text, 'Unable to validate email address: invalid format']),
  ])('%j is refused', (text, message) => {
    expect(refused(() => parseEmail(text!))).toBe(message);
  });
});

describe('a phone number', () => {
  it('is kept as its digits', () => {
    expect(parsePhone('+49 151 2345678')).toBe('491512345678');
    for (const text of ['', '+0123', '1'.repeat(16), '12-34', 'x']) expect(refused(() => parsePhone(text))).toMatch(/E\.164/);
  });
});

describe('a duration', () => {
  it.each([['24h', 86_400_000], ['1h30m', 5_400_000], ['1.5h', 5_400_000], ['.5s', 500], ['100ms', 100], ['1µs', 0.001], ['0', 0], ['-1h', -3_600_000], ['+2m', 120_000], ['876000h', 876_000 * 3_600_000]])('%s is %d ms', (text, ms) => {
    expect(parseBanDuration(text)).toBeCloseTo(ms, 6);
  });

  it('none is no ban', () => expect(parseBanDuration('none')).toBeNull());

  it.each([
    ['', 'time: invalid duration ""'],
    ['abc', 'time: invalid duration "abc"'],
    ['10', 'time: missing unit in duration "10"'],
    ['7d', 'time: unknown unit "d" in duration "7d"'],
    ['1h x', 'time: unknown unit "h x" in duration "1h x"'],
    ['1constructor', 'time: unknown unit "constructor" in duration "1constructor"'],
    ['9999999999h', 'time: invalid duration "9999999999h"'],
  ])('%j is refused in Go’s words', (text, message) => {
    expect(refused(() => parseBanDuration(text))).toBe(`invalid format for ban duration: ${message}`);
  });
});

describe('metadata', () => {
  it('is merged by key: a value sets, null deletes, the rest stays', () => {
    expect(mergeMetadata({ a: 1, b: { c: 2 }, d: 3 }, { b: { e: 4 }, d: null, f: [null] })).toEqual({ a: 1, b: { e: 4 }, f: [null] });
    expect(mergeMetadata(null, { a: null })).toEqual({});
  });

  it('takes __proto__ for a key like any other', () => {
    const merged = mergeMetadata({}, JSON.parse('{"__proto__":{"isAdmin":true},"constructor":1}') as Record<string, unknown>);
    expect(Object.keys(merged)).toEqual(['__proto__', 'constructor']);
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
    expect((merged as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  });

  it.each([
    [{ a: 'x\0' }, 'data.a has a character'],
    [{ a: [{ b: '\ud800' }] }, 'data.a[0].b has a character'],
    [{ 'x\0': 1 }, 'a key of data has a character'],
    [JSON.parse('{"a":'.repeat(70) + '1' + '}'.repeat(70)), 'is nested deeper than 64 levels'],
  ])('%#: what cannot be stored is refused by its place', (data, message) => {
    expect(refused(() => refuseUnstorable(data, 'data'))).toContain(message);
  });

  it('of ordinary content passes', () => {
    expect(() => refuseUnstorable({ name: 'Ada 😀', list: [1, null, { deep: true }] }, 'data')).not.toThrow();
    expect(() => refuseOversize({ text: 'x'.repeat(16_000) })).not.toThrow();
    expect(refused(() => refuseOversize({ text: 'x'.repeat(16_400) }))).toContain('larger than 16 KiB');
  });
});
