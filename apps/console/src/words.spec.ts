import { ahead, ago, bytes, count, duration, kindInWords, remaining, some } from './words.ts';

describe('words', () => {
  it.each([
    [0, '0 bytes'],
    [999, '999 bytes'],
    [1000, '1.0 kB'],
    [12_400_000, '12.4 MB'],
    [123_400_000, '123 MB'],
    [2 * 1024 ** 3, '2.1 GB'],
  ])('%d bytes are %s', (value, text) => expect(bytes(value)).toBe(text));

  it.each([
    [0.2, 'less than a second'],
    [1, '1 second'],
    [8.4, '8 seconds'],
    [59.6, '1 minute'],
    [130, '2 minutes 10 seconds'],
    [7200, '2 hours'],
    [7205, '2 hours'],
    [90_000, '1 day 1 hour'],
  ])('%d seconds last %s', (seconds, text) => expect(duration(seconds)).toBe(text));

  it.each([
    [3, 'a few seconds left'],
    [12, 'about 15 seconds left'],
    [59, 'about 60 seconds left'],
    [61, 'about 1 minute left'],
    [600, 'about 10 minutes left'],
    [7200, 'about 2 hours left'],
  ])('with %d seconds to go there is %s', (seconds, text) => expect(remaining(seconds)).toBe(text));

  it.each([
    ['2026-11-24T12:00:00Z', 'just now'],
    ['2026-11-24T11:59:00Z', '1 minute ago'],
    ['2026-11-24T11:00:10Z', '1 hour ago'],
    ['2026-11-24T09:00:00Z', '3 hours ago'],
    ['2026-11-23T09:00:00Z', 'yesterday'],
    ['2026-11-02T12:00:00Z', 'Nov 2, 2026'],
  ])('%s was %s', (time, text) => expect(ago(time, Date.parse('2026-11-24T12:00:10Z'))).toBe(text));

  it('one is not many', () => {
    expect([some(1, 'row'), some(200_000, 'row'), some(2, 'policy', 'policies')]).toEqual(['1 row', '200,000 rows', '2 policies']);
    expect(count(1_234_567)).toBe('1,234,567');
    expect(kindInWords('import-rows')).toBe('Import rows');
  });
});

it('says how far a moment is ahead', () => {
  const now = Date.parse('2026-11-24T12:00:00Z');
  const inSeconds = (seconds: number): string => ahead(new Date(now + seconds * 1000).toISOString(), now);
  expect([0, 20, 60, 7200, 100_000, 432_000].map(inSeconds)).toEqual(['now', 'in 20 seconds', 'in 1 minute', 'in 2 hours', 'tomorrow', 'in 5 days']);
  expect(inSeconds(100 * 86_400)).toMatch(/^on Mar 4, 2027$/);
});
