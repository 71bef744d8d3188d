import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsUser, freePort, makeTestFolder } from '@mainstay/testing';

/** A PostgreSQL that the distribution installed. */
export interface InstalledPostgres {
  readonly name: string;
  readonly bin: string;
}

/** The newest PostgreSQL of Debian's packages on this machine, or null. */
export function debianPostgres(): InstalledPostgres | null {
  const home = '/usr/lib/postgresql';
  if (!existsSync(home)) return null;
  const version = readdirSync(home).filter((name) => Number(name) >= 15 && existsSync(join(home, name, 'bin/initdb'))).sort().at(-1);
  return version === undefined ? null : { name: `PostgreSQL ${version} of the distribution`, bin: join(home, version, 'bin') };
}

export interface OutsidePostgres {
  readonly url: string;
  readonly password: string;
  /** Runs SQL as `postgres`, the role that owns the users' tables. */
  run(text: string): Promise<void>;
  stop(): Promise<void>;
}

/** Makes a fresh cluster with the administrator `supabase_admin`, as docker/compose.yaml does, and starts it. */
export async function startDebianPostgres({ bin }: InstalledPostgres): Promise<OutsidePostgres> {
  const folder = makeTestFolder('outside');
  const data = join(folder, 'data');
  const password = randomBytes(16).toString('hex');
  const port = await freePort();
  const user = process.getuid?.() === 0 ? userIds('postgres') : {};
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if ('uid' in user) for (const path of [folder, passwordFile]) chownSync(path, user.uid!, user.gid!);
  chmodSync(folder, 0o755);
  execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'supabase_admin', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'], { stdio: 'ignore', cwd: '/', ...user });
  const server = spawn(join(bin, 'postgres'), ['-D', data, '-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-c', `unix_socket_directories=${folder}`, '-c', 'wal_level=logical', '-c', 'fsync=off'], { stdio: ['ignore', 'ignore', 'pipe'], cwd: '/', ...user });
  const ended = new Promise((resolve) => server.once('exit', resolve));
  await new Promise<void>((resolve, reject) => {
    server.stderr!.setEncoding('utf8').on('data', (chunk: string) => chunk.includes('ready to accept connections') && resolve());
    void ended.then((status) => reject(new Error(`the outside PostgreSQL ended with ${String(status)}`)));
  });
  const urlFor = (role: string): string => `postgresql://${role}:${password}@127.0.0.1:${port}/postgres`;
  return {
    url: urlFor('supabase_admin'),
    password,
    run: async (text) => {
      const database = connectAsUser(urlFor('postgres'));
      await database.rows(text).finally(() => database.close());
    },
    stop: async () => {
      server.kill('SIGINT');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function userIds(name: string): { uid?: number; gid?: number } {
  const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, name])));
  return { uid: uid!, gid: gid! };
}
