import type { Database } from './database.ts';
import { asEngine } from './jobs.ts';
import type { Transaction } from './statement.ts';

/** The channel that wakes the relay; the payload is the queue. */
export const outboxChannel = 'mainstay_outbox';

/**
 * Says whether enqueueings must wake the relay by NOTIFY. While a relay is awake and looks by itself they need not, and then
 * their commits do not wait for each other.
 */
export async function sayAsleep(database: Database, isAsleep: boolean): Promise<void> {
  const session = { ...asEngine, settings: { ...asEngine.settings, synchronous_commit: 'off' } };
  await database.once(session, { name: 'say_asleep', text: 'update mainstay_internal.relay set is_asleep = $1::boolean where is_asleep <> $1::boolean', values: [String(isAsleep)] });
}

/** An id that is to be told to Bull: the job, and the attempt that it shall begin. */
export interface Publication {
  readonly jobId: string;
  readonly attempt: number;
}

/** Gives an outbox row to each job whose time has come. Says how soon the next one's comes, null for none. */
export async function promoteDue(database: Database, limit = 1000): Promise<number | null> {
  const { rows } = await database.once(asEngine, { name: 'promote_due', text: promoteText, values: [String(limit)] });
  const [isMore, seconds] = rows[0]!;
  if (isMore === 't') return 0;
  return seconds === null ? null : Math.max(Number(seconds), 0.001);
}

const promoteText = `
  with due as (
    select id from mainstay_internal.jobs where state = 'queued' and not is_due and run_at <= clock_timestamp()
    order by run_at limit $1::int for update skip locked
  ),
  promoted as (
    update mainstay_internal.jobs set is_due = true where id = any (array(select id from due))
    returning id, queue, owner, priority, run_at
  ),
  put as (
    insert into mainstay_internal.outbox (job_id, queue, owner, priority)
    select id, queue, coalesce(owner, ''), priority from promoted order by run_at returning id
  )
  select count(*) = $1::int, (
    select extract(epoch from min(run_at) - clock_timestamp())::float8 from mainstay_internal.jobs
    where state = 'queued' and not is_due and run_at > clock_timestamp()
  ) from put`;

/** Of each queue with something in the outbox: how many ids Bull was told of that nobody claimed yet. */
export async function backlogs(database: Database, queues: readonly string[]): Promise<Map<string, number>> {
  const { rows } = await database.once(asEngine, { name: 'backlogs', text: backlogsText, values: [`{${queues.join(',')}}`] });
  return new Map(rows.map(([queue, unclaimed]) => [queue!, Number(unclaimed)]));
}

const backlogsText = `
  select queue, (select count(*) from mainstay_internal.jobs where jobs.queue = asked.queue and state = 'queued' and published_at is not null)
  from unnest($1::text[]) as asked (queue)
  where exists (select from mainstay_internal.outbox where outbox.queue = asked.queue)`;

/** What one turn of the outbox gave. */
export interface Turn {
  /** To be told to Bull: they count as told already, and the reaper finds those that never arrive there. */
  readonly publications: readonly Publication[];
  /** Where the next turn begins when there are more owners than places. */
  readonly lastOwner: string;
  /** How many rows were taken: a job may have been cancelled since, and then is not told. */
  readonly rows: number;
}

/**
 * Takes at most `places` rows of a queue, from as many owners as possible and from each equally: an owner with a hundred
 * thousand jobs does not delay another's first. Among one owner's jobs the higher priority and then the older goes first.
 * Owners are found by steps through the index, one per owner and not one per row.
 *
 * Bull is told after this has committed and not within it: a claim would wait for the row until the commit, and a Redis that
 * hangs would hold the transaction (adr/0007). Who dies in between leaves ids that Bull does not know; the reaper sees to them.
 */
export async function takeTurn(database: Database, queue: string, places: number, afterOwner: string): Promise<Turn> {
  // Not flushed to disk: if this commit is lost in a crash the rows are back, and a second publication is none.
  const session = { ...asEngine, settings: { ...asEngine.settings, synchronous_commit: 'off' } };
  const { rows } = await database.once(session, { name: 'take_turn', text: takeTurnText, values: [queue, afterOwner, String(places)] });
  const owners = rows.map(([owner]) => owner!);
  return {
    publications: rows.flatMap(([, jobId, attempt]) => (attempt === null ? [] : [{ jobId: jobId!, attempt: Number(attempt) }])),
    lastOwner: owners.filter((owner, i) => owners.indexOf(owner) === i).at(-1) ?? afterOwner,
    rows: rows.length,
  };
}

const takeTurnText = `
  with recursive later as (
    (select owner, 1 as turn from mainstay_internal.outbox where queue = $1 and owner > $2 order by owner limit 1)
    union all
    select next.owner, later.turn + 1 from later, lateral (
      select owner from mainstay_internal.outbox where queue = $1 and owner > later.owner order by owner limit 1
    ) as next where later.turn < $3::int
  ),
  earlier as (
    (select owner, 1 as turn from mainstay_internal.outbox where queue = $1 and owner <= $2 order by owner limit 1)
    union all
    select next.owner, earlier.turn + 1 from earlier, lateral (
      select owner from mainstay_internal.outbox where queue = $1 and owner > earlier.owner and owner <= $2 order by owner limit 1
    ) as next where earlier.turn < $3::int
  ),
  owners as (
    select owner, row_number() over (order by round, turn) as turn
    from (select owner, 1 as round, turn from later union all select owner, 2, turn from earlier) as both_ways
    order by round, turn limit $3::int
  ),
  shares as (select owner, turn, ceil($3::numeric / count(*) over ())::int as share from owners),
  picked as (
    select mine.id, shares.owner, mine.job_id, mine.place, shares.turn
    from shares cross join lateral (
      select locked.*, row_number() over () as place from (
        select id, job_id from mainstay_internal.outbox
        where queue = $1 and outbox.owner = shares.owner
        order by priority desc, id limit shares.share for update skip locked
      ) as locked
    ) as mine
    order by mine.place, shares.turn limit $3::int
  ),
  taken as (delete from mainstay_internal.outbox where id = any (array(select id from picked))),
  told as (
    update mainstay_internal.jobs set published_at = clock_timestamp()
    where id = any (array(select job_id from picked)) and state = 'queued' and is_due and published_at is null
    returning id, attempts + 1 as attempt
  )
  select picked.owner, picked.job_id, told.attempt
  from picked left join told on told.id = picked.job_id order by picked.place, picked.turn`;

/** Jobs that Bull was told of and nobody claimed yet, the longest waiting first: to be asked for, and told again if Bull has lost them. */
export async function unclaimed(tx: Transaction, limit = 2000): Promise<(Publication & { readonly queue: string })[]> {
  return tx.rows(
    `select id as "jobId", attempts + 1 as attempt, queue from mainstay_internal.jobs
     where state = 'queued' and published_at < clock_timestamp() - interval '1 second' order by published_at limit $1`,
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
