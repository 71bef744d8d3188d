import { plainConditions, whereOf } from './compile-read.ts';
import type { Body } from './parse-body.ts';
import type { Returning, WritePlan } from './plan.ts';
import type { WriteColumn } from './plan-types.ts';
import { quoteName, quoteQualified, type Values } from './sql.ts';

/** The rows of the body. */
export const bodyName = 'pgrst_body';
/** The elements of an update that names a row with each. */
const elementsName = 'pgrst_elements';

/** Counts the rows that an upsert inserted: one more for each tried, one less for each that was there. */
const insertedSetting = 'pgrst.inserted';
export const insertedSql = `nullif(current_setting('${insertedSetting}', true), '')`;
const countInserted = (change: '+ 1' | '- 1'): string => `set_config('${insertedSetting}', (coalesce(${insertedSql}::int, 0) ${change})::text, true) <> ''`;

/** Writes the statement that inserts, updates or deletes. */
export function writeSql(plan: WritePlan, values: Values): string {
  switch (plan.write) {
    case 'insert':
    case 'put':
      return insertSql(plan, values);
    case 'update':
      return updateSql(plan, values);
    case 'delete':
      return deleteSql(plan, values);
  }
}

/** Whether the answer's status depends on how many rows were new. */
export function countsInserted({ conflict }: WritePlan): boolean {
  return conflict?.resolution === 'merge';
}

function insertSql(plan: WritePlan, values: Values): string {
  const { collection, columns } = plan;
  const names = columns.map(({ name }) => quoteName(name)).join(', ');
  const list = columns.length === 0 ? '' : ` (${names})`;
  return `insert into ${quoteQualified(collection)} as ${quoteName(collection.name)}${list} ${insertedRows(plan, values)}${conflictSql(plan)} ${returningSql(plan.returning, collection.name)}`;
}

function insertedRows(plan: WritePlan, values: Values): string {
  const { body, columns } = plan;
  const isPlain = !countsInserted(plan) && plan.conditions.length === 0;
  if (columns.length === 0 && body!.isObject && isPlain) return 'default values';
  const names = columns.map(({ name }) => `${bodyName}.${quoteName(name)}`).join(', ');
  const rows = bodyRows(plan, values);
  const conditions = [...(countsInserted(plan) ? [countInserted('+ 1')] : []), ...plainConditions(plan.conditions, bodyName, values)];
  return `select ${names} from ${rows}${whereOf(conditions)}`;
}

function conflictSql({ conflict, columns }: WritePlan): string {
  if (conflict === null) return '';
  const target = ` on conflict (${conflict.columns.map(quoteName).join(', ')})`;
  if (conflict.resolution === 'ignore' || columns.length === 0) return `${target} do nothing`;
  const changes = columns.map(({ name }) => `${quoteName(name)} = excluded.${quoteName(name)}`).join(', ');
  return `${target} do update set ${changes} where ${countInserted('- 1')}`;
}

function updateSql(plan: WritePlan, values: Values): string {
  const { collection, columns, returning } = plan;
  const table = `${quoteQualified(collection)} as ${quoteName(collection.name)}`;
  // Nothing to change: no row is touched, but the answer's columns must exist.
  if (columns.length === 0) return `select ${returningList(returning, collection.name)} from ${table} where false`;
  const changes = columns.filter(({ name }) => !plan.matching?.includes(name)).map(({ name }) => `${quoteName(name)} = ${bodyName}.${quoteName(name)}`).join(', ');
  const rows = plan.matching === null ? bodyRows(plan, values, true) : `${elementsName} as ${bodyName}`;
  const where = whereOf([...matched(plan), ...plainConditions(plan.conditions, collection.name, values)]);
  return `update ${table} set ${changes} from ${rows}${where} ${returningSql(returning, collection.name)}`;
}

/** Each row takes the element that has its key. */
function matched({ collection, matching }: WritePlan): string[] {
  return (matching ?? []).map((name) => `${quoteName(collection.name)}.${quoteName(name)} = ${bodyName}.${quoteName(name)}`);
}

/** The elements of an update that names a row with each, to stand before it; nothing for any other write. */
export function elementsSql(plan: WritePlan, values: Values): string {
  return plan.matching === null ? '' : `${elementsName} as materialized (select * from ${bodyRows(plan, values)}), `;
}

/** What the elements were and what became of them, as JSON. */
export function elementsReport({ matching }: WritePlan, updated: string): string {
  const keys = matching!.map(quoteName).join(', ');
  const lacking = matching!.map((name) => `${quoteName(name)} is null`).join(' or ');
  return `(select json_build_object('given', count(*), 'lacking', count(*) filter (where ${lacking}), 'distinct', count(distinct (${keys})), 'updated', (select count(*) from ${updated})) from ${elementsName})`;
}

function deleteSql({ collection, conditions, returning }: WritePlan, values: Values): string {
  const where = whereOf(plainConditions(conditions, collection.name, values));
  return `delete from ${quoteQualified(collection)} as ${quoteName(collection.name)}${where} ${returningSql(returning, collection.name)}`;
}

function returningSql(returning: Returning, alias: string): string {
  return `returning ${returningList(returning, alias)}`;
}

/** The columns that what follows reads; `1` where it only counts. */
export function returningList(returning: Returning, alias: string): string {
  if (returning === null) return '1';
  const columns = [...(returning.hasStar ? [`${quoteName(alias)}.*`] : []), ...returning.names.map((name) => `${quoteName(alias)}.${quoteName(name)}`)];
  return columns.length === 0 ? '1' : columns.join(', ');
}

/** The body as rows of the columns' types, read by PostgreSQL from the JSON text itself. */
function bodyRows({ body, columns, usesDefaults }: WritePlan, values: Values, isSingle = false): string {
  const json = body!;
  if (columns.length === 0) return `${elements(json, values)} as ${bodyName}`;
  if (usesDefaults) return rowsWithDefaults(json, columns, values, isSingle);
  const limit = isSingle && !json.isObject ? ' limit 1' : '';
  const rows = `json_to_record${json.isObject ? '' : 'set'}(${values.bind(json.text)}::json)`;
  const hasParsers = columns.some(({ parser }) => parser !== null);
  if (!hasParsers && limit === '') return `${rows} as ${bodyName}(${definitions(columns)})`;
  return `(select ${columns.map(parsedColumn).join(', ')} from ${rows} as r(${definitions(columns)})${limit}) as ${bodyName}`;
}

/** Where a key is absent, the column's default expression is evaluated for that row. */
function rowsWithDefaults(json: JsonBody, columns: readonly WriteColumn[], values: Values, isSingle: boolean): string {
  const list = columns.map((column) => {
    const value = column.parser === null ? `r.${quoteName(column.name)}` : `${column.parser}(r.${quoteName(column.name)})`;
    if (column.default === null) return `${value} as ${quoteName(column.name)}`;
    return `case when (e.element -> ${keyLiteral(column.name)}) is null then ${column.default} else ${value} end as ${quoteName(column.name)}`;
  });
  const rows = `${elements(json, values)} as e(element), json_to_record(e.element) as r(${definitions(columns)})`;
  return `(select ${list.join(', ')} from ${rows}${isSingle ? ' limit 1' : ''}) as ${bodyName}`;
}

type JsonBody = Extract<Body, { kind: 'json' }>;

function elements(json: JsonBody, values: Values): string {
  const text = `${values.bind(json.text)}::json`;
  return json.isObject ? `(select ${text})` : `json_array_elements(${text})`;
}

function definitions(columns: readonly WriteColumn[]): string {
  return columns.map(({ name, type, parser }) => `${quoteName(name)} ${parser === null ? unmeasured(type) : 'json'}`).join(', ');
}

/** Vectors in SQL are measured when they reach their column, and not when they are read as what has its length already. */
function unmeasured(type: string): string {
  return type.replace(/^([^()]*\.)?(vector|halfvec|sparsevec)\(\d+\)$/, '$1$2');
}

function parsedColumn({ name, parser }: WriteColumn): string {
  return parser === null ? `r.${quoteName(name)}` : `${parser}(r.${quoteName(name)}) as ${quoteName(name)}`;
}

function keyLiteral(name: string): string {
  return `'${name.replaceAll("'", "''")}'::text`;
}
