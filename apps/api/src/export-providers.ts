import { ExportsService, ExportStreams, linkKeyOf, Links } from '@mainstay/automation';
import type { Settings } from '@mainstay/config';
import { makeDatabase, type Database } from '@mainstay/persistence';
import { SchemaKeeper } from '@mainstay/rest';
import type { BeforeApplicationShutdown, InjectionToken, OnApplicationShutdown, Provider } from '@nestjs/common';

/** The connections that exports are sent over: as callers, and apart from those of the data API. */
class ExportConnections implements BeforeApplicationShutdown, OnApplicationShutdown {
  readonly streams: ExportStreams;
  private readonly database: Database;

  constructor(settings: Settings) {
    const { exportStreamMaxOpen: maxOpen, exportStreamMaxRows, exportStreamMaxSeconds: maxSeconds, streamStillSeconds: stillSeconds } = settings;
    // One more than there are places, for what is only estimated.
    this.database = makeDatabase(settings, 'authenticator', { max: settings.exportStreamMaxOpen + 1, applicationName: 'mainstay exports' });
    this.streams = new ExportStreams(this.database, { maxOpen, maxRows: exportStreamMaxRows === 0 ? null : exportStreamMaxRows, maxSeconds, stillSeconds });
  }

  /** The server waits for what it is still sending. */
  beforeApplicationShutdown(): void {
    this.streams.close();
  }

  onApplicationShutdown(): Promise<void> {
    return this.database.close();
  }
}

/** What `/exports/v1` stands on; `ownDatabase` is the pool of the login `mainstay_api`. */
export function exportProviders(settings: Settings, ownDatabase: InjectionToken): Provider[] {
  return [
    { provide: ExportConnections, useFactory: () => new ExportConnections(settings) },
    {
      provide: ExportsService,
      inject: [ownDatabase, SchemaKeeper, ExportConnections],
      useFactory: (database: Database, schema: SchemaKeeper, { streams }: ExportConnections) => new ExportsService(database, schema, streams, new Links(linkKeyOf(settings)), settings),
    },
  ];
}
