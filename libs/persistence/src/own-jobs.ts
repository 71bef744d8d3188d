import type { JobState } from '@mainstay/domain';
import type { JobError } from './jobs.ts';
import type { Transaction } from './statement.ts';

/** The channel on which workers learn that a job was cancelled; the payload is its id. */
export const cancelChannel = 'mainstay_cancel';

/** A job as its owner sees it. Row policies decide whose are seen at all. */
export interface OwnJob {
  readonly id: string;
  readonly kind: string;
  readonly queue: string;
  readonly state: JobState;
  readonly owner: string | null;
  readonly attempts: number;
  readonly max_attempts: number;
  readonly run_at: Date;
  readonly progress: unknown;
  readonly result: unknown;
  readonly error: JobError | null;
  readonly created_at: Date;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
}

const columns = 'id, kind, queue, state, owner, attempts, max_attempts, run_at, progress, result, error, created_at, started_at, finished_at';

export interface JobFilters {
  /** Row policies hide the others' jobs anyway; this finds one's own by an index instead of passing over everybody's. */
  readonly owner?: string;
  readonly state?: JobState;
  readonly kind?: string;
  readonly limit: number;
  /** Only jobs made before this one. */
  readonly before?: string;
}

/** Jobs, the newest first. Ids grow with time, so the id is the order and the cursor. */
export async function listJobs(tx: Transaction, filters: JobFilters): Promise<OwnJob[]> {
  const values: unknown[] = [filters.limit];
  const conditions: string[] = [];
  const where = (condition: string, value: unknown): void => {
    values.push(value);
    conditions.push(`${condition} $${values.length}`);
  };
  if (filters.owner !== undefined) where('owner =', filters.owner);
  if (filters.state !== undefined) where('state =', filters.state);
  if (filters.kind !== undefined) where('kind =', filters.kind);
  if (filters.before !== undefined) where('id <', filters.before);
  return tx.rows<OwnJob>(`select ${columns} from mainstay_internal.jobs ${conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`} order by id desc limit $1`, values);
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
