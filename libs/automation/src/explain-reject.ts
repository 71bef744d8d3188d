import type { Reject, Transaction } from '@mainstay/persistence';
import { parse } from 'csv-parse/sync';
import { copyColumnIn, refusalOf, type Refusal } from './refusal.ts';
import { typedColumns, type Destination } from './write-rows.ts';

/** A value is shown up to this length: it says what was wrong, the file has the rest. */
const longestShown = 1000;

/** A refused row: where it stands in the file, and its own text. */
export interface RefusedRow {
  readonly row: number;
  readonly line: number;
  readonly record: Uint8Array;
}

/** Says which column of a row PostgreSQL refused, with its value; the whole row where it was no single column. */
export async function explainReject(tx: Transaction, to: Destination, { row, line, record }: RefusedRow, refusal: Refusal, error: unknown): Promise<Reject> {
  const text = Buffer.from(record).toString('utf8');
  const column = refusal.column ?? copyColumnIn(error, to.terms.columns) ?? columnOfConstraint(to, refusal) ?? (await columnThatFails(tx, to, refusal, text));
  const value = column === null ? text : valueOf(to, text, column);
  return { row, line, column, value: value === null ? null : shownValue(value), reason: shownValue(refusal.reason) };
}

function columnOfConstraint({ target }: Destination, { constraint }: Refusal): string | null {
  const columns = constraint !== null && Object.hasOwn(target.constraints, constraint) ? target.constraints[constraint]! : [];
  return columns.length === 1 ? columns[0]! : null;
}

/** For JSON, PostgreSQL names the value but not its key: so each key is tried alone. */
async function columnThatFails(tx: Transaction, to: Destination, { sqlState }: Refusal, text: string): Promise<string | null> {
  if (to.format !== 'ndjson' || sqlState?.startsWith('22') !== true || jsonOf(text) === null) return null;
  for (const name of to.terms.columns) {
    try {
      await tx.savepoint(() => tx.rows(`select from json_to_record($1::json) as record (${typedColumns(to.target, [name])})`, [text]));
    } catch (error) {
      if (refusalOf(error) === null) throw error;
      return name;
    }
  }
  return null;
}

function valueOf({ format, terms }: Destination, text: string, column: string): string | null {
  if (format === 'ndjson') return jsonOf(text)?.get(column) ?? null;
  try {
    const [fields] = parse(text, { delimiter: terms.delimiter, relax_quotes: true, relax_column_count: true });
    return fields?.[terms.columns.indexOf(column)] ?? null;
  } catch {
    return text;
  }
}

/** The values of a JSON object as text; numbers keep the digits that the file has. */
function jsonOf(text: string): Map<string, string> | null {
  try {
    const value: unknown = JSON.parse(text, ((_key: string, item: unknown, { source }: { source?: string }) => (typeof item === 'number' ? new Digits(source ?? String(item)) : item)) as never);
    if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Digits) return null;
    return new Map(Object.entries(value).map(([key, item]) => [key, typeof item === 'string' ? item : JSON.stringify(item)]));
  } catch {
    return null;
  }
}

/** A number as it was written. */
class Digits {
  constructor(readonly digits: string) {}

  toJSON(): unknown {
    return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(this.digits);
  }
}

/** Text that PostgreSQL can keep: it knows no NUL. */
function shownValue(value: string): string {
  const kept = value.replaceAll('\0', '\u2400');
  return kept.length > longestShown ? `${kept.slice(0, longestShown).toWellFormed()}…` : kept;
}
