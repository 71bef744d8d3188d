import { Fault } from '@mainstay/domain';
import type { RestOptions } from './options.ts';
import type { Plan } from './plan.ts';

/**
 * Refuses an update or a deletion that names no rows, and so means all of them, for roles that need a filter. In the words of
 * PostgreSQL's `safeupdate`, which clients of this protocol know.
 * @throws Fault 21000
 */
export function refuseUnfiltered(plan: Plan, role: string, { filterNeededFor = [] }: RestOptions): void {
  if (plan.kind !== 'write' || (plan.write !== 'update' && plan.write !== 'delete') || !filterNeededFor.includes(role)) return;
  const { filters, logic } = plan.request.query;
  const isFiltered = [...filters, ...logic].some(({ path }) => path.length === 0);
  // Without columns nothing would change; with a key, each element names a row.
  if (isFiltered || plan.matching !== null || (plan.write === 'update' && plan.columns.length === 0)) return;
  throw new Fault('21000', { status: 400, message: `${plan.write === 'delete' ? 'DELETE' : 'UPDATE'} requires a WHERE clause` }, {
    hint: `Add a filter, such as ?${plan.collection.primaryKey[0] ?? 'id'}=eq.1. One that every row fulfils, such as ?${plan.collection.primaryKey[0] ?? 'id'}=not.is.null, says that all rows are meant.`,
  });
}
