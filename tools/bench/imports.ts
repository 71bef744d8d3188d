import { setTimeout as sleep } from 'node:timers/promises';
import { flightLines, flightsTable } from '../data/flights.ts';
import type { BenchStack, Section } from './stack.ts';
import { tokenFor } from './token.ts';

const rounds = 5;
/** Until every part has compiled what it runs often. */
const warmUps = 3;
const subject = '11111111-1111-4111-8111-111111111111';

/** One way into a table, beside a plain COPY of the same file into the same table. */
interface Way {
  readonly name: string;
  readonly table: string;
  readonly key: (stack: BenchStack) => Promise<Record<string, string>>;
  readonly aim: number | null;
  readonly query?: string;
}

const ways: readonly Way[] = [
  { name: 'service role', table: 'flights_open', key: asService, aim: 0.45 },
  { name: 'a caller under `(select auth.uid()) = owner`', table: 'flights_owned', key: asCaller, aim: 0.25 },
  { name: 'a caller under a bare `auth.uid() = owner`', table: 'flights_bare', key: asCaller, aim: null },
  { name: 'service role, `mode=all`', table: 'flights_open', key: asService, aim: null, query: '?mode=all' },
  { name: 'service role, `on_conflict=id`', table: 'flights_open', key: asService, aim: null, query: '?on_conflict=id' },
];

/** Files from the first byte of the upload to the state `done`, against a plain COPY of the same bytes into the same table. */
export async function benchImports(stack: BenchStack): Promise<Section> {
  await stack.database.rows(schema);
  await sleep(1000);
  const file = Buffer.from([...flightLines()].join(''));
  const rows: string[][] = [];
  for (const way of ways) rows.push(await measure(stack, way, file));
  return {
    title: 'Imports',
    about:
      `The ${file.length.toLocaleString('en')} bytes of 200,000 flights as CSV, upload included, against a plain \`COPY\` of the same bytes into the same table; ` +
      `the middle one of ${rounds} rounds each, by turns. The table has a primary key, the \`owner\` column a default of \`auth.uid()\`.`,
    head: ['Import by', 'COPY, s', 'import, s', 'upload of it, s', 'rows per second', 'ratio', 'aim'],
    rows,
  };
}

const schema = `
  create table public.flights_open (${flightsTable});
  create table public.flights_owned (${flightsTable}, owner uuid not null default auth.uid());
  create table public.flights_bare (${flightsTable}, owner uuid not null default auth.uid());
  alter table public.flights_owned enable row level security;
  alter table public.flights_bare enable row level security;
  create policy own on public.flights_owned to authenticated using ((select auth.uid()) = owner) with check ((select auth.uid()) = owner);
  create policy own on public.flights_bare to authenticated using (auth.uid() = owner) with check (auth.uid() = owner);
  grant all on public.flights_open, public.flights_owned, public.flights_bare to authenticated, service_role`;

async function measure(stack: BenchStack, way: Way, file: Buffer): Promise<string[]> {
  const headers = await way.key(stack);
  const copies: number[] = [];
  const imports: { upload: number; whole: number }[] = [];
  for (let round = 1; round <= warmUps + rounds; round += 1) {
    const copied = await copyPlainly(stack, way.table, file);
    const imported = await importOnce(stack, way, file, headers);
    if (round <= warmUps) continue;
    copies.push(copied);
    imports.push(imported);
  }
  const copy = middle(copies);
  const whole = middle(imports.map((run) => run.whole));
  const upload = middle(imports.map((run) => run.upload));
  return [way.name, seconds(copy), seconds(whole), seconds(upload), Math.round(200_000 / (whole / 1000)).toLocaleString('en'), (copy / whole).toFixed(2), way.aim === null ? '' : `≥ ${way.aim}`];
}

async function copyPlainly(stack: BenchStack, table: string, file: Buffer): Promise<number> {
  await clear(stack, table);
  const began = performance.now();
  await stack.database.transaction({ role: null, settings: { 'request.jwt.claim.sub': subject } }, (tx) =>
    tx.copyIn(`copy public.${table} (id, delay, distance, time) from stdin with (format csv, header true)`, file));
  return performance.now() - began;
}

async function importOnce(stack: BenchStack, { table, query = '' }: Way, file: Buffer, headers: Record<string, string>): Promise<{ upload: number; whole: number }> {
  await clear(stack, table);
  const began = performance.now();
  const answer = await fetch(`${stack.url}/imports/v1/${table}${query}`, { method: 'POST', headers: { ...headers, 'content-type': 'text/csv' }, body: new Uint8Array(file) });
  const { id, message } = (await answer.json()) as { id?: string; message?: string };
  if (answer.status !== 202) throw new Error(`the import was refused: ${message}`);
  const upload = performance.now() - began;
  for (;;) {
    const [kept] = await stack.database.rows<{ state: string; rows_written: string; error: unknown }>('select state, rows_written, error from mainstay_internal.imports where id = $1', [id]);
    if (kept!.state === 'done' && kept!.rows_written === '200000') return { upload, whole: performance.now() - began };
    if (!['queued', 'running'].includes(kept!.state)) throw new Error(`the import ended as ${JSON.stringify(kept)}`);
    await sleep(10);
  }
}

async function clear(stack: BenchStack, table: string): Promise<void> {
  await stack.database.rows(`truncate public.${table}`);
  await stack.database.rows('checkpoint');
}

async function asService(stack: BenchStack): Promise<Record<string, string>> {
  return { apikey: stack.environment['SUPABASE_SECRET_KEY']! };
}

async function asCaller(stack: BenchStack): Promise<Record<string, string>> {
  return { apikey: stack.environment['SUPABASE_PUBLISHABLE_KEY']!, authorization: `Bearer ${tokenFor(subject, stack.environment['JWT_SECRET']!)}` };
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(2);
}
