import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { chownSync, existsSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { databaseUser, type OsUser } from './os-user.ts';
import { postgresFolder, preparePostgresFiles, type PostgresFiles } from './postgres-files.ts';

const run = promisify(execFile);

export interface PostgresOptions {
  /** Folder for data, socket and extensions; made if it is missing. */
  readonly folder: string;
  readonly port: number;
  /** Password of the bootstrap superuser `supabase_admin`; used at the first start only. */
  readonly password: string;
  /** Server settings on top of ours, such as `{ fsync: 'off' }` for tests. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Takes each line that the server logs. */
  readonly onLog?: (line: string) => void;
}

/** A running embedded server. */
export interface Postgres {
  readonly pid: number;
  readonly port: number;
  readonly socket: string;
  readonly files: PostgresFiles;
  /** The system user that it runs as, where that is not ours. */
  readonly user: OsUser | null;
  /** Settles when the server has ended, for whatever reason. */
  readonly ended: Promise<void>;
  /** Fast shutdown: sessions are ended, everything committed is on disk. */
  stop(): Promise<void>;
}

/**
 * Starts the embedded PostgreSQL, making its data folder at the first start, and waits until it takes connections.
 * The caller holds the lock of the folder: two first starts at once would destroy each other.
 */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const user = databaseUser();
  const files = preparePostgresFiles(options.folder, user);
  if (existsSync(join(files.data, 'PG_VERSION'))) {
    await stopOrphan(files, user);
    removeStaleLock(files, options.port);
    await changePassword(files, user, options.password);
  } else {
    await initialise(files, user, options.password);
  }
  return launchOnceFree(files, user, options);
}

/** How long the processes of a killed server may take to notice that it is gone. */
const leavingMs = 10_000;

/** Sessions of a server that was killed hold its memory until their next look at the world; their successor waits for them. */
async function launchOnceFree(files: PostgresFiles, user: OsUser | null, options: PostgresOptions): Promise<Postgres> {
  for (const end = performance.now() + leavingMs; ; await sleep(100)) {
    try {
      return await launch(files, user, options);
    } catch (error) {
      if (!/pre-existing shared memory block/.test((error as Error).message) || performance.now() > end) throw error;
    }
  }
}

/** The port on which a server of this folder still listens after its supervisor was killed, or null. */
export function orphanPort(folder: string): number | null {
  const pidFile = join(postgresFolder(folder, databaseUser()), 'data', 'postmaster.pid');
  if (!existsSync(pidFile)) return null;
  const [pid, , , port] = readFileSync(pidFile, 'utf8').split('\n');
  return isPostgres(Number(pid)) ? Number(port) : null;
}

/** Removes data and everything else that the embedded PostgreSQL keeps for this folder. */
export function removePostgres(folder: string): void {
  rmSync(postgresFolder(folder, databaseUser()), { recursive: true, force: true });
}

/** Removes a folder of a supervisor that is gone for good, and ends a server that still runs there. */
export function removeAbandoned(folder: string): void {
  const pidFile = join(folder, 'data', 'postmaster.pid');
  const pid = existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8').split('\n')[0]) : 0;
  if (isPostgres(pid)) process.kill(pid, 'SIGQUIT');
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

const superuser = 'supabase_admin';

async function initialise(files: PostgresFiles, user: OsUser | null, password: string): Promise<void> {
  const making = `${files.data}.tmp-${process.pid}`;
  const passwordFile = `${making}.pw`;
  rmSync(files.data, { recursive: true, force: true });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (user !== null) chownSync(passwordFile, user.uid, user.gid);
  try {
    await run(
      join(files.native, 'bin', 'initdb'),
      ['-D', making, '-U', superuser, '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8', '--locale-provider=builtin', '--locale=C.UTF-8', '--data-checksums', '--no-sync', '--no-instructions'],
      { ...as(user), env: serverEnvironment(), cwd: '/' },
    );
    renameSync(making, files.data);
    rememberPassword(files, password);
  } catch (error) {
    rmSync(making, { recursive: true, force: true });
    const { stderr } = error as { stderr?: string };
    throw new Error(`initdb failed: ${stderr?.trim() || (error as Error).message}`, { cause: error });
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/**
 * The administrator's password can be changed by setting another one: single-user mode needs none.
 * Only a hash of the one in force is kept, beside the data.
 */
async function changePassword(files: PostgresFiles, user: OsUser | null, password: string): Promise<void> {
  if (existsSync(passwordMark(files)) && readFileSync(passwordMark(files), 'utf8') === hashOf(password)) return;
  const single = run(join(files.native, 'bin', 'postgres'), ['--single', '-D', files.data, '-c', 'shared_preload_libraries=', 'postgres'], { ...as(user), env: serverEnvironment(), cwd: '/' });
  single.child.stdin!.end(`alter role ${superuser} password '${password.replaceAll("'", "''")}'\n`);
  await single;
  rememberPassword(files, password);
}

function rememberPassword(files: PostgresFiles, password: string): void {
  writeFileSync(passwordMark(files), hashOf(password), { mode: 0o600 });
}

function passwordMark(files: PostgresFiles): string {
  return `${files.data}.password`;
}

function hashOf(password: string): string {
  return createHash('sha256').update(`mainstay:${password}`).digest('hex');
}

/** A server that outlived its supervisor is stopped; a pid file whose process is another program is deleted. */
async function stopOrphan(files: PostgresFiles, user: OsUser | null): Promise<void> {
  const pidFile = join(files.data, 'postmaster.pid');
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
  if (isPostgres(pid)) await run(join(files.native, 'bin', 'pg_ctl'), ['stop', '-D', files.data, '-m', 'fast', '-w', '-t', '30'], { ...as(user), env: serverEnvironment(), cwd: '/' });
  else rmSync(pidFile);
}

/**
 * The lock of the socket outlives a killed server as well. PostgreSQL takes it for held as long as there is a process of that
 * number, be it a zombie that nobody has buried yet, or another program.
 */
function removeStaleLock(files: PostgresFiles, port: number): void {
  const lock = join(files.socket, `.s.PGSQL.${port}.lock`);
  if (existsSync(lock) && !isPostgres(Number(readFileSync(lock, 'utf8').split('\n')[0]))) rmSync(lock);
}

function isPostgres(pid: number): boolean {
  try {
    return /\/postgres( \(deleted\))?$/.test(readlinkSync(`/proc/${pid}/exe`));
  } catch {
    if (process.platform === 'linux') return false;
  }
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function launch(files: PostgresFiles, user: OsUser | null, options: PostgresOptions): Promise<Postgres> {
  const settings: Record<string, string> = {
    port: String(options.port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: files.socket,
    unix_socket_permissions: '0700',
    extension_control_path: `${files.extensions}:$system`,
    shared_preload_libraries: 'pg_stat_statements',
    wal_level: 'logical',
    max_connections: '200',
    password_encryption: 'scram-sha-256',
    log_line_prefix: '%m [%p] %u@%d ',
    log_min_messages: 'warning',
    // Statements and their values are the users' data: they stay out of the log.
    log_min_error_statement: 'panic',
    log_parameter_max_length_on_error: '0',
    ...options.settings,
  };
  const child = spawn(join(files.native, 'bin', 'postgres'), ['-D', files.data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])], {
    // A process group of its own: Ctrl-C goes to the supervisor, which stops the parts in order.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: serverEnvironment(),
    cwd: '/',
    ...as(user),
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await untilReady(child, options.onLog ?? (() => {}));
  return {
    pid: child.pid!,
    port: options.port,
    socket: files.socket,
    files,
    user,
    ended,
    stop: async () => {
      child.kill('SIGINT');
      await ended;
    },
  };
}

function untilReady(child: ChildProcess, onLog: (line: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const said: string[] = [];
    let rest = '';
    child.stderr!.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        if (said.length < 50) said.push(line);
        if (line.includes('ready to accept connections')) resolve();
        onLog(line);
      }
    });
    child.once('error', reject);
    // Not 'exit', which may come before the last of what it said.
    child.once('close', (code) => reject(new Error(`PostgreSQL did not start (exit ${code}): ${said.slice(-5).join(' | ')}`)));
  });
}

/** Nothing of the caller's environment (PGDATA, PGPORT, LD_PRELOAD, …) may reach the server. */
function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8', TZ: 'UTC' };
}

function as(user: OsUser | null): { uid?: number; gid?: number } {
  return user === null ? {} : { uid: user.uid, gid: user.gid };
}
