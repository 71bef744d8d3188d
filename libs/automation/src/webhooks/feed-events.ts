import { setTimeout as pause } from 'node:timers/promises';
import { asDeliverer, feedEndpoints, hasFeed, sayFeederAsleep, takeBreaks, tryLock, type Database } from '@mainstay/persistence';
import type { Log } from '@mainstay/queue';

const pollMs = 1000;
/** While it is awake it looks this often by itself, and it falls asleep after so long without work. */
const awakePollMs = 40;
const drowsyMs = 400;
const retryMs = 500;

/**
 * Sees to it that an endpoint with something due has a job. Asleep, it is woken by NOTIFY and looks every second all the same;
 * awake it looks by itself, so that writers need not notify. Every worker has one; they take turns by a lock.
 */
export class EventFeeder {
  private isStopped = false;
  private isWoken = false;
  private isAsleep = true;
  private isFailing = false;
  private workedAt = -Infinity;
  private wakeUp: () => void = () => {};
  private loop: Promise<void> = Promise.resolve();

  constructor(
    private readonly database: Database,
    private readonly log: Pick<Log, 'info' | 'warn'>,
  ) {}

  start(): void {
    this.loop = this.run();
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    this.wake();
    await this.loop;
    await sayFeederAsleep(this.database, true).catch(() => {});
  }

  /** Something may be due. */
  readonly wake = (): void => {
    this.workedAt = performance.now();
    this.isWoken = true;
    this.wakeUp();
  };

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
    this.isFailing = false;
    return pauseMs;
  }

  private async failed(error: Error): Promise<number> {
    if (!this.isFailing) this.log.warn({ error: error.message }, 'webhooks not fed');
    this.isFailing = true;
    await pause(retryMs);
    return retryMs;
  }

  /** Gives out what is due; says how long there will be nothing to do. */
  private async pass(): Promise<number> {
    const { isNow, nextSeconds } = await hasFeed(this.database);
    if (isNow) await this.feed();
    const restMs = await this.rest(isNow);
    return isNow ? awakePollMs : Math.min(restMs, Math.max((nextSeconds ?? Infinity) * 1000, 1));
  }

  private async feed(): Promise<void> {
    await this.database.transaction(asDeliverer, async (tx) => {
      if (!(await tryLock(tx, 'webhook feeder'))) return;
      const broken = await takeBreaks(tx);
      for (const { subscriptionId, sqlstate, message } of broken) this.log.warn({ subscription: subscriptionId, sqlstate, error: message }, 'webhook filter could not be evaluated');
      await feedEndpoints(tx);
    });
  }

  private async rest(hasWorked: boolean): Promise<number> {
    const now = performance.now();
    if (hasWorked) this.workedAt = now;
    const wasAsleep = this.isAsleep;
    this.isAsleep = now - this.workedAt > drowsyMs;
    // Asleep it says so at every look: another one may have died awake.
    if (this.isAsleep || wasAsleep) await sayFeederAsleep(this.database, this.isAsleep);
    if (!this.isAsleep) return awakePollMs;
    // One more look after it was said, for what was written in between.
    return wasAsleep ? pollMs : 1;
  }

  private sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
