import { fault, faultOfDatabase } from '@mainstay/dialect';
import { closest } from '@mainstay/domain';
import { isDatabaseError, type ExportFormat, type ExportTerms, type Session, type Transaction } from '@mainstay/persistence';
import type { TableRead } from '@mainstay/rest';
import { exportFault } from './export-faults.ts';
import { gzipped, type FilePiece } from './packed.ts';
import { writeCsv, writeNdjson } from './write-text.ts';

/**
 * The session in which rows are read to be written down: the caller's, with texts that say a value exactly and that PostgreSQL
 * reads back, whatever the role prefers. What a role may take for a request is no measure here; how long an export may take, whoever
 * runs it watches.
 */
export function exportSession({ session }: TableRead, maxSeconds: number): Session {
  const exact = { DateStyle: 'ISO, YMD', IntervalStyle: 'postgres', extra_float_digits: '1', bytea_output: 'hex', xmloption: 'content' };
  // A transaction between two pages waits for its reader.
  const patient = { statement_timeout: `${maxSeconds + 60}s`, idle_in_transaction_session_timeout: '600s', cursor_tuple_fraction: '1' };
  return { ...session, isReadOnly: true, settings: { ...session.settings, ...exact, ...patient } };
}

/** Prepares the transaction: what the operator runs before every request, and no limit of the login's transactions (PostgreSQL 17 and later have one). */
export async function openRead(tx: Transaction, { first }: TableRead): Promise<void> {
  if (first !== null) await tx.run(first);
  await tx.run({ text: `select case when current_setting('server_version_num')::int >= 170000 then set_config('transaction_timeout', '0', true) end`, values: [] });
}

/**
 * How many rows the planner expects. It reads the query as the caller, so an unknown column or a missing right is told before a
 * row is read.
 */
export async function estimateRows(tx: Transaction, { sql, costLimit }: TableRead): Promise<number> {
  const { rows } = await tx.run({ text: `explain (format json) ${sql}`, values: [] });
  const [explained] = JSON.parse(rows[0]![0]!) as { Plan?: { 'Plan Rows'?: number; 'Total Cost'?: number } }[];
  const cost = explained?.Plan?.['Total Cost'] ?? 0;
  if (costLimit !== null && cost > costLimit) {
    throw fault('PGRSTX21', {
      details: `The planner puts it at ${Math.round(cost)}, and ${costLimit} is allowed (MAINSTAY_AGGREGATE_COST_LIMIT).`,
      hint: 'Narrow it by filters on indexed columns, or ask with the service key.',
    });
  }
  return explained?.Plan?.['Plan Rows'] ?? 0;
}

/** How fast a file is packed: one that is kept as small as is reasonable, one on its way as fast as possible. */
export const gzipLevels = { kept: 6, onTheWay: 1 } as const;

/** Reads the rows and writes them down. */
export function writeFile(tx: Transaction, sql: string, format: ExportFormat, terms: ExportTerms): AsyncGenerator<FilePiece, void, undefined> {
  const plain = writePlain(tx, sql, format, terms);
  return terms.isGzip ? gzipped(plain, gzipLevels.kept) : plain;
}

async function* writePlain(tx: Transaction, sql: string, format: ExportFormat, terms: ExportTerms): AsyncGenerator<FilePiece, void, undefined> {
  switch (format) {
    case 'csv':
      return yield* writeCsv(tx, sql, terms);
    case 'ndjson':
      return yield* writeNdjson(tx, sql);
    // What these two are made with is loaded by the first who wants such a file.
    case 'xlsx':
      return yield* (await import('./write-xlsx.ts')).writeXlsx(tx, sql);
    case 'parquet':
      return yield* (await import('./write-parquet.ts')).writeParquet(tx, sql);
  }
}

/** What is answered for an error of PostgreSQL's about the query; anything else is handed back as it is. */
export function asExportFault(error: unknown, { collection, isAnonymous }: TableRead): unknown {
  if (!isDatabaseError(error) || !isAboutQuery(error.code ?? '')) return error;
  const column = error.code === '42703' ? columnIn(error.message) : null;
  if (column === null) return faultOfDatabase(error, isAnonymous);
  const meant = closest(column, collection.columns.keys());
  return exportFault('column_unknown', {
    message: `"${column}" is no field of "${collection.schema}.${collection.name}"${meant === null ? '' : `; did you mean "${meant}"?`}`,
    hint: `Fields: ${shownList([...collection.columns.keys()])}`,
    cause: error,
  });
}

/** Classes of SQLSTATE that tell of what was asked, and of what a function of the user's raises; the others tell of the server, and may be gone the next time. */
function isAboutQuery(code: string): boolean {
  return !/^(08|40|53|55|57|58|72|F0|XX)/.test(code);
}

/** `column flights.dealy does not exist`, or `column "dealy" does not exist`; names may be quoted and hold points. */
function columnIn(message: string): string | null {
  const named = /^column (?:(?:"(?:[^"]|"")*"|[^".\s]+)\.)?(?:"((?:[^"]|"")*)"|(\S+)) does not exist$/.exec(message);
  return named === null ? null : (named[1]?.replaceAll('""', '"') ?? named[2]!);
}

function shownList(names: readonly string[]): string {
  return names.length > 20 ? `${names.slice(0, 20).join(', ')} and ${names.length - 20} more` : names.join(', ');
}
