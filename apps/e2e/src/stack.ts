import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { findRoot, makeTestFolder } from '@mainstay/testing';

/** A whole Mainstay, started as a person starts it, in a home of its own. */
export interface Stack {
  readonly home: string;
  readonly url: string;
  readonly publishableKey: string;
  readonly anonKey: string;
  /** The service key in the JWT style. */
  readonly serviceKey: string;
  /** The opaque key of the service role. */
  readonly secretKey: string;
  readonly dbUrl: string;
  /** Everything printed so far. */
  printed(): string;
  /** The pids as `run.json` says them now. */
  pids(): Record<string, number>;
  /** Sends a signal to the supervisor. */
  signal(name: NodeJS.Signals): void;
  /** Settles with the supervisor's exit status. */
  readonly ended: Promise<number | null>;
  /** Stops it in order, and removes the home unless it is to be started again. */
  stop(options?: { keepHome?: boolean }): Promise<void>;
}

export interface StackOptions {
  /** The home of a stack that was stopped or killed, to go on with. */
  readonly home?: string;
  readonly environment?: Record<string, string>;
}

/** Starts the built command line and waits until it says that it is ready. */
export async function startStack({ home = makeTestFolder('e2e'), environment = {} }: StackOptions = {}): Promise<Stack> {
  const launched = launch(home, environment);
  await launched.ready;
  const secrets = parseEnv(readFileSync(join(home, 'secrets.env'), 'utf8')) as Record<string, string>;
  const run = (): { apiUrl: string; dbPort: number; pids: Record<string, number> } => JSON.parse(readFileSync(join(home, 'run.json'), 'utf8')) as never;
  const { apiUrl, dbPort } = run();
  return {
    home,
    url: apiUrl,
    publishableKey: secrets['SUPABASE_PUBLISHABLE_KEY']!,
    anonKey: secrets['ANON_KEY']!,
    serviceKey: secrets['SERVICE_ROLE_KEY']!,
    secretKey: secrets['SUPABASE_SECRET_KEY']!,
    dbUrl: `postgresql://postgres:${encodeURIComponent(secrets['POSTGRES_PASSWORD']!)}@127.0.0.1:${dbPort}/postgres`,
    printed: launched.printed,
    pids: () => run().pids,
    signal: (name) => void launched.child.kill(name),
    ended: launched.ended,
    stop: async ({ keepHome = false } = {}) => {
      launched.child.kill('SIGINT');
      await launched.ended;
      if (!keepHome) rmSync(home, { recursive: true, force: true });
    },
  };
}

/** What `mainstay start` prints before it gives up, and its exit status. */
export async function startInVain(environment: Record<string, string>, home?: string): Promise<{ printed: string; status: number | null }> {
  const folder = home ?? makeTestFolder('e2e');
  const launched = launch(folder, environment);
  launched.ready.catch(() => {});
  const status = await launched.ended;
  if (home === undefined) rmSync(folder, { recursive: true, force: true });
  return { printed: launched.printed(), status };
}

function launch(home: string, environment: Record<string, string>) {
  const main = join(findRoot(), 'dist/apps/cli/main.js');
  if (!existsSync(main)) throw new Error('dist/apps is missing: run `npm run build` first (npm test does)');
  const child: ChildProcess = spawn(process.execPath, [main, 'start'], {
    cwd: findRoot(),
    env: { ...cleanEnvironment(), MAINSTAY_HOME: home, PORT: '0', MAINSTAY_DB_PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  // A spec that is given up must not leave its stack behind; the supervisor's parts end with it.
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const ended = new Promise<number | null>((resolve) =>
    child.once('exit', (code) => {
      process.off('exit', kill);
      resolve(code);
    }),
  );
  const ready = new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        if (text.includes('Mainstay is ready.')) resolve();
      });
    }
    void ended.then((status) => reject(new Error(`mainstay start ended with ${status}: ${text}`)));
  });
  return { child, ended, ready, printed: () => text };
}

/** Settings of the test run itself must not reach the stack. */
function cleanEnvironment(): Record<string, string> {
  return Object.fromEntries(['PATH', 'HOME', 'TMPDIR'].flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
}
