import type { Settings } from '@mainstay/config';
import { makeCommandsDatabase, makeDatabase, sweepExports, type Database } from '@mainstay/persistence';
import type { JobRun } from '@mainstay/queue';
import { SchemaKeeper, termsSource, type Known } from '@mainstay/rest';
import { runExport, type ExportCounts } from './run-export.ts';

/** Makes files of collections, in a worker. */
export class ExportMaker {
  /** The api's own login, for nothing but the catalogue: what it exposes may be said there. One connection, while one is needed. */
  private readonly catalogue: Database;
  /** What `postgres` asks for runs over a login of its own, since a function may go back to its login. */
  private commands: Database | null = null;
  private readonly schema: SchemaKeeper;

  constructor(
    private readonly database: Database,
    private readonly settings: Settings,
  ) {
    this.catalogue = makeDatabase(settings, 'authenticator', { max: 1, applicationName: 'mainstay exports' });
    this.schema = new SchemaKeeper(this.catalogue, null, termsSource(settings));
  }

  /** Carries an export out: the handler of `export-rows`. */
  run(exportId: string, run: JobRun): Promise<ExportCounts> {
    const { exportMaxSeconds: maxSeconds, exportKeepSeconds: keepSeconds, exportQuotaBytes: quotaBytes } = this.settings;
    return runExport({ database: this.database, readersOf: (role) => this.readersOf(role), known: () => this.known() }, { maxSeconds, keepSeconds, quotaBytes }, exportId, run);
  }

  /** Lets go of files and records that were kept long enough. */
  sweep(): Promise<number> {
    return sweepExports(this.database, this.settings.jobKeepSeconds);
  }

  async close(): Promise<void> {
    await Promise.all([this.schema.close(), this.catalogue.close(), this.commands?.close()]);
  }

  /** As the catalogue is now: an export is worth one look, and a worker that makes none keeps nothing. */
  private async known(): Promise<Known> {
    await this.schema.reload();
    return this.schema.current();
  }

  private readersOf(role: string): Database {
    if (role !== 'postgres') return this.database;
    return (this.commands ??= makeCommandsDatabase(this.settings, { max: 2 }));
  }
}
