import { setTimeout as sleep } from 'node:timers/promises';
import { burn, mishaps, SecondWorker, type Burning, type Mishap } from './mishaps.ts';
import { runSql } from './sql.ts';
import type { Stack } from './stack.ts';
import { untilReady } from './under-fire.ts';

export interface JobFire extends Burning {
  /** How many jobs are asked for: half by HTTP, half in SQL. Some of them ask for more. */
  readonly jobs: number;
  /** As the house’s own worker has it: MAINSTAY_JOB_LEASE. */
  readonly leaseSeconds: string;
}

export interface BurntJobs {
  readonly faults: Readonly<Record<Mishap, number>>;
  readonly asked: number;
  /** Effects that are missing, that are there twice, and that belong to no transaction that committed. */
  readonly lost: number;
  readonly doubled: number;
  readonly unasked: number;
  /** Jobs that are not done when all have had their time. */
  readonly stuck: number;
  readonly attempts: number;
  readonly seconds: number;
  readonly secondsAfter: number;
}

/**
 * Asks for jobs of every kind that SQL can say (plain, slow, failing at first, after others, with follow-ups, asked for by a
 * trigger) while the parts of two workers' house die, halt and forget; then counts every effect.
 */
export async function jobsUnderFire(stack: Stack, fire: JobFire): Promise<BurntJobs> {
  await makeWorld(stack);
  const second = await SecondWorker.start(stack, fire.leaseSeconds);
  const began = performance.now();
  const faults = Object.fromEntries(mishaps.map((mishap) => [mishap, 0])) as Record<Mishap, number>;
  let lastFault = began;
  try {
    const burning = burn(stack, second, fire, (mishap) => {
      faults[mishap] += 1;
      lastFault = performance.now();
    });
    await Promise.all([askByHttp(stack, fire), askInSql(stack, fire), burning]);
    await untilReady(stack);
    const stuck = await untilOver(stack, fire, lastFault);
    const ended = performance.now();
    return { faults, stuck, ...(await count(stack)), seconds: (ended - began) / 1000, secondsAfter: (ended - lastFault) / 1000 };
  } finally {
    await second.stop();
  }
}

async function makeWorld(stack: Stack): Promise<void> {
  await runSql(stack.dbUrl, `
    drop table if exists public.fire_asked, public.fire_marks cascade;
    -- What was asked for, in the transaction that asked; and what was done, in the one that completed. Without a key: twice is seen.
    create table public.fire_asked (n integer primary key, follows boolean not null default false);
    create table public.fire_marks (n integer, job uuid);
    create index on public.fire_marks (n);
    alter table public.fire_asked enable row level security;
    alter table public.fire_marks enable row level security;
    create or replace function public.fire_mark(n integer) returns integer language plpgsql as $$
      begin
        insert into public.fire_marks values (fire_mark.n, mainstay.current_job());
        if n % 11 = 0 then perform mainstay.progress(1, 2); perform pg_sleep(0.05); end if;
        -- Some fail at first, after what they did.
        if n % 7 = 0 and (select attempts from mainstay.jobs where id = mainstay.current_job()) = 1 then
          raise exception 'not at the first go';
        end if;
        -- Some ask for more; the trigger of fire_asked does.
        if n % 13 = 0 and n < 1000000 then insert into public.fire_asked values (n + 1000000, true); end if;
        return n;
      end $$;
    create or replace function public.fire_ask() returns trigger language plpgsql as $$
      begin perform mainstay.enqueue('public.fire_mark', jsonb_build_object('n', new.n), max_attempts => 50); return null; end $$;
    create trigger fire_ask after insert on public.fire_asked for each row when (new.follows) execute function public.fire_ask();
    create or replace function public.fire_pair(n integer) returns void language plpgsql as $$
      declare first uuid;
      begin
        insert into public.fire_asked values (n), (n + 1);
        first := mainstay.enqueue('public.fire_mark', jsonb_build_object('n', n), max_attempts => 50);
        perform mainstay.enqueue('public.fire_mark', jsonb_build_object('n', n + 1), max_attempts => 50, after => array[first], queue => case when n % 3 = 0 then 'fire' end);
      end $$`);
  const answer = await fetch(`${stack.url}/queues/v1/fire`, { method: 'PUT', headers: { apikey: stack.secretKey, 'content-type': 'application/json' }, body: JSON.stringify({ concurrency: 3 }) });
  if (answer.status !== 200) throw new Error(`the queue was refused: ${await answer.text()}`);
}

/** Each until it is taken: under one Idempotency-Key it is one job, however often it is sent. */
async function askByHttp(stack: Stack, { jobs, pauseMs: [least], faults }: JobFire): Promise<void> {
  const share = Math.floor(jobs / 2);
  const spreadMs = (faults * least) / share;
  await Promise.all(Array.from({ length: 4 }, async (_, lane) => {
    for (let n = 1 + lane; n <= share; n += 4) {
      await askOnce(stack, n);
      await sleep(spreadMs * 4);
    }
  }));
}

async function askOnce(stack: Stack, n: number): Promise<void> {
  const headers = { apikey: stack.secretKey, 'content-type': 'application/json', 'idempotency-key': `fire-${n}` };
  const body = JSON.stringify({ function: 'public.fire_mark', arguments: { n }, max_attempts: 50 });
  for (;;) {
    const answer = await fetch(`${stack.url}/jobs/v1`, { method: 'POST', headers, body, signal: AbortSignal.timeout(10_000) }).catch(() => null);
    await answer?.body?.cancel();
    if (answer?.status === 202) return;
    if (answer !== null && answer.status < 500 && answer.status !== 409) throw new Error(`job ${n} was refused with ${answer.status}`);
    await sleep(200);
  }
}

/** In pairs, the second after the first; every fifth transaction rolls back. A lost answer is looked up before it is sent again. */
async function askInSql(stack: Stack, { jobs, pauseMs: [least], faults }: JobFire): Promise<void> {
  const share = Math.floor(jobs / 2);
  const spreadMs = (faults * least) / (share / 2);
  for (let n = 2_000_001; n < 2_000_001 + share; n += 2) {
    if (n % 5 === 0) await runSql(stack.dbUrl, `begin; select public.fire_pair(${n + 1_000_000}); rollback`).catch(() => {});
    for (;;) {
      const isAsked = await runSql(stack.dbUrl, `select public.fire_pair(${n}) where not exists (select from public.fire_asked where n = ${n})`).then(() => true, () => false);
      if (isAsked) break;
      await sleep(200);
    }
    await sleep(spreadMs);
  }
}

/** Waits until no job is open, for a minute after the last mishap and a margin; says how many still are. */
async function untilOver(stack: Stack, { tell }: JobFire, lastFault: number): Promise<number> {
  for (;;) {
    const [row] = (await runSql(stack.dbUrl, `select count(*)::int as open from mainstay.jobs where state in ('queued', 'running')`).catch(() => [{ open: -1 }])) as [{ open: number }];
    if (row.open === 0) return 0;
    if (performance.now() - lastFault > 120_000) {
      const open = await runSql(stack.dbUrl, `select state, queue, attempts, run_at - now() as due_in, after, error ->> 'code' as error, arguments from mainstay.jobs where state in ('queued', 'running') limit 10`);
      tell(`still open: ${JSON.stringify(open)}`);
      return row.open;
    }
    if (row.open > 0) tell(`${row.open} open`);
    await sleep(1000);
  }
}

async function count(stack: Stack): Promise<Pick<BurntJobs, 'asked' | 'lost' | 'doubled' | 'unasked' | 'attempts'>> {
  const [found] = (await runSql(stack.dbUrl, `
    with asked as (
      select n from public.fire_asked
      union all
      -- By HTTP, whose ledger is the jobs themselves; and what must have been asked for by those.
      select (arguments ->> 'n')::int from mainstay.jobs where (arguments ->> 'n')::int < 1000000
    ),
    marked as (select n, count(*)::int as times from public.fire_marks group by n)
    select (select count(*)::int from asked) as asked,
      (select count(*)::int from asked where n not in (select n from marked))
        + (select count(*)::int from asked where n % 13 = 0 and n < 1000000 and n + 1000000 not in (select n from marked)) as lost,
      (select count(*)::int from marked where times > 1) + (select count(*)::int - count(distinct n)::int from asked) as doubled,
      (select count(*)::int from marked where n not in (select n from asked)) as unasked,
      (select coalesce(sum(attempts), 0)::int from mainstay.jobs) as attempts`)) as [Pick<BurntJobs, 'asked' | 'lost' | 'doubled' | 'unasked' | 'attempts'>];
  return found;
}
