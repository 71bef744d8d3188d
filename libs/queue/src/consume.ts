import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { isJobKind, jobs, type QueueName } from '@mainstay/domain';
import { claim, complete, Gathered, isConnectionError, jobRunFault, PoolTimeout, refuseGone, type ClaimedJob, type Completion, type Database, type Lease, type TalliedOutcome } from '@mainstay/persistence';
import type { Step } from '@mainstay/telemetry';
import { Attempt, JobCancelled } from './attempt.ts';
import type { Handler, Handlers } from './job-run.ts';
import { asJobStep } from './job-steps.ts';
import type { Log } from './log.ts';
import { outcomeOf, type Outcome } from './outcome.ts';
import { parsePayload } from './parse-payload.ts';
import type { Tally } from './tally.ts';

/** What a claim without a database waits, before Bull gives out the next id. */
const databaseAwayMs = 500;

/** How one queue has been doing in this process. */
export interface QueueActivity {
  running: number;
  claimedAt: number;
}

/** Carries out the jobs whose ids Bull gives out: claim, check, handle, settle. */
export class Consumer {
  /** By lease token: after a stall one job can have an old and a new attempt here. */
  readonly running = new Map<string, Attempt>();
  /** Ended by `WorkerStopping`: to be handed back. */
  readonly unfinished: Lease[] = [];
  private readonly activities = new Map<QueueName, QueueActivity>();
  private readonly claims: Gathered<Lease, ClaimedJob | null>;
  private readonly completions: Gathered<Completion, { readonly isAwaited: boolean } | null>;
  private isStopping = false;

  constructor(
    private readonly database: Database,
    private readonly handlers: Handlers,
    private readonly leaseSeconds: number,
    private readonly log: Log,
    private readonly onClaim: (carrier: QueueName, waitedMs: number) => void,
    private readonly onSettled: (queue: string, awaited: string | null) => void,
    private readonly tally: Tally,
  ) {
    this.claims = new Gathered(async (leases) => {
      const claimed = await claim(database, leases, leaseSeconds);
      return leases.map(({ token }) => claimed.get(token) ?? null);
    });
    this.completions = new Gathered(async (completions) => {
      const completed = await complete(database, completions);
      return completions.map(({ token }) => completed.get(token) ?? null);
    });
  }

  activity(queue: QueueName): QueueActivity {
    let activity = this.activities.get(queue);
    if (activity === undefined) this.activities.set(queue, (activity = { running: 0, claimedAt: performance.now() }));
    return activity;
  }

  /** Claims nothing more; what Bull still gives out is dropped, and the reaper of another worker finds it. */
  stopClaiming(): void {
    this.isStopping = true;
  }

  abortAll(reason: Error): void {
    for (const attempt of this.running.values()) attempt.abort(reason);
  }

  /** A job was cancelled: whoever runs it here shall stop. */
  cancelled(jobId: string): void {
    for (const attempt of this.running.values()) if (attempt.jobId === jobId) attempt.abort(new JobCancelled());
  }

  /** Answers an id that Bull gave out. Throws only when the database is away; then Bull lets the id go, and it is published again. */
  async deliver(queue: QueueName, jobId: string): Promise<void> {
    if (this.isStopping) return;
    const claimedAt = performance.now();
    const job = await this.claim(jobId);
    if (job === null) return;
    const activity = this.activity(queue);
    activity.claimedAt = claimedAt;
    activity.running += 1;
    this.onClaim(queue, job.waitedMs);
    this.tally.claimed(job.queue, job.dueMs / 1000);
    const timeoutSeconds = isJobKind(job.kind) ? jobs[job.kind].timeoutSeconds : 0;
    const attempt = new Attempt(this.database, this.completions, job, this.leaseSeconds, timeoutSeconds, claimedAt);
    this.running.set(attempt.token, attempt);
    try {
      await asJobStep(job, (step) => this.carryOut(job, attempt, step));
    } finally {
      this.running.delete(attempt.token);
      activity.running -= 1;
      this.onSettled(job.queue, attempt.isAwaited ? job.jobId : null);
    }
  }

  private async claim(jobId: string): Promise<ClaimedJob | null> {
    try {
      return await this.claims.ask({ jobId, token: randomUUID() });
    } catch (error) {
      if (isConnectionError(error) || error instanceof PoolTimeout) await pause(databaseAwayMs);
      throw error;
    }
  }

  private async carryOut(job: ClaimedJob, attempt: Attempt, step: Step | null): Promise<void> {
    const about = { job: job.jobId, kind: job.kind, attempt: job.attempt };
    const began = performance.now();
    try {
      await attempt.complete(await attempt.within(this.handle(job, attempt)));
      this.tally.ended(job.queue, 'done', (performance.now() - began) / 1000);
      this.log.debug({ ...about, ms: Math.round(performance.now() - began) }, 'job done');
    } catch (error) {
      const logId = randomUUID();
      const outcome = outcomeOf(error, attempt.signal, logId);
      const state = await this.settle(outcome, attempt);
      if (state !== null) this.tally.ended(job.queue, outcomeInTally(state), (performance.now() - began) / 1000);
      step?.fail('error' in outcome ? outcome.error.code : outcome.kind);
      this.tell(outcome, { ...about, state, logId, ms: Math.round(performance.now() - began) }, error);
    }
  }

  private async handle(job: ClaimedJob, attempt: Attempt): Promise<unknown> {
    refuseGone(job.callerIs);
    if (!isJobKind(job.kind)) throw jobRunFault('kind_not_known', { details: job.kind });
    const handler = this.handlers[job.kind] as Handler<typeof job.kind>;
    return handler(parsePayload(job.kind, job.payload) as never, attempt);
  }

  /** Writes down how the attempt ended; a database that stays away leaves it to the reaper. */
  private async settle(outcome: Outcome, attempt: Attempt): Promise<string | null> {
    if (outcome.kind === 'lost') return null;
    if (outcome.kind === 'stopped') {
      this.unfinished.push({ jobId: attempt.jobId, token: attempt.token });
      return null;
    }
    const afterSeconds = outcome.kind === 'failed' ? (outcome.afterSeconds ?? null) : null;
    return attempt.fail({ error: outcome.error, isRefused: outcome.kind === 'refused', afterSeconds }).catch(() => null);
  }

  private tell(outcome: Outcome, about: object, error: unknown): void {
    if (outcome.kind === 'lost') this.log.info({ ...about, reason: outcome.reason }, 'job no longer ours');
    else if (outcome.kind === 'stopped') this.log.info(about, 'job handed back');
    else if (outcome.kind === 'refused') this.log.info({ ...about, code: outcome.error.code }, 'job refused');
    else this.log.error({ ...about, code: outcome.error.code, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }, 'job attempt failed');
  }
}

/** A job that is queued again will be tried again. */
function outcomeInTally(state: string): TalliedOutcome {
  return state === 'failed' || state === 'dead' ? state : 'again';
}
