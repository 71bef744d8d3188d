import { ProofModule, Callers } from '@mainstay/auth';
import type { Settings } from '@mainstay/config';
import { makeDatabase, makeListener, type Database } from '@mainstay/persistence';
import { cursorKeyOf, RestService, SchemaKeeper, streamTermsOf, termsSource } from '@mainstay/rest';
import { tracing } from '@mainstay/telemetry';
import { Inject, Logger, Module, type DynamicModule, type OnApplicationShutdown, type OnModuleInit, type Provider } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { AuthFilter } from './auth.filter.ts';
import { EdgeFilter } from './edge.filter.ts';
import { HealthController } from './health.controller.ts';
import { LiveSettings } from './live-settings.ts';
import { Exposition } from './metrics/exposition.ts';
import { makeExposition } from './metrics/make-exposition.ts';
import { Readiness } from './readiness.ts';
import { RestController } from './rest.controller.ts';
import { RestFilter } from './rest.filter.ts';
import { settingsToken } from './settings-token.ts';
import { SurfaceFilter } from './surface.filter.ts';

const database = Symbol('the only login');

/**
 * Mainstay in PostgREST's place: the data API of a database that is not ours, by the one login that PGRST_DB_URI names. There
 * are no accounts, no jobs and no tables of ours, and nothing is written but what requests ask for.
 */
@Module({})
export class PostgrestModule implements OnModuleInit, OnApplicationShutdown {
  constructor(
    @Inject(database) private readonly database: Database,
    private readonly schema: SchemaKeeper,
  ) {}

  static with(settings: Settings, live: LiveSettings): DynamicModule {
    return {
      module: PostgrestModule,
      imports: [ProofModule.with(settings)],
      controllers: [RestController, HealthController],
      providers: [{ provide: settingsToken, useValue: settings }, { provide: LiveSettings, useValue: live }, ...services(settings), RestFilter, AuthFilter, SurfaceFilter, EdgeFilter],
    };
  }

  async onModuleInit(): Promise<void> {
    await this.schema.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.schema.close();
    await this.database.close();
    await tracing()?.stop();
  }
}

function services(settings: Settings): Provider[] {
  return [
    { provide: database, useFactory: () => makeDatabase(settings, 'authenticator', { applicationName: 'mainstay' }) },
    { provide: SchemaKeeper, inject: [database, Callers, LiveSettings], useFactory: (pool: Database, callers: Callers, live: LiveSettings) => keepSchema(settings, pool, callers, live) },
    { provide: RestService, inject: [database, SchemaKeeper], useFactory: (pool: Database, schema: SchemaKeeper) => new RestService(pool, schema, settings.dbAnonRole, { cursorKey: cursorKeyOf(settings), streams: streamTermsOf(settings) }) },
    { provide: Readiness, inject: [database, RestService], useFactory: (pool: Database, rest: RestService) => readiness(pool, rest) },
    { provide: Exposition, inject: [HttpAdapterHost, RestService], useFactory: (host: HttpAdapterHost, rest: RestService) => makeExposition(host, rest) },
  ];
}

/** Reads the schema, and the settings with it, whenever the database tells of a change. */
export function keepSchema(settings: Settings, pool: Database, callers: Callers, live: LiveSettings): SchemaKeeper {
  const logger = new Logger('schema cache');
  const source = termsSource(settings, {
    onSettings: (all) => {
      if (all === live.current) return;
      live.current = all;
      callers.adopt(all).catch((error: Error) => logger.error({ event: 'keys not read', error: error.message }));
    },
    onRefused: (error) => logger.warn({ event: 'setting in the database has no effect', error: error.message }),
  });
  const listener = settings.dbChannelEnabled ? makeListener(settings, 'authenticator') : null;
  return new SchemaKeeper(pool, listener, source, (error) => logger.error({ event: 'schema cache not loaded', error: (error as Error).message }));
}

function readiness(pool: Database, rest: RestService): Readiness {
  return new Readiness({
    database: async () => {
      await pool.rows('select 1');
      return { state: 'ok', note: null };
    },
    schema_cache: async () => rest.schemaCacheState(),
  });
}
