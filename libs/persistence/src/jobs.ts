import { faultsOf } from '@mainstay/domain';
import type { Claims } from '@mainstay/domain';
import type { Database } from './database.ts';
import type { ActingAs } from './enqueue.ts';
import type { Session, Statement, Transaction } from './statement.ts';

/** What a job meets that is not its own doing; the words its owner reads. */
export const jobRunFaults = {
  caller_deleted: { status: 403, message: 'The account that asked for this job has been deleted' },
  caller_banned: { status: 403, message: 'The account that asked for this job has been banned' },
  payload_not_valid: { status: 422, message: 'The job’s payload is not what its kind asks for' },
  kind_not_known: { status: 501, message: 'This worker knows no such kind of job' },
  worker_lost: { status: 503, message: 'The worker that ran this job stopped answering' },
} as const;

export const jobRunFault = faultsOf(jobRunFaults);

/** Thrown where a worker goes on with a job that is no longer its own: cancelled, or given to another worker. Roll everything back. */
export class LeaseLost extends Error {
  constructor(jobId: string) {
    super(`job ${jobId} is no longer held by this attempt`);
    this.name = 'LeaseLost';
  }
}

/** A job and the token that shows who may go on with it. */
export interface Lease {
  readonly jobId: string;
  readonly token: string;
}

export interface ClaimedJob extends ActingAs {
  readonly jobId: string;
  readonly token: string;
  readonly kind: string;
  /** The queue as people see it. */
  readonly queue: string;
  readonly payload: unknown;
  /** W3C traceparent of the request that asked for it. */
  readonly trace: string | null;
  /** This attempt's number, already counted: a job that ends its worker has used one up. */
  readonly attempt: number;
  /** How long its id lay in Bull. */
  readonly waitedMs: number;
  /** How long it had been due. */
  readonly dueMs: number;
  /** Why the account that asked may not act any more; null when it may. */
  readonly callerIs: Gone;
}

export type Gone = 'deleted' | 'banned' | null;

/** What is kept of an error: what its owner may read. */
export interface JobError {
  readonly code: string;
  readonly message: string;
  readonly details: unknown;
  readonly hint: string | null;
}

/** As the worker's own login. */
export const asWorker: Session = { role: null, settings: {} };

/**
 * As the worker's own login, for the engine's statements: each reads a handful of rows by an index out of tables that may hold
 * millions, and is planned once, perhaps while they were empty and a scan was the cheapest.
 */
export const asEngine: Session = { role: null, settings: { enable_seqscan: 'off', jit: 'off' } };

/**
 * Takes jobs for one worker, by the database's clock, many in one commit. Gives those that were there to take, by token; of the
 * others the message is dropped. A row that somebody locks is left alone: whoever cancels or claims it decides.
 */
export async function claim(database: Database, leases: readonly Lease[], leaseSeconds: number): Promise<Map<string, ClaimedJob>> {
  const { rows } = await database.once(asEngine, { ...claimText, values: [...arraysOf(leases), String(leaseSeconds)] });
  return new Map(rows.map((row) => [row[1]!, claimedJob(row)]));
}

function claimedJob([jobId, token, kind, payload, owner, role, claims, attempt, waitedMs, gone, queue, trace, dueMs]: readonly (string | null)[]): ClaimedJob {
  return {
    jobId: jobId!,
    token: token!,
    kind: kind!,
    queue: queue!,
    trace: trace ?? null,
    payload: JSON.parse(payload!),
    owner: owner!,
    role: role!,
    claims: JSON.parse(claims!) as Claims,
    attempt: Number(attempt),
    waitedMs: Number(waitedMs),
    dueMs: Math.max(0, Number(dueMs)),
    callerIs: gone as Gone,
  };
}

const claimText = {
  name: 'claim_jobs',
  text: `
    with free as (
      select id from mainstay_internal.jobs
      where id = any ($1::uuid[]) and attempts < max_attempts
        and (state = 'queued' and published_at is not null or state = 'running' and lease_until < clock_timestamp())
      order by id for update skip locked
    )
    update mainstay_internal.jobs
    set state = 'running', attempts = attempts + 1, lease_token = lease.token,
      lease_until = clock_timestamp() + make_interval(secs => $3::float8), started_at = coalesce(started_at, clock_timestamp())
    from unnest($1::uuid[], $2::uuid[]) as lease (id, token)
    where jobs.id = lease.id and jobs.id = any (array(select id from free))
    returning jobs.id, jobs.lease_token, kind, payload, owner, role, claims, attempts,
      coalesce(extract(epoch from clock_timestamp() - published_at) * 1000, 0)::float8,
      case when subject is not null then mainstay_internal.why_gone(subject) end, queue, trace,
      (extract(epoch from clock_timestamp() - greatest(run_at, created_at)) * 1000)::float8`,
};

/**
 * Fences a transaction: it commits only while the lease is held, which it renews. The attempt has then brought something
 * forward and is not counted: a long job outlives any number of worker deaths, one that stands still does not.
 * Leaves the transaction as the worker's own login, and the job's row locked to its end.
 * @throws LeaseLost; Fault when the account that asked may not act any more
 */
export async function assertLease(tx: Transaction, lease: Lease, leaseSeconds: number): Promise<void> {
  await becomeWorker(tx);
  const [row] = await tx.rows<{ gone: Gone }>(
    `update mainstay_internal.jobs
     set lease_until = clock_timestamp() + make_interval(secs => $3), max_attempts = greatest(max_attempts, attempts - 1 + patience)
     where id = $1 and lease_token = $2 and state = 'running'
     returning case when subject is not null then mainstay_internal.why_gone(subject) end as gone`,
    [lease.jobId, lease.token, leaseSeconds],
  );
  if (row === undefined) throw new LeaseLost(lease.jobId);
  refuseGone(row.gone);
}

/** @throws Fault when the account that asked for a job has been banned or deleted since */
export function refuseGone(gone: Gone): void {
  if (gone !== null) throw jobRunFault(gone === 'deleted' ? 'caller_deleted' : 'caller_banned');
}

async function becomeWorker(tx: Transaction): Promise<void> {
  await tx.rows(`select set_config('role', 'none', true)`);
}

/** A job and what its handler gave. */
export interface Completion extends Lease {
  readonly result: unknown;
}

/** Completes jobs, many in one commit. Gives the tokens of those that were still held, and whether others wait for each; the others came to nothing. */
export async function complete(database: Database, completions: readonly Completion[]): Promise<Map<string, { readonly isAwaited: boolean }>> {
  const { rows } = await database.once(asEngine, completion(completions));
  return new Map(rows.map(([token, isAwaited]) => [token!, { isAwaited: isAwaited === 't' }]));
}

/**
 * Completes a job together with its effects: both commit or neither. Says whether others wait for it.
 * @throws LeaseLost
 */
export async function completeWith(database: Database, done: Completion, effects: (tx: Transaction) => Promise<void>): Promise<{ readonly isAwaited: boolean }> {
  return database.transaction(asWorker, async (tx) => {
    await effects(tx);
    await becomeWorker(tx);
    // Last: the row stays locked until the commit, and the heartbeat must not wait for the effects.
    const { text, values } = completion([done]);
    const { rows } = await tx.run({ text, values });
    if (rows.length !== 1) throw new LeaseLost(done.jobId);
    return { isAwaited: rows[0]![1] === 't' };
  });
}

function completion(completions: readonly Completion[]): Statement {
  const results = JSON.stringify(completions.map(({ result }) => result ?? null));
  return { ...completionText, values: [...arraysOf(completions), results] };
}

const completionText = {
  name: 'complete_jobs',
  text: `
    update mainstay_internal.jobs
    set state = 'done', result = nullif($3::jsonb -> (lease.place - 1)::int, 'null'), error = null,
      lease_token = null, lease_until = null, finished_at = clock_timestamp()
    from unnest($1::uuid[], $2::uuid[]) with ordinality as lease (id, token, place)
    where jobs.id = any ($1::uuid[]) and jobs.id = lease.id and jobs.lease_token = lease.token and state = 'running'
    returning lease.token, exists (select from mainstay_internal.job_waits where after_id = jobs.id)`,
};

/** How a failed attempt ends its job. */
export interface Failure {
  readonly error: JobError;
  /** Refused for good: not tried again. */
  readonly isRefused: boolean;
  /** When it is tried again; null leaves it to the back-off. */
  readonly afterSeconds: number | null;
}

/**
 * Ends a failed attempt: `failed` for good when the job was refused, `dead` when its attempts are used up, else queued again
 * after the given time, or after min(6 h, 2^n s) at its nth failure, of which chance takes a part so that jobs which fell together do not
 * come back together. Gives the new state, and whether other jobs wait for this one; null when the job was no longer this attempt's.
 */
export async function fail(database: Database, lease: Lease, { error, isRefused, afterSeconds }: Failure): Promise<{ readonly state: string; readonly isAwaited: boolean } | null> {
  const values = [lease.jobId, lease.token, JSON.stringify(error), String(isRefused), afterSeconds === null ? null : String(afterSeconds)];
  const { rows } = await database.once(asEngine, { ...failText, values });
  const [row] = rows;
  return row === undefined ? null : { state: row[0]!, isAwaited: row[1] === 't' };
}

const failText = {
  name: 'fail_job',
  text: `
    with ended as (
      select id, case when $4::boolean then 'failed' when attempts >= max_attempts then 'dead' else 'queued' end as state
      from mainstay_internal.jobs where id = $1::uuid and lease_token = $2::uuid and state = 'running' for update
    )
    update mainstay_internal.jobs
    set state = ended.state, error = $3::jsonb, lease_token = null, lease_until = null, is_due = false, published_at = null,
      run_at = clock_timestamp() + make_interval(secs => coalesce($5::float8, random() * least(21600, power(2, least(failures + 1, 20))))),
      failures = failures + ($5::float8 is null)::integer, finished_at = case when ended.state <> 'queued' then clock_timestamp() end
    from ended where jobs.id = ended.id
    returning jobs.state, exists (select from mainstay_internal.job_waits where after_id = jobs.id)`,
};

/** Gives jobs back that a stopping worker did not finish: queued at once, and the attempt does not count. */
export async function handBack(database: Database, leases: readonly Lease[]): Promise<number> {
  if (leases.length === 0) return 0;
  const { rowCount } = await database.once(asEngine, {
    name: 'hand_back_jobs',
    text: `
      update mainstay_internal.jobs
      set state = 'queued', attempts = attempts - 1, lease_token = null, lease_until = null, is_due = false, published_at = null, run_at = clock_timestamp()
      from unnest($1::uuid[], $2::uuid[]) as lease (id, token)
      where jobs.id = any ($1::uuid[]) and jobs.id = lease.id and jobs.lease_token = lease.token and state = 'running'
      returning pg_notify('mainstay_outbox', queue)`,
    values: arraysOf(leases),
  });
  return rowCount;
}

/** How a lease stands after a heartbeat. `busy`: its row is locked by a transaction of this job, so it is alive. */
export type Standing = 'held' | 'busy' | 'cancelled' | 'lost';

/** One heartbeat for all jobs of a process: renews each lease, and tells by its token how it stands. */
export async function renew(database: Database, leases: readonly Lease[], leaseSeconds: number): Promise<Map<string, Standing>> {
  if (leases.length === 0) return new Map();
  const { rows } = await database.once(asEngine, { ...renewText, values: [...arraysOf(leases), String(leaseSeconds)] });
  return new Map(rows.map(([token, standing]) => [token!, standing as Standing]));
}

// A row that is locked is skipped: whoever holds the lock is alive, and one long transaction must not delay the others' heartbeat.
const renewText = {
  name: 'renew_jobs',
  text: `
    with lease as (select id, token from unnest($1::uuid[], $2::uuid[]) as lease (id, token)),
    held as (
      select jobs.id from mainstay_internal.jobs join lease on jobs.id = lease.id and jobs.lease_token = lease.token
      where jobs.id = any ($1::uuid[]) and jobs.state = 'running' order by jobs.id for update of jobs skip locked
    ),
    renewed as (
      update mainstay_internal.jobs set lease_until = clock_timestamp() + make_interval(secs => $3::float8)
      where id = any (array(select id from held)) returning lease_token
    )
    select lease.token, case
      when renewed.lease_token is not null then 'held'
      when jobs.state = 'running' and jobs.lease_token = lease.token then 'busy'
      when jobs.state = 'cancelled' then 'cancelled'
      else 'lost' end
    from lease left join renewed on renewed.lease_token = lease.token left join mainstay_internal.jobs using (id)`,
};

/** A lease as arrays of PostgreSQL's text: uuids need no quotes. */
function arraysOf(leases: readonly Lease[]): [string, string] {
  return [`{${leases.map(({ jobId }) => jobId).join(',')}}`, `{${leases.map(({ token }) => token).join(',')}}`];
}

/** A job whose lease ran out, and what became of it. */
export interface ReapedJob {
  readonly id: string;
  readonly kind: string;
  readonly queue: string;
  readonly state: 'queued' | 'dead';
  readonly attempts: number;
}

/** Takes back the jobs of workers that fell silent: queued at once, or dead when their attempts are used up. */
export async function reapExpired(tx: Transaction, limit = 500): Promise<ReapedJob[]> {
  const fault = jobRunFault('worker_lost');
  return tx.rows<ReapedJob>(
    `with silent as (
       select id from mainstay_internal.jobs where state = 'running' and lease_until < clock_timestamp()
       order by lease_until limit $1 for update skip locked
     )
     update mainstay_internal.jobs
     set state = case when attempts >= max_attempts then 'dead' else 'queued' end, finished_at = case when attempts >= max_attempts then clock_timestamp() end,
       error = $2, lease_token = null, lease_until = null, is_due = false, published_at = null, run_at = clock_timestamp()
     where id = any (array(select id from silent))
     returning id, kind, queue, state, attempts`,
    [limit, JSON.stringify({ code: fault.code, message: fault.message, details: null, hint: null })],
  );
}

/** The channel on which workers learn that a job ended for which others wait, and that no attempt of theirs ended; the payload is its id. */
export const endedChannel = 'mainstay_ended';

/** Lets go those who waited for these jobs alone, and fails those who wait for one that never will be done. Says whether there is something to do. */
export async function releaseFollowers(database: Database, ended: readonly string[]): Promise<boolean> {
  const { rows } = await database.once(asEngine, {
    name: 'release_followers',
    text: `select mainstay_internal.release_jobs(array(select distinct job_id from mainstay_internal.job_waits where after_id = any ($1::uuid[])))`,
    values: [`{${ended.join(',')}}`],
  });
  return rows.length > 0;
}

/**
 * Looks at some of all jobs that wait: whoever ended before the wait was committed did not see it. Gives the id after which the
 * next look begins, null when there is none left.
 */
export async function releaseStranded(tx: Transaction, afterId: string | null, limit = 500): Promise<{ readonly last: string | null; readonly isReleased: boolean }> {
  const waiting = await tx.rows<{ id: string }>(
    `select id from mainstay_internal.jobs where state = 'queued' and is_waiting and ($1::uuid is null or id > $1) order by id limit $2`,
    [afterId, limit],
  );
  if (waiting.length === 0) return { last: null, isReleased: false };
  const released = await tx.rows(`select mainstay_internal.release_jobs($1::uuid[])`, [waiting.map(({ id }) => id)]);
  return { last: waiting.length < limit ? null : waiting.at(-1)!.id, isReleased: released.length > 0 };
}

/** How far a running job has come, for its owner to see. */
export async function saveProgress(database: Database, lease: Lease, progress: unknown): Promise<void> {
  await database.once(asEngine, {
    name: 'save_job_progress',
    text: `update mainstay_internal.jobs set progress = $3::jsonb where id = $1::uuid and lease_token = $2::uuid and state = 'running'`,
    values: [lease.jobId, lease.token, JSON.stringify(progress)],
  });
}
