/** When to try again, and what the owner reads until then. */
export interface TryAgainTerms {
  readonly afterSeconds: number;
  readonly code?: string;
  readonly details?: unknown;
  readonly hint?: string | null;
  readonly cause?: unknown;
}

/**
 * Thrown by a handler that knows when another attempt makes sense: the job is queued again after exactly that time, or is
 * dead when this was its last attempt.
 */
export class TryAgain extends Error {
  readonly afterSeconds: number;
  readonly code: string;
  readonly details: unknown;
  readonly hint: string | null;

  constructor(message: string, { afterSeconds, code = 'try_again', details = null, hint = null, cause }: TryAgainTerms) {
    super(message, { cause });
    this.name = 'TryAgain';
    this.afterSeconds = afterSeconds;
    this.code = code;
    this.details = details;
    this.hint = hint;
  }
}
