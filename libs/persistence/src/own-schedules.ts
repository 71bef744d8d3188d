import type { Claims } from '@mainstay/domain';
import type { JobError } from './jobs.ts';
import type { MissedPolicy, OverlapPolicy } from './schedules.ts';
import type { Transaction } from './statement.ts';

/** What a schedule does: exactly one of function, SQL and URL. */
export interface ScheduleTarget {
  readonly function: string | null;
  readonly arguments: unknown;
  readonly sql: string | null;
  readonly url: string | null;
  readonly method: string | null;
  readonly headers: Readonly<Record<string, string>> | null;
  readonly body: unknown;
}

/** A schedule as its owner sees it. Row policies decide whose are seen at all. */
export interface OwnSchedule extends ScheduleTarget {
  readonly id: string;
  readonly name: string;
  readonly origin: 'own' | 'pg_cron';
  readonly kind: 'function' | 'sql' | 'url';
  readonly cron: string;
  readonly time_zone: string;
  readonly missed: MissedPolicy;
  readonly overlap: OverlapPolicy;
  readonly max_attempts: number | null;
  readonly queue: string | null;
  readonly priority: number;
  readonly is_paused: boolean;
  /** Why it stands still. */
  readonly trouble: string | null;
  readonly owner: string | null;
  readonly role: string;
  readonly anchor_at: Date;
  readonly next_run_at: Date | null;
  readonly last_run: ScheduleRun | null;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** One slot of a schedule as its owner sees it: `queued` and `running` are its job's words. */
export interface ScheduleRun {
  /** A bigint. */
  readonly id: string;
  readonly slot: Date;
  readonly is_manual: boolean;
  readonly state: 'waiting' | 'queued' | 'running' | 'skipped' | 'done' | 'failed' | 'dead' | 'cancelled';
  readonly reason: 'missed' | 'overlap' | null;
  readonly skipped_count: number | null;
  readonly job_id: string | null;
  readonly attempts: number | null;
  readonly message: string | null;
  readonly result: unknown;
  readonly error: JobError | null;
  readonly created_at: Date;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
}

/** What makes a schedule, and changes it. */
export interface ScheduleDraft extends ScheduleTarget {
  readonly name: string;
  readonly cron: string;
  readonly time_zone: string;
  readonly missed: string;
  readonly overlap: string;
  readonly max_attempts: number | null;
  readonly queue: string | null;
  readonly priority: number;
  readonly is_paused: boolean;
}

const runColumns = `
  runs.id, runs.slot, runs.is_manual, case when jobs.state is not null and runs.state not in ('waiting', 'skipped') then jobs.state else runs.state end as state, runs.reason, runs.skipped_count,
  runs.job_id, jobs.attempts, runs.message, jobs.result, coalesce(jobs.error, runs.error) as error, runs.created_at, coalesce(jobs.started_at, runs.started_at) as started_at,
  coalesce(jobs.finished_at, runs.finished_at) as finished_at`;

const runTables = `mainstay_internal.schedule_slots as runs left join mainstay_internal.jobs on jobs.id = runs.job_id`;

const columns = `
  id, name, origin, target ->> 'kind' as kind, cron, time_zone, case target ->> 'kind' when 'function' then format('%I.%I', target ->> 'schema', target ->> 'name') end as function,
  target -> 'arguments' as arguments, target ->> 'sql' as sql, target ->> 'url' as url, target ->> 'method' as method, target -> 'headers' as headers, target -> 'body' as body,
  missed, overlap, max_attempts, queue, priority, is_paused, trouble, owner, role, anchor_at, case when not is_paused and next_at < 'infinity' then next_at end as next_run_at,
  (select to_jsonb(last) from (
     select ${runColumns} from ${runTables} where runs.schedule_id = schedules.id order by runs.id desc limit 1
   ) as last) as last_run,
  created_at, updated_at`;

export interface ScheduleFilters {
  readonly name?: string;
  readonly kind?: string;
  readonly origin?: string;
  readonly state?: 'active' | 'paused' | 'troubled';
  readonly limit: number;
  /** Only schedules made before this one. */
  readonly before?: string;
}

const conditionOfState = { active: 'not is_paused and trouble is null', paused: 'is_paused', troubled: 'trouble is not null' };

/** Schedules, the newest first. */
export async function listSchedules(tx: Transaction, filters: ScheduleFilters): Promise<OwnSchedule[]> {
  const values: unknown[] = [filters.limit];
  const conditions: string[] = filters.state === undefined ? [] : [conditionOfState[filters.state]];
  const where = (condition: string, value: unknown): void => {
    if (value === undefined) return;
    values.push(value);
    conditions.push(`${condition} $${values.length}`);
  };
  where('name =', filters.name);
  where(`target ->> 'kind' =`, filters.kind);
  where('origin =', filters.origin);
  where('id <', filters.before);
  return tx.rows<OwnSchedule>(`select ${columns} from mainstay_internal.schedules ${conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`} order by id desc limit $1`, values);
}

export async function findSchedule(tx: Transaction, id: string): Promise<OwnSchedule | null> {
  const [schedule] = await tx.rows<OwnSchedule>(`select ${columns} from mainstay_internal.schedules where id = $1`, [id]);
  return schedule ?? null;
}

/** Whether an owner has a schedule of a name. */
export async function hasSchedule(tx: Transaction, owner: string, name: string): Promise<boolean> {
  const rows = await tx.rows(`select from mainstay_internal.schedules where origin = 'own' and owner = $1 and name = $2`, [owner, name]);
  return rows.length > 0;
}

/**
 * Makes a schedule, or changes the owner's one of that name; without a role it goes on to act as it did. Gives its id.
 * @throws DatabaseError whose words say what is wrong
 */
export async function putSchedule(tx: Transaction, draft: ScheduleDraft, acting: { owner: string | null; role: string | null; claims: Claims | null }): Promise<string> {
  const [row] = await tx.rows<{ id: string }>(
    `select mainstay_internal.put_schedule(name => $1, owner => $2, role => $3, claims => $4, cron => $5, time_zone => $6, target => $7, missed => $8, overlap => $9,
       max_attempts => $10, queue => $11, priority => $12, is_paused => $13) as id`,
    [
      draft.name, acting.owner, acting.role, acting.claims === null ? null : JSON.stringify(acting.claims), draft.cron, draft.time_zone, JSON.stringify(targetOf(draft)), draft.missed,
      draft.overlap, draft.max_attempts, draft.queue, draft.priority, draft.is_paused,
    ],
  );
  return row!.id;
}

function targetOf(draft: ScheduleDraft): object {
  if (draft.function !== null) {
    const [schema, name] = identifiersOf(draft.function);
    return { kind: 'function', schema, name, arguments: draft.arguments ?? {} };
  }
  if (draft.sql !== null) return { kind: 'sql', sql: draft.sql };
  return { kind: 'url', url: draft.url, method: draft.method?.toUpperCase() ?? 'POST', headers: draft.headers ?? {}, body: draft.body ?? null };
}

/** `name`, `schema.name` and their quoted forms; a name alone lies in `public`. */
function identifiersOf(text: string): [string, string] {
  const parts = [...text.matchAll(/"((?:[^"]|"")*)"|([^.]+)/g)].map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain!.trim().toLowerCase());
  return parts.length === 1 ? ['public', parts[0]!] : [parts[0]!, parts.slice(1).join('.')];
}

export async function deleteSchedule(tx: Transaction, id: string): Promise<void> {
  await tx.rows('delete from mainstay_internal.schedules where id = $1', [id]);
}

/** Runs, the newest first. */
export async function listRuns(tx: Transaction, scheduleId: string, filters: { state?: string; before?: string; limit: number }): Promise<ScheduleRun[]> {
  return tx.rows<ScheduleRun>(
    `select * from (select ${runColumns} from ${runTables} where runs.schedule_id = $1 and ($3::bigint is null or runs.id < $3)) as runs
     where $4::text is null or state = $4 order by id desc limit $2`,
    [scheduleId, filters.limit, filters.before ?? null, filters.state ?? null],
  );
}

export async function findRun(tx: Transaction, runId: string): Promise<ScheduleRun | null> {
  const [run] = await tx.rows<ScheduleRun>(`select ${runColumns} from ${runTables} where runs.id = $1`, [runId]);
  return run ?? null;
}

/** Runs a schedule beside its slots; gives the run's id. */
export async function runScheduleNow(tx: Transaction, id: string): Promise<string> {
  const [row] = await tx.rows<{ id: string }>('select mainstay_internal.start_slot($1, clock_timestamp(), true) as id', [id]);
  return row!.id;
}
