import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { waiting, type GoAhead } from '@mainstay/embedded';
import type { Running } from './part.ts';

export type App = 'api' | 'worker';

const readyTimeoutMs = 30_000;

/**
 * `dist/apps/<app>/main.js` as a process: its code loads at once, its work begins when it is told the settings.
 * It ends by itself when this process is gone (IPC).
 */
export class AppProcess {
  private readonly child: ChildProcess;
  /** Settles with the reason in words. */
  private readonly ended: Promise<string>;
  private lastWords = '';

  constructor(root: string, private readonly app: App, environment: NodeJS.ProcessEnv, private readonly onLine: (line: string) => void) {
    this.child = fork(join(root, 'dist', 'apps', app, 'main.js'), [], {
      detached: true,
      cwd: root,
      env: waiting(environment),
      execArgv: ['--enable-source-maps'],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.listen();
    this.ended = new Promise((resolve) => {
      this.child.once('exit', (code, signal) => {
        resolve(this.lastWords === '' ? `the ${app} ended with ${signal ?? `exit code ${code}`}` : `the ${app} says: ${this.lastWords}`);
      });
    });
  }

  /** Sends the settings and waits until it says `ready`. @throws Error with the reason if it ends instead or takes too long. */
  async begin(environment: NodeJS.ProcessEnv): Promise<Running> {
    const isReady = new Promise<true>((resolve) => this.child.once('message', () => resolve(true)));
    const goAhead: GoAhead = { environment: environment as Record<string, string> };
    // One that has just ended says so by `ended`.
    if (this.child.connected) this.child.send(goAhead, () => {});
    const timer = setTimeout(() => this.drop(), readyTimeoutMs);
    const outcome = await Promise.race([isReady, this.ended]);
    clearTimeout(timer);
    if (outcome !== true) throw new Error(this.child.signalCode === 'SIGKILL' && this.child.killed ? `the ${this.app} was not ready within ${readyTimeoutMs / 1000} s` : outcome);
    return { pid: this.child.pid!, ended: this.ended.then(() => {}), stop: () => this.stop() };
  }

  /** Ends it at once: it is not needed, or stands still. */
  drop(): void {
    this.child.kill('SIGKILL');
  }

  private async stop(): Promise<void> {
    this.child.kill('SIGTERM');
    await this.ended;
  }

  private listen(): void {
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      let rest = '';
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop()!;
        for (const line of lines.filter((text) => text !== '')) {
          // The frames of a stack come after the sentence that says what happened.
          if (!/^\s+at |^\{"level":"(info|debug)|^\s*[}\]]/.test(line)) this.lastWords = line;
          this.onLine(line);
        }
      });
    }
  }
}
