import { answerName, bodySql, locationSql, outcome, type SqlStatement } from './compile.ts';
import { rowsName, selectRows } from './compile-read.ts';
import { countsInserted, insertedSql, writeSql } from './compile-write.ts';
import type { Outcome } from './outcome.ts';
import type { Returning, WritePlan } from './plan.ts';
import type { WriteColumn } from './plan-types.ts';
import type { Collection } from './schema-cache.ts';
import { quoteName, quoteQualified, Values } from './sql.ts';

/** Rows that one statement inserts, as JSON objects of their columns. */
export interface RowsToInsert {
  readonly collection: Collection;
  readonly columns: readonly WriteColumn[];
  readonly json: string;
  /** Keys that are absent take the column's default. */
  readonly usesDefaults: boolean;
  /** The columns whose values are wanted back, of each row in its order. */
  readonly keys: readonly string[];
}

/**
 * Writes the statement that inserts rows below the root. It gives their number and, row by row in the order in which they were
 * sent, the values of `keys`: a plain insertion stores and returns rows as its source gives them.
 */
export function insertBelow(plan: WritePlan, rows: RowsToInsert): SqlStatement {
  const values = new Values();
  const insert = insertSql({ ...plan, conflict: null }, rows, returningOf(rows.keys), values);
  return { text: `with ${rowsName} as (${insert}) select count(*), ${keysSql(rowsName, rows.keys)} from ${rowsName}`, values: values.all };
}

/** The same for the rows at the root, which the answer is made of: it also gives them whole, and what headers are made of. */
export function insertAtRoot(plan: WritePlan, rows: RowsToInsert): SqlStatement {
  const values = new Values();
  const insert = insertSql(plan, rows, withNames(plan.returning, rows.keys), values);
  const stored = plan.answer.shape.kind === 'nothing' ? 'null' : wholeRows(plan);
  const inserted = countsInserted(plan) ? insertedSql : 'null';
  const location = plan.wantsLocation ? locationSql(plan.collection.primaryKey) : 'null';
  const text = `with ${rowsName} as (${insert}), ${answerName} as (select * from ${rowsName}) select count(*), ${keysSql(answerName, rows.keys)}, ${stored}, ${inserted}, ${location} from ${answerName}`;
  return { text, values: values.all };
}

/** Reads the answer's body from the rows as they were stored, now that their children are there. */
export function readStored(plan: WritePlan, stored: string): SqlStatement {
  const values = new Values();
  const source = `select * from unnest(${values.bind(stored)}::${quoteQualified(plan.collection)}[])`;
  const text = `with ${rowsName} as (${source}), ${answerName} as (${selectRows(plan.root, values)}) ${outcome({ body: bodySql(plan.answer.shape, null) })}`;
  return { text, values: values.all };
}

/** Writes the statement that only reads one value as its column would: to find out which one is refused. */
export function readValue({ name, type, parser }: WriteColumn, row: string): SqlStatement {
  const column = quoteName(name);
  return { text: `select ${parser === null ? column : `${parser}(${column})`} from json_to_record($1::json) as r(${column} ${parser === null ? type : 'json'})`, values: [row] };
}

type Row = readonly (string | null)[];

/** What the insertion at the root gave. */
export function readRoot([page, keys, stored, inserted, location]: Row): { page: number; keys: string; stored: string | null; inserted: number | null; location: string | null } {
  return { page: Number(page), keys: keys ?? '[]', stored: stored ?? null, inserted: inserted ? Number(inserted) : null, location: location ?? null };
}

/** The outcome where nobody wants to see the rows. */
export function outcomeOfRoot({ page, inserted, location }: Pick<Outcome, 'page' | 'inserted' | 'location'>, [headers, status]: Row): Outcome {
  return { total: null, page, body: null, headers: headers ?? null, status: status ?? null, inserted, location };
}

function insertSql(plan: WritePlan, { collection, columns, json, usesDefaults }: RowsToInsert, returning: Returning, values: Values): string {
  const body = { kind: 'json', text: json, isObject: false, keys: columns.map(({ name }) => name) } as const;
  return writeSql({ ...plan, collection, columns, body, usesDefaults, returning }, values);
}

function returningOf(names: readonly string[]): Returning {
  return names.length === 0 ? null : { hasStar: false, names };
}

function withNames(returning: Returning, names: readonly string[]): Returning {
  if (returning === null) return returningOf(names);
  return returning.hasStar ? returning : { hasStar: false, names: [...new Set([...returning.names, ...names])] };
}

function keysSql(source: string, keys: readonly string[]): string {
  if (keys.length === 0) return 'null';
  return `json_agg(json_build_array(${keys.map((key) => `${source}.${quoteName(key)}`).join(', ')}))`;
}

/** The rows as PostgreSQL's own text of an array of them: it reads them back as they were, whatever their types. */
function wholeRows({ collection, returning }: WritePlan): string {
  const names = [...collection.columns.keys()];
  const given = new Set(returning?.names);
  const row = names.map((name) => (returning?.hasStar || given.has(name) ? `${answerName}.${quoteName(name)}` : 'null')).join(', ');
  return `coalesce(array_agg(row(${row})), '{}')::text`;
}
