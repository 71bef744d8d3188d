import { makeTestDatabase, testSettings, type TestDatabase } from '@mainstay/testing';
import { prepareDatabase } from './bootstrap.ts';
import { makeDatabase, logins } from './logins.ts';
import { houseMigrations } from './migrations/index.ts';
import { RegisteredProcess } from './processes.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await makeTestDatabase();
});
afterAll(() => db.close());

/** Makes the next set-up do its whole work again. */
const forget = () => db.admin.rows('comment on schema mainstay_internal is null');

/** Owners, grants, functions and columns of everything that set-up makes, as text. */
async function surface(): Promise<string[]> {
  const found = await db.admin.rows<{ line: string }>(`
    select concat_ws(' ', 'schema', nspname, nspowner::regrole, nspacl) as line from pg_namespace where nspname !~ '^pg_'
    union all select concat_ws(' ', relkind, oid::regclass, relowner::regrole, relacl, relrowsecurity) from pg_class where relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
    union all select concat_ws(' ', attrelid::regclass, attname, atttypid::regtype) from pg_attribute where attnum > 0 and attrelid::regclass::text ~ '^(auth|storage|realtime|mainstay_internal)\\.'
    union all select concat_ws(' ', oid::regprocedure, proowner::regrole, proacl, prosrc) from pg_proc where pronamespace::regnamespace::text !~ '^(pg_|information_schema)'
    union all select concat_ws(' ', 'extension', extname, extowner::regrole) from pg_extension
    union all select concat_ws(' ', 'default', defaclrole::regrole, defaclnamespace::regnamespace, defaclobjtype, defaclacl) from pg_default_acl
    union all select concat_ws(' ', 'trigger', evtname, evtevent) from pg_event_trigger
    union all select name from mainstay_internal.migrations
    order by 1`);
  return found.map(({ line }) => line);
}

describe('prepareDatabase', () => {
  it('changes nothing where nothing has changed, even when it does its whole work again', async () => {
    const before = await surface();
    expect(await prepareDatabase(db.settings)).toEqual([]);
    await forget();
    expect(await prepareDatabase(db.settings)).toEqual([]);
    expect(await surface()).toEqual(before);
    expect(before).toEqual(expect.arrayContaining(houseMigrations.map(({ name }) => name)));
  });

  it('leaves alone what an operator has taken away', async () => {
    await db.admin.rows('revoke usage on schema public from anon; alter default privileges for role postgres in schema public revoke all on tables from anon');
    const before = await surface();
    await forget();
    await prepareDatabase(db.settings);
    expect(await surface()).toEqual(before);
  });

  it('prepares a new database once, whoever comes first of several at once', async () => {
    const name = `${db.name}_new`;
    await db.admin.rows(`create database ${name}`);
    const fresh = testSettings(name);
    try {
      await Promise.all([1, 2, 3].map(() => prepareDatabase(fresh)));
      const admin = makeDatabase(fresh, null, { max: 1 });
      expect(await admin.rows('select name from mainstay_internal.migrations order by id')).toEqual(houseMigrations.map((step) => ({ name: step.name })));
      await admin.close();
    } finally {
      await db.admin.rows(`drop database ${name} with (force)`);
    }
  });

  it.each(logins)('lets %s in with the password that is derived from MAINSTAY_SECRET', async (login) => {
    expect(await db.as(login, 1).rows('select current_user::text as me')).toEqual([{ me: login }]);
  });

  it('lets postgres in with POSTGRES_PASSWORD', async () => {
    const settings = { ...db.settings, databaseUrl: db.settings.databaseUrl!.replace('//supabase_admin:', '//postgres:') };
    const postgres = makeDatabase(settings, null, { max: 1 });
    expect(await postgres.rows(`select current_user::text as me, current_setting('search_path') as path`)).toEqual([{ me: 'postgres', path: '"$user", public, extensions' }]);
    await postgres.close();
  });

  it('refuses a database that a newer release has changed', async () => {
    await db.admin.rows(`insert into mainstay_internal.migrations (name) values ('9999-from-the-future')`);
    await forget();
    await expect(prepareDatabase(db.settings)).rejects.toThrow('The database was set up by a newer Mainstay (step 9999-from-the-future): start that one, or give this one another database.');
    await db.admin.rows(`delete from mainstay_internal.migrations where name = '9999-from-the-future'`);
  });

  it('refuses other keys while a process runs, before it changes any password', async () => {
    const running = await RegisteredProcess.register(db.as('mainstay_api', 1), 'api', db.settings);
    await expect(prepareDatabase({ ...db.settings, secret: 'another secret of at least 32 characters' })).rejects.toThrow(/^An api with other keys runs on this database/);
    expect(await db.as('mainstay_worker', 1).rows('select 1 as one')).toEqual([{ one: 1 }]);
    await running.leave();
  });

  it('needs MAINSTAY_SECRET', async () => {
    await expect(prepareDatabase({ ...db.settings, secret: null })).rejects.toThrow('MAINSTAY_SECRET is not set');
  });
});
