import { closest } from '@mainstay/domain';
import type { ImportFormat, ImportMode } from '@mainstay/persistence';
import { parse } from 'csv-parse/sync';
import { importFault } from './import-faults.ts';

/** How a file is sent and what shall be done with it, as its sender says. */
export interface ImportOptions {
  readonly format: ImportFormat;
  readonly isGzip: boolean;
  /** The fields of the file's columns in order; null: the header, or the first line's keys, say it. */
  readonly columns: readonly string[] | null;
  readonly onConflict: readonly string[] | null;
  readonly resolution: 'merge' | 'ignore' | null;
  readonly delimiter: string;
  readonly null: string;
  readonly hasHeader: boolean;
  readonly maxErrors: number;
  readonly mode: ImportMode;
}

/** Most rows that may be set aside: each is a statement of its own, and a row in our tables. */
const mostErrors = 100_000;

const names = ['columns', 'on_conflict', 'resolution', 'delimiter', 'null', 'header', 'max_errors', 'mode', 'format'] as const;
type Name = (typeof names)[number];

/**
 * Reads the options of an import from its query and its headers.
 * @throws Fault naming the option, its value and what would be right
 */
export function parseImportOptions(query: URLSearchParams, headers: { readonly contentType: string | undefined; readonly contentEncoding: string | undefined }): ImportOptions {
  const given = readQuery(query);
  const sent = readHeaders(headers, oneOf(given, 'format', ['csv', 'ndjson']));
  const options: ImportOptions = {
    format: sent.format,
    isGzip: sent.isGzip,
    columns: readNames(given, 'columns'),
    onConflict: readNames(given, 'on_conflict'),
    resolution: oneOf(given, 'resolution', ['merge', 'ignore']),
    delimiter: readDelimiter(given.get('delimiter')) ?? sent.delimiter,
    null: readNull(given.get('null') ?? ''),
    hasHeader: (oneOf(given, 'header', ['true', 'false']) ?? 'true') === 'true',
    maxErrors: readMaxErrors(given.get('max_errors')),
    mode: oneOf(given, 'mode', ['rows', 'all']) ?? 'rows',
  };
  if (options.null.includes(options.delimiter)) throw wrong('null', options.null, 'a text without the delimiter');
  if (options.format === 'ndjson') refuseForJson(given);
  return options;
}

function readQuery(query: URLSearchParams): Map<Name, string> {
  const given = new Map<Name, string>();
  for (const [name, value] of query) {
    // Keys may also come in the query, where a browser cannot set headers; they were read before.
    if (name === 'apikey') continue;
    if (!isName(name)) {
      const meant = closest(name, names);
      throw importFault('option_unknown', { message: `"${shown(name)}" is no option of an import${meant === null ? '' : `; did you mean "${meant}"?`}`, hint: `Options: ${names.join(', ')}` });
    }
    if (given.has(name)) throw importFault('option_not_valid', { message: `The option "${name}" is given twice` });
    given.set(name, value);
  }
  return given;
}

function isName(name: string): name is Name {
  return (names as readonly string[]).includes(name);
}

interface Sent {
  readonly format: ImportFormat;
  readonly isGzip: boolean;
  readonly delimiter: string;
}

const formats: ReadonlyMap<string, Omit<Sent, 'isGzip'>> = new Map([
  ['text/csv', { format: 'csv', delimiter: ',' }],
  ['application/csv', { format: 'csv', delimiter: ',' }],
  ['text/tab-separated-values', { format: 'csv', delimiter: '\t' }],
  ['application/x-ndjson', { format: 'ndjson', delimiter: ',' }],
  ['application/ndjson', { format: 'ndjson', delimiter: ',' }],
  ['application/jsonl', { format: 'ndjson', delimiter: ',' }],
]);
const gzipTypes = ['application/gzip', 'application/x-gzip'];

function readHeaders(headers: { readonly contentType: string | undefined; readonly contentEncoding: string | undefined }, asked: ImportFormat | null): Sent {
  const type = (headers.contentType ?? '').split(';')[0]!.trim().toLowerCase();
  const encoding = (headers.contentEncoding ?? 'identity').trim().toLowerCase();
  if (!['identity', '', 'gzip', 'x-gzip'].includes(encoding)) {
    throw importFault('content_type_unknown', { message: `The Content-Encoding "${shown(encoding)}" is not known here; gzip is` });
  }
  const isGzip = encoding.endsWith('gzip') || gzipTypes.includes(type);
  // What is inside a gzip file its type does not say.
  if (gzipTypes.includes(type)) return { isGzip, format: asked ?? 'csv', delimiter: ',' };
  const known = formats.get(type);
  if (known === undefined) {
    throw importFault('content_type_unknown', {
      details: type === '' ? 'There is no Content-Type' : `The Content-Type is "${shown(type)}"`,
      hint: 'Also gzip: with Content-Encoding: gzip, or as application/gzip with format=csv or format=ndjson.',
    });
  }
  if (asked !== null && asked !== known.format) throw wrong('format', asked, `what the Content-Type says (${type})`);
  return { ...known, isGzip };
}

function oneOf<T extends string>(given: ReadonlyMap<Name, string>, name: Name, choices: readonly T[]): T | null {
  const value = given.get(name);
  if (value === undefined) return null;
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw wrong(name, value, choices.map((choice) => `"${choice}"`).join(' or '));
  return found;
}

/** Names separated by commas; one with a comma stands in double quotes, as in CSV. */
function readNames(given: ReadonlyMap<Name, string>, name: Name): string[] | null {
  const value = given.get(name);
  if (value === undefined) return null;
  let listed: string[][];
  try {
    listed = parse(value, { trim: true });
  } catch (error) {
    throw wrong(name, value, 'names separated by commas', error);
  }
  if (listed.length !== 1 || listed[0]!.some((field) => field === '')) throw wrong(name, value, 'names separated by commas');
  const twice = listed[0]!.find((field, i) => listed[0]!.indexOf(field) !== i);
  if (twice !== undefined) throw importFault('column_repeated', { message: `"${shown(twice)}" stands twice in "${name}"` });
  return listed[0]!;
}

function readDelimiter(value: string | undefined): string | null {
  if (value === undefined) return null;
  const delimiter = value === 'tab' || value === '\\t' ? '\t' : value;
  // COPY takes one byte, and not one that has a meaning of its own.
  if (!/^[\t\x20-\x7e]$/.test(delimiter) || delimiter === '"') throw wrong('delimiter', value, 'one ASCII character other than a quote, or "tab"');
  return delimiter;
}

function readNull(value: string): string {
  // COPY refuses line breaks, and PostgreSQL knows no NUL.
  if (/["\r\n\0]/.test(value) || value.length > 100) throw wrong('null', value, 'a short text without quotes and line breaks');
  return value;
}

function readMaxErrors(value: string | undefined): number {
  if (value === undefined) return 1000;
  const number = Number(value);
  if (!/^\d{1,9}$/.test(value) || number > mostErrors) throw wrong('max_errors', value, `a whole number from 0 to ${mostErrors}`);
  return number;
}

function refuseForJson(given: ReadonlyMap<Name, string>): void {
  for (const name of ['delimiter', 'null', 'header'] as const) {
    if (given.has(name)) throw importFault('option_not_valid', { message: `The option "${name}" is for CSV; this is application/x-ndjson` });
  }
}

function wrong(name: Name, value: string, right: string, cause?: unknown): Error {
  return importFault('option_not_valid', { message: `The option ${name}="${shown(value)}" is not right: it must be ${right}`, cause });
}

/** A text of the sender's, short enough for an answer, and without signs that would command a terminal. */
export function shown(text: string): string {
  const readable = text.replace(/\p{Cc}/gu, '\ufffd');
  return readable.length > 80 ? `${readable.slice(0, 80)}…` : readable;
}
