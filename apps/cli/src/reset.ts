import { existsSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import type { Settings } from '@mainstay/config';
import { removePostgres } from '@mainstay/embedded';
import { homeAt, lockHome, refuseForeign } from './home.ts';
import { Explained } from './explained.ts';
import { flag, readOptions } from './options.ts';

/** `mainstay reset`: deletes the home and the database that belongs to it. */
export async function resetCommand(args: string[], settings: Settings): Promise<number> {
  const { values } = readOptions('reset', args, { yes: flag });
  const home = homeAt(settings.home);
  if (!existsSync(home.folder)) throw new Explained(`There is nothing to delete: ${home.folder} does not exist.`);
  refuseForeign(home);
  if ((await lockHome(home)) === null) throw new Explained(`Mainstay runs in ${home.folder}: stop it first.`);
  if (values.yes !== true && !(await isSure(home.folder))) {
    console.log('Nothing was deleted.');
    return 1;
  }
  removePostgres(home.postgres);
  rmSync(home.folder, { recursive: true, force: true });
  console.log(`Deleted ${home.folder}. The next \`npm start\` begins afresh.`);
  return 0;
}

async function isSure(folder: string): Promise<boolean> {
  const dialogue = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await dialogue.question(`Delete every row, account, secret and log in ${folder}? Type "delete" to do it: `).catch(() => '');
  dialogue.close();
  return answer.trim() === 'delete';
}
