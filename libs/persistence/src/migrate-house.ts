import { SettingError, type Settings } from '@mainstay/config';
import { connectionOf } from './logins.ts';
import { houseMigrations, type HouseMigration } from './migrations/index.ts';

/**
 * Brings our own tables up to date, all steps in one transaction; gives the names of those that ran.
 * The caller holds the lock. The ORM is loaded here and not above: a start with nothing to migrate does without.
 */
export async function migrateHouse(settings: Settings, migrations: readonly HouseMigration[] = houseMigrations): Promise<string[]> {
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
    driverOptions: { ...connectionOf(settings, null), options: '-c role=supabase_admin', application_name: 'mainstay migrations' },
    pool: { min: 0, max: 1 },
    migrations: {
      tableName: 'mainstay_internal.migrations',
      migrationsList: migrations.map((migration) => ({ name: migration.name, class: classOf(migration) })),
      snapshot: false,
      silent: true,
      transactional: true,
      allOrNothing: true,
    },
  });
  try {
    await refuseFuture(await orm.migrator.getExecuted(), migrations);
    return (await orm.migrator.up()).map(({ name }) => name);
  } finally {
    await orm.close();
  }
}

/** An older release must not work on tables that a newer one has changed. */
async function refuseFuture(executed: readonly { name: string }[], migrations: readonly HouseMigration[]): Promise<void> {
  const known = new Set(migrations.map(({ name }) => name));
  const unknown = executed.find(({ name }) => !known.has(name));
  if (unknown !== undefined) throw new SettingError(`The database was set up by a newer Mainstay (step ${unknown.name}): start that one, or give this one another database.`);
}
