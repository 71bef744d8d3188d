import type { QueueFigures } from '../contracts.ts';
import { rateInWords, rateOf, readingOf, withReading } from './queue-rates.ts';

const queue = (done: number): QueueFigures => ({ queue: 'mail', waiting: 0, scheduled: 0, running: 0, failed: 0, dead: 0, cancelled: 0, oldest_seconds: 0, ended: { done, failed: 0, dead: 0, again: 0 } });

describe('the rate of a queue', () => {
  it('is told from totals that are some seconds apart', () => {
    let readings = withReading([], readingOf([queue(100)], 0));
    expect(rateOf(readings, 'mail')).toBeNull();
    readings = withReading(readings, readingOf([queue(150)], 10_000));
    expect(rateOf(readings, 'mail')).toBe(5);
    // What is older than twenty seconds is let go.
    readings = withReading(readings, readingOf([queue(150)], 30_000));
    expect(rateOf(readings, 'mail')).toBe(0);
    expect(rateOf(readings, 'other')).toBe(0);
  });

  it('never is less than nothing, also where the database was made anew', () => {
    expect(rateOf([readingOf([queue(100)], 0), readingOf([queue(0)], 5000)], 'mail')).toBe(0);
  });

  it.each([[null, '…'], [0, '–'], [0.01, '1 a minute'], [0.5, '30 a minute'], [2.25, '2.3 a second'], [1234.5, '1,235 a second']])('%s: %s', (rate, words) => expect(rateInWords(rate)).toBe(words));
});
