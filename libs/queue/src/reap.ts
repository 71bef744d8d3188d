import type { QueueName } from '@mainstay/domain';
import { asEngine, reapExpired, releaseStranded, tryLock, unclaimed, type Database, type Transaction } from '@mainstay/persistence';
import type { BullQueues } from './bull-queues.ts';
import type { Log } from './log.ts';
import type { Tally } from './tally.ts';

const everyMs = 2000;

/** Looks after what was lost: jobs of silent workers, and ids that Bull no longer holds. One worker at a time does it. */
export class Reaper {
  private timer: NodeJS.Timeout | undefined;
  private reaping: Promise<void> | null = null;
  private isFailing = false;
  /** Of the jobs that wait for others, those after this one are looked at next. */
  private lookedAt: string | null = null;

  constructor(
    private readonly database: Database,
    private readonly bull: BullQueues,
    private readonly log: Log,
    private readonly onReaped: () => void,
    private readonly tally: Tally,
  ) {}

  start(): void {
    this.timer = setInterval(() => (this.reaping ??= this.reap()), everyMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.reaping;
  }

  private async reap(): Promise<void> {
    try {
      await this.takeBack();
      await this.publishLost();
      await this.releaseStranded();
      this.isFailing = false;
    } catch (error) {
      if (!this.isFailing) this.log.warn({ error: (error as Error).message }, 'reaper failed');
      this.isFailing = true;
    } finally {
      this.reaping = null;
    }
  }

  private async takeBack(): Promise<void> {
    const reaped = (await this.alone('silent workers', (tx) => reapExpired(tx))) ?? [];
    for (const { id, kind, queue, state, attempts } of reaped) {
      this.tally.lost(queue, state === 'dead' ? 'dead' : 'again');
      this.log.warn({ job: id, kind, attempt: attempts, state }, 'job of a silent worker taken back');
    }
    if (reaped.length > 0) this.onReaped();
  }

  /** Bull is asked for the ids, whatever happened to it: emptied, restarted, replaced. */
  private async publishLost(): Promise<void> {
    await this.alone('lost ids', async (tx) => {
      const told = Map.groupBy(await unclaimed(tx), ({ carrier }) => carrier as QueueName);
      for (const [carrier, publications] of told) {
        const lost = await this.bull.publishLost(carrier, publications);
        if (lost > 0) this.log.info({ queue: carrier, ids: lost }, 'lost ids published again');
      }
    });
  }

  /** Also those who waited for a job that this has just taken back for good. */
  private async releaseStranded(): Promise<void> {
    const look = await this.alone('waiting jobs', (tx) => releaseStranded(tx, this.lookedAt));
    if (look === null) return;
    this.lookedAt = look.last;
    if (look.isReleased) this.onReaped();
  }

  private alone<T>(what: string, work: (tx: Transaction) => Promise<T>): Promise<T | null> {
    // A reaper that is halted while it holds the lock is ended by the database.
    const session = { ...asEngine, settings: { ...asEngine.settings, idle_in_transaction_session_timeout: '5s' } };
    return this.database.transaction(session, async (tx) => ((await tryLock(tx, `reaper: ${what}`)) ? work(tx) : null));
  }
}
