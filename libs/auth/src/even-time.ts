import { setTimeout as sleep } from 'node:timers/promises';

/** More than the longest of these ways takes on a machine that has time. */
const stepMs = 50;

/** On one that has none, nine in ten of the last so many ended within what the next ones wait for. */
const remembered = 64;

/**
 * Does work and tells its end only at a full step of time: where one way through it writes a few rows more than another, the
 * difference of some milliseconds would tell who has an account. Which step is said by what the same work took lately,
 * whatever way it went, so that neither way ends at an earlier one while the machine is busy.
 */
export class EvenTime {
  private readonly recent: number[] = [];

  /** @param step in milliseconds; without one nobody waits, which only tests may want */
  constructor(private readonly step = stepMs) {}

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.step === 0) return work();
    const started = performance.now();
    try {
      return await work();
    } finally {
      const took = performance.now() - started;
      const end = started + Math.ceil(Math.max(took, this.usual()) / this.step) * this.step;
      // A timer may ring a millisecond before its time.
      for (let left = end - performance.now(); left > 0; left = end - performance.now()) await sleep(Math.ceil(left));
      this.recent.push(took);
      if (this.recent.length > remembered) this.recent.shift();
    }
  }

  private usual(): number {
    const sorted = this.recent.toSorted((one, other) => one - other);
    return sorted[Math.floor(sorted.length * 0.9)] ?? 0;
  }
}
