import { fault } from './faults.ts';
import type { WritePlan } from './plan.ts';

/** What became of the elements of an update that names a row with each. */
interface Report {
  readonly given: number;
  /** Elements without a whole key. */
  readonly lacking: number;
  readonly distinct: number;
  readonly updated: number;
}

/** How many elements had no row, or none that the caller may change. */
export function missingRows(report: string | null): number {
  const { given, updated } = read(report);
  return given - updated;
}

/** Refuses elements that do not name one row each, and those without a row where that was asked for. @throws Fault PGRSTX32, PGRSTX33 */
export function verifyMatching({ matching, request }: WritePlan, report: string | null): void {
  const { given, lacking, distinct } = read(report);
  const key = matching!.map((column) => `"${column}"`).join(', ');
  if (lacking > 0) throw fault('PGRSTX32', { details: `${lacking} of ${given} have no ${key}.` });
  if (distinct < given) throw fault('PGRSTX32', { details: `${given} elements name ${distinct} rows: a ${key} comes more than once.` });
  const missing = missingRows(report);
  if (request.preferences.unmatched === 'refuse' && missing > 0) throw fault('PGRSTX33', { details: `${missing} of ${given} rows were not found.` });
}

function read(report: string | null): Report {
  return JSON.parse(report ?? '{"given":0,"lacking":0,"distinct":0,"updated":0}') as Report;
}
