import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join, relative } from 'node:path';
import { apiUrlOf, readSettings, type Settings } from '@mainstay/config';
import { findRoot, freePort, obstacleAt, orphanPort, startPostgres, startValkey, vaultKeyFile, type Postgres } from '@mainstay/embedded';
import { Explained } from './explained.ts';
import { AppProcess, type App } from './app-process.ts';
import { homeAt, lockHome, makeHome, writePrivately, type Home, type RunFile } from './home.ts';
import { endLeftovers } from './leftovers.ts';
import { Logs } from './logs.ts';
import { Part, type Running } from './part.ts';
import { ensureSecrets } from './secrets.ts';
import { banner } from './banner.ts';

/** Time that api and worker have to finish what they are doing when the stack is stopped. */
const graceMs = 3500;

/** `mainstay start`: runs PostgreSQL, Valkey, api and worker until it is told to stop. Gives the exit status. */
export async function start(environment: NodeJS.ProcessEnv): Promise<number> {
  // Whoever read the output may leave (`npm start | head`): the stack goes on, and the log has what it said.
  for (const output of [process.stdout, process.stderr]) output.on('error', () => {});
  const home = homeAt(readSettings(environment).home);
  makeHome(home);
  const lock = await lockHome(home);
  if (lock === null) throw new Explained(`Mainstay already runs in ${home.folder}: stop it first, or set MAINSTAY_HOME to another folder.`);
  const logs = new Logs(home);
  const early = new EarlyApps(environment, logs);
  const secrets = await ensureSecrets(home, environment);
  const project = readSettings(environment).project === null ? {} : (await import('./project.ts')).projectSettings(environment);
  const settings = readSettings(environment, secrets, project);
  await endLeftovers(home);
  return new Stack(home, settings, { ...project, ...secrets, ...environment }, logs, early).run();
}

/** The apps' processes. The first of each loads its code while the servers are still starting, which takes as long. */
class EarlyApps {
  private readonly loading: Map<App, AppProcess>;

  constructor(
    private readonly environment: NodeJS.ProcessEnv,
    private readonly logs: Logs,
  ) {
    this.loading = new Map([['api', this.load('api')], ['worker', this.load('worker')]]);
  }

  /** The one that is loading already, or a new one. */
  take(app: App): AppProcess {
    const loading = this.loading.get(app) ?? this.load(app);
    this.loading.delete(app);
    return loading;
  }

  dropRest(): void {
    for (const process of this.loading.values()) process.drop();
  }

  private load(app: App): AppProcess {
    const root = findRoot();
    const environment = { NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/node'), NODE_ENV: 'production', ...this.environment };
    return new AppProcess(root, app, environment, this.logs.of(app));
  }
}

/** A queue that is away stops nothing: jobs are rows. But whoever starts the stack wants to know. */
async function lookForQueue({ host, hostname, port }: URL, notes: string[]): Promise<void> {
  if (await isAnswering(hostname, Number(port || 6379))) return;
  notes.push(`The queue at ${host} (REDIS_URL) does not answer: jobs are kept, and wait until it does.`);
}

/** Whether a server takes connections there. */
function isAnswering(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 2000 });
    const answer = (isThere: boolean) => (): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once('connect', answer(true)).once('error', answer(false)).once('timeout', answer(false));
  });
}

function whyNotThere(code: string, port: number, host: string, setting: string): string {
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') return `HOST "${host}" is no address of this machine: set it to 127.0.0.1, or to 0.0.0.0 for all of its addresses.`;
  if (code === 'EACCES') return `Port ${port} is for the administrator alone: set ${setting} to one above 1023.`;
  return `Port ${port} is taken by another program: stop that program, or set ${setting} to a free port.`;
}

class Stack {
  private readonly parts: Part[] = [];
  private postgres: Postgres | undefined;
  private settings: Settings;
  private stopped: ((status: number) => void) | undefined;

  constructor(
    private readonly home: Home,
    settings: Settings,
    private readonly environment: NodeJS.ProcessEnv,
    private readonly logs: Logs,
    private readonly apps: EarlyApps,
  ) {
    this.settings = settings;
  }

  async run(): Promise<number> {
    const ended = new Promise<number>((resolve) => (this.stopped = resolve));
    const stop = (): void => this.stopped?.(0);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
    try {
      await Promise.race([this.bringUp(), ended]);
      return await ended;
    } finally {
      await this.bringDown();
    }
  }

  private async bringUp(): Promise<void> {
    await this.checkPorts();
    // The code that sets up the database loads while the servers start.
    const [notes, { setUp }] = await Promise.all([this.startServers(), import('./set-up.ts')]);
    notes.push(...(await setUp(this.settings)));
    const api = this.part('api', () => this.apps.take('api').begin(this.environment));
    const worker = this.part('worker', () => this.apps.take('worker').begin(this.environment));
    await Promise.all([api.start(), worker.start()]).catch((cause: unknown) => {
      throw new Explained(`Mainstay did not start: ${(cause as Error).message}\nMore is in ${this.shown(this.home.logs)}.`, { cause });
    });
    console.log(banner(this.settings, { secrets: this.shown(this.home.secrets), logs: this.shown(this.home.logs), notes }));
  }

  /** A database that a killed supervisor left running still listens, but its next start stops it. */
  private async checkPorts(): Promise<void> {
    const { host, port, dbPort, databaseUrl } = this.settings;
    const wanted = [{ port, host, setting: 'PORT' }, ...(databaseUrl === null ? [{ port: dbPort, host: '127.0.0.1', setting: 'MAINSTAY_DB_PORT' }] : [])];
    for (const { port, host, setting } of wanted) {
      if (port === 0 || (setting === 'MAINSTAY_DB_PORT' && orphanPort(this.home.postgres) === port)) continue;
      const obstacle = await obstacleAt(port, host);
      if (obstacle !== null) throw new Explained(whyNotThere(obstacle, port, host, setting));
    }
  }

  /** Starts the embedded servers that no URL replaces, and completes the settings with where they are. */
  private async startServers(): Promise<string[]> {
    const urls: Record<string, string> = {};
    const notes: string[] = [];
    const waits: Promise<void>[] = [];
    if (this.settings.redisUrl === null) {
      const port = await freePort();
      const password = randomBytes(24).toString('hex');
      waits.push(this.part('valkey', () => startValkey({ port, password, onLog: this.logs.of('valkey') })).start());
      urls['REDIS_URL'] = `redis://:${password}@127.0.0.1:${port}`;
    } else {
      waits.push(lookForQueue(new URL(this.settings.redisUrl), notes));
    }
    if (this.settings.databaseUrl === null) {
      const port = this.settings.dbPort === 0 ? await freePort() : this.settings.dbPort;
      waits.push(this.part('postgres', () => this.launchPostgres(port)).start());
      await waits.at(-1);
      const { files, user, socket } = this.postgres!;
      urls['DATABASE_URL'] = `postgresql://supabase_admin:${encodeURIComponent(this.settings.postgresPassword!)}@127.0.0.1:${port}/postgres`;
      urls['MAINSTAY_DB_SOCKET'] = socket;
      urls['MAINSTAY_VAULT_KEY_FILE'] = vaultKeyFile(this.home.postgres);
      if (files.isElsewhere) notes.push(`The database's data is in ${files.data}: its system user "${user?.name}" cannot enter ${this.home.folder}.`);
    }
    await Promise.all(waits);
    Object.assign(this.environment, urls);
    if (this.settings.port === 0) this.environment['PORT'] = String(await freePort());
    this.settings = readSettings(this.environment);
    return notes;
  }

  private async launchPostgres(port: number): Promise<Running> {
    this.postgres = await startPostgres({ folder: this.home.postgres, port, password: this.settings.postgresPassword!, onLog: this.logs.of('postgres') });
    return this.postgres;
  }

  private part(name: string, launch: () => Promise<Running>): Part {
    const note = this.logs.of('supervisor');
    const part = new Part(name, launch, {
      onChange: () => this.writeRunFile(),
      onNote: (text) => {
        note(`${new Date().toISOString()} ${text}`);
        console.log(text);
      },
      onGivenUp: (sentence) => {
        console.error(sentence);
        this.stopped?.(1);
      },
    });
    this.parts.push(part);
    return part;
  }

  private writeRunFile(): void {
    const pids = Object.fromEntries(this.parts.flatMap(({ name, pid }) => (pid === undefined ? [] : [[name, pid]])));
    const run: RunFile = { apiUrl: apiUrlOf(this.settings), dbPort: this.postgres?.port ?? null, pids: { supervisor: process.pid, ...pids } };
    writePrivately(this.home.run, JSON.stringify(run, null, 2));
  }

  /** Api and worker first, so that they can still finish their work; then the queue; the database last. */
  private async bringDown(): Promise<void> {
    this.apps.dropRest();
    const stop = (names: string[]): Promise<unknown> => Promise.all(this.parts.filter(({ name }) => names.includes(name)).map((part) => part.stop(graceMs)));
    await stop(['api', 'worker']);
    await stop(['valkey', 'postgres']);
    await this.logs.close();
    rmSync(this.home.run, { force: true });
  }

  private shown(path: string): string {
    const short = relative(process.cwd(), path);
    return short.startsWith('..') ? path : short;
  }
}
