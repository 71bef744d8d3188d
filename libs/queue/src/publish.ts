import type { QueueName } from '@mainstay/domain';
import { backlogs, promoteDue, sayAsleep, takeTurn, type Backlog, type Database } from '@mainstay/persistence';
import type { BullQueues } from './bull-queues.ts';
import { Drowsiness } from './drowsiness.ts';
import { bundleSize, nextWindow, restedWindow } from './fair-window.ts';
import type { Log } from './log.ts';
import { WakefulLoop } from './wakeful-loop.ts';

/** Most outbox rows of one transaction. */
const turnSize = 100;
const awakePollMs = 10;
const drowsyMs = 300;
const retryMs = 250;
/** How soon it looks again at queues whose terms hold jobs back: what another worker has done with them is told by nobody. */
const heldPollMs = 50;

/** How one Bull queue stands. */
interface Carrier {
  readonly narrowest: number;
  window: number;
  claimedAt: number;
  /** The queue from which it was filled last; another one comes first the next time. */
  lastQueue: string;
  /** Jobs wait in the outbox because the window is full; so many were claimed since. */
  claimedWhileFull: number | null;
}

/** Never less than fills every slot once: so another owner's first job waits for one round of slow jobs at most. */
function makeCarrier(concurrency: number): Carrier {
  const narrowest = Math.max(4, concurrency);
  return { narrowest, window: narrowest, claimedAt: performance.now(), lastQueue: '', claimedWhileFull: null };
}

/**
 * Carries jobs from the outbox to Bull, after their commit. Asleep, it is woken by NOTIFY, and looks every second all the same;
 * awake, it looks by itself until nothing has come for a while.
 */
export class Relay {
  private readonly carriers: Map<QueueName, Carrier>;
  /** By lane: turns after this one come next. */
  private readonly lastTurns = new Map<string, string>();
  /** Queues whose terms hold jobs back. */
  private held = new Set<string>();
  private readonly drowsiness: Drowsiness;
  private readonly loop: WakefulLoop;

  constructor(
    private readonly database: Database,
    private readonly bull: BullQueues,
    log: Log,
    queues: Readonly<Record<string, { readonly concurrency: number }>>,
  ) {
    this.carriers = new Map(Object.entries(queues).map(([name, { concurrency }]) => [name as QueueName, makeCarrier(concurrency)]));
    this.drowsiness = new Drowsiness({ awakePollMs, drowsyMs, say: (isAsleep) => sayAsleep(database, isAsleep) });
    this.loop = new WakefulLoop({ pass: () => this.pass(), retryMs, log, words: { failing: 'outbox not relayed', well: 'outbox relayed again' } });
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
    await this.drowsiness.sleepForGood();
  }

  /** Something was enqueued: more may follow, so it stays awake for a while. */
  wake(): void {
    this.drowsiness.stir();
    this.loop.wake();
  }

  /** A job was claimed that had lain in Bull for so long. */
  claimed(name: QueueName, waitedMs: number): void {
    const carrier = this.carriers.get(name)!;
    carrier.window = nextWindow(carrier.window, waitedMs, carrier.narrowest);
    carrier.claimedAt = performance.now();
    if (carrier.claimedWhileFull === null) return;
    carrier.claimedWhileFull += 1;
    // A turn costs the same for one job as for a hundred: let a fifth of the window run out first.
    if (carrier.claimedWhileFull >= carrier.window / 5) this.loop.wake();
  }

  /** An attempt of a queue's job has ended: its terms may let the next one go. */
  settled(queue: string): void {
    if (this.held.has(queue)) this.loop.wake();
  }

  /** Publishes what there is room for; says how long there will be nothing to do. */
  private async pass(): Promise<number> {
    const dueSeconds = await promoteDue(this.database);
    const waiting = Map.groupBy(await backlogs(this.database), ({ carrier }) => carrier as QueueName);
    this.held = new Set();
    let taken = 0;
    let isMore = dueSeconds === 0;
    for (const [name, carrier] of this.carriers) {
      carrier.claimedWhileFull = null;
      const lanes = waiting.get(name);
      if (lanes === undefined) continue;
      carrier.window = restedWindow(carrier.window, performance.now() - carrier.claimedAt, carrier.narrowest);
      const room = carrier.window - lanes[0]!.unclaimed;
      const rows = await this.fill(carrier, lanes, room);
      taken += rows;
      isMore ||= rows > 0 && rows < room;
    }
    const restMs = Math.min(await this.drowsiness.rest(taken > 0), this.held.size > 0 ? heldPollMs : Infinity);
    return isMore ? 0 : Math.min(restMs, (dueSeconds ?? Infinity) * 1000);
  }

  /** Fills a carrier's window as far as one turn of each of its queues does; says how many rows it took. */
  private async fill(carrier: Carrier, lanes: readonly Backlog[], room: number): Promise<number> {
    let rows = 0;
    for (const [i, lane] of inTurn(lanes, carrier.lastQueue).entries()) {
      // What one queue does not use, those after it may.
      const places = Math.min(Math.ceil((room - rows) / (lanes.length - i)), turnSize);
      if (places <= 0) break;
      carrier.lastQueue = lane.queue;
      const took = await this.publishTurn(lane, places, bundleSize(carrier.window, carrier.narrowest));
      if (lane.isLimited && took < places) this.held.add(lane.queue);
      rows += took;
    }
    if (rows >= room) carrier.claimedWhileFull = 0;
    return rows;
  }

  private async publishTurn(lane: Backlog, places: number, perBundle: number): Promise<number> {
    const key = `${lane.carrier} ${lane.queue}`;
    this.bull.assertReady(lane.carrier as QueueName);
    const turn = await takeTurn(this.database, lane, places, this.lastTurns.get(key) ?? '');
    this.lastTurns.set(key, turn.last);
    await this.bull.publish(lane.carrier as QueueName, turn.publications, perBundle);
    return turn.rows;
  }
}

/** The lanes in their order, beginning after the one that came last. */
function inTurn(lanes: readonly Backlog[], lastQueue: string): Backlog[] {
  return [...lanes.filter(({ queue }) => queue > lastQueue), ...lanes.filter(({ queue }) => queue <= lastQueue)];
}
