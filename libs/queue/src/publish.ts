import { setTimeout } from 'node:timers/promises';
import type { QueueName } from '@mainstay/domain';
import { backlogs, promoteDue, sayAsleep, takeTurn, type Database } from '@mainstay/persistence';
import type { BullQueues } from './bull-queues.ts';
import { nextWindow } from './fair-window.ts';
import type { Log } from './log.ts';

/** Most outbox rows of one transaction. */
const turnSize = 100;
const pollMs = 1000;
/** While it is awake it looks this often by itself, and it falls asleep after so long without work. */
const awakePollMs = 10;
const drowsyMs = 300;
const retryMs = 250;

interface Lane {
  readonly narrowest: number;
  window: number;
  /** Owners after this one come next. */
  lastOwner: string;
  /** Jobs wait in the outbox because the window is full; so many were claimed since. */
  claimedWhileFull: number | null;
}

/** Never less than fills every slot once: so another owner's first job waits for one round of slow jobs at most. */
function makeLane(concurrency: number): Lane {
  const narrowest = Math.max(4, concurrency);
  return { narrowest, window: narrowest, lastOwner: '', claimedWhileFull: null };
}

/**
 * Carries jobs from the outbox to Bull, after their commit. Asleep, it is woken by NOTIFY, and looks every second all the same;
 * awake, it looks by itself until nothing has come for a while.
 */
export class Relay {
  private readonly lanes: Map<QueueName, Lane>;
  private isStopped = false;
  private isWoken = false;
  private isFailing = false;
  private isAsleep = true;
  private workedAt = -Infinity;
  private wakeUp: () => void = () => {};
  private loop: Promise<void> = Promise.resolve();

  constructor(
    private readonly database: Database,
    private readonly bull: BullQueues,
    private readonly log: Log,
    queues: Readonly<Record<string, { readonly concurrency: number }>>,
  ) {
    this.lanes = new Map(Object.entries(queues).map(([name, { concurrency }]) => [name as QueueName, makeLane(concurrency)]));
  }

  start(): void {
    this.loop = this.run();
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    this.wake();
    await this.loop;
    await sayAsleep(this.database, true).catch(() => {});
  }

  /** Something was enqueued: more may follow, so it stays awake for a while. */
  wake(): void {
    this.workedAt = performance.now();
    this.lookAgain();
  }

  private lookAgain(): void {
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
    if (lane.claimedWhileFull >= lane.window / 5) this.lookAgain();
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
    const unclaimed = await backlogs(this.database, [...this.lanes.keys()]);
    let taken = 0;
    let isMore = dueSeconds === 0;
    for (const [queue, lane] of this.lanes) {
      lane.claimedWhileFull = null;
      if (!unclaimed.has(queue)) continue;
      const room = lane.window - unclaimed.get(queue)!;
      const rows = await this.fill(queue, lane, room);
      taken += rows;
      isMore ||= rows > 0 && rows < room;
    }
    const restMs = await this.rest(taken > 0);
    return isMore ? 0 : Math.min(restMs, (dueSeconds ?? Infinity) * 1000);
  }

  /** Falls asleep when nothing came for a while; says how long to pause. */
  private async rest(hasWorked: boolean): Promise<number> {
    const now = performance.now();
    if (hasWorked) this.workedAt = now;
    const wasAsleep = this.isAsleep;
    this.isAsleep = now - this.workedAt > drowsyMs;
    // Asleep it says so at every look: another relay may have died awake.
    if (this.isAsleep || wasAsleep) await sayAsleep(this.database, this.isAsleep);
    if (!this.isAsleep) return awakePollMs;
    // One more look after it was said, for what was enqueued in between.
    return wasAsleep ? pollMs : 1;
  }

  /** Fills a window as far as one turn does; says how many rows it took. */
  private async fill(queue: QueueName, lane: Lane, room: number): Promise<number> {
    const places = Math.min(room, turnSize);
    const rows = places > 0 ? await this.publishTurn(queue, lane, places) : 0;
    if (rows >= room) lane.claimedWhileFull = 0;
    return rows;
  }

  private async publishTurn(queue: QueueName, lane: Lane, places: number): Promise<number> {
    this.bull.assertReady(queue);
    const turn = await takeTurn(this.database, queue, places, lane.lastOwner);
    lane.lastOwner = turn.lastOwner;
    await this.bull.publish(queue, turn.publications);
    return turn.rows;
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
