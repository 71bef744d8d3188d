import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSettings, type Settings } from '@mainstay/config';
import { extensionsFolder, freePort, startPostgres, trustedContrib } from '@mainstay/embedded';
import pg from 'pg';
import { prepareDatabase } from './bootstrap.ts';
import { logins, makeDatabase } from './logins.ts';
import { readSqlExtensions } from './missing-extensions.ts';
import { migrateProject } from './project-migrations.ts';

const password = 'a password of the test';
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'outside-'));
  // The database's user walks through it; else its data would go elsewhere, and stay there.
  chmodSync(folder, 0o711);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Server {
  readonly superuser: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** The embedded 18, its superuser under another name: what a provider's server looks like from outside. */
async function start18(): Promise<Server> {
  const port = await freePort();
  const server = await startPostgres({ folder: join(folder, 'embedded'), port, password, settings: { fsync: 'off', extension_control_path: '$system' } });
  await asUser({ superuser: 'supabase_admin', port }, 'supabase_admin', 'postgres', (client) => client.query(`create role helper superuser login password '${password}'`));
  await asUser({ superuser: 'helper', port }, 'helper', 'postgres', (client) => client.query('alter role supabase_admin rename to provider'));
  return { superuser: 'provider', port, stop: () => server.stop() };
}

const debian15 = '/usr/lib/postgresql/15/bin';

/** Debian's 15, with a superuser of the given name; `postgres` is the one that it is shipped with. */
async function start15(superuser: string): Promise<Server> {
  const data = join(folder, `fifteen-${superuser}`);
  const passwordFile = `${data}.pw`;
  const port = await freePort();
  const user = process.getuid?.() === 0 ? { uid: idOf('-u'), gid: idOf('-g') } : {};
  mkdirSync(data, { mode: 0o700 });
  writeFileSync(passwordFile, password);
  if (user.uid !== undefined) for (const path of [folder, data, passwordFile]) chownSync(path, user.uid, user.gid);
  execFileSync(join(debian15, 'initdb'), ['-D', data, '-U', superuser, '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'], { ...user, cwd: '/', stdio: 'ignore' });
  const child = spawn(join(debian15, 'postgres'), ['-D', data, '-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-c', `unix_socket_directories=${data}`, '-c', 'fsync=off', '-c', 'wal_level=logical'], { ...user, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] });
  await untilReady(child);
  return { superuser, port, stop: () => new Promise((resolve) => child.once('exit', () => resolve()) && child.kill('SIGINT')) };
}

function idOf(flag: string): number {
  return Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
}

function untilReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stderr!.on('data', (chunk: Buffer) => chunk.includes('ready to accept connections') && resolve());
    child.once('exit', (code) => reject(new Error(`PostgreSQL 15 did not start (${code})`)));
  });
}

async function asUser<T>(server: Pick<Server, 'port' | 'superuser'>, user: string, database: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ host: '127.0.0.1', port: server.port, user, password, database });
  await client.connect();
  return work(client).finally(() => client.end());
}

function settingsOf(server: Server, user: string, database: string): Settings {
  return readSettings({ DATABASE_URL: `postgresql://${user}:${encodeURIComponent(password)}@127.0.0.1:${server.port}/${database}`, MAINSTAY_SECRET: 'a secret of the test, long enough', POSTGRES_PASSWORD: password });
}

/** A project that asks for what such a server refuses. */
function project(): string {
  const home = mkdtempSync(join(folder, 'project-'));
  mkdirSync(join(home, 'supabase/migrations'), { recursive: true });
  writeFileSync(
    join(home, 'supabase/migrations/1_a.sql'),
    `create extension if not exists pgjwt with schema extensions;
     create extension if not exists http with schema extensions;
     create extension if not exists pg_graphql with schema graphql;
     comment on extension pg_graphql is 'x';
     create extension if not exists moddatetime schema extensions;
     create table notes (id int primary key, updated_at timestamptz);
     create trigger touch before update on notes for each row execute function extensions.moddatetime(updated_at);
     select extensions.sign('{"sub":"1"}', 'secret');
     alter publication supabase_realtime add table notes;`,
  );
  return home;
}

const migrate = async (settings: Settings, told: string[] = []): Promise<string[]> => {
  await migrateProject(settings, project(), { tell: (sentence) => told.push(sentence), sqlExtensions: readSqlExtensions(extensionsFolder()), trustedContrib });
  return told;
};

const mayNotBypass = [
  'cloud may not give service_role BYPASSRLS: the service key sees only what row policies give to service_role. A superuser can: ALTER ROLE service_role BYPASSRLS.',
  'cloud may not give postgres BYPASSRLS: row policies apply to postgres on tables of other owners. A superuser can: ALTER ROLE postgres BYPASSRLS.',
];
const isSuperuser = 'Role postgres is a superuser on this server: a project’s migrations run with all powers, and row policies do not apply to them.';

/** An administrator as providers give one: may make roles and databases, and owns one. */
async function makeCloud(server: Server): Promise<void> {
  await asUser(server, server.superuser, 'postgres', async (client) => {
    await client.query(`create role cloud login createrole createdb password '${password}'`);
    await client.query('create database app owner cloud');
  });
}

async function expectLogins(settings: Settings): Promise<void> {
  for (const login of logins) {
    const database = makeDatabase(settings, login, { max: 1 });
    expect(await database.rows('select 1 as one')).toEqual([{ one: 1 }]);
    await database.close();
  }
}

/** An ordinary administrator, on any version. */
async function expectOrdinary(server: Server): Promise<void> {
  const settings = settingsOf(server, 'cloud', 'app');
  const notes = await prepareDatabase(settings);
  expect(notes).toEqual(expect.arrayContaining([...mayNotBypass, expect.stringMatching(/^cloud may not create event triggers: /), expect.stringMatching(/^cloud may not grant SET ON PARAMETER: SET session_replication_role /)]));
  expect(await prepareDatabase(settings)).toEqual(notes);
  await expectLogins(settings);
  expect(await asUser(server, 'cloud', 'app', async (client) => (await client.query(`select nspowner::regrole::text as owner from pg_namespace where nspname = 'auth'`)).rows)).toEqual([{ owner: 'supabase_admin' }]);
}

/** Our extensions become plain objects where the server cannot have them; moddatetime needs a superuser, and none is at hand. */
async function expectPlainObjects(server: Server): Promise<void> {
  const home = project();
  const file = join(home, 'supabase/migrations/1_a.sql');
  writeFileSync(file, execFileSync('sed', ['/moddatetime/d', file]));
  const told: string[] = [];
  await migrateProject(settingsOf(server, 'cloud', 'app'), home, { tell: (sentence) => told.push(sentence), sqlExtensions: readSqlExtensions(extensionsFolder()), trustedContrib });
  expect(told).toEqual(['Applying supabase/migrations/1_a.sql', ...['pgjwt', 'http', 'pg_graphql'].map((name) => `The server cannot have our extension ${name}: CREATE EXTENSION is passed over, and what it would make is made.`)]);
  await expect(asUser(server, 'cloud', 'app', (client) => client.query(`select extensions.http_get('http://x')`))).rejects.toMatchObject({ code: '0A000' });
}

/** What is more than functions: queues and schemas as plain objects, the vault from the start. */
async function expectQueuesAndVault(server: Server): Promise<void> {
  const home = mkdtempSync(join(folder, 'project-'));
  mkdirSync(join(home, 'supabase/migrations'), { recursive: true });
  writeFileSync(
    join(home, 'supabase/migrations/2_b.sql'),
    `create extension if not exists pgmq; create extension if not exists pgmq; create extension if not exists pg_jsonschema with schema extensions; create extension if not exists supabase_vault with schema vault;
     create table checked (x jsonb check (jsonb_matches_schema('{"type": "object"}', x)));
     create extension if not exists pg_cron with schema pg_catalog; create extension if not exists pg_cron with schema pg_catalog;
     grant usage on schema cron to postgres; grant all privileges on all tables in schema cron to postgres; select cron.schedule('nightly', '0 3 * * *', 'select 1');
     select pgmq.create('tasks'), vault.create_secret('s3cret', 'name'); select pgmq.send('tasks', '{"n": 1}')`,
  );
  writeFileSync(join(home, 'supabase/migrations/1_a.sql'), 'select 1');
  await migrateProject(settingsOf(server, 'cloud', 'app'), home, { sqlExtensions: readSqlExtensions(extensionsFolder()), trustedContrib });
  await asUser(server, 'postgres', 'app', async (client) => {
    expect((await client.query(`select (pgmq.pop('tasks')).message, (select decrypted_secret from vault.decrypted_secrets) as secret`)).rows).toEqual([{ message: { n: 1 }, secret: 's3cret' }]);
    await expect(client.query(`insert into checked values ('1')`)).rejects.toMatchObject({ code: '23514' });
    expect((await client.query('select jobname, username, active from cron.job')).rows).toEqual([{ jobname: 'nightly', username: 'postgres', active: true }]);
  });
}

describe('PostgreSQL 18 by its URL', () => {
  let server: Server;
  beforeAll(async () => {
    server = await start18();
    await makeCloud(server);
  });
  afterAll(() => server.stop());

  it('its ordinary administrator does what can be done and names the rest, at every start', () => expectOrdinary(server));
  it('a project’s extensions of ours are made as plain objects there, and the rest of the file runs', () => expectPlainObjects(server));
  it('so are queues and schemas, and the vault stands', () => expectQueuesAndVault(server));

  it('a superuser of another name leaves nothing to be desired, and creates contrib for the project', async () => {
    await asUser(server, 'provider', 'postgres', (client) => client.query('create database whole'));
    const settings = settingsOf(server, 'provider', 'whole');
    expect(await prepareDatabase(settings)).toEqual([]);
    expect(await migrate(settings)).toContain('The administrator made extension moddatetime, since only a superuser may.');
    expect(await asUser(server, 'provider', 'whole', async (client) => (await client.query(`select rolsuper, rolcanlogin from pg_roles where rolname = 'supabase_admin'`)).rows)).toEqual([{ rolsuper: false, rolcanlogin: false }]);
  });

  it('a superuser makes the types of vectors, an ordinary administrator cannot', async () => {
    const home = mkdtempSync(join(folder, 'project-'));
    mkdirSync(join(home, 'supabase/migrations'), { recursive: true });
    writeFileSync(join(home, 'supabase/migrations/3_c.sql'), `create extension vector with schema extensions; create table v (e vector(2)); create index on v using hnsw (e vector_l2_ops) with (m = 16); insert into v values ('[1,2]')`);
    const told: string[] = [];
    const options = { tell: (sentence: string) => told.push(sentence), sqlExtensions: readSqlExtensions(extensionsFolder()), trustedContrib };
    writeFileSync(join(home, 'supabase/migrations/1_a.sql'), 'select 1');
    await migrateProject(settingsOf(server, 'provider', 'whole'), home, options);
    expect(told).toContain('The administrator made what our extension vector would make, since only a superuser makes types.');
    expect(await asUser(server, 'postgres', 'whole', async (client) => (await client.query(`select e <-> '[1,3]' as distance from v`)).rows)).toEqual([{ distance: 1 }]);
    writeFileSync(join(home, 'supabase/migrations/2_b.sql'), 'select 1');
    await expect(migrateProject(settingsOf(server, 'cloud', 'app'), home, options)).rejects.toThrow('vector needs pgvector on this server, or a superuser as the administrator of DATABASE_URL');
  });

  it('what an operator has set for a role stays', async () => {
    await asUser(server, 'provider', 'whole', (client) => client.query(`alter role authenticated set statement_timeout = '20s'; comment on role mainstay_api is null`));
    await prepareDatabase(settingsOf(server, 'provider', 'whole'));
    expect(await asUser(server, 'provider', 'whole', async (client) => (await client.query(`select setconfig from pg_db_role_setting where setrole = 'authenticated'::regrole`)).rows)).toEqual([{ setconfig: ['statement_timeout=20s'] }]);
  });

  it('a login that may do nothing is told what it needs', async () => {
    await asUser(server, 'provider', 'postgres', (client) => client.query(`create role nobody_much login password '${password}'`));
    await expect(prepareDatabase(settingsOf(server, 'nobody_much', 'postgres'))).rejects.toThrow(
      /^The administrator nobody_much of DATABASE_URL may not set up database postgres \(.*\): it needs CREATEROLE, CREATEDB and the ownership of the database, or to be a superuser\.$/,
    );
  });
});

const describe15 = existsSync(debian15) ? describe : describe.skip;

describe15('PostgreSQL 15 by its URL', () => {
  let server: Server;
  beforeAll(async () => {
    server = await start15('provider');
    await makeCloud(server);
  });
  afterAll(() => server.stop());

  it('its ordinary administrator does what can be done and names the rest, at every start', () => expectOrdinary(server));
  it('a project’s extensions of ours are made as plain objects there, and the rest of the file runs', () => expectPlainObjects(server));
  it('so are queues and schemas, and the vault stands', () => expectQueuesAndVault(server));
});

describe15('PostgreSQL 15 whose superuser is postgres', () => {
  let server: Server;
  beforeAll(async () => {
    server = await start15('postgres');
    await makeCloud(server);
  });
  afterAll(() => server.stop());

  it('prepares it, is told what differs, and keeps its password', async () => {
    const settings = { ...settingsOf(server, 'postgres', 'postgres'), postgresPassword: 'another one' };
    expect(await prepareDatabase(settings)).toEqual([isSuperuser]);
    expect(await migrate(settings)).toContain('Applying supabase/migrations/1_a.sql');
    await expectLogins(settings);
  });

  it('an ordinary administrator is told that it cannot migrate as postgres', async () => {
    await expect(prepareDatabase(settingsOf(server, 'cloud', 'app'))).rejects.toThrow(/^Role postgres is a superuser on this server, and cloud of DATABASE_URL may not act as it; /);
  });
});
