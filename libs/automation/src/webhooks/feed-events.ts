import { asDeliverer, feedEndpoints, hasFeed, sayFeederAsleep, takeBreaks, tryLock, type Database } from '@mainstay/persistence';
import { Drowsiness, WakefulLoop, type Log } from '@mainstay/queue';

const awakePollMs = 40;
const drowsyMs = 400;
const retryMs = 500;

/**
 * Sees to it that an endpoint with something due has a job. Asleep, it is woken by NOTIFY and looks every second all the same;
 * awake it looks by itself, so that writers need not notify. Every worker has one; they take turns by a lock.
 */
export class EventFeeder {
  private readonly drowsiness: Drowsiness;
  private readonly loop: WakefulLoop;

  constructor(
    private readonly database: Database,
    private readonly log: Pick<Log, 'info' | 'warn'>,
  ) {
    this.drowsiness = new Drowsiness({ awakePollMs, drowsyMs, say: (isAsleep) => sayFeederAsleep(database, isAsleep) });
    this.loop = new WakefulLoop({ pass: () => this.pass(), retryMs, log, words: { failing: 'webhooks not fed', well: 'webhooks fed again' } });
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
    await this.drowsiness.sleepForGood();
  }

  /** Something may be due. */
  readonly wake = (): void => {
    this.drowsiness.stir();
    this.loop.wake();
  };

  /** Gives out what is due; says how long there will be nothing to do. */
  private async pass(): Promise<number> {
    const { isNow, nextSeconds } = await hasFeed(this.database);
    if (isNow) await this.feed();
    const restMs = await this.drowsiness.rest(isNow);
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
}
