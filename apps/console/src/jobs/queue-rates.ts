import type { QueueFigures } from '../contracts.ts';

/** The totals of each queue at one moment. */
export interface Reading {
  readonly at: number;
  readonly done: ReadonlyMap<string, number>;
}

/** Workers write down what they counted every two seconds, so a shorter stretch would flicker. */
const windowMs = 20_000;

export function readingOf(queues: readonly QueueFigures[], at: number): Reading {
  return { at, done: new Map(queues.map(({ queue, ended }) => [queue, ended.done + ended.failed + ended.dead])) };
}

/** Adds a reading and lets go of those that are older than is looked at. */
export function withReading(readings: readonly Reading[], reading: Reading): readonly Reading[] {
  return [...readings.filter(({ at }) => reading.at - at <= windowMs), reading];
}

/** How many jobs of a queue ended in a second, over the last seconds; null before there is something to compare. */
export function rateOf(readings: readonly Reading[], queue: string): number | null {
  const [first, last] = [readings[0], readings.at(-1)];
  if (first === undefined || last === undefined || last.at - first.at < 1500) return null;
  return Math.max(0, ((last.done.get(queue) ?? 0) - (first.done.get(queue) ?? 0)) / ((last.at - first.at) / 1000));
}

/** `340 a second`, `12 a minute`; a dash for none. */
export function rateInWords(rate: number | null): string {
  if (rate === null) return '…';
  if (rate === 0) return '–';
  if (rate < 1) return `${Math.max(1, Math.round(rate * 60))} a minute`;
  return `${rate < 10 ? rate.toFixed(1) : Math.round(rate).toLocaleString('en')} a second`;
}
