import { quoteName, type Administrator } from './administrator.ts';

/** All of them belong to `supabase_admin`: the Supabase CLI's `db reset` drops the schemas of others. */
const ownSchemas = ['auth', 'storage', 'realtime', 'vault', 'extensions', 'graphql_public', 'mainstay', 'mainstay_internal'];

/** The database, `public` and our schemas, with their owners. Comes before our migrations, which fill them. */
export async function makeSchemas(admin: Administrator): Promise<void> {
  const database = quoteName(admin.server.database);
  const note = `${admin.server.login} may not hand database ${admin.server.database} to role postgres: ALTER DATABASE … SET in migrations fails.`;
  await admin.run(`grant create, connect, temporary on database ${database} to postgres, supabase_admin`);
  for (const schema of ownSchemas) {
    await admin.run(`create schema if not exists ${schema} authorization supabase_admin`);
  }
  await admin.attempt(`alter database ${database} owner to postgres`, note);
  await admin.attempt(`alter schema public owner to postgres`, `${admin.server.login} may not hand schema public to role postgres.`);
  await admin.run(`
    set local role postgres;
    grant usage on schema public to anon, authenticated, service_role;
    alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
    alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;
    alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
    reset role`);
}
