import { isService, ownerOf, type Caller, type Fault } from '@mainstay/domain';
import type { Database, RunTerms, Transaction } from '@mainstay/persistence';
import { PacedBody, type TableRead } from '@mainstay/rest';
import { exportFault } from './export-faults.ts';
import type { ExportOptions } from './export-options.ts';
import { asExportFault, estimateRows, exportSession, gzipLevels, openRead, writeFile } from './export-rows.ts';
import { formats } from './formats.ts';
import { gzipped, type FilePiece } from './packed.ts';

export interface ExportStreamTerms {
  /** Most exports that are sent at once; each holds a connection for as long as its reader takes. */
  readonly maxOpen: number;
  /** Most rows that the planner may expect; null is no limit. */
  readonly maxRows: number | null;
  readonly maxSeconds: number;
  /** How long a reader may take nothing. */
  readonly stillSeconds: number;
}

export interface ExportStreamWork {
  readonly read: TableRead;
  readonly options: ExportOptions;
  /** The client takes a packed body. */
  readonly acceptsGzip: boolean;
}

/** An export on its way: a whole body where it is small. */
export interface OpenedExport {
  readonly body: PacedBody | Buffer;
  /** The body is packed for its transfer, and not as a file. */
  readonly isPacked: boolean;
}

/** A body of up to so many bytes is sent whole, with its length; and a fault within it is still an answer. */
const wholeBytes = 64 * 1024;
/** Several pieces of what PostgreSQL sends: with less, it and the reader would wait for each other. */
const aheadBytes = 256 * 1024;

/**
 * Sends exports at once, as fast as they are read: in a transaction as the caller, on connections of their own, so that ordinary
 * requests find theirs however slow a reader is.
 */
export class ExportStreams {
  /** How many places each caller has taken. */
  private readonly places = new Map<string, number>();
  private readonly closing = new AbortController();

  constructor(
    private readonly database: Database,
    private readonly terms: ExportStreamTerms,
  ) {}

  /** Answers once the first bytes are there. @throws as long as nothing was sent: a Fault, or what the database says of itself */
  async open(work: ExportStreamWork, caller: Caller, { signal }: RunTerms = {}): Promise<OpenedExport> {
    const leave = this.enter(caller);
    const body = new PacedBody(this.terms.stillSeconds, aheadBytes);
    // Nobody may be listening any more, and what went wrong is known here.
    body.on('error', () => {});
    const expiry = new AbortController();
    const timer = setTimeout(() => expiry.abort(this.tookTooLong()), this.terms.maxSeconds * 1000);
    const signals = AbortSignal.any([body.left, expiry.signal, this.closing.signal, ...(signal === undefined ? [] : [signal])]);
    const began = Promise.withResolvers<OpenedExport>();
    let hasBegun = false;
    const begin = (opened: OpenedExport): void => {
      hasBegun = true;
      began.resolve(opened);
    };
    void this.database
      .transaction(exportSession(work.read, this.terms.maxSeconds), (tx) => this.send(tx, work, body, begin), { signal: signals })
      .catch((error: unknown) => {
        const reason = expiry.signal.aborted ? expiry.signal.reason : asExportFault(error, work.read);
        // Nobody must take a part for the whole: the transfer breaks off.
        if (hasBegun) body.destroy(reason as Error);
        else began.reject(reason);
      })
      .finally(() => {
        clearTimeout(timer);
        leave();
      });
    return began.promise;
  }

  /** How many rows an export would have, as far as the planner knows. @throws what is wrong with the query, as `open` does */
  async estimate(read: TableRead, terms: RunTerms = {}): Promise<number> {
    try {
      return await this.database.transaction(
        exportSession(read, 60),
        async (tx) => {
          await openRead(tx, read);
          return estimateRows(tx, read);
        },
        terms,
      );
    } catch (error) {
      throw asExportFault(error, read);
    }
  }

  /** Breaks off what is being sent: this process ends. */
  close(): void {
    this.closing.abort(new Error('the server is stopping'));
  }

  private async send(tx: Transaction, { read, options, acceptsGzip }: ExportStreamWork, body: PacedBody, begin: (opened: OpenedExport) => void): Promise<void> {
    const { format, terms } = options;
    await openRead(tx, read);
    this.refuseLarge(await estimateRows(tx, read));
    const isPacked = acceptsGzip && formats[format].isText && !terms.isGzip;
    const file = writeFile(tx, read.sql, format, terms);
    const pieces = isPacked ? gzipped(file, gzipLevels.onTheWay) : file;
    try {
      const { head, isAll } = await readHead(pieces);
      if (isAll) return begin({ body: Buffer.concat(head), isPacked });
      begin({ body, isPacked });
      for (const bytes of head) await body.put(bytes);
      for await (const { bytes } of pieces) if (bytes.length > 0) await body.put(bytes);
      body.finish();
    } finally {
      await pieces.return();
    }
  }

  private refuseLarge(estimate: number): void {
    const { maxRows } = this.terms;
    if (maxRows === null || estimate <= maxRows) return;
    throw exportFault('export_too_large', {
      details: `About ${estimate} rows are expected, and ${maxRows} are sent at once (MAINSTAY_EXPORT_STREAM_ROWS).`,
      hint: 'Have the file made by a job: POST instead of GET, or GET with "Prefer: respond-async". Or narrow it with filters or limit=….',
    });
  }

  private tookTooLong(): Fault {
    return exportFault('export_took_too_long', {
      details: `${this.terms.maxSeconds} s are allowed for one that is sent at once (MAINSTAY_EXPORT_STREAM_SECONDS).`,
      hint: 'Have the file made by a job: POST instead of GET, or GET with "Prefer: respond-async".',
    });
  }

  /** Takes a place; one caller takes no more than half of them, and all guests count as one. Gives the function that leaves it. */
  private enter(caller: Caller): () => void {
    const who = ownerOf(caller) ?? caller.role;
    const own = this.places.get(who) ?? 0;
    const all = [...this.places.values()].reduce((sum, count) => sum + count, 0);
    const { maxOpen } = this.terms;
    const share = isService(caller) ? maxOpen : Math.ceil(maxOpen / 2);
    if (all >= maxOpen || own >= share) {
      const isOwn = own >= share;
      throw exportFault('too_many_exports', {
        status: isOwn && all < maxOpen ? 429 : 503,
        details: isOwn && all < maxOpen ? `${own} of them are yours; one caller may have ${share} at once.` : `${all} of ${maxOpen} places are taken (MAINSTAY_EXPORT_STREAMS).`,
        hint: 'Ask again when one of them has ended, or have the file made by a job: POST instead of GET.',
        headers: { 'retry-after': '5' },
      });
    }
    this.places.set(who, own + 1);
    return () => {
      const left = this.places.get(who)! - 1;
      if (left === 0) this.places.delete(who);
      else this.places.set(who, left);
    };
  }
}

/** Reads until all is read, or too much to be sent whole. */
async function readHead(pieces: AsyncGenerator<FilePiece, void, undefined>): Promise<{ head: Uint8Array[]; isAll: boolean }> {
  const head: Uint8Array[] = [];
  let bytes = 0;
  for (let piece = await pieces.next(); piece.done !== true; piece = await pieces.next()) {
    head.push(piece.value.bytes);
    bytes += piece.value.bytes.length;
    if (bytes > wholeBytes) return { head, isAll: false };
  }
  return { head, isAll: true };
}
