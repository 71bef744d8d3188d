import { createHash } from 'node:crypto';
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { isAbsolute, join, posix, sep } from 'node:path';
import { readProjectToml } from './project-config.ts';
import { ProjectFault } from './project-fault.ts';

/** A file `<digits>_name.sql` below `supabase/migrations`. */
export interface MigrationFile {
  readonly version: string;
  readonly name: string;
  /** From the project folder, with slashes, as messages show it. */
  readonly path: string;
}

/** A file that is recorded by its path and the hash of its content, as the Supabase CLI does with seeds. */
export interface HashedFile {
  readonly path: string;
  readonly hash: string;
}

/** What a project folder brings. */
export interface ProjectFiles {
  readonly folder: string;
  readonly roles: HashedFile | null;
  readonly migrations: readonly MigrationFile[];
  readonly seeds: readonly HashedFile[];
  /** Sentences about files that were passed over. */
  readonly notes: readonly string[];
}

/**
 * Finds a project's files in the order in which they apply.
 * @throws ProjectFault if there is no `supabase` folder, or two migrations have one version.
 */
export function findProjectFiles(folder: string): ProjectFiles {
  if (!existsSync(join(folder, 'supabase'))) throw new ProjectFault(`There is no folder "supabase" in ${folder}: give the folder that holds it.`);
  const notes: string[] = [];
  return {
    folder,
    roles: existsSync(join(folder, 'supabase/roles.sql')) ? hashed(folder, 'supabase/roles.sql') : null,
    migrations: findMigrations(folder, notes),
    seeds: findSeeds(folder, notes),
    notes,
  };
}

/**
 * The text of a project's SQL file.
 * @throws ProjectFault if it is not UTF-8.
 */
export function readSql(folder: string, path: string): string {
  const bytes = readFileSync(join(folder, path));
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new ProjectFault(`${path} is not UTF-8: save it as UTF-8 without other characters.`, { cause: error });
  }
}

function findMigrations(folder: string, notes: string[]): MigrationFile[] {
  const path = 'supabase/migrations';
  if (!existsSync(join(folder, path))) return [];
  const files: MigrationFile[] = [];
  for (const name of readdirSync(join(folder, path)).sort()) {
    const match = /^(\d+)_(.*)\.sql$/.exec(name);
    if (match !== null) files.push({ version: match[1]!, name: match[2]!, path: posix.join(path, name) });
    else if (!name.startsWith('.')) notes.push(`${posix.join(path, name)} is passed over: a migration is named <digits>_name.sql.`);
  }
  // The versions are text in the table, so they are compared as text, as the Supabase CLI does.
  files.sort((a, b) => (a.version < b.version ? -1 : a.version > b.version ? 1 : 0));
  refuseTwins(files);
  return files;
}

function refuseTwins(files: readonly MigrationFile[]): void {
  files.forEach((file, i) => {
    const before = files[i - 1];
    if (before?.version === file.version) throw new ProjectFault(`${before.path} and ${file.path} have the same version ${file.version}: give one of them another.`);
  });
}

function findSeeds(folder: string, notes: string[]): HashedFile[] {
  const { isEnabled, patterns, isDefault } = readProjectToml(folder).seed;
  if (!isEnabled) return [];
  const paths = patterns.flatMap((pattern) => {
    const base = join(folder, 'supabase');
    const found = globSync(pattern, { cwd: base }).sort();
    if (found.length === 0 && !isDefault) notes.push(`No file matches "${pattern}" of [db.seed] sql_paths.`);
    return found.map((path) => (isAbsolute(path) ? path : posix.normalize(posix.join('supabase', path.split(sep).join('/')))));
  });
  return [...new Set(paths)].map((path) => hashed(folder, path));
}

function hashed(folder: string, path: string): HashedFile {
  const bytes = readFileSync(isAbsolute(path) ? path : join(folder, path));
  return { path, hash: createHash('sha256').update(bytes).digest('hex') };
}
