import { closest } from '@mainstay/domain';
import type { ExportFormat, ExportTerms } from '@mainstay/persistence';
import { shown } from '../import-options.ts';
import { exportFault } from './export-faults.ts';
import { formatAccepted, formatNames, formats, isFormat } from './formats.ts';

/** What is wanted of a collection, and how it is written down. */
export interface ExportOptions {
  readonly format: ExportFormat;
  readonly terms: ExportTerms;
  /** What is left of the query: the data API's own words. */
  readonly query: string;
}

const names = ['format', 'gzip', 'delimiter', 'header', 'null', 'bom', 'spreadsheet_safe'] as const;
type Name = (typeof names)[number];

/** Options that only text with delimiters has. */
const csvOnly = ['delimiter', 'header', 'null', 'bom', 'spreadsheet_safe'] as const satisfies readonly Name[];

/**
 * Reads the options of an export out of a query, and leaves the data API's words in it as they were written.
 * @throws Fault naming the option, its value and what would be right
 */
export function parseExportOptions(query: string, accept?: string): ExportOptions {
  const { given, rest } = take(query);
  const format = readFormat(given.get('format'), accept);
  for (const name of csvOnly) {
    if (given.has(name) && format !== 'csv') throw exportFault('option_not_valid', { message: `The option "${name}" is for csv; this is ${format}` });
  }
  const terms: ExportTerms = {
    isGzip: readFlag(given, 'gzip', false),
    delimiter: readDelimiter(given.get('delimiter')),
    hasHeader: readFlag(given, 'header', true),
    null: readNull(given.get('null') ?? ''),
    hasBom: readFlag(given, 'bom', false),
    isSpreadsheetSafe: readFlag(given, 'spreadsheet_safe', false),
  };
  if (terms.isGzip && !formats[format].isText) throw exportFault('option_not_valid', { message: `The option "gzip" is for csv and ndjson; ${format} is packed already` });
  if (terms.null.includes(terms.delimiter)) throw wrong('null', terms.null, 'a text without the delimiter');
  return { format, terms, query: rest };
}

/** The query's parts that are options, and the others in their order, untouched. */
function take(query: string): { given: Map<Name, string>; rest: string } {
  const given = new Map<Name, string>();
  const rest: string[] = [];
  for (const part of query.split('&').filter((text) => text !== '')) {
    const equals = part.indexOf('=');
    const name = decoded(equals === -1 ? part : part.slice(0, equals));
    // Keys may also come in the query, where a browser cannot set headers; they were read before.
    if (name === 'apikey') continue;
    if (!isName(name)) {
      rest.push(part);
      continue;
    }
    if (given.has(name)) throw exportFault('option_not_valid', { message: `The option "${name}" is given twice` });
    given.set(name, decoded(equals === -1 ? '' : part.slice(equals + 1)));
  }
  return { given, rest: rest.join('&') };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch (cause) {
    throw exportFault('option_not_valid', { message: `"${shown(text)}" is not encoded as a URL is`, cause });
  }
}

function isName(name: string): name is Name {
  return (names as readonly string[]).includes(name);
}

function readFormat(asked: string | undefined, accept: string | undefined): ExportFormat {
  if (asked === undefined) {
    const accepted = formatAccepted(accept);
    if (accepted !== null) return accepted;
    throw exportFault('format_not_acceptable', { details: `The Accept header is "${shown(accept ?? '')}"`, hint: `Formats: ${formatNames.map((name) => `${name} (${formats[name].synonyms[0]})`).join(', ')}` });
  }
  if (isFormat(asked)) return asked;
  const meant = closest(asked, formatNames);
  // `eq.csv` is a filter's value: somebody has a column of this name.
  const filter = /^(not\.)?[a-z]+\(?\./.test(asked) ? ` A column named "format" is filtered as and=(format.${asked}).` : '';
  throw exportFault('format_unknown', { message: `There is no format "${shown(asked)}"${meant === null ? '' : `; did you mean "${meant}"?`}`, hint: `Formats: ${formatNames.join(', ')}.${filter}` });
}

function readFlag(given: ReadonlyMap<Name, string>, name: Name, fallback: boolean): boolean {
  const value = given.get(name);
  if (value === undefined) return fallback;
  if (value === 'true' || value === 'false') return value === 'true';
  throw wrong(name, value, '"true" or "false"');
}

function readDelimiter(value: string | undefined): string {
  if (value === undefined) return ',';
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

function wrong(name: Name, value: string, right: string): Error {
  return exportFault('option_not_valid', {
    message: `The option ${name}="${shown(value)}" is not right: it must be ${right}`,
    hint: /^(not\.)?[a-z]+\(?\./.test(value) ? `A column named "${name}" is filtered as and=(${name}.${shown(value)}).` : null,
  });
}

/**
 * The parameters of a JSON body as a query: `{"select": "id,total", "status": "eq.paid", "format": "csv"}`. A list gives a
 * parameter several times.
 */
export function queryOfBody(body: unknown): string {
  if (body === undefined || body === null || body === '') return '';
  if (typeof body !== 'object' || Array.isArray(body)) throw exportFault('body_not_valid', { hint: 'Such as {"select": "id,total", "status": "eq.paid", "format": "csv"}.' });
  return Object.entries(body)
    .flatMap(([name, value]) => (Array.isArray(value) ? (value as unknown[]) : [value]).map((one) => `${encodeURIComponent(name)}=${encodeURIComponent(textOf(name, one))}`))
    .join('&');
}

function textOf(name: string, value: unknown): string {
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') {
    const text = String(value);
    if (text.isWellFormed() && name.isWellFormed()) return text;
  }
  throw exportFault('body_not_valid', { message: `The parameter "${shown(name)}" must be a text, a number, true or false, or a list of them` });
}
