import { createHash } from 'node:crypto';
import { makeCaller, type Caller } from '@mainstay/domain';
import { addExportChunk, beginAttempt, exportChunkBytes, LeaseLost, openExport, sealExport, workerMayBecome, type Database, type KeptExport } from '@mainstay/persistence';
import type { JobRun } from '@mainstay/queue';
import { readAsTable, type Known, type TableRead } from '@mainstay/rest';
import { exportFault } from './export-faults.ts';
import { parseExportOptions, type ExportOptions } from './export-options.ts';
import { asExportFault, estimateRows, exportSession, openRead, writeFile } from './export-rows.ts';
import type { FilePiece } from './packed.ts';

export interface ExportRunTerms {
  /** How long a file may take to be made. */
  readonly maxSeconds: number;
  /** How long it is kept. */
  readonly keepSeconds: number;
  /** Most bytes that one owner may have kept. */
  readonly quotaBytes: number;
}

/** What an export's job keeps as its result. */
export interface ExportCounts {
  readonly rows: number;
  readonly bytes: number;
}

/** What carries an export out: where files are kept, the connections to read with as a role, and what is known of the schema now. */
export interface ExportRooms {
  readonly database: Database;
  readonly readersOf: (role: string) => Database;
  readonly known: () => Promise<Known>;
}

/**
 * Makes the file of an export: one statement as the caller, so one snapshot, written down a piece at a time. An attempt begins the file
 * anew, and pieces of two attempts never meet; what is sealed with the job's completion is whole.
 * @throws Fault when it is refused for good; anything else is tried again
 */
export async function runExport({ database, readersOf, known }: ExportRooms, terms: ExportRunTerms, exportId: string, run: JobRun): Promise<ExportCounts> {
  const kept = await openExport(database, exportId);
  if (kept === null) throw exportFault('export_not_found', { details: exportId });
  const caller = callerOf(run);
  if (run.role !== 'postgres' && !(await workerMayBecome(database, run.role))) {
    throw exportFault('role_cannot_export', { message: `A worker cannot act as ${run.role}`, hint: `Grant "${run.role}" to mainstay_worker.` });
  }
  const options = optionsOf(kept);
  const read = readAsTable({ schema: kept.schema, name: kept.name, query: options.query, maxRows: null }, caller, await known());
  if (!(await beginAttempt(database, exportId, run.attempt, options))) throw new LeaseLost(run.jobId);
  const expiry = new AbortController();
  const timer = setTimeout(() => expiry.abort(tookTooLong(terms)), terms.maxSeconds * 1000);
  try {
    return await new FileMaker(database, terms, { ...kept, ...options }, run).make(readersOf(run.role), read, AbortSignal.any([run.signal, expiry.signal]));
  } catch (error) {
    // What was interrupted failed because of that, whatever it says.
    run.signal.throwIfAborted();
    expiry.signal.throwIfAborted();
    throw asExportFault(error, read);
  } finally {
    clearTimeout(timer);
  }
}

/** How it is written down. What is asked for in SQL has its options in its query still. */
function optionsOf({ query, format, terms }: KeptExport): ExportOptions {
  return Object.keys(terms).length > 0 ? { query, format, terms } : parseExportOptions(`format=${format}&${query}`);
}

/** Who asked, as the job keeps them. */
function callerOf({ role, claims }: JobRun): Caller {
  return makeCaller(typeof claims['sub'] === 'string' ? 'user' : 'key', { ...claims, role });
}

function tookTooLong({ maxSeconds }: ExportRunTerms): Error {
  return exportFault('export_took_too_long', { details: `${maxSeconds} s are allowed (MAINSTAY_EXPORT_SECONDS).`, hint: 'Export it in parts, by a filter.' });
}

class FileMaker {
  private readonly hash = createHash('sha256');
  private readonly cutter = new ChunkCutter();
  private rows = 0;
  private bytes = 0;
  private chunkNo = 0;
  /** The piece that is being kept while the next one is read. */
  private keeping: Promise<void> = Promise.resolve();

  constructor(
    private readonly database: Database,
    private readonly terms: ExportRunTerms,
    private readonly kept: KeptExport,
    private readonly run: JobRun,
  ) {}

  async make(readers: Database, read: TableRead, signal: AbortSignal): Promise<ExportCounts> {
    await readers.transaction(
      exportSession(read, this.terms.maxSeconds),
      async (tx) => {
        await openRead(tx, read);
        const expected = await estimateRows(tx, read);
        for await (const piece of writeFile(tx, read.sql, this.kept.format, this.kept.terms)) {
          signal.throwIfAborted();
          await this.take(piece, expected);
        }
      },
      { signal },
    );
    const last = this.cutter.end();
    if (last !== null) await this.keepNext(last);
    await this.keeping;
    const sha256 = this.hash.digest();
    this.run.finish(async (tx) => {
      if (!(await sealExport(tx, this.kept.id, this.run.attempt, { rows: this.rows, sha256, keepSeconds: this.terms.keepSeconds }))) throw new LeaseLost(this.run.jobId);
    });
    return { rows: this.rows, bytes: this.bytes };
  }

  private async take({ bytes, rows }: FilePiece, expected: number): Promise<void> {
    this.rows += rows;
    for (const chunk of this.cutter.push(bytes)) await this.keepNext(chunk);
    // The planner may have been wrong, and then nobody knows how many there are.
    this.run.progress({ done: this.rows, total: expected > this.rows ? expected : null, note: `${this.bytes.toLocaleString('en')} bytes` });
  }

  /** PostgreSQL makes the next rows while it keeps these. */
  private async keepNext(chunk: Uint8Array): Promise<void> {
    await this.keeping;
    this.keeping = this.keep(Buffer.from(chunk), this.rows);
    // Whoever waits for it is told.
    this.keeping.catch(() => {});
  }

  private async keep(bytes: Uint8Array, rowsWritten: number): Promise<void> {
    this.hash.update(bytes);
    const ofOwner = await addExportChunk(this.database, { exportId: this.kept.id, attempt: this.run.attempt, chunkNo: this.chunkNo, bytes, rowsWritten });
    if (ofOwner === null) throw new LeaseLost(this.run.jobId);
    if (ofOwner > this.terms.quotaBytes) {
      throw exportFault('quota_used_up', {
        message: `With this file you would have more than ${this.terms.quotaBytes} bytes of exports kept`,
        hint: 'Delete exports that you have fetched, pack it with gzip=true, or export it in parts. MAINSTAY_EXPORT_QUOTA sets the limit.',
      });
    }
    this.chunkNo += 1;
    this.bytes += bytes.length;
  }
}

/** Cuts a file into chunks of one size, all in the same memory. */
export class ChunkCutter {
  private readonly buffer: Buffer;
  private size = 0;

  constructor(chunkBytes: number = exportChunkBytes) {
    this.buffer = Buffer.allocUnsafeSlow(chunkBytes);
  }

  /** Takes the next bytes and gives the chunks that they complete; a chunk is only lent until the next is asked for. */
  *push(bytes: Uint8Array): Generator<Uint8Array> {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + this.buffer.length - this.size);
      this.buffer.set(part, this.size);
      this.size += part.length;
      at += part.length;
      if (this.size < this.buffer.length) return;
      this.size = 0;
      yield this.buffer;
    }
  }

  /** The last chunk, or null where nothing is left. */
  end(): Uint8Array | null {
    return this.size === 0 ? null : this.buffer.subarray(0, this.size);
  }
}
