import { askForRequestBy, ImportsService, JobsService, QueuesService, SchedulesService, SigningSecrets, WebhooksService } from '@mainstay/automation';
import { AuthModule, Callers } from '@mainstay/auth';
import { CollectionsService } from '@mainstay/collections';
import type { Settings } from '@mainstay/config';
import { makeOutward } from '@mainstay/outward';
import { makeDatabase, RegisteredProcess, workerHealth, type Database } from '@mainstay/persistence';
import { BatchService, cursorKeyOf, RestService, SchemaKeeper, streamTermsOf } from '@mainstay/rest';
import { tracing } from '@mainstay/telemetry';
import { Inject, Module, type DynamicModule, type OnApplicationShutdown, type OnModuleInit, type Provider } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { AuthAdminController } from './auth-admin.controller.ts';
import { AuthCustomProvidersController } from './auth-custom-providers.controller.ts';
import { AuthFactorsAdminController } from './auth-factors-admin.controller.ts';
import { AuthFactorsController } from './auth-factors.controller.ts';
import { AuthOAuthAdminController, AuthOAuthController } from './auth-oauth.controller.ts';
import { AuthOtpController } from './auth-otp.controller.ts';
import { AuthPasskeysController } from './auth-passkeys.controller.ts';
import { AuthProvidersController } from './auth-providers.controller.ts';
import { AuthSessionsAdminController } from './auth-sessions-admin.controller.ts';
import { AuthController, AuthNotYetController, JwksController } from './auth.controller.ts';
import { AuthFilter } from './auth.filter.ts';
import { BatchController, BatchFilter } from './batch.controller.ts';
import { CollectionsController } from './collections.controller.ts';
import { ConnectionController } from './connection.controller.ts';
import { DescriptionsController } from './descriptions.controller.ts';
import { EdgeFilter } from './edge.filter.ts';
import { exportProviders } from './export-providers.ts';
import { ExportFilesController, ExportsController } from './exports.controller.ts';
import { HealthController } from './health.controller.ts';
import { ImportsController } from './imports.controller.ts';
import { JobsController } from './jobs.controller.ts';
import { KeysController } from './keys.controller.ts';
import { LiveSettings } from './live-settings.ts';
import { MailboxController, mailboxDatabase } from './mailbox.controller.ts';
import { Exposition } from './metrics/exposition.ts';
import { processesOf, QueueLook, roomsOf } from './metrics/house-figures.ts';
import { makeExposition } from './metrics/make-exposition.ts';
import { MetricsController } from './metrics/metrics.controller.ts';
import { NotYetHereController } from './not-yet-here.controller.ts';
import { keepSchema } from './postgrest.module.ts';
import { QueueFiguresController } from './queue-figures.controller.ts';
import { QueuesController } from './queues.controller.ts';
import { Readiness } from './readiness.ts';
import { RestController } from './rest.controller.ts';
import { RestFilter } from './rest.filter.ts';
import { SchedulePreviewController } from './schedule-preview.controller.ts';
import { SchedulesController } from './schedules.controller.ts';
import { settingsToken } from './settings-token.ts';
import { SignInSettingsController } from './sign-in-settings.controller.ts';
import { SurfaceFilter } from './surface.filter.ts';
import { SigningSecretsController } from './signing-secrets.controller.ts';
import { WebhooksController } from './webhooks.controller.ts';

/** The pool of the login `authenticator`: data requests, each under the role of its caller. */
const callersDatabase = Symbol('callers database');
/** The pool of the login `mainstay_api`: our own surfaces. */
const ownDatabase = Symbol('own database');

/** The whole HTTP edge: every surface's controller with the services behind it. */
@Module({})
export class ApiModule implements OnModuleInit, OnApplicationShutdown {
  private registered: RegisteredProcess | undefined;

  constructor(
    @Inject(settingsToken) private readonly settings: Settings,
    @Inject(callersDatabase) private readonly callers: Database,
    @Inject(ownDatabase) private readonly own: Database,
    private readonly schema: SchemaKeeper,
  ) {}

  static with(settings: Settings, live: LiveSettings): DynamicModule {
    return {
      module: ApiModule,
      imports: [AuthModule.with(settings)],
      controllers: [RestController, BatchController, AuthAdminController, AuthController, AuthOtpController, AuthFactorsController, AuthFactorsAdminController, AuthPasskeysController, AuthProvidersController, AuthOAuthController, AuthOAuthAdminController, AuthCustomProvidersController, AuthSessionsAdminController, AuthNotYetController, JwksController, ImportsController, ExportFilesController, ExportsController, SigningSecretsController, JobsController, QueuesController, SchedulesController, SchedulePreviewController, WebhooksController, CollectionsController, ConnectionController, DescriptionsController, MailboxController, KeysController, MetricsController, QueueFiguresController, HealthController, SignInSettingsController, NotYetHereController],
      providers: [{ provide: settingsToken, useValue: settings }, { provide: LiveSettings, useValue: live }, ...databases(settings), ...services(settings), RestFilter, BatchFilter, AuthFilter, SurfaceFilter, EdgeFilter],
    };
  }

  async onModuleInit(): Promise<void> {
    this.registered = await RegisteredProcess.register(this.own, 'api', this.settings);
    await this.schema.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.registered?.leave();
    await this.schema.close();
    await Promise.all([this.callers.close(), this.own.close()]);
    await tracing()?.stop();
  }
}

function databases(settings: Settings): Provider[] {
  return [
    { provide: callersDatabase, useFactory: () => makeDatabase(settings, 'authenticator') },
    { provide: ownDatabase, useFactory: () => makeDatabase(settings, 'mainstay_api') },
    { provide: mailboxDatabase, useExisting: ownDatabase },
  ];
}

function services(settings: Settings): Provider[] {
  return [
    { provide: SchemaKeeper, inject: [callersDatabase, Callers, LiveSettings], useFactory: (database: Database, callers: Callers, live: LiveSettings) => keepSchema(settings, database, callers, live) },
    { provide: RestService, inject: [callersDatabase, SchemaKeeper], useFactory: (database: Database, schema: SchemaKeeper) => new RestService(database, schema, settings.dbAnonRole, { cursorKey: cursorKeyOf(settings), streams: streamTermsOf(settings), keepsAnswers: true }) },
    { provide: BatchService, inject: [RestService], useFactory: (rest: RestService) => new BatchService(rest, { maxEntries: settings.batchMaxRequests, maxBodyBytes: settings.maxBodyBytes }) },
    { provide: JobsService, inject: [ownDatabase], useFactory: (database: Database) => new JobsService(database, askForRequestBy(makeOutward(settings))) },
    { provide: SigningSecrets, inject: [ownDatabase], useFactory: (database: Database) => new SigningSecrets(database, settings.secret!) },
    { provide: QueuesService, inject: [ownDatabase], useFactory: (database: Database) => new QueuesService(database) },
    { provide: SchedulesService, inject: [ownDatabase], useFactory: (database: Database) => new SchedulesService(database) },
    { provide: ImportsService, inject: [ownDatabase], useFactory: (database: Database) => new ImportsService(database, settings) },
    ...exportProviders(settings, ownDatabase),
    { provide: WebhooksService, inject: [ownDatabase], useFactory: (database: Database) => new WebhooksService(database, settings, makeOutward(settings)) },
    { provide: CollectionsService, inject: [ownDatabase], useFactory: (database: Database) => new CollectionsService(database, settings.dbSchemas.filter((schema) => schema !== 'mainstay')) },
    { provide: Readiness, inject: [ownDatabase, RestService], useFactory: makeReadiness },
    { provide: Exposition, inject: [HttpAdapterHost, RestService, ownDatabase, QueueLook], useFactory: (host: HttpAdapterHost, rest: RestService, database: Database, queues: QueueLook) => makeExposition(host, rest, [queues.tell, processesOf(database), roomsOf(database)]) },
    { provide: QueueLook, inject: [ownDatabase], useFactory: (database: Database) => new QueueLook(database) },
  ];
}

function makeReadiness(database: Database, rest: RestService): Readiness {
  // One look at the workers' reports serves both of their probes.
  let look: ReturnType<typeof workerHealth> | undefined;
  const workers = (): ReturnType<typeof workerHealth> => (look ??= workerHealth(database).finally(() => (look = undefined)));
  return new Readiness({
    database: async () => {
      await database.rows('select 1');
      return { state: 'ok', note: null };
    },
    queue: async () => (await workers()).queue,
    worker: async () => (await workers()).worker,
    schema_cache: async () => rest.schemaCacheState(),
  });
}
