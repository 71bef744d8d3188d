import type { OutwardFailure } from './refusals.ts';

/** A time by which a call must be over, and the caller's own wish to stop, as one signal. */
export class Deadline {
  private readonly aborter = new AbortController();
  private readonly timer: NodeJS.Timeout;
  /** The time is over; else it was the caller who stopped. */
  isOver = false;
  failure: OutwardFailure | null = null;

  constructor(
    ms: number,
    private readonly outer: AbortSignal | undefined,
  ) {
    this.timer = setTimeout(() => {
      this.isOver = true;
      this.aborter.abort();
    }, ms);
    if (outer?.aborted) this.aborter.abort();
    else outer?.addEventListener('abort', this.stop, { once: true });
  }

  get signal(): AbortSignal {
    return this.aborter.signal;
  }

  /** What takes no signal is not waited for any longer than this. */
  async within<T>(work: Promise<T>): Promise<T> {
    const stopped = Promise.withResolvers<never>();
    const stop = (): void => stopped.reject(new Error('stopped'));
    if (this.signal.aborted) stop();
    this.signal.addEventListener('abort', stop, { once: true });
    try {
      return await Promise.race([work, stopped.promise]);
    } finally {
      this.signal.removeEventListener('abort', stop);
    }
  }

  /** Stops for another reason. One controller for all of them: signals that are made of signals cost more than the call. */
  stopBy(failure: OutwardFailure): void {
    this.failure = failure;
    this.aborter.abort();
  }

  clear(): void {
    clearTimeout(this.timer);
    this.outer?.removeEventListener('abort', this.stop);
  }

  private readonly stop = (): void => this.aborter.abort();
}
