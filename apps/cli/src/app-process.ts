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
  let why = '';
  for (const stream of [child.stdout!, child.stderr!]) {
    let rest = '';
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop()!;
      for (const line of lines.filter((text) => text !== '')) {
        // The frames of a stack come after the sentence that says what happened.
        if (!/^\s+at |^\{"level":"(info|debug)|^\s*[}\]]/.test(line)) why = line;
        onLine(line);
      }
    });
  }
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`the ${app} was not ready within ${readyTimeoutMs / 1000} s`));
    }, readyTimeoutMs);
    child.once('message', () => {
      clearTimeout(timer);
      resolve();
    });
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      reject(new Error(why === '' ? `the ${app} ended with ${signal ?? `exit code ${code}`}` : `the ${app} says: ${why}`));
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
