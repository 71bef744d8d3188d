import { setTimeout as sleep } from 'node:timers/promises';
import { watchMemory, type WatchedMemory } from './resident-memory.ts';
import type { BenchStack, Section } from './stack.ts';
import { tokenFor } from './token.ts';

const rounds = 3;
const warmUps = 1;
const rowCount = 1_000_000;
const subject = '11111111-1111-4111-8111-111111111111';

/** One way out of a table, beside a plain COPY of the same rows. */
interface Way {
  readonly name: string;
  readonly table: string;
  readonly isCaller: boolean;
  readonly query: string;
  readonly isJob?: boolean;
  readonly aim: number | null;
}

const ways: readonly Way[] = [
  { name: 'CSV at once, service role', table: 'flights_out', isCaller: false, query: 'format=csv', aim: 0.7 },
  { name: 'CSV at once, a caller under `(select auth.uid()) = owner`', table: 'flights_out', isCaller: true, query: 'format=csv', aim: null },
  { name: 'NDJSON at once, service role', table: 'flights_out', isCaller: false, query: 'format=ndjson', aim: null },
  { name: 'CSV by a job, until it is fetched', table: 'flights_out', isCaller: false, query: 'format=csv', isJob: true, aim: null },
  { name: 'Parquet by a job, until it is fetched', table: 'flights_out', isCaller: false, query: 'format=parquet', isJob: true, aim: null },
  { name: 'XLSX by a job, until it is fetched', table: 'flights_out', isCaller: false, query: 'format=xlsx', isJob: true, aim: null },
];

/** A million rows from the request to the last byte, against a plain COPY of the same rows to a client that drops them. */
export async function benchExports(stack: BenchStack): Promise<Section> {
  for (const statement of schema) await stack.database.rows(statement);
  const rows: string[][] = [];
  for (const way of ways) rows.push(await measure(stack, way));
  return {
    title: 'Exports',
    about:
      `${rowCount.toLocaleString('en')} rows of flights (id, delay, distance, time, owner), from the request to the last byte, against a plain \`COPY … TO STDOUT (format csv)\` of the same rows, ` +
      `which a client reads and drops; the middle one of ${rounds} rounds each, by turns. The memory is the most that the process which makes the file (api, or worker for a job) took during them.`,
    head: ['Export', 'COPY, s', 'export, s', 'MB', 'rows per second', 'memory, MiB', 'ratio', 'aim'],
    rows,
  };
}

const schema = [
  'create table public.flights_out (id bigint primary key, delay int, distance int, time real, owner uuid not null)',
  `insert into public.flights_out select g, g % 600 - 60, g % 3000, (g % 2400) / 100.0, '${subject}' from generate_series(1, ${rowCount}) g`,
  'alter table public.flights_out enable row level security',
  'create policy own on public.flights_out to authenticated using ((select auth.uid()) = owner)',
  'grant all on public.flights_out to authenticated, service_role',
  'vacuum analyze public.flights_out',
];

async function measure(stack: BenchStack, way: Way): Promise<string[]> {
  const headers = { ...(way.isCaller ? callerHeaders(stack) : { apikey: stack.environment['SUPABASE_SECRET_KEY']! }), 'accept-encoding': 'identity' };
  const copies: number[] = [];
  const exports: { ms: number; bytes: number }[] = [];
  const memory = watchMemory(way.isJob === true ? stack.pids.worker : stack.pids.api);
  for (let round = 1; round <= warmUps + rounds; round += 1) {
    const copied = await copyPlainly(stack, way);
    const exported = way.isJob === true ? await exportByJob(stack, way, headers) : await exportAtOnce(stack, way, headers);
    if (round <= warmUps) continue;
    copies.push(copied);
    exports.push(exported);
  }
  const copy = middle(copies);
  const whole = middle(exports.map(({ ms }) => ms));
  return [
    way.name, (copy / 1000).toFixed(2), (whole / 1000).toFixed(2), (exports[0]!.bytes / 1e6).toFixed(0), Math.round(rowCount / (whole / 1000)).toLocaleString('en'), mostOf(memory()).toFixed(0),
    (copy / whole).toFixed(2), way.aim === null ? '' : `≥ ${way.aim}`,
  ];
}

async function copyPlainly({ database }: BenchStack, { table }: Way): Promise<number> {
  const began = performance.now();
  let rows = 0;
  await database.transaction({ role: null, settings: {} }, async (tx) => {
    for await (const piece of tx.copyOut(`copy public.${table} to stdout (format csv)`)) rows += piece.rows;
  });
  if (rows !== rowCount) throw new Error(`COPY gave ${rows} rows`);
  return performance.now() - began;
}

async function exportAtOnce({ url }: BenchStack, { table, query }: Way, headers: Record<string, string>): Promise<{ ms: number; bytes: number }> {
  const began = performance.now();
  const answer = await fetch(`${url}/exports/v1/${table}?${query}`, { headers });
  if (answer.status !== 200) throw new Error(await answer.text());
  return { bytes: await drain(answer), ms: performance.now() - began };
}

async function exportByJob({ url }: BenchStack, { table, query }: Way, headers: Record<string, string>): Promise<{ ms: number; bytes: number }> {
  const began = performance.now();
  const made = await fetch(`${url}/exports/v1/${table}?${query}`, { method: 'POST', headers });
  const { id, message } = (await made.json()) as { id?: string; message?: string };
  if (made.status !== 202) throw new Error(message);
  for (;;) {
    const shown = (await (await fetch(`${url}/exports/v1/${id}`, { headers })).json()) as { state: string; error: unknown; file: { url: string } | null };
    if (shown.file !== null) {
      const bytes = await drain(await fetch(shown.file.url));
      const ms = performance.now() - began;
      await fetch(`${url}/exports/v1/${id}`, { method: 'DELETE', headers });
      return { bytes, ms };
    }
    if (!['queued', 'running'].includes(shown.state)) throw new Error(JSON.stringify(shown));
    await sleep(20);
  }
}

async function drain(answer: Response): Promise<number> {
  let bytes = 0;
  for await (const piece of answer.body as unknown as AsyncIterable<Uint8Array>) bytes += piece.length;
  return bytes;
}

function mostOf({ mostInFirstHalf, mostInSecondHalf }: WatchedMemory): number {
  return Math.max(mostInFirstHalf, mostInSecondHalf);
}

function callerHeaders(stack: BenchStack): Record<string, string> {
  return { apikey: stack.environment['SUPABASE_PUBLISHABLE_KEY']!, authorization: `Bearer ${tokenFor(subject, stack.environment['JWT_SECRET']!)}` };
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
