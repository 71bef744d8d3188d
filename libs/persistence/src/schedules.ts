import type { Transaction } from './statement.ts';
import type { CronJob } from './cron-tables.ts';
import type { Database } from './database.ts';
import { asEngine } from './jobs.ts';
import { tryLock } from './try-lock.ts';

/** Wakes the workers that look at the clock; the payload is 'cron' when it is about `cron.job`. */
export const schedulesChannel = 'mainstay_schedules';

export type MissedPolicy = 'skip' | 'once' | 'all';
export type OverlapPolicy = 'skip' | 'queue' | 'allow';

/** A schedule whose time has come, or whose next time is yet to be worked out; locked by the transaction that read it. */
export interface DueSchedule {
  readonly id: string;
  readonly name: string;
  readonly origin: 'own' | 'pg_cron';
  readonly cron: string;
  readonly time_zone: string;
  readonly missed: MissedPolicy;
  readonly overlap: OverlapPolicy;
  readonly anchor_at: Date;
  readonly after_at: Date;
  /** The database's clock. */
  readonly now: Date;
  readonly server_started_at: Date;
  /** Why the account that made it may not act any more. */
  readonly gone: 'deleted' | 'banned' | null;
}

/** Takes schedules that nobody else is looking at. Those of pg_cron are taken only while their row in `cron.job` stands. */
export async function takeDueSchedules(tx: Transaction, limit: number): Promise<DueSchedule[]> {
  return tx.rows<DueSchedule>(
    `select id, name, origin, cron, time_zone, missed, overlap, anchor_at, after_at, clock_timestamp() as now, pg_postmaster_start_time() as server_started_at,
       case when role not in ('postgres', 'service_role') and claims ->> 'sub' ~ '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$'
         then mainstay_internal.why_gone((claims ->> 'sub')::uuid) end as gone
     from mainstay_internal.schedules where not is_paused and (next_at is null or next_at <= clock_timestamp())
     order by next_at nulls first limit $1 for update skip locked`,
    [limit],
  );
}

/** What a turn made of a schedule: seen to up to `after_at`; the next slot, or null when there is none. */
export async function saveTurn(tx: Transaction, id: string, afterAt: Date, nextAt: Date | null): Promise<void> {
  await tx.rows(`update mainstay_internal.schedules set after_at = greatest(after_at, $2), next_at = coalesce($3, 'infinity'::timestamptz), trouble = null where id = $1`, [id, afterAt, nextAt]);
}

/** Stops a schedule that cannot go on: for some time, or (null) until somebody changes it. Nothing is passed over meanwhile. */
export async function saveTrouble(tx: Transaction, id: string, trouble: string, againSeconds: number | null): Promise<void> {
  await tx.rows(`update mainstay_internal.schedules set next_at = coalesce(clock_timestamp() + make_interval(secs => $3), 'infinity'), trouble = $2 where id = $1`, [id, trouble, againSeconds]);
}

/** A slot's row and its job, both or neither; null where the slot has its row already. */
export async function startSlot(tx: Transaction, scheduleId: string, slot: Date, isManual = false): Promise<string | null> {
  const [row] = await tx.rows<{ id: string | null }>('select mainstay_internal.start_slot($1, $2, $3) as id', [scheduleId, slot, isManual]);
  return row!.id;
}

export async function addWaitingSlot(tx: Transaction, scheduleId: string, slot: Date): Promise<void> {
  await tx.rows(`insert into mainstay_internal.schedule_slots (schedule_id, slot, state) values ($1, $2, 'waiting') on conflict do nothing`, [scheduleId, slot]);
}

/** One row for what did not run: the last of the slots, and how many they were. */
export async function addSkippedSlot(tx: Transaction, scheduleId: string, slot: Date, reason: 'missed' | 'overlap', count: number | null): Promise<void> {
  await tx.rows(
    `insert into mainstay_internal.schedule_slots (schedule_id, slot, state, reason, skipped_count, finished_at) values ($1, $2, 'skipped', $3, $4, clock_timestamp()) on conflict do nothing`,
    [scheduleId, slot, reason, count],
  );
}

/** How many slots wait or are on their way. */
export async function countOpenSlots(tx: Transaction, scheduleId: string): Promise<number> {
  const [row] = await tx.rows<{ open: number }>(
    `select count(*)::int as open from mainstay_internal.schedule_slots as slots
     where schedule_id = $1 and (state = 'waiting' or state = 'open' and exists (select from mainstay_internal.jobs where jobs.id = slots.job_id and jobs.state in ('queued', 'running')))`,
    [scheduleId],
  );
  return row!.open;
}

/** A slot that has ended, and its row among the runs of pg_cron. */
export interface EndedRun {
  readonly run_id: string | null;
  readonly state: string;
  readonly message: string | null;
  readonly finished_at: Date;
}

/** Writes down how the jobs of open slots ended. */
export async function settleSlots(tx: Transaction): Promise<EndedRun[]> {
  return tx.rows<EndedRun>(
    `update mainstay_internal.schedule_slots as slots
     set state = ended.state, started_at = ended.started_at, finished_at = ended.finished_at, error = ended.error
     from (
       select open.id, coalesce(jobs.state, 'cancelled') as state, jobs.started_at, coalesce(jobs.finished_at, clock_timestamp()) as finished_at, jobs.error
       from mainstay_internal.schedule_slots as open left join mainstay_internal.jobs on jobs.id = open.job_id
       where open.state = 'open' and (jobs.id is null or jobs.state not in ('queued', 'running')
         -- Its worker is about to say what PostgreSQL answered.
         and (open.run_id is null or open.message is not null or jobs.finished_at < clock_timestamp() - interval '10 seconds'))
       for update of open skip locked
     ) as ended
     where slots.id = ended.id returning slots.run_id, ended.state, coalesce(slots.message, ended.error ->> 'message') as message, ended.finished_at`,
  );
}

/** Begins the slots that waited for a run that has ended: the oldest of each schedule. */
export async function startWaitingSlots(tx: Transaction): Promise<number> {
  const [row] = await tx.rows<{ started: number }>(
    `select count(*) filter (where mainstay_internal.start_waiting_slot(id))::int as started from (
       select distinct on (schedule_id) waiting.id from mainstay_internal.schedule_slots as waiting
       where waiting.state = 'waiting' and not exists (select from mainstay_internal.schedule_slots as open where open.schedule_id = waiting.schedule_id and open.state = 'open')
       order by schedule_id, slot
     ) as next`,
  );
  return row!.started;
}

/** What there is to do, and how soon. */
export interface Outlook {
  /** Until the next slot; 0 where one is due or not worked out, null where there is none. */
  readonly seconds: number | null;
  readonly hasOpen: boolean;
}

export async function lookAhead(database: Database): Promise<Outlook> {
  const { rows } = await database.once(asEngine, { name: 'look_ahead', text: lookAheadText, values: [] });
  const [seconds, hasOpen] = rows[0]!;
  return { seconds: seconds === null ? null : Math.max(0, Number(seconds)), hasOpen: hasOpen === 't' };
}

const lookAheadText = `
  select case when next_at = '-infinity' then 0 when next_at < 'infinity' then extract(epoch from next_at - clock_timestamp()) end::float8,
    exists (select from mainstay_internal.schedule_slots where state in ('waiting', 'open'))
  from (select 1) as one left join (
    select coalesce(next_at, '-infinity') as next_at from mainstay_internal.schedules where not is_paused order by schedules.next_at nulls first limit 1
  ) as first on true`;

/** Only one worker at a time; null when another is at it. */
export function asOnlyClock<T>(database: Database, what: string, work: (tx: Transaction) => Promise<T>): Promise<T | null> {
  const session = { ...asEngine, settings: { ...asEngine.settings, idle_in_transaction_session_timeout: '5s' } };
  return database.transaction(session, async (tx) => ((await tryLock(tx, `schedules: ${what}`)) ? work(tx) : null));
}

/** Brings the schedules in line with the jobs of pg_cron. */
export async function followCronJobs(tx: Transaction, jobs: readonly CronJob[]): Promise<void> {
  await tx.rows(followText, [JSON.stringify(jobs)]);
}

// The row that is kept of a job tells what has changed: other times count from now, another command changes nothing about them.
const followText = `
  with job as (
    select jobid, schedule, username, active, time_zone, left(coalesce(jobname, 'job ' || jobid), 200) as name,
      jsonb_build_object('kind', 'sql', 'sql', command, 'database', database) as target
    from jsonb_to_recordset($1::jsonb) as job (jobid bigint, jobname text, schedule text, command text, database text, username text, active boolean, time_zone text)
  ),
  gone as (
    delete from mainstay_internal.schedules where origin = 'pg_cron' and not exists (select from job where job.jobid = cron_job_id)
  ),
  put as (
    insert into mainstay_internal.schedules as kept (name, origin, cron_job_id, owner, role, claims, cron, time_zone, target, missed, overlap, is_paused)
    select name, 'pg_cron', jobid, null, username, jsonb_build_object('role', username), schedule, time_zone, target, 'skip', 'queue', not active from job
    on conflict (cron_job_id) where origin = 'pg_cron' do update
    set name = excluded.name, role = excluded.role, claims = excluded.claims, target = excluded.target, is_paused = excluded.is_paused, updated_at = clock_timestamp(), trouble = null,
      anchor_at = case when (kept.cron, kept.time_zone, kept.is_paused) = (excluded.cron, excluded.time_zone, excluded.is_paused) then kept.anchor_at else clock_timestamp() end,
      after_at = case when (kept.cron, kept.time_zone, kept.is_paused) = (excluded.cron, excluded.time_zone, excluded.is_paused) then kept.after_at else clock_timestamp() end,
      next_at = case when (kept.cron, kept.time_zone, kept.is_paused) = (excluded.cron, excluded.time_zone, excluded.is_paused) then kept.next_at end,
      cron = excluded.cron, time_zone = excluded.time_zone
    where (kept.name, kept.role, kept.cron, kept.time_zone, kept.target, kept.is_paused)
      is distinct from (excluded.name, excluded.role, excluded.cron, excluded.time_zone, excluded.target, excluded.is_paused)
  )
  -- Jobs that run at each start of the server are looked at when it has started anew.
  update mainstay_internal.schedules set next_at = null
  where origin = 'pg_cron' and cron ilike '%@reboot%' and next_at is not null and after_at < pg_postmaster_start_time()`;

/** Deletes slots that ended longer ago than they are kept; says how many. */
export async function sweepSlots(tx: Transaction, keepSeconds: number, limit: number): Promise<number> {
  const [row] = await tx.rows<{ gone: number }>(
    `with old as (
       delete from mainstay_internal.schedule_slots where id in (
         select id from mainstay_internal.schedule_slots where created_at < clock_timestamp() - make_interval(secs => $1) and state not in ('waiting', 'open') limit $2
       ) returning 1
     ) select count(*)::int as gone from old`,
    [keepSeconds, limit],
  );
  return row!.gone;
}

/** A slot whose command is to run. */
export interface CommandSlot {
  readonly schedule_id: string;
  readonly name: string;
  readonly slot: Date;
  readonly cron_job_id: string | null;
  readonly command: string;
  /** Null where it is our own. */
  readonly database: string | null;
  readonly own_database: string;
  /** Its row in `cron.job_run_details` by an attempt before this one. */
  readonly run_id: string | null;
  /** An attempt before this one sent it in a way that cannot be taken back. */
  readonly sent_at: Date | null;
}

/** Null when its schedule is gone. */
export async function findCommandSlot(tx: Transaction, slotId: string): Promise<CommandSlot | null> {
  const [slot] = await tx.rows<CommandSlot>(
    `select schedule_id, name, slot, cron_job_id, target ->> 'sql' as command, nullif(target ->> 'database', current_database()) as database, current_database() as own_database, run_id, sent_at
     from mainstay_internal.schedule_slots as slots join mainstay_internal.schedules on schedules.id = schedule_id where slots.id = $1`,
    [slotId],
  );
  return slot ?? null;
}

/** Remembers what an attempt does, for the one after it: its row among the runs of pg_cron, and that nothing can be taken back. */
export async function markSlot(tx: Transaction, slotId: string, mark: { runId?: string | null; isSent?: boolean; message?: string }): Promise<void> {
  await tx.rows(
    `update mainstay_internal.schedule_slots set run_id = coalesce($2, run_id), sent_at = case when $3 then clock_timestamp() else sent_at end, message = coalesce($4, message),
       started_at = coalesce(started_at, clock_timestamp())
     where id = $1`,
    [slotId, mark.runId ?? null, mark.isSent ?? false, mark.message ?? null],
  );
}

/** Lets the workers look at once: a run has ended, and another may wait for it. */
export async function sayRunEnded(tx: Transaction): Promise<void> {
  await tx.rows(`select pg_notify('${schedulesChannel}', 'ended')`);
}
