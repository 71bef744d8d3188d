import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { foldersElsewhere, removeAbandoned } from '@mainstay/embedded';

/** A folder of one's own below the system's temporary one. Its name says whose it is, so that a later run knows what to clear. */
export function makeTestFolder(kind: 'test' | 'e2e' | 'outside'): string {
  return mkdtempSync(join(tmpdir(), `mainstay-${kind}-${process.pid}-`));
}

const named = /^mainstay-(?:test|e2e|outside)-(\d+)-/;

/** Clears what a killed run left behind: folders whose process is gone, and servers that still run in them. */
export function clearAbandonedFolders(): void {
  const inTmp = readdirSync(tmpdir()).map((name) => join(tmpdir(), name));
  for (const folder of inTmp.filter(isAbandoned)) {
    removeAbandoned(join(folder, 'postgres'));
    rmSync(folder, { recursive: true, force: true });
  }
  for (const folder of foldersElsewhere().filter(isAbandoned)) removeAbandoned(folder);
}

function isAbandoned(folder: string): boolean {
  const pid = named.exec(basename(folder))?.[1];
  return pid !== undefined && !isAlive(Number(pid));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another user's process is alive as well.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
