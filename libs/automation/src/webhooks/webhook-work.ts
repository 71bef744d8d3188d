import type { Settings } from '@mainstay/config';
import { makeOutward, type Outward } from '@mainstay/outward';
import { asWorker, eventsChannel, makeDatabase, mendWatches, sweepWebhooks, type Database, type Listener } from '@mainstay/persistence';
import type { JobRun, Log } from '@mainstay/queue';
import { EventDeliverer, type Delivered } from './deliver-events.ts';
import { webhookSealing } from './endpoint-secrets.ts';
import { EventFeeder } from './feed-events.ts';
import { makeRetryPlan } from './retry-plan.ts';

/** All of them, since it makes its own connections. */
export type WebhookWorkSettings = Settings;

/** The deliveries' own: a transaction is a few milliseconds, and there is one for some fifty calls. */
const connections = 6;
const longestBreakSeconds = 900;
const sweptAtOnce = 5000;

/** What a worker does for webhooks: finds what is due, sends it, sweeps it away. */
export class WebhookWork {
  private readonly database: Database;
  private readonly outward: Outward;
  private readonly feeder: EventFeeder;
  private readonly deliverer: EventDeliverer;

  /** @param engine for the feeder, which must not wait behind busy deliveries for a connection */
  constructor(
    private readonly settings: WebhookWorkSettings,
    engine: Database,
    private readonly log: Log,
  ) {
    this.database = makeDatabase(settings, 'mainstay_worker', { max: connections, applicationName: 'mainstay_worker webhooks' });
    this.outward = makeOutward(settings);
    this.feeder = new EventFeeder(engine, log);
    const breaker = { failures: settings.webhookBreakerFailures, restSeconds: settings.webhookBreakerSeconds, mostRestSeconds: Math.max(longestBreakSeconds, settings.webhookBreakerSeconds) };
    const terms = { plan: makeRetryPlan(settings.webhookRetries), breaker, timeoutMs: settings.webhookTimeoutSeconds * 1000, concurrency: settings.webhookConcurrency, lingerMs: [20, 40, 80, 160] };
    this.deliverer = new EventDeliverer(this.database, this.outward, webhookSealing(settings.secret ?? ''), terms, log, this.feeder.wake);
  }

  /** The same listener, which now wakes the feeder too. */
  hearFrom(listener: Listener): Listener {
    return listener.on({ channel: eventsChannel, onNotify: () => this.feeder.wake(), onListening: () => this.feeder.wake() });
  }

  start(): void {
    this.feeder.start();
  }

  /** Gives out nothing more; what is under way goes on. */
  stop(): Promise<void> {
    return this.feeder.stop();
  }

  async close(): Promise<void> {
    await Promise.all([this.outward.close(), this.database.close()]);
  }

  /** The handler of `deliver-events`. */
  deliver(endpointId: string, run: JobRun): Promise<Delivered> {
    return this.deliverer.deliver(endpointId, run);
  }

  /** Deletes what was kept long enough, and makes triggers again that somebody dropped. */
  async sweep(): Promise<number> {
    await this.database.transaction(asWorker, (tx) => mendWatches(tx)).catch((error: Error) => this.log.warn({ error: error.message }, 'triggers of webhooks not mended'));
    for (let all = 0; ; ) {
      const gone = await this.database.transaction(asWorker, (tx) => sweepWebhooks(tx, this.settings.webhookKeepSeconds, sweptAtOnce));
      all += gone;
      if (gone === 0) return all;
    }
  }
}
