import { fault, faultOfDatabase } from '@mainstay/dialect';
import { ConnectionLost, isDatabaseError, PoolTimeout } from '@mainstay/persistence';

export interface AnswerTerms {
  /** Nobody signed in: a missing right is 401 and not 403. */
  readonly isAnonymous: boolean;
  readonly isReadOnly: boolean;
}

/** What is answered when the database refuses, is away or is busy; anything else is handed back as it is. */
export function answerOfError(error: unknown, { isAnonymous, isReadOnly }: AnswerTerms): unknown {
  if (isDatabaseError(error)) return faultOfDatabase(error, isAnonymous);
  if (error instanceof PoolTimeout) return fault('PGRST003', { headers: retryAfter, cause: error });
  if (!(error instanceof ConnectionLost)) return error;
  if (!error.isOutcomeUnknown || isReadOnly) return fault('PGRST000', { headers: retryAfter, cause: error });
  return fault('PGRST001', {
    message: 'The connection to the database broke: it is unknown whether the request took effect.',
    hint: 'It is safe to send it again with the Idempotency-Key that it had.',
    headers: retryAfter,
    cause: error,
  });
}

const retryAfter = { 'Retry-After': '1' } as const;
