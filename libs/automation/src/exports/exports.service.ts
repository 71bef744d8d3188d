import { apiUrlOf, type Settings } from '@mainstay/config';
import { closest, isOpen, jobStates, ownerOf, type Caller, type JobState } from '@mainstay/domain';
import {
  cancelJob, createExport, deleteExport, exportBytesKept, findExport, findExportFile, listExports, ownSessionOf, readExportFile, withIdempotency, workerMayBecome,
  type Database, type ExportFile, type KeptAnswer, type KeptExport, type KeyedRequest, type RunTerms,
} from '@mainstay/persistence';
import { collectionNamed, collectionsOf, readAsTable, type SchemaKeeper, type TableRead } from '@mainstay/rest';
import { shown } from '../import-options.ts';
import { exportFault } from './export-faults.ts';
import { parseExportOptions, type ExportOptions } from './export-options.ts';
import type { ExportStreams, OpenedExport } from './export-streams.ts';
import { dispositionOf, fileNameOf, mediaTypeOf } from './formats.ts';
import type { Links } from './links.ts';
import { readRange } from './read-range.ts';
import { showExport, type LinkTo, type ShownExport } from './show-export.ts';

/** Somebody wants a collection. */
export interface AskedExport {
  /** `orders`, or with its schema `public.orders`. */
  readonly collection: string;
  /** The schema, where the request names it apart. */
  readonly schema: string | undefined;
  /** Options and the data API's words, as they stand in a URL. */
  readonly query: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** The filters of a list as they stand in a query. */
export interface ExportQuery {
  readonly limit?: string;
  readonly before?: string;
  readonly state?: string;
}

/** An export that is sent at once. */
export interface SentExport extends OpenedExport {
  readonly headers: Readonly<Record<string, string>>;
}

/** What is answered for a link: the whole file, a part of it, or only that it has not changed. */
export interface FileAnswer {
  readonly status: 200 | 206 | 304;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: AsyncGenerator<Buffer, void, undefined> | null;
}

export interface FileRequest {
  readonly expires: string | undefined;
  readonly signature: string | undefined;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly isHead: boolean;
}

export type ExportLimits = Pick<Settings, 'exportQuotaBytes' | 'exportLinkSeconds' | 'dbSchemas' | 'apiExternalUrl' | 'host' | 'port'>;

const defaultLimit = 50;
const mostAtOnce = 500;

/** Collections as files: sent at once, or made by a job and fetched by a link. */
export class ExportsService {
  constructor(
    private readonly database: Database,
    private readonly schema: SchemaKeeper,
    private readonly streams: ExportStreams,
    private readonly links: Links,
    private readonly limits: ExportLimits,
  ) {}

  /** Sends a collection at once. Whatever is wrong is told before the first byte, or else the transfer breaks off. */
  async send(asked: AskedExport, caller: Caller, terms: RunTerms): Promise<SentExport> {
    const { read, options } = this.plan(asked, caller);
    const acceptsGzip = /(?:^|,)\s*(?:x-)?gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[^,]*)?(?:,|$)/i.test(asked.headers['accept-encoding'] ?? '');
    const opened = await this.streams.open({ read, options, acceptsGzip }, caller, terms);
    return { ...opened, headers: { ...this.headersOf(read, options), ...(opened.isPacked ? { 'content-encoding': 'gzip' } : {}) } };
  }

  /** What `send` would say of itself; nothing is read. */
  head(asked: AskedExport, caller: Caller): Readonly<Record<string, string>> {
    const { read, options } = this.plan(asked, caller);
    return this.headersOf(read, options);
  }

  private headersOf({ collection }: TableRead, { format, terms }: ExportOptions): Record<string, string> {
    return {
      'content-type': mediaTypeOf(format, terms),
      'content-disposition': dispositionOf(fileNameOf(collection.name, format, terms)),
      // It is made anew for each who asks, so there is no part to go on with.
      'accept-ranges': 'none',
      'cache-control': 'private, no-store',
      vary: 'Accept, Accept-Encoding, Authorization, apikey',
      'x-content-type-options': 'nosniff',
    };
  }

  /** Has the file made by a job. What is wrong with the query or the caller's rights is said now. */
  async create(asked: AskedExport, caller: Caller, keyed: KeyedRequest | null, terms: RunTerms = {}): Promise<KeptAnswer & { readonly isReplayed: boolean }> {
    refuseGuests(caller);
    const { read, options } = this.plan(asked, caller);
    if (!(await workerMayBecome(this.database, caller.role))) {
      throw exportFault('role_cannot_export', { message: `A worker cannot act as ${caller.role}`, hint: `Let it: grant "${caller.role}" to mainstay_worker. Or have it sent at once, by GET.` });
    }
    await this.refuseOverQuota(caller);
    const rowsEstimated = await this.streams.estimate(read, terms);
    const { schema, name } = read.collection;
    const { format, query } = options;
    return this.database.transaction(ownSessionOf(caller), async (tx) => {
      const make = async (): Promise<KeptAnswer> => {
        const id = await createExport(tx, caller, { schema, name, query, format, terms: options.terms, rowsEstimated });
        return { status: 202, headers: { location: `/exports/v1/${id}` }, body: JSON.stringify({ id, state: 'queued' }) };
      };
      return keyed === null ? { ...(await make()), isReplayed: false } : withIdempotency(tx, keyed, make);
    });
  }

  async list(caller: Caller, query: ExportQuery): Promise<ShownExport[]> {
    refuseGuests(caller);
    const { before, state } = query;
    if (before !== undefined && !isExportId(before)) throw exportFault('option_not_valid', { message: `"before" must be the id of an export, not "${shown(before)}"` });
    if (state !== undefined && !jobStates.includes(state as JobState)) throw exportFault('option_not_valid', { message: `"${shown(state)}" is no state of an export`, hint: `States: ${jobStates.join(', ')}` });
    const kept = await listExports(this.database, caller, { limit: parseLimit(query.limit), before: before ?? null, state: (state as JobState | undefined) ?? null });
    return kept.map((one) => showExport(one, this.linkTo));
  }

  async find(caller: Caller, id: string): Promise<ShownExport> {
    return showExport(await this.mustFind(caller, id), this.linkTo);
  }

  /** After this nothing of it is made any more, and nothing is kept. */
  async cancel(caller: Caller, id: string): Promise<ShownExport> {
    const { state, jobId } = await this.mustFind(caller, id);
    const isCancelled = isOpen(state) && jobId !== null && (await this.database.transaction(ownSessionOf(caller), (tx) => cancelJob(tx, jobId))) !== null;
    const after = await this.mustFind(caller, id);
    if (!isCancelled && after.state !== 'cancelled') throw exportFault('export_is_over', { details: `It is ${after.state}.` });
    return showExport(after, this.linkTo);
  }

  /** Deletes an export with its file, whatever its state. */
  async remove(caller: Caller, id: string): Promise<void> {
    const { jobId } = await this.mustFind(caller, id);
    await this.database.transaction(ownSessionOf(caller), async (tx) => {
      if (jobId !== null) await cancelJob(tx, jobId);
      await deleteExport(tx, id);
    });
  }

  /** Opens a file for whoever has a link to it: no key is asked for, the link is one. */
  async openFile(id: string, { expires, signature, headers, isHead }: FileRequest): Promise<FileAnswer> {
    this.links.check(id, expires, signature, Date.now() / 1000);
    const file = isExportId(id) ? await findExportFile(this.database, id) : null;
    if (file === null) throw exportFault('file_is_gone', { details: 'The export was deleted.' });
    refuseUnready(file);
    const etag = `"${file.sha256!.toString('base64url')}"`;
    const common = fileHeaders(file, etag);
    if (matches(headers['if-none-match'], etag)) return { status: 304, headers: common, body: null };
    const range = continues(headers['if-range'], etag, file) ? readRange(headers['range'], file.bytes) : 'whole';
    if (range === 'outside') throw exportFault('range_not_satisfiable', { details: `It has ${file.bytes} bytes.`, headers: { 'content-range': `bytes */${file.bytes}`, 'accept-ranges': 'bytes' } });
    const { from, to } = range === 'whole' ? { from: 0, to: file.bytes } : range;
    return {
      status: range === 'whole' ? 200 : 206,
      headers: { ...common, 'content-length': String(to - from), ...(range === 'whole' ? {} : { 'content-range': `bytes ${from}-${to - 1}/${file.bytes}` }) },
      body: isHead ? null : readExportFile(this.database, id, from, to),
    };
  }

  private plan({ collection, schema, query, headers }: AskedExport, caller: Caller): { read: TableRead; options: ExportOptions } {
    const options = parseExportOptions(query, headers['accept']);
    const known = this.schema.current();
    const [inSchema, name] = this.split(collection, schema);
    if (collectionNamed(known, inSchema, name) === null) {
      const meant = closest(name, collectionsOf(known, inSchema));
      // A schema that is not exposed was taken for a part of the name: the answer repeats what was asked for.
      const asked = schema === undefined && collection.includes('.') ? collection : `${inSchema}.${name}`;
      throw exportFault('collection_not_found', { message: `There is no collection "${shown(asked)}"${meant === null ? '' : `; did you mean "${meant}"?`}`, hint: `Exposed schemas: ${this.limits.dbSchemas.join(', ')}` });
    }
    return { read: readAsTable({ schema: inSchema, name, query: options.query, maxRows: null, headers }, caller, known), options };
  }

  /** Only exposed schemas can be read, as in the data API. */
  private split(collection: string, schema: string | undefined): [string, string] {
    const { dbSchemas } = this.limits;
    if (schema !== undefined) {
      if (!dbSchemas.includes(schema)) throw exportFault('collection_not_found', { message: `Schema "${shown(schema)}" is not exposed`, hint: `Exposed schemas: ${dbSchemas.join(', ')}` });
      return [schema, collection];
    }
    const named = dbSchemas.find((candidate) => collection.startsWith(`${candidate}.`));
    return named === undefined ? [dbSchemas[0]!, collection] : [named, collection.slice(named.length + 1)];
  }

  private async refuseOverQuota(caller: Caller): Promise<void> {
    const kept = await exportBytesKept(this.database, caller);
    if (kept < this.limits.exportQuotaBytes) return;
    throw exportFault('quota_used_up', {
      message: `You have ${kept} bytes of exports kept; ${this.limits.exportQuotaBytes} are allowed`,
      hint: 'Delete exports that you have fetched. MAINSTAY_EXPORT_QUOTA sets the limit.',
    });
  }

  /** A link lives as long as it may, but no longer than the file. */
  private readonly linkTo: LinkTo = ({ id, expiresAt }, fileName) => {
    const end = Math.floor(Math.min(Date.now() / 1000 + this.limits.exportLinkSeconds, Date.parse(expiresAt!) / 1000));
    return { url: `${apiUrlOf(this.limits)}/exports/v1/${id}/file/${encodeURIComponent(fileName)}?${this.links.sign(id, end)}`, expiresAt: new Date(end * 1000).toISOString() };
  };

  private async mustFind(caller: Caller, id: string): Promise<KeptExport> {
    refuseGuests(caller);
    const kept = isExportId(id) ? await findExport(this.database, caller, id) : null;
    if (kept === null) throw exportFault('export_not_found', { details: shown(id) });
    return kept;
  }
}

/** What has this form in a path is an export; a collection that is called so is reached with its schema before it. */
export function isExportId(text: string): boolean {
  return /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(text);
}

function refuseGuests(caller: Caller): void {
  if (ownerOf(caller) === null) throw exportFault('export_needs_caller', { hint: 'Without an account a collection can be sent at once, by GET.' });
}

function refuseUnready({ state, isExpired, ownerIs }: ExportFile): void {
  if (state !== 'done') throw exportFault('file_not_ready', { details: `The export is ${state}.` });
  if (isExpired) throw exportFault('file_is_gone', { details: 'It was kept as long as MAINSTAY_EXPORT_KEEP says.', hint: 'Have it made again.' });
  if (ownerIs !== null) throw exportFault('link_owner_gone', { details: `It was ${ownerIs}.` });
}

function fileHeaders({ name, format, terms, sha256, finishedAt }: ExportFile, etag: string): Record<string, string> {
  return {
    'content-type': mediaTypeOf(format, terms),
    'content-disposition': dispositionOf(fileNameOf(name, format, terms)),
    'accept-ranges': 'bytes',
    etag,
    'last-modified': finishedAt!.toUTCString(),
    'repr-digest': `sha-256=:${sha256!.toString('base64')}:`,
    // Packed on the way by somebody, its parts would not fit together.
    'cache-control': 'private, no-transform, max-age=0',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
  };
}

function matches(header: string | undefined, etag: string): boolean {
  return header !== undefined && header.split(',').some((one) => one.trim().replace(/^W\//, '') === etag || one.trim() === '*');
}

/** Whether what the client has a part of is this file: without a condition it is sure of it (RFC 9110, 13.1.5). */
function continues(condition: string | undefined, etag: string, { finishedAt }: ExportFile): boolean {
  if (condition === undefined) return true;
  if (condition.startsWith('"') || condition.startsWith('W/')) return condition === etag;
  return Date.parse(condition) === Math.floor(finishedAt!.getTime() / 1000) * 1000;
}

function parseLimit(text: string | undefined): number {
  if (text === undefined) return defaultLimit;
  const limit = Number(text);
  if (!/^\d+$/.test(text) || limit < 1 || limit > mostAtOnce) throw exportFault('option_not_valid', { message: `"limit" must be a whole number from 1 to ${mostAtOnce}, not "${shown(text)}"` });
  return limit;
}
