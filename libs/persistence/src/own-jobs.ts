import type { JobState } from '@mainstay/domain';
import type { ActingAs } from './enqueue.ts';
import type { JobError } from './jobs.ts';
import type { Transaction } from './statement.ts';

/** The channel on which workers learn that a job was cancelled; the payload is its id. */
export const cancelChannel = 'mainstay_cancel';

/** A job as its owner sees it. Row policies decide whose are seen at all. */
export interface OwnJob {
  readonly id: string;
  readonly kind: string;
  /** What a job of the users' own calls, and with what; null for the house's kinds. */
  readonly function: string | null;
  readonly arguments: unknown;
  readonly queue: string;
  readonly state: JobState;
  readonly owner: string | null;
  readonly role: string;
  readonly priority: number;
  readonly attempts: number;
  readonly max_attempts: number;
  readonly run_at: Date;
  /** The jobs after which it runs. */
  readonly after: readonly string[];
  readonly progress: unknown;
  readonly result: unknown;
  readonly error: JobError | null;
  readonly created_at: Date;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
}

const columns = `id, kind, case when kind = 'call-function' then format('%I.%I', payload ->> 'schema', payload ->> 'name') end as function,
  case when kind = 'call-function' then payload -> 'arguments' end as arguments, queue, state, owner, role, priority, attempts, max_attempts, run_at,
  array(select after_id from mainstay_internal.job_waits where job_id = jobs.id) as after, progress, result, error, created_at, started_at, finished_at`;

/** Which jobs are meant. */
export interface JobSearch {
  /** Row policies hide the others' jobs anyway; this finds one's own by an index instead of passing over everybody's. */
  readonly owner?: string | undefined;
  readonly state?: JobState | undefined;
  readonly kind?: string | undefined;
  readonly queue?: string | undefined;
  readonly function?: { readonly schema: string; readonly name: string } | undefined;
  readonly createdFrom?: Date | undefined;
  readonly createdBefore?: Date | undefined;
}

export interface JobFilters extends JobSearch {
  readonly limit: number;
  /** Only jobs made before this one. */
  readonly before?: string | undefined;
}

/** Jobs, the newest first. Ids grow with time, so the id is the order and the cursor. */
export async function listJobs(tx: Transaction, filters: JobFilters): Promise<OwnJob[]> {
  const { conditions, values } = conditionsOf(filters, [filters.limit]);
  if (filters.before !== undefined) conditions.push(`id < $${values.push(filters.before)}`);
  return tx.rows<OwnJob>(`select ${columns} from mainstay_internal.jobs ${whereOf(conditions)} order by id desc limit $1`, values);
}

/** How many jobs there are in each state; a state without any is not in it. */
export async function countJobs(tx: Transaction, search: JobSearch): Promise<Map<JobState, number>> {
  const { conditions, values } = conditionsOf(search, []);
  const rows = await tx.rows<{ state: JobState; jobs: string }>(`select state, count(*) as jobs from mainstay_internal.jobs ${whereOf(conditions)} group by state`, values);
  return new Map(rows.map(({ state, jobs }) => [state, Number(jobs)]));
}

/**
 * Sends some jobs again that are dead, failed or cancelled, the oldest first; says how many it sent. Of those of which an open job
 * does the same already none is sent, and of several with one key the newest.
 */
export async function retryJobs(tx: Transaction, search: JobSearch & { readonly state: JobState }, limit: number): Promise<number> {
  const { conditions, values } = conditionsOf(search, [limit]);
  const rows = await tx.rows<{ queue: string }>(
    `with found as (
       select id, kind, unique_key from mainstay_internal.jobs ${whereOf([...conditions, `(unique_key is null or not exists (
         select from mainstay_internal.jobs open where open.kind = jobs.kind and open.unique_key = jobs.unique_key and open.state in ('queued', 'running')))`])}
       order by id limit $1 for update skip locked
     ),
     picked as (select distinct on (kind, coalesce(unique_key, id::text)) id from found order by kind, coalesce(unique_key, id::text), id desc)
     update mainstay_internal.jobs set state = 'queued', max_attempts = attempts + patience, failures = 0, run_at = clock_timestamp(), is_due = false, published_at = null, finished_at = null,
       is_waiting = exists (select from mainstay_internal.job_waits w join mainstay_internal.jobs awaited on awaited.id = w.after_id where w.job_id = jobs.id and awaited.state <> 'done')
     where id in (select id from picked) returning queue`,
    values,
  );
  if (rows.length > 0) await tx.rows(`select pg_notify('mainstay_outbox', $1)`, [rows[0]!.queue]);
  return rows.length;
}

function conditionsOf(search: JobSearch, before: readonly unknown[]): { conditions: string[]; values: unknown[] } {
  const values = [...before];
  const conditions: string[] = [];
  const where = (condition: string, value: unknown): void => void conditions.push(condition.replace('?', `$${values.push(value)}`));
  if (search.owner !== undefined) where('owner = ?', search.owner);
  if (search.state !== undefined) where('state = ?', search.state);
  if (search.kind !== undefined) where('kind = ?', search.kind);
  if (search.queue !== undefined) where('queue = ?', search.queue);
  if (search.function !== undefined) {
    where(`kind = 'call-function' and payload ->> 'schema' = ?`, search.function.schema);
    where(`payload ->> 'name' = ?`, search.function.name);
  }
  if (search.createdFrom !== undefined) {
    where('created_at >= ?', search.createdFrom);
    // An id begins with a time that is never before `created_at`: so only the young end of the index is read.
    where(`id >= (lpad(to_hex((extract(epoch from ?::timestamptz) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid`, search.createdFrom);
  }
  if (search.createdBefore !== undefined) where('created_at < ?', search.createdBefore);
  return { conditions, values };
}

function whereOf(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`;
}

/** A call of a function that somebody asks for. */
export interface AskedCall {
  readonly schema: string;
  readonly name: string;
  readonly arguments: unknown;
  readonly runAt: Date | null;
  readonly key: string | null;
  readonly maxAttempts: number | null;
  readonly queue: string | null;
  readonly priority: number | null;
  readonly after: readonly string[] | null;
}

/**
 * Writes a job that calls a function; gives its id, or that of the open job with the same key.
 * @throws DatabaseError in whose words it says what is wrong: 42883 no such function, 42725 more than one, 42501 not for this
 *   role, 22023 a value
 */
export async function enqueueFunction(tx: Transaction, call: AskedCall, { owner, role, claims }: ActingAs, trace: string | null): Promise<string> {
  const [row] = await tx.rows<{ id: string }>(
    `select mainstay_internal.enqueue_function(schema => $1, name => $2, arguments => $3, owner => $4, role => $5, claims => $6, run_at => $7, key => $8, max_attempts => $9,
       queue => $10, priority => $11, after => $12, trace => $13) as id`,
    [call.schema, call.name, JSON.stringify(call.arguments), owner, role, JSON.stringify(claims), call.runAt, call.key, call.maxAttempts, call.queue, call.priority, call.after, trace],
  );
  return row!.id;
}

export async function findJob(tx: Transaction, id: string): Promise<OwnJob | null> {
  const [job] = await tx.rows<OwnJob>(`select ${columns} from mainstay_internal.jobs where id = $1`, [id]);
  return job ?? null;
}

/**
 * Cancels an open job; null when there is none that may be cancelled. From the commit on it has no effect any more: the
 * worker that runs it has lost its lease, and is told so that it stops soon.
 */
export async function cancelJob(tx: Transaction, id: string): Promise<OwnJob | null> {
  return change(tx, id, 'mainstay_internal.cancel_job');
}

/**
 * Sends a job again that is dead, failed or cancelled, with as many attempts as it had at first; null when there is none.
 * @throws DatabaseError 23505 when another open job has its key
 */
export async function retryJob(tx: Transaction, id: string): Promise<OwnJob | null> {
  return change(tx, id, 'mainstay_internal.retry_job');
}

/** Found first: row policies decide whose jobs the transaction may touch, and the functions do not ask again. */
async function change(tx: Transaction, id: string, how: string): Promise<OwnJob | null> {
  if ((await findJob(tx, id)) === null) return null;
  const [row] = await tx.rows<{ isChanged: boolean }>(`select ${how}($1) as "isChanged"`, [id]);
  return row!.isChanged ? findJob(tx, id) : null;
}

/** Deletes jobs that ended longer ago than they are kept, and idempotency keys that are worn out; says how many. */
export async function sweepJobs(tx: Transaction, keepSeconds: number, limit = 5000): Promise<{ jobs: number; keys: number }> {
  const [row] = await tx.rows<{ jobs: number; keys: number }>(
    `with old_jobs as (
       delete from mainstay_internal.jobs where id in (
         select id from mainstay_internal.jobs
         -- An id begins with the time of its making, so only the old end of the index is read.
         where finished_at < now() - make_interval(secs => $1)
           and id < (lpad(to_hex((extract(epoch from now() - make_interval(secs => $1)) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
         order by id limit $2 for update skip locked
       ) returning id
     ),
     old_waits as (delete from mainstay_internal.job_waits where job_id in (select id from old_jobs)),
     old_keys as (
       delete from mainstay_internal.idempotency_keys where (owner, key) in (
         select owner, key from mainstay_internal.idempotency_keys where created_at < now() - interval '24 hours' limit $2 for update skip locked
       ) returning 1
     )
     select (select count(*)::int from old_jobs) as jobs, (select count(*)::int from old_keys) as keys`,
    [keepSeconds, limit],
  );
  return row!;
}
