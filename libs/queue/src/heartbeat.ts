import { LeaseLost, renew, type Database } from '@mainstay/persistence';
import { JobCancelled, type Attempt } from './attempt.ts';
import type { Log } from './log.ts';

/** Renews the leases of all jobs that run in this process, three times as often as they would end. */
export class Heartbeat {
  private timer: NodeJS.Timeout | undefined;
  private isBeating = false;

  constructor(
    private readonly database: Database,
    private readonly running: ReadonlyMap<string, Attempt>,
    private readonly leaseSeconds: number,
    private readonly log: Log,
  ) {}

  start(): void {
    this.timer = setInterval(() => void this.beat(), (this.leaseSeconds * 1000) / 3);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async beat(): Promise<void> {
    const now = performance.now();
    // Also when the database does not answer, and then above all: work that leaves the house must not be done twice.
    for (const attempt of this.running.values()) if (attempt.isOver(now)) attempt.abort(new LeaseLost(attempt.jobId));
    if (this.isBeating || this.running.size === 0) return;
    this.isBeating = true;
    try {
      await this.renew(now);
    } catch (error) {
      this.log.warn({ error: (error as Error).message, running: this.running.size }, 'leases not renewed');
    } finally {
      this.isBeating = false;
    }
  }

  private async renew(now: number): Promise<void> {
    const attempts = [...this.running.values()];
    const standings = await renew(this.database, attempts, this.leaseSeconds);
    for (const attempt of attempts) {
      const standing = standings.get(attempt.token);
      if (standing === 'held' || standing === 'busy') attempt.renewed(now);
      else attempt.abort(standing === 'cancelled' ? new JobCancelled() : new LeaseLost(attempt.jobId));
    }
  }
}
