import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { Running } from './part.ts';

const readyTimeoutMs = 30_000;

/** Starts `dist/apps/<app>/main.js` and waits until it says `ready`. It ends by itself when this process is gone (IPC). */
export async function startApp(root: string, app: 'api' | 'worker', environment: NodeJS.ProcessEnv, onLine: (line: string) => void): Promise<Running> {
  const child = fork(join(root, 'dist', 'apps', app, 'main.js'), [], {
    detached: true,
    cwd: root,
    env: environment,
    execArgv: ['--enable-source-maps'],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const last: string[] = [];
  for (const stream of [child.stdout!, child.stderr!]) {
    let rest = '';
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop()!;
      for (const line of lines.filter((text) => text !== '')) {
        last.push(line);
        if (last.length > 5) last.shift();
        onLine(line);
      }
    });
  }
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${app} was not ready within ${readyTimeoutMs / 1000} s`));
    }, readyTimeoutMs);
    child.once('message', () => {
      clearTimeout(timer);
      resolve();
    });
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      reject(new Error(`${app} ended with ${signal ?? `exit code ${code}`}${last.length === 0 ? '' : `: ${last.at(-1)}`}`));
    });
  });
  return {
    pid: child.pid!,
    ended,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
