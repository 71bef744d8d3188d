import { isService, ownerOf, type Caller, type JobState } from '@mainstay/domain';
import type { Database } from './database.ts';
import { actingAs, enqueue } from './enqueue.ts';
import type { JobError } from './jobs.ts';
import { ownSessionOf } from './session.ts';
import type { Transaction } from './statement.ts';

export type ExportFormat = 'csv' | 'ndjson' | 'xlsx' | 'parquet';

/** How the rows are written down, as agreed when the export was asked for. */
export interface ExportTerms {
  /** The file is packed, as `.gz`. */
  readonly isGzip: boolean;
  readonly delimiter: string;
  readonly hasHeader: boolean;
  /** The text that stands for null. */
  readonly null: string;
  /** A byte order mark, by which spreadsheets know UTF-8. */
  readonly hasBom: boolean;
  /** Cells that a spreadsheet would take for formulas are made text. */
  readonly isSpreadsheetSafe: boolean;
}

export interface ExportDraft {
  readonly schema: string;
  readonly name: string;
  /** In the data API's language: select, filters, order, limit. */
  readonly query: string;
  readonly format: ExportFormat;
  readonly terms: ExportTerms;
  readonly rowsEstimated: number | null;
}

/** An export as it is kept. */
export interface KeptExport extends ExportDraft {
  readonly id: string;
  readonly jobId: string | null;
  readonly state: JobState;
  readonly rowsWritten: number;
  readonly bytesWritten: number;
  /** Of the whole file, in base64; null until it is done. */
  readonly sha256: string | null;
  readonly error: JobError | null;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  /** When the file is let go; null while there is none. */
  readonly expiresAt: string | null;
  readonly isExpired: boolean;
  /** By the database's clock, from the start to the end or to now. */
  readonly secondsRunning: number;
}

const kept = `jsonb_build_object(
  'id', id, 'jobId', job_id, 'schema', collection_schema, 'name', collection_name, 'query', query, 'format', format, 'terms', options, 'state', state,
  'rowsEstimated', rows_estimated, 'rowsWritten', rows_written, 'bytesWritten', bytes_written, 'sha256', encode(sha256, 'base64'), 'error', error,
  'createdAt', created_at at time zone 'utc', 'startedAt', started_at at time zone 'utc', 'finishedAt', finished_at at time zone 'utc', 'expiresAt', expires_at at time zone 'utc',
  'isExpired', coalesce(expires_at <= clock_timestamp(), false), 'secondsRunning', coalesce(extract(epoch from coalesce(finished_at, clock_timestamp()) - started_at), 0))`;

function readKept(text: string): KeptExport {
  const row = JSON.parse(text) as KeptExport;
  const zulu = (time: string | null): string | null => (time === null ? null : `${time}Z`);
  return { ...row, createdAt: zulu(row.createdAt)!, startedAt: zulu(row.startedAt), finishedAt: zulu(row.finishedAt), expiresAt: zulu(row.expiresAt) };
}

/** Asks for an export: it and its job exist from the commit on, both or neither. Gives its id. */
export async function createExport(tx: Transaction, caller: Caller, { schema, name, query, format, terms, rowsEstimated }: ExportDraft): Promise<string> {
  const [made] = await tx.rows<{ id: string }>(
    `insert into mainstay_internal.exports (owner, role, collection_schema, collection_name, query, format, options, rows_estimated) values ($1, $2, $3, $4, $5, $6, $7, $8) returning id`,
    [ownerOf(caller), caller.role, schema, name, query, format, JSON.stringify(terms), rowsEstimated],
  );
  const { id } = made!;
  const jobId = await enqueue(tx, 'export-rows', { exportId: id }, actingAs(caller));
  await tx.rows(`update mainstay_internal.exports set job_id = jobs.id, subject = jobs.subject from mainstay_internal.jobs where jobs.id = $2 and exports.id = $1`, [id, jobId]);
  return id;
}

/** How many bytes an owner's files take, those that are being made among them. */
export async function exportBytesKept(database: Database, caller: Caller): Promise<number> {
  const { rows } = await database.once(
    { ...ownSessionOf(caller), isReadOnly: true },
    { name: 'export_bytes_kept', text: `select coalesce(sum(bytes_kept), 0) from mainstay_internal.exports where owner = $1 and bytes_kept > 0`, values: [ownerOf(caller)] },
  );
  return Number(rows[0]![0]);
}

/** One of the caller's exports; the service key sees all. */
export async function findExport(database: Database, caller: Caller, id: string): Promise<KeptExport | null> {
  const { rows } = await database.once(
    { ...ownSessionOf(caller), isReadOnly: true },
    { name: 'find_export', text: `select ${kept} from mainstay_internal.exports where id = $1::uuid`, values: [id] },
  );
  return rows[0] === undefined ? null : readKept(rows[0][0]!);
}

export interface ExportSearch {
  readonly limit: number;
  /** Only exports made before this one. */
  readonly before: string | null;
  readonly state: JobState | null;
}

/** The caller's exports, newest first. */
export async function listExports(database: Database, caller: Caller, { limit, before, state }: ExportSearch): Promise<KeptExport[]> {
  const { rows } = await database.once(
    { ...ownSessionOf(caller), isReadOnly: true },
    {
      name: 'list_exports',
      text: `select ${kept} from mainstay_internal.exports
        where ($2::uuid is null or id < $2::uuid) and ($3::text is null or owner = $3::text) and ($4::text is null or state = $4::text) order by id desc limit $1::integer`,
      // The row policy alone would scan everybody's to find one's own.
      values: [String(limit), before, isService(caller) ? null : ownerOf(caller), state],
    },
  );
  return rows.map(([row]) => readKept(row!));
}

/** Deletes an export with its file. */
export async function deleteExport(tx: Transaction, id: string): Promise<boolean> {
  return (await tx.rows(`delete from mainstay_internal.exports where id = $1 returning id`, [id])).length > 0;
}

/** The export that a worker carries out. */
export async function openExport(database: Database, id: string): Promise<KeptExport | null> {
  const [row] = await database.rows<{ kept: string }>(`select (${kept})::text as kept from mainstay_internal.exports where id = $1`, [id]);
  return row === undefined ? null : readKept(row.kept);
}

/** Begins the file anew as this attempt, in the given way; false when a later one has it, or nobody wants it any more. */
export async function beginAttempt(database: Database, id: string, attempt: number, { query, terms }: Pick<ExportDraft, 'query' | 'terms'>): Promise<boolean> {
  const begun = await database.rows(
    `with mine as (
       update mainstay_internal.exports set attempt = $2, rows_written = 0, bytes_written = 0, bytes_kept = 0, query = $3, options = $4 where id = $1 and state = 'running' and attempt <= $2 returning id
     ), old as (
       delete from mainstay_internal.export_chunks using mine where export_id = mine.id returning 1
     )
     select id from mine`,
    [id, attempt, query, JSON.stringify(terms)],
  );
  return begun.length > 0;
}

/** A piece of a file, and how far the file is with it. */
export interface ExportChunk {
  readonly exportId: string;
  readonly attempt: number;
  readonly chunkNo: number;
  readonly bytes: Uint8Array;
  readonly rowsWritten: number;
}

/**
 * Keeps a piece of a file, as long as the attempt has the export: whoever cancels or begins anew changes the row that is locked
 * here. Gives how many bytes the owner has kept in all, or null when the export is no longer this attempt's.
 */
export async function addExportChunk(database: Database, { exportId, attempt, chunkNo, bytes, rowsWritten }: ExportChunk): Promise<number | null> {
  const { rows } = await database.once(
    // The log is written in order: the commit that completes the job makes every piece before it durable too.
    { role: null, settings: { synchronous_commit: 'off' } },
    {
      name: 'add_export_chunk',
      text: `
        with mine as (
          update mainstay_internal.exports set rows_written = $5::bigint, bytes_written = bytes_written + $6::bigint, bytes_kept = bytes_kept + $6::bigint
          where id = $1::uuid and state = 'running' and attempt = $2::integer returning id, owner, attempt, bytes_kept
        ), added as (
          insert into mainstay_internal.export_chunks (export_id, attempt, chunk_no, bytes) select id, attempt, $3::integer, $4::bytea from mine returning 1
        )
        select mine.bytes_kept + coalesce((select sum(other.bytes_kept) from mainstay_internal.exports other where other.owner = mine.owner and other.bytes_kept > 0 and other.id <> mine.id), 0)
        from mine where exists (select from added)`,
      values: [exportId, String(attempt), String(chunkNo), bytes, String(rowsWritten), String(bytes.length)],
    },
  );
  return rows[0] === undefined ? null : Number(rows[0][0]);
}

/** Makes the file one that can be fetched, in the transaction that completes the job; false when the export is no longer this attempt's. */
export async function sealExport(tx: Transaction, id: string, attempt: number, { rows, sha256, keepSeconds }: { readonly rows: number; readonly sha256: Uint8Array; readonly keepSeconds: number }): Promise<boolean> {
  const sealed = await tx.rows(
    `update mainstay_internal.exports set rows_written = $3, sha256 = $4, expires_at = clock_timestamp() + make_interval(secs => $5) where id = $1 and attempt = $2 returning id`,
    [id, attempt, rows, sha256, keepSeconds],
  );
  return sealed.length > 0;
}

/** A finished file, as a signed link finds it. */
export interface ExportFile {
  readonly state: JobState;
  readonly schema: string;
  readonly name: string;
  readonly format: ExportFormat;
  readonly terms: ExportTerms;
  readonly bytes: number;
  readonly sha256: Buffer | null;
  readonly finishedAt: Date | null;
  readonly isExpired: boolean;
  /** Why the account that asked for it may do nothing any more; null when it may. */
  readonly ownerIs: 'deleted' | 'banned' | null;
}

/** The file of an export, for whoever has proved that they may fetch it: no row policy is asked. */
export async function findExportFile(database: Database, id: string): Promise<ExportFile | null> {
  const [row] = await database.rows<{
    state: JobState; collection_schema: string; collection_name: string; format: ExportFormat; options: ExportTerms; bytes: string; sha256: Buffer | null; finished_at: Date | null;
    is_expired: boolean | null; owner_is: ExportFile['ownerIs'];
  }>('select * from mainstay_internal.export_file($1)', [id]);
  if (row === undefined) return null;
  return {
    state: row.state, schema: row.collection_schema, name: row.collection_name, format: row.format, terms: row.options, bytes: Number(row.bytes), sha256: row.sha256,
    finishedAt: row.finished_at, isExpired: row.is_expired === true, ownerIs: row.owner_is,
  };
}

/** Every chunk of a file but the last has this size. */
export const exportChunkBytes = 1024 * 1024;
/** A slice fills one message of PostgreSQL's, and PostgreSQL fetches no more of the chunk than that for it. */
const sliceBytes = 60 * 1024;

/** Reads bytes `from` up to but not including `to` of a finished file, a chunk at a time; between two no connection is held. */
export async function* readExportFile(database: Database, id: string, from: number, to: number): AsyncGenerator<Buffer, void, undefined> {
  if (!/^[0-9a-f-]{36}$/i.test(id)) throw new Error('an export has a UUID');
  for (let at = from; at < to; ) {
    const chunkNo = Math.floor(at / exportChunkBytes);
    const first = at - chunkNo * exportChunkBytes;
    const bytes = Math.min(to - at, exportChunkBytes - first);
    const slices = await database.bytes(`select mainstay_internal.export_slices('${id}', ${chunkNo}, ${first}, ${bytes}, ${sliceBytes})`);
    // Deleted, or swept, while it was fetched.
    if (slices.reduce((sum, { length }) => sum + length, 0) !== bytes) throw new Error(`export ${id} is gone`);
    yield* slices;
    at += bytes;
  }
}

/** Lets go of files that were kept long enough, and of the records that ended long ago. Gives how many files and records. */
export async function sweepExports(database: Database, keepRecordsSeconds: number, limit = 500): Promise<number> {
  const files = await database.rows(
    `with expired as (
       select id from mainstay_internal.exports where bytes_kept > 0 and expires_at < clock_timestamp() limit $1 for update skip locked
     ), freed as (
       delete from mainstay_internal.export_chunks using expired where export_id = expired.id
     )
     update mainstay_internal.exports set bytes_kept = 0 from expired where exports.id = expired.id returning exports.id`,
    [limit],
  );
  const records = await database.rows(
    `delete from mainstay_internal.exports where id in (
       select id from mainstay_internal.exports where finished_at < clock_timestamp() - make_interval(secs => $1) and bytes_kept = 0 limit $2 for update skip locked)
     returning id`,
    [keepRecordsSeconds, limit],
  );
  const swept = files.length + records.length;
  return files.length === limit || records.length === limit ? swept + (await sweepExports(database, keepRecordsSeconds, limit)) : swept;
}
