import { execFileSync } from 'node:child_process';
import { lstatSync } from 'node:fs';
import { dirname } from 'node:path';

/** The system user that PostgreSQL runs as: it refuses to run as root. */
export interface OsUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Null where this process is not root and so runs PostgreSQL as itself; else `postgres` if it exists, or `nobody`. */
export function databaseUser(): OsUser | null {
  if (process.getuid?.() !== 0) return null;
  for (const name of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, name], { stdio: ['ignore', 'pipe', 'ignore'] })));
      return { name, uid: uid!, gid: gid! };
    } catch {
      continue;
    }
  }
  throw new Error('PostgreSQL does not run as root, and neither a user "postgres" nor "nobody" exists: start Mainstay as an ordinary user.');
}

/** Whether the user may walk into the folder: every folder on the way must let them through. */
export function canEnter(user: OsUser | null, folder: string): boolean {
  if (user === null) return true;
  for (let step = folder; ; step = dirname(step)) {
    const stat = lstatSync(step, { throwIfNoEntry: false });
    if (stat !== undefined) {
      const bit = stat.uid === user.uid ? 0o100 : stat.gid === user.gid ? 0o010 : 0o001;
      if ((stat.mode & bit) === 0) return false;
    }
    if (step === dirname(step)) return true;
  }
}
