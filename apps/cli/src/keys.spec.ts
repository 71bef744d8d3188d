import { timeOf } from './keys.ts';

describe('when a key ends', () => {
  const now = Date.UTC(2030, 0, 1);

  it.each([
    ['2030-01-31', '2030-01-31T00:00:00.000Z'],
    ['2030-01-31T12:00:00+02:00', '2030-01-31T10:00:00.000Z'],
    ['90d', '2030-04-01T00:00:00.000Z'],
    ['12h', '2030-01-01T12:00:00.000Z'],
    ['30m', '2030-01-01T00:30:00.000Z'],
  ])('is said by %s', (words, time) => {
    expect(timeOf(words, now)).toBe(time);
  });

  it.each(['soon', '1y', '12 hours'])('is not said by %s', (words) => {
    expect(() => timeOf(words, now)).toThrow('--expires takes a moment');
  });
});
