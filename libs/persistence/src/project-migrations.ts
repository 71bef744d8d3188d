import type { Settings } from '@mainstay/config';
import pg from 'pg';
import { connectionOf } from './logins.ts';
import { ProjectFault } from './project-fault.ts';
import { findProjectFiles, type HashedFile, type MigrationFile, type ProjectFiles } from './project-files.ts';
import { makeHistory, readHistory, recordFile, recordMigration, type History } from './project-history.ts';
import { ProjectRun, type RunTerms } from './project-run.ts';

export interface ProjectOptions extends Partial<RunTerms> {
  /** Applies migrations older than the last applied one too. */
  readonly includesOlder?: boolean;
  readonly withoutSeeds?: boolean;
}

/** A migration as the project and the database know it. */
export interface MigrationState {
  readonly version: string;
  readonly name: string;
  readonly isLocal: boolean;
  readonly isApplied: boolean;
}

/** A seed that is to be applied or, if it was before and has changed since, only recorded: its rows are there. */
export interface PendingSeed extends HashedFile {
  readonly isChanged: boolean;
}

/** What is still to be applied, in order. */
export interface PendingFiles {
  readonly roles: HashedFile | null;
  readonly migrations: readonly MigrationFile[];
  readonly seeds: readonly PendingSeed[];
}

/**
 * Applies a project's roles, migrations and seeds as role `postgres`, each file once, and records them where the Supabase CLI
 * reads and writes them. Two at once wait for each other. Gives what was applied.
 * @throws ProjectFault naming file, line and statement; what PostgreSQL can undo of that file is undone.
 */
export async function migrateProject(settings: Settings, folder: string, options: ProjectOptions = {}): Promise<PendingFiles> {
  const { tell = () => {} } = options;
  const files = findProjectFiles(folder);
  files.notes.forEach(tell);
  return withMigrator(settings, async (lock) => {
    await waitForTurn(lock, tell);
    return withMigrator(settings, async (client) => {
      const pending = choosePending(files, await readHistory(client), options);
      await apply(client, settings, folder, pending, options);
      return pending;
    });
  });
}

/** What `migrateProject` would apply; changes nothing. */
export async function findPendingFiles(settings: Settings, folder: string, options: ProjectOptions = {}): Promise<PendingFiles> {
  const files = findProjectFiles(folder);
  files.notes.forEach((note) => options.tell?.(note));
  return withMigrator(settings, async (client) => choosePending(files, await readHistory(client), options));
}

/** Every migration that the project or the database knows, in order. */
export async function migrationStates(settings: Settings, folder: string): Promise<MigrationState[]> {
  const { migrations } = findProjectFiles(folder);
  const { versions } = await withMigrator(settings, readHistory);
  const names = new Map([...versions, ...migrations.map(({ version, name }) => [version, name] as const)]);
  return [...names]
    .map(([version, name]) => ({ version, name, isLocal: migrations.some((file) => file.version === version), isApplied: versions.has(version) }))
    .sort((a, b) => (a.version < b.version ? -1 : 1));
}

async function apply(client: pg.Client, settings: Settings, folder: string, { roles, migrations, seeds }: PendingFiles, options: ProjectOptions): Promise<void> {
  const { tell = () => {}, sqlExtensions = new Map(), trustedContrib = [] } = options;
  if (roles === null && migrations.length + seeds.length === 0) return;
  await makeHistory(client);
  const run = new ProjectRun(client, settings, folder, { tell, sqlExtensions, trustedContrib });
  if (roles !== null) {
    tell(`Applying ${roles.path}`);
    await run.runRoles(roles.path, recordFile(roles));
  }
  for (const migration of migrations) {
    tell(`Applying ${migration.path}`);
    await run.runFile(migration.path, (statements) => recordMigration(migration, statements));
  }
  for (const seed of seeds) {
    tell(seed.isChanged ? `${seed.path} was applied before and has changed since: it is not applied again, its new hash is recorded.` : `Applying ${seed.path}`);
    if (seed.isChanged) await recordOnly(client, seed);
    else await run.runFile(seed.path, () => recordFile(seed));
  }
}

async function recordOnly(client: pg.Client, seed: HashedFile): Promise<void> {
  const { text, values } = recordFile(seed);
  await client.query(text, values as string[]);
}

/** @throws ProjectFault where project and database have gone different ways. */
function choosePending(files: ProjectFiles, { versions, hashes }: History, options: ProjectOptions): PendingFiles {
  refuseMissing(files, versions);
  const migrations = files.migrations.filter(({ version }) => !versions.has(version));
  if (options.includesOlder !== true) refuseOlder(migrations, versions);
  const { roles } = files;
  return {
    roles: roles !== null && hashes.get(roles.path) !== roles.hash ? roles : null,
    migrations,
    seeds: options.withoutSeeds === true ? [] : files.seeds.filter(({ path, hash }) => hashes.get(path) !== hash).map((seed) => ({ ...seed, isChanged: hashes.has(seed.path) })),
  };
}

function refuseMissing(files: ProjectFiles, versions: History['versions']): void {
  const missing = [...versions.keys()].filter((version) => !files.migrations.some((file) => file.version === version)).sort();
  if (missing.length === 0) return;
  throw new ProjectFault(
    `The database has migrations that ${files.folder} lacks: ${missing.join(', ')}. Bring their files back (supabase migration fetch), or strike them from its history (supabase migration repair --status reverted ${missing.join(' ')}).`,
  );
}

function refuseOlder(pending: readonly MigrationFile[], versions: History['versions']): void {
  const last = [...versions.keys()].sort().at(-1);
  const older = pending.filter(({ version }) => last !== undefined && version < last);
  if (older.length === 0) return;
  throw new ProjectFault(`Older than ${last}, the last applied migration: ${older.map(({ path }) => path).join(', ')}. Give them a later version, or apply them all the same with --include-all.`);
}

async function waitForTurn(lock: pg.Client, tell: (sentence: string) => void): Promise<void> {
  const key = `hashtextextended('supabase_migrations', 0)`;
  const { rows } = await lock.query<{ got: boolean }>(`select pg_try_advisory_lock(${key}) as got`);
  if (rows[0]!.got) return;
  tell('Another migration of this database is running: waiting for it.');
  await lock.query(`select pg_advisory_lock(${key})`);
}

async function withMigrator<T>(settings: Settings, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connectAsMigrator(settings);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Logs in as `postgres`; where its password is not ours, as the administrator with that role from the start, so that RESET ROLE stays there. */
async function connectAsMigrator(settings: Settings): Promise<pg.Client> {
  const url = new URL(settings.databaseUrl ?? '');
  if (decodeURIComponent(url.username) === 'postgres') return connect(connectionOf(settings, null));
  const asAdministrator = { ...connectionOf(settings, null), options: '-c role=postgres -c search_path="$user",public,extensions' };
  if (settings.postgresPassword === null) return connect(asAdministrator);
  url.username = 'postgres';
  url.password = encodeURIComponent(settings.postgresPassword);
  try {
    return await connect(connectionOf({ ...settings, databaseUrl: url.href }, null));
  } catch (error) {
    if ((error as { code?: string }).code !== '28P01') throw error;
    return connect(asAdministrator);
  }
}

async function connect(config: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client({ ...config, application_name: 'mainstay migrate' });
  // A connection that breaks makes the running query fail; without a listener it would end the process as well.
  client.on('error', () => {});
  await client.connect();
  return client;
}
