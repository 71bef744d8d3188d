import { selectRows } from './compile-read.ts';
import { fault } from './faults.ts';
import type { Plan, ReadPlan } from './plan.ts';
import type { Output } from './plan-types.ts';
import { quoteLiteral, Values } from './sql.ts';
import { capped } from './window.ts';

/**
 * The plan of a read that gives its rows as a table with columns, and not as an answer of the data API: as many rows as are asked
 * for, and each column as it is stored, without the words that a domain has for JSON.
 * @throws Fault for pages, which are answers
 */
export function asTable(plan: Plan, maxRows: number | null): ReadPlan {
  if (plan.kind !== 'read') throw new Error('only a read gives a table');
  if (plan.keyset !== null) throw fault('PGRSTX50', { details: 'A table is given whole.', hint: 'Leave the cursor out.' });
  return { ...plan, root: { ...plan.root, outputs: plan.root.outputs.map(asStored), window: capped(plan.request.window, maxRows) } };
}

function asStored(output: Output): Output {
  return output.kind === 'value' ? { ...output, formatter: null } : output;
}

/**
 * Writes the query for a table's rows with its values as literals: COPY takes no bound values. They are of no type, as bound
 * ones are, so PostgreSQL takes them for the same.
 */
export function tableSql(plan: ReadPlan): string {
  return selectRows(plan.root, new Literals());
}

class Literals extends Values {
  override bind(value: string | number | null): string {
    if (value === null) return 'null';
    const text = String(value);
    // PostgreSQL would read the query only up to there.
    if (text.includes('\0')) throw fault('PGRST100', { details: 'A value holds the character NUL, which PostgreSQL does not know.' });
    return quoteLiteral(text);
  }
}
