import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join, resolve } from 'node:path';
import { apiUrlOf, type Settings } from '@mainstay/config';
import { Explained } from './explained.ts';

/** The folder that holds the embedded servers' data, the secrets and the logs. */
export interface Home {
  readonly folder: string;
  readonly secrets: string;
  readonly logs: string;
  readonly postgres: string;
  /** Who runs here now: written by the supervisor, read by the other commands and by the next start. */
  readonly run: string;
}

/** What `run.json` says of a running stack. */
export interface RunFile {
  readonly apiUrl: string;
  /** Port of the embedded database, or null where DATABASE_URL names another one. */
  readonly dbPort: number | null;
  readonly pids: Readonly<Record<string, number>>;
}

export function homeAt(path: string): Home {
  const folder = resolve(path);
  return { folder, secrets: join(folder, 'secrets.env'), logs: join(folder, 'logs'), postgres: join(folder, 'postgres'), run: join(folder, 'run.json') };
}

/** Makes the folder. Others may pass through it (PostgreSQL runs as its own user) but not list it; every file inside is 0600. */
export function makeHome(home: Home): void {
  refuseForeign(home);
  mkdirSync(home.folder, { recursive: true });
  chmodSync(home.folder, 0o711);
  mkdirSync(home.logs, { recursive: true, mode: 0o700 });
}

/** What stands in a home that was begun and not finished; a disk of its own brings `lost+found`. */
const ownNames = /^(logs|postgres|secrets\.env.*|run\.json.*|supervisor\.sock|lost\+found)$/;

/**
 * Refuses a folder of somebody's own files, which a slip in MAINSTAY_HOME may name: a home's rights are changed, and `reset`
 * deletes it whole.
 */
export function refuseForeign(home: Home): void {
  if (!existsSync(home.folder) || existsSync(home.secrets)) return;
  if (!statSync(home.folder).isDirectory()) throw new Explained(`MAINSTAY_HOME must be a folder, and ${home.folder} is a file.`);
  const foreign = readdirSync(home.folder).find((name) => !ownNames.test(name));
  if (foreign !== undefined) throw new Explained(`${home.folder} holds files that are not Mainstay’s (${foreign}): set MAINSTAY_HOME to a new or an empty folder.`);
}

/** Writes a file that only its owner may read, whole or not at all. */
export function writePrivately(path: string, text: string): void {
  const making = `${path}.${process.pid}`;
  writeFileSync(making, text, { mode: 0o600 });
  renameSync(making, path);
}

export function readRunFile(home: Home): RunFile | null {
  if (!existsSync(home.run)) return null;
  try {
    return JSON.parse(readFileSync(home.run, 'utf8')) as RunFile;
  } catch {
    // Half a file of a machine that lost power: nothing runs by it.
    return null;
  }
}

/** The URL of the API of the stack that runs in the home, or of the next one that will. */
export function runningUrlOf(settings: Settings): string {
  return settings.apiExternalUrl ?? readRunFile(homeAt(settings.home))?.apiUrl ?? apiUrlOf(settings);
}

/**
 * Takes the home for this process, or gives null if another one has it. The kernel releases an abstract socket with its
 * process, so a kill -9 leaves no lock behind; where there are none (outside Linux) a socket file does, with its one weakness
 * that it is taken over when nobody answers on it.
 */
export async function lockHome(home: Home): Promise<Server | null> {
  const name = `mainstay-${createHash('sha256').update(home.folder).digest('hex').slice(0, 24)}`;
  const path = process.platform === 'linux' ? `\0${name}` : join(home.folder, 'supervisor.sock');
  if (process.platform !== 'linux' && existsSync(path) && !(await answers(path))) rmSync(path);
  return new Promise((resolve) => {
    const lock = createServer((socket) => socket.destroy());
    lock.once('error', () => resolve(null));
    lock.listen(path, () => {
      lock.unref();
      resolve(lock);
    });
  });
}

async function answers(path: string): Promise<boolean> {
  const { connect } = await import('node:net');
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
