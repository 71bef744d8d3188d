import { isUtf8 } from 'node:buffer';
import { parse } from 'csv-parse/sync';
import { ByteHeap } from './cut-records.ts';
import { importFault } from './import-faults.ts';
import { shown, type ImportOptions } from './import-options.ts';

/** Files that are sent as CSV by mistake, by their first bytes. */
const otherFormats = [
  { begins: 'PK\u0003\u0004', name: 'a ZIP archive or an Excel workbook' },
  { begins: [0xd0, 0xcf, 0x11, 0xe0], name: 'an old Excel workbook' },
  { begins: 'PAR1', name: 'a Parquet file' },
  { begins: '%PDF', name: 'a PDF' },
] as const;

/** PostgreSQL's own limit of columns in a table. */
const mostColumns = 1600;

/** What the start of a file says about the rest. */
export interface Head {
  /** The header's names, or the keys of the first line; null where the file does not say. */
  readonly names: readonly string[] | null;
  /** What ends its lines. */
  readonly ending: 'lf' | 'cr';
  /** The line on which the rows begin; the first is 1. */
  readonly firstLine: number;
  /** The bytes already read that belong to the rows. */
  readonly rest: Uint8Array;
}

/**
 * Reads a file up to the end of its first record and takes it for the header where there is one.
 * @throws Fault when the file is empty, in another encoding, or its header cannot be used
 */
export async function readHead(chunks: AsyncIterator<Uint8Array>, options: ImportOptions, maxRowBytes: number): Promise<Head> {
  const { bytes, end } = await readFirstRecord(chunks, options, maxRowBytes);
  const start = Math.max(startOf(bytes), end.start);
  const record = bytes.subarray(start, end.content);
  checkEncoding(bytes, record);
  if (options.format === 'ndjson') {
    return { names: options.columns === null ? readKeys(record, end.line) : null, ending: 'lf', firstLine: end.line, rest: bytes.subarray(start) };
  }
  if (!options.hasHeader) return { names: null, ending: end.ending, firstLine: 1, rest: bytes.subarray(start) };
  return { names: readHeader(record, options), ending: end.ending, firstLine: end.line + end.lines, rest: bytes.subarray(end.end) };
}

interface FirstRecord {
  /** Where it begins: after empty lines. */
  readonly start: number;
  readonly content: number;
  readonly end: number;
  readonly ending: 'lf' | 'cr';
  /** The line on which it begins, and how many it takes. */
  readonly line: number;
  readonly lines: number;
}

async function readFirstRecord(chunks: AsyncIterator<Uint8Array>, options: ImportOptions, maxRowBytes: number): Promise<{ bytes: Buffer; end: FirstRecord }> {
  const held = new ByteHeap();
  const search = new FirstRecordSearch(options.format === 'csv');
  for (;;) {
    const { done, value } = await chunks.next();
    if (done !== true) held.add(value);
    const end = search.find(held.view(), done === true);
    if (end !== null) return { bytes: held.take(), end };
    if (done === true) throw importFault('file_is_empty');
    if (held.length > maxRowBytes) {
      checkEncoding(held.view(), held.view().subarray(0, maxRowBytes));
      throw importFault('row_too_long', { message: `The first line is longer than ${maxRowBytes} bytes`, hint: 'MAINSTAY_IMPORT_MAX_ROW is the longest row that is taken. Does the file have line breaks at all?' });
    }
  }
}

/** Finds the end of the first line that is not empty, in bytes that grow. */
class FirstRecordSearch {
  private at = 0;
  private start = 0;
  private line = 1;
  private breaks = 0;
  private isQuoted = false;

  constructor(private readonly isCsv: boolean) {}

  find(bytes: Uint8Array, isWhole: boolean): FirstRecord | null {
    for (; this.at < bytes.length; this.at += 1) {
      const byte = bytes[this.at];
      if (byte === 0x22 && this.isCsv) this.isQuoted = !this.isQuoted;
      const isReturn = byte === 0x0d && this.isCsv;
      if (byte !== 0x0a && !isReturn) continue;
      if (this.isQuoted) {
        if (byte === 0x0a) this.breaks += 1;
        continue;
      }
      // Whether a CR ends the line alone shows in the byte after it.
      if (isReturn && this.at + 1 === bytes.length && !isWhole) return null;
      if (isReturn && bytes[this.at + 1] === 0x0a) continue;
      const content = byte === 0x0a && this.at > this.start && bytes[this.at - 1] === 0x0d ? this.at - 1 : this.at;
      if (content > startOf(bytes, this.start)) return this.record(content, this.at + 1, isReturn ? 'cr' : 'lf');
      if (this.isCsv) throw importFault('header_not_readable', { message: 'The first line is empty', hint: 'It must hold the names of the columns, or the first row with header=false.' });
      this.start = this.at + 1;
      this.line += 1;
    }
    return isWhole && bytes.length > startOf(bytes, this.start) ? this.record(bytes.length, bytes.length, 'lf') : null;
  }

  private record(content: number, end: number, ending: 'lf' | 'cr'): FirstRecord {
    return { start: this.start, content, end, ending, line: this.line, lines: 1 + this.breaks };
  }
}

/** After the mark that some programs put before UTF-8. */
function startOf(bytes: Uint8Array, start = 0): number {
  return start === 0 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : start;
}

function checkEncoding(bytes: Uint8Array, record: Uint8Array): void {
  const [first, second] = bytes;
  const hint = 'Save the file as UTF-8 and upload it again.';
  if (first === 0x1f && second === 0x8b) {
    throw importFault('content_type_unknown', { message: 'The body is gzip, but its headers do not say so', hint: 'Send Content-Encoding: gzip, or Content-Type: application/gzip.' });
  }
  const program = otherFormats.find(({ begins }) => Buffer.from(bytes.subarray(0, begins.length)).equals(Buffer.from(begins)));
  if (program !== undefined) throw importFault('content_type_unknown', { message: `The body is ${program.name}, not text`, hint: 'Save it as CSV in UTF-8 and upload that file.' });
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) throw importFault('encoding_not_utf8', { message: 'The file is UTF-16, not UTF-8', hint });
  // ASCII written as UTF-16 has a NUL beside every letter.
  const nul = record.indexOf(0);
  if (nul >= 0) {
    const isWide = record.length > 3 && record.subarray(0, 64).filter((byte) => byte === 0).length * 3 >= Math.min(record.length, 64);
    throw importFault('encoding_not_utf8', { message: isWide ? 'The file looks like UTF-16, not UTF-8' : `The first line has a NUL at byte ${nul + 1}`, hint });
  }
  if (!isUtf8(record)) throw importFault('encoding_not_utf8', { message: 'The first line is not valid UTF-8', hint });
}

/**
 * The names in a header; counted before they are parsed, since a million of them would be as many strings. Where `columns` says
 * what they are called, they may be empty or alike, as programs write them that export an index or a join.
 */
function readHeader(record: Uint8Array, { delimiter, columns }: ImportOptions): string[] {
  refuseTooMany(countFields(record, delimiter.charCodeAt(0)));
  let rows: string[][];
  try {
    rows = parse(Buffer.from(record), { delimiter, bom: false });
  } catch (error) {
    throw importFault('header_not_readable', { details: (error as Error).message, hint: 'It must be CSV: quotes around a name are doubled inside it.', cause: error });
  }
  const names = rows[0]!;
  refuseTooMany(names.length);
  if (columns === null) refuseUnnamed(names);
  return names;
}

function countFields(record: Uint8Array, delimiter: number): number {
  let fields = 1;
  let isQuoted = false;
  for (const byte of record) {
    if (byte === 0x22) isQuoted = !isQuoted;
    else if (byte === delimiter && !isQuoted) fields += 1;
  }
  return fields;
}

function readKeys(record: Uint8Array, line: number): string[] {
  const hint = 'Each line must be a JSON object. Name the columns with columns=… if the first line is a bad one.';
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(record).toString('utf8'));
  } catch (error) {
    throw importFault('header_not_readable', { message: `Line ${line} is not valid JSON`, details: (error as Error).message, hint, cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw importFault('header_not_readable', { message: `Line ${line} is no JSON object`, hint });
  const names = Object.keys(value);
  refuseTooMany(names.length);
  if (names.length === 0) throw importFault('header_not_readable', { message: `The object on line ${line} has no keys`, hint });
  return names;
}

function refuseTooMany(count: number): void {
  if (count > mostColumns) throw importFault('too_many_columns', { message: `The file has ${count} columns; a collection has at most ${mostColumns}` });
}

function refuseUnnamed(names: readonly string[]): void {
  const hint = 'Name all columns in their order with columns=…, or correct the header.';
  const empty = names.indexOf('');
  if (empty >= 0) throw importFault('header_not_readable', { message: `Column ${empty + 1} of the header has no name`, hint });
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw importFault('column_repeated', { message: `The header names "${shown(name)}" twice`, hint });
    seen.add(name);
  }
}
