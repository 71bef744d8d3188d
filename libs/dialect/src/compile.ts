import { callSql, scalarName } from './compile-call.ts';
import { countRows, keyedRows, matchingRows, rowsName, selectRows } from './compile-read.ts';
import { countsInserted, elementsReport, elementsSql, insertedSql, writeSql } from './compile-write.ts';
import { csvHeaderSql, csvLineSql, jsonLineSql } from './csv-sql.ts';
import type { Keyset } from './plan-keyset.ts';
import type { PlanOption } from './media-types.ts';
import type { Shape } from './negotiate.ts';
import type { CallPlan, ReadPlan, StatementPlan, WritePlan } from './plan.ts';
import type { Node } from './plan-types.ts';
import { returnsScalar, type Routine } from './schema-cache.ts';
import { quoteLiteral, quoteName, quoteQualified, Values } from './sql.ts';
import { isEverything } from './window.ts';

/** SQL with its values. The text depends on the request's shape only, so it may be prepared and kept. */
export interface SqlStatement {
  readonly text: string;
  readonly values: readonly unknown[];
}

export interface Compiled {
  /** Gives one row: the columns of `outcomeColumns`. */
  readonly main: SqlStatement;
  /** Asks the planner how many rows there may be, as JSON; null where nobody asked. */
  readonly estimate: SqlStatement | null;
}

/** What the main statement gives, in this order. */
export const outcomeColumns = ['total', 'page', 'body', 'headers', 'status', 'inserted', 'location'] as const;

/** Writes a plan as SQL: one statement, in which PostgreSQL makes the body. */
export function compile(plan: StatementPlan): Compiled {
  const values = new Values();
  const text = mainSql(plan, values);
  const { media } = plan.answer;
  const main = media.kind === 'plan' ? explained(text, media.format, media.options) : text;
  return { main: { text: main, values: values.all }, estimate: estimateOf(plan) };
}

function mainSql(plan: StatementPlan, values: Values): string {
  switch (plan.kind) {
    case 'read':
      return readStatement(plan, values);
    case 'write':
      return writeStatement(plan, values);
    case 'call':
      return callStatement(plan, values);
  }
}

/** The rows of the answer. */
export const answerName = '"answer"';

function readStatement(plan: ReadPlan, values: Values): string {
  if (plan.keyset !== null) return keysetStatement(plan, plan.keyset, values);
  const rows = selectRows(plan.root, values);
  const total = totalSql(plan, values);
  return `with ${answerName} as (${rows}) ${outcome({ total, body: bodySql(plan.answer.shape, null) })}`;
}

/** One row more than the page is read: whether it is there says whether a page follows. */
function keysetStatement(plan: ReadPlan, keyset: Keyset, values: Values): string {
  const { limit } = plan.root.window;
  const keyed = keyedRows({ ...plan.root, window: { offset: 0, limit: limit === null ? null : limit + 1 } }, keyset, values);
  const most = limit === null ? null : values.bind(limit);
  const keys = keyset.terms.map((_, i) => `${answerName}."k${i + 1}"::text`).join(', ');
  const last = `(array_agg(json_build_array(${keys})::text))[count(*)::int]`;
  const next = most === null ? 'null' : `case when (select count(*) from "keyed") > ${most} then ${last} end`;
  const page = `select * from "keyed"${most === null ? '' : ` limit ${most}`}`;
  return `with "keyed" as (${keyed}), ${answerName} as (${page}) ${outcome({ total: totalSql(plan, values), body: bodySql(plan.answer.shape, null, '"row"'), next })}`;
}

function writeStatement(plan: WritePlan, values: Values): string {
  const written = `with ${elementsSql(plan, values)}${rowsName} as (${writeSql(plan, values)})`;
  const inserted = countsInserted(plan) ? insertedSql : 'null';
  const location = plan.matching !== null ? elementsReport(plan, rowsName) : plan.wantsLocation ? locationSql(plan.collection.primaryKey) : 'null';
  // Without a body nothing is selected: the columns asked for may not be among those returned.
  if (plan.answer.shape.kind === 'nothing') return `${written}, ${answerName} as (select * from ${rowsName}) ${outcome({ inserted, location })}`;
  return `${written}, ${answerName} as (${selectRows(plan.root, values)}) ${outcome({ inserted, location, body: bodySql(plan.answer.shape, null) })}`;
}

function callStatement(plan: CallPlan, values: Values): string {
  const called = callSql(plan, values);
  const rows = selectRows(plan.root, values);
  const page = plan.routine.returns.isSet ? 'count(*)' : '1';
  return `with ${rowsName} as (${called}), ${answerName} as (${rows}) ${outcome({ total: totalSql(plan, values), page, body: bodySql(plan.answer.shape, plan.routine) })}`;
}

interface Outcome {
  readonly total?: string;
  readonly page?: string;
  readonly body?: string;
  readonly inserted?: string;
  readonly location?: string;
  readonly next?: string;
}

/** Of the rows as a sub-query: PostgreSQL then takes a row apart by its columns, and plans read as PostgREST's do. */
export function outcome({ total = 'null', page = 'count(*)', body = 'null', inserted = 'null', location = 'null', next }: Outcome): string {
  const setting = (name: string): string => `nullif(current_setting('${name}', true), '')`;
  return `select ${total}, ${page}, ${body}, ${setting('response.headers')}, ${setting('response.status')}, ${inserted}, ${location}${next === undefined ? '' : `, ${next}`} from (select * from ${answerName}) as ${answerName}`;
}

/** How the body is aggregated from the rows; PostgreSQL writes it, so numbers keep their digits and keys their order. */
export function bodySql(shape: Shape, routine: Routine | null, row = '*'): string {
  const isScalar = routine !== null && returnsScalar(routine);
  const item = isScalar ? `${answerName}.${scalarName}` : `${answerName}.${row}`;
  const isOne = routine !== null && !routine.returns.isSet;
  const one = (json: string): string => `coalesce(${json}->0, 'null')`;
  const many = (json: string): string => `coalesce(${json}, '[]')`;
  const stripped = (json: string): string => `json_strip_nulls(${json})`;
  const all = `json_agg(${item})`;
  switch (shape.kind) {
    case 'nothing':
      return 'null';
    case 'array':
      return isOne ? one(all) : many(all);
    case 'stripped-array':
      return isOne ? one(stripped(all)) : many(stripped(all));
    case 'object': {
      // One of a set of values is a row with that value in it, as the protocol's first server has it.
      const rows = isScalar && !isOne ? `json_agg(${answerName}.*)` : all;
      return one(shape.isStripped ? stripped(rows) : rows);
    }
    case 'csv':
      return csvSql(row);
    case 'ndjson':
      return `coalesce(string_agg(${jsonLineSql(isScalar ? `to_json(${item})` : `row_to_json(${item})`)} || E'\\n', ''), '')`;
    case 'geojson':
      return `json_build_object('type', 'FeatureCollection', 'features', coalesce(json_agg(ST_AsGeoJSON(${item})::json), '[]'))`;
    case 'custom':
      return customSql(shape, item, isScalar);
  }
}

/** Bytes come as hex digits, which no setting of the role can change. */
function customSql({ aggregate, rowType, isBinary }: Extract<Shape, { kind: 'custom' }>, item: string, isScalar: boolean): string {
  const argument = isScalar || rowType === null ? item : `(${item})::${quoteQualified(rowType)}`;
  const written = `${quoteQualified(aggregate)}(${argument})`;
  return isBinary ? `encode((${written})::bytea, 'hex')` : written;
}

function csvSql(row: string): string {
  const header = `coalesce((select ${csvHeaderSql(`h.${row}`)} from ${answerName} as h limit 1), '')`;
  return `${header} || E'\\n' || coalesce(string_agg(${csvLineSql(`${answerName}.${row}`)}, E'\\n'), '')`;
}

/** The key of the one row that was written, as JSON of texts. */
export function locationSql(primaryKey: readonly string[]): string {
  if (primaryKey.length === 0) return 'null';
  const members = primaryKey.map((name) => `${quoteLiteral(name)}, ${answerName}.${quoteName(name)}::text`).join(', ');
  return `case when count(*) = 1 then min(json_build_object(${members})::text) end`;
}

/** How many rows there are beyond the page. Without a window the page is all, and is counted already. */
export function totalSql({ root, request, maxRows }: ReadPlan | CallPlan, values: Values): string {
  const { count } = request.preferences;
  if (count !== 'exact' && count !== 'estimated') return 'null';
  if (isEverything(root.window)) return 'count(*)';
  // One more than a page: enough to know that there are more, and then the estimate counts.
  const limit = count === 'estimated' && maxRows !== null ? maxRows + 1 : null;
  return `(${countRows(countedNode(root), values, limit)})`;
}

/** Counting needs nothing of what is given, unless rows are grouped by it. */
function countedNode(root: Node): Node {
  return { ...root, order: [] };
}

export function estimateOf(plan: StatementPlan): SqlStatement | null {
  const { count } = plan.request.preferences;
  if (plan.kind !== 'read' || (count !== 'planned' && count !== 'estimated')) return null;
  const values = new Values();
  return { text: `explain (format json) ${matchingRows(plan.root, values)}`, values: values.all };
}

function explained(text: string, format: 'json' | 'text', options: readonly PlanOption[]): string {
  return `explain (format ${format}${options.map((option) => `, ${option}`).join('')}) ${text}`;
}
