import {
  addSkippedSlot, addWaitingSlot, asEngine, asOnlyClock, countOpenSlots, followCronJobs, isConnectionError, lookAhead, saveTrouble, saveTurn, schedulesChannel, settleSlots, startSlot, startWaitingSlots, takeDueSchedules,
  type CronTables, type Database, type DueSchedule, type Listener, type Transaction,
} from '@mainstay/persistence';
import { WakefulLoop, type Log } from '@mainstay/queue';
import { makeClockwork } from './next-runs.ts';
import { CronRefusal } from './parse-cron.ts';
import { planTurn, type TurnPlan } from './plan-turn.ts';

/** It looks this often, whatever it was told: a clock may jump, and a notification may be lost. */
const lookMs = 1000;
/** And no more often. */
const restMs = 10;
const followMs = 10_000;
const againMs = 500;
/** After an error that may go by itself. */
const againSeconds = 15;
const takenAtOnce = 20;
/** So many slots of one schedule wait for their turn. */
const mostWaiting = 1000;

/**
 * Turns the time into jobs. Every worker has one: whoever locks a schedule first decides about its slots, and a slot's row is
 * unique, so it runs once. All times are the database's.
 */
export class Scheduler {
  private isFollowing = true;
  private followedAt = -Infinity;
  private readonly loop: WakefulLoop;

  constructor(
    private readonly database: Database,
    private readonly cron: CronTables,
    private readonly log: Pick<Log, 'info' | 'warn'>,
  ) {
    this.loop = new WakefulLoop({ pass: () => this.pass(), retryMs: againMs, log, words: { failing: 'clock not looked at', well: 'clock looked at again' } });
  }

  /** Wakes at what the listener hears; to be said before it starts. */
  hearFrom(listener: Listener): Listener {
    listener.on({ channel: schedulesChannel, onNotify: (about) => this.wake(about === 'cron'), onListening: () => this.wake(true) });
    return listener;
  }

  start(): void {
    this.loop.start();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  private wake(isAboutCron: boolean): void {
    this.isFollowing ||= isAboutCron;
    this.loop.wake();
  }

  /** Does what is due; says how long there is nothing to do. */
  private async pass(): Promise<number> {
    await this.follow();
    while ((await this.takeTurn()) === takenAtOnce && !this.loop.isStopped);
    const { seconds, hasOpen } = await lookAhead(this.database);
    if (hasOpen) await asOnlyClock(this.database, 'settle', (tx) => this.settle(tx));
    // What is due and was not taken is in another worker's hands.
    return Math.min(lookMs, seconds === null ? lookMs : Math.max(restMs, Math.ceil(seconds * 1000)));
  }

  private async follow(): Promise<void> {
    const now = performance.now();
    if (!this.isFollowing && now - this.followedAt < followMs) return;
    this.isFollowing = false;
    this.followedAt = now;
    try {
      const jobs = (await this.cron.list()) ?? [];
      // When another worker is at it, that one may have looked too early: once more.
      if ((await asOnlyClock(this.database, 'pg_cron', (tx) => followCronJobs(tx, jobs).then(() => true))) === null) this.isFollowing = true;
    } catch (error) {
      if (isConnectionError(error)) throw error;
      this.log.warn({ error: (error as Error).message }, 'cron.job not read');
    }
  }

  private takeTurn(): Promise<number> {
    return this.database.transaction(asEngine, async (tx) => {
      const due = await takeDueSchedules(tx, takenAtOnce);
      for (const schedule of due) await this.decide(tx, schedule);
      return due.length;
    });
  }

  /** What goes wrong with one schedule is no reason for the others to wait. */
  private async decide(tx: Transaction, schedule: DueSchedule): Promise<void> {
    try {
      await tx.savepoint(() => turn(tx, schedule));
    } catch (error) {
      if (isConnectionError(error)) throw error;
      const isWrong = error instanceof CronRefusal || error instanceof RangeError;
      const trouble = error instanceof CronRefusal ? `${error.message}, at character ${error.at}` : (error as Error).message;
      this.log.warn({ schedule: schedule.id, error: trouble }, 'schedule stands still');
      await saveTrouble(tx, schedule.id, trouble, isWrong ? null : againSeconds);
    }
  }

  /** Before this commits its runs are ended: else nobody would look at them again. */
  private async settle(tx: Transaction): Promise<void> {
    for (const { run_id: runId, state, message, finished_at: at } of await settleSlots(tx)) {
      if (runId !== null) await this.cron.end({ runId, isSuccess: state === 'done', message: message ?? state, at });
    }
    await startWaitingSlots(tx);
  }
}

async function turn(tx: Transaction, schedule: DueSchedule): Promise<void> {
  const { id, gone, after_at: after, now } = schedule;
  if (gone === 'deleted') return saveTrouble(tx, id, 'The account that made this schedule has been deleted', null);
  const clockwork = makeClockwork(schedule.cron, schedule.time_zone, wholeSecond(schedule.anchor_at), schedule.origin === 'pg_cron' ? 'pg_cron' : 'mainstay');
  const { starts, skipped, next } = clockwork.timing.kind === 'start' ? planStart(schedule) : planTurn(clockwork, schedule.missed, after, now);
  if (skipped !== null) await addSkippedSlot(tx, id, skipped.slot, 'missed', skipped.count);
  for (const { slot, isMadeUp } of starts) await begin(tx, schedule, slot, isMadeUp);
  await saveTurn(tx, id, now, next);
}

/** A job that runs at each start of the database. */
function planStart({ server_started_at: startedAt, after_at: after }: DueSchedule): TurnPlan {
  return { starts: startedAt > after ? [{ slot: startedAt, isMadeUp: false }] : [], skipped: null, next: null };
}

/** A slot whose time has come: it starts, waits for the run before, or is passed over. */
async function begin(tx: Transaction, { id, overlap }: DueSchedule, slot: Date, isMadeUp: boolean): Promise<void> {
  const open = overlap === 'allow' ? 0 : await countOpenSlots(tx, id);
  if (open === 0) await startSlot(tx, id, slot);
  // What is made up for on purpose is not passed over because the one before it runs.
  else if ((overlap === 'queue' || isMadeUp) && open <= mostWaiting) await addWaitingSlot(tx, id, slot);
  else await addSkippedSlot(tx, id, slot, 'overlap', 1);
}

function wholeSecond(instant: Date): Date {
  return new Date(Math.floor(instant.getTime() / 1000) * 1000);
}

