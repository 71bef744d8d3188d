import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { databaseUser } from './os-user.ts';
import { own, postgresFolder } from './postgres-files.ts';

/** Where the keys of the vault lie for a wished folder of the embedded server: beside its data, never in it. */
export function vaultKeyFile(folder: string): string {
  return join(postgresFolder(folder, databaseUser()), 'keys', 'vault.keys');
}

/** The lines of the file; none where it is missing. */
export function readVaultKeyFile(path: string): string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter((line) => line !== '') : [];
}

/** Writes the file whole or not at all, on the disk before it is seen. Only the system user of the database may read it. */
export function writeVaultKeyFile(path: string, lines: readonly string[]): void {
  const user = databaseUser();
  const making = `${path}.${process.pid}`;
  mkdirSync(dirname(path), { recursive: true });
  own(dirname(path), user, 0o700);
  const file = openSync(making, 'w', 0o600);
  writeSync(file, lines.map((line) => `${line}\n`).join(''));
  fsyncSync(file);
  closeSync(file);
  own(making, user, 0o600);
  renameSync(making, path);
}
