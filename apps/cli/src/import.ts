import type { Stats } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { Settings } from '@mainstay/config';
import { apiClient, type ApiClient } from './api-client.ts';
import { Explained, isExplained } from './explained.ts';
import { flag, pathFromHere, readOptions, text, wayToHelp } from './options.ts';
import { bar, count, endLine, onInterrupt, show } from './progress-line.ts';

interface Import {
  readonly id: string;
  readonly state: string;
  readonly rows_read: number;
  readonly rows_written: number;
  readonly rows_rejected: number;
  readonly percent: number;
  readonly rows_per_second: number | null;
  readonly remaining_seconds: number | null;
  readonly error: { readonly message: string; readonly details?: string | null; readonly hint?: string | null } | null;
}

interface Reject {
  readonly line: number;
  readonly column: string | null;
  readonly value: string | null;
  readonly reason: string;
}

/** So many of the rows that were set aside are shown; the page of the import has them all. */
const shownRejects = 3;

/** `mainstay import FILE --into TABLE`: uploads the file, then follows the import to its end. 0 only if every row was written. */
export async function importCommand(args: string[], settings: Settings): Promise<number> {
  const { values, positionals } = parse(args);
  const [file] = positionals;
  if (file === undefined || values.into === undefined) throw new Explained(`Say which file and where to: npm run mainstay -- import FILE --into TABLE\n${wayToHelp('import')}`);
  const format = formatOf(file, values.format);
  const source = await openSource(file);
  const api = apiClient(settings, values.key ?? settings.secretKey ?? settings.serviceRoleKey);
  const { id } = await upload(api, source, { into: values.into, query: queryOf(file, values), format, isGzip: /\.gz$/i.test(file) });
  return follow(api, id);
}

type Options = ReturnType<typeof parse>['values'];

function parse(args: string[]) {
  const options = { into: text, format: text, columns: text, 'no-header': flag, 'on-conflict': text, resolution: text, mode: text, delimiter: text, null: text, 'max-errors': text, key: text } as const;
  return readOptions('import', args, options, 1);
}

function formatOf(file: string, asked: string | undefined): 'csv' | 'ndjson' {
  if (asked === 'csv' || asked === 'ndjson') return asked;
  if (asked !== undefined) throw new Explained(`--format "${asked}" is not right: it must be csv or ndjson.`);
  return /\.(ndjson|jsonl)(\.gz)?$/i.test(file) ? 'ndjson' : 'csv';
}

/** The options as the API names them. */
function queryOf(file: string, values: Options): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of [
    ['columns', values.columns],
    ['header', values['no-header'] === true ? 'false' : undefined],
    ['on_conflict', values['on-conflict']],
    ['resolution', values.resolution ?? (values['on-conflict'] === undefined ? undefined : 'merge')],
    ['mode', values.mode],
    ['delimiter', values.delimiter ?? (/\.tsv(\.gz)?$/i.test(file) ? '\t' : undefined)],
    ['null', values.null],
    ['max_errors', values['max-errors']],
  ] as const) {
    if (value !== undefined) query.set(name, value);
  }
  return query;
}

interface Source {
  readonly stream: AsyncIterable<Uint8Array>;
  /** Null where nobody knows: standard input. */
  readonly bytes: number | null;
}

/** Opens the file before anything is asked of the server, to tell its faults from those of the connection. */
async function openSource(file: string): Promise<Source> {
  if (file === '-') return { stream: process.stdin, bytes: null };
  const path = pathFromHere(file);
  const [handle, stat] = await openFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw new Explained(cause.code === 'ENOENT' ? `There is no file ${path}.` : `${path} cannot be read: ${cause.message}`, { cause });
  });
  if (stat.isDirectory()) throw new Explained(`${path} is a folder, not a file.`);
  return { stream: handle.createReadStream({ highWaterMark: 1024 * 1024 }), bytes: stat.isFile() ? stat.size : null };
}

async function openFile(path: string): Promise<[FileHandle, Stats]> {
  const handle = await open(path);
  return [handle, await handle.stat()];
}

interface Target {
  readonly into: string;
  readonly query: URLSearchParams;
  readonly format: 'csv' | 'ndjson';
  readonly isGzip: boolean;
}

async function upload(api: ApiClient, { stream, bytes: total }: Source, { into, query, format, isGzip }: Target): Promise<{ id: string }> {
  const forget = onInterrupt('Stopped: the file was not sent to its end, so nothing of it is imported.');
  let sent = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const piece of stream) {
      sent += piece.length;
      if (total !== null) show(`Uploading  ${bar(sent / Math.max(1, total))}  ${(sent / 1e6).toFixed(1)} of ${(total / 1e6).toFixed(1)} MB`);
      yield piece;
    }
  };
  try {
    return await api.ask<{ id: string }>('POST', `/imports/v1/${encodeURIComponent(into)}?${query}`, {
      duplex: 'half',
      body: Readable.toWeb(Readable.from(counted())) as ReadableStream,
      headers: { 'content-type': format === 'csv' ? 'text/csv' : 'application/x-ndjson', ...(isGzip ? { 'content-encoding': 'gzip' } : {}) },
    });
  } catch (error) {
    throw isExplained(error) ? new Explained(asOptions(error.message), { cause: error }) : error;
  } finally {
    forget();
    endLine();
  }
}

/** Follows an import through restarts of the server: it goes on without us, so a failed look is only tried again. */
async function follow(api: ApiClient, id: string): Promise<number> {
  const page = `${api.url}/console/#/import/${id}`;
  const forget = onInterrupt(`The import goes on without this window: ${page}`);
  for (;;) {
    const now = await api.ask<Import>('GET', `/imports/v1/${id}`).catch((error: unknown) => {
      if (!isExplained(error)) throw error;
      show(`Importing  waiting for the server to come back …`);
      return null;
    });
    if (now !== null) {
      const rate = now.rows_per_second === null ? '' : `  ${count(now.rows_per_second)} rows/s`;
      const remaining = now.remaining_seconds === null ? '' : `  ${Math.ceil(now.remaining_seconds)} s left`;
      show(`Importing  ${bar(now.percent / 100)}  ${rows(now.rows_written)}${rate}${remaining}`);
      if (!['queued', 'running'].includes(now.state)) {
        forget();
        return conclude(api, now, page);
      }
    }
    await sleep(now === null ? 1000 : 250);
  }
}

async function conclude(api: ApiClient, end: Import, page: string): Promise<number> {
  endLine();
  console.log(`${end.state}: ${rows(end.rows_written)} written, ${count(end.rows_rejected)} rejected (import ${end.id})`);
  if (end.error !== null) console.log(asOptions([end.error.message, end.error.details, end.error.hint].filter(Boolean).join('\n')));
  if (end.rows_rejected > 0) {
    for (const reject of await firstRejects(api, end.id)) console.log(`  ${inWords(reject)}`);
    console.log(`${end.rows_rejected > shownRejects ? 'All of them' : 'More about them'}: ${page}`);
  }
  return end.state === 'done' && end.rows_rejected === 0 ? 0 : 1;
}

/** A look at the rejects; without it the figures are still worth having. */
async function firstRejects(api: ApiClient, id: string): Promise<readonly Reject[]> {
  try {
    return await api.lines<Reject>(`/imports/v1/${id}/rejects`, shownRejects);
  } catch (error) {
    if (!isExplained(error)) throw error;
    return [];
  }
}

/** Values come from the file: what is no printable text must not reach the terminal. */
function inWords({ line, column, value, reason }: Reject): string {
  const where = [`line ${line}`, ...(column === null ? [] : [column])].join(', ');
  const what = value === null || reason.includes(value) ? '' : ` (${value})`;
  return `${where}: ${reason}${what}`.replace(/\p{Cc}/gu, '·').slice(0, 300);
}

/** The API's advice names its own options, ours are spelt as a command line's are. */
function asOptions(advice: string): string {
  return advice
    .replace(/\bheader=false\b/g, '--no-header')
    .replace(/\b(columns|delimiter|null|max_errors|on_conflict|mode|resolution)=((?:%[0-9A-F]{2})*)/g, (_, name: string, value: string) => {
      return `--${name.replaceAll('_', '-')} ${value === '' ? '' : `'${decodeURIComponent(value)}'`}`;
    });
}

function rows(number: number): string {
  return number === 1 ? '1 row' : `${count(number)} rows`;
}
