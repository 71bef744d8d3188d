import { fork } from 'node:child_process';
import { join } from 'node:path';
import { findRoot, freePort } from '@mainstay/testing';

/** An api or worker process of its own, as an operator starts it. */
export interface Apart {
  readonly url: string;
  readonly pid: number;
  /** Ends it in order. */
  stop(): Promise<void>;
}

/** Starts `node dist/apps/<app>/main.js` with the given environment. @throws Error with what it printed if it ends before it is ready. */
export async function startApart(app: 'api' | 'worker', environment: Record<string, string>): Promise<Apart> {
  const port = await freePort();
  const child = fork(join(findRoot(), 'dist/apps', app, 'main.js'), [], {
    env: { PATH: process.env['PATH'], PORT: String(port), ...environment },
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let printed = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.setEncoding('utf8').on('data', (chunk: string) => (printed += chunk));
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve());
    void ended.then((status) => reject(new Error(`${app} ended with ${status}: ${printed.trim()}`)));
  });
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid!,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
