import { existsSync } from 'node:fs';
import type { Settings } from '@mainstay/config';
import { readVaultKeyFile, writeVaultKeyFile } from '@mainstay/embedded';
import { parseVaultLines, Vault, vaultKeyOf, vaultLines, vaultNote, type VaultKeyring } from '@mainstay/persistence';
import { Explained } from './explained.ts';
import { readOptions, wayToHelp } from './options.ts';

/** `mainstay vault`: which keys are in use; with a word behind it a new one for every secret. Gives the exit status. */
export async function vaultCommand(args: string[], settings: Settings): Promise<number> {
  const { positionals } = readOptions('vault', args, {}, 1);
  if (settings.databaseUrl === null) throw new Explained('There is no database yet: run `npm start` once, or name one with DATABASE_URL.');
  const [verb = 'status'] = positionals;
  if (verb === 'status') return showStatus(settings);
  if (verb === 'rotate') return rotate(settings);
  throw new Explained(`There is no "vault ${verb}": status or rotate.\n${wayToHelp('vault')}`);
}

async function showStatus(settings: Settings): Promise<number> {
  const uses = await Vault.use(settings, keyringOf(settings), (vault) => vault.uses());
  console.log(settings.vaultKeyFile === null ? vaultNote : `The keys lie in ${settings.vaultKeyFile}.`);
  for (const { version, secrets } of uses) console.log(`key ${version ?? '(not sealed)'}: ${secrets} ${secrets === 1 ? 'secret' : 'secrets'}`);
  if (uses.length === 0) console.log('The vault is empty.');
  return 0;
}

async function rotate(settings: Settings): Promise<number> {
  const { version, isResumed } = await Vault.use(settings, keyringOf(settings), (vault) => vault.rotate());
  console.log(isResumed ? `A rotation that was begun before is complete: every secret of the vault is sealed with key ${version}.` : `Every secret of the vault is sealed with the new key ${version}.`);
  return 0;
}

/** Makes the first key where there is no file yet; before the database is set up, which asks for it. */
export function ensureVaultKeys(settings: Settings): void {
  const { vaultKeyFile: path } = settings;
  if (path === null || existsSync(path)) return;
  writeVaultKeyFile(path, vaultLines(new Map([[1, vaultKeyOf(settings, 1)]])));
}

/** After a restore: the keys that the rows ask for and the file lacks follow from MAINSTAY_SECRET. Gives what is worth saying. */
export async function completeVaultKeys(settings: Settings): Promise<string[]> {
  if (settings.vaultKeyFile === null) return [vaultNote];
  const made = await Vault.use(settings, keyringOf(settings), (vault) => vault.completeKeys());
  return made.length === 0 ? [] : [`The vault’s key ${made.join(', ')} was missing in ${settings.vaultKeyFile} and was made again from MAINSTAY_SECRET.`];
}

function keyringOf({ vaultKeyFile: path }: Settings): VaultKeyring | null {
  if (path === null) return null;
  return {
    read: async () => parseVaultLines(readVaultKeyFile(path)),
    write: async (keys) => writeVaultKeyFile(path, vaultLines(keys)),
  };
}
