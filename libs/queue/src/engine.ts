import { setTimeout as pause } from 'node:timers/promises';
import { queues, type QueueName } from '@mainstay/domain';
import { cancelChannel, endedChannel, handBack, longestWaits, outboxChannel, reportWorker, type Database, type Listener, type Publication, type WorkerReport } from '@mainstay/persistence';
import { WorkerStopping } from './attempt.ts';
import type { BullQueues } from './bull-queues.ts';
import { Consumer } from './consume.ts';
import { Followers } from './followers.ts';
import { Heartbeat } from './heartbeat.ts';
import type { Handlers } from './job-run.ts';
import type { Log } from './log.ts';
import { LoadWatch } from './process-load.ts';
import { stuckQueues, stuckSeconds, type QueueStanding } from './progress.ts';
import { Relay } from './publish.ts';
import { Reaper } from './reap.ts';
import { Tally } from './tally.ts';

export interface EngineTerms {
  /** For the jobs themselves. */
  readonly database: Database;
  /** For the engine: the heartbeat must not wait behind busy handlers for a connection. */
  readonly upkeep: Database;
  readonly listener: Listener;
  readonly bull: BullQueues;
  readonly handlers: Handlers;
  readonly leaseSeconds: number;
  readonly log: Log;
  /** Called every few seconds for as long as this worker makes progress or there is nothing to do. */
  readonly onProgress?: () => void;
}

const reportMs = 5000;
/** Sooner while something is wrong: what is well again shall be known to be. */
const reportAgainMs = 500;
/** Running jobs have this long to end by themselves when the worker stops, and then this long to heed the signal. */
const graceMs = 1500;
const heedMs = 1000;
/** A bundle is for quick jobs: what of it has not begun by then leaves it. */
const bundleMs = 100;

/** The job engine of one worker process: relay, consumption, heartbeat, reaper, and what it says of itself. */
export class JobEngine {
  private readonly consumer: Consumer;
  private readonly relay: Relay;
  private readonly followers: Followers;
  private readonly heartbeat: Heartbeat;
  private readonly reaper: Reaper;
  private readonly tally: Tally;
  private readonly load = new LoadWatch();
  private reporter: NodeJS.Timeout | undefined;
  private readonly mendedAt = new Map<QueueName, number>();
  private stopping: Promise<void> | null = null;

  constructor(private readonly terms: EngineTerms) {
    const { database, upkeep, bull, handlers, leaseSeconds, log } = terms;
    this.tally = new Tally(upkeep, log);
    this.relay = new Relay(upkeep, bull, log, queues);
    this.consumer = new Consumer(database, handlers, leaseSeconds, log, (carrier, waitedMs) => this.relay.claimed(carrier, waitedMs), (queue, awaited) => this.settled(queue, awaited), this.tally);
    this.followers = new Followers(upkeep, log, () => this.relay.wake());
    this.heartbeat = new Heartbeat(upkeep, this.consumer.running, leaseSeconds, log);
    this.reaper = new Reaper(upkeep, bull, log, () => this.relay.wake(), this.tally);
    bull.whenErring((queue, error) => log.debug({ queue, error: error.message }, 'queue error'));
    terms.listener
      .on({ channel: outboxChannel, onNotify: () => this.relay.wake(), onListening: () => this.relay.wake() })
      .on({ channel: cancelChannel, onNotify: (jobId) => this.consumer.cancelled(jobId) })
      .on({ channel: endedChannel, onNotify: (jobId) => this.followers.jobEnded(jobId) });
  }

  /** Begins to work. `processId` is the one under which this process is registered. A database or queue that is away is awaited without end. */
  start(processId: string): void {
    void this.terms.listener.start();
    for (const [queue, { concurrency }] of Object.entries(queues) as [QueueName, { concurrency: number }][]) {
      this.terms.bull.consume(queue, concurrency, (publications) => this.deliver(queue, publications));
    }
    this.relay.start();
    this.heartbeat.start();
    this.reaper.start();
    this.tally.start();
    this.load.start();
    void this.report(processId);
  }

  /**
   * Stops within 4 s: takes nothing more, lets running jobs end, tells the rest to, and hands back what is left: queued at once
   * for the other workers, and not counted as an attempt.
   */
  stop(): Promise<void> {
    return (this.stopping ??= this.stopOnce());
  }

  /** One after the other; who comes behind a slow job is told to Bull again, by itself, for whichever slot is free. */
  private async deliver(queue: QueueName, publications: readonly Publication[]): Promise<void> {
    const rest = [...publications];
    const late = rest.length === 1 ? undefined : setTimeout(() => void this.publishAgain(queue, rest.splice(0)), bundleMs);
    try {
      for (let next = rest.shift(); next !== undefined; next = rest.shift()) await this.consumer.deliver(queue, next.jobId);
    } finally {
      clearTimeout(late);
    }
  }

  private async publishAgain(queue: QueueName, rest: readonly Publication[]): Promise<void> {
    // What Bull does not take the reaper publishes, once Bull holds it no longer.
    await this.terms.bull.publish(queue, rest).catch((error: Error) => this.terms.log.debug({ queue, error: error.message }, 'rest of a bundle not published'));
  }

  private settled(queue: string, awaited: string | null): void {
    this.relay.settled(queue);
    if (awaited !== null) this.followers.jobEnded(awaited);
  }

  private async stopOnce(): Promise<void> {
    clearTimeout(this.reporter);
    this.consumer.stopClaiming();
    const { bull, upkeep, listener, log } = this.terms;
    const stopped = Promise.allSettled([this.relay.stop(), this.reaper.stop(), listener.close()]);
    await Promise.all([bull.stopTaking(), this.allEnded(graceMs)]);
    this.consumer.abortAll(new WorkerStopping('this worker stops'));
    await this.allEnded(heedMs);
    // Bull first lets go of the ids, so that their next publication is not taken for a second one.
    await bull.close();
    const leases = [...this.consumer.unfinished, ...this.consumer.running.values()];
    await handBack(upkeep, leases).catch((error: Error) => log.warn({ error: error.message, jobs: leases.length }, 'jobs not handed back: their leases will run out'));
    this.heartbeat.stop();
    this.load.stop();
    await Promise.race([Promise.all([stopped, this.tally.stop()]), pause(500)]);
  }

  private async allEnded(ms: number): Promise<void> {
    const end = performance.now() + ms;
    while (this.consumer.running.size > 0 && performance.now() < end) await pause(20);
  }

  /** Says how this worker does, again and again. */
  private async report(processId: string): Promise<void> {
    let isWell = false;
    try {
      const report = await this.look();
      await reportWorker(this.terms.upkeep, processId, report);
      isWell = report.note === null;
      if (report.isProgressing) this.terms.onProgress?.();
    } catch (error) {
      this.terms.log.warn({ error: (error as Error).message }, 'worker could not report');
    }
    if (this.stopping === null) this.reporter = setTimeout(() => void this.report(processId), isWell ? reportMs : reportAgainMs);
  }

  /** Looks whether this worker makes progress, and mends a queue whose client is lost. */
  private async look(): Promise<WorkerReport> {
    const { bull } = this.terms;
    bull.revive();
    const isQueueReachable = await bull.isReachable();
    const stuck = stuckQueues(await this.standings());
    if (isQueueReachable) for (const queue of stuck) this.mend(queue as QueueName);
    const notes = [isQueueReachable ? null : 'Redis does not answer', stuck.length === 0 ? null : `nothing moves in ${stuck.join(', ')}`];
    return { isProgressing: stuck.length === 0, isQueueReachable, note: notes.filter((note) => note !== null).join('; ') || null, running: this.consumer.running.size, process: this.load.look() };
  }

  /** The server answers, jobs wait, slots are free: then it is the client that brings nothing. */
  private mend(queue: QueueName): void {
    const now = performance.now();
    if (now - (this.mendedAt.get(queue) ?? -Infinity) < stuckSeconds * 1000) return;
    this.mendedAt.set(queue, now);
    this.terms.log.warn({ queue }, 'queue stands still: its client is made anew');
    this.terms.bull.rebuild(queue);
  }

  private async standings(): Promise<QueueStanding[]> {
    const now = performance.now();
    const waits = await longestWaits(this.terms.upkeep, Object.keys(queues));
    return waits.map(({ carrier, seconds }) => {
      const { running, claimedAt } = this.consumer.activity(carrier as QueueName);
      return { queue: carrier, waitingSeconds: seconds, freeSlots: queues[carrier as QueueName].concurrency - running, secondsSinceClaim: (now - claimedAt) / 1000 };
    });
  }
}
