import type { Transaction } from '@mainstay/persistence';

/** Thrown through a transaction to undo it; carries out what it did. */
class RolledBack<T> extends Error {
  constructor(readonly outcome: T) {
    super('rolled back as asked');
  }
}

/** Ends a transaction without effect. Deferred constraints are checked as a commit would, so that the answer tells the same. */
export async function rollBack<T>(tx: Transaction, outcome: T): Promise<never> {
  await tx.run({ text: 'set constraints all immediate', values: [] });
  throw new RolledBack(outcome);
}

/** Runs a transaction and gives what it did, also where it was undone by `rollBack`. */
export async function evenIfRolledBack<T>(transaction: () => Promise<T>): Promise<T> {
  try {
    return await transaction();
  } catch (error) {
    if (error instanceof RolledBack) return error.outcome as T;
    throw error;
  }
}

/** Undoes one part of a transaction, and gives what it did. */
export function undone<T>(tx: Transaction, part: () => Promise<T>): Promise<T> {
  return evenIfRolledBack(() =>
    tx.savepoint(async () => {
      throw new RolledBack(await part());
    }),
  );
}
