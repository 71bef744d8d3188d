import type { JobKind, PayloadOf } from '@mainstay/domain';
import type { ActingAs, Lease, Session, Transaction } from '@mainstay/persistence';

/** How far a job has come, as its owner sees it. `total` is null while it is not known. */
export interface Progress {
  readonly done: number;
  readonly total: number | null;
  readonly note?: string | null;
}

/** What a handler holds while it runs one attempt of a job. */
export interface JobRun extends ActingAs {
  readonly jobId: string;
  /** 1 for the first. */
  readonly attempt: number;
  /** Role, claims and the contract's time limit, for `database.transaction(run.session, …)`. */
  readonly session: Session;
  /** Aborts when the job is cancelled, when another worker has it, and when this worker stops: then stop soon, by throwing. */
  readonly signal: AbortSignal;
  /**
   * Fences a transaction: it commits only while this attempt holds the job, and a cancelled job has no effect any more.
   * Renews the lease; an attempt that committed such a transaction made progress and is not counted against the job.
   * Call it last: it keeps the job's row locked until the transaction ends, and leaves it as the worker's own login.
   * @throws LeaseLost
   */
  assertLease(tx: Transaction): Promise<void>;
  /** Tells the owner how far the job is. Cheap to call often: written at most twice a second. */
  progress(progress: Progress): void;
  /**
   * Adds work to the transaction in which the job is completed, after the handler has returned: it commits with the state
   * `done` or not at all. Follow-up jobs are enqueued here.
   */
  finish(effects: (tx: Transaction) => Promise<unknown>): void;
  /**
   * Leaves the completion to the handler: called after it has returned, it completes the job in a transaction of its own and says
   * whether other jobs wait for this one. Called again when the connection broke, so a second time must come to nothing.
   */
  completeBy(complete: (lease: Lease) => Promise<boolean>): void;
}

/** Does the work of a kind of job. What it returns is kept as the job's result; a `Fault` that it throws refuses the job for good. */
export type Handler<K extends JobKind> = (payload: PayloadOf<K>, run: JobRun) => Promise<unknown>;

/** One handler for each kind of job in the house: a missing or an extra one does not compile. */
export type Handlers = { readonly [K in JobKind]: Handler<K> };
