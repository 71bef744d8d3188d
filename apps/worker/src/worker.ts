import { writeFile } from 'node:fs/promises';
import { Commands, ExportMaker, FunctionCaller, ImportsService, Scheduler, WebhookWork } from '@mainstay/automation';
import type { Settings } from '@mainstay/config';
import { queues } from '@mainstay/domain';
import { CronTables, makeCommandsDatabase, makeDatabase, makeListener, RegisteredProcess } from '@mainstay/persistence';
import { JobEngine, type BullQueues, type Log } from '@mainstay/queue';
import { CallsRoom } from './calls-room.ts';
import { handlers } from './handlers.ts';
import { PostOffice } from './post-office.ts';
import { Upkeep } from './upkeep.ts';

const askForSweepMs = 10 * 60_000;

/** One worker process: its connections, the rooms that its jobs call upon, and the engine that brings them together. */
export class Worker {
  private readonly upkeep: Upkeep;
  private readonly exports: ExportMaker;
  private readonly post: PostOffice;
  private readonly scheduler: Scheduler;
  private readonly webhooks: WebhookWork;
  private readonly calls: CallsRoom;
  private readonly engine: JobEngine;
  private readonly jobDatabase;
  private readonly engineDatabase;
  private readonly functionDatabase;
  private readonly commandDatabase;
  private readonly clockDatabase;
  private readonly cronDatabase;
  private registered: RegisteredProcess | undefined;
  private sweeping: NodeJS.Timeout | undefined;

  constructor(
    private readonly settings: Settings,
    bull: BullQueues,
    private readonly log: Log,
  ) {
    this.jobDatabase = makeDatabase(settings, 'mainstay_worker', { applicationName: 'mainstay_worker jobs' });
    this.engineDatabase = makeDatabase(settings, 'mainstay_worker', { max: 3, applicationName: 'mainstay_worker engine' });
    const { concurrency } = queues.functions;
    this.functionDatabase = makeDatabase(settings, 'mainstay_worker', { max: concurrency, applicationName: 'mainstay_worker functions' });
    this.commandDatabase = makeCommandsDatabase(settings, { max: concurrency });
    const imports = new ImportsService(this.jobDatabase, settings);
    this.webhooks = new WebhookWork(settings, this.engineDatabase, log);
    this.exports = new ExportMaker(this.jobDatabase, settings);
    this.upkeep = new Upkeep(this.jobDatabase, imports, this.exports, this.webhooks, settings);
    this.post = new PostOffice(this.jobDatabase, settings);
    this.calls = new CallsRoom(settings, this.jobDatabase, log);
    // Of their own: the time does not wait until a connection is free.
    this.clockDatabase = makeDatabase(settings, 'mainstay_worker', { max: 2, applicationName: 'mainstay_worker clock' });
    this.cronDatabase = makeCommandsDatabase(settings, { max: 2 });
    const cron = new CronTables(this.cronDatabase);
    this.scheduler = new Scheduler(this.clockDatabase, cron, log);
    this.engine = new JobEngine({
      database: this.jobDatabase,
      upkeep: this.engineDatabase,
      listener: this.calls.hearFrom(this.webhooks.hearFrom(this.scheduler.hearFrom(makeListener(settings, 'mainstay_worker')))),
      bull,
      handlers: handlers({ imports, requests: this.calls.requests, functions: new FunctionCaller(this.functionDatabase, this.commandDatabase), exports: this.exports, commands: new Commands(this.jobDatabase, cron, settings), webhooks: this.webhooks, post: this.post, upkeep: this.upkeep }),
      leaseSeconds: settings.jobLeaseSeconds,
      log,
      onProgress: () => this.sayAlive(),
    });
  }

  /** @throws SettingError when a process with other keys runs on this database */
  async start(): Promise<void> {
    this.registered = await RegisteredProcess.register(this.engineDatabase, 'worker', this.settings);
    this.engine.start(this.registered.id);
    this.scheduler.start();
    this.webhooks.start();
    this.calls.start();
    this.askForSweep();
    this.sweeping = setInterval(() => this.askForSweep(), askForSweepMs);
  }

  /** Stops within 4 s; what did not end in time goes back to the other workers. */
  async stop(): Promise<void> {
    clearInterval(this.sweeping);
    await Promise.all([this.scheduler.stop(), this.webhooks.stop(), this.calls.stop(), this.engine.stop()]);
    await this.webhooks.close();
    await this.calls.close();
    this.post.close();
    await this.exports.close();
    await this.registered?.leave();
    await Promise.all([this.jobDatabase, this.engineDatabase, this.functionDatabase, this.commandDatabase, this.clockDatabase, this.cronDatabase].map((database) => database.close()));
  }

  /** The worker listens to nobody, so whoever asks how it is looks at the age of a file. */
  private sayAlive(): void {
    const { workerAliveFile } = this.settings;
    if (workerAliveFile === null) return;
    writeFile(workerAliveFile, '').catch((error: Error) => this.log.warn({ error: error.message }, 'MAINSTAY_WORKER_ALIVE_FILE not written'));
  }

  private askForSweep(): void {
    this.upkeep.askForSweep().catch((error: Error) => this.log.warn({ error: error.message }, 'sweep not asked for'));
  }
}
