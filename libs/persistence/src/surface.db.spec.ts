import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import pg from 'pg';
import { connectionOf } from './logins.ts';


/** Table, then its columns in order: name, type, `not null`, `generated`. Facts of Supabase's public schema. */
const columnsOf: [string, string[]][] = [
  ['auth.users', list(`
    instance_id uuid, id uuid not null, aud varchar(255), role varchar(255), email varchar(255), encrypted_password varchar(255),
    email_confirmed_at timestamptz, invited_at timestamptz, confirmation_token varchar(255), confirmation_sent_at timestamptz,
    recovery_token varchar(255), recovery_sent_at timestamptz, email_change_token_new varchar(255), email_change varchar(255),
    email_change_sent_at timestamptz, last_sign_in_at timestamptz, raw_app_meta_data jsonb, raw_user_meta_data jsonb, is_super_admin boolean,
    created_at timestamptz, updated_at timestamptz, phone text, phone_confirmed_at timestamptz, phone_change text, phone_change_token varchar(255),
    phone_change_sent_at timestamptz, confirmed_at timestamptz generated, email_change_token_current varchar(255), email_change_confirm_status smallint,
    banned_until timestamptz, reauthentication_token varchar(255), reauthentication_sent_at timestamptz, is_sso_user boolean not null,
    deleted_at timestamptz, is_anonymous boolean not null`)],
  ['auth.identities', list(`
    provider_id text not null, user_id uuid not null, identity_data jsonb not null, provider text not null, last_sign_in_at timestamptz,
    created_at timestamptz, updated_at timestamptz, email text generated, id uuid not null`)],
  ['auth.sessions', list(`
    id uuid not null, user_id uuid not null, created_at timestamptz, updated_at timestamptz, factor_id uuid, aal auth.aal_level, not_after timestamptz,
    refreshed_at timestamp, user_agent text, ip inet, tag text, oauth_client_id uuid, scopes text`)],
  ['auth.refresh_tokens', list(`
    instance_id uuid, id bigint not null, token varchar(255), user_id varchar(255), revoked boolean, created_at timestamptz, updated_at timestamptz,
    parent varchar(255), session_id uuid`)],
  ['auth.mfa_factors', list(`
    id uuid not null, user_id uuid not null, friendly_name text, factor_type auth.factor_type not null, status auth.factor_status not null,
    created_at timestamptz not null, updated_at timestamptz not null, secret text, phone text, last_challenged_at timestamptz,
    web_authn_credential jsonb, web_authn_aaguid uuid`)],
  ['auth.mfa_challenges', list(`
    id uuid not null, factor_id uuid not null, created_at timestamptz not null, verified_at timestamptz, ip_address inet not null, otp_code text,
    web_authn_session_data jsonb`)],
  ['auth.mfa_amr_claims', list(`
    session_id uuid not null, created_at timestamptz not null, updated_at timestamptz not null, authentication_method text not null, id uuid not null`)],
  ['auth.one_time_tokens', list(`
    id uuid not null, user_id uuid not null, token_type auth.one_time_token_type not null, token_hash text not null, relates_to text not null,
    created_at timestamp not null, updated_at timestamp not null`)],
  ['auth.flow_state', list(`
    id uuid not null, user_id uuid, auth_code text, code_challenge_method auth.code_challenge_method, code_challenge text, provider_type text not null,
    provider_access_token text, provider_refresh_token text, created_at timestamptz, updated_at timestamptz, authentication_method text not null,
    auth_code_issued_at timestamptz, invite_token text, referrer text, oauth_client_state_id uuid, linking_target_id uuid, email_optional boolean not null`)],
  ['auth.oauth_clients', list(`
    id uuid not null, client_secret_hash text, registration_type auth.oauth_registration_type not null, redirect_uris text not null, grant_types text not null, client_name text,
    client_uri text, logo_uri text, created_at timestamptz not null, updated_at timestamptz not null, deleted_at timestamptz, client_type auth.oauth_client_type not null,
    token_endpoint_auth_method text not null`)],
  ['auth.oauth_consents', list(`id uuid not null, user_id uuid not null, client_id uuid not null, scopes text not null, granted_at timestamptz not null, revoked_at timestamptz`)],
  ['auth.audit_log_entries', list(`
    instance_id uuid, id uuid not null, payload json, created_at timestamptz, ip_address varchar(64) not null`)],
  ['storage.buckets', list(`
    id text not null, name text not null, owner uuid, created_at timestamptz, updated_at timestamptz, public boolean, avif_autodetection boolean,
    file_size_limit bigint, allowed_mime_types text[], owner_id text, type storage.buckettype not null`)],
  ['storage.objects', list(`
    id uuid not null, bucket_id text, name text, owner uuid, created_at timestamptz, updated_at timestamptz, last_accessed_at timestamptz,
    metadata jsonb, path_tokens text[] generated, version text, owner_id text, user_metadata jsonb`)],
  ['realtime.messages', list(`
    topic text not null, extension text not null, payload jsonb, event text, private boolean, updated_at timestamp not null,
    inserted_at timestamp not null, id uuid not null`)],
];

function list(text: string): string[] {
  return text.trim().split(/,\s+/);
}

let db: TestDatabase;
beforeAll(async () => {
  db = await makeTestDatabase();
});
afterAll(() => db.close());

const rows = <R extends object>(text: string, values: unknown[] = []) => db.admin.rows<R>(text, values);

describe('roles', () => {
  // name, login, inherits, super, create role, create db, replication, bypass rls
  it.each([
    ['anon', false, true, false, false, false, false, false],
    ['authenticated', false, true, false, false, false, false, false],
    ['service_role', false, true, false, false, false, false, true],
    ['authenticator', true, false, false, false, false, false, false],
    ['postgres', true, true, false, true, true, true, true],
    ['supabase_admin', true, true, true, true, true, true, true],
    ['supabase_auth_admin', true, false, false, false, false, false, false],
    ['supabase_storage_admin', false, false, false, false, false, false, false],
    ['supabase_realtime_admin', false, false, false, false, false, false, false],
    ['supabase_functions_admin', false, false, false, false, false, false, false],
    ['mainstay_api', true, false, false, false, false, false, false],
    ['mainstay_worker', true, false, false, false, false, false, false],
    ['mainstay_commands', true, false, false, false, false, false, false],
    ['mainstay_viewer', false, false, false, false, false, false, false],
    ['mainstay_extensions', false, false, false, false, false, false, false],
  ])('%s has the attributes that its work needs', async (name, ...attributes) => {
    const [role] = await rows<{ attributes: boolean[] }>(
      `select array[rolcanlogin, rolinherit, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls] as attributes from pg_roles where rolname = $1`,
      [name],
    );
    expect(role!.attributes).toEqual(attributes);
  });

  it.each([
    ['authenticator', ['anon', 'authenticated', 'service_role'], []],
    ['mainstay_worker', ['anon', 'authenticated', 'service_role'], []],
    ['mainstay_commands', ['postgres'], []],
    ['mainstay_viewer', [], []],
    ['mainstay_api', [], []],
    ['mainstay_extensions', [], []],
    ['supabase_auth_admin', [], []],
    [
      'postgres',
      ['anon', 'authenticated', 'authenticator', 'pg_monitor', 'pg_signal_backend', 'service_role', 'supabase_auth_admin', 'supabase_functions_admin', 'supabase_realtime_admin', 'supabase_storage_admin'],
      ['anon', 'authenticated', 'authenticator', 'service_role'],
    ],
  ])('%s is a member of the right roles, and gives on the right ones', async (name, members, gives) => {
    const found = await rows<{ role: string; admin: boolean }>(
      `select r.rolname as role, m.admin_option as admin from pg_auth_members m join pg_roles r on r.oid = m.roleid
       where m.member = $1::regrole order by 1`,
      [name],
    );
    expect(found.map(({ role }) => role)).toEqual(members);
    expect(found.filter(({ admin }) => admin).map(({ role }) => role)).toEqual(gives);
  });

  it.each([
    ['anon', 'statement_timeout', '3s'],
    ['authenticated', 'statement_timeout', '8s'],
    ['authenticator', 'lock_timeout', '2s'],
    ['authenticator', 'idle_in_transaction_session_timeout', '10s'],
    ['authenticator', 'transaction_timeout', '30s'],
    ['authenticator', 'synchronous_commit', 'on'],
    ['mainstay_api', 'search_path', '""'],
    ['mainstay_api', 'transaction_timeout', '30s'],
    ['supabase_auth_admin', 'transaction_timeout', '30s'],
    ['supabase_auth_admin', 'search_path', 'auth'],
    ['mainstay_worker', 'transaction_timeout', '0'],
    ['postgres', 'search_path', '"$user", public, extensions'],
  ])('%s has %s', async (role, setting, value) => {
    const [found] = await rows<{ settings: string[] }>('select setconfig as settings from pg_db_role_setting where setrole = $1::regrole and setdatabase = 0', [role]);
    expect(found!.settings).toContain(`${setting}=${value}`);
  });

  it('a login of a service may read nothing before it takes a role', async () => {
    await db.admin.rows('create table public.things (id int)');
    for (const login of ['authenticator', 'mainstay_api', 'mainstay_worker', 'mainstay_commands'] as const) {
      await expect(db.as(login, 1).rows('select * from public.things')).rejects.toMatchObject({ code: '42501' });
    }
  });
});

describe('schemas', () => {
  it.each(['auth', 'storage', 'realtime', 'vault', 'extensions', 'graphql', 'graphql_public', 'pgsodium', 'mainstay', 'mainstay_internal'])(
    '%s belongs to supabase_admin, so the Supabase CLI does not drop it',
    async (schema) => {
      expect(await rows(`select nspowner::regrole::text as owner from pg_namespace where nspname = $1`, [schema])).toEqual([{ owner: 'supabase_admin' }]);
    },
  );

  it('the database and public belong to postgres', async () => {
    expect(await rows(`select datdba::regrole::text as owner from pg_database where datname = current_database()`)).toEqual([{ owner: 'postgres' }]);
    expect(await rows(`select nspowner::regrole::text as owner from pg_namespace where nspname = 'public'`)).toEqual([{ owner: 'postgres' }]);
  });

  it.each([
    ['auth', 'auth', 'supabase_auth_admin'],
    ['storage', 'storage', 'supabase_storage_admin'],
    ['realtime', 'realtime', 'supabase_realtime_admin'],
  ])('every table, sequence and function in %s belongs to its service, every table has row security', async (schema, _, owner) => {
    const tables = await rows<{ name: string; owner: string; isSecured: boolean }>(
      `select relname as name, relowner::regrole::text as owner, relrowsecurity or relkind = 'S' as "isSecured" from pg_class where relnamespace = $1::regnamespace and relkind in ('r', 'p', 'S')`,
      [schema],
    );
    expect(tables.filter((table) => table.owner !== owner || !table.isSecured)).toEqual([]);
    const functions = await rows<{ owner: string }>(`select proowner::regrole::text as owner from pg_proc where pronamespace = $1::regnamespace`, [schema]);
    expect(new Set(functions.map((found) => found.owner))).toEqual(new Set([owner]));
  });

  it('nobody but the services’ logins enters mainstay_internal', async () => {
    const found = await rows<{ role: string }>(
      `select rolname as role from pg_roles where has_schema_privilege(oid, 'mainstay_internal', 'usage') and not rolsuper and rolname !~ '^pg_' order by 1`,
    );
    // `postgres` has what its membership in `supabase_auth_admin` gives: the accounts are its own to change in any case.
    expect(found.map(({ role }) => role)).toEqual(['authenticator', 'mainstay_api', 'mainstay_commands', 'mainstay_vault', 'mainstay_viewer', 'mainstay_watcher', 'mainstay_worker', 'postgres', 'supabase_auth_admin']);
  });

  it('no SECURITY DEFINER function of ours is without a pinned search_path', async () => {
    const found = await rows(`select oid::regprocedure::text from pg_proc
      where pronamespace in ('auth'::regnamespace, 'storage'::regnamespace, 'realtime'::regnamespace, 'mainstay'::regnamespace, 'mainstay_internal'::regnamespace, 'extensions'::regnamespace)
        and prosecdef and not exists (select from unnest(proconfig) c where c like 'search_path=%')`);
    expect(found).toEqual([]);
  });

  it('no function in mainstay or mainstay_internal is for everyone, but the judgement of a cron expression', async () => {
    const found = await rows<{ name: string }>(
      `select p.oid::regprocedure::text as name from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
       where pronamespace in ('mainstay'::regnamespace, 'mainstay_internal'::regnamespace) and a.grantee = 0 and a.privilege_type = 'EXECUTE'`,
    );
    expect(found).toEqual([{ name: 'mainstay.check_cron(text,text)' }]);
  });

  it('a table that postgres makes in public is granted to the callers’ roles', async () => {
    await db.admin.transaction({ role: 'postgres', settings: {} }, (tx) => tx.rows('create table public.granted (id int generated always as identity)'));
    const [found] = await rows(`select
      has_table_privilege('anon', 'public.granted', 'select, insert, update, delete') as anon,
      has_table_privilege('authenticated', 'public.granted', 'select, insert, update, delete') as authenticated,
      has_sequence_privilege('service_role', 'public.granted_id_seq', 'usage') as service`);
    expect(found).toEqual({ anon: true, authenticated: true, service: true });
  });
});

describe('tables', () => {
  it.each(columnsOf)('%s has exactly the columns that projects know', async (table, columns) => {
    const found = await rows<{ column: string }>(
      `select attname || ' ' || replace(replace(replace(format_type(atttypid, atttypmod), 'timestamp with time zone', 'timestamptz'), 'timestamp without time zone', 'timestamp'), 'character varying', 'varchar')
         || case when attnotnull then ' not null' else '' end
         || case when attgenerated = 's' then ' generated' else '' end as column
       from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum`,
      [table],
    );
    expect(found.map(({ column }) => column)).toEqual(columns);
  });

  it('a confirmed user inserted by a seed has confirmed_at, an identity has its e-mail in small letters', async () => {
    await rows(`insert into auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, raw_app_meta_data, raw_user_meta_data, created_at, updated_at, confirmation_token, email_change, email_change_token_new, recovery_token)
      values ('00000000-0000-0000-0000-000000000000', '11111111-1111-1111-1111-111111111111', 'authenticated', 'authenticated', 'Ada@example.com', extensions.crypt('secret', extensions.gen_salt('bf')), now(), '{"provider":"email"}', '{"name":"Ada"}', now(), now(), '', '', '', '')`);
    await rows(`insert into auth.identities (id, user_id, provider_id, identity_data, provider) values (gen_random_uuid(), '11111111-1111-1111-1111-111111111111', '11111111-1111-1111-1111-111111111111', '{"email":"Ada@example.com"}', 'email')`);
    expect(await rows(`select confirmed_at = email_confirmed_at as confirmed, i.email from auth.users u join auth.identities i on i.user_id = u.id`)).toEqual([{ confirmed: true, email: 'ada@example.com' }]);
  });
});

describe('functions', () => {
  it.each([
    ['auth.uid()', { 'request.jwt.claims': '{"sub":"11111111-1111-1111-1111-111111111111"}' }, '11111111-1111-1111-1111-111111111111'],
    ['auth.uid()', { 'request.jwt.claim.sub': '22222222-2222-2222-2222-222222222222', 'request.jwt.claims': '' }, '22222222-2222-2222-2222-222222222222'],
    ['auth.uid()', { 'request.jwt.claims': '{}' }, null],
    ['auth.uid()', {}, null],
    ['auth.role()', { 'request.jwt.claims': '{"role":"authenticated"}' }, 'authenticated'],
    ['auth.role()', { 'request.jwt.claim.role': 'anon' }, 'anon'],
    ['auth.email()', { 'request.jwt.claims': '{"email":"a@example.com"}' }, 'a@example.com'],
    [`auth.jwt() -> 'app_metadata' ->> 'plan'`, { 'request.jwt.claims': '{"app_metadata":{"plan":"pro"}}' }, 'pro'],
    ['realtime.topic()', { 'realtime.topic': 'room:1' }, 'room:1'],
    [`array_to_string(storage.foldername('a/b/c.tar.gz'), '|')`, {}, 'a|b'],
    [`cardinality(storage.foldername('c.png'))`, {}, '0'],
    [`storage.filename('a/b/c.tar.gz')`, {}, 'c.tar.gz'],
    [`storage.extension('a/b/c.tar.gz')`, {}, 'gz'],
  ])('%s with %j', async (call, settings, expected) => {
    const value = await db.admin.transaction({ role: null, settings: settings as Record<string, string> }, (tx) => tx.rows<{ v: string | null }>(`select (${call})::text as v`));
    expect(value[0]!.v).toBe(expected);
  });

  it('a policy with auth.uid() is not fooled by functions in the caller’s search_path', async () => {
    await rows(`create schema evil;
      create function evil.current_setting(text, boolean) returns text language sql as $$ select '99999999-9999-9999-9999-999999999999' $$;
      grant usage on schema evil to authenticated`);
    const found = await db.admin.transaction(
      { role: 'authenticated', settings: { search_path: 'evil, pg_catalog', 'request.jwt.claims': '{"sub":"11111111-1111-1111-1111-111111111111"}' } },
      (tx) => tx.rows<{ uid: string }>('select auth.uid() as uid'),
    );
    expect(found).toEqual([{ uid: '11111111-1111-1111-1111-111111111111' }]);
  });

  it('storage.search lists one level, folders first, and only what row policies let through', async () => {
    await rows(`insert into storage.buckets (id, name) values ('b', 'b'), ('hidden', 'hidden')`);
    await rows(`insert into storage.objects (bucket_id, name, metadata) values ('b', 'docs/a.txt', '{"size": 3}'), ('b', 'docs/deep/x.txt', '{"size": 4}'), ('b', 'docs/z_1.txt', '{"size": 5}'), ('hidden', 'docs/a.txt', '{"size": 6}')`);
    await rows(`create policy see_b on storage.objects for select to authenticated using (bucket_id = 'b')`);
    const search = (prefix: string, bucket: string) =>
      db.admin.transaction({ role: 'authenticated', settings: {} }, (tx) => tx.rows<{ name: string; id: string | null }>('select name, id from storage.search($1, $2, 100, 2)', [prefix, bucket]));
    expect((await search('docs/', 'b')).map(({ name, id }) => [name, id !== null])).toEqual([['deep', false], ['a.txt', true], ['z_1.txt', true]]);
    expect((await search('docs/z_', 'b')).map(({ name }) => name)).toEqual(['z_1.txt']);
    expect((await search('docs/z%', 'b')).map(({ name }) => name)).toEqual([]);
    expect(await search('docs/', 'hidden')).toEqual([]);
    expect(await rows(`select * from storage.get_size_by_bucket() order by 2`)).toEqual([{ size: '12', bucket_id: 'b' }, { size: '6', bucket_id: 'hidden' }]);
  });

  it('realtime.send and broadcast_changes write rows; a caller without a policy is warned and goes on', async () => {
    await rows(`create table public.rooms (id int primary key, name text);
      create function public.tell_rooms() returns trigger language plpgsql security definer as $$
        begin perform realtime.broadcast_changes('room:' || new.id, tg_op, tg_op, tg_table_name, tg_table_schema, new, old); return null; end $$;
      create trigger tell after insert on public.rooms for each row execute function public.tell_rooms()`);
    await rows(`insert into public.rooms values (1, 'blue')`);
    const [sent] = await rows<{ topic: string; payload: unknown }>(`select topic, event, extension, private, payload from realtime.messages`);
    expect(sent).toEqual({
      topic: 'room:1', event: 'INSERT', extension: 'broadcast', private: true,
      payload: { operation: 'INSERT', table: 'rooms', schema: 'public', record: { id: 1, name: 'blue' }, old_record: null },
    });
    await db.admin.transaction({ role: 'authenticated', settings: {} }, (tx) => tx.rows(`select realtime.send('{}', 'x', 'room:2')`));
    expect(await rows(`select count(*)::int as n from realtime.messages`)).toEqual([{ n: 1 }]);
  });
});

describe('server objects', () => {
  it.each(['pgcrypto', 'uuid-ossp', 'pg_stat_statements'])('%s stands in extensions and belongs to postgres', async (extension) => {
    expect(await rows(`select extowner::regrole::text as owner, extnamespace::regnamespace::text as schema from pg_extension where extname = $1`, [extension])).toEqual([
      { owner: 'postgres', schema: 'extensions' },
    ]);
  });

  it('postgres may change the publication, the replication role, and settings by exact name', async () => {
    await db.admin.transaction({ role: 'postgres', settings: {} }, async (tx) => {
      await tx.rows('create table public.watched (id int)');
      await tx.rows('alter publication supabase_realtime add table public.watched');
      await tx.rows('set local session_replication_role = replica');
      await tx.rows(`alter role authenticator in database ${db.name} set pgrst.db_schemas = 'public, api'`);
      await tx.rows(`alter database ${db.name} set "app.settings.jwt_secret" = 'x'`);
      await tx.rows('create index on storage.objects (owner_id)');
      await tx.rows('create policy mine on realtime.messages for select to authenticated using (true)');
      await tx.rows(`create trigger t after insert on auth.users for each row execute function storage.update_updated_at_column()`);
      await tx.rows('truncate auth.users, auth.sessions cascade');
    });
    expect(await rows(`select pubowner::regrole::text as owner from pg_publication where pubname = 'supabase_realtime'`)).toEqual([{ owner: 'postgres' }]);
  });

  it.each([
    ['a table is made', 'create table public.seen (id int)', true],
    ['a comment', `comment on table public.seen is 'x'`, true],
    ['a grant', 'grant select on public.seen to anon', true],
    ['a table is dropped', 'drop table public.seen', true],
    ['a temporary table', 'create temporary table passing (id int) on commit drop', false],
    ['a view is refreshed', 'refresh materialized view public.summary', false],
    ['a row', 'insert into public.plain values (1)', false],
  ])('PostgreSQL itself tells of DDL: %s', async (_, sql, isTold) => {
    await rows('create table if not exists public.plain (id int)');
    await rows('create materialized view if not exists public.summary as select 1 as one');
    expect(await heardDuring(() => rows(sql))).toEqual(isTold ? ['reload schema'] : []);
  });
});

/** What channel `pgrst` carries while `work` runs. Notifications come in the order of commits, so a last one of our own ends the wait. */
async function heardDuring(work: () => Promise<unknown>): Promise<string[]> {
  const client = new pg.Client(connectionOf(db.settings, null));
  await client.connect();
  const heard: string[] = [];
  const done = new Promise<void>((resolve) => client.on('notification', ({ payload }) => (payload === 'done' ? resolve() : heard.push(payload!))));
  await client.query('listen pgrst');
  await work();
  await rows(`notify pgrst, 'done'`);
  await done;
  await client.end();
  return heard;
}

describe('row policies', () => {
  const ada = '11111111-1111-1111-1111-111111111111';
  const as = (role: string, sub: string | null) => ({ role, settings: { 'request.jwt.claims': JSON.stringify({ role, sub }) } });

  beforeAll(async () => {
    await db.admin.transaction({ role: 'postgres', settings: {} }, async (tx) => {
      await tx.rows('create table public.notes (id int primary key, owner uuid default auth.uid(), body text)');
      await tx.rows('alter table public.notes enable row level security');
      await tx.rows('create policy own on public.notes to authenticated using ((select auth.uid()) = owner) with check ((select auth.uid()) = owner)');
    });
    await rows(`insert into public.notes values (1, $1, 'hers'), (2, gen_random_uuid(), 'another''s')`, [ada]);
  });

  it.each([
    ['a guest', 'anon', null, []],
    ['the owner', 'authenticated', ada, [1]],
    ['another member', 'authenticated', '22222222-2222-2222-2222-222222222222', []],
    ['a member without a name', 'authenticated', null, []],
    ['the service', 'service_role', null, [1, 2]],
  ])('%s sees what is theirs', async (_, role, sub, ids) => {
    const found = await db.admin.transaction(as(role, sub), (tx) => tx.rows<{ id: number }>('select id from public.notes order by id'));
    expect(found.map(({ id }) => id)).toEqual(ids);
  });

  it('a member cannot write a row for another', async () => {
    const write = db.admin.transaction(as('authenticated', ada), (tx) => tx.rows(`insert into public.notes values (3, gen_random_uuid(), 'x')`));
    await expect(write).rejects.toMatchObject({ code: '42501' });
  });

  it.each(['anon', 'authenticated', 'service_role'])('%s sees no account, and nothing of ours', async (role) => {
    for (const table of ['auth.users', 'mainstay_internal.processes', 'mainstay_internal.migrations']) {
      await expect(db.admin.transaction(as(role, ada), (tx) => tx.rows(`select * from ${table}`))).rejects.toMatchObject({ code: '42501' });
    }
  });
});
