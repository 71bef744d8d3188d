import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseEnv } from 'node:util';
import { findRoot } from '@mainstay/testing';
import { runSql } from './sql.ts';
import type { Stack } from './stack.ts';

/** What may happen to a house. A halt is longer than a lease. */
export const mishaps = ['worker killed', 'second worker killed', 'worker halted', 'database killed', 'sessions severed', 'queue killed', 'queue flushed', 'api killed'] as const;
export type Mishap = (typeof mishaps)[number];

export interface Burning {
  /** How many at least: they go on for as long as something is being asked for. */
  readonly faults: number;
  /** The shortest and the longest pause between two mishaps. */
  readonly pauseMs: readonly [number, number];
  readonly haltMs: number;
  /** Between 0 and 1, as `Math.random`. */
  readonly random: () => number;
  readonly tell: (event: string) => void;
}

/** Lets one mishap after another happen, each kind as often as the others. */
export async function burn(stack: Stack, second: SecondWorker, { faults, pauseMs: [least, most], haltMs, random, tell }: Burning, isAsking: () => boolean, onFault: (mishap: Mishap) => void): Promise<void> {
  let turn: Mishap[] = [];
  for (let fault = 1; fault <= faults || isAsking(); fault += 1) {
    await sleep(least + random() * (most - least));
    if (turn.length === 0) turn = mishaps.map((value) => ({ value, place: random() })).sort((a, b) => a.place - b.place).map(({ value }) => value);
    const mishap = turn.pop()!;
    await happen(mishap, stack, second, haltMs);
    tell(`${fault}: ${mishap}`);
    onFault(mishap);
  }
}

async function happen(mishap: Mishap, stack: Stack, second: SecondWorker, haltMs: number): Promise<void> {
  if (mishap === 'worker killed') await signal(stack, 'worker', 'SIGKILL');
  if (mishap === 'database killed') await signal(stack, 'postgres', 'SIGKILL');
  if (mishap === 'queue killed') await signal(stack, 'valkey', 'SIGKILL');
  if (mishap === 'api killed') await signal(stack, 'api', 'SIGKILL');
  if (mishap === 'second worker killed') second.kill();
  if (mishap === 'queue flushed') await flushQueue(stack).catch(() => {});
  if (mishap === 'sessions severed') {
    await runSql(stack.dbUrl, `select pg_terminate_backend(pid) from pg_stat_activity where usename in ('mainstay_worker', 'mainstay_commands', 'mainstay_api', 'postgres') and pid <> pg_backend_pid()`).catch(() => {});
  }
  if (mishap === 'worker halted') {
    await signal(stack, 'worker', 'SIGSTOP');
    await sleep(haltMs);
    await signal(stack, 'worker', 'SIGCONT');
  }
}

/** Reaches a part, once it is back from the last time. */
async function signal(stack: Stack, part: string, name: NodeJS.Signals): Promise<void> {
  for (;;) {
    const pid = stack.pids()[part];
    try {
      if (pid !== undefined && process.kill(pid, name)) return;
    } catch {
      // The supervisor has not noticed yet.
    }
    await sleep(50);
  }
}

/** Empties the queue as an operator's mistake would. */
export async function flushQueue(stack: Stack): Promise<void> {
  const url = new URL(await queueUrl(stack));
  const socket = connect(Number(url.port), url.hostname);
  socket.setEncoding('utf8').write(`AUTH ${decodeURIComponent(url.password)}\r\nFLUSHALL\r\n`);
  let answer = '';
  for await (const text of socket as AsyncIterable<string>) {
    answer += text;
    if (answer.split('\r\n').length > 2) break;
  }
  if (!answer.startsWith('+OK\r\n+OK')) throw new Error(`FLUSHALL was refused: ${answer}`);
}

/** Where the queue is. It is told to api and worker alone, so it is read from the process itself; one that was just killed is awaited. */
export async function queueUrl(stack: Stack): Promise<string> {
  let pid = stack.pids()['valkey'];
  for (const until = Date.now() + 10_000; !existsSync(`/proc/${pid}/cmdline`) && Date.now() < until; await sleep(100)) pid = stack.pids()['valkey'];
  const port = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter((word) => word !== '').at(-1);
  const password = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').find((entry) => entry.startsWith('VALKEY_PASSWORD='))!.slice('VALKEY_PASSWORD='.length);
  return `redis://:${password}@127.0.0.1:${port}`;
}

/** The database as the house itself reaches it, which sees its own tables. */
export function houseUrl(stack: Stack): string {
  const url = new URL(stack.dbUrl);
  url.username = 'supabase_admin';
  return url.href;
}

/** A worker beside the house's own; started again whenever it is killed. */
export class SecondWorker {
  private child: ChildProcess | undefined;
  private isStopped = false;

  private constructor(readonly environment: Readonly<Record<string, string>>) {}

  static async start(stack: Stack, settings: Readonly<Record<string, string>>): Promise<SecondWorker> {
    const secrets = parseEnv(readFileSync(join(stack.home, 'secrets.env'), 'utf8')) as Record<string, string>;
    const environment = { PATH: process.env['PATH']!, ...secrets, ...settings, MAINSTAY_HOME: stack.home, DATABASE_URL: houseUrl(stack), REDIS_URL: await queueUrl(stack) };
    const worker = new SecondWorker(environment);
    worker.launch();
    return worker;
  }

  kill(): void {
    this.child?.kill('SIGKILL');
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    const ended = new Promise((resolve) => this.child?.once('exit', resolve));
    this.child?.kill('SIGTERM');
    await Promise.race([ended, sleep(5000)]);
    this.child?.kill('SIGKILL');
  }

  private launch(): void {
    this.child = spawn(process.execPath, [join(findRoot(), 'dist/apps/worker/main.js')], { env: this.environment, stdio: 'ignore' });
    this.child.once('exit', () => {
      if (!this.isStopped) setTimeout(() => this.launch(), 300);
    });
  }
}
