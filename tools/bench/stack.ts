import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, startPostgres, startValkey } from '@mainstay/embedded';
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
  readonly pids: { readonly api: number; readonly worker: number; readonly postgres: number; readonly valkey: number };
  /** Starts a program on the servers' core; what a quiet one prints is thrown away. */
  spawnBeside(command: string, args: readonly string[], environment: Readonly<Record<string, string>>, options?: { isQuiet?: boolean }): ChildProcess;
  stop(): Promise<void>;
}

/** Where servers and load run; null where there is no second core, or no `taskset`, and then they share. */
const cores = findCores();

/** Starts PostgreSQL, Valkey, one api and one worker from the built apps. */
export async function startBenchStack(more: Record<string, string> = {}): Promise<BenchStack> {
  await build(['api', 'worker']);
  const parts = (await importBundled('tools/bench/parts.ts')) as typeof Parts;
  const folder = mkdtempSync(join(tmpdir(), 'mainstay-bench-'));
  const secrets = await parts.makeSecrets({ POSTGRES_PASSWORD: 'bench' });
  const [dbPort, queuePort, apiPort] = [await freePort(), await freePort(), await freePort()];
  const postgres = await startPostgres({ folder: join(folder, 'postgres'), port: dbPort, password: 'bench' });
  const valkey = await startValkey({ port: queuePort, password: 'benchbenchbenchbench' });
  const environment = {
    ...secrets,
    DATABASE_URL: `postgresql://supabase_admin:bench@127.0.0.1:${dbPort}/postgres`,
    MAINSTAY_DB_SOCKET: postgres.socket,
    REDIS_URL: valkey.url,
    PORT: String(apiPort),
    LOG_LEVEL: 'warn',
    ...more,
  };
  if (cores !== null) {
    for (const pid of [postgres.pid, valkey.pid]) pin(pid, cores.servers);
    pin(process.pid, cores.load);
  }
  const settings = parts.readSettings(environment);
  await parts.prepareDatabase(settings);
  const children: ChildProcess[] = [];
  const spawnBeside: BenchStack['spawnBeside'] = (command, args, surroundings, { isQuiet = false } = {}) => {
    const [program, words] = cores === null ? [command, args] : ['taskset', ['-c', String(cores.servers), command, ...args]];
    const child = spawn(program, words, { cwd: root, stdio: ['ignore', 'ignore', isQuiet ? 'ignore' : 'inherit'], env: { PATH: process.env['PATH'], NODE_ENV: 'production', ...surroundings } });
    children.push(child);
    return child;
  };
  const [api, worker] = ['api', 'worker'].map((app) => spawnBeside(process.execPath, [`dist/apps/${app}/main.js`], environment));
  const url = `http://127.0.0.1:${apiPort}`;
  await answers(`${url}/health/ready`);
  const database = parts.makeDatabase(settings, null, { max: 4 });
  return {
    parts,
    url,
    environment,
    database,
    pids: { api: api!.pid!, worker: worker!.pid!, postgres: postgres.pid, valkey: valkey.pid },
    spawnBeside,
    stop: async () => {
      await database.close();
      await Promise.all(children.map(end));
      await valkey.stop();
      await postgres.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Waits until a URL answers with 200. */
export async function answers(url: string, seconds = 30): Promise<void> {
  for (const until = Date.now() + seconds * 1000; Date.now() < until; await sleep(100)) {
    const answer = await fetch(url).catch(() => null);
    await answer?.body?.cancel();
    if (answer?.ok) return;
  }
  throw new Error(`${url} did not answer with 200 within ${seconds} s`);
}

/** Ends a process that a benchmark started, and waits until it is gone. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

function findCores(): { servers: number; load: number } | null {
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

/** Says where things ran, for the page. */
export const placement = cores === null ? 'Servers, database and load share the machine.' : 'Servers and database share one core; the load comes from another.';
