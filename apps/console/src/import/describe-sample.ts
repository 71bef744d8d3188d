import { type Format, guessDelimiter, guessFormat, guessHeader } from './guess-format.ts';
import { guessKey } from './guess-key.ts';
import { guessNullText } from './guess-null.ts';
import { type FieldType, guessJsonType, guessType } from './guess-types.ts';
import { nameFields } from './name-fields.ts';
import { type Cell, parseDelimited } from './parse-delimited.ts';
import { parseNdjson } from './parse-ndjson.ts';
import type { Sample } from './read-sample.ts';

/** How a file is to be read. */
export interface Reading {
  readonly format: Format;
  readonly delimiter: string;
  readonly hasHeader: boolean;
  readonly nullText: string;
}

export interface Column {
  /** As the file calls it; null where it has no header. */
  readonly header: string | null;
  /** A name for a field that takes it. */
  readonly name: string;
  readonly type: FieldType;
  readonly cells: readonly Cell[];
}

/** What a sample tells about a file, read in a certain way. */
export interface Description {
  readonly columns: readonly Column[];
  readonly rowCount: number;
  /** The column that looks like the primary key. */
  readonly key: number | null;
  /** Rows that do not have as many values as there are columns, or are no JSON object. */
  readonly oddRows: number;
}

export function guessReading({ text, isCut }: Sample): Reading {
  const format = guessFormat(text);
  if (format === 'ndjson') return { format, delimiter: ',', hasHeader: true, nullText: '' };
  const delimiter = guessDelimiter(text, isCut);
  const rows = parseDelimited(text, { delimiter, nullText: '' }, { isCut });
  const hasHeader = guessHeader(rows);
  return { format, delimiter, hasHeader, nullText: guessNullText(hasHeader ? rows.slice(1) : rows) };
}

export function describeSample(sample: Sample, reading: Reading): Description {
  return reading.format === 'ndjson' ? describeJson(sample) : describeDelimited(sample, reading);
}

function describeDelimited({ text, isCut }: Sample, reading: Reading): Description {
  const all = parseDelimited(text, reading, { isCut });
  const headers = reading.hasHeader ? (all[0] ?? []) : (all[0] ?? []).map(() => null);
  const rows = reading.hasHeader ? all.slice(1) : all;
  const names = nameFields(headers);
  const columns = headers.map((header, index) => {
    const cells = rows.map((row) => row[index] ?? null);
    return { header: reading.hasHeader ? (header ?? '') : null, name: names[index] ?? '', type: guessType(cells), cells };
  });
  return withKey(columns, rows.length, rows.filter((row) => row.length !== headers.length).length);
}

/** The keys of the objects are the names of the fields: the api finds the one by the other. */
function describeJson({ text, isCut }: Sample): Description {
  const { keys, rows, badLines } = parseNdjson(text, { isCut });
  const columns = keys.map((key) => {
    const values = rows.map((row) => (Object.hasOwn(row, key) ? row[key] : null));
    return { header: key, name: key, type: guessJsonType(values), cells: values.map(asCell) };
  });
  return withKey(columns, rows.length, badLines.length);
}

function withKey(columns: readonly Column[], rowCount: number, oddRows: number): Description {
  const of = <K extends keyof Column>(name: K): Column[K][] => columns.map((column) => column[name]);
  return { columns, rowCount, oddRows, key: guessKey(of('name'), of('type'), of('cells')) };
}

function asCell(value: unknown): Cell {
  if (value === null || value === undefined) return null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
