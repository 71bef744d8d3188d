import { schemas } from './0001-schemas.ts';
import { accounts } from './0002-auth.ts';
import { storage } from './0003-storage.ts';
import { realtime } from './0004-realtime.ts';
import { schemaWatch } from './0005-schema-watch.ts';
import { processes } from './0006-processes.ts';
import { jobTables } from './0010-jobs.ts';
import { importTables } from './0020-imports.ts';

/**
 * One step of our own schema: SQL that MikroORM runs once, in a transaction, as `supabase_admin`.
 * A plain value and not a class, so that only a start with something to migrate loads the ORM.
 */
export interface HouseMigration {
  /** `NNNN-what-it-makes`, like its file. It is recorded: never rename one that has been released. */
  readonly name: string;
  /** Statements, separated by semicolons. Once released it is never changed; the next step corrects it. */
  readonly sql: string;
}

/** Every step in the order of its number. */
export const houseMigrations: readonly HouseMigration[] = [schemas, accounts, storage, realtime, schemaWatch, processes, jobTables, importTables];
