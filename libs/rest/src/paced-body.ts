import { Readable } from 'node:stream';

/** The reader took nothing for too long. */
export class StoodStill extends Error {
  constructor(seconds: number) {
    super(`the reader took nothing for ${seconds} s`);
    this.name = 'StoodStill';
  }
}

/** So much is made before the reader has asked for it, where nothing else is said. */
const fewBytes = 32 * 1024;

/**
 * A body that is made as fast as it is read: whoever makes it waits while enough lies ready, so a slow reader slows its maker
 * down and nothing piles up. One who takes nothing for `stillSeconds` is cut.
 */
export class PacedBody extends Readable {
  private readonly gone = new AbortController();
  private readOn: (() => void) | null = null;

  constructor(
    private readonly stillSeconds: number,
    aheadBytes = fewBytes,
  ) {
    super({ highWaterMark: aheadBytes });
  }

  /** Aborted when nobody will read to the end. */
  get left(): AbortSignal {
    return this.gone.signal;
  }

  /** Settles when there is room for more. @throws the reason why nobody reads any more. */
  async put(bytes: Uint8Array): Promise<void> {
    this.gone.signal.throwIfAborted();
    if (this.push(bytes)) return;
    await this.room();
  }

  finish(): void {
    this.push(null);
  }

  override _read(): void {
    this.readOn?.();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.readableEnded) this.gone.abort(error ?? new Error('the reader left'));
    done(error);
  }

  private room(): Promise<void> {
    const { signal } = this.gone;
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer);
        reject(signal.reason as Error);
      };
      const timer = setTimeout(() => this.destroy(new StoodStill(this.stillSeconds)), this.stillSeconds * 1000);
      signal.addEventListener('abort', leave, { once: true });
      this.readOn = () => {
        this.readOn = null;
        clearTimeout(timer);
        signal.removeEventListener('abort', leave);
        resolve();
      };
    });
  }
}
