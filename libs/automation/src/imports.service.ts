import { createHash, type Hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { Settings } from '@mainstay/config';
import { closest, isOpen, ownerOf, type Caller } from '@mainstay/domain';
import {
  addChunk, beginImport, bytesWaiting, cancelJob, discardUpload, findImport, findTarget, isKeyUsed, listImports, listRejects, listTargets, ownSessionOf, recallAnswer, sealImport, sweepImports,
  withIdempotency, workerMayBecome,
  type Database, type ImportDraft, type KeptAnswer, type KeptImport, type KeyedRequest, type Reject, type Target,
} from '@mainstay/persistence';
import type { JobRun } from '@mainstay/queue';
import { RecordCutter, RowTooLong, type Piece } from './cut-records.ts';
import { importFault } from './import-faults.ts';
import { parseImportOptions, shown, type ImportOptions } from './import-options.ts';
import { skipsBlank } from './place-chunk.ts';
import { nameOf, planImport } from './plan-import.ts';
import { readHead, type Head } from './read-head.ts';
import { drain, readUpload } from './read-upload.ts';
import { runImport, type ImportCounts } from './run-import.ts';
import { showImport, type ShownImport } from './show-import.ts';

/** A file as it comes in. */
export interface Upload {
  /** `flights`, or with its schema `public.flights`. */
  readonly collection: string;
  /** The schema, where the request names it apart. */
  readonly schema: string | undefined;
  readonly query: URLSearchParams;
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
  readonly contentLength: number | null;
  readonly body: Readable;
  /** The request under its `Idempotency-Key`, given the digest of its body; null where it has no key. */
  readonly keyed: ((digest: Uint8Array) => KeyedRequest) | null;
}

/** The filters of a list as they stand in a query. */
export interface ImportQuery {
  readonly limit?: string;
  readonly before?: string;
}

export type ImportLimits = Pick<Settings, 'importQuotaBytes' | 'importMaxRowBytes' | 'importKeepSeconds' | 'dbSchemas'>;

/** A piece is kept, read and written at once. 256 KiB took a seventh more processor time; each upload holds one (adr/0008). */
const pieceBytes = 2 * 1024 * 1024;

/** What `keyed` is given before the body is known, to see whether the key was used at all. */
const noDigest = new Uint8Array();

const defaultLimit = 50;
const mostAtOnce = 500;
const rejectsAtOnce = 1000;

/** The way of a file into a collection: taken in by an api, carried out by any worker, looked at by its owner. */
export class ImportsService {
  constructor(
    private readonly database: Database,
    private readonly limits: ImportLimits,
  ) {}

  /**
   * Takes a file in: when this returns, it is safe in the database and its job will run. What is wrong with its options, its
   * header, its names or the caller's rights is said now; and whatever is refused leaves nothing behind.
   */
  async accept(upload: Upload, caller: Caller): Promise<KeptAnswer & { readonly isReplayed: boolean }> {
    try {
      if (ownerOf(caller) === null) throw importFault('import_needs_caller');
      const options = parseImportOptions(upload.query, upload);
      const hash = createHash('sha256');
      const file = readUpload(upload.body, options.isGzip);
      const chunks = upload.keyed === null ? file : hashed(file, hash);
      if (upload.keyed !== null && (await isKeyUsed(this.database, ownSessionOf(caller), upload.keyed(noDigest)))) return await this.recall(chunks, hash, upload.keyed, caller);
      return await this.takeIn(upload, options, chunks, hash, caller);
    } catch (error) {
      await drain(upload.body);
      throw error;
    }
  }

  /** Reads a repeated request only to see that it is the same, and gives the answer of the first. */
  private async recall(chunks: AsyncIterable<Uint8Array>, hash: Hash, keyed: NonNullable<Upload['keyed']>, caller: Caller): Promise<KeptAnswer & { readonly isReplayed: boolean }> {
    for await (const _ of chunks);
    return this.database.transaction(ownSessionOf(caller), async (tx) => {
      const answer = await recallAnswer(tx, keyed(hash.digest()));
      // Worn out in the very moment between the two looks.
      if (answer === null) throw importFault('upload_broken_off', { hint: 'Send it once more.' });
      return { ...answer, isReplayed: true };
    });
  }

  private async takeIn(upload: Upload, options: ImportOptions, chunks: AsyncGenerator<Uint8Array>, hash: Hash, caller: Caller): Promise<KeptAnswer & { readonly isReplayed: boolean }> {
    const target = await this.findTarget(upload, caller);
    await this.refuseOverQuota(caller, options.isGzip ? 0 : (upload.contentLength ?? 0));
    const head = await readHead(chunks, options, this.limits.importMaxRowBytes);
    const terms = planImport(target, head, options, caller.role);
    const draft: ImportDraft = { schema: target.schema, name: target.name, format: options.format, mode: options.mode, maxErrors: options.maxErrors, terms };
    const importId = await beginImport(this.database, caller, draft);
    try {
      await this.keepPieces(importId, draft, head, chunks, caller);
      const answer = await this.seal(importId, upload.keyed?.(hash.digest()) ?? null, caller);
      if (answer.isReplayed) await discardUpload(this.database, caller, importId);
      return answer;
    } catch (error) {
      // An api that dies here leaves it to the sweep.
      await discardUpload(this.database, caller, importId).catch(() => {});
      throw error;
    }
  }

  private async keepPieces(importId: string, { format, terms }: ImportDraft, head: Head, chunks: AsyncIterable<Uint8Array>, caller: Caller): Promise<void> {
    const rules = { format, ending: head.ending, skipsBlank: skipsBlank(format, terms.columns.length), maxRowBytes: this.limits.importMaxRowBytes };
    const cutter = new RecordCutter(rules, pieceBytes, head.firstLine);
    let firstRow = 0;
    const keep = async (piece: Piece): Promise<void> => {
      if (piece.rows === 0) return;
      const waiting = await addChunk(this.database, caller, importId, { ...piece, firstRow });
      firstRow += piece.rows;
      if (waiting > this.limits.importQuotaBytes) throw this.overQuota(waiting);
    };
    try {
      for (const piece of cutter.push(head.rest)) await keep(piece);
      for await (const chunk of chunks) for (const piece of cutter.push(chunk)) await keep(piece);
      const last = cutter.end();
      if (last !== null) await keep(last);
    } catch (error) {
      throw error instanceof RowTooLong ? this.rowTooLong(error) : error;
    }
  }

  private seal(importId: string, request: KeyedRequest | null, caller: Caller): Promise<KeptAnswer & { readonly isReplayed: boolean }> {
    return this.database.transaction(ownSessionOf(caller), async (tx) => {
      const make = async (): Promise<KeptAnswer> => {
        await sealImport(tx, caller, importId);
        return { status: 202, headers: { location: `/imports/v1/${importId}` }, body: JSON.stringify({ id: importId, state: 'queued' }) };
      };
      return request === null ? { ...(await make()), isReplayed: false } : withIdempotency(tx, request, make);
    });
  }

  /** The collection that is meant, if the caller may know of it. */
  private async findTarget({ collection, schema }: Upload, caller: Caller): Promise<Target> {
    if (!(await workerMayBecome(this.database, caller.role))) {
      throw importFault('role_cannot_import', { message: `Role ${caller.role} cannot import`, hint: `Let the worker act as it: grant "${caller.role}" to mainstay_worker.` });
    }
    const [inSchema, name] = this.split(collection, schema);
    // PostgreSQL knows no NUL, not even to say that a name is unknown.
    const target = name.includes('\0') ? null : await findTarget(this.database, inSchema, name, caller.role);
    if (target !== null) return target;
    const meant = closest(name, await listTargets(this.database, inSchema, caller.role));
    // A schema that is not exposed was taken for a part of the name: the answer repeats what was asked for.
    const asked = schema === undefined && collection.includes('.') ? collection : nameOf({ schema: inSchema, name });
    throw importFault('collection_not_found', {
      message: `There is no collection "${shown(asked)}"${meant === null ? '' : `; did you mean "${meant}"?`}`,
      hint: `An import fills a collection that is there: the console or a migration makes one. Exposed schemas: ${this.limits.dbSchemas.join(', ')}`,
    });
  }

  /** Only exposed schemas can be written to, as in the data API. */
  private split(collection: string, schema: string | undefined): [string, string] {
    const { dbSchemas } = this.limits;
    if (schema !== undefined) {
      if (!dbSchemas.includes(schema)) throw importFault('collection_not_found', { message: `Schema "${shown(schema)}" is not exposed`, hint: `Exposed schemas: ${dbSchemas.join(', ')}` });
      return [schema, collection];
    }
    const named = dbSchemas.find((candidate) => collection.startsWith(`${candidate}.`));
    return named === undefined ? [dbSchemas[0]!, collection] : [named, collection.slice(named.length + 1)];
  }

  private async refuseOverQuota(caller: Caller, announced: number): Promise<void> {
    const waiting = (await bytesWaiting(this.database, caller)) + announced;
    if (waiting > this.limits.importQuotaBytes) throw this.overQuota(waiting);
  }

  private overQuota(waiting: number): Error {
    return importFault('quota_used_up', {
      message: `With this file you would have ${waiting} bytes or more waiting in imports; ${this.limits.importQuotaBytes} are allowed`,
      hint: 'MAINSTAY_IMPORT_QUOTA sets the limit, counted unpacked. Wait until your other imports are done, or send the file in parts.',
    });
  }

  private rowTooLong({ line, isQuoted }: RowTooLong): Error {
    return importFault('row_too_long', {
      message: `The row that begins on line ${line} is longer than ${this.limits.importMaxRowBytes} bytes`,
      hint: isQuoted ? 'A quote opens in it that is not closed.' : 'MAINSTAY_IMPORT_MAX_ROW is the longest row that is taken.',
    });
  }

  async list(caller: Caller, query: ImportQuery): Promise<ShownImport[]> {
    refuseGuests(caller);
    if (query.before !== undefined && !isUuid(query.before)) throw importFault('option_not_valid', { message: `"before" must be the id of an import, not "${shown(query.before)}"` });
    const kept = await listImports(this.database, caller, parseLimit(query.limit), query.before ?? null);
    return kept.map(showImport);
  }

  async find(caller: Caller, id: string): Promise<ShownImport> {
    return showImport(await this.mustFind(caller, id));
  }

  /** The rows that were set aside, in pages. */
  async rejects(caller: Caller, id: string): Promise<AsyncGenerator<readonly Reject[]>> {
    await this.mustFind(caller, id);
    return this.pagesOfRejects(caller, id);
  }

  private async *pagesOfRejects(caller: Caller, id: string): AsyncGenerator<readonly Reject[]> {
    for (let after = -1; ; ) {
      const page = await listRejects(this.database, caller, id, after, rejectsAtOnce);
      if (page.length > 0) yield page;
      if (page.length < rejectsAtOnce) return;
      after = page.at(-1)!.row;
    }
  }

  /** After this nothing more is written; what was written stays, and the answer says how much that is. */
  async cancel(caller: Caller, id: string): Promise<ShownImport> {
    const { state, jobId } = await this.mustFind(caller, id);
    const isCancelled = state !== 'uploading' && isOpen(state) && (await this.database.transaction(ownSessionOf(caller), (tx) => cancelJob(tx, jobId!))) !== null;
    const after = await this.mustFind(caller, id);
    if (!isCancelled && after.state !== 'cancelled') throw importFault('import_is_over', { details: `It is ${after.state}.` });
    return showImport(after);
  }

  /** Carries an import out, in a worker: the handler of `import-rows`. */
  run(importId: string, run: JobRun): Promise<ImportCounts> {
    return runImport(this.database, importId, run);
  }

  /** Deletes imports that ended longer ago than they are kept, and uploads that nobody continues; in a worker. */
  sweep(): Promise<number> {
    return sweepImports(this.database, this.limits.importKeepSeconds);
  }

  private async mustFind(caller: Caller, id: string): Promise<KeptImport> {
    refuseGuests(caller);
    const kept = isUuid(id) ? await findImport(this.database, caller, id) : null;
    if (kept === null) throw importFault('import_not_found', { details: shown(id) });
    return kept;
  }
}

async function* hashed(chunks: AsyncIterable<Uint8Array>, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}

function refuseGuests(caller: Caller): void {
  if (ownerOf(caller) === null) throw importFault('import_needs_caller');
}

function parseLimit(text: string | undefined): number {
  if (text === undefined) return defaultLimit;
  const limit = Number(text);
  if (!/^\d+$/.test(text) || limit < 1 || limit > mostAtOnce) throw importFault('option_not_valid', { message: `"limit" must be a whole number from 1 to ${mostAtOnce}, not "${shown(text)}"` });
  return limit;
}

function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(text);
}
