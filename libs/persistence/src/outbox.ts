import type { Database } from './database.ts';
import type { Transaction } from './statement.ts';

/** The channel that wakes the relay; the payload is the queue. */
export const outboxChannel = 'mainstay_outbox';

/** An id that is to be told to Bull: the job, and the attempt that it shall begin. */
export interface Publication {
  readonly jobId: string;
  readonly attempt: number;
}

/** What waits in one queue. */
export interface Backlog {
  readonly queue: string;
  /** Told to Bull, claimed by nobody yet. */
  readonly unclaimed: number;
  readonly hasOutbox: boolean;
}

/** Gives an outbox row to each job whose time has come. Says how soon the next one's comes, null for none. */
export async function promoteDue(database: Database, limit = 1000): Promise<number | null> {
  const [row] = await database.rows<{ seconds: number | null; isMore: boolean }>(
    `with due as (
       select id from mainstay_internal.jobs where state = 'queued' and not is_due and run_at <= clock_timestamp()
       order by run_at limit $1 for update skip locked
     ),
     promoted as (
       update mainstay_internal.jobs set is_due = true from due where jobs.id = due.id
       returning jobs.id, jobs.queue, jobs.owner, jobs.priority, jobs.run_at
     ),
     put as (
       insert into mainstay_internal.outbox (job_id, queue, owner, priority)
       select id, queue, coalesce(owner, ''), priority from promoted order by run_at returning id
     )
     select count(*) = $1 as "isMore", (
       select greatest(extract(epoch from min(run_at) - clock_timestamp()), 0)::float8 from mainstay_internal.jobs
       where state = 'queued' and not is_due and run_at > clock_timestamp()
     ) as seconds from put`,
    [limit],
  );
  return row!.isMore ? 0 : row!.seconds;
}

/** How much of each queue is with Bull, and whether more waits to be told. */
export async function backlogs(database: Database, queues: readonly string[]): Promise<Backlog[]> {
  return database.rows<Backlog>(
    `select queue,
       (select count(*)::int from mainstay_internal.jobs where jobs.queue = asked.queue and state = 'queued' and published_at is not null) as unclaimed,
       exists (select from mainstay_internal.outbox where outbox.queue = asked.queue) as "hasOutbox"
     from unnest($1::text[]) as asked (queue)`,
    [queues],
  );
}

/** Outbox rows taken in fair turns, locked until the transaction ends. */
export interface Turn {
  readonly rowIds: readonly string[];
  /** Those that still are to be told: a job may have been cancelled, or be with Bull already. */
  readonly publications: readonly Publication[];
  /** Where the next turn begins when there are more owners than places. */
  readonly lastOwner: string;
}

/**
 * Takes at most `places` rows of a queue, from as many owners as possible and from each equally: an owner with a hundred
 * thousand jobs does not delay another's first. Among one owner's jobs the higher priority and then the older goes first.
 * Owners are found by steps through the index, one per owner and not one per row.
 */
export async function takeTurn(tx: Transaction, queue: string, places: number, afterOwner: string): Promise<Turn> {
  const rows = await tx.rows<{ id: string; owner: string; jobId: string; attempt: number | null }>(takeTurnText, [queue, afterOwner, places]);
  return {
    rowIds: rows.map(({ id }) => id),
    publications: rows.flatMap(({ jobId, attempt }) => (attempt === null ? [] : [{ jobId, attempt }])),
    lastOwner: rows.filter(({ owner }, i) => rows.findIndex((other) => other.owner === owner) === i).at(-1)?.owner ?? afterOwner,
  };
}

const takeTurnText = `
  with recursive later as (
    (select owner, 1 as turn from mainstay_internal.outbox where queue = $1 and owner > $2 order by owner limit 1)
    union all
    select next.owner, later.turn + 1 from later, lateral (
      select owner from mainstay_internal.outbox where queue = $1 and owner > later.owner order by owner limit 1
    ) as next where later.turn < $3
  ),
  earlier as (
    (select owner, 1 as turn from mainstay_internal.outbox where queue = $1 and owner <= $2 order by owner limit 1)
    union all
    select next.owner, earlier.turn + 1 from earlier, lateral (
      select owner from mainstay_internal.outbox where queue = $1 and owner > earlier.owner and owner <= $2 order by owner limit 1
    ) as next where earlier.turn < $3
  ),
  owners as (
    select owner, row_number() over (order by round, turn) as turn
    from (select owner, 1 as round, turn from later union all select owner, 2, turn from earlier) as both_ways
    order by round, turn limit $3
  ),
  shares as (select owner, turn, ceil($3::numeric / count(*) over ())::int as share from owners)
  select mine.id, shares.owner, mine.job_id as "jobId", publishable.attempt
  from shares
  cross join lateral (
    select locked.*, row_number() over () as place from (
      select id, job_id from mainstay_internal.outbox
      where queue = $1 and outbox.owner = shares.owner
      order by priority desc, id limit shares.share for update skip locked
    ) as locked
  ) as mine
  left join lateral (
    select attempts + 1 as attempt from mainstay_internal.jobs
    where jobs.id = mine.job_id and state = 'queued' and is_due and published_at is null
  ) as publishable on true
  order by mine.place, shares.turn limit $3`;

/**
 * Ends a turn: the rows go, the jobs count as told. Call it after Bull has them and right before the commit, since a claim
 * of one of these jobs waits for it.
 */
export async function endTurn(tx: Transaction, turn: Turn): Promise<void> {
  await tx.rows(
    `with told as (delete from mainstay_internal.outbox where id = any($1::bigint[]))
     update mainstay_internal.jobs set published_at = clock_timestamp()
     from unnest($2::uuid[], $3::int[]) as publication (job_id, attempt)
     where jobs.id = publication.job_id and jobs.attempts + 1 = publication.attempt and state = 'queued' and is_due and published_at is null`,
    [turn.rowIds, turn.publications.map(({ jobId }) => jobId), turn.publications.map(({ attempt }) => attempt)],
  );
}

/** Jobs that Bull was told of and nobody claimed yet, the longest waiting first: to be asked for, and told again if Bull has lost them. */
export async function unclaimed(tx: Transaction, limit = 2000): Promise<(Publication & { readonly queue: string })[]> {
  return tx.rows(
    `select id as "jobId", attempts + 1 as attempt, queue from mainstay_internal.jobs
     where state = 'queued' and published_at is not null order by published_at limit $1`,
    [limit],
  );
}

/** For each queue, how many seconds the job that waits longest has been due. */
export async function longestWaits(database: Database, queues: readonly string[]): Promise<{ queue: string; seconds: number }[]> {
  return database.rows(
    `select queue, extract(epoch from clock_timestamp() - least(
       (select min(published_at) from mainstay_internal.jobs where jobs.queue = asked.queue and state = 'queued' and published_at is not null),
       (select created_at from mainstay_internal.outbox where outbox.queue = asked.queue order by id limit 1)
     ))::float8 as seconds
     from unnest($1::text[]) as asked (queue)
     where exists (select from mainstay_internal.jobs where jobs.queue = asked.queue and state = 'queued' and published_at is not null)
       or exists (select from mainstay_internal.outbox where outbox.queue = asked.queue)`,
    [queues],
  );
}
