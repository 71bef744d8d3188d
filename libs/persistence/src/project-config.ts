import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { readAuthTables } from './project-auth.ts';
import { ProjectFault } from './project-fault.ts';

/** What we read of a project's `supabase/config.toml`. */
export interface ProjectToml {
  /** Names of our settings and their texts: what the environment leaves open. */
  readonly settings: Readonly<Record<string, string>>;
  /** What of it has no effect here, a line each. */
  readonly notes: readonly string[];
  readonly seed: { readonly isEnabled: boolean; readonly patterns: readonly string[]; readonly isDefault: boolean };
}

/** Where the tables [api] and [db] stand among our settings. */
const settingOf = {
  api: { port: 'PORT', schemas: 'PGRST_DB_SCHEMAS', extra_search_path: 'PGRST_DB_EXTRA_SEARCH_PATH', max_rows: 'PGRST_DB_MAX_ROWS' },
  db: { port: 'MAINSTAY_DB_PORT' },
} as const;

/**
 * The settings that a project's `supabase/config.toml` gives, by our names: fallbacks for `readSettings`.
 * `environment` fills in what the file writes as `env(NAME)`.
 * @throws ProjectFault if the file is no TOML or a value is of the wrong kind.
 */
export function readProjectConfig(folder: string, environment: Readonly<Record<string, string | undefined>> = {}): Readonly<Record<string, string>> {
  return readProjectToml(folder, environment).settings;
}

/** What of the file has no effect here: a line each. @throws ProjectFault as above */
export function readProjectNotes(folder: string, environment: Readonly<Record<string, string | undefined>> = {}): readonly string[] {
  return readProjectToml(folder, environment).notes;
}

/** @throws ProjectFault as above. */
export function readProjectToml(folder: string, environment: Readonly<Record<string, string | undefined>> = {}): ProjectToml {
  const file = join(folder, 'supabase/config.toml');
  const toml = existsSync(file) ? parseToml(readFileSync(file, 'utf8')) : {};
  const settings: Record<string, string> = {};
  for (const [table, names] of Object.entries(settingOf)) {
    for (const [key, setting] of Object.entries(names)) {
      const value = textOf(`[${table}] ${key}`, tableOf(toml, table)[key], environment);
      if (value !== undefined) settings[setting] = value;
    }
  }
  // A file that was written for Supabase cannot know of it.
  if (settings['PGRST_DB_SCHEMAS']?.split(',').includes('mainstay') === false) settings['PGRST_DB_SCHEMAS'] += ',mainstay';
  const auth = readAuthTables(tableOf(toml, 'auth'), folder, environment);
  return { settings: { ...settings, ...auth.settings }, notes: auth.notes, seed: readSeed(tableOf(tableOf(toml, 'db'), 'seed')) };
}

function parseToml(text: string): Table {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split('\n')[0]!.replace(/^Invalid TOML document: /, '');
    throw new ProjectFault(`supabase/config.toml, line ${error.line}, column ${error.column}: ${reason}`, { cause: error });
  }
}

function readSeed(seed: Table): ProjectToml['seed'] {
  const { enabled = true, sql_paths: paths } = seed;
  if (typeof enabled !== 'boolean') throw new ProjectFault('supabase/config.toml: [db.seed] enabled must be true or false.');
  if (paths === undefined) return { isEnabled: enabled, patterns: ['./seed.sql'], isDefault: true };
  if (!Array.isArray(paths) || !paths.every((path) => typeof path === 'string')) throw new ProjectFault('supabase/config.toml: [db.seed] sql_paths must be a list of paths.');
  return { isEnabled: enabled, patterns: paths, isDefault: false };
}

type Table = Readonly<Record<string, unknown>>;

function tableOf(toml: Table, name: string): Table {
  const table = toml[name] ?? {};
  if (typeof table !== 'object' || Array.isArray(table)) throw new ProjectFault(`supabase/config.toml: ${name} must be a table.`);
  return table as Table;
}

function textOf(name: string, value: unknown, environment: Readonly<Record<string, string | undefined>>): string | undefined {
  if (value === undefined) return undefined;
  const list = Array.isArray(value) ? value : [value];
  const texts = list.map((item: unknown) => {
    if (typeof item === 'number' || typeof item === 'bigint') return String(item);
    if (typeof item !== 'string') throw new ProjectFault(`supabase/config.toml: ${name} must be text or a number.`);
    const variable = /^env\((\w+)\)$/.exec(item)?.[1];
    return variable === undefined ? item : (environment[variable] ?? '');
  });
  return texts.join(',');
}
