import { fault } from './faults.ts';
import { verifyMatching } from './matching-report.ts';
import type { StatementPlan } from './plan.ts';

/** What the main statement gave, as PostgreSQL's texts. */
export interface Outcome {
  /** How many rows there are in all; null where nobody asked. */
  readonly total: number | null;
  /** How many rows this answer is about. */
  readonly page: number;
  readonly body: string | null;
  /** `response.headers` and `response.status`, where SQL set them. */
  readonly headers: string | null;
  readonly status: string | null;
  /** How many rows an upsert inserted. */
  readonly inserted: number | null;
  /** The key of the row that was inserted, as JSON of texts; of an update that names a row with each element, what became of them. */
  readonly location: string | null;
  /** By what the last row of a page was ordered, as JSON of texts, if another row follows. */
  readonly next?: string | null;
}

type Rows = readonly (readonly (string | null)[])[];

/** Reads the one row of the main statement. */
export function readOutcome(rows: Rows): Outcome {
  const [total = null, page = null, body = null, headers = null, status = null, inserted = null, location = null, next] = rows[0] ?? [];
  const number = (text: string | null): number | null => (text === null ? null : Number(text));
  return { total: number(total), page: Number(page ?? 0), body, headers, status, inserted: number(inserted), location, ...(next === undefined ? {} : { next }) };
}

/** An EXPLAIN has a row for each of its lines, and no outcome but its text. */
export function readExplained(rows: Rows): Outcome {
  return { total: null, page: 1, body: rows.map(([line]) => `${line ?? ''}\n`).join(''), headers: null, status: null, inserted: null, location: null };
}

/** The planner's guess of the number of rows, taken into the total as the request wants it. */
export function withEstimate(plan: StatementPlan, outcome: Outcome, rows: Rows): Outcome {
  const guess = Number((JSON.parse(rows[0]?.[0] ?? '[]') as { Plan?: { 'Plan Rows'?: number } }[])[0]?.Plan?.['Plan Rows'] ?? 0);
  if (plan.request.preferences.count === 'planned') return { ...outcome, total: guess };
  const isBeyond = plan.kind === 'read' && plan.maxRows !== null && outcome.total !== null && outcome.total > plan.maxRows;
  return isBeyond ? { ...outcome, total: Math.max(outcome.total!, guess) } : outcome;
}

/**
 * Refuses an outcome that is not what was asked for. Before the commit, so that nothing of it stays.
 * @throws Fault PGRST115, 116, 124.
 */
export function verify(plan: StatementPlan, { page, location }: Outcome): void {
  const { media } = plan.answer;
  const { handling, maxAffected } = plan.request.preferences;
  if (media.kind === 'plan') return;
  if (plan.kind === 'write' && plan.matching !== null) verifyMatching(plan, location);
  if (plan.kind === 'write' && plan.write === 'put' && page !== 1) throw fault('PGRST115');
  if (media.kind === 'object' && page !== 1) throw fault('PGRST116', { details: `The result contains ${page} rows` });
  const isLimited = plan.kind === 'call' || (plan.kind === 'write' && (plan.write === 'update' || plan.write === 'delete'));
  if (isLimited && handling === 'strict' && maxAffected !== null && page > maxAffected) throw fault('PGRST124', { details: `The query affects ${page} rows` });
}
