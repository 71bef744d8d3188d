import pg from 'pg';

/** An error that PostgreSQL itself reported: `code` is its SQLSTATE. */
export const DatabaseError = pg.DatabaseError;
export type DatabaseError = pg.DatabaseError;

/** The database could not be reached, or the connection broke. */
export class ConnectionLost extends Error {
  /** True if a commit may have happened all the same: the answer was lost, not the work refused. */
  readonly isOutcomeUnknown: boolean;

  constructor(cause: unknown, isOutcomeUnknown: boolean) {
    super(`the database connection failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = 'ConnectionLost';
    this.isOutcomeUnknown = isOutcomeUnknown;
  }
}

/** Every connection of the pool was busy for longer than a request may wait. */
export class PoolTimeout extends Error {
  constructor(seconds: number) {
    super(`no database connection was free within ${seconds} s`);
    this.name = 'PoolTimeout';
  }
}

export function isDatabaseError(error: unknown): error is DatabaseError {
  return error instanceof pg.DatabaseError;
}

/** 57P01 to 57P03: the server is going down or not up yet; class 08: the connection broke; 53300: no slot is free. */
export function isConnectionError(error: unknown): boolean {
  if (error instanceof ConnectionLost) return true;
  // A function may raise these codes itself: that is an answer, and the connection goes on.
  if (isDatabaseError(error)) return error.severity !== 'ERROR' && (error.code === '53300' || /^(08|57P0[1-35])/.test(error.code ?? ''));
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === 'string' && /^(ECONN|EPIPE|ENOENT|ENOTFOUND|ETIMEDOUT|EHOST|ENET|EAI_)/.test(code)) return true;
  // pg gives these two without a code.
  return error instanceof Error && /^(Connection terminated|Client has encountered a connection error|Client was closed)/.test(error.message);
}
