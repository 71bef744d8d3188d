import { fault } from './faults.ts';
import type { Limits } from './limits.ts';
import { readNames, readPath } from './parse-field.ts';
import { looksLikeComparison, parseComparison, parseFilterKey, parseLogic, sizeOf, type Filter, type Tree } from './parse-filter.ts';
import { parseHaving, sizeOfHaving, type Having } from './parse-having.ts';
import { parseOrder, type OrderTerm } from './parse-order.ts';
import { parseSelect, type SelectItem } from './parse-select.ts';
import { readStart, readWhole, type ReadText } from './scanner.ts';
import { decodeUtf8, refuseNul } from './text.ts';
import { everything, offsetWindow, type Window } from './window.ts';

/** Something said about an embedded resource, or about the collection itself where the path is empty. */
export interface Placed<T> {
  readonly path: readonly string[];
  readonly what: T;
}

/** The query string, read. */
export interface Query {
  readonly select: readonly SelectItem[];
  readonly filters: readonly Placed<Filter>[];
  readonly logic: readonly Placed<Tree>[];
  readonly having: readonly Placed<WrittenHaving>[];
  readonly orders: readonly Placed<readonly OrderTerm[]>[];
  readonly windows: readonly Placed<Window>[];
  readonly columns: readonly string[] | null;
  readonly onConflict: readonly string[] | null;
  /** Arguments of a function called by GET, in the order given. */
  readonly args: readonly (readonly [string, string])[];
  /** The fields that filters name, whatever their embed: PUT wants exactly the key. */
  readonly filterKeys: ReadonlySet<string>;
  /** All parameters, sorted and encoded again: the same question has one text. */
  readonly canonical: string;
}

/** A `having` with its text: where the collection has a column of the name, it is a filter after all. */
export interface WrittenHaving {
  readonly having: Having;
  readonly text: string;
}

type Parameter = readonly [string, string];

/** What a query string is for. */
export interface QueryUse {
  /** In a call by GET, what is no filter is an argument. */
  readonly takesArguments: boolean;
  /** The filters choose rows that will be changed. */
  readonly choosesForWrite: boolean;
}

/**
 * Reads a query string.
 * @throws Fault PGRST100.
 */
export function parseQuery(text: string, { takesArguments, choosesForWrite }: QueryUse, limits: Limits): Query {
  // `DELETE …?id!=eq.1` deletes nothing here: passing over the `!` would delete the one row that was to be kept.
  const readText = choosesForWrite ? readWhole : readStart;
  const parameters = splitQuery(text);
  const given = parameters.filter((parameter): parameter is Parameter => parameter[1] !== null);
  const ofKind = (kinds: readonly Kind[]): readonly Parameter[] => given.filter((parameter) => kinds.includes(kindOf(parameter, takesArguments)));
  const value = (name: string): string | undefined => given.find(([key]) => key === name)?.[1];
  const conditions = ofKind(['filter']);
  const isArgument = ([, text]: Parameter): boolean => takesArguments && !looksLikeComparison(text);
  // In the order of the protocol's first server: of several mistakes the same one is told.
  const orders = ofKind(['order']).map(([key, text]) => ({ path: readPlace(key), what: parseOrder(text) }));
  const logic = ofKind(['and', 'or']).map((parameter) => readLogicParameter(parameter, limits, readText));
  const having = ofKind(['having']).map(([key, text]) => ({ path: readPlace(key), what: { having: parseHaving(text, limits), text } }));
  const columns = readNameList('columns', value('columns'));
  const select = parseSelect(value('select') ?? '*', limits);
  const filters = conditions.filter((parameter) => !isArgument(parameter)).map((parameter) => readFilter(parameter, limits, readText));
  const query: Query = {
    select,
    filters,
    logic,
    having,
    orders,
    columns,
    windows: readWindows(ofKind(['limit']), ofKind(['offset'])),
    onConflict: readNameList('on_conflict', value('on_conflict')),
    args: conditions.filter(isArgument).map(([key, text]) => [parseFilterKey(key).field.name, text] as const),
    filterKeys: new Set(conditions.map(([key]) => key)),
    canonical: canonicalOf(parameters),
  };
  const count = query.filters.length + query.logic.reduce((sum, { what }) => sum + sizeOf(what), 0) + having.reduce((sum, { what }) => sum + sizeOfHaving(what.having), 0);
  if (count > limits.filters) throw fault('PGRST100', { message: `the query has more than ${limits.filters} filters`, details: 'This is a limit of the server.' });
  return query;
}

type Kind = 'filter' | 'having' | 'and' | 'or' | 'order' | 'limit' | 'offset' | 'own';

/** The last word of a dotted key says what the parameter is; only whole keys are reserved otherwise. */
function kindOf([key, text]: Parameter, takesArguments: boolean): Kind {
  if (key === 'select' || key === 'columns' || key === 'on_conflict') return 'own';
  const last = key.slice(key.lastIndexOf('.') + 1);
  // No comparison begins with a bracket. An argument of a function may.
  if (last === 'having' && text.startsWith('(') && !takesArguments) return 'having';
  return last === 'and' || last === 'or' || last === 'order' || last === 'limit' || last === 'offset' ? last : 'filter';
}

function readFilter([key, text]: Parameter, limits: Limits, readText: ReadText): Placed<Filter> {
  const { path, field } = parseFilterKey(key, readText);
  return { path, what: { kind: 'filter', field, ...parseComparison(text, limits, readText) } };
}

function readLogicParameter([key, text]: Parameter, limits: Limits, readText: ReadText): Placed<Tree> {
  const { path, tree } = parseLogic(key, text, limits, readText);
  return { path, what: tree };
}

function readNameList(parameter: string, text: string | undefined): readonly string[] | null {
  if (text === undefined) return null;
  return [...new Set(readStart(text, `failed to parse ${parameter} parameter (${text})`, readNames))];
}

/** The embed that a dotted modifier such as `rel.sub.order` is about. */
function readPlace(key: string): readonly string[] {
  return key.includes('.') ? readStart(key, `failed to parse tree path (${key})`, readPath).path : [];
}

/** A limit and an offset of the same embed are one window. What is no whole number is ignored. */
function readWindows(limits: readonly Parameter[], offsets: readonly Parameter[]): Placed<Window>[] {
  const windows = new Map<string, { path: readonly string[]; limit: number | null; offset: number }>();
  const at = (key: string) => {
    const place = key.slice(0, Math.max(0, key.lastIndexOf('.')));
    let window = windows.get(place);
    if (window === undefined) windows.set(place, (window = { path: readPlace(key), limit: null, offset: 0 }));
    return window;
  };
  for (const [key, text] of limits) at(key).limit = wholeNumber(text);
  for (const [key, text] of offsets) at(key).offset = wholeNumber(text) ?? 0;
  return [...windows.values()].map(({ path, limit, offset }) => ({ path, what: limit === null && offset === 0 ? everything : offsetWindow(offset, limit) }));
}

function wholeNumber(text: string): number | null {
  return /^\s*-?\d+\s*$/.test(text) ? Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Number(text))) : null;
}

/** Names and values, decoded; a parameter without `=` has the value null. */
function splitQuery(text: string): (readonly [string, string | null])[] {
  return text.split(/[&;]/).filter((part) => part !== '').map((part) => {
    const equals = part.indexOf('=');
    return equals === -1 ? [decode(part), null] : [decode(part.slice(0, equals)), decode(part.slice(equals + 1))];
  });
}

/**
 * Decodes one part of a query string. A `%` that begins no encoding stands for itself.
 * @throws Fault PGRST100 for bytes that are no UTF-8, and for NUL, which PostgreSQL cannot hold.
 */
export function decode(part: string): string {
  if (!/[%+\x80-\xff]/.test(part)) return part;
  return refuseNul(decodeEasily(part) ?? decodeUtf8(bytesOf(part.replaceAll('+', ' ')), 'PGRST100', 'The query string'), 'PGRST100', 'The query string');
}

/** The engine's own decoder is many times as fast, and right wherever it does not refuse. */
function decodeEasily(part: string): string | null {
  if (/[\x80-\xff]/.test(part)) return null;
  try {
    return decodeURIComponent(part.replaceAll('+', ' '));
  } catch {
    // A lone % or bytes that are no UTF-8: the careful way tells them apart.
    return null;
  }
}

/** Node gives a request line byte by byte as Latin-1. */
function bytesOf(part: string): Uint8Array {
  const bytes: number[] = [];
  for (let i = 0; i < part.length; i += 1) {
    const encoded = part[i] === '%' ? /^[0-9a-f]{2}$/i.exec(part.slice(i + 1, i + 3))?.[0] : undefined;
    bytes.push(encoded === undefined ? part.charCodeAt(i) : Number.parseInt(encoded, 16));
    if (encoded !== undefined) i += 2;
  }
  return Uint8Array.from(bytes);
}

/** Parameters of one name are joined, as the protocol's first server does. */
function canonicalOf(parameters: readonly (readonly [string, string | null])[]): string {
  const byName = new Map<string, string[]>();
  for (const [key, value] of parameters) {
    const values = byName.get(key);
    if (values === undefined) byName.set(key, [value ?? '']);
    else values.push(value ?? '');
  }
  const names = [...byName.keys()].sort((a, b) => (a < b ? -1 : 1));
  return names.map((name) => `${encode(name)}=${byName.get(name)!.map(encode).join(',')}`).join('&');
}

export function encode(text: string): string {
  if (/^[\w.~-]*$/.test(text)) return text;
  return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}
