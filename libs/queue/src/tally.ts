import { addTallies, outcomes, type Database, type QueueTally, type TalliedOutcome } from '@mainstay/persistence';
import { Histogram, slowBounds } from '@mainstay/telemetry';
import type { Log } from './log.ts';

const everyMs = 2000;

/** What this worker has counted of one queue and not yet written down. */
interface QueueCounts {
  readonly wait: Histogram;
  readonly run: Histogram;
  readonly ended: Record<TalliedOutcome, number>;
}

/**
 * Counts what the jobs of each queue do here. The worker has no port that could be asked, so every few seconds the counts are
 * added to the database's, where they outlive it; what a killed worker had not yet added is not counted.
 */
export class Tally {
  private readonly byQueue = new Map<string, QueueCounts>();
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> | null = null;

  constructor(
    private readonly database: Database,
    private readonly log: Log,
  ) {}

  start(): void {
    this.timer = setInterval(() => (this.writing ??= this.write()), everyMs).unref();
  }

  /** Writes down what is left. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.writing;
    await this.write();
  }

  claimed(queue: string, waitedSeconds: number): void {
    this.of(queue).wait.observe(waitedSeconds);
  }

  ended(queue: string, outcome: TalliedOutcome, seconds: number): void {
    const { run, ended } = this.of(queue);
    run.observe(seconds);
    ended[outcome] += 1;
  }

  /** An attempt whose worker fell silent: nobody knows how long it took. */
  lost(queue: string, outcome: TalliedOutcome): void {
    this.of(queue).ended[outcome] += 1;
  }

  /** Writes the counts down and begins anew. What could not be written is kept for the next time. */
  private async write(): Promise<void> {
    const tallies = this.take();
    try {
      await addTallies(this.database, tallies);
    } catch (error) {
      this.putBack(tallies);
      this.log.debug({ error: (error as Error).message }, 'tallies not written');
    } finally {
      this.writing = null;
    }
  }

  private of(queue: string): QueueCounts {
    let counts = this.byQueue.get(queue);
    if (counts === undefined) this.byQueue.set(queue, (counts = { wait: new Histogram(slowBounds), run: new Histogram(slowBounds), ended: { done: 0, failed: 0, dead: 0, again: 0 } }));
    return counts;
  }

  private take(): QueueTally[] {
    return [...this.byQueue].flatMap(([queue, { wait, run, ended }]) => [
      ...Object.entries({ wait, run }).flatMap(([what, histogram]) => {
        const taken = histogram.take();
        return taken === null ? [] : [{ queue, what: what as 'wait' | 'run', ...taken }];
      }),
      ...outcomes.flatMap((what) => {
        const count = ended[what];
        ended[what] = 0;
        return count === 0 ? [] : [{ queue, what, counts: [count], sum: 0 }];
      }),
    ]);
  }

  private putBack(tallies: readonly QueueTally[]): void {
    for (const { queue, what, counts, sum } of tallies) {
      const kept = this.of(queue);
      if (what === 'wait' || what === 'run') kept[what].add({ counts, sum });
      else kept.ended[what] += counts[0]!;
    }
  }
}
