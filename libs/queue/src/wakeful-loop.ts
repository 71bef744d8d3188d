import { setTimeout as pause } from 'node:timers/promises';
import type { Log } from './log.ts';

export interface LoopTerms {
  /** Does what there is to do; says for how many milliseconds there will be nothing. */
  readonly pass: () => Promise<number>;
  /** After an error it rests so long, and is not to be woken: with the database away, every NOTIFY would have it try again. */
  readonly retryMs: number;
  readonly log: Pick<Log, 'info' | 'warn'>;
  /** What is logged once when passes begin to fail, and once when they do no more. */
  readonly words: { readonly failing: string; readonly well: string };
}

/** Something that a worker does over and over, resting in between and woken when there is more to do. */
export class WakefulLoop {
  private hasStopped = false;
  private isWoken = false;
  private isFailing = false;
  private wakeUp: () => void = () => {};
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly terms: LoopTerms) {}

  get isStopped(): boolean {
    return this.hasStopped;
  }

  start(): void {
    this.running = this.run();
  }

  /** Settles when the present pass has ended. */
  async stop(): Promise<void> {
    this.hasStopped = true;
    this.wake();
    await this.running;
  }

  /** Ends the rest; during a pass, the next one follows at once. */
  wake(): void {
    this.isWoken = true;
    this.wakeUp();
  }

  private async run(): Promise<void> {
    while (!this.hasStopped) {
      this.isWoken = false;
      const restMs = await this.terms.pass().then(
        (ms) => this.succeeded(ms),
        (error: Error) => this.failed(error),
      );
      if (!this.isWoken && !this.hasStopped && restMs > 0) await this.sleep(restMs);
    }
  }

  private succeeded(restMs: number): number {
    if (this.isFailing) this.terms.log.info({}, this.terms.words.well);
    this.isFailing = false;
    return restMs;
  }

  private async failed(error: Error): Promise<number> {
    if (!this.isFailing) this.terms.log.warn({ error: error.message }, this.terms.words.failing);
    this.isFailing = true;
    await pause(this.terms.retryMs);
    return 0;
  }

  private sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
