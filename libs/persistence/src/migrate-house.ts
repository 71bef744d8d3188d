import { SettingError, type Settings } from '@mainstay/config';
import type pg from 'pg';
import { connectionOf } from './logins.ts';
import type { HouseMigration } from './migrations/house-migration.ts';
import { houseMigrations } from './migrations/index.ts';

const table = 'mainstay_internal.migrations';

/**
 * The steps of our own schema that this database still lacks.
 * @throws SettingError if a newer release has worked on it.
 */
export async function findPending(client: pg.ClientBase, migrations: readonly HouseMigration[] = houseMigrations): Promise<HouseMigration[]> {
  const executed = await readExecuted(client);
  const unknown = executed.find((name) => !migrations.some((migration) => migration.name === name));
  if (unknown !== undefined) throw new SettingError(`The database was set up by a newer Mainstay (step ${unknown}): start that one, or give this one another database.`);
  return migrations.filter(({ name }) => !executed.includes(name));
}

async function readExecuted(client: pg.ClientBase): Promise<string[]> {
  const { rows: tables } = await client.query('select from pg_catalog.pg_class where oid = to_regclass($1)', [table]);
  if (tables.length === 0) return [];
  const { rows } = await client.query(`select name from ${table} order by id`);
  return rows.map(({ name }) => name as string);
}

/**
 * Brings our own tables up to date, all pending steps in one transaction. The caller holds the lock.
 * The ORM is loaded here and not above: a start with nothing to migrate does without.
 */
export async function migrateHouse(settings: Settings, migrations: readonly HouseMigration[] = houseMigrations): Promise<void> {
  const [{ MikroORM }, { Migration, Migrator }] = await Promise.all([import('@mikro-orm/postgresql'), import('@mikro-orm/migrations')]);
  const classOf = ({ sql }: HouseMigration) =>
    class extends Migration {
      override up(): void {
        this.addSql(sql);
      }
    };
  const orm = await MikroORM.init({
    entities: [],
    discovery: { warnWhenNoEntities: false },
    extensions: [Migrator],
    dbName: decodeURIComponent(new URL(settings.databaseUrl ?? '').pathname.slice(1)),
    ensureDatabase: false,
    // The role is part of the connection, so RESET ROLE in a step comes back to it.
    driverOptions: { ...connectionOf(settings, null), options: '-c role=supabase_admin -c search_path=pg_catalog', application_name: 'mainstay migrations' },
    pool: { min: 0, max: 1 },
    migrations: {
      tableName: table,
      migrationsList: migrations.map((migration) => ({ name: migration.name, class: classOf(migration) })),
      snapshot: false,
      silent: true,
      transactional: true,
      allOrNothing: true,
    },
  });
  try {
    await orm.migrator.up();
  } finally {
    await orm.close();
  }
}
