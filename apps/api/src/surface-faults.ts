import { faultsOf } from '@mainstay/domain';

/** What every surface of our own may answer, whatever it is about. */
export const surfaceFaults = {
  database_unreachable: { status: 503, message: 'The database cannot be reached right now; nothing was changed' },
  outcome_unknown: { status: 503, message: 'The connection to the database broke while the change was being committed: it may or may not have happened' },
  too_busy: { status: 503, message: 'Too many requests are waiting for the database' },
  row_is_busy: { status: 503, message: 'Another change to the same thing is taking long' },
  took_too_long: { status: 500, message: 'The database ended the statement because it took too long' },
  request_not_valid: { status: 400, message: 'The request is not valid' },
  unexpected: { status: 500, message: 'Something went wrong on our side' },
} as const;

export const surfaceFault = faultsOf(surfaceFaults);
