import { callSql, scalarName } from './compile-call.ts';
import { answerName, estimateOf, totalSql, type SqlStatement } from './compile.ts';
import { rowsName, selectRows } from './compile-read.ts';
import { csvHeaderSql, csvLineSql } from './csv-sql.ts';
import { withEstimate, type Outcome } from './outcome.ts';
import type { CallPlan, Plan, ReadPlan } from './plan.ts';
import { render, type RestAnswer } from './render.ts';
import { returnsScalar } from './schema-cache.ts';
import { quoteName, Values } from './sql.ts';
import { capped, isEverything, type Window } from './window.ts';

/** A read whose rows can be sent as they come. */
export type StreamPlan = (ReadPlan | CallPlan) & { readonly lines: 'csv' | 'ndjson' };

/** A page of CSV up to this many rows is made whole, in one round trip. */
const wholeRows = 1000;

/**
 * The plan as a stream, or null where its answer is to be made whole: only rows of a read that changes nothing can be sent
 * before the last of them is known. A stream has its own limit of rows; what is embedded keeps that of all reads.
 */
export function asStream(plan: Plan, { maxRows, isCsvLimited }: { readonly maxRows: number | null; readonly isCsvLimited: boolean }): StreamPlan | null {
  if ((plan.kind !== 'read' && plan.kind !== 'call') || (plan.kind === 'read' && plan.keyset !== null)) return null;
  const { kind } = plan.answer.shape;
  const window = kind === 'csv' && isCsvLimited ? plan.root.window : capped(plan.request.window, maxRows);
  const givesRows = plan.kind === 'read' || (plan.access.isReadOnly && plan.routine.returns.isSet);
  const isLong = kind === 'ndjson' || (kind === 'csv' && (window.limit === null || window.limit > wholeRows));
  if (!givesRows || !isLong || plan.answer.media.kind === 'plan') return null;
  return { ...plan, root: { ...plan.root, window }, maxRows, lines: kind };
}

export interface CompiledStream {
  /** Gives a row for each line; of CSV the first has the header as its second column. */
  readonly lines: SqlStatement;
  /** Counts all rows, beyond the window too; null where nobody asked for the exact number. */
  readonly total: SqlStatement | null;
  readonly estimate: SqlStatement | null;
}

/** Writes a stream as SQL. The statement for lines is one that a cursor can be declared for. */
export function compileStream(plan: StreamPlan): CompiledStream {
  const values = new Values();
  const text = `${sourceSql(plan, values)}${answerName} as (${selectRows(plan.root, values)}) select ${lineSql(plan)} from ${answerName}`;
  return { lines: { text, values: values.all }, total: totalOf(plan), estimate: estimateOf(plan) };
}

function sourceSql(plan: StreamPlan, values: Values): string {
  return plan.kind === 'read' ? 'with ' : `with ${rowsName} as (${callSql(plan, values)}), `;
}

function lineSql(plan: StreamPlan): string {
  const row = `${answerName}.*`;
  if (plan.lines === 'csv') return `${csvLineSql(row)}, case when row_number() over () = 1 then ${csvHeaderSql(row)} end`;
  return plan.kind === 'call' && returnsScalar(plan.routine) ? `to_json(${answerName}.${quoteName(scalarName)})` : `row_to_json(${row})`;
}

/** Without a window the rows are still to come, so they are counted by a statement of its own all the same. */
function totalOf(plan: StreamPlan): SqlStatement | null {
  if (plan.request.preferences.count !== 'exact') return null;
  const values = new Values();
  const counted = isEverything(plan.root.window) ? { ...plan, root: { ...plan.root, window: countedWindow } } : plan;
  const source = plan.kind === 'read' ? '' : `with ${rowsName} as (${callSql(plan, values)}) `;
  return { text: `${source}select ${totalSql(counted, values)}`, values: values.all };
}

/** Any window that is not everything. */
const countedWindow: Window = { offset: 1, limit: null };

/** The planner's guess of the total, for `planned` and `estimated` alike: to count a stream would be to make it twice. */
export function estimatedTotal(plan: StreamPlan, outcome: Outcome, rows: readonly (readonly (string | null)[])[]): number | null {
  const preferences = { ...plan.request.preferences, count: 'planned' } as const;
  return withEstimate({ ...plan, request: { ...plan.request, preferences } }, outcome, rows).total;
}

/** How rows become lines. JSON that is kept as it came in may have line breaks, and PostgreSQL writes some between rows of an embed. */
export const lineFormats = { csv: { isBroken: 'before', ifNull: '' }, ndjson: { isBroken: 'after', ifNull: 'null' } } as const;

/** What stands before the first line. Of no rows nobody knows the names: then the header is empty. */
export function headOf(plan: StreamPlan, first: { readonly second: string | null } | null): string {
  if (plan.lines === 'ndjson') return '';
  return first === null ? '\n' : (first.second ?? '');
}

/** The last line of newline-delimited JSON that could not be sent to its end. No row has this key alone. */
export function errorLine(fault: { readonly code: string; readonly message: string; readonly details: unknown; readonly hint: string | null }): string {
  const { code, message, details, hint } = fault;
  return `${JSON.stringify({ $error: { code, message, details, hint } })}\n`;
}

/**
 * Writes the head of an answer whose rows are still to come. How many there will be follows from an exact count; without one
 * no `Content-Range` is sent, and with an estimate only the total.
 */
export function renderStream(plan: StreamPlan, told: Pick<Outcome, 'total' | 'headers' | 'status'>, pieces: AsyncIterable<Uint8Array>): RestAnswer {
  const { limit, offset } = plan.root.window;
  const page = told.total === null ? 0 : Math.min(limit ?? Infinity, Math.max(0, told.total - offset));
  const { status, headers } = render(plan, { ...told, page, body: null, inserted: null, location: null });
  const isExact = plan.request.preferences.count === 'exact';
  const range: RestAnswer['headers'] = told.total === null ? [] : [['Content-Range', `*/${told.total}`]];
  return { status, headers: isExact ? headers : [...headers.filter(([name]) => name !== 'Content-Range'), ...range], body: pieces };
}
