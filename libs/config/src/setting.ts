/** One row of the table of settings: what an operator may decide. `T` is the type of its value once read. */
export interface Setting<T> {
  /** The name in the environment; Supabase's, PostgREST's or GoTrue's name where they have one. */
  readonly name: string;
  /** Other names for the same thing. Two names with different values stop the start. */
  readonly synonyms: readonly string[];
  /** The type in words, for the reference page and for the sentence that refuses a wrong value. */
  readonly type: string;
  readonly default: T;
  /** What the default is in words, where the value itself does not say it. */
  readonly defaultText: string | null;
  readonly meaning: string;
  readonly isSecret: boolean;
  /** What holds instead of the default where Mainstay stands in for PostgREST: only where PostgREST's own default differs. */
  readonly asPostgrest: { readonly default: T; readonly text: string | null } | null;
  /** The empty text is a value and not the same as nothing. */
  readonly takesEmpty: boolean;
  /** Throws an `Error` whose message says what would be right. */
  readonly read: (text: string) => T;
  /** Reads names that only begin with `name`, which then ends with `*`. */
  readonly readMany: ((found: Readonly<Record<string, string>>) => T) | null;
}

interface Terms<T> {
  readonly default: T;
  readonly meaning: string;
  readonly synonyms?: readonly string[];
  readonly defaultText?: string;
  readonly isSecret?: boolean;
  readonly takesEmpty?: boolean;
  readonly asPostgrest?: T;
  readonly asPostgrestText?: string;
}

function setting<T>(name: string, type: string, terms: Terms<T>, read: (text: string) => T): Setting<T> {
  return {
    name,
    type,
    read,
    readMany: null,
    default: terms.default,
    meaning: terms.meaning,
    synonyms: terms.synonyms ?? [],
    defaultText: terms.defaultText ?? null,
    isSecret: terms.isSecret ?? false,
    takesEmpty: terms.takesEmpty ?? false,
    asPostgrest: terms.asPostgrest === undefined ? null : { default: terms.asPostgrest, text: terms.asPostgrestText ?? null },
  };
}

/** Free text; the empty string counts as not set. */
export function text<T extends string | null>(name: string, terms: Terms<T>): Setting<T | string> {
  return setting<T | string>(name, 'text', terms, (value) => value);
}

/** A secret of at least `minLength` characters: it is never logged and never printed. */
export function secret(name: string, minLength: number, terms: Omit<Terms<string | null>, 'isSecret'>): Setting<string | null> {
  return setting<string | null>(name, `secret, at least ${minLength} characters`, { ...terms, isSecret: true }, (value) => {
    if (value.length < minLength) throw new Error(`at least ${minLength} characters`);
    return value;
  });
}

/** A whole number between `min` and `max`, both included. */
export function integer<T extends number | null>(name: string, min: number, max: number, terms: Terms<T>): Setting<T | number> {
  const right = `a whole number from ${min} to ${max}`;
  return setting<T | number>(name, right, terms, (value) => {
    const number = Number(value);
    if (!/^-?\d+$/.test(value) || number < min || number > max) throw new Error(right);
    return number;
  });
}

/** A number of bytes, plain or with the units kB, MB, GB (1024 each) as PostgreSQL writes them. */
export function bytes(name: string, terms: Terms<number>): Setting<number> {
  const right = 'a number of bytes such as 10485760, 10MB or 2GB';
  const units: Record<string, number> = { '': 1, b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3, tb: 1024 ** 4 };
  return setting<number>(name, 'bytes (kB, MB, GB, TB allowed)', terms, (value) => {
    const match = /^(\d+)\s*([a-z]*)$/i.exec(value);
    const unit = match === null ? undefined : units[match[2]!.toLowerCase()];
    if (match === null || unit === undefined) throw new Error(right);
    return Number(match[1]) * unit;
  });
}

/** A length of time in seconds, plain or as Go writes it: `90s`, `1m30s`, `24h`. */
export function duration(name: string, minSeconds: number, maxSeconds: number, terms: Terms<number>): Setting<number> {
  const right = `a duration from ${minSeconds}s to ${maxSeconds}s, such as 90, 90s, 1m30s or 24h`;
  const units: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600 };
  return setting<number>(name, 'duration (ms, s, m, h)', terms, (value) => {
    const pieces = [...value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
    const isWhole = pieces.length > 0 && pieces.map(([piece]) => piece).join('') === value;
    const seconds = /^\d+$/.test(value) ? Number(value) : isWhole ? pieces.reduce((sum, [, number, unit]) => sum + Number(number) * units[unit!]!, 0) : NaN;
    if (!(seconds >= minSeconds && seconds <= maxSeconds)) throw new Error(right);
    return seconds;
  });
}

/** On or off: `true`, `on`, `yes`, `1` and their opposites. */
export function flag(name: string, terms: Terms<boolean>): Setting<boolean> {
  return setting<boolean>(name, 'true or false', terms, (value) => {
    if (/^(true|on|yes|1)$/i.test(value)) return true;
    if (/^(false|off|no|0)$/i.test(value)) return false;
    throw new Error('true or false');
  });
}

/** A place on disk, a path of the API, or another text that must have a form of its own. */
export function formed<T extends string | null>(name: string, right: string, pattern: RegExp, terms: Terms<T>): Setting<T | string> {
  return setting<T | string>(name, right, terms, (value) => {
    if (!pattern.test(value)) throw new Error(right);
    return value;
  });
}

/** An address to bind to. PostgREST's words for any address (`*`, `*4`, `!4`, `*6`, `!6`) are understood. */
export function address(name: string, terms: Terms<string>): Setting<string> {
  return setting<string>(name, 'address', terms, (value) => {
    const any = /^[*!]([46]?)$/.exec(value);
    if (any === null) return value;
    return any[1] === '6' ? '::' : '0.0.0.0';
  });
}

/** Settings whose names begin alike, such as `PGRST_APP_SETTINGS_*`; the rest of each name is its key. */
export function family(prefix: string, type: string, terms: Omit<Terms<Readonly<Record<string, string>>>, 'default'>): Setting<Readonly<Record<string, string>>> {
  const row = setting<Readonly<Record<string, string>>>(`${prefix}*`, type, { ...terms, default: {} }, () => ({}));
  return { ...row, defaultText: 'none', readMany: (found) => ({ ...found }) };
}

/** As `family`, read into something else. @param read throws an `Error` whose message begins with the rest of the wrong name */
export function familyOf<T>(prefix: string, type: string, terms: Terms<T>, read: (found: Readonly<Record<string, string>>) => T): Setting<T> {
  return { ...setting<T>(`${prefix}*`, type, terms, () => terms.default), readMany: read };
}

/** One of a few words; `otherWords` are those that others use for one of them. */
export function choice<C extends string>(name: string, choices: readonly C[], terms: Terms<C>, otherWords: Readonly<Record<string, C>> = {}): Setting<C> {
  return setting<C>(name, choices.join(' | '), terms, (value) => {
    const word = value.toLowerCase();
    const found = choices.find((c) => c === word) ?? (Object.hasOwn(otherWords, word) ? otherWords[word] : undefined);
    if (found === undefined) throw new Error(`one of ${choices.join(', ')}`);
    return found;
  });
}

/** Words separated by commas. */
export function list(name: string, terms: Terms<readonly string[]>): Setting<readonly string[]> {
  return setting<readonly string[]>(name, 'list, separated by commas', terms, (value) =>
    value.split(',').map((item) => item.trim()).filter((item) => item !== ''),
  );
}

/** Ports separated by commas. */
export function ports(name: string, terms: Terms<readonly number[]>): Setting<readonly number[]> {
  const right = 'ports from 1 to 65535, separated by commas';
  return setting<readonly number[]>(name, right, terms, (value) =>
    value.split(',').map((item) => {
      const port = Number(item.trim());
      if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(right);
      return port;
    }),
  );
}

/** An absolute URL with one of the given schemes. */
export function url<T extends string | null>(name: string, schemes: readonly string[], terms: Terms<T>): Setting<T | string> {
  const right = `a URL that begins with ${schemes.map((s) => `${s}://`).join(' or ')}`;
  return setting<T | string>(name, 'URL', terms, (value) => {
    if (!URL.canParse(value) || !schemes.includes(new URL(value).protocol.slice(0, -1))) throw new Error(right);
    return value.replace(/\/+$/, '');
  });
}
