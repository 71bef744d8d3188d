/** One running piece of the stack, whatever it is made of. */
export interface Running {
  readonly pid: number;
  /** Settles when it has ended, for whatever reason. */
  readonly ended: Promise<void>;
  /** Asks it to stop and waits until it has. */
  stop(): Promise<void>;
}

const firstPauseMs = 50;
const longestPauseMs = 1500;
/** A part that lived this long was well: the next death starts counting anew. */
const wellAfterMs = 10_000;
/** So many starts in a row that never became ready end the whole stack. */
const maxFailedStarts = 5;

/**
 * A piece of the stack that is started, watched, and started again when it dies alone; the others are not touched.
 * `onGivenUp` is called with one sentence when it cannot be started any more.
 */
export class Part {
  private running: Running | undefined;
  private isStopping = false;
  private pauseMs = firstPauseMs;
  private failedStarts = 0;

  constructor(
    readonly name: string,
    private readonly launch: () => Promise<Running>,
    private readonly events: { onChange: () => void; onNote: (text: string) => void; onGivenUp: (sentence: string) => void },
  ) {}

  get pid(): number | undefined {
    return this.running?.pid;
  }

  /** Starts it for the first time; a failure is the caller's. */
  async start(): Promise<void> {
    const running = await this.launch();
    const startedAt = performance.now();
    this.running = running;
    this.failedStarts = 0;
    this.events.onChange();
    void running.ended.then(() => this.revive(performance.now() - startedAt));
    // It was asked to stop while it was starting.
    if (this.isStopping) await running.stop();
  }

  /** Stops it, by force after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.isStopping = true;
    const { running } = this;
    if (running === undefined) return;
    const timer = setTimeout(() => killHard(running.pid), graceMs);
    await running.stop();
    clearTimeout(timer);
    this.running = undefined;
  }

  private async revive(livedMs: number): Promise<void> {
    this.running = undefined;
    if (this.isStopping) return;
    this.events.onNote(`${this.name} ended unexpectedly; starting it again`);
    if (livedMs > wellAfterMs) this.pauseMs = firstPauseMs;
    while (!this.isStopping) {
      await new Promise((resolve) => setTimeout(resolve, this.pauseMs));
      this.pauseMs = Math.min(this.pauseMs * 2, longestPauseMs);
      if (this.isStopping) return;
      try {
        await this.start();
        this.events.onNote(`${this.name} is back`);
        return;
      } catch (error) {
        this.failedStarts += 1;
        this.events.onNote(`${this.name} did not start: ${(error as Error).message}`);
        if (this.failedStarts < maxFailedStarts) continue;
        this.events.onGivenUp(`${this.name} failed to start ${maxFailedStarts} times: ${(error as Error).message}`);
        return;
      }
    }
  }
}

/** SIGKILL, to a process that may have gone already. */
export function killHard(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
