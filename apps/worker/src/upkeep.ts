import type { ExportMaker, ImportsService, WebhookWork } from '@mainstay/automation';
import type { Settings } from '@mainstay/config';
import { asHouse, asWorker, enqueue, sweepAccounts, sweepJobs, sweepMessages, sweepRequests, sweepSlots, type Database, type Transaction } from '@mainstay/persistence';

const sweptAtOnce = 5000;

/** What the house does for itself: nobody asked for it. */
export class Upkeep {
  constructor(
    private readonly database: Database,
    private readonly imports: ImportsService,
    private readonly exports: Pick<ExportMaker, 'sweep'>,
    private readonly webhooks: Pick<WebhookWork, 'sweep'>,
    private readonly settings: Pick<Settings, 'jobKeepSeconds' | 'messageKeepSeconds'>,
  ) {}

  /** Asks for the sweep of the present hour. Every worker asks, often; the key makes it one job an hour. */
  async askForSweep(): Promise<void> {
    const hour = new Date().toISOString().slice(0, 13);
    await this.database.transaction(asWorker, (tx) => enqueue(tx, 'sweep-over', {}, { ...asHouse, idempotencyKey: `sweep-over ${hour}` }));
  }

  /** Deletes what is over and was kept long enough: the handler of `sweep-over`. */
  async sweep(): Promise<Readonly<Record<'imports' | 'exports' | 'jobs' | 'idempotency_keys' | 'messages' | 'accounts' | 'webhooks' | 'requests' | 'schedule_runs', number>>> {
    const imports = await this.imports.sweep();
    const exports = await this.exports.sweep();
    const messages = await this.sweepAll((tx) => sweepMessages(tx, this.settings.messageKeepSeconds, sweptAtOnce));
    const accounts = await this.sweepAll((tx) => sweepAccounts(tx, sweptAtOnce));
    const webhooks = await this.webhooks.sweep();
    const requests = await this.sweepAll((tx) => sweepRequests(tx, sweptAtOnce));
    const runs = await this.sweepAll((tx) => sweepSlots(tx, this.settings.jobKeepSeconds, sweptAtOnce));
    const swept = { imports, exports, jobs: 0, idempotency_keys: 0, messages, accounts, webhooks, requests, schedule_runs: runs };
    for (;;) {
      const { jobs, keys } = await this.database.transaction(asWorker, (tx) => sweepJobs(tx, this.settings.jobKeepSeconds, sweptAtOnce));
      swept.jobs += jobs;
      swept.idempotency_keys += keys;
      if (jobs < sweptAtOnce && keys < sweptAtOnce) return swept;
    }
  }

  private async sweepAll(some: (tx: Transaction) => Promise<number>): Promise<number> {
    let all = 0;
    for (;;) {
      const gone = await this.database.transaction(asWorker, some);
      all += gone;
      if (gone < sweptAtOnce) return all;
    }
  }
}
