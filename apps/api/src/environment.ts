import { readFileSync } from 'node:fs';
import { SettingError } from '@mainstay/config';

type Source = Readonly<Record<string, string | undefined>>;

/** Names whose value may be `@` and the path of a file that holds it. */
const fromFiles = ['PGRST_DB_URI', 'PGRST_JWT_SECRET', 'JWT_SECRET'];

/**
 * The environment, with what stands in files read in. @throws SettingError for a file that cannot be read.
 */
export function readEnvironment(environment: Source): Source {
  const read = fromFiles.flatMap((name) => {
    const value = environment[name]?.trim();
    return value?.startsWith('@') ? [[name, readValue(name, value.slice(1))] as const] : [];
  });
  return read.length === 0 ? environment : { ...environment, ...Object.fromEntries(read) };
}

/** The settings of a configuration file of PostgREST's: `db-uri = "…"`, by the names that the environment has for them. */
export function readConfigFile(path: string): Source {
  const lines = readValue('The configuration file', path).split('\n');
  return Object.fromEntries(lines.flatMap((line, index) => {
    const text = line.trim();
    if (text === '' || text.startsWith('#')) return [];
    const match = /^([a-z][\w.-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^"#\s][^#]*?))\s*(?:#.*)?$/i.exec(text);
    if (match === null) throw new SettingError(`${path}: line ${index + 1} is not right: it must be name = "value".`);
    return [[nameOf(match[1]!), match[2]?.replace(/\\(.)/g, '$1') ?? match[3]!] as const];
  }));
}

function nameOf(key: string): string {
  if (key.startsWith('app.settings.')) return `PGRST_APP_SETTINGS_${key.slice('app.settings.'.length)}`;
  return `PGRST_${key.replaceAll('-', '_').toUpperCase()}`;
}

function readValue(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (cause) {
    throw new SettingError(`${name} cannot be read from "${path}": ${(cause as NodeJS.ErrnoException).code ?? (cause as Error).message}.`, { cause });
  }
}
