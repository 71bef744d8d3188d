import { setTimeout as sleep } from 'node:timers/promises';
import { connectAsUser, type Database } from '@mainstay/testing';
import { burn, houseUrl, mishaps, SecondWorker, type Burning, type Mishap } from './mishaps.ts';
import { FireReceiver, takeBack, untilTaken, type BurntCalls } from './outward-under-fire.ts';
import { runSql } from './sql.ts';
import type { Stack } from './stack.ts';
import { untilReady } from './under-fire.ts';

export interface JobFire extends Burning {
  /** How many are asked for, of all kinds together. Some of them ask for more. */
  readonly jobs: number;
  /** What the house’s own worker was started with; the second one is too. `callsAllowed` must be among them. */
  readonly settings: Readonly<Record<string, string>>;
}

/** The setting with which a house may call the receiver of its fire. */
export const callsAllowed = { MAINSTAY_OUTWARD_ALLOW: '127.0.0.1' } as const;

/** Of a hundred jobs: functions asked for by HTTP and in SQL, calls to a URL likewise, and changed rows that are told of. */
const shares = { functionsByHttp: 35, functionsInSql: 35, callsByHttp: 5, callsInSql: 5, changes: 20 } as const;

export interface BurntJobs {
  readonly faults: Readonly<Record<Mishap, number>>;
  readonly asked: number;
  /** Effects that are missing, that are there twice, and that belong to no transaction that committed. */
  readonly lost: number;
  readonly doubled: number;
  readonly unasked: number;
  /** Jobs and deliveries that are not done when all have had their time. */
  readonly stuck: number;
  readonly attempts: number;
  readonly calls: BurntCalls;
  readonly seconds: number;
  readonly secondsAfter: number;
}

/**
 * Asks for jobs of every kind that SQL can say (plain, slow, failing at first, after others, with follow-ups, asked for by a
 * trigger), for calls to a receiver, and changes rows that it is told of, while the parts of two workers' house die, halt and forget; then counts every effect and every call.
 */
export async function jobsUnderFire(stack: Stack, fire: JobFire): Promise<BurntJobs> {
  await makeWorld(stack);
  // Kept open, as an application keeps its own: it is severed with the rest.
  const asker = connectAsUser(stack.dbUrl);
  const receiver = await FireReceiver.start(stack, asker, fire.random);
  const second = await SecondWorker.start(stack, fire.settings);
  const began = performance.now();
  const faults = Object.fromEntries(mishaps.map((mishap) => [mishap, 0])) as Record<Mishap, number>;
  let lastFault = began;
  let isAsking = true;
  try {
    const burning = burn(stack, second, fire, () => isAsking, (mishap) => {
      faults[mishap] += 1;
      lastFault = performance.now();
    });
    const asking = Promise.all([
      spread(fire, shares.functionsByHttp, 4, (n) => askOnce(stack, `fire-${n}`, { function: 'public.fire_mark', arguments: { n }, max_attempts: 50 })),
      spread(fire, shares.functionsInSql / 2, 4, (n) => askPair(asker, inSqlFrom + 2 * n)),
      spread(fire, shares.callsByHttp, 1, (n) => askOnce(stack, `fire-call-${n}`, receiver.callByHttp(n))),
      spread(fire, shares.callsInSql, 1, (n) => receiver.callInSql(n)),
      spread(fire, shares.changes, 2, (n) => receiver.change(n)),
    ]).finally(() => (isAsking = false));
    await Promise.all([asking, burning]);
    await untilReady(stack);
    const stuck = await untilOver(stack, fire, lastFault);
    const ended = performance.now();
    return { faults, stuck, ...(await count(stack)), calls: await receiver.count(), seconds: (ended - began) / 1000, secondsAfter: (ended - lastFault) / 1000 };
  } finally {
    await second.stop();
    receiver.stop();
    await asker.close();
  }
}

/** Where jobs asked for in SQL begin to be numbered; below are those by HTTP. */
const inSqlFrom = 1_999_999;

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

/** Asks for a share of the jobs, in so many lanes side by side, over the time of the mishaps. */
async function spread({ jobs, faults, pauseMs: [least] }: JobFire, share: number, lanes: number, ask: (n: number) => Promise<void>): Promise<void> {
  const count = Math.floor((jobs * share) / 100);
  const restMs = (faults * least * lanes) / count;
  await Promise.all(Array.from({ length: lanes }, async (_, lane) => {
    for (let n = 1 + lane; n <= count; n += lanes) {
      await ask(n);
      await sleep(restMs);
    }
  }));
}

/** Until it is taken: under one Idempotency-Key it is one job, however often it is sent. */
async function askOnce(stack: Stack, key: string, job: object): Promise<void> {
  const headers = { apikey: stack.secretKey, 'content-type': 'application/json', 'idempotency-key': key };
  for (;;) {
    const answer = await fetch(`${stack.url}/jobs/v1`, { method: 'POST', headers, body: JSON.stringify(job), signal: AbortSignal.timeout(10_000) }).catch(() => null);
    await answer?.body?.cancel();
    if (answer?.status === 202) return;
    if (answer !== null && answer.status < 500 && answer.status !== 409) throw new Error(`job ${key} was refused with ${answer.status}`);
    await sleep(200);
  }
}

/** Two, the second after the first; every fifth transaction rolls back. A lost answer is looked up before it is sent again. */
async function askPair(asker: Database, n: number): Promise<void> {
  if (n % 5 === 0) await takeBack(asker, `perform public.fire_pair(${n + 1_000_000})`);
  await untilTaken(asker, `select public.fire_pair(${n}) where not exists (select from public.fire_asked where n = ${n})`);
}

/** Waits until nothing is open, for a minute after the last mishap and a margin; says how much still is. */
async function untilOver(stack: Stack, { tell }: JobFire, lastFault: number): Promise<number> {
  for (;;) {
    const [row] = (await runSql(houseUrl(stack), `select count(*)::int as open from (${openText}) as open`).catch(() => [{ open: -1 }])) as [{ open: number }];
    if (row.open === 0) return 0;
    if (performance.now() - lastFault > 120_000) {
      tell(`still open: ${JSON.stringify(await runSql(houseUrl(stack), `${openText} limit 10`))}`);
      return row.open;
    }
    if (row.open > 0) tell(`${row.open} open`);
    await sleep(1000);
  }
}

const openText = `
  select kind, state, queue, attempts, run_at - now() as due_in, error ->> 'code' as error, payload
  from mainstay_internal.jobs where kind in ('call-function', 'send-request') and state in ('queued', 'running')
  union all
  select 'delivery', state, endpoint_no::text, attempts, next_at - now(), last_error, to_jsonb(event_id) from mainstay_internal.webhook_deliveries where state = 'queued'`;

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
