import type { Settings } from '@mainstay/config';
import {
  asWorker, canBeTakenBack, CommandSession, complete, findCommandSlot, isConnectionError, isDatabaseError, LeaseLost, markSlot, sayRunEnded,
  type CommandAnswer, type CommandSlot, type CronTables, type Database, type Lease,
} from '@mainstay/persistence';
import type { JobRun } from '@mainstay/queue';
import { scheduleFault } from './schedule-faults.ts';

/** PostgreSQL refuses what must stand outside a transaction, or wants to end it: nothing has happened then. */
const mustStandAlone = new Set(['25001', '2D000']);
const leaseLostCode = 'MS002';

/** Runs the SQL of schedules, those of pg_cron included: the handler of `run-command`. */
export class Commands {
  constructor(
    private readonly database: Database,
    private readonly cron: CronTables,
    private readonly settings: Settings,
  ) {}

  /**
   * A command that leaves its transaction to us takes effect exactly once: it commits together with its job. One that brings its
   * own (VACUUM, a procedure that commits) is sent once, and not again when its worker is lost: nobody knows how far it came.
   */
  async run(slotId: string, run: JobRun): Promise<unknown> {
    const slot = await this.database.transaction(asWorker, (tx) => findCommandSlot(tx, slotId));
    const jobId = slot?.cron_job_id ?? null;
    if (slot === null || (jobId !== null && !(await this.cron.isActive(jobId)))) return { note: 'The schedule was ended before this run began' };
    await this.closeLost(slotId, slot);
    const runId = jobId === null ? null : await this.cron.begin({ jobid: jobId, database: slot.database ?? slot.own_database, username: run.role, command: slot.command });
    await this.database.transaction(asWorker, (tx) => markSlot(tx, slotId, { runId }));
    run.completeBy((lease) => this.carryOut({ slotId, slot, runId, run, lease }));
    return null;
  }

  /** An attempt before this one left a run that nobody ended. */
  private async closeLost(slotId: string, slot: CommandSlot): Promise<void> {
    const { run_id: runId, sent_at: sentAt } = slot;
    const isOver = sentAt !== null;
    if (runId !== null) {
      const message = isOver ? 'the worker that ran this command was lost' : 'the worker that ran this command was lost; nothing of it took effect, and it runs again';
      await this.cron.end({ runId, isSuccess: false, message });
    }
    if (isOver) throw await this.failing(slotId, scheduleFault('command_interrupted'));
  }

  private async carryOut(attempt: Running): Promise<boolean> {
    const { slot, run } = attempt;
    const isAtomic = slot.database === null && (await canBeTakenBack(slot.command));
    const answer = await this.inSession(attempt, async (session) => {
      if (!isAtomic) return this.send(attempt, session);
      const once = await session.runOnce(slot.command, attempt.lease);
      return once.error !== null && mustStandAlone.has(once.error.code) ? null : once;
    });
    // In a session of its own: the first may have left settings behind that were not undone.
    const last = answer ?? (await this.inSession(attempt, (session) => this.send(attempt, session)));
    if (last.error?.code === leaseLostCode) throw new LeaseLost(run.jobId);
    await this.end(attempt, last);
    if (last.error !== null) throw this.refusal(last.error, run, isAtomic && answer !== null);
    if (isAtomic && answer !== null) return true;
    return this.complete(attempt, last);
  }

  private async inSession<T extends CommandAnswer | null>(attempt: Running, work: (session: CommandSession) => Promise<T>): Promise<T | CommandAnswer> {
    const { slot, run, runId } = attempt;
    const session = await CommandSession.open(this.settings, { role: run.role, database: slot.database, settings: this.sessionSettings(run), signal: run.signal }).catch(answerOf);
    if (!(session instanceof CommandSession)) return session;
    try {
      if (runId !== null) await this.cron.mark(runId, session.pid);
      return await work(session);
    } finally {
      await session.close();
    }
  }

  /** From here on nothing is taken back, and nothing is tried again. */
  private async send({ slotId, slot }: Running, session: CommandSession): Promise<CommandAnswer> {
    await this.database.transaction(asWorker, (tx) => markSlot(tx, slotId, { isSent: true }));
    return session.run(slot.command).catch(async (error: unknown) => {
      throw await this.failing(slotId, scheduleFault('command_interrupted', { message: 'The connection broke while the command ran; part of it may have taken effect', cause: error }));
    });
  }

  private sessionSettings({ claims }: JobRun): Record<string, string> {
    const subject = typeof claims['sub'] === 'string' ? claims['sub'] : '';
    const ofApp = Object.entries(this.settings.appSettings).map(([name, value]) => [`app.settings.${name}`, value] as const);
    return { ...Object.fromEntries(ofApp), 'request.jwt.claims': JSON.stringify(claims), 'request.jwt.claim.sub': subject };
  }

  /** Writes down how it went. Best effort: the scheduler writes it down too, once the job has ended. */
  private async end({ slotId, runId }: Running, { message, error }: CommandAnswer): Promise<void> {
    const text = error?.text ?? message;
    try {
      if (runId !== null) await this.cron.end({ runId, isSuccess: error === null, message: text });
      await this.database.transaction(asWorker, async (tx) => {
        await markSlot(tx, slotId, { message: text });
        await sayRunEnded(tx);
      });
    } catch (failure) {
      if (!isConnectionError(failure)) throw failure;
    }
  }

  /** What the owner reads. A command of pg_cron is not tried again, and neither is one of which something may have taken effect. */
  private refusal(error: NonNullable<CommandAnswer['error']>, run: JobRun, isTakenBack: boolean): unknown {
    if (run.signal.aborted && isTakenBack) return run.signal.reason;
    const isFinal = !isTakenBack || run.owner === null;
    return scheduleFault('command_failed', { status: isFinal ? 422 : 500, message: error.message, details: { code: error.code, text: error.text } });
  }

  private async complete({ lease, run }: Running, { message }: CommandAnswer): Promise<boolean> {
    const completed = await complete(this.database, [{ ...lease, result: { message } }]);
    if (!completed.has(lease.token)) throw new LeaseLost(run.jobId);
    return true;
  }

  private async failing(slotId: string, fault: Error): Promise<Error> {
    await this.database.transaction(asWorker, (tx) => markSlot(tx, slotId, { message: fault.message })).catch(() => {});
    return fault;
  }
}

interface Running {
  readonly slotId: string;
  readonly slot: CommandSlot;
  readonly runId: string | null;
  readonly run: JobRun;
  readonly lease: Lease;
}

/** A role or database that refuses the session is the command's failure, worded as psql would. */
function answerOf(error: unknown): CommandAnswer {
  if (!isDatabaseError(error)) throw error;
  return { message: '', error: { code: error.code ?? 'XX000', message: error.message, text: `${error.severity ?? 'ERROR'}:  ${error.message}\n` } };
}
