import { Fault } from '@mainstay/domain';
import {
  advanceImport, chunkAt, findTarget, openImport, replaceRejects, showBytesRead, workerMayBecome,
  type Database, type KeptChunk, type KeptImport, type Reject, type Transaction,
} from '@mainstay/persistence';
import type { JobRun } from '@mainstay/queue';
import { importFault } from './import-faults.ts';
import { copyableBytes, placeChunk, pourWhole, type Placed } from './place-chunk.ts';
import { checkTerms, nameOf } from './plan-import.ts';
import { refusalOf, refusesStatement, tookTooLong } from './refusal.ts';
import { Stride } from './stride.ts';
import { Stage, type Destination } from './write-rows.ts';

/** What a finished import's job keeps as its result. */
export interface ImportCounts {
  readonly rows_read: number;
  readonly rows_written: number;
  readonly rows_rejected: number;
}

/**
 * Carries an import out, from the row at which an earlier attempt stood. Each step is one transaction: rows, rejects and the new
 * cursor commit together, and only while this attempt holds the job; so a worker may die anywhere and no row is lost or doubled.
 * @throws Fault when it is refused for good; anything else is tried again
 */
export async function runImport(database: Database, importId: string, run: JobRun): Promise<ImportCounts> {
  const kept = await openImport(database, importId);
  if (kept === null) throw importFault('import_not_found', { details: importId });
  const carrier = new Carrier(database, run, kept, await findDestination(database, kept, run.role));
  try {
    return kept.mode === 'all' ? await carrier.allOrNothing() : await carrier.stepByStep();
  } catch (error) {
    // What was interrupted failed because of that, whatever it says.
    run.signal.throwIfAborted();
    if (!refusesStatement(error)) throw error;
    throw importFault('statement_refused', { message: error.message, details: whatStays(carrier.counts()), hint: error.hint ?? null, cause: error });
  }
}

/** The collection as it is now, checked once more against what was agreed when the file arrived. */
async function findDestination(database: Database, kept: KeptImport, role: string): Promise<Destination> {
  // With an empty search_path every type is written with its schema.
  return database.transaction({ role: null, settings: { search_path: '' } }, async (tx) => {
    if (!(await workerMayBecome(tx, role))) throw importFault('role_cannot_import', { details: role });
    const target = await findTarget(tx, kept.schema, kept.name, role);
    if (target === null) throw importFault('collection_not_found', { message: `${nameOf(kept)} is no longer there` });
    checkTerms(target, kept.terms, role);
    return { target, format: kept.format, terms: kept.terms };
  });
}

class Carrier {
  private cursor: number;
  private written: number;
  private rejected: number;
  private readonly stride = new Stride();

  constructor(
    private readonly database: Database,
    private readonly run: JobRun,
    private readonly kept: KeptImport,
    private readonly to: Destination,
  ) {
    this.cursor = kept.rowsRead;
    this.written = kept.rowsWritten;
    this.rejected = kept.rowsRejected;
  }

  counts(): ImportCounts {
    return { rows_read: this.cursor, rows_written: this.written, rows_rejected: this.rejected };
  }

  async stepByStep(): Promise<ImportCounts> {
    this.refuseTooMany();
    while (this.cursor < this.kept.rowsTotal) {
      const chunk = await this.chunkAt(this.cursor);
      while (this.cursor < chunk.firstRow + chunk.rows) {
        await this.step(chunk);
        this.refuseTooMany();
      }
    }
    return this.counts();
  }

  /** Places the next rows of a chunk: all of them, or fewer where the collection is slow to take them. */
  private async step(chunk: KeptChunk): Promise<void> {
    const from = this.cursor - chunk.firstRow;
    const end = Math.min(chunk.rows, from + this.stride.rows);
    const startedAt = performance.now();
    let placed: Placed;
    try {
      placed = await this.placeAndAdvance(chunk, from, end);
    } catch (error) {
      if (!tookTooLong(error) || this.run.signal.aborted || end - from === 1) throw error;
      this.stride.shorten(end - from);
      return;
    }
    this.stride.adapt(placed.rows, performance.now() - startedAt);
    this.cursor += placed.rows;
    this.written += placed.written;
    this.rejected += placed.rejects.length;
    this.run.progress({ done: this.cursor, total: this.kept.rowsTotal, note: `${count(this.written)} written, ${count(this.rejected)} set aside` });
  }

  private async placeAndAdvance(chunk: KeptChunk, from: number, end: number): Promise<Placed> {
    return this.transaction(async (tx) => {
      const placed = await placeChunk(tx, this.to, chunk, from, end, this.kept.maxErrors - this.rejected);
      await this.commitWith(tx, placed, bytesBetween(chunk, from, from + placed.rows), from + placed.rows === chunk.rows);
      return placed;
    });
  }

  /** Moves the cursor in the transaction of the rows, as the last thing in it. */
  private async commitWith(tx: Transaction, placed: Placed, bytes: number, endsChunk: boolean): Promise<void> {
    await this.run.assertLease(tx);
    const { rows, written, rejects } = placed;
    const isMoved = await advanceImport(tx, this.kept.id, { fromRow: this.cursor, rows, written, rejects, bytes, endsChunk });
    if (!isMoved) throw new Error(`import ${this.kept.id} does not stand at row ${this.cursor} any more`);
  }

  /** A transaction as the caller, whose running statement is stopped as soon as the job is. */
  private async transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    const { signal, session } = this.run;
    // Rows and cursor stand in one log: if the machine fails, both or neither are there, and nobody was told of them yet. So this
    // commit need not wait for the disk; the one that completes the job does, and with it everything before.
    const settings = { ...session.settings, synchronous_commit: 'off' };
    return this.database.transaction({ ...session, settings }, async (tx) => {
      const [backend] = await tx.rows<{ pid: number }>(`select pg_catalog.pg_backend_pid() as pid`);
      let stopping: Promise<unknown> = Promise.resolve();
      const stop = (): void => {
        stopping = this.database.rows('select pg_catalog.pg_cancel_backend($1)', [backend!.pid]).catch(() => {});
      };
      signal.addEventListener('abort', stop, { once: true });
      try {
        signal.throwIfAborted();
        // A constraint that waits for the commit would fail there, where its row can no longer be set aside.
        await tx.rows('set constraints all immediate');
        return await work(tx);
      } finally {
        signal.removeEventListener('abort', stop);
        // The connection is used again: whoever gets it next must not be stopped in our stead.
        await stopping;
      }
    });
  }

  private refuseTooMany(): void {
    if (this.rejected <= this.kept.maxErrors) return;
    throw importFault('too_many_rejects', {
      message: `${refused(this.rejected)}; max_errors allows ${count(this.kept.maxErrors)}`,
      details: whatStays(this.counts()),
      hint: 'The rejects say which rows and why. Correct the file, or allow more with max_errors=…; with on_conflict=… rows that are there already do no harm.',
    });
  }

  private async chunkAt(row: number): Promise<KeptChunk> {
    this.run.signal.throwIfAborted();
    // On a connection of our own: the caller of the open transaction may not read our tables.
    const chunk = await chunkAt(this.database, this.kept.id, row);
    if (chunk === null) throw importFault('file_is_gone', { details: whatStays(this.counts()) });
    return chunk;
  }

  /** Every row is staged, then one statement writes them: all or none. */
  async allOrNothing(): Promise<ImportCounts> {
    if (this.rejected > 0) throw this.nothingWritten();
    if (this.cursor === this.kept.rowsTotal) return this.counts();
    try {
      await this.transaction((tx) => this.stageAndPour(tx));
      return this.counts();
    } catch (error) {
      if (refusalOf(error) === null) throw error;
      await this.keepRejects(await this.findRejects());
      throw this.nothingWritten(error);
    }
  }

  private async stageAndPour(tx: Transaction): Promise<void> {
    const { rowsTotal, bytesTotal } = this.kept;
    const stage = await new Stage(tx, this.to, false).open();
    await this.eachChunk(async (chunk, bytesBefore) => {
      await stage.fill(copyableBytes(chunk, this.to), chunk.firstRow, chunk.rows);
      await showBytesRead(this.database, this.kept.id, bytesBefore + chunk.byteLength);
    });
    const written = await pourWhole(tx, stage, this.to);
    await showBytesRead(this.database, this.kept.id, 0);
    await this.commitWith(tx, { rows: rowsTotal, written, rejects: [] }, bytesTotal, true);
    this.cursor = rowsTotal;
    this.written = written;
  }

  private async eachChunk(work: (chunk: KeptChunk, bytesBefore: number) => Promise<void>): Promise<void> {
    let bytesBefore = 0;
    for (let row = 0; row < this.kept.rowsTotal; ) {
      const chunk = await this.chunkAt(row);
      await work(chunk, bytesBefore);
      bytesBefore += chunk.byteLength;
      row += chunk.rows;
      this.run.progress({ done: row, total: this.kept.rowsTotal, note: 'nothing is written until all is read' });
    }
  }

  /** Goes through the file row by row as `mode=rows` would, to learn which rows are refused, and undoes it all. */
  private async findRejects(): Promise<Reject[]> {
    const rejects: Reject[] = [];
    const most = Math.max(1, this.kept.maxErrors);
    const undone = new Error('undone');
    await this.transaction(async (tx) => {
      await this.eachChunk(async (chunk) => {
        if (rejects.length < most) rejects.push(...(await placeChunk(tx, this.to, chunk, 0, chunk.rows, most - rejects.length - 1)).rejects);
      });
      throw undone;
    }).catch((error: unknown) => {
      if (error !== undone) throw error;
    });
    return rejects;
  }

  private async keepRejects(rejects: readonly Reject[]): Promise<void> {
    await this.database.transaction({ role: null, settings: {} }, async (tx) => {
      await replaceRejects(tx, this.kept.id, rejects);
      await this.run.assertLease(tx);
    });
    this.rejected = rejects.length;
  }

  private nothingWritten(cause?: unknown): Fault {
    const reason = cause === undefined ? null : (refusalOf(cause)?.reason ?? null);
    const found = this.rejected > 0 ? `${refused(this.rejected)}, so none was written (mode=all)` : `${reason ?? 'PostgreSQL refused the rows'}; none was written (mode=all)`;
    return importFault('nothing_written', { message: found, details: reason, hint: 'The rejects say which rows and why. Correct the file and upload it again.', cause });
  }
}

/** The bytes of a chunk that its rows up to `to` take, and those up to `from` did not: estimated within a chunk, exact at its end. */
function bytesBetween(chunk: KeptChunk, from: number, to: number): number {
  const upTo = (row: number): number => Math.floor((chunk.byteLength * row) / chunk.rows);
  return upTo(to) - upTo(from);
}

/** What an import that came to an end leaves behind, in words. */
export function whatStays({ rows_read, rows_written }: Pick<ImportCounts, 'rows_read' | 'rows_written'>): string {
  if (rows_written === 0) return 'Nothing was written.';
  return `${count(rows_written)} of the first ${count(rows_read)} rows ${rows_written === 1 ? 'was written and stays' : 'were written and stay'}; the rows after them were not read.`;
}

function refused(rows: number): string {
  return rows === 1 ? '1 row was refused' : `${count(rows)} rows were refused`;
}

function count(rows: number): string {
  return rows.toLocaleString('en');
}
