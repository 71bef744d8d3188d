import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, type WriteStream } from 'node:fs';
import { rename, stat } from 'node:fs/promises';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Settings } from '@mainstay/config';
import { apiClient, type ApiClient } from './api-client.ts';
import { Explained, isExplained } from './explained.ts';
import { flag, pathFromHere, readOptions, text, wayToHelp } from './options.ts';
import { bar, count, endLine, onInterrupt, show } from './progress-line.ts';

interface ExportFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly url: string;
}

interface Export {
  readonly id: string;
  readonly state: string;
  readonly rows: number;
  readonly bytes: number;
  readonly percent: number;
  readonly rows_per_second: number | null;
  readonly remaining_seconds: number | null;
  readonly file: ExportFile | null;
  readonly is_expired: boolean;
  readonly error: { readonly message: string; readonly details?: unknown; readonly hint?: string | null } | null;
}

/** How often in a row a transfer may break without a byte more. */
const mostBreaks = 10;

/**
 * `mainstay export TABLE [QUERY]`: has the file made by a job, follows it, and fetches it; what breaks off is gone on with, and only
 * a file that is whole gets its name.
 */
export async function exportCommand(args: string[], settings: Settings): Promise<number> {
  const { values, positionals } = readOptions('export', args, { format: text, gzip: flag, to: text, 'spreadsheet-safe': flag, delimiter: text, resume: text, key: text }, 2);
  const [collection, query = ''] = positionals;
  if ((collection === undefined) === (values.resume === undefined)) throw new Explained(`Say which table: npm run mainstay -- export TABLE [QUERY] [--to FILE]\n${wayToHelp('export')}`);
  const api = apiClient(settings, values.key ?? settings.secretKey ?? settings.serviceRoleKey);
  const id = values.resume ?? (await ask(api, collection!, [query.replace(/^\?/, ''), optionsOf(values)].filter((part) => part !== '').join('&')));
  const made = await follow(api, id);
  if (made.file === null) return explainFailure(made);
  const target = values.to === '-' ? null : pathFromHere(values.to ?? made.file.name);
  await fetchFile(api, made, made.file, target);
  if (target !== null) console.log(`done: ${count(made.rows)} rows, ${megabytes(made.file.bytes)} in ${target}`);
  return 0;
}

interface Options {
  readonly format?: string | undefined;
  readonly to?: string | undefined;
  readonly gzip?: boolean | undefined;
  readonly 'spreadsheet-safe'?: boolean | undefined;
  readonly delimiter?: string | undefined;
}

/** The options as the API names them; what a file's name says need not be said. */
function optionsOf(values: Options): string {
  const ending = /\.(csv|tsv|ndjson|jsonl|xlsx|parquet)(\.gz)?$/i.exec(values.to ?? '');
  const named = { tsv: 'csv', jsonl: 'ndjson' }[ending?.[1]?.toLowerCase() ?? ''] ?? ending?.[1]?.toLowerCase();
  const query = new URLSearchParams();
  const format = values.format ?? named;
  const delimiter = values.delimiter ?? (/\.tsv(\.gz)?$/i.test(values.to ?? '') ? 'tab' : undefined);
  if (format !== undefined) query.set('format', format);
  if (values.gzip === true || ending?.[2] !== undefined) query.set('gzip', 'true');
  if (values['spreadsheet-safe'] === true) query.set('spreadsheet_safe', 'true');
  if (delimiter !== undefined) query.set('delimiter', delimiter);
  return query.toString();
}

async function ask(api: ApiClient, collection: string, query: string): Promise<string> {
  return (await api.ask<{ id: string }>('POST', `/exports/v1/${encodeURIComponent(collection)}?${query}`)).id;
}

/** Follows an export through restarts of the server: it goes on without us, so a failed look is only tried again. */
async function follow(api: ApiClient, id: string): Promise<Export> {
  const forget = onInterrupt(`The export goes on without this window. To fetch it: npm run mainstay -- export --resume ${id}`);
  try {
    for (;;) {
      const now = await look(api, id);
      if (now !== null) {
        const rate = now.rows_per_second === null ? '' : `  ${count(now.rows_per_second)} rows/s`;
        const remaining = now.remaining_seconds === null ? '' : `  ${Math.ceil(now.remaining_seconds)} s left`;
        show(`Exporting  ${bar(now.percent / 100)}  ${count(now.rows)} rows  ${megabytes(now.bytes)}${rate}${remaining}`);
        if (!['queued', 'running'].includes(now.state)) return now;
      }
      await sleep(now === null ? 1000 : 250);
    }
  } finally {
    endLine();
    forget();
  }
}

async function look(api: ApiClient, id: string): Promise<Export | null> {
  try {
    return await api.ask<Export>('GET', `/exports/v1/${id}`);
  } catch (error) {
    if (!isExplained(error) || (error.cause === undefined)) throw error;
    show('Exporting  waiting for the server to come back …');
    return null;
  }
}

function explainFailure({ state, is_expired: isExpired, error }: Export): number {
  if (isExpired) throw new Explained('The file of this export is no longer kept: have it made again.');
  console.log(`${state}: ${[error?.message, error?.details, error?.hint].filter((part) => typeof part === 'string').join('\n')}`);
  return 1;
}

/** Fetches the file to its end, however often the transfer breaks; without a target to standard output. */
async function fetchFile(api: ApiClient, made: Export, file: ExportFile, target: string | null): Promise<void> {
  const part = target === null ? null : `${target}.part`;
  const hash = createHash('sha256');
  const forget = onInterrupt(`Stopped. To go on: npm run mainstay -- export --resume ${made.id}${target === null ? '' : ` --to '${target}'`}`);
  let have = part === null ? 0 : await alreadyThere(part, file.bytes, hash);
  const sink: NodeJS.WritableStream = part === null ? process.stdout : createWriteStream(part, { flags: have === 0 ? 'w' : 'a' });
  let breaks = 0;
  try {
    for (let { url } = file; have < file.bytes; ) {
      const before = have;
      try {
        for await (const bytes of bodyFrom(api, url, file, have)) {
          hash.update(bytes);
          if (!sink.write(bytes)) await once(sink, 'drain');
          have += bytes.length;
          if (part !== null) show(`Fetching   ${bar(have / file.bytes)}  ${megabytes(have)} of ${megabytes(file.bytes)}`);
        }
      } catch (error) {
        breaks = have === before ? breaks + 1 : 0;
        if (isExplained(error) || breaks >= mostBreaks) throw isExplained(error) ? error : new Explained(`The transfer broke ${mostBreaks} times in a row. To go on: npm run mainstay -- export --resume ${made.id}`, { cause: error });
        await sleep(1000);
        // A link may have expired meanwhile; the export shows a fresh one.
        url = (await look(api, made.id))?.file?.url ?? url;
      }
    }
    if (part !== null) await closed(sink as WriteStream);
  } finally {
    endLine();
    forget();
  }
  if (hash.digest('hex') !== file.sha256) throw new Explained(`The file is not what was made (its SHA-256 differs)${part === null ? '' : `: delete ${part} and fetch it once more`}.`);
  if (part !== null) await rename(part, target!);
}

/** The bytes from a place on. A link leads to where clients reach the API; we go where it listens. */
async function* bodyFrom(api: ApiClient, url: string, { sha256 }: ExportFile, from: number): AsyncGenerator<Uint8Array> {
  const { pathname, search } = new URL(url);
  const etag = `"${Buffer.from(sha256, 'hex').toString('base64url')}"`;
  const answer = await fetch(`${api.url}${pathname}${search}`, { headers: from === 0 ? {} : { range: `bytes=${from}-`, 'if-range': etag } });
  if (answer.status !== (from === 0 ? 200 : 206)) {
    const said = await answer.text();
    if (answer.status >= 500 || answer.status === 403) throw new Error(said);
    throw new Explained(`The API answered ${answer.status}: ${said.slice(0, 300)}`);
  }
  yield* answer.body as unknown as AsyncIterable<Uint8Array>;
}

/** What an earlier try has left: it is read once, for the sum over the whole. */
async function alreadyThere(part: string, bytes: number, hash: ReturnType<typeof createHash>): Promise<number> {
  const size = await stat(part).then(({ size: known }) => known, () => 0);
  if (size === 0 || size > bytes) return 0;
  for await (const piece of createReadStream(part)) hash.update(piece as Uint8Array);
  return size;
}

function closed(sink: WriteStream): Promise<void> {
  return new Promise((resolve, reject) => {
    sink.once('error', reject);
    sink.end(() => resolve());
  });
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
