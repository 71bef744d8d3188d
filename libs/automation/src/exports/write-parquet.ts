import { ByteWriter, ParquetWriter, type SchemaElement } from 'hyparquet-writer';
import type { ResultColumn, Transaction } from '@mainstay/persistence';
import { decimalOf, kindOf, microsOf } from './column-types.ts';
import { exportFault } from './export-faults.ts';
import type { FilePiece } from './packed.ts';
import { rowPages } from './row-pages.ts';

/** A group of rows is encoded at once, and nothing else happens in this process meanwhile. */
const groupRows = 20_000;
const groupBytes = 4 * 1024 * 1024;

/** Gives the rows of a query as a Parquet file, a group of rows at a time. */
export async function* writeParquet(tx: Transaction, query: string): AsyncGenerator<FilePiece, void, undefined> {
  const columns = named(await tx.columnsOf(query)).map(parquetColumn);
  const sink = new ByteWriter();
  const writer = new ParquetWriter({ writer: sink, schema: [{ name: 'root', num_children: columns.length }, ...columns.map(({ element }) => element)], createdBy: 'Mainstay' });
  let group = new Group(columns);
  for await (const page of rowPages(tx, query)) {
    for (const row of page) group.add(row);
    if (group.rows < groupRows && group.bytes < groupBytes) continue;
    yield written(writer, sink, group);
    group = new Group(columns);
  }
  if (group.rows > 0) yield written(writer, sink, group);
  // The library would parse and write anew what it knows to be JSON, and round its numbers; the file says what it is all the same.
  for (const { element, isJson } of columns) if (isJson) element.converted_type = 'JSON';
  await writer.finish();
  yield taken(sink, 0);
}

interface ParquetColumn {
  readonly element: SchemaElement;
  readonly isJson: boolean;
  readonly read: (text: string) => unknown;
}

/** Names are unique in a Parquet file: what comes a second time gets a number. */
function named(columns: readonly ResultColumn[]): ResultColumn[] {
  const taken = new Set<string>();
  return columns.map((column) => {
    let name = column.name;
    for (let i = 2; taken.has(name); i += 1) name = `${column.name}_${i}`;
    taken.add(name);
    return { ...column, name };
  });
}

class Group {
  rows = 0;
  bytes = 0;
  private readonly data: unknown[][];

  constructor(private readonly columns: readonly ParquetColumn[]) {
    this.data = columns.map(() => []);
  }

  add(row: readonly (string | null)[]): void {
    for (let i = 0; i < this.columns.length; i += 1) {
      const text = row[i] ?? null;
      this.data[i]!.push(text === null ? null : this.columns[i]!.read(text));
      this.bytes += 8 + (text?.length ?? 0);
    }
    this.rows += 1;
  }

  get columnData(): { name: string; data: unknown[] }[] {
    return this.columns.map(({ element }, i) => ({ name: element.name, data: this.data[i]! }));
  }
}

function written(writer: ParquetWriter, sink: ByteWriter, group: Group): FilePiece {
  void writer.write({ columnData: group.columnData, rowGroupSize: group.rows });
  return taken(sink, group.rows);
}

/** What was written so far; places in the file are counted on, the memory is used again. */
function taken(sink: ByteWriter, rows: number): FilePiece {
  const bytes = Buffer.from(sink.getBytes());
  sink.index = 0;
  return { bytes, rows };
}

/** How a column's values are kept. What Parquet has no type for is the text that it is. */
function parquetColumn({ name, type, modifier }: ResultColumn): ParquetColumn {
  const column = (element: Omit<SchemaElement, 'name' | 'repetition_type'>, read: ParquetColumn['read'], isJson = false): ParquetColumn => ({
    element: { name, repetition_type: 'OPTIONAL', ...element },
    read,
    isJson,
  });
  const text = column({ type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } }, (value) => value);
  switch (kindOf(type)) {
    case 'integer':
      return column({ type: 'INT32' }, Number);
    case 'bigint':
      return column({ type: 'INT64' }, BigInt);
    case 'float':
      return column({ type: 'FLOAT' }, Number);
    case 'double':
      return column({ type: 'DOUBLE' }, Number);
    case 'boolean':
      return column({ type: 'BOOLEAN' }, (value) => value === 't');
    case 'bytea':
      return column({ type: 'BYTE_ARRAY' }, (value) => new Uint8Array(Buffer.from(value.slice(2), 'hex')));
    case 'uuid':
      return column({ type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16, logical_type: { type: 'UUID' } }, (value) => value);
    case 'json':
      return column({ type: 'BYTE_ARRAY', logical_type: { type: 'JSON' } }, (value) => new Uint8Array(Buffer.from(value)), true);
    case 'date':
      return column({ type: 'INT32', converted_type: 'DATE', logical_type: { type: 'DATE' } }, daysOf);
    case 'timestamp':
      return column({ type: 'INT64', logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: false, unit: 'MICROS' } }, micros);
    case 'timestamptz':
      return column({ type: 'INT64', converted_type: 'TIMESTAMP_MICROS', logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' } }, micros);
    case 'numeric':
      return decimalColumn(modifier, name, column) ?? text;
    case 'text':
    case 'other':
      return text;
  }
}

/** A `numeric(p,s)` of up to 38 digits; one without a scale can be any number, which only a text holds. */
function decimalColumn(modifier: number, name: string, column: (element: Omit<SchemaElement, 'name' | 'repetition_type'>, read: ParquetColumn['read']) => ParquetColumn): ParquetColumn | null {
  const decimal = decimalOf(modifier);
  if (decimal === null || decimal.precision > 38 || decimal.scale < 0 || decimal.scale > decimal.precision) return null;
  const { precision, scale } = decimal;
  const size = precision <= 18 ? ({ type: 'INT64' } as const) : ({ type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16 } as const);
  return column({ ...size, converted_type: 'DECIMAL', logical_type: { type: 'DECIMAL', precision, scale }, precision, scale }, (value) => unscaled(value, scale, name));
}

function unscaled(value: string, scale: number, name: string): bigint {
  if (!/^-?\d/.test(value)) {
    throw exportFault('value_not_expressible', { message: `"${name}" holds ${value}, which a decimal of Parquet cannot be`, hint: `Write it as a text or a double: select=…,${name}::text.` });
  }
  const [whole = '', fraction = ''] = value.split('.');
  return BigInt(whole + fraction.padEnd(scale, '0'));
}

/** Infinity as DuckDB and Arrow have it. */
const forever = 2n ** 63n - 1n;

function micros(value: string): bigint {
  const moment = microsOf(value);
  if (typeof moment === 'bigint') return moment;
  return moment === 'infinity' ? forever : -forever;
}

function daysOf(value: string): number {
  const moment = microsOf(value);
  if (typeof moment === 'bigint') return Number(moment / 86_400_000_000n);
  return moment === 'infinity' ? 2 ** 31 - 1 : -(2 ** 31) + 1;
}
