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
    select id from mainstay_internal.jobs where state = 'queued' and not is_due and not is_waiting and run_at <= clock_timestamp()
    order by run_at limit $1::int for update skip locked
  ),
  promoted as (
    update mainstay_internal.jobs set is_due = true where id = any (array(select id from due))
    returning id, carrier, queue, turn, priority, run_at
  ),
  put as (
    insert into mainstay_internal.outbox (job_id, carrier, queue, turn, priority)
    select id, carrier, queue, turn, priority from promoted order by run_at returning id
  )
  select count(*) = $1::int, (
    select extract(epoch from min(run_at) - clock_timestamp())::float8 from mainstay_internal.jobs
    where state = 'queued' and not is_due and not is_waiting and run_at > clock_timestamp()
  ) from put`;

/** A queue of people's, as one Bull queue carries it. */
export interface Lane {
  readonly carrier: string;
  readonly queue: string;
}

/** A lane with something in the outbox. */
export interface Backlog extends Lane {
  /** How many ids its carrier was told of that nobody claimed yet. */
  readonly unclaimed: number;
  /** Its queue has terms: it may give less than there is. */
  readonly isLimited: boolean;
}

/** The lanes with something in the outbox, but for the paused. Found by steps through the index, one per lane. */
export async function backlogs(database: Database): Promise<Backlog[]> {
  const { rows } = await database.once(asEngine, { name: 'backlogs', text: backlogsText, values: [] });
  return rows.map(([carrier, queue, unclaimed, isLimited]) => ({ carrier: carrier!, queue: queue!, unclaimed: Number(unclaimed), isLimited: isLimited === 't' }));
}

const backlogsText = `
  with recursive lane as (
    (select carrier, queue from mainstay_internal.outbox order by carrier, queue limit 1)
    union all
    select next.carrier, next.queue from lane, lateral (
      select carrier, queue from mainstay_internal.outbox where (carrier, queue) > (lane.carrier, lane.queue) order by carrier, queue limit 1
    ) as next
  )
  select lane.carrier, lane.queue,
    (select count(*) from mainstay_internal.jobs where jobs.carrier = lane.carrier and state = 'queued' and published_at is not null),
    num_nonnulls(queues.concurrency, queues.per_turn_concurrency, queues.rate_count) > 0
  from lane left join mainstay_internal.queues on queues.name = lane.queue
  where queues.is_paused is not true`;

/** What one turn of the outbox gave. */
export interface Turn {
  /** To be told to Bull: they count as told already, and the reaper finds those that never arrive there. */
  readonly publications: readonly Publication[];
  /** Where the next one begins when there are more turns than places. */
  readonly last: string;
  /** How many rows were taken: a job may have been cancelled since, and then is not told. */
  readonly rows: number;
}

/**
 * Takes at most `places` rows of a lane, as its queue's terms allow, from as many owners as possible and from each equally: an
 * owner with a hundred thousand jobs does not delay another's first. Among one owner's jobs the higher priority and then the
 * older goes first.
 *
 * Bull is told after this has committed and not within it: a claim would wait for the row until the commit, and a Redis that
 * hangs would hold the transaction (adr/0007). Who dies in between leaves ids that Bull does not know; the reaper sees to them.
 */
export async function takeTurn(database: Database, { carrier, queue }: Lane, places: number, after: string): Promise<Turn> {
  // Not flushed to disk: if this commit is lost in a crash the rows are back, and a second publication is none.
  const session = { ...asEngine, settings: { ...asEngine.settings, synchronous_commit: 'off' } };
  const text = 'select turn, job_id, attempt from mainstay_internal.take_turn($1, $2, $3::int, $4)';
  const { rows } = await database.once(session, { name: 'take_turn', text, values: [carrier, queue, String(places), after] });
  const turns = new Set(rows.map(([turn]) => turn!));
  return {
    publications: rows.flatMap(([, jobId, attempt]) => (attempt === null ? [] : [{ jobId: jobId!, attempt: Number(attempt) }])),
    last: [...turns].at(-1) ?? after,
    rows: rows.length,
  };
}

/** Jobs that Bull was told of and nobody claimed yet, the longest waiting first: to be asked for, and told again if Bull has lost them. */
export async function unclaimed(tx: Transaction, limit = 2000): Promise<(Publication & { readonly carrier: string })[]> {
  return tx.rows(
    `select id as "jobId", attempts + 1 as attempt, carrier from mainstay_internal.jobs
     where state = 'queued' and published_at < clock_timestamp() - interval '1 second' order by published_at limit $1`,
    [limit],
  );
}

/** For each carrier, how many seconds the job that waits longest has been due. What a queue's terms hold back waits for no worker. */
export async function longestWaits(database: Database, carriers: readonly string[]): Promise<{ carrier: string; seconds: number }[]> {
  return database.rows(
    `select carrier, extract(epoch from clock_timestamp() - min(since))::float8 as seconds from (
       select carrier, published_at as since from mainstay_internal.jobs where carrier = any ($1) and state = 'queued' and published_at is not null
       union all
       select carriers.carrier, oldest.created_at from unnest($1::text[]) as carriers (carrier) cross join mainstay_internal.queues cross join lateral (
         select created_at from mainstay_internal.outbox where outbox.carrier = carriers.carrier and outbox.queue = queues.name order by id limit 1
       ) as oldest
       where num_nonnulls(queues.concurrency, queues.per_turn_concurrency, queues.rate_count) = 0 and not queues.is_paused
     ) as waits group by carrier`,
    [carriers],
  );
}
