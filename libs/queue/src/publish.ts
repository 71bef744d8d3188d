import { setTimeout } from 'node:timers/promises';
import type { QueueName } from '@mainstay/domain';
import { backlogs, endTurn, promoteDue, takeTurn, type Database } from '@mainstay/persistence';
import type { BullQueues } from './bull-queues.ts';
import { nextWindow } from './fair-window.ts';
import type { Log } from './log.ts';

/** Most outbox rows of one transaction. */
const turnSize = 100;
const pollMs = 1000;
const retryMs = 250;

interface Lane {
  readonly narrowest: number;
  window: number;
  /** Owners after this one come next. */
  lastOwner: string;
  /** Jobs wait in the outbox because the window is full; so many were claimed since. */
  claimedWhileFull: number | null;
}

/** Carries jobs from the outbox to Bull, after their commit: woken by NOTIFY, by claims that make room, and every second. */
export class Relay {
  private readonly lanes: Map<QueueName, Lane>;
  private isStopped = false;
  private isWoken = false;
  private isFailing = false;
  private wakeUp: () => void = () => {};
  private loop: Promise<void> = Promise.resolve();

  constructor(
    private readonly database: Database,
    private readonly bull: BullQueues,
    private readonly log: Log,
    queues: Readonly<Record<string, { readonly concurrency: number }>>,
  ) {
    this.lanes = new Map(Object.entries(queues).map(([name, { concurrency }]) => [name as QueueName, { narrowest: 2 * concurrency, window: 2 * concurrency, lastOwner: '', claimedWhileFull: null }]));
  }

  start(): void {
    this.loop = this.run();
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    this.wake();
    await this.loop;
  }

  /** Something was enqueued. */
  wake(): void {
    this.isWoken = true;
    this.wakeUp();
  }

  /** A job was claimed that had lain in Bull for so long. */
  claimed(queue: QueueName, waitedMs: number): void {
    const lane = this.lanes.get(queue)!;
    lane.window = nextWindow(lane.window, waitedMs, lane.narrowest);
    if (lane.claimedWhileFull === null) return;
    lane.claimedWhileFull += 1;
    // A turn costs the same for one job as for a hundred: let a fifth of the window run out first.
    if (lane.claimedWhileFull >= lane.window / 5) this.wake();
  }

  private async run(): Promise<void> {
    while (!this.isStopped) {
      this.isWoken = false;
      const pauseMs = await this.pass().then(
        (ms) => this.succeeded(ms),
        (error: Error) => this.failed(error),
      );
      if (!this.isWoken && !this.isStopped && pauseMs > 0) await this.sleep(pauseMs);
    }
  }

  private succeeded(pauseMs: number): number {
    if (this.isFailing) this.log.info({}, 'outbox relayed again');
    this.isFailing = false;
    return pauseMs;
  }

  private async failed(error: Error): Promise<number> {
    if (!this.isFailing) this.log.warn({ error: error.message }, 'outbox not relayed');
    this.isFailing = true;
    // Not to be woken: with the queue or the database away, every enqueueing would try again.
    await setTimeout(retryMs);
    return retryMs;
  }

  /** Publishes what there is room for; says how long there will be nothing to do. */
  private async pass(): Promise<number> {
    const dueSeconds = await promoteDue(this.database);
    let isMore = dueSeconds === 0;
    for (const { queue, unclaimed, hasOutbox } of await backlogs(this.database, [...this.lanes.keys()])) {
      const lane = this.lanes.get(queue as QueueName)!;
      const room = Math.min(lane.window - unclaimed, turnSize);
      lane.claimedWhileFull = hasOutbox && room <= 0 ? 0 : null;
      if (hasOutbox && room > 0) isMore = (await this.publishTurn(queue as QueueName, lane, room)) || isMore;
    }
    return isMore ? 0 : Math.min(pollMs, (dueSeconds ?? Infinity) * 1000);
  }

  private publishTurn(queue: QueueName, lane: Lane, room: number): Promise<boolean> {
    // A relay that is halted in here holds a hundred rows; the database lets go of them after this time.
    const session = { role: null, settings: { idle_in_transaction_session_timeout: '5s' } };
    return this.database.transaction(session, async (tx) => {
      const turn = await takeTurn(tx, queue, room, lane.lastOwner);
      await this.bull.publish(queue, turn.publications);
      await endTurn(tx, turn);
      lane.lastOwner = turn.lastOwner;
      return turn.rowIds.length > 0;
    });
  }

  private sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = globalThis.setTimeout(resolve, ms);
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
