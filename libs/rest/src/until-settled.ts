import { Fault } from '@mainstay/domain';
import { isDatabaseError } from '@mainstay/persistence';

/** serialization_failure, deadlock_detected. */
const hindrances = new Set(['40001', '40P01']);
const mostTries = 4;

/** Two transactions that hinder each other both roll back whole, so the work may simply be done again. */
export async function untilSettled<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      // In a transaction of many requests the error has become the answer of one of them.
      const code = isDatabaseError(error) || error instanceof Fault ? error.code : null;
      if (!hindrances.has(code ?? '') || tries === mostTries) throw error;
    }
  }
}
