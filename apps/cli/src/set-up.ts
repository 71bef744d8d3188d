import { unknownSettings, type Settings } from '@mainstay/config';
import { closest } from '@mainstay/domain';
import { prepareDatabase } from '@mainstay/persistence';
import { applyProject } from './project.ts';
import { completeVaultKeys, ensureVaultKeys } from './vault.ts';

/** Makes the database ready for api and worker, the project's migrations included. Gives what is worth saying. */
export async function setUp(settings: Settings): Promise<string[]> {
  ensureVaultKeys(settings);
  const notes = [...unknownSettings(process.env, closest), ...(await prepareDatabase(settings))];
  notes.push(...(await completeVaultKeys(settings)));
  if (settings.project !== null) notes.push(...(await applyProject(settings)));
  return notes;
}
