import type { ImportsService } from '@mainstay/automation';
import type { Settings } from '@mainstay/config';
import { asHouse, asWorker, enqueue, sweepJobs, type Database } from '@mainstay/persistence';

const sweptAtOnce = 5000;

/** What the house does for itself: nobody asked for it. */
export class Upkeep {
  constructor(
    private readonly database: Database,
    private readonly imports: ImportsService,
    private readonly settings: Pick<Settings, 'jobKeepSeconds'>,
  ) {}

  /** Asks for the sweep of the present hour. Every worker asks, often; the key makes it one job an hour. */
  async askForSweep(): Promise<void> {
    const hour = new Date().toISOString().slice(0, 13);
    await this.database.transaction(asWorker, (tx) => enqueue(tx, 'sweep-over', {}, { ...asHouse, idempotencyKey: `sweep-over ${hour}` }));
  }

  /** Deletes what is over and was kept long enough: the handler of `sweep-over`. */
  async sweep(): Promise<{ imports: number; jobs: number; idempotency_keys: number }> {
    const imports = await this.imports.sweep();
    const swept = { imports, jobs: 0, idempotency_keys: 0 };
    for (;;) {
      const { jobs, keys } = await this.database.transaction(asWorker, (tx) => sweepJobs(tx, this.settings.jobKeepSeconds, sweptAtOnce));
      swept.jobs += jobs;
      swept.idempotency_keys += keys;
      if (jobs < sweptAtOnce && keys < sweptAtOnce) return swept;
    }
  }
}
