import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { ProcessLoad } from '@mainstay/persistence';

/** Looks at what this process uses of the machine. */
export class LoadWatch {
  private readonly delay = monitorEventLoopDelay({ resolution: 20 });

  start(): void {
    this.delay.enable();
  }

  stop(): void {
    this.delay.disable();
  }

  /** Since the last look, as far as it is about a span of time. */
  look(): ProcessLoad {
    const { user, system } = process.cpuUsage();
    const lagSeconds = this.delay.count === 0 ? 0 : this.delay.max / 1e9;
    this.delay.reset();
    return { residentBytes: process.memoryUsage.rss(), cpuSeconds: (user + system) / 1e6, lagSeconds };
  }
}
