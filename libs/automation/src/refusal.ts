import { isDatabaseError, type DatabaseError } from '@mainstay/persistence';

/** Why PostgreSQL did not take some rows. */
export interface Refusal {
  readonly reason: string;
  /** The column, where PostgreSQL or we can name it. */
  readonly column: string | null;
  /** The constraint, from which the column can be found. */
  readonly constraint: string | null;
  /** Which of the rows it was, counted from 0 in lines as COPY counts them; null where PostgreSQL does not say. Only a hint. */
  readonly copyLine: number | null;
  readonly sqlState: string | null;
}

/** Rows that we refuse ourselves, in PostgreSQL's place. */
export class RowsRefused extends Error {
  constructor(
    reason: string,
    readonly column: string | null,
    readonly at: number | null,
  ) {
    super(reason);
    this.name = 'RowsRefused';
  }
}

/**
 * What an error says about the rows; null if it is not about them: the connection broke, the server is stopping, a lock or a
 * serialization failed, a statement took too long. Then the rows may be good, and are tried again.
 */
export function refusalOf(error: unknown): Refusal | null {
  if (error instanceof RowsRefused) return { reason: error.message, column: error.column, constraint: null, copyLine: error.at, sqlState: null };
  if (!isDatabaseError(error) || !isAboutRows(error.code ?? '')) return null;
  return {
    reason: reasonOf(error),
    column: error.column ?? columnIn(error.message),
    constraint: error.constraint ?? null,
    copyLine: copyLineIn(error.where),
    sqlState: error.code ?? null,
  };
}

/** PostgreSQL refuses the statement as such, whatever the rows are: a dropped table, a column that is gone, a missing grant on a function. */
export function refusesStatement(error: unknown): error is DatabaseError {
  return isDatabaseError(error) && /^(42|0A|3F|3D|28|2F003)/.test(error.code ?? '') && !isAboutRows(error.code ?? '');
}

/** A statement that was stopped because it took too long, or by an administrator. */
export function tookTooLong(error: unknown): boolean {
  return isDatabaseError(error) && error.code === '57014';
}

/** Classes of SQLSTATE that tell of the server, the connection or the statement. A trigger may raise any other, also of its own making. */
const notAboutRows = /^(00|01|02|03|08|0A|0B|25|26|28|34|3D|3F|40|42|53|55|57|58|72|F0|XX)/;
/** Of class 42: a row policy or a grant that a trigger lacks; a value for a column that is always generated; a wrong type in a record. */
const aboutRowsAllTheSame = new Set(['42501', '428C9', '42804']);

function isAboutRows(code: string): boolean {
  return code !== '' && (aboutRowsAllTheSame.has(code) || !notAboutRows.test(code));
}

/** The message with its detail, but not "Failing row contains …": that repeats the row, with columns that its sender may not even see. */
function reasonOf({ message, detail }: DatabaseError): string {
  return detail === undefined || detail.startsWith('Failing row contains') ? message : `${message}: ${detail}`;
}

function columnIn(message: string): string | null {
  return /^missing data for column "(.*)"$/s.exec(message)?.[1] ?? null;
}

function copyLineIn(where: string | undefined): number | null {
  const line = /^COPY .*?, line (\d+)/m.exec(where ?? '')?.[1];
  return line === undefined ? null : Number(line) - 1;
}

/** The column that COPY was reading, of the given ones. */
export function copyColumnIn(error: unknown, columns: readonly string[]): string | null {
  if (!isDatabaseError(error) || error.where === undefined) return null;
  const { where } = error;
  return columns.find((column) => where.includes(`, column ${column}: `)) ?? null;
}
