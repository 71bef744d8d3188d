import type { Settings } from '@mainstay/config';
import { quoteName, type Administrator } from './administrator.ts';
import { makeVaultKeys, vaultFacts } from './vault.ts';

/**
 * All of them belong to `supabase_admin`: the Supabase CLI's `db reset` drops the schemas of others.
 * `graphql` and `pgsodium` stay empty: dumps of projects create extensions in them, and never the schemas.
 */
const ownSchemas = ['auth', 'storage', 'realtime', 'vault', 'extensions', 'graphql', 'graphql_public', 'pgsodium', 'net', 'supabase_functions', 'mainstay', 'mainstay_internal'];

/** Extensions that Supabase has installed beforehand, with their schemas. They belong to `postgres`, since projects drop and make them anew. */
const ownExtensions = [['pgcrypto', 'extensions'], ['uuid-ossp', 'extensions'], ['pg_stat_statements', 'extensions'], ['supabase_vault', 'vault']] as const;

/** Settings that migrations give to roles and databases. Each needs a grant by its exact name. */
const settableNames = [
  'session_replication_role',
  ...[
    'db_schemas', 'db_schema', 'db_extra_search_path', 'db_anon_role', 'db_max_rows', 'db_pre_request', 'db_pre_config', 'db_root_spec', 'db_tx_end',
    'db_aggregates_enabled', 'db_plan_enabled', 'db_prepared_statements', 'db_use_legacy_gucs', 'db_hoisted_tx_settings', 'db_timezone_enabled',
    'jwt_aud', 'jwt_secret', 'jwt_secret_is_base64', 'jwt_role_claim_key', 'jwt_cache_max_lifetime', 'jwt_cache_max_entries',
    'openapi_mode', 'openapi_security_active', 'openapi_server_proxy_uri', 'raw_media_types', 'server_cors_allowed_origins',
    'server_timing_enabled', 'server_trace_header', 'log_level', 'log_query',
  ].map((name) => `pgrst.${name}`),
  ...[
    'jwt_secret', 'jwt_exp', 'anon_key', 'service_role_key', 'service_key', 'secret_key', 'publishable_key', 'api_key', 'supabase_url', 'supabase_anon_key',
    'supabase_service_role_key', 'supabase_service_key', 'project_url', 'project_ref', 'api_url', 'base_url', 'site_url', 'app_url', 'functions_url',
    'edge_function_url', 'edge_functions_url', 'supabase_functions_url', 'webhook_url', 'webhook_secret', 'cron_secret', 'encryption_key', 'environment',
  ].map((name) => `app.settings.${name}`),
];

/** All that is made below, for the fingerprint of a set-up. */
export const serverObjects = { ownSchemas, ownExtensions, settableNames, vaultFacts };

/** The database, `public` and our schemas, with their owners. Comes before our migrations, which fill them. */
export async function makeSchemas(admin: Administrator): Promise<void> {
  const { login, database } = admin.server;
  await admin.run(`grant create, connect, temporary on database ${quoteName(database)} to postgres, supabase_admin`);
  await admin.run(ownSchemas.map((schema) => `create schema if not exists ${schema} authorization supabase_admin`).join('; '));
  await admin.attempt(
    `alter database ${quoteName(database)} owner to postgres`,
    `${login} may not hand database ${database} to role postgres: ALTER DATABASE … SET in a project's migrations fails.`,
  );
  await admin.attempt('alter schema public owner to postgres', `${login} may not hand schema public to role postgres: a project's migrations may be refused there.`);
}

/** What only an administrator can make, and some cannot: each that fails is noted with what is lost. Comes after our migrations. */
export async function makeServerObjects(admin: Administrator, settings: Settings): Promise<void> {
  for (const [extension, schema] of ownExtensions) await makeExtension(admin, extension, schema);
  await makeVaultKeys(admin, settings);
  await makePublication(admin);
  await makeEventTriggers(admin);
  await admin.attemptEach(settableNames.map((name) => ({ sql: `grant set on parameter ${name} to postgres`, note: unsettable(admin, name) })));
}

function unsettable(admin: Administrator, name: string): string {
  const what = name.includes('.') ? 'ALTER ROLE or ALTER DATABASE … SET of pgrst.… and app.settings.…' : `SET ${name}`;
  return `${admin.server.login} may not grant SET ON PARAMETER: ${what} in a project's migrations fails.`;
}

async function makeExtension(admin: Administrator, name: string, schema: string): Promise<void> {
  const known = await admin.rows('select from pg_catalog.pg_extension where extname = $1', [name]);
  if (known.length > 0) return;
  const create = `create extension ${quoteName(name)} with schema ${schema}`;
  if (await admin.attempt(`set local role postgres; ${create}; reset role`, null)) return;
  // What the vault's extension stands for is there without it.
  if (name === 'supabase_vault') return;
  await admin.attempt(create, `${admin.server.login} may not create extension ${name}, or the server does not have it: its functions are missing.`);
}

async function makePublication(admin: Administrator): Promise<void> {
  const known = await admin.rows(`select from pg_catalog.pg_publication where pubname = 'supabase_realtime'`);
  if (known.length > 0) return;
  await admin.attempt(
    'set local role postgres; create publication supabase_realtime; reset role',
    `${admin.server.login} may not create publication supabase_realtime: migrations that add tables to it fail.`,
  );
}

async function makeEventTriggers(admin: Administrator): Promise<void> {
  const known = (await admin.rows<{ evtname: string }>(`select evtname from pg_catalog.pg_event_trigger`)).map(({ evtname }) => evtname);
  const note = `${admin.server.login} may not create event triggers: after a change of the schema, NOTIFY pgrst, 'reload schema' must be said.`;
  if (!known.includes('mainstay_ddl')) await admin.attempt('create event trigger mainstay_ddl on ddl_command_end execute function mainstay_internal.tell_ddl()', note);
  if (!known.includes('mainstay_drop')) await admin.attempt('create event trigger mainstay_drop on sql_drop execute function mainstay_internal.tell_drop()', note);
  const lost = `${admin.server.login} may not create event triggers: webhooks do not follow a table whose columns are renamed.`;
  if (!known.includes('mainstay_watch_ddl')) await admin.attempt('create event trigger mainstay_watch_ddl on ddl_command_end execute function mainstay_internal.watch_ddl()', lost);
  if (!known.includes('mainstay_watch_drop')) await admin.attempt('create event trigger mainstay_watch_drop on sql_drop execute function mainstay_internal.watch_drop()', lost);
}
