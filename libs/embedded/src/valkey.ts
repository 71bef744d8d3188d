import { fork } from 'node:child_process';
import { join } from 'node:path';
import { findRoot } from './root.ts';

export interface ValkeyOptions {
  readonly port: number;
  /** Letters and digits only: it is sent as a plain command. */
  readonly password: string;
  readonly onLog?: (line: string) => void;
}

/** A running embedded Valkey. It keeps nothing across restarts: what must last is in PostgreSQL. */
export interface Valkey {
  readonly pid: number;
  readonly port: number;
  readonly url: string;
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

/** Starts Valkey in a process of its own and waits until it takes connections. */
export async function startValkey(options: ValkeyOptions): Promise<Valkey> {
  if (!/^[A-Za-z0-9]{16,}$/.test(options.password)) throw new Error('the password of Valkey must be 16 or more letters and digits');
  const child = fork(join(findRoot(), 'libs/embedded/src/valkey-process.ts'), [String(options.port)], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { PATH: process.env['PATH'], NODE_NO_WARNINGS: '1', VALKEY_PASSWORD: options.password },
    execArgv: [],
  });
  const said: string[] = [];
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      if (said.length < 20) said.push(chunk.trim());
      for (const line of chunk.split('\n')) if (line !== '') options.onLog?.(line);
    });
  }
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve());
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`Valkey did not start (exit ${code}): ${said.join(' | ')}`)));
  });
  return {
    pid: child.pid!,
    port: options.port,
    url: `redis://:${options.password}@127.0.0.1:${options.port}`,
    ended,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
