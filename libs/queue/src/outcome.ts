import { Fault } from '@mainstay/domain';
import { isConnectionError, LeaseLost, type JobError } from '@mainstay/persistence';
import { JobCancelled, WorkerStopping } from './attempt.ts';
import { TryAgain } from './try-again.ts';

/** How an attempt went that did not get through. */
export type Outcome =
  /** Another attempt would meet the same: not tried again. */
  | { readonly kind: 'refused'; readonly error: JobError }
  /** Tried again while there are attempts left: after a time of its own, or after the back-off. */
  | { readonly kind: 'failed'; readonly error: JobError; readonly afterSeconds?: number }
  /** The job is no longer this attempt's: nothing may be said about it. */
  | { readonly kind: 'lost'; readonly reason: 'cancelled' | 'taken' }
  /** This worker stops: the job goes back to the others. */
  | { readonly kind: 'stopped' };

/** These 4xx say by themselves: come again. */
const comeAgain = new Set([408, 425, 429]);

/**
 * Reads what a handler threw. A `Fault` is an answer that was meant: one that blames the request (4xx) refuses the job for
 * good; one that blames us (5xx), and everything nobody meant, is worth another try.
 */
export function outcomeOf(thrown: unknown, signal: AbortSignal, logId: string): Outcome {
  if (thrown instanceof LeaseLost) return { kind: 'lost', reason: signal.reason instanceof JobCancelled ? 'cancelled' : 'taken' };
  if (signal.reason instanceof JobCancelled) return { kind: 'lost', reason: 'cancelled' };
  if (signal.reason instanceof LeaseLost) return { kind: 'lost', reason: 'taken' };
  if (thrown instanceof Fault && thrown.status < 500 && !comeAgain.has(thrown.status)) return { kind: 'refused', error: errorOf(thrown) };
  if (signal.reason instanceof WorkerStopping) return { kind: 'stopped' };
  if (thrown instanceof TryAgain) return { kind: 'failed', error: errorOf(thrown), afterSeconds: thrown.afterSeconds };
  if (thrown instanceof Fault) return { kind: 'failed', error: errorOf(thrown) };
  // Not the job's fault: it shall not wait the longer the more often the database went away.
  if (isConnectionError(thrown)) return { kind: 'failed', afterSeconds: 0.5 + Math.random() * 2, error: { code: 'database_unreachable', message: 'The connection to the database broke', details: null, hint: null } };
  return { kind: 'failed', error: { code: 'unexpected', message: 'The attempt met an error that nobody foresaw', details: { log_id: logId }, hint: 'The worker’s log tells more under this id.' } };
}

function errorOf({ code, message, details, hint }: Fault | TryAgain): JobError {
  return { code, message, details: details ?? null, hint };
}
