import { isDatabaseError } from '@mainstay/persistence';
import { fault } from './faults.ts';

/** What a unique index of the accounts' tables says when somebody was faster. */
export function takenBy(error: unknown): 'email' | 'phone' | null {
  if (!isDatabaseError(error) || error.code !== '23505') return null;
  if (error.constraint === 'users_email_partial_key') return 'email';
  return error.constraint === 'users_phone_key' ? 'phone' : null;
}

/** Runs a change of accounts and words what the database says against it; a trigger of the project's own may refuse it too. */
export async function saving<T>(message: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isDatabaseError(error)) throw error;
    const taken = takenBy(error);
    if (taken !== null) throw fault(taken === 'email' ? 'email_exists' : 'phone_exists', { cause: error });
    throw fault('unexpected_failure', { message, cause: error });
  }
}
