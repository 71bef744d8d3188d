import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchStack, Section } from '../bench/stack.ts';
import { describeMemory, watchMemory } from '../bench/resident-memory.ts';

const formats = ['csv', 'ndjson', 'parquet', 'xlsx'] as const;
type Format = (typeof formats)[number];

/** What the stack needs: the files of all formats together may be larger than one owner's are. */
export const exportSettings = { MAINSTAY_EXPORT_QUOTA: '20GB' };

/** Very many rows by a job in every format, and the download of what it made. */
export async function measureLargeExports(stack: BenchStack, rows: number): Promise<Section> {
  await makeTable(stack, rows);
  const measured: string[][] = [];
  for (const format of formats) measured.push(await measure(stack, format, rows));
  return {
    title: 'Large exports',
    about:
      `${rows.toLocaleString('en')} rows of flights (id, delay, distance, time, owner) by a job, and its file’s download. Of CSV and NDJSON every line was counted. Memory is that of the worker while it makes the file, ` +
      'and that of the api while it sends it: before, the most of the first half, the most of the second.',
    head: ['Format', 'made in, s', 'rows per second', 'MB', 'memory of the worker, MiB', 'downloaded in, s', 'memory of the api, MiB'],
    rows: measured,
  };
}

async function makeTable({ database }: BenchStack, rows: number): Promise<void> {
  await database.rows('create table public.flights_out (id bigint primary key, delay int, distance int, time real, owner uuid not null)');
  await database.rows(`insert into public.flights_out select g, g % 600 - 60, g % 3000, (g % 2400) / 100.0, '11111111-1111-4111-8111-111111111111' from generate_series(1, $1::int) g`, [rows]);
  await database.rows('grant select on public.flights_out to service_role');
  await database.rows('vacuum analyze public.flights_out');
}

interface Shown {
  readonly id: string;
  readonly state: string;
  readonly rows: number;
  readonly error: unknown;
  readonly message?: string;
  readonly file: { readonly url: string; readonly bytes: number } | null;
}

async function measure(stack: BenchStack, format: Format, rows: number): Promise<string[]> {
  const worker = watchMemory(stack.pids.worker);
  const began = performance.now();
  const { id, message } = await ask(stack, 'POST', `flights_out?format=${format}`);
  if (id === undefined) throw new Error(message);
  const made = await untilMade(stack, id);
  const seconds = (performance.now() - began) / 1000;
  const workerMemory = worker();
  if (made.rows !== rows) throw new Error(`the ${format} has ${made.rows} rows`);
  const api = watchMemory(stack.pids.api);
  const sent = performance.now();
  await download(made.file!, format, rows);
  const downloadSeconds = (performance.now() - sent) / 1000;
  const apiMemory = api();
  await fetch(`${stack.url}/exports/v1/${id}`, { method: 'DELETE', headers: { apikey: stack.environment['SUPABASE_SECRET_KEY']! } });
  const row = [
    format, seconds.toFixed(0), Math.round(rows / seconds).toLocaleString('en'), (made.file!.bytes / 1e6).toFixed(0), describeMemory(workerMemory), downloadSeconds.toFixed(0), describeMemory(apiMemory),
  ];
  console.log(`  ${row.join(' | ')}`);
  return row;
}

async function untilMade(stack: BenchStack, id: string): Promise<Shown> {
  for (;;) {
    const shown = await ask(stack, 'GET', id);
    if (shown.file !== null) return shown;
    if (!['queued', 'running'].includes(shown.state)) throw new Error(JSON.stringify(shown));
    await sleep(200);
  }
}

async function ask({ url, environment }: BenchStack, method: string, path: string): Promise<Shown> {
  return (await fetch(`${url}/exports/v1/${path}`, { method, headers: { apikey: environment['SUPABASE_SECRET_KEY']! } })).json() as Promise<Shown>;
}

async function download({ url, bytes }: NonNullable<Shown['file']>, format: Format, rows: number): Promise<void> {
  let [read, lines] = [0, 0];
  const isText = format === 'csv' || format === 'ndjson';
  for await (const piece of (await fetch(url)).body as unknown as AsyncIterable<Uint8Array>) {
    read += piece.length;
    if (isText) for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, at + 1)) lines += 1;
  }
  if (read !== bytes) throw new Error(`${read} of ${bytes} bytes of the ${format} were sent`);
  const expected = format === 'csv' ? rows + 1 : rows;
  if (isText && lines !== expected) throw new Error(`the ${format} has ${lines} lines instead of ${expected}`);
}
