/** What the `Prefer` header asks for (RFC 7240). Null where it says nothing about a thing. */
export interface Preferences {
  readonly resolution: 'merge-duplicates' | 'ignore-duplicates' | null;
  readonly missing: 'default' | 'null' | null;
  readonly return: 'representation' | 'headers-only' | 'minimal' | null;
  readonly count: 'exact' | 'planned' | 'estimated' | null;
  readonly tx: 'commit' | 'rollback' | null;
  readonly handling: 'strict' | 'lenient' | null;
  readonly timezone: string | null;
  readonly maxAffected: number | null;
  /** Of an update that names a row with each element: whether it is refused where one is not there. */
  readonly unmatched: 'refuse' | 'ignore' | null;
  readonly paging: 'keyset' | null;
  /** What is no preference of ours. */
  readonly unknown: readonly string[];
}

const choices = {
  resolution: ['merge-duplicates', 'ignore-duplicates'],
  missing: ['default', 'null'],
  return: ['representation', 'headers-only', 'minimal'],
  count: ['exact', 'planned', 'estimated'],
  tx: ['commit', 'rollback'],
  handling: ['strict', 'lenient'],
  unmatched: ['refuse', 'ignore'],
  paging: ['keyset'],
} as const;

const none: Preferences = { resolution: null, missing: null, return: null, count: null, tx: null, handling: null, timezone: null, maxAffected: null, unmatched: null, paging: null, unknown: [] };

const choicesByName: Readonly<Record<string, readonly string[]>> = choices;

/** Reads the `Prefer` headers, joined by commas. The first of a kind wins; `tx` is heard only where it may be. */
export function parsePreferences(header: string | undefined, mayChooseTx: boolean): Preferences {
  if (header === undefined) return none;
  const given = header.split(',').map((item) => item.trim()).filter((item) => item !== '');
  const first = <K extends keyof typeof choices>(name: K): (typeof choices)[K][number] | null =>
    (choices[name] as readonly (typeof choices)[K][number][]).find((value) => value === firstValue(given, name, choices[name])) ?? null;
  const maxAffected = firstValue(given, 'max-affected', null);
  return {
    resolution: first('resolution'),
    missing: first('missing'),
    return: first('return'),
    count: first('count'),
    tx: mayChooseTx ? first('tx') : null,
    handling: first('handling'),
    unmatched: first('unmatched'),
    paging: first('paging'),
    timezone: firstValue(given, 'timezone', null),
    maxAffected: maxAffected !== null && /^-?\d{1,15}$/.test(maxAffected) ? Number(maxAffected) : null,
    unknown: given.filter((item) => !isKnown(item)),
  };
}

/** The `Preference-Applied` header of the given preferences, or null where there is none to tell. */
export function appliedHeader(applied: Preferences): string | null {
  const told = [
    applied.resolution && `resolution=${applied.resolution}`,
    applied.missing && `missing=${applied.missing}`,
    applied.return && `return=${applied.return}`,
    applied.count && `count=${applied.count}`,
    applied.tx && `tx=${applied.tx}`,
    applied.handling && `handling=${applied.handling}`,
    applied.unmatched && `unmatched=${applied.unmatched}`,
    applied.paging && `paging=${applied.paging}`,
    applied.timezone !== null && `timezone=${applied.timezone}`,
    applied.handling === 'strict' && applied.maxAffected !== null && `max-affected=${applied.maxAffected}`,
  ].filter((item) => typeof item === 'string');
  return told.length === 0 ? null : told.join(', ');
}

function firstValue(given: readonly string[], name: string, allowed: readonly string[] | null): string | null {
  for (const item of given) {
    const value = item.startsWith(`${name}=`) ? item.slice(name.length + 1) : null;
    if (value !== null && (allowed === null || allowed.includes(value))) return value;
  }
  return null;
}

function isKnown(item: string): boolean {
  const equals = item.indexOf('=');
  const name = item.slice(0, Math.max(0, equals));
  return name === 'timezone' || name === 'max-affected' || (Object.hasOwn(choicesByName, name) && choicesByName[name]!.includes(item.slice(equals + 1)));
}
