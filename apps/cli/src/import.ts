import { createReadStream, existsSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { parseArgs } from 'node:util';
import type { Settings } from '@mainstay/config';
import { apiClient, type ApiClient } from './api-client.ts';
import { Explained, isExplained } from './explained.ts';

interface Import {
  readonly id: string;
  readonly state: string;
  readonly rows_read: number;
  readonly rows_written: number;
  readonly rows_rejected: number;
  readonly percent: number;
  readonly rows_per_second: number | null;
  readonly remaining_seconds: number | null;
  readonly error: { readonly message: string; readonly details?: string | null } | null;
}

/** `mainstay import FILE --into TABLE`: uploads the file, then follows the import to its end. 0 only if every row was written. */
export async function importCommand(args: string[], settings: Settings): Promise<number> {
  const { values, positionals } = parse(args);
  const [file] = positionals;
  if (file === undefined || values.into === undefined) throw new Explained('Say which file and where to: mainstay import FILE --into TABLE');
  if (file !== '-' && !existsSync(file)) throw new Explained(`There is no file "${file}".`);
  const api = apiClient(settings, values.key ?? settings.secretKey ?? settings.serviceRoleKey);
  const { id } = await upload(api, file, values);
  return follow(api, id);
}

function parse(args: string[]) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: { into: text, format: text, 'on-conflict': text, resolution: text, mode: text, delimiter: text, 'max-errors': text, key: text },
    });
  } catch (error) {
    throw new Explained((error as Error).message, { cause: error });
  }
}

async function upload(api: ApiClient, file: string, values: ReturnType<typeof parse>['values']): Promise<{ id: string }> {
  const query = new URLSearchParams();
  for (const [name, value] of [
    ['on_conflict', values['on-conflict']],
    ['resolution', values.resolution ?? (values['on-conflict'] === undefined ? undefined : 'merge')],
    ['mode', values.mode],
    ['delimiter', values.delimiter ?? (/\.tsv(\.gz)?$/i.test(file) ? '\t' : undefined)],
    ['max_errors', values['max-errors']],
  ] as const) {
    if (value !== undefined) query.set(name, value);
  }
  const format = values.format ?? (/\.(ndjson|jsonl)(\.gz)?$/i.test(file) ? 'ndjson' : 'csv');
  const total = file === '-' ? null : statSync(file).size;
  const source = file === '-' ? process.stdin : createReadStream(file, { highWaterMark: 1024 * 1024 });
  let sent = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const piece of source as AsyncIterable<Buffer>) {
      sent += piece.length;
      if (total !== null) show(`Uploading  ${bar(sent / Math.max(1, total))}  ${(sent / 1024 ** 2).toFixed(1)} of ${(total / 1024 ** 2).toFixed(1)} MB`);
      yield piece;
    }
  };
  const answer = await api.ask<{ id: string }>('POST', `/imports/v1/${encodeURIComponent(values.into!)}?${query}`, {
    duplex: 'half',
    body: Readable.toWeb(Readable.from(counted())) as ReadableStream,
    headers: { 'content-type': format === 'csv' ? 'text/csv' : 'application/x-ndjson', ...(file.endsWith('.gz') ? { 'content-encoding': 'gzip' } : {}) },
  });
  endLine();
  return answer;
}

/** Follows an import through restarts of the server: it goes on without us, so a failed look is only tried again. */
async function follow(api: ApiClient, id: string): Promise<number> {
  for (;;) {
    const now = await api.ask<Import>('GET', `/imports/v1/${id}`).catch((error: unknown) => {
      if (!isExplained(error)) throw error;
      show(`Importing  waiting for the server to come back …`);
      return null;
    });
    if (now !== null) {
      const rate = now.rows_per_second === null ? '' : `  ${Math.round(now.rows_per_second).toLocaleString('en')} rows/s`;
      const remaining = now.remaining_seconds === null ? '' : `  ${Math.ceil(now.remaining_seconds)} s left`;
      show(`Importing  ${bar(now.percent / 100)}  ${now.rows_written.toLocaleString('en')} rows${rate}${remaining}`);
      if (!['queued', 'running'].includes(now.state)) return conclude(now);
    }
    await sleep(now === null ? 1000 : 250);
  }
}

function conclude(end: Import): number {
  endLine();
  console.log(`${end.state}: ${end.rows_written.toLocaleString('en')} rows written, ${end.rows_rejected.toLocaleString('en')} rejected (import ${end.id})`);
  if (end.error !== null) console.log([end.error.message, end.error.details].filter(Boolean).join('\n'));
  if (end.rows_rejected > 0) console.log(`The rejected rows with their reasons: GET /imports/v1/${end.id}/rejects`);
  return end.state === 'done' && end.rows_rejected === 0 ? 0 : 1;
}

function bar(part: number): string {
  const width = 24;
  const full = Math.round(Math.min(1, Math.max(0, part)) * width);
  return `[${'#'.repeat(full)}${'.'.repeat(width - full)}] ${Math.floor(Math.min(1, part) * 100).toString().padStart(3)} %`;
}

/** A line that is written over in a terminal; elsewhere progress would only fill a log. */
function show(line: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r\u001b[K${line}`);
}

function endLine(): void {
  if (process.stdout.isTTY) process.stdout.write('\n');
}
