const pollMs = 1000;

export interface DrowsinessTerms {
  /** While it is awake it looks this often by itself. */
  readonly awakePollMs: number;
  /** It falls asleep after so long without work. */
  readonly drowsyMs: number;
  /** Writes down whether somebody must be woken by NOTIFY. */
  readonly say: (isAsleep: boolean) => Promise<void>;
}

/**
 * Whether a loop looks by itself or waits to be woken. Commits with a NOTIFY wait for each other, so writers send one only to
 * a sleeper; asleep, it looks every second all the same.
 */
export class Drowsiness {
  private isAsleep = true;
  private workedAt = -Infinity;

  constructor(private readonly terms: DrowsinessTerms) {}

  /** Something came: more may follow, so it stays awake for a while. */
  stir(): void {
    this.workedAt = performance.now();
  }

  /** After a pass: falls asleep when nothing came for a while. Says how long to rest. */
  async rest(hasWorked: boolean): Promise<number> {
    if (hasWorked) this.stir();
    const wasAsleep = this.isAsleep;
    this.isAsleep = performance.now() - this.workedAt > this.terms.drowsyMs;
    // Asleep it says so at every look: another process's loop may have died awake.
    if (this.isAsleep || wasAsleep) await this.terms.say(this.isAsleep);
    if (!this.isAsleep) return this.terms.awakePollMs;
    // One more look after it was said, for what was written in between.
    return wasAsleep ? pollMs : 1;
  }

  /** At the end, as far as the database can still be told. */
  async sleepForGood(): Promise<void> {
    await this.terms.say(true).catch(() => {});
  }
}
