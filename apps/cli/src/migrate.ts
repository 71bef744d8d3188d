import { resolve } from 'node:path';
import type { Settings } from '@mainstay/config';
import { extensionsFolder, trustedContrib } from '@mainstay/embedded';
import { findPendingFiles, migrateProject, migrationStates, ProjectFault, readSqlExtensions, type MigrationState, type PendingFiles, type ProjectOptions } from '@mainstay/persistence';
import { Explained } from './explained.ts';
import { flag, pathFromHere, readOptions } from './options.ts';

/** `mainstay migrate`: applies a project folder's roles, migrations and seeds, each file once. Gives the exit status. */
export async function migrateCommand(args: string[], settings: Settings): Promise<number> {
  const { values, positionals } = readOptions('migrate', args, { status: flag, 'dry-run': flag, 'include-all': flag, 'no-seed': flag }, 1);
  if (settings.databaseUrl === null) throw new Explained('There is no database yet: run `npm start` once, or name one with DATABASE_URL.');
  const folder = positionals[0] === undefined && settings.project !== null ? resolve(settings.project) : pathFromHere(positionals[0] ?? '.');
  const options = { includesOlder: values['include-all'] ?? false, withoutSeeds: values['no-seed'] ?? false };
  try {
    if (values.status === true) printStates(await migrationStates(settings, folder));
    else if (values['dry-run'] === true) printPending(await findPendingFiles(settings, folder, { ...options, tell: print }));
    else printApplied(await applyProjectFiles(settings, folder, { ...options, tell: print }));
    return 0;
  } catch (error) {
    throw error instanceof ProjectFault ? new Explained(error.message, { cause: error }) : error;
  }
}

/** Applies a project folder, with our own extensions at hand for a server that cannot have them as such. */
export async function applyProjectFiles(settings: Settings, folder: string, options: ProjectOptions): Promise<PendingFiles> {
  return migrateProject(settings, folder, { sqlExtensions: readSqlExtensions(extensionsFolder()), trustedContrib, ...options });
}

/** The table of `supabase migration list`, with names. */
function printStates(states: readonly MigrationState[]): void {
  if (states.length === 0) return print('The project has no migrations.');
  const width = Math.max(7, ...states.map(({ version }) => version.length));
  print(`${'Project'.padEnd(width)}  ${'Applied'.padEnd(width)}  Name`);
  for (const { version, name, isLocal, isApplied } of states) {
    print(`${(isLocal ? version : '').padEnd(width)}  ${(isApplied ? version : '').padEnd(width)}  ${name}`);
  }
}

function printPending({ roles, migrations, seeds }: PendingFiles): void {
  const paths = [...(roles === null ? [] : [roles.path]), ...migrations.map(({ path }) => path), ...seeds.filter(({ isChanged }) => !isChanged).map(({ path }) => path)];
  if (paths.length === 0) return print('Nothing is to be applied.');
  print('Would be applied, in this order:');
  for (const path of paths) print(`  ${path}`);
}

function printApplied({ roles, migrations, seeds }: PendingFiles): void {
  const count = (roles === null ? 0 : 1) + migrations.length + seeds.filter(({ isChanged }) => !isChanged).length;
  print(count === 0 ? 'Nothing is to be applied.' : `Applied ${count} ${count === 1 ? 'file' : 'files'}.`);
}

function print(line: string): void {
  console.log(line);
}
