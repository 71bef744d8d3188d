import { settings, type SettingKey, type Settings } from './settings.ts';
import type { Setting } from './setting.ts';

/** Thrown when the settings do not allow a start; the message is the one sentence to print. */
export class SettingError extends Error {
  override readonly name = 'SettingError';
}

/**
 * Reads every setting from a table of names and texts, such as `process.env`.
 * `environment` wins over `fallbacks`: later sources (the secrets file, a project's config.toml) go there, nearest first.
 * @throws SettingError naming the setting, the value where that is safe, and what would be right.
 */
export function readSettings(environment: Readonly<Record<string, string | undefined>>, ...fallbacks: readonly Readonly<Record<string, string | undefined>>[]): Settings {
  const values: Partial<Record<SettingKey, unknown>> = {};
  for (const [key, row] of Object.entries(settings) as [SettingKey, Setting<unknown>][]) {
    values[key] = [environment, ...fallbacks].map((source) => readOne(row, source)).find((value) => value !== undefined) ?? row.default;
  }
  return Object.freeze(values) as Settings;
}

function readOne(row: Setting<unknown>, source: Readonly<Record<string, string | undefined>>): unknown {
  const given = [row.name, ...row.synonyms].flatMap((name) => {
    const value = source[name]?.trim();
    return value === undefined || value === '' ? [] : [{ name, value }];
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
