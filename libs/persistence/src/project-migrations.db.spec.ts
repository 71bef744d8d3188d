import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { findPendingFiles, migrateProject, migrationStates, type ProjectOptions } from './project-migrations.ts';

let db: TestDatabase;
let folder: string;
let told: string[];
beforeAll(async () => {
  db = await makeTestDatabase();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'project-'));
  mkdirSync(join(folder, 'supabase'));
  told = [];
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  await db.admin.rows('drop schema if exists supabase_migrations cascade; drop schema public cascade; create schema public authorization postgres');
});
afterAll(() => db.close());

function write(files: Record<string, string>): void {
  for (const [path, sql] of Object.entries(files)) {
    const file = join(folder, 'supabase', path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, sql);
  }
}

const migrate = (options: ProjectOptions = {}) => migrateProject(db.settings, folder, { tell: (sentence) => told.push(sentence), ...options });
const failure = async (): Promise<string> => migrate().then(() => 'it passed', (error: Error) => error.message);
const applied = async (): Promise<string[]> => (await migrationStates(db.settings, folder)).filter(({ isApplied }) => isApplied).map(({ version }) => version);
const rows = <R extends object>(text: string, values: unknown[] = []) => db.admin.rows<R>(text, values);
const tables = async (): Promise<string[]> => (await rows<{ name: string }>(`select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1`)).map(({ name }) => name);

describe('a project', () => {
  it('is applied in order as postgres, and once', async () => {
    const reader = `reader_${randomBytes(4).toString('hex')}`;
    write({
      'roles.sql': `create role ${reader};`,
      'migrations/1_notes.sql': `
        -- What people write.
        create table notes (id uuid primary key default gen_random_uuid(), user_id uuid references auth.users default auth.uid(), body text);
        alter table notes enable row level security;
        create policy own on notes to authenticated using ((select auth.uid()) = user_id);
        grant select on notes to ${reader};
        create function welcome() returns trigger language plpgsql security definer set search_path = '' as $$
        begin
          insert into public.notes (user_id, body) values (new.id, 'Hello ' || (new.raw_user_meta_data ->> 'name'));
          return new;
        end $$;
        create trigger welcome after insert on auth.users for each row execute function welcome();
        alter publication supabase_realtime add table notes;
        insert into storage.buckets (id, name) values ('avatars', 'avatars');
        create policy everyone on storage.objects for select using (bucket_id = 'avatars');
        create extension if not exists citext with schema extensions;
        select set_config('search_path', '', false);`,
      'migrations/2_more.sql': 'create table tags (name citext)',
      'seed.sql': `insert into auth.users (id, raw_user_meta_data) values ('11111111-1111-1111-1111-111111111111', '{"name": "Ada"}');`,
    });
    try {
      const done = await migrate();
      expect([done.roles?.path, ...done.migrations.map(({ path }) => path), ...done.seeds.map(({ path }) => path)]).toEqual(['supabase/roles.sql', 'supabase/migrations/1_notes.sql', 'supabase/migrations/2_more.sql', 'supabase/seed.sql']);
      expect(await rows('select body from public.notes')).toEqual([{ body: 'Hello Ada' }]);
      expect(await rows(`select relowner::regrole::text as owner from pg_class where oid = 'public.tags'::regclass`)).toEqual([{ owner: 'postgres' }]);
      expect(await migrate()).toMatchObject({ roles: null, migrations: [], seeds: [] });
      expect(await rows('select count(*)::int as n from public.notes')).toEqual([{ n: 1 }]);
    } finally {
      await rows(`drop owned by ${reader}`);
      await rows(`drop role ${reader}`);
    }
  });

  it('is recorded as the Supabase CLI does it', async () => {
    write({ 'migrations/20240101000000_a_b.sql': `-- First\ncreate table a (x text default ';"\\');\n\n/* then */ create table b ();\n`, 'seed.sql': 'select 1' });
    await migrate();
    expect(await rows('select * from supabase_migrations.schema_migrations')).toEqual([
      { version: '20240101000000', name: 'a_b', statements: [`-- First\ncreate table a (x text default ';"\\')`, '/* then */ create table b ()'] },
    ]);
    expect(await rows('select * from supabase_migrations.seed_files')).toEqual([{ path: 'supabase/seed.sql', hash: '822ae07d4783158bc1912bb623e5107cc9002d519e1143a9c200ed6ee18b6d0f' }]);
  });

  it('shows its state and what it would do without doing it', async () => {
    write({ 'roles.sql': 'select 1', 'migrations/1_a.sql': 'create table a ()', 'migrations/2_b.sql': 'create table b ()', 'seed.sql': 'select 1' });
    expect(await findPendingFiles(db.settings, folder)).toMatchObject({ roles: {}, migrations: [{ version: '1' }, { version: '2' }], seeds: [{ path: 'supabase/seed.sql' }] });
    expect(await rows(`select from pg_namespace where nspname = 'supabase_migrations'`)).toEqual([]);
    await migrate();
    write({ 'migrations/3_c.sql': 'create table c ()' });
    expect(await migrationStates(db.settings, folder)).toEqual([
      { version: '1', name: 'a', isLocal: true, isApplied: true },
      { version: '2', name: 'b', isLocal: true, isApplied: true },
      { version: '3', name: 'c', isLocal: true, isApplied: false },
    ]);
  });

  it('is applied by one of two at once; the other waits and finds nothing to do', async () => {
    write({ 'migrations/1_a.sql': 'create table a (); select pg_sleep(0.3)', 'seed.sql': 'create table seeded ()' });
    const [first, second] = await Promise.all([migrate(), migrate()]);
    expect([first!.migrations.length, second!.migrations.length].sort()).toEqual([0, 1]);
    expect(told).toContain('Another migration of this database is running: waiting for it.');
    expect(await tables()).toEqual(['a', 'seeded']);
  });

  it('that lacks an applied migration is refused, and so is one that comes too late', async () => {
    write({ 'migrations/2_b.sql': 'create table b ()', 'migrations/4_d.sql': 'create table d ()' });
    await migrate();
    unlinkSync(join(folder, 'supabase/migrations/2_b.sql'));
    expect(await failure()).toBe(
      `The database has migrations that ${folder} lacks: 2. Bring their files back (supabase migration fetch), or strike them from its history (supabase migration repair --status reverted 2).`,
    );
    write({ 'migrations/2_b.sql': 'create table b ()', 'migrations/3_c.sql': 'create table c ()' });
    expect(await failure()).toBe('Older than 4, the last applied migration: supabase/migrations/3_c.sql. Give them a later version, or apply them all the same with --include-all.');
    await migrate({ includesOlder: true });
    expect(await tables()).toEqual(['b', 'c', 'd']);
  });
});

describe('a failing file', () => {
  it('is undone whole and named with line, column and statement; those before it stay, and the next run goes on', async () => {
    write({
      'migrations/1_a.sql': 'create table a (id int)',
      'migrations/2_b.sql': 'create table b (id int);\n\n-- ünïcode 🐘 above\nselect \'🐘\', id,\n  nothing from b;\ncreate table c ();',
      'migrations/3_d.sql': 'create table d ()',
    });
    expect(await failure()).toBe(
      ['supabase/migrations/2_b.sql, line 5, column 3: column "nothing" does not exist (42703)', '  5 |   nothing from b;', '    |   ^', 'Statement 2 of 3. Nothing of this file stays.'].join('\n'),
    );
    expect([await tables(), await applied()]).toEqual([['a'], ['1']]);
    write({ 'migrations/2_b.sql': 'create table b (id int)' });
    await migrate();
    expect([await tables(), await applied()]).toEqual([['a', 'b', 'd'], ['1', '2', '3']]);
  });

  it('tells PostgreSQL’s detail, hint and place in a function', async () => {
    write({ 'migrations/1_a.sql': `create table a (id int primary key);\n\ninsert into a\n  values (1), (1);` });
    expect(await failure()).toBe(
      ['supabase/migrations/1_a.sql, line 3: duplicate key value violates unique constraint "a_pkey" (23505)', '  3 | insert into a', 'Detail: Key (id)=(1) already exists.', 'Statement 2 of 2. Nothing of this file stays.'].join('\n'),
    );
    write({ 'migrations/1_a.sql': `do $$ begin\n  raise exception 'no' using hint = 'try yes';\nend $$;` });
    expect(await failure()).toBe(
      ['supabase/migrations/1_a.sql, line 1: no (P0001)', '  1 | do $$ begin', 'Hint: try yes', 'Where: PL/pgSQL function inline_code_block line 2 at RAISE', 'Statement 1 of 1. Nothing of this file stays.'].join('\n'),
    );
  });

  it('with a mistake in its language does nothing, and shows where', async () => {
    write({ 'migrations/1_a.sql': 'create table a ();\ncreate tabel b ();\n' });
    expect(await failure()).toBe(
      ['supabase/migrations/1_a.sql, line 2, column 8: syntax error at or near "tabel" (42601)', '  2 | create tabel b ();', '    |        ^', 'Statement 1 of 1. Nothing of this file stays.'].join('\n'),
    );
    expect(await tables()).toEqual([]);
  });

  it('may fail only at its commit', async () => {
    write({ 'migrations/1_a.sql': 'create table a (id int unique deferrable initially deferred); insert into a values (1), (1)' });
    expect(await failure()).toMatch(/^supabase\/migrations\/1_a\.sql: at its end, duplicate key value violates unique constraint "a_id_key" \(23505\)\n/);
    expect([await tables(), await applied()]).toEqual([[], []]);
  });

  it('asks for an extension that is not offered, and is told so', async () => {
    write({ 'migrations/1_a.sql': 'create extension if not exists plv8;' });
    expect(await failure()).toContain('extension "plv8" is not available (0A000)\n  1 | create extension if not exists plv8;\nHint: plv8 needs compiled code that the embedded PostgreSQL does not have');
  });

  it('cannot read rows with COPY FROM STDIN', async () => {
    write({ 'migrations/1_a.sql': 'create table a (id int);\ncopy a from stdin;' });
    expect(await failure()).toBe('supabase/migrations/1_a.sql, line 2: COPY … FROM STDIN has no rows to read in an SQL file: write them as INSERT.');
    expect(await tables()).toEqual([]);
  });

  it('of seeds is undone, and applied when it is right', async () => {
    write({ 'migrations/1_a.sql': 'create table a (id int check (id < 3))', 'seed.sql': 'insert into a values (1); insert into a values (3);' });
    expect(await failure()).toContain('supabase/seed.sql, line 1: new row for relation "a" violates check constraint');
    expect(await rows('select * from public.a')).toEqual([]);
    write({ 'seed.sql': 'insert into a values (2)' });
    await migrate();
    expect(await rows('select * from public.a')).toEqual([{ id: 2 }]);
  });
});

describe('transactions', () => {
  it('a value added to an enum can be used in the next file, not in the same', async () => {
    write({ 'migrations/1_a.sql': `create type mood as enum ('sad'); create table a (mood mood)`, 'migrations/2_b.sql': `alter type mood add value 'happy'`, 'migrations/3_c.sql': `insert into a values ('happy')` });
    await migrate();
    expect(await rows('select mood from public.a')).toEqual([{ mood: 'happy' }]);
    write({ 'migrations/4_d.sql': `alter type mood add value 'calm'; insert into a values ('calm')` });
    expect(await failure()).toContain('unsafe use of new value "calm" of enum type mood (55P04)');
  });

  it('an index is made concurrently between the statements of a file', async () => {
    write({ 'migrations/1_a.sql': 'create table a (id int); create index concurrently a_id on a (id); create table b ();' });
    await migrate();
    expect(await rows(`select indisvalid from pg_index where indexrelid = 'public.a_id'::regclass`)).toEqual([{ indisvalid: true }]);
    expect([await tables(), await applied()]).toEqual([['a', 'b'], ['1']]);
  });

  it('what stands before a concurrent index stays when what follows fails, and the message says so', async () => {
    write({ 'migrations/1_a.sql': 'create table a (id int);\ncreate index concurrently a_id on a (id);\ncreate table b ();\nselect oops;' });
    expect(await failure()).toMatch(/line 4, column 8: column "oops" does not exist[^]*Statement 4 of 4\. What stands before statement 3 was committed by itself and stays; the file is not recorded as applied\.$/);
    expect([await tables(), await applied()]).toEqual([['a'], []]);
  });

  it('a file with its own BEGIN and COMMIT runs as written', async () => {
    write({ 'migrations/1_a.sql': 'begin;\ncreate table a ();\ncommit;\ncreate table b ();\nvacuum;' });
    await migrate();
    expect([await tables(), await applied()]).toEqual([['a', 'b'], ['1']]);
    write({ 'migrations/2_c.sql': 'begin;\ncreate table c ();\ncommit;\nbegin;\ncreate table d ();\nselect oops;\ncommit;' });
    expect(await failure()).toMatch(/line 6, column 8[^]*What stands before statement 4 was committed by itself and stays/);
    expect([await tables(), await applied()]).toEqual([['a', 'b', 'c'], ['1']]);
  });

  it('a file that does not end its transaction is undone and named', async () => {
    write({ 'migrations/1_a.sql': 'begin; create table a ();' });
    expect(await failure()).toBe('supabase/migrations/1_a.sql leaves its transaction open: end it with COMMIT. What it did since BEGIN is undone.');
    expect([await tables(), await applied()]).toEqual([[], []]);
  });

  it('settings and roles of one file do not reach the next', async () => {
    write({ 'migrations/1_a.sql': `set search_path = ''; set role authenticated; reset role; set default_transaction_read_only = on`, 'migrations/2_b.sql': 'create table b ()' });
    await migrate();
    expect(await rows(`select relowner::regrole::text as owner from pg_class where oid = 'public.b'::regclass`)).toEqual([{ owner: 'postgres' }]);
  });

  it('a large file of data goes whole and is recorded', async () => {
    write({ 'migrations/1_a.sql': 'create table a (id int, word text)', 'migrations/2_data.sql': `insert into a values ${Array.from({ length: 500 }, (_, i) => `(${i}, 'it''s ${'x'.repeat(10_000)}')`).join(',')}; -- the end` });
    await migrate();
    expect(await rows('select count(*)::int as n from public.a')).toEqual([{ n: 500 }]);
    expect(await applied()).toEqual(['1', '2']);
  });
});

describe('seeds', () => {
  it('are applied once; changed ones are only recorded, and said so', async () => {
    write({ 'migrations/1_a.sql': 'create table a (id int)', 'seed.sql': 'insert into a values (1)' });
    await migrate();
    write({ 'seed.sql': 'insert into a values (2)' });
    await migrate();
    expect(told).toContain('supabase/seed.sql was applied before and has changed since: it is not applied again, its new hash is recorded.');
    told = [];
    await migrate();
    expect(await rows('select id from public.a')).toEqual([{ id: 1 }]);
    expect(told).toEqual([]);
  });

  it('stay away when they are not wanted', async () => {
    write({ 'migrations/1_a.sql': 'create table a (id int)', 'seed.sql': 'insert into a values (1)' });
    await migrate({ withoutSeeds: true });
    expect(await rows('select id from public.a')).toEqual([]);
  });
});

describe('roles.sql', () => {
  it('is applied again when it changes; a role that is there already is passed over', async () => {
    const role = `reader_${randomBytes(4).toString('hex')}`;
    write({ 'roles.sql': `create role ${role};` });
    await migrate();
    write({ 'roles.sql': `create role ${role};\nalter role ${role} set statement_timeout = '5s';` });
    await migrate();
    expect(told).toContain(`Role ${role} exists already.`);
    expect(await rows(`select setconfig from pg_db_role_setting where setrole = $1::regrole`, [role])).toEqual([{ setconfig: ['statement_timeout=5s'] }]);
    await rows(`drop role ${role}`);
  });
});
