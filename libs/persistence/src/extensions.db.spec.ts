import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { extensionsFolder, trustedContrib } from '@mainstay/embedded';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import pg from 'pg';
import { connectionOf } from './logins.ts';

/** Ours, contrib that we trust, and contrib that PostgreSQL trusts and that is made beforehand. */
const ours = readdirSync(extensionsFolder()).filter((file) => file.endsWith('.control')).map((file) => file.replace('.control', ''));
const all = [...ours, ...trustedContrib, 'pgcrypto', 'uuid-ossp'];

/** Those that lie in a schema of their own, whatever is asked for; the attacker makes it beforehand where they can. */
const homes: Readonly<Record<string, string>> = { pgmq: 'pgmq', supabase_vault: 'vault' };
/** Whose functions may be: each of these roles has no login, no members, and no power but one that its functions need. */
const owners = ['mainstay_extensions', 'mainstay_vault'];

let db: TestDatabase;
let attacker: pg.Client;
const name = `attacker_${randomBytes(4).toString('hex')}`;
const password = randomBytes(12).toString('hex');

/** A login that may do what a project's developer may at most: make schemas and trusted extensions in its database. */
beforeAll(async () => {
  db = await makeTestDatabase();
  await db.admin.rows(`create role ${name} login createdb password '${password}'`);
  await db.admin.rows(`grant create on database ${db.name} to ${name}; grant usage on schema extensions to ${name}`);
  attacker = await loginAs(name, password);
  await attacker.query(`create schema evil; set search_path = evil, pg_catalog`);
});
afterAll(async () => {
  await attacker.end();
  const admin = new pg.Client(connectionOf(db.settings, null));
  await admin.connect();
  await admin.query(`drop owned by ${name} cascade`);
  await admin.end();
  await db.close();
  await withServer((server) => server.query(`drop role ${name}`));
});

async function loginAs(user: string, secret: string): Promise<pg.Client> {
  const url = new URL(db.settings.databaseUrl!);
  Object.assign(url, { username: user, password: secret });
  const client = new pg.Client(connectionOf({ ...db.settings, databaseUrl: url.href }, null));
  await client.connect();
  return client;
}

async function withServer(work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client(connectionOf({ ...db.settings, databaseUrl: db.settings.databaseUrl!.replace(/[^/]*$/, 'postgres') }, null));
  await client.connect();
  await work(client).finally(() => client.end());
}

async function isHarmless(): Promise<boolean> {
  const [role] = await db.admin.rows<{ isHarmless: boolean }>(
    `select not (rolsuper or rolcreaterole or rolbypassrls or rolreplication) and not exists (select from pg_auth_members where member = r.oid) as "isHarmless" from pg_roles r where rolname = $1`,
    [name],
  );
  return role!.isHarmless;
}

/** Functions of PostgreSQL that ours may stand for: on a text of any form they do no harm. But `domain_in`, which its types alone may call. */
const compiled = ['textout', 'textcat', 'varchartypmodin', 'varchartypmodout', 'domain_in', 'aggregate_dummy'];

/** A project may write the exposed functions of its queues anew: they are its own, and run as whoever calls them. */
function isMakersOwn({ name: found, owner, isOfferedDefiner }: { name: string; owner: string; isOfferedDefiner: boolean }): boolean {
  return found.startsWith('pgmq_public.') && owner === name && !isOfferedDefiner;
}

/** Functions and operators with the names that scripts and bodies use; whoever runs one with power gives it away. */
const trap = (schema: string): string => `
  create or replace function ${schema}.spring() returns void language plpgsql as $trap$
    begin
      if (select rolsuper from pg_catalog.pg_roles where rolname = current_user) then
        execute 'alter role ${name} superuser';
      end if;
    end $trap$;
  create or replace function ${schema}.translate(text, text, text) returns text language sql as $trap$ select ${schema}.spring(); select $1 $trap$;
  create or replace function ${schema}.encode(bytea, text) returns text language sql as $trap$ select ${schema}.spring(); select $2 $trap$;
  create or replace function ${schema}.decode(text, text) returns bytea language sql as $trap$ select ${schema}.spring(); select $1::bytea $trap$;
  create or replace function ${schema}.length(text) returns integer language sql as $trap$ select ${schema}.spring(); select 1 $trap$;
  create or replace function ${schema}.lower(text) returns text language sql as $trap$ select ${schema}.spring(); select $1 $trap$;
  create or replace function ${schema}.upper(text) returns text language sql as $trap$ select ${schema}.spring(); select $1 $trap$;
  create or replace function ${schema}.split_part(text, text, integer) returns text language sql as $trap$ select ${schema}.spring(); select $1 $trap$;
  create or replace function ${schema}.convert_to(text, name) returns bytea language sql as $trap$ select ${schema}.spring(); select $1::bytea $trap$;
  create or replace function ${schema}.hmac(text, text, varchar) returns bytea language sql as $trap$ select ${schema}.spring(); select $1::bytea $trap$;
  create or replace function ${schema}.to_hex(integer) returns text language sql as $trap$ select ${schema}.spring(); select 'x' $trap$;
  create or replace function ${schema}.get_byte(bytea, integer) returns integer language sql as $trap$ select ${schema}.spring(); select 1 $trap$;
  create or replace function ${schema}.joined(text, text) returns text language sql as $trap$ select ${schema}.spring(); select $1 $trap$;
  do $trap$ begin create operator ${schema}.|| (function = ${schema}.joined, leftarg = text, rightarg = text); exception when duplicate_function then null; end $trap$;
  create or replace function ${schema}.same(text, text) returns boolean language sql as $trap$ select ${schema}.spring(); select true $trap$;
  do $trap$ begin create operator ${schema}.= (function = ${schema}.same, leftarg = text, rightarg = text); exception when duplicate_function then null; end $trap$;
  create or replace function ${schema}.format(text, regrole) returns text language sql as $trap$ select ${schema}.spring(); select null::text $trap$;
  create or replace function ${schema}.same(oid, regclass) returns boolean language sql as $trap$ select ${schema}.spring(); select true $trap$;
  do $trap$ begin create operator ${schema}.= (function = ${schema}.same, leftarg = oid, rightarg = regclass); exception when duplicate_function then null; end $trap$;
  create or replace function ${schema}.format_table_name(varchar, "char") returns text language sql as $trap$ select ${schema}.spring(); select 'x' $trap$`;

it('the trap is real: a careless function of a superuser makes its caller one', async () => {
  await attacker.query(trap('evil'));
  await db.admin.rows(`create function evil.careless() returns text language sql security definer as $$ select lower('X') $$`);
  await attacker.query('select evil.careless()');
  expect(await isHarmless()).toBe(false);
  await db.admin.rows(`drop function evil.careless(); alter role ${name} nosuperuser`);
  expect(await isHarmless()).toBe(true);
});

describe.each(all)('extension %s', (extension) => {
  const home = homes[extension] ?? 'evil';

  beforeAll(async () => {
    await attacker.query(trap('evil'));
    // pgjwt stands on pgcrypto: the attacker brings one that lies in their own schema.
    await db.admin.rows('drop extension if exists pgcrypto cascade');
    if (extension !== 'pgcrypto') await attacker.query('create extension if not exists pgcrypto with schema evil');
    await db.admin.rows(`drop extension if exists "${extension}" cascade`);
    if (home !== 'evil' && home !== 'vault') await attacker.query(`create schema ${home}; ${trap(home)}`);
    await attacker.query(`create extension "${extension}" with schema ${home}`);
  });

  it('gives its maker no power while it is made, nor when a superuser calls what it made', async () => {
    const calls = await db.admin.rows<{ call: string }>(
      `select format('select %s(%s)', p.oid::regproc, (select string_agg(format('null::%s', format_type(t, null)), ', ') from unnest(p.proargtypes) t)) as call
       from pg_proc p join pg_depend d on d.objid = p.oid and d.classid = 'pg_proc'::regclass and d.deptype = 'e'
       join pg_extension e on e.oid = d.refobjid join pg_language l on l.oid = p.prolang
       where e.extname = $1 and p.prokind = 'f' and l.lanname <> 'c' and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)`,
      [extension],
    );
    for (const { call } of calls) {
      await db.admin.transaction({ role: null, settings: { search_path: `${home}, evil, pg_catalog` } }, (tx) => tx.rows(call)).catch((error: { code: string }) => expect(error.code).toMatch(/^(0A000|22000|22023|22P02|22004|22021)$/));
    }
    expect(await isHarmless()).toBe(true);
  });

  it('offers no SECURITY DEFINER function, and each of ours belongs to a role without power and pins its search_path', async () => {
    const functions = await db.admin.rows<{ name: string; isOfferedDefiner: boolean; isCompiled: boolean; isParsed: boolean; isInternal: boolean; owner: string; settings: string[] | null }>(
      `select p.oid::regprocedure::text as name, p.prosecdef and has_function_privilege($2, p.oid, 'execute') as "isOfferedDefiner", l.lanname = 'c' or (l.lanname = 'internal' and p.prosrc <> all ($3)) as "isCompiled", p.prosqlbody is not null as "isParsed", l.lanname = 'internal' or p.prokind = 'a' as "isInternal", p.proowner::regrole::text as owner, p.proconfig as settings
       from pg_proc p join pg_depend d on d.objid = p.oid and d.classid = 'pg_proc'::regclass and d.deptype = 'e'
       join pg_extension e on e.oid = d.refobjid join pg_language l on l.oid = p.prolang where e.extname = $1`,
      [extension, name, compiled],
    );
    expect(functions.filter(({ isOfferedDefiner }) => isOfferedDefiner)).toEqual([]);
    if (ours.includes(extension)) {
      const isPinned = ({ isParsed, isInternal, settings }: (typeof functions)[number]) => isParsed || isInternal || settings?.[0] === 'search_path=""';
      expect(functions.filter((found) => found.isCompiled || !isPinned(found) || !(owners.includes(found.owner) || isMakersOwn(found)))).toEqual([]);
    }
  });

  it('cannot be rewritten by its maker', async () => {
    const [found] = await db.admin.rows<{ name: string }>(
      `select p.oid::regprocedure::text as name from pg_proc p join pg_depend d on d.objid = p.oid and d.classid = 'pg_proc'::regclass and d.deptype = 'e'
       join pg_extension e on e.oid = d.refobjid where e.extname = $1 and p.prokind = 'f' and p.proowner <> $2::regrole limit 1`,
      [extension, name],
    );
    if (found === undefined) return;
    for (const change of [`alter function ${found.name} security definer`, `alter function ${found.name} owner to ${name}`, `alter function ${found.name} reset search_path`, `drop function ${found.name}`]) {
      await expect(attacker.query(change)).rejects.toMatchObject({ code: expect.stringMatching(/^(42501|2BP01)$/) });
    }
  });
});

describe('the way around', () => {
  it('an object that lies in wait is not taken over by a script', async () => {
    await db.admin.rows('drop extension if exists pgjwt cascade; create extension if not exists pgcrypto with schema extensions');
    await attacker.query(`create schema ambush; create function ambush.url_encode(data bytea) returns text language sql as 'select null::text'`);
    await expect(attacker.query('create extension pgjwt with schema ambush')).rejects.toMatchObject({ code: '42723' });
    expect(await isHarmless()).toBe(true);
  });

  it.each([
    ['without a password, through the socket', () => `host=${db.settings.dbSocket} user=supabase_admin dbname=${db.name}`],
    ['without a password, over TCP', () => `host=127.0.0.1 port=${portOf()} user=supabase_admin dbname=${db.name}`],
    ['with a guessed password', () => `host=127.0.0.1 port=${portOf()} user=supabase_admin password=postgres dbname=${db.name}`],
    ['as a service', () => `host=127.0.0.1 port=${portOf()} user=mainstay_worker password='' dbname=${db.name}`],
  ])('dblink does not come back in as somebody else: %s', async (_, connection) => {
    await db.admin.rows('drop extension if exists dblink cascade');
    await attacker.query('create extension dblink with schema evil');
    await expect(attacker.query('select evil.dblink_exec($1, $2)', [connection(), `alter role ${name} superuser`])).rejects.toMatchObject({ code: expect.stringMatching(/^(2F003|08001|28\w{3}|XX000)$/) });
    await expect(attacker.query('select evil.dblink_connect_u($1)', [connection()])).rejects.toMatchObject({ code: '42501' });
    expect(await isHarmless()).toBe(true);
  });

  it.each([
    ['take the owner of the extensions', 'set role mainstay_extensions'],
    ['become the superuser', 'set role supabase_admin'],
    ['become the service', 'set role service_role'],
    ['make a superuser', `create role ${name}_2 superuser`],
    ['give oneself power', `alter role ${name} superuser`],
    ['load a library', `create function evil.f() returns int language c as '$libdir/dblink', 'dblink_connect'`],
    ['use a language without fences', `create function evil.g() returns int language internal as 'pg_backend_pid'`],
    ['read a file', `select pg_read_file('postgresql.conf')`],
    ['run a program', `copy (select 1) to program 'id'`],
    ['write a setting for all', `alter system set log_statement = 'all'`],
    ['create an extension that is not trusted', 'create extension pageinspect'],
  ])('the attacker cannot %s', async (_, sql) => {
    await expect(attacker.query(sql)).rejects.toMatchObject({ code: '42501' });
    expect(await isHarmless()).toBe(true);
  });

  it('nor can postgres, the migrating role', async () => {
    const postgres = await loginAs('postgres', db.settings.postgresPassword!);
    for (const sql of ['set role supabase_admin', 'grant supabase_admin to postgres', 'set role mainstay_worker', 'grant mainstay_api to postgres', 'alter role postgres superuser', `alter role mainstay_worker password 'x'`, `alter role supabase_admin password 'x'`, 'grant mainstay_extensions to postgres', 'set session authorization supabase_admin']) {
      await expect(postgres.query(sql)).rejects.toMatchObject({ code: '42501' });
    }
    await postgres.end();
  });
});

describe('what the extensions do', () => {
  beforeAll(() => db.admin.rows('drop extension if exists pgjwt, http, moddatetime cascade; create extension if not exists pgcrypto with schema extensions; create extension pgjwt with schema extensions; create extension http with schema extensions'));

  it('pgjwt signs and verifies as others do', async () => {
    const [signed] = await db.admin.rows<{ token: string }>(`select extensions.sign('{"sub":"1234567890","name":"John Doe","iat":1516239022}', 'secret') as token`);
    expect(signed!.token).toBe('eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.XbPfbIHMI6arZ3Y922BhjWgQzWXcXNrz0ogtVhfEd2o');
    const verify = async (payload: string, secret: string) => (await db.admin.rows<{ valid: boolean }>(`select valid from extensions.verify(extensions.sign($1::json, 'secret', 'HS512'), $2, 'HS512')`, [payload, secret]))[0]!.valid;
    expect(await verify('{"exp": 99999999999}', 'secret')).toBe(true);
    expect(await verify('{"exp": 99999999999}', 'other')).toBe(false);
    expect(await verify('{"exp": 1}', 'secret')).toBe(false);
    expect(await verify('{"nbf": 99999999999}', 'secret')).toBe(false);
  });

  it('http refuses a call and says what to use', async () => {
    await expect(db.admin.rows(`select * from extensions.http_get('http://example.com')`)).rejects.toMatchObject({ code: '0A000', message: expect.stringContaining('use net.http_post') });
    expect(await db.admin.rows(`select extensions.urlencode('a b/é') as text`)).toEqual([{ text: 'a%20b%2F%C3%A9' }]);
  });

  it('moddatetime sets the time of a change', async () => {
    await db.admin.rows(`create extension moddatetime with schema extensions; create table public.dated (id int, updated_at timestamptz default '2000-01-01');
      create trigger touch before update on public.dated for each row execute procedure extensions.moddatetime(updated_at);
      insert into public.dated values (1); update public.dated set id = 2`);
    expect(await db.admin.rows(`select updated_at > now() - interval '1 minute' as "isFresh" from public.dated`)).toEqual([{ isFresh: true }]);
  });

  it.each(['plv8', 'postgis'])('%s is not offered, with PostgreSQL’s plain error', async (extension) => {
    await expect(db.admin.rows(`create extension "${extension}"`)).rejects.toMatchObject({ code: '0A000', message: `extension "${extension}" is not available` });
  });
});

function portOf(): string {
  return new URL(db.settings.databaseUrl!).port;
}
