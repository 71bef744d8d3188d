import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, removePostgres, startPostgres, startValkey } from '@mainstay/embedded';
import { build } from '../build.mjs';
import { importBundled } from '../bundle.mjs';
import type * as Parts from './parts.ts';

const root = join(import.meta.dirname, '../..');

/** One table of results, with what has to be said about it. */
export interface Section {
  readonly title: string;
  readonly about: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A whole Mainstay for measuring: real servers with durability on, all of them on one core where the machine has two. */
export interface BenchStack {
  readonly parts: typeof Parts;
  readonly url: string;
  /** As api and worker see it: DATABASE_URL, MAINSTAY_DB_SOCKET, REDIS_URL and every secret. */
  readonly environment: Readonly<Record<string, string>>;
  readonly database: Parts.Database;
  /** Says where things ran, for the page. */
  readonly placement: string;
  readonly pids: { readonly api: number; readonly worker: number; readonly postgres: number; readonly valkey: number };
  /** Starts a program on the servers' core; what a quiet one prints is thrown away. */
  spawnBeside(command: string, args: readonly string[], environment: Readonly<Record<string, string>>, options?: { isQuiet?: boolean }): ChildProcess;
  stop(): Promise<void>;
}

/** Where servers and load run. */
export interface Placement {
  readonly servers: number;
  readonly load: number;
}

export interface StackTerms {
  /** Settings of a section's own. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Whether the servers may use every core: for what makes its own load. */
  readonly isSpread?: boolean;
}

/** Starts PostgreSQL, Valkey, one api and one worker from the built apps. What was started is stopped again when the rest fails. */
export async function startBenchStack({ environment: more = {}, isSpread = false }: StackTerms = {}): Promise<BenchStack> {
  const cores = isSpread ? null : findCores();
  await build(['api', 'worker']);
  const parts = (await importBundled('tools/bench/parts.ts')) as typeof Parts;
  const undo: (() => unknown)[] = [];
  const stop = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const { servers, environment } = await startServers(parts, more, cores, undo);
    await parts.prepareDatabase(parts.readSettings(environment));
    const spawnBeside = makeSpawner(cores, undo);
    const [api, worker] = ['api', 'worker'].map((app) => spawnBeside(process.execPath, [`dist/apps/${app}/main.js`], environment));
    const url = `http://127.0.0.1:${environment['PORT']}`;
    await answers(`${url}/health/ready`);
    const database = parts.makeDatabase(parts.readSettings(environment), null, { max: 4 });
    undo.push(() => database.close());
    return { parts, url, environment, database, placement: describePlacement(cores), pids: { api: api!.pid!, worker: worker!.pid!, ...servers }, spawnBeside, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startServers(parts: typeof Parts, more: Readonly<Record<string, string>>, cores: Placement | null, undo: (() => unknown)[]) {
  const folder = mkdtempSync(join(tmpdir(), 'mainstay-bench-'));
  undo.push(() => rmSync(folder, { recursive: true, force: true }), () => removePostgres(join(folder, 'postgres')));
  const [dbPort, queuePort, apiPort] = [await freePort(), await freePort(), await freePort()];
  const postgres = await startPostgres({ folder: join(folder, 'postgres'), port: dbPort, password: 'bench' });
  undo.push(() => postgres.stop());
  const valkey = await startValkey({ port: queuePort, password: 'benchbenchbenchbench' });
  undo.push(() => valkey.stop());
  if (cores !== null) {
    for (const pid of [postgres.pid, valkey.pid]) pin(pid, cores.servers);
    pin(process.pid, cores.load);
  }
  const environment: Record<string, string> = {
    ...(await parts.makeSecrets({ POSTGRES_PASSWORD: 'bench' })),
    DATABASE_URL: `postgresql://supabase_admin:bench@127.0.0.1:${dbPort}/postgres`,
    MAINSTAY_DB_SOCKET: postgres.socket,
    REDIS_URL: valkey.url,
    PORT: String(apiPort),
    LOG_LEVEL: 'warn',
    ...more,
  };
  return { servers: { postgres: postgres.pid, valkey: valkey.pid }, environment };
}

function makeSpawner(cores: Placement | null, undo: (() => unknown)[]): BenchStack['spawnBeside'] {
  return (command, args, environment, { isQuiet = false } = {}) => {
    const [program, words] = cores === null ? [command, args] : ['taskset', ['-c', String(cores.servers), command, ...args]];
    const child = spawn(program, words, { cwd: root, stdio: ['ignore', 'ignore', isQuiet ? 'ignore' : 'inherit'], env: { PATH: process.env['PATH'], NODE_ENV: 'production', ...environment } });
    undo.push(() => end(child));
    return child;
  };
}

/** Waits until a URL answers with 200. */
export async function answers(url: string, headers: Readonly<Record<string, string>> = {}, seconds = 60): Promise<void> {
  let last = 'nothing';
  for (const until = Date.now() + seconds * 1000; Date.now() < until; await sleep(100)) {
    const answer = await fetch(url, { headers }).catch(() => null);
    if (answer !== null) last = `${answer.status} ${await answer.text()}`;
    if (answer?.ok) return;
  }
  throw new Error(`${url} did not answer with 200 within ${seconds} s, but with ${last}`);
}

/** Ends a process that a benchmark started, and waits until it is gone. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

/** Null where there is no second core, or no `taskset`. */
function findCores(): Placement | null {
  if (availableParallelism() < 2) return null;
  try {
    execFileSync('taskset', ['--version'], { stdio: 'ignore' });
    return { servers: 0, load: 1 };
  } catch {
    return null;
  }
}

function pin(pid: number, core: number): void {
  execFileSync('taskset', ['-acp', String(core), String(pid)], { stdio: 'ignore' });
}

function describePlacement(cores: Placement | null): string {
  return cores === null ? 'Servers, database and load share the machine.' : 'Servers and database share one core; the load comes from another.';
}
