import { fault } from './faults.ts';
import type { Limits } from './limits.ts';
import { mimeOf, type MediaType } from './media-types.ts';
import { decode } from './parse-query.ts';
import { decodeUtf8, refuseNul } from './text.ts';

/** A request's body. JSON stays the text that was sent: PostgreSQL reads the numbers that JavaScript would round. */
export type Body =
  | { readonly kind: 'json'; readonly text: string; readonly isObject: boolean; readonly keys: readonly string[]; readonly uneven?: readonly string[] }
  | { readonly kind: 'form'; readonly pairs: readonly (readonly [string, string])[] }
  /** One value, for the single unnamed parameter of a function; bytes are written as PostgreSQL's hex text. */
  | { readonly kind: 'raw'; readonly text: string };

export interface BodyTerms {
  readonly isCall: boolean;
  /** The `columns` parameter: where it is given, the objects of an array may differ in their keys. */
  readonly columns: readonly string[] | null;
  readonly limits: Limits;
}

/**
 * Reads the body of a write or a call.
 * @throws Fault PGRST102 for what is not JSON, CSV or a form, or not the rows of one statement.
 */
export function parseBody(bytes: Uint8Array, type: MediaType, terms: BodyTerms): Body {
  if (type.kind === 'binary' && terms.isCall) return { kind: 'raw', text: hexOf(bytes) };
  const text = refuseNul(decodeUtf8(bytes, 'PGRST102', 'The body'), 'PGRST102', 'The body');
  switch (type.kind) {
    case 'json':
      return readJson(text, terms);
    case 'csv':
      return readCsvRows(text);
    case 'form':
      return terms.isCall ? { kind: 'form', pairs: readForm(text) } : rowOfForm(readForm(text));
    case 'text':
    case 'xml':
      if (terms.isCall) return { kind: 'raw', text };
      throw notAcceptable(type);
    default:
      throw notAcceptable(type);
  }
}

function notAcceptable(type: MediaType): Error {
  return fault('PGRST102', { message: `Content-Type not acceptable: ${mimeOf(type)}` });
}

function readJson(text: string, { columns, isCall, limits }: BodyTerms): Body {
  if (text.trim() === '' && isCall) return { kind: 'json', text, isObject: true, keys: columns ?? [] };
  const value = parseJson(text);
  if (value === undefined) {
    // With `columns` the keys need not be known, and PostgreSQL's own error says more; but its parser recurses.
    if (columns === null || (text.match(/[[{]/g)?.length ?? 0) > limits.jsonDepth) throw fault('PGRST102');
    return { kind: 'json', text, isObject: /^[ \t\r\n]*\{/.test(text), keys: columns };
  }
  checkJson(value, limits.jsonDepth, text.includes('\\u'));
  if (typeof value !== 'object' || value === null) return { kind: 'json', text: columns === null ? '[]' : text, isObject: false, keys: columns ?? [] };
  return { kind: 'json', text, isObject: !Array.isArray(value), ...(columns === null ? evenly(keysOf(value), isCall) : { keys: columns }) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON is an answer, not an accident: the caller decides what to say.
    return undefined;
  }
}

/**
 * One statement writes one set of columns, so all rows must have the same keys. A key with objects or lists may name children,
 * which need not be everywhere: those that are not in every row are told as `uneven`, for the plan to judge.
 */
function keysOf(value: object): { keys: readonly string[]; uneven?: readonly string[] } {
  if (!Array.isArray(value)) return { keys: Object.keys(value).sort() };
  const [first, ...others] = value as unknown[];
  if (first === undefined) return { keys: [] };
  if (!isRow(first)) throw unequalKeys();
  const keys = Object.keys(first);
  let isEven = true;
  for (const other of others) {
    if (!isRow(other)) throw unequalKeys();
    isEven &&= Object.keys(other).length === keys.length && keys.every((key) => Object.hasOwn(other, key));
  }
  return isEven ? { keys: keys.sort() } : unevenKeysOf(value as object[]);
}

/** The arguments of a call have no children. */
function evenly(found: ReturnType<typeof keysOf>, isCall: boolean): ReturnType<typeof keysOf> {
  if (isCall && found.uneven !== undefined) throw unequalKeys();
  return found;
}

function unevenKeysOf(rows: readonly object[]): { keys: readonly string[]; uneven: readonly string[] } {
  const counts = new Map<string, number>();
  const scalars = new Set<string>();
  for (const row of rows) {
    for (const [key, value] of Object.entries(row)) {
      counts.set(key, (counts.get(key) ?? 0) + 1);
      if (typeof value !== 'object') scalars.add(key);
    }
  }
  const uneven = [...counts].filter(([, count]) => count < rows.length).map(([key]) => key);
  if (uneven.some((key) => scalars.has(key))) throw unequalKeys();
  return { keys: [...counts.keys()].sort(), uneven };
}

/** The refusal of rows that no single statement can write. */
export function unequalKeys(): Error {
  return fault('PGRST102', { message: 'All object keys must match' });
}

function isRow(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Refuses what PostgreSQL would recurse into too deeply, and characters that it cannot hold. */
function checkJson(root: unknown, maxDepth: number, hasEscapes: boolean): void {
  const open: { value: unknown; depth: number }[] = [{ value: root, depth: 1 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, depth } = next;
    if (typeof value === 'string') {
      if (hasEscapes) checkText(value);
    } else if (typeof value === 'object' && value !== null) {
      if (depth > maxDepth) throw fault('PGRST102', { message: `The JSON is nested deeper than ${maxDepth} levels` });
      for (const [key, inner] of Object.entries(value)) {
        if (hasEscapes) checkText(key);
        if (typeof inner === 'object' ? inner !== null : hasEscapes && typeof inner === 'string') open.push({ value: inner, depth: depth + 1 });
      }
    }
  }
}

function checkText(text: string): void {
  refuseNul(text, 'PGRST102', 'The JSON');
  if (!text.isWellFormed()) throw fault('PGRST102', { message: 'The JSON has half of a surrogate pair, which is no character' });
}

function readForm(text: string): (readonly [string, string])[] {
  return text.split('&').filter((part) => part !== '').map((part) => {
    const equals = part.indexOf('=');
    // The body has been decoded as UTF-8 already; what it escapes is bytes again.
    const field = (raw: string) => decode(rawBytes(raw));
    return equals === -1 ? [field(part), ''] : [field(part.slice(0, equals)), field(part.slice(equals + 1))];
  });
}

/** A text as the Latin-1 string of its UTF-8 bytes, which is what the decoder of query strings reads. */
function rawBytes(text: string): string {
  return /[^\x00-\x7f]/.test(text) ? text.replace(/[^\x00-\x7f]+/gu, encodeURIComponent) : text;
}

function rowOfForm(pairs: readonly (readonly [string, string])[]): Body {
  const row = new Map(pairs);
  const members = [...row].map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  return { kind: 'json', text: `{${members.join(',')}}`, isObject: true, keys: [...row.keys()].sort() };
}

/**
 * CSV with a header row; the bare text NULL is null. A line may be shorter than the header, if all of them are, and what it
 * has beyond the header is passed over: the protocol's first server reads it so.
 */
function readCsvRows(text: string): Body {
  const [header, ...lines] = readCsv(text);
  if (header === undefined || (lines.length === 0 && !/[\r\n]/.test(text))) throw fault('PGRST102', { message: 'parse error (not enough input) at ""' });
  const width = Math.min(header.length, lines[0]?.length ?? 0);
  if (lines.some((line) => Math.min(line.length, header.length) !== width)) throw fault('PGRST102', { message: 'All lines must have same number of fields' });
  const names = header.slice(0, width).map((name) => JSON.stringify(name));
  const rows = lines.map((line) => `{${names.map((name, i) => `${name}:${line[i] === 'NULL' ? 'null' : JSON.stringify(line[i])}`).join(',')}}`);
  return { kind: 'json', text: `[${rows.join(',')}]`, isObject: false, keys: [...new Set(header.slice(0, width))].sort() };
}

/** RFC 4180: fields by commas, lines by LF or CRLF, quotes doubled inside quotes; empty lines are passed over. */
function readCsv(text: string): string[][] {
  const lines: string[][] = [];
  let line: string[] = [];
  const token = /"((?:[^"]|"")*)"|([^",\r\n]*)/y;
  for (let at = 0; at < text.length; ) {
    token.lastIndex = at;
    const match = token.exec(text)!;
    at = token.lastIndex;
    line.push(match[1]?.replaceAll('""', '"') ?? match[2]!);
    if (text[at] === ',') {
      at += 1;
      if (at === text.length) line.push('');
      else continue;
    } else if (at < text.length && text[at] !== '\n' && text[at] !== '\r') {
      throw fault('PGRST102', { message: `The CSV cannot be read: a quote stands inside a field in line ${text.slice(0, at).split('\n').length}` });
    }
    if (text[at] === '\r') at += 1;
    if (text[at] === '\n') at += 1;
    if (line.length > 1 || line[0] !== '') lines.push(line);
    line = [];
  }
  return lines;
}

function hexOf(bytes: Uint8Array): string {
  let hex = '\\x';
  for (const byte of bytes) hex += byte.toString(16).padStart(2, '0');
  return hex;
}
