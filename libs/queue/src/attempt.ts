import { setTimeout as pause } from 'node:timers/promises';
import type { Claims } from '@mainstay/domain';
import { assertLease, completeWith, fail, isConnectionError, LeaseLost, saveProgress, type ClaimedJob, type Completion, type Database, type Failure, type Gathered, type Lease, type Session, type Transaction } from '@mainstay/persistence';
import type { JobRun, Progress } from './job-run.ts';

/** Why an attempt is told to stop, as `signal.reason`. */
export class JobCancelled extends Error {
  override name = 'JobCancelled';
}
export class WorkerStopping extends Error {
  override name = 'WorkerStopping';
}

/** How long a handler that was told to stop may take. */
const heedMs = 10_000;
const progressMs = 500;
const settleAgainMs = 250;

/** One attempt of one job, from its claim to its end. */
export class Attempt implements JobRun {
  readonly session: Session;
  private readonly aborter = new AbortController();
  private readonly effects: ((tx: Transaction) => Promise<unknown>)[] = [];
  private ownCompletion: ((lease: Lease) => Promise<boolean>) | null = null;
  /** Ended, and others wait for it. */
  isAwaited = false;
  private heldSince: number;
  private unsaved: Progress | null = null;
  private saving: Promise<void> | null = null;

  constructor(
    private readonly database: Database,
    private readonly completions: Gathered<Completion, { readonly isAwaited: boolean } | null>,
    private readonly job: ClaimedJob,
    private readonly leaseSeconds: number,
    timeoutSeconds: number,
    claimedAt: number,
  ) {
    this.heldSince = claimedAt;
    const subject = typeof job.claims['sub'] === 'string' ? job.claims['sub'] : '';
    this.session = {
      role: job.role,
      settings: {
        statement_timeout: `${timeoutSeconds}s`,
        'request.jwt.claims': JSON.stringify(job.claims),
        'request.jwt.claim.sub': subject,
        ...(job.trace === null ? {} : { 'mainstay.traceparent': job.trace }),
      },
    };
  }

  get jobId(): string {
    return this.job.jobId;
  }

  get token(): string {
    return this.job.token;
  }

  get attempt(): number {
    return this.job.attempt;
  }

  get owner(): string | null {
    return this.job.owner;
  }

  get role(): string {
    return this.job.role;
  }

  get claims(): Claims {
    return this.job.claims;
  }

  get signal(): AbortSignal {
    return this.aborter.signal;
  }

  async assertLease(tx: Transaction): Promise<void> {
    const now = performance.now();
    await assertLease(tx, this, this.leaseSeconds);
    this.heldSince = now;
  }

  progress(progress: Progress): void {
    this.unsaved = progress;
    this.saving ??= pause(progressMs).then(() => this.saveProgress());
  }

  finish(effects: (tx: Transaction) => Promise<unknown>): void {
    this.effects.push(effects);
  }

  completeBy(complete: (lease: Lease) => Promise<boolean>): void {
    this.ownCompletion = complete;
  }

  abort(reason: Error): void {
    this.aborter.abort(reason);
  }

  /** Waits for the handler; for one that does not heed the signal only so long, since its slot is wanted and nothing of it counts any more. */
  async within<T>(handling: Promise<T>): Promise<T> {
    const abandoned = Promise.withResolvers<never>();
    const abandonLater = (): void => void setTimeout(() => abandoned.reject(this.signal.reason as Error), heedMs).unref();
    if (this.signal.aborted) abandonLater();
    else this.signal.addEventListener('abort', abandonLater, { once: true });
    return Promise.race([handling, abandoned.promise]);
  }

  /** The heartbeat renewed the lease, at a time before it asked. */
  renewed(at: number): void {
    this.heldSince = at;
  }

  /** The lease is over even by this process's own clock: the database may have given the job away. */
  isOver(now: number): boolean {
    return now - this.heldSince > this.leaseSeconds * 1000;
  }

  /**
   * Completes the job, with its effects in the same transaction. While the database is away it is tried again as long as the
   * lease may be held: if the first commit did happen, the second finds the job done and takes all its effects back.
   * @throws LeaseLost, and whatever an effect throws
   */
  async complete(result: unknown): Promise<void> {
    if (this.unsaved !== null) await this.saveProgress();
    await this.persistently(async () => {
      const done = { jobId: this.jobId, token: this.token, result };
      if (this.ownCompletion !== null) this.isAwaited = await this.ownCompletion(this);
      else if (this.effects.length > 0) ({ isAwaited: this.isAwaited } = await completeWith(this.database, done, (tx) => this.runEffects(tx)));
      else {
        const completed = await this.completions.ask(done);
        if (completed === null) throw new LeaseLost(this.jobId);
        this.isAwaited = completed.isAwaited;
      }
    });
  }

  /** Ends a failed attempt; says what became of the job, null when it was not ours any more. */
  fail(failure: Failure): Promise<string | null> {
    return this.persistently(async () => {
      const ended = await fail(this.database, this, failure);
      this.isAwaited = ended !== null && ended.isAwaited && ended.state !== 'queued';
      return ended?.state ?? null;
    });
  }

  private async runEffects(tx: Transaction): Promise<void> {
    for (const effect of this.effects) await effect(tx);
  }

  private async persistently<T>(settle: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await settle();
      } catch (error) {
        if (!isConnectionError(error) || this.isOver(performance.now())) throw error;
        await pause(settleAgainMs);
      }
    }
  }

  /** Best effort: the next one tells more. */
  private async saveProgress(): Promise<void> {
    this.saving = null;
    const progress = this.unsaved;
    this.unsaved = null;
    if (progress !== null) await saveProgress(this.database, this, { done: progress.done, total: progress.total, note: progress.note ?? null }).catch(() => {});
  }
}
