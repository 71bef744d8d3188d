import type { Transaction } from './statement.ts';

/** Takes a lock by name for the rest of the transaction; false at once when another transaction has it. */
export async function tryLock(tx: Pick<Transaction, 'rows'>, name: string): Promise<boolean> {
  const [row] = await tx.rows<{ isMine: boolean }>(`select pg_try_advisory_xact_lock(hashtextextended($1, 7)) as "isMine"`, [name]);
  return row!.isMine;
}
