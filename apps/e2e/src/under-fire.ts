import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { runSql } from './sql.ts';
import type { Stack } from './stack.ts';

export const parts = ['worker', 'postgres', 'api', 'valkey'] as const;
export type PartName = (typeof parts)[number];

export interface Fire {
  readonly rows: number;
  /** Every so many rows one is bad, and must be set aside. */
  readonly badEvery: number;
  /** How long the table takes for a row: it makes the import as long as the fire. */
  readonly rowMs: number;
  readonly kills: number;
  /** The shortest and the longest pause between two kills. */
  readonly pauseMs: readonly [number, number];
  /** Between 0 and 1, as `Math.random`; a seeded one repeats a run. */
  readonly random: () => number;
  /** Told what happens. */
  readonly tell: (event: string) => void;
}

export interface Burnt {
  readonly kills: Readonly<Record<PartName, number>>;
  /** How many kills fell while the import was open. */
  readonly killsInTime: number;
  /** From the first byte of the upload to the state `done`. */
  readonly seconds: number;
  /** From the last kill to `done`. */
  readonly secondsAfter: number;
  readonly uploads: number;
  readonly attempts: number;
  readonly import: Readonly<Record<string, unknown>>;
  /** What the table must hold and does not, and what it holds twice or should not: both empty. */
  readonly missing: number;
  readonly surplus: number;
  /** Whether exactly the bad rows were set aside, each once, with line, column and value. */
  readonly areRejectsExact: boolean;
}

/** Imports a file while parts of the stack are killed with -9 at random, and counts every row. */
export async function importUnderFire(stack: Stack, fire: Fire): Promise<Burnt> {
  await makeTable(stack, fire);
  const began = performance.now();
  const kills: Record<PartName, number> = { worker: 0, postgres: 0, api: 0, valkey: 0 };
  let lastKill = began;
  let isOver = false;
  let killsInTime = 0;
  const shooting = shoot(stack, fire, (part) => {
    kills[part] += 1;
    lastKill = performance.now();
    if (!isOver) killsInTime += 1;
  });
  const { id, uploads } = await uploadUntilTaken(stack, makeFile(fire));
  fire.tell(`import ${id} is taken after ${uploads} upload${uploads === 1 ? '' : 's'}`);
  const end = await followToEnd(stack, id, fire.tell);
  isOver = true;
  const ended = performance.now();
  await shooting;
  await untilReady(stack);
  const seconds = (ended - began) / 1000;
  const secondsAfter = Math.max(0, ended - lastKill) / 1000;
  return { kills, killsInTime, seconds, secondsAfter, uploads, import: end, ...(await count(stack, fire, id)) };
}

async function makeTable(stack: Stack, { rowMs }: Fire): Promise<void> {
  // A trigger for each row: the import goes in steps of about a second, and a kill falls into the middle of one.
  await runSql(stack.dbUrl, `
    drop table if exists public.under_fire;
    create table public.under_fire (id integer primary key, delay integer, note text);
    alter table public.under_fire enable row level security;
    create or replace function public.take_time() returns trigger language plpgsql as $$
      begin if new.id % 20 = 0 then perform pg_sleep(${(rowMs * 20) / 1000}); end if; return new; end $$;
    create trigger take_time before insert on public.under_fire for each row execute function public.take_time();
    grant all on public.under_fire to service_role`);
}

function isBad(id: number, { badEvery }: Fire): boolean {
  return id % badEvery === 0;
}

function makeFile(fire: Fire): string {
  const lines = Array.from({ length: fire.rows }, (_, i) => `${i + 1},${isBad(i + 1, fire) ? 'late' : (i * 7) % 180},row ${i + 1}`);
  return `id,delay,note\n${lines.join('\n')}\n`;
}

/** Sends the file until it is taken: under one Idempotency-Key it is one import, however often it is sent. */
async function uploadUntilTaken(stack: Stack, file: string): Promise<{ id: string; uploads: number }> {
  const headers = { apikey: stack.secretKey, 'content-type': 'text/csv', 'idempotency-key': randomUUID() };
  for (let uploads = 1; ; uploads += 1) {
    const answer = await fetch(`${stack.url}/imports/v1/under_fire?max_errors=100000`, { method: 'POST', headers, body: file, signal: AbortSignal.timeout(30_000) }).catch(() => null);
    if (answer?.status === 202) return { id: ((await answer.json()) as { id: string }).id, uploads };
    if (answer !== null && answer.status < 500 && answer.status !== 409) throw new Error(`the upload was refused: ${answer.status} ${await answer.text()}`);
    await answer?.body?.cancel();
    await sleep(200);
  }
}

async function followToEnd(stack: Stack, id: string, tell: Fire['tell']): Promise<Record<string, unknown>> {
  let told = -1;
  for (;;) {
    const now = await ask(stack, `/imports/v1/${id}`);
    const percent = Math.floor(Number(now?.['percent'] ?? told) / 10) * 10;
    if (percent > told) tell(`${(told = percent)} %`);
    if (now !== null && !['queued', 'running'].includes(String(now['state']))) return now;
    await sleep(100);
  }
}

/** An answer of the api, or null while it cannot give one. */
async function ask(stack: Stack, path: string): Promise<Record<string, unknown> | null> {
  try {
    const answer = await fetch(`${stack.url}${path}`, { headers: { apikey: stack.secretKey }, signal: AbortSignal.timeout(10_000) });
    if (answer.status === 200) return (await answer.json()) as Record<string, unknown>;
    await answer.body?.cancel();
  } catch {
    // It was just killed.
  }
  return null;
}

/** Kills a part at a time, in an order that chance makes for every four: so each is killed as often as the others. */
async function shoot(stack: Stack, { kills, pauseMs: [least, most], random, tell }: Fire, onKill: (part: PartName) => void): Promise<void> {
  let turn: PartName[] = [];
  for (let shot = 1; shot <= kills; shot += 1) {
    await sleep(least + random() * (most - least));
    if (turn.length === 0) turn = shuffled(parts, random);
    const part = turn.pop()!;
    await kill(stack, part);
    tell(`kill ${shot}: ${part}`);
    onKill(part);
  }
}

/** Kills a part, once it is back from the last time. */
async function kill(stack: Stack, part: PartName): Promise<void> {
  for (;;) {
    const pid = stack.pids()[part];
    try {
      if (pid !== undefined && process.kill(pid, 'SIGKILL')) return;
    } catch {
      // The supervisor has not noticed yet.
    }
    await sleep(50);
  }
}

function shuffled<T>(values: readonly T[], random: () => number): T[] {
  return values.map((value) => ({ value, place: random() })).sort((a, b) => a.place - b.place).map(({ value }) => value);
}

/** Waits until every part is well. */
export async function untilReady(stack: Stack, seconds = 60): Promise<void> {
  for (const until = Date.now() + seconds * 1000; Date.now() < until; await sleep(100)) {
    const answer = await fetch(`${stack.url}/health/ready`, { signal: AbortSignal.timeout(5000) }).catch(() => null);
    await answer?.body?.cancel();
    if (answer?.status === 200) return;
  }
  throw new Error(`not every part was ready within ${seconds} s`);
}

async function count(stack: Stack, fire: Fire, id: string): Promise<Pick<Burnt, 'missing' | 'surplus' | 'areRejectsExact' | 'attempts'>> {
  const [found] = (await runSql(stack.dbUrl, `
    with wanted as (
      select id, ((id - 1) * 7) % 180 as delay, 'row ' || id as note from generate_series(1, ${fire.rows}) as id where id % ${fire.badEvery} <> 0
    )
    select (select count(*)::int from (select * from wanted except all select * from public.under_fire) as lost) as missing,
      (select count(*)::int from (select * from public.under_fire except all select * from wanted) as more) as surplus`)) as [{ missing: number; surplus: number }];
  const answer = await fetch(`${stack.url}/imports/v1/${id}/rejects`, { headers: { apikey: stack.secretKey, accept: 'application/x-ndjson' } });
  const rejects = (await answer.text()).split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>);
  const bad = Array.from({ length: Math.floor(fire.rows / fire.badEvery) }, (_, i) => (i + 1) * fire.badEvery + 1);
  const areRejectsExact = rejects.length === bad.length && rejects.every(({ line, column, value }, i) => line === bad[i] && column === 'delay' && value === 'late');
  const shown = await ask(stack, `/imports/v1/${id}`);
  const job = await ask(stack, `/jobs/v1/${shown?.['job_id'] as string}`);
  return { ...found, areRejectsExact, attempts: Number(job?.['attempts']) };
}
