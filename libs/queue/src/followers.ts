import { releaseFollowers, type Database } from '@mainstay/persistence';
import type { Log } from './log.ts';

/**
 * Lets jobs go that waited for others. It is told which ended, and looks once for all of those while it is at it; what it misses,
 * because it died or because a wait was committed after the end, the reaper finds.
 */
export class Followers {
  private ended = new Set<string>();
  private releasing: Promise<void> | null = null;

  constructor(
    private readonly database: Database,
    private readonly log: Log,
    private readonly onReleased: () => void,
  ) {}

  /** A job has ended for which others may wait. */
  jobEnded(jobId: string): void {
    this.ended.add(jobId);
    this.releasing ??= this.release().finally(() => (this.releasing = null));
  }

  private async release(): Promise<void> {
    while (this.ended.size > 0) {
      const ended = [...this.ended];
      this.ended = new Set();
      try {
        if (await releaseFollowers(this.database, ended)) this.onReleased();
      } catch (error) {
        this.log.warn({ error: (error as Error).message, jobs: ended.length }, 'waiting jobs not released');
      }
    }
  }
}
