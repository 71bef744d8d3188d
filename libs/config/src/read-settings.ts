import { settings, type SettingKey, type Settings } from './settings.ts';
import type { Setting } from './setting.ts';

/** Thrown when the settings do not allow a start; the message is the one sentence to print. */
export class SettingError extends Error {
  override readonly name = 'SettingError';
}

type Source = Readonly<Record<string, string | undefined>>;

/**
 * Reads every setting from a table of names and texts, such as `process.env`.
 * `environment` wins over `fallbacks`: later sources (the secrets file, a project's config.toml) go there, nearest first.
 * @throws SettingError naming the setting, the value where that is safe, and what would be right.
 */
export function readSettings(environment: Source, ...fallbacks: readonly Source[]): Settings {
  const sources = [environment, ...fallbacks];
  const given = Object.fromEntries(rows().map(([key, row]) => [key, sources.map((source) => readOne(row, source)).find((value) => value !== undefined)]));
  const standsIn = standsInForPostgrest({ databaseUrl: given['databaseUrl'] as string | null, dbUri: given['dbUri'] as string | null });
  const values = Object.fromEntries(rows().map(([key, row]) => [key, given[key] ?? (standsIn && row.asPostgrest !== null ? row.asPostgrest.default : row.default)]));
  return checked(Object.freeze(values) as Settings);
}

/** Whether Mainstay serves a database that is not its own, as PostgREST would: it then keeps nothing there, and offers nothing else. */
export function standsInForPostgrest({ databaseUrl, dbUri }: { readonly databaseUrl?: string | null; readonly dbUri?: string | null }): boolean {
  return (databaseUrl ?? null) === null && (dbUri ?? null) !== null;
}

/**
 * The settings, overruled by what the database says: names as in `ALTER ROLE … SET pgrst.db_schemas`, without `pgrst.`.
 * What is not right there is told to `onRefused` and has no effect, since a running server must go on.
 */
export function overruled(settings: Settings, said: Readonly<Record<string, string>>, onRefused: (error: SettingError) => void = () => {}): Settings {
  const source = Object.fromEntries(Object.entries(said).map(([name, text]) => [`PGRST_${name.toUpperCase()}`, text]));
  const changes = rows().filter(([key]) => inDatabase.has(key)).flatMap(([key, row]) => {
    try {
      const value = readOne(row, source);
      return value === undefined ? [] : [[key, value] as const];
    } catch (error) {
      if (!(error instanceof SettingError)) throw error;
      onRefused(error);
      return [];
    }
  });
  return changes.length === 0 ? settings : Object.freeze({ ...settings, ...Object.fromEntries(changes) });
}

/** What the database may overrule: PostgREST's own list. The rest is needed before there is a connection. */
const inDatabase: ReadonlySet<SettingKey> = new Set<SettingKey>([
  'clientErrorVerbosity', 'corsAllowedOrigins', 'dbAggregatesEnabled', 'dbAnonRole', 'dbExtraSearchPath', 'dbHoistedTxSettings', 'dbMaxRows', 'dbPlanEnabled', 'dbPreRequest',
  'dbPreparedStatements', 'dbRootSpec', 'dbSchemas', 'dbTxEnd', 'isTimingShown', 'jwtAudience', 'jwtRoleClaimKey', 'jwtSecret', 'jwtSecretIsBase64', 'openapiMode',
  'openapiSecurityActive', 'openapiServerProxyUri', 'traceHeader',
]);

function rows(): [SettingKey, Setting<unknown>][] {
  return Object.entries(settings) as unknown as [SettingKey, Setting<unknown>][];
}

/** What only shows when the settings are seen together. */
function checked(all: Settings): Settings {
  if (all.restPath === '/' && !standsInForPostgrest(all)) throw new SettingError('MAINSTAY_REST_PATH "/" is not right: the other surfaces need room, so it is for PGRST_DB_URI without DATABASE_URL.');
  if (all.adminPort !== null && all.adminPort !== 0 && all.adminPort === all.port) throw new SettingError('PGRST_ADMIN_SERVER_PORT is not right: it must be another port than PORT.');
  const closed = all.dbSchemas.find((schema) => schema === 'pg_catalog' || schema === 'information_schema');
  if (closed !== undefined) throw new SettingError(`PGRST_DB_SCHEMAS is not right: ${closed} cannot be exposed.`);
  return all;
}

function readOne(row: Setting<unknown>, source: Source): unknown {
  if (row.readMany !== null) return readFamily(row.name.slice(0, -1), row.readMany, source);
  const given = [row.name, ...row.synonyms].flatMap((name) => {
    const value = source[name]?.trim();
    return value === undefined || (value === '' && !row.takesEmpty) ? [] : [{ name, value }];
  });
  const [first, ...others] = given;
  if (first === undefined) return undefined;
  const other = others.find(({ value }) => value !== first.value);
  if (other !== undefined) {
    throw new SettingError(`${first.name} and ${other.name} are one setting but have different values: set only one of them.`);
  }
  try {
    return row.read(first.value);
  } catch (error) {
    const shown = row.isSecret ? '' : ` "${first.value}"`;
    throw new SettingError(`${first.name}${shown} is not right: it must be ${(error as Error).message}.`, { cause: error });
  }
}

function readFamily(prefix: string, read: NonNullable<Setting<unknown>['readMany']>, source: Source): unknown {
  const found = Object.entries(source).filter((entry): entry is [string, string] => entry[0].startsWith(prefix) && entry[0] !== prefix && entry[1] !== undefined);
  if (found.length === 0) return undefined;
  try {
    return read(Object.fromEntries(found.map(([name, value]) => [name.slice(prefix.length), value])));
  } catch (error) {
    throw new SettingError(`${prefix}${(error as Error).message}`, { cause: error });
  }
}
