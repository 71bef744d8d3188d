import { isService, ownerOf, type Caller, type JobState } from '@mainstay/domain';
import type { Database } from './database.ts';
import { actingAs, enqueue } from './enqueue.ts';
import type { JobError } from './jobs.ts';
import { ownSessionOf } from './session.ts';
import type { Transaction } from './statement.ts';

export type ImportFormat = 'csv' | 'ndjson';
/** `rows`: bad rows are set aside. `all`: every row or none. */
export type ImportMode = 'rows' | 'all';
export type ImportState = 'uploading' | JobState;

/** What was agreed about a file when it arrived, by its header and its options. */
export interface ImportTerms {
  /** The collection's fields, in the order of the file's columns. */
  readonly columns: readonly string[];
  /** A line of JSON may have keys that are no column: those were named, and the others are passed over. */
  readonly ignoresOtherKeys: boolean;
  readonly delimiter: string;
  /** The text that stands for null where it is not quoted. */
  readonly null: string;
  /** What ends a line: LF (with or without CR before it), or CR alone in files of old Macs. */
  readonly ending: 'lf' | 'cr';
  /** What to do with a row whose keys are there already; null: it is refused. */
  readonly conflict: { readonly keys: readonly string[]; readonly resolution: 'merge' | 'ignore' } | null;
}

export interface ImportDraft {
  readonly schema: string;
  readonly name: string;
  readonly format: ImportFormat;
  readonly mode: ImportMode;
  readonly maxErrors: number;
  readonly terms: ImportTerms;
}

/** Whole records of a file: on which row and line of it they begin. */
export interface Chunk {
  readonly firstRow: number;
  readonly rows: number;
  readonly firstLine: number;
  /** COPY takes the bytes as they are. */
  readonly isPlain: boolean;
}

/** A chunk as it comes in. */
export interface NewChunk extends Chunk {
  readonly bytes: Uint8Array;
}

/** A chunk as it is read again: in slices, which may end within a record. */
export interface KeptChunk extends Chunk {
  readonly slices: readonly Uint8Array[];
  readonly byteLength: number;
}

/** A row that was set aside. */
export interface Reject {
  /** Counted from 0 at the first row that is no header. */
  readonly row: number;
  /** The line of the file on which the row begins. */
  readonly line: number;
  readonly column: string | null;
  readonly value: string | null;
  readonly reason: string;
}

/** An import as it is kept. */
export interface KeptImport {
  readonly id: string;
  readonly jobId: string | null;
  readonly schema: string;
  readonly name: string;
  readonly format: ImportFormat;
  readonly mode: ImportMode;
  readonly maxErrors: number;
  readonly terms: ImportTerms;
  readonly state: ImportState;
  readonly bytesTotal: number;
  readonly bytesRead: number;
  readonly rowsTotal: number;
  readonly rowsRead: number;
  readonly rowsWritten: number;
  readonly rowsRejected: number;
  readonly error: JobError | null;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  /** By the database's clock, from the start to the end or to now. */
  readonly secondsRunning: number;
}

const kept = `jsonb_build_object(
  'id', id, 'jobId', job_id, 'schema', collection_schema, 'name', collection_name, 'format', format, 'mode', mode, 'maxErrors', max_errors,
  'terms', terms, 'state', state, 'bytesTotal', bytes_total, 'bytesRead', bytes_read, 'rowsTotal', rows_total, 'rowsRead', rows_read,
  'rowsWritten', rows_written, 'rowsRejected', rows_rejected, 'error', error,
  'createdAt', created_at at time zone 'utc', 'startedAt', started_at at time zone 'utc', 'finishedAt', finished_at at time zone 'utc',
  'secondsRunning', coalesce(extract(epoch from coalesce(finished_at, clock_timestamp()) - started_at), 0))`;

function readKept(text: string): KeptImport {
  const row = JSON.parse(text) as KeptImport;
  const zulu = (time: string | null): string | null => (time === null ? null : `${time}Z`);
  return { ...row, createdAt: zulu(row.createdAt)!, startedAt: zulu(row.startedAt), finishedAt: zulu(row.finishedAt) };
}

/** What an import takes up: pieces are let go as they are read, those of an import of all or nothing at its end. */
const waiting = `case when mode = 'all' then bytes_total else bytes_total - bytes_read end`;

/** Begins an upload: hidden until it is sealed. Gives its id. */
export async function beginImport(database: Database, caller: Caller, draft: ImportDraft): Promise<string> {
  const { rows } = await database.once(ownSessionOf(caller), {
    name: 'begin_import',
    text: `insert into mainstay_internal.imports (owner, collection_schema, collection_name, format, mode, max_errors, terms)
      values ($1, $2, $3, $4, $5, $6::integer, $7::jsonb) returning id`,
    values: [ownerOf(caller), draft.schema, draft.name, draft.format, draft.mode, String(draft.maxErrors), JSON.stringify(draft.terms)],
  });
  return rows[0]![0]!;
}

/** Keeps a piece of an upload. Gives how many bytes the owner has waiting in all their imports, this piece included. */
export async function addChunk(database: Database, caller: Caller, importId: string, chunk: NewChunk): Promise<number> {
  const session = ownSessionOf(caller);
  // The log is written in order, so the commit that seals the import makes every piece before it durable too.
  const { rows } = await database.once(
    { ...session, settings: { ...session.settings, synchronous_commit: 'off' } },
    {
      name: 'add_import_chunk',
      text: `
        with grown as (
          update mainstay_internal.imports
          set bytes_total = bytes_total + $7::bigint, rows_total = rows_total + $3::integer, touched_at = clock_timestamp()
          where id = $1::uuid and state = 'uploading' returning id, owner
        ), added as (
          insert into mainstay_internal.import_chunks (import_id, first_row, rows, first_line, is_plain, bytes)
          select grown.id, $2::bigint, $3::integer, $4::bigint, $5::boolean, $6::bytea from grown returning 1
        )
        select $7::bigint + coalesce(sum(${waiting}), 0) from mainstay_internal.imports
        where owner = (select owner from grown) and state in ('uploading', 'queued', 'running', 'dead') and exists (select from added)`,
      values: [importId, String(chunk.firstRow), String(chunk.rows), String(chunk.firstLine), String(chunk.isPlain), chunk.bytes, String(chunk.bytes.length)],
    },
  );
  return Number(rows[0]![0]);
}

/** How many bytes an owner has waiting in imports. */
export async function bytesWaiting(database: Database, caller: Caller): Promise<number> {
  const { rows } = await database.once(ownSessionOf(caller), {
    name: 'import_bytes_waiting',
    text: `select coalesce(sum(${waiting}), 0) from mainstay_internal.imports
      where owner = $1 and state in ('uploading', 'queued', 'running', 'dead')`,
    values: [ownerOf(caller)],
  });
  return Number(rows[0]![0]);
}

/** The file is whole: the import and its job exist from here on, both or neither. Gives the job's id. */
export async function sealImport(tx: Transaction, caller: Caller, importId: string): Promise<string> {
  const jobId = await enqueue(tx, 'import-rows', { importId }, actingAs(caller));
  const { rowCount } = await tx.run({
    text: `update mainstay_internal.imports set state = 'queued', job_id = $2::uuid, touched_at = clock_timestamp() where id = $1::uuid and state = 'uploading'`,
    values: [importId, jobId],
  });
  if (rowCount !== 1) throw new Error(`upload ${importId} was swept away before it was sealed`);
  return jobId;
}

/** Takes an upload back with all its pieces; one that was sealed stays. */
export async function discardUpload(database: Database, caller: Caller, importId: string): Promise<void> {
  await database.once(ownSessionOf(caller), {
    name: 'discard_upload',
    text: `delete from mainstay_internal.imports where id = $1::uuid and state = 'uploading'`,
    values: [importId],
  });
}

/** One of the caller's imports; the service key sees all. */
export async function findImport(database: Database, caller: Caller, importId: string): Promise<KeptImport | null> {
  const { rows } = await database.once(
    { ...ownSessionOf(caller), isReadOnly: true },
    { name: 'find_import', text: `select ${kept} from mainstay_internal.imports where id = $1::uuid and state <> 'uploading'`, values: [importId] },
  );
  return rows[0] === undefined ? null : readKept(rows[0][0]!);
}

/** The caller's imports, newest first, from before the one with the given id. */
export async function listImports(database: Database, caller: Caller, limit: number, before: string | null): Promise<KeptImport[]> {
  const { rows } = await database.once(
    { ...ownSessionOf(caller), isReadOnly: true },
    {
      name: 'list_imports',
      text: `select ${kept} from mainstay_internal.imports
        where state <> 'uploading' and ($2::uuid is null or id < $2::uuid) and ($3::text is null or owner = $3::text) order by id desc limit $1::integer`,
      // The row policy alone would scan everybody's to find one's own.
      values: [String(limit), before, isService(caller) ? null : ownerOf(caller)],
    },
  );
  return rows.map(([row]) => readKept(row!));
}

/** The next rejects after a row, in the order of the file. */
export async function listRejects(database: Database, caller: Caller, importId: string, afterRow: number, limit: number): Promise<Reject[]> {
  const { rows } = await database.once(
    { ...ownSessionOf(caller), isReadOnly: true },
    {
      name: 'list_import_rejects',
      text: `select row_no, line, column_name, value, reason from mainstay_internal.import_rejects
        where import_id = $1::uuid and row_no > $2::bigint order by row_no limit $3::integer`,
      values: [importId, String(afterRow), String(limit)],
    },
  );
  return rows.map(([row, line, column, value, reason]) => ({ row: Number(row), line: Number(line), column: column!, value: value!, reason: reason! }));
}

/** The import that a worker carries out, as it stands. */
export async function openImport(database: Database, importId: string): Promise<KeptImport | null> {
  const [row] = await database.rows<{ kept: string }>(`select (${kept})::text as kept from mainstay_internal.imports where id = $1`, [importId]);
  return row === undefined ? null : readKept(row.kept);
}

/** A slice of a chunk fills one message of PostgreSQL's, and PostgreSQL fetches no more of the chunk than that for it. */
const sliceBytes = 60 * 1024;

/** The chunk that holds a row, or null after the last one. */
export async function chunkAt(database: Database, importId: string, row: number): Promise<KeptChunk | null> {
  const [chunk] = await database.rows<{ import_id: string; first_row: string; rows: number; first_line: string; is_plain: boolean; byte_length: number }>(
    `select import_id, first_row, rows, first_line, is_plain, octet_length(bytes) as byte_length from mainstay_internal.import_chunks
     where import_id = $1 and first_row <= $2 and first_row + rows > $2 order by first_row desc limit 1`,
    [importId, row],
  );
  if (chunk === undefined) return null;
  // Both values came from the table itself.
  const slices = await database.bytes(
    `select substring(bytes from slice * ${sliceBytes} + 1 for ${sliceBytes})
     from mainstay_internal.import_chunks cross join generate_series(0, ${Math.floor((chunk.byte_length - 1) / sliceBytes)}) as slice
     where import_id = '${chunk.import_id}' and first_row = ${chunk.first_row} order by slice`,
  );
  // A cancelled import lets its chunks go at any moment.
  if (slices.length === 0) return null;
  return { firstRow: Number(chunk.first_row), rows: chunk.rows, firstLine: Number(chunk.first_line), isPlain: chunk.is_plain, slices, byteLength: chunk.byte_length };
}

/** How far a transaction brings an import on. */
export interface Advance {
  readonly fromRow: number;
  readonly rows: number;
  readonly written: number;
  readonly rejects: readonly Reject[];
  readonly bytes: number;
  /** The piece was read to its end and is let go. */
  readonly endsChunk: boolean;
}

/**
 * Moves an import's cursor, in the transaction that wrote the rows. It moves from where the rows were read and from nowhere
 * else: false when another worker has moved it, and then nothing of this transaction may stay.
 */
export async function advanceImport(tx: Transaction, importId: string, advance: Advance): Promise<boolean> {
  if (advance.rejects.length > 0) await addRejects(tx, importId, advance.rejects);
  const { rowCount } = await tx.run({
    name: 'advance_import',
    text: `
      with moved as (
        update mainstay_internal.imports
        set rows_read = rows_read + $3::bigint, rows_written = rows_written + $4::bigint, rows_rejected = rows_rejected + $5::bigint,
          bytes_read = bytes_read + $6::bigint
        where id = $1::uuid and rows_read = $2::bigint returning id, rows_read
      ), freed as (
        delete from mainstay_internal.import_chunks using moved
        where $7::boolean and import_chunks.import_id = moved.id and first_row <= $2::bigint and first_row + rows <= moved.rows_read
      )
      select id from moved`,
    values: [importId, advance.fromRow, advance.rows, advance.written, advance.rejects.length, advance.bytes, advance.endsChunk],
  });
  return rowCount === 1;
}

async function addRejects(tx: Transaction, importId: string, rejects: readonly Reject[]): Promise<void> {
  await tx.run({
    text: `insert into mainstay_internal.import_rejects (import_id, row_no, line, column_name, value, reason)
      select $1::uuid, row_no, line, column_name, value, reason
      from json_to_recordset($2::json) as reject (row_no bigint, line bigint, column_name text, value text, reason text)`,
    values: [importId, JSON.stringify(rejects.map(({ row, line, column, value, reason }) => ({ row_no: row, line, column_name: column, value, reason })))],
  });
}

/** Keeps why an import of all or nothing came to nothing, in the place of what an earlier attempt found. */
export async function replaceRejects(tx: Transaction, importId: string, rejects: readonly Reject[]): Promise<void> {
  await tx.run({ text: `delete from mainstay_internal.import_rejects where import_id = $1::uuid`, values: [importId] });
  if (rejects.length > 0) await addRejects(tx, importId, rejects);
  await tx.run({ text: `update mainstay_internal.imports set rows_rejected = $2::bigint where id = $1::uuid`, values: [importId, rejects.length] });
}

/** Shows how much of a file has been read while nothing of it is committed yet. */
export async function showBytesRead(database: Database, importId: string, bytes: number): Promise<void> {
  await database.rows(`update mainstay_internal.imports set bytes_read = $2 where id = $1`, [importId, bytes]);
}

/** An upload grows by a piece at least every 34 minutes (2 MiB at 1 KiB/s, slower ones are cut); this one's process is gone. */
const uploadIsGone = `interval '60 minutes'`;

/** Deletes imports that ended long ago, with their rejects, and uploads that nobody continues. Gives how many. */
export async function sweepImports(database: Database, keepSeconds: number, limit = 500): Promise<number> {
  const swept = await database.rows(
    `delete from mainstay_internal.imports where id in (
       select id from mainstay_internal.imports
       where finished_at < clock_timestamp() - make_interval(secs => $1)
         or state = 'uploading' and touched_at < clock_timestamp() - ${uploadIsGone}
       limit $2 for update skip locked)
     returning id`,
    [keepSeconds, limit],
  );
  return swept.length === limit ? limit + (await sweepImports(database, keepSeconds, limit)) : swept.length;
}
