import { quoteName } from './administrator.ts';
import type { Transaction } from './statement.ts';

export interface RoutineCall {
  readonly schema: string;
  readonly routine: string;
  /** JSON; the function takes it as `json` or `jsonb`. */
  readonly input: string;
  readonly limitMs: number;
}

/** Calls a function of the project's own, as the login itself and within a time; gives its result as text. */
export async function callRoutine(tx: Pick<Transaction, 'rows'>, { schema, routine, input, limitMs }: RoutineCall): Promise<string | null> {
  const [before] = await tx.rows<{ kept: string }>(`select current_setting('statement_timeout') as kept, set_config('statement_timeout', $1::text, true)`, [`${limitMs}ms`]);
  const [row] = await tx.rows<{ answer: string | null }>(`select ${quoteName(schema)}.${quoteName(routine)}($1)::text as answer`, [input]);
  await tx.rows(`select set_config('statement_timeout', $1::text, true)`, [before!.kept]);
  return row?.answer ?? null;
}
