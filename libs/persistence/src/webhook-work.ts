import type { Database } from './database.ts';
import type { ActingAs } from './enqueue.ts';
import { asHouse, enqueue } from './enqueue.ts';
import { asEngine, type JobError } from './jobs.ts';
import { partsText, type EventParts } from './webhook-deliveries.ts';
import type { Result, Session, Statement, Transaction } from './statement.ts';

/** The channel on which feeders learn of new events. */
export const eventsChannel = 'mainstay_events';

/**
 * As the worker's own login, for deliveries: each statement steps through an index in its order and stops soon. Where a backlog has
 * just been written and nothing is known of it yet, PostgreSQL would take all of it and sort.
 */
export const asDeliverer: Session = { role: null, settings: { ...asEngine.settings, enable_bitmapscan: 'off' } };

/** An endpoint as whoever delivers to it needs it. */
export interface EndpointAtWork {
  readonly id: string;
  readonly no: number;
  readonly url: string;
  readonly headers: string | null;
  readonly secrets: string;
  readonly rate: number | null;
  readonly failures: number;
  readonly openings: number;
  /** False while it is paused, disabled or resting. */
  readonly isOpen: boolean;
}

/** Something to send. */
export interface DueDelivery extends EventParts {
  readonly eventId: string;
  /** Which row it is about. */
  readonly rowKey: string | null;
  /** Tries so far. */
  readonly attempts: number;
}

/** How one try went, and what becomes of the delivery. */
export interface Settled {
  readonly eventId: string;
  readonly state: 'queued' | 'done' | 'dead';
  readonly attempts: number;
  /** When it is queued again: the next try, from now. */
  readonly afterSeconds: number | null;
  readonly at: string;
  readonly ms: number;
  readonly url: string;
  readonly requestHeaders: Readonly<Record<string, string>>;
  readonly status: number | null;
  readonly answerHeaders: Readonly<Record<string, string>> | null;
  /** In base64. */
  readonly answerBody: string | null;
  readonly isCut: boolean;
  readonly error: JobError | null;
}

/** What the tries of one moment say about the endpoint. */
export interface Health {
  /** Whether any got through, and how many failed since, or in a row with those before. */
  readonly hasSuccess: boolean;
  readonly failures: number;
  /** It asked for a rest of so long. */
  readonly restSeconds: number | null;
  /** It said that it is gone. */
  readonly gone: JobError | null;
}

export interface BreakerTerms {
  /** Failures in a row that open it; 0 is never. */
  readonly failures: number;
  readonly restSeconds: number;
  readonly mostRestSeconds: number;
}

export async function findEndpointAtWork(tx: Pick<Transaction, 'rows'>, id: string): Promise<EndpointAtWork | null> {
  const [endpoint] = await tx.rows<EndpointAtWork>(
    `select id, no, url, headers, secrets, rate, failures, openings, state = 'active' and coalesce(rests_until <= clock_timestamp(), true) as "isOpen" from mainstay_internal.webhook_endpoints where id = $1`,
    [id],
  );
  return endpoint ?? null;
}

/** What is under way of an endpoint, and how much more there is room for. */
export interface Room {
  readonly underWay: readonly string[];
  readonly rowsUnderWay: readonly string[];
  readonly places: number;
  readonly bytes: number;
}

/**
 * What is due of an endpoint, the longest due first. Of one row's deliveries only the first that is not settled: the others wait
 * for it. Where a page holds almost only such that wait, it is gone through row by row instead: one with a hundred thousand
 * changes does not keep the others from being found.
 * @param chance from 0 to 1: with which row that begins
 */
export async function takeDue(tx: Transaction, endpointNo: number, room: Room, chance: number): Promise<DueDelivery[]> {
  const values = [String(endpointNo), arrayOf(room.underWay), arrayOf(room.rowsUnderWay), String(room.places), String(room.bytes)];
  const rows = await prepared(tx, { name: 'take_due_deliveries', text: dueText, values });
  const due = rows.flatMap((row) => (row[0] === null ? [] : [dueDelivery(row)]));
  if (Number(rows[0]![12]) < room.places * 4 || due.length * 2 >= room.places) return due;
  const from = async (start: bigint): Promise<DueDelivery[]> => (await prepared(tx, { name: 'take_due_by_row', text: dueByRowText, values: [...values, String(start)] })).map(dueDelivery);
  const [least, most] = [-(2n ** 63n), 2n ** 63n - 1n];
  const there = await from(least + BigInt(Math.floor(chance * 2 ** 53)) * ((most - least) / 2n ** 53n));
  const byRow = there.length > 0 ? there : await from(least);
  const known = new Set(due.map(({ eventId }) => eventId));
  return [...due, ...byRow.filter(({ eventId }) => !known.has(eventId))].slice(0, room.places);
}

/** Planned once for each connection: to plan it takes longer than to run it. */
async function prepared(tx: Transaction, statement: Statement): Promise<Result['rows']> {
  return (await tx.runAs({ role: null, settings: {} }, statement)).rows;
}

function arrayOf(numbers: readonly string[]): string {
  return `{${numbers.join(',')}}`;
}

function dueDelivery([eventId, rowKey, attempts, type, at, schema, table, operation, record, oldRecord, data]: Result['rows'][number]): DueDelivery {
  return { eventId: eventId!, rowKey: rowKey!, attempts: Number(attempts), type: type!, at: at!, schema: schema!, table: table!, operation: operation!, record: record!, oldRecord: oldRecord!, data: data! };
}

const fields = `free.event_id as "eventId", free.row_key as "rowKey", free.attempts, ${partsText}`;

const dueText = `
  with page as materialized (
    select event_id, row_key, attempts, next_at from mainstay_internal.webhook_deliveries
    where endpoint_no = $1::int4 and state = 'queued' and next_at <= now() and event_id <> all ($2::int8[])
    order by next_at, event_id limit $4::int4 * 4
  ),
  free as materialized (
    select * from page where row_key is null or (row_key <> all ($3::int8[]) and not exists (
      select from mainstay_internal.webhook_deliveries before
      where before.endpoint_no = $1::int4 and before.state = 'queued' and before.row_key = page.row_key and before.event_id < page.event_id))
    order by next_at, event_id limit $4::int4
  ),
  sized as (
    select free.*, sum(coalesce(octet_length(record::text), 0) + coalesce(octet_length(old_record::text), 0) + coalesce(octet_length(data::text), 0)) over (order by free.next_at, free.event_id) as bytes,
      row_number() over (order by free.next_at, free.event_id) as turn
    from free join mainstay_internal.events on events.id = free.event_id
  ),
  taken as (select ${fields}, free.next_at from sized free join mainstay_internal.events on events.id = free.event_id where free.bytes <= $5::int8 or free.turn = 1)
  select taken.*, seen from (select count(*)::int as seen from page) as looked left join taken on true order by taken.next_at, taken."eventId"`;

// A step through the index for each row that has anything waiting.
const dueByRowText = `
  with recursive rows (row_key) as (
    (select row_key from mainstay_internal.webhook_deliveries where endpoint_no = $1::int4 and state = 'queued' and row_key is not null and row_key >= $6::int8 order by row_key limit 1)
    union all
    select (select next.row_key from mainstay_internal.webhook_deliveries next where next.endpoint_no = $1::int4 and next.state = 'queued' and next.row_key > rows.row_key order by next.row_key limit 1)
    from rows where rows.row_key is not null
  ),
  free as materialized (
    select first.* from rows cross join lateral (
      select event_id, row_key, attempts, next_at from mainstay_internal.webhook_deliveries
      where endpoint_no = $1::int4 and state = 'queued' and webhook_deliveries.row_key = rows.row_key order by event_id limit 1
    ) as first
    where rows.row_key is not null and first.next_at <= now() and first.row_key <> all ($3::int8[]) and first.event_id <> all ($2::int8[])
    limit $4::int4
  ),
  sized as (
    select free.*, sum(coalesce(octet_length(record::text), 0) + coalesce(octet_length(old_record::text), 0) + coalesce(octet_length(data::text), 0)) over (order by free.event_id) as bytes,
      row_number() over (order by free.event_id) as turn
    from free join mainstay_internal.events on events.id = free.event_id
  )
  select ${fields} from sized free join mainstay_internal.events on events.id = free.event_id where free.bytes <= $5::int8 or free.turn = 1 order by free.event_id`;

/** Writes down how a number of tries went, in one statement. */
export async function settleDeliveries(tx: Transaction, endpointNo: number, settled: readonly Settled[]): Promise<void> {
  if (settled.length === 0) return;
  await prepared(tx, { name: 'settle_deliveries', text: settleText, values: [String(endpointNo), JSON.stringify(settled)] });
}

const settleText = `
  with settled as materialized (
    select * from json_to_recordset($2::json) as one (
      "eventId" int8, state text, attempts int2, "afterSeconds" float8, at timestamptz, ms int4, url text, "requestHeaders" json, status int2, "answerHeaders" json, "answerBody" text, "isCut" boolean, error json)
  ),
  logged as (
    insert into mainstay_internal.webhook_attempts (event_id, endpoint_no, number, at, ms, url, request_headers, status, answer_headers, answer_body, is_cut, error)
    select "eventId", $1::int4, attempts, at, ms, url, "requestHeaders", status, "answerHeaders", decode("answerBody", 'base64'), "isCut", error from settled
  )
  update mainstay_internal.webhook_deliveries deliveries
  set state = settled.state, attempts = settled.attempts, last_status = settled.status, last_error = settled.error ->> 'code',
    next_at = case when settled.state = 'queued' then clock_timestamp() + make_interval(secs => settled."afterSeconds") else next_at end,
    finished_at = case when settled.state <> 'queued' then clock_timestamp() end
  from settled where event_id = any (array(select "eventId" from settled)) and event_id = settled."eventId"
    and endpoint_no = $1::int4
    -- Written so that no index of what waits can serve: of a backlog that was just written nothing is known yet, and all of it would be read.
    and deliveries.state || '' = 'queued'`;

/** Writes down how the endpoint is: the breaker opens, for longer each time, and closes with the first that gets through. */
export async function settleHealth(tx: Transaction, endpointNo: number, { hasSuccess, failures, restSeconds, gone }: Health, breaker: BreakerTerms): Promise<void> {
  await tx.rows(
    `with now_failing as (select no, case when $2::boolean then $3::int else failures + $3::int end as failures, case when $2::boolean then 0 else openings end as openings,
       coalesce(rests_until <= clock_timestamp(), true) as is_awake from mainstay_internal.webhook_endpoints where no = $1 for update),
     -- What was under way when it opened makes no rest longer.
     judged as (select *, is_awake and $5::int > 0 and $3::int > 0 and (failures >= $5::int or openings > 0) as is_opening from now_failing)
     update mainstay_internal.webhook_endpoints endpoints
     set failures = judged.failures, openings = judged.openings + case when is_opening then 1 else 0 end,
       rests_until = case
         when is_opening then greatest(clock_timestamp() + make_interval(secs => least($7::float8, $6::float8 * power(2, least(judged.openings, 20))) * (0.9 + random() * 0.2)), clock_timestamp() + make_interval(secs => $4::float8))
         when $4::float8 is not null then clock_timestamp() + make_interval(secs => $4::float8)
         when judged.failures = 0 then null
         else rests_until end,
       state = case when $8::jsonb is null then state else 'disabled' end, reason = coalesce($8::jsonb, reason)
     from judged where endpoints.no = judged.no`,
    [endpointNo, hasSuccess, failures, restSeconds, breaker.failures, breaker.restSeconds, breaker.mostRestSeconds, gone === null ? null : JSON.stringify(gone)],
  );
}

/** Whether new events must wake the feeder by NOTIFY. */
export async function sayFeederAsleep(database: Database, isAsleep: boolean): Promise<void> {
  const session = { ...asEngine, settings: { ...asEngine.settings, synchronous_commit: 'off' } };
  await database.once(session, { name: 'say_feeder_asleep', text: 'update mainstay_internal.webhook_feeder set is_asleep = $1::boolean where is_asleep <> $1::boolean', values: [String(isAsleep)] });
}

/** Whether a feeder would find anything to do now; one round trip, since it looks often. Else says how soon it will, null for never. */
export async function hasFeed(database: Database): Promise<{ readonly isNow: boolean; readonly nextSeconds: number | null }> {
  const { rows } = await database.once(asDeliverer, { name: 'has_webhook_feed', text: hasFeedText, values: [] });
  const [isNow, nextSeconds] = rows[0]!;
  return { isNow: isNow === 't', nextSeconds: nextSeconds === null ? null : Number(nextSeconds) };
}

const hasFeedText = `
  with due as (
    select extract(epoch from greatest(next.next_at, rests_until) - clock_timestamp())::float8 as seconds
    from mainstay_internal.webhook_endpoints endpoints cross join lateral (
      select next_at from mainstay_internal.webhook_deliveries where endpoint_no = endpoints.no and webhook_deliveries.state = 'queued' order by next_at limit 1
    ) as next
    where endpoints.state = 'active'
      and not exists (select from mainstay_internal.jobs where kind = 'deliver-events' and unique_key = endpoints.id::text and jobs.state in ('queued', 'running'))
  )
  select coalesce(min(seconds) <= 0, false) or exists (select from mainstay_internal.webhook_breaks), min(seconds) from due`;

/** What one look of the feeder found. */
export interface Fed {
  /** Endpoints that got a job. */
  readonly endpoints: number;
  /** How soon the next delivery or the end of a rest is due; null for none. */
  readonly nextSeconds: number | null;
}

/**
 * Gives a job to each endpoint that has something due and none yet. A job delivers all there is, so there are never more of them
 * than endpoints, whatever waits: a million deliveries are a million narrow rows.
 */
export async function feedEndpoints(tx: Transaction, acting: ActingAs = asHouse): Promise<Fed> {
  const due = await tx.rows<{ id: string; seconds: number | null; isBusy: boolean }>(
    `select id, extract(epoch from greatest(next.next_at, rests_until) - clock_timestamp())::float8 as seconds,
       exists (select from mainstay_internal.jobs where kind = 'deliver-events' and unique_key = endpoints.id::text and jobs.state in ('queued', 'running')) as "isBusy"
     from mainstay_internal.webhook_endpoints endpoints cross join lateral (
       select next_at from mainstay_internal.webhook_deliveries where endpoint_no = endpoints.no and webhook_deliveries.state = 'queued' order by next_at limit 1
     ) as next
     where endpoints.state = 'active'`,
  );
  const ready = due.filter(({ seconds, isBusy }) => !isBusy && seconds! <= 0);
  for (const { id } of ready) await enqueue(tx, 'deliver-events', { endpointId: id }, { ...acting, turn: id });
  const later = due.filter(({ seconds, isBusy }) => !isBusy && seconds! > 0).map(({ seconds }) => seconds!);
  return { endpoints: ready.length, nextSeconds: later.length === 0 ? null : Math.min(...later) };
}

/** A subscription whose evaluation failed in a writer's transaction. */
export interface BrokenSubscription {
  readonly subscriptionId: number;
  readonly sqlstate: string;
  readonly message: string;
}

/**
 * Takes what triggers left word of. What a row's own value caused (class 22) is noted; what would happen with every row ends the
 * subscription, and its trigger is made without it.
 */
export async function takeBreaks(tx: Transaction): Promise<BrokenSubscription[]> {
  const breaks = await tx.rows<BrokenSubscription & { watch: number | null }>(
    `with taken as (delete from mainstay_internal.webhook_breaks where id in (select id from mainstay_internal.webhook_breaks order by id limit 1000 for update skip locked) returning *),
     each_once as (select distinct on (subscription_id) * from taken order by subscription_id, id desc),
     told as (
       update mainstay_internal.webhook_subscriptions subscriptions
       set broken = case when left(sqlstate, 2) = '22' then broken else coalesce(broken, said) end, trouble = said
       from (select *, jsonb_build_object('code', case when left(sqlstate, 2) = '22' then 'row_not_evaluated' else 'filter_not_valid' end,
         'message', 'The filter could not be evaluated: ' || message, 'details', jsonb_build_object('sqlstate', sqlstate),
         'hint', case when left(sqlstate, 2) = '22' then 'What the statement wrote was not sent.' else 'Save the endpoint with events that fit the table.' end,
         'at', to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) as said from each_once) as each_once
       where subscriptions.id = subscription_id
       returning subscriptions.id, watch_id, broken
     )
     select subscription_id as "subscriptionId", sqlstate, message, case when told.broken is not null then watch_id end as watch
     from each_once left join told on told.id = subscription_id`,
  );
  for (const watch of new Set(breaks.flatMap(({ watch }) => (watch === null ? [] : [watch])))) await tx.rows('select mainstay_internal.build_watch($1)', [watch]);
  return breaks;
}

/** After an endpoint was disabled: nothing is written down for it any more. */
export async function rebuildWatchesOf(tx: Transaction, endpointId: string): Promise<void> {
  const watches = await tx.rows<{ id: number }>('select distinct watch_id as id from mainstay_internal.webhook_subscriptions where endpoint_id = $1 and watch_id is not null order by 1', [endpointId]);
  for (const { id } of watches) await tx.rows('select mainstay_internal.build_watch($1)', [id]);
}

/** Makes triggers again that somebody dropped or a restore left out; says of how many tables. */
export async function mendWatches(tx: Transaction): Promise<number> {
  const lacking = await tx.rows<{ watch: number }>(
    `select distinct watch_id as watch from mainstay_internal.webhook_queries
     where not exists (
       select from mainstay_internal.webhook_watches join pg_catalog.pg_trigger on tgrelid = relation
       where webhook_watches.id = watch_id and tgname = format('mainstay_webhooks_%s_%s', watch_id, operation)
     ) and exists (select from mainstay_internal.webhook_watches where webhook_watches.id = watch_id and relation is not null)
     order by 1`,
  );
  for (const { watch } of lacking) await tx.rows('select mainstay_internal.build_watch($1)', [watch]);
  return lacking.length;
}

/**
 * Deletes settled deliveries older than they are kept, deliveries of endpoints that are gone, and events that nobody waits for any
 * more; some at a time. Says how many events and deliveries went.
 */
export async function sweepWebhooks(tx: Transaction, keepSeconds: number, limit: number): Promise<number> {
  const [row] = await tx.rows<{ count: number }>(
    `with recursive numbers (no) as (
       (select endpoint_no from mainstay_internal.webhook_deliveries order by 1 limit 1)
       union all
       select (select min(endpoint_no) from mainstay_internal.webhook_deliveries where endpoint_no > numbers.no) from numbers where numbers.no is not null
     ),
     old as (
       (select event_id, endpoint_no from mainstay_internal.webhook_deliveries
        where event_id <= (select max(id) from mainstay_internal.events where created_at < now() - make_interval(secs => $1::float8))
          and state <> 'queued' and finished_at < now() - make_interval(secs => $1::float8)
        order by event_id limit $2)
       union
       (select event_id, endpoint_no from numbers join mainstay_internal.webhook_deliveries on endpoint_no = numbers.no
        where not exists (select from mainstay_internal.webhook_endpoints where webhook_endpoints.no = numbers.no) limit $2)
     ),
     tries as (delete from mainstay_internal.webhook_attempts using old where webhook_attempts.event_id = old.event_id and webhook_attempts.endpoint_no = old.endpoint_no),
     gone as (delete from mainstay_internal.webhook_deliveries deliveries using old where deliveries.event_id = old.event_id and deliveries.endpoint_no = old.endpoint_no returning 1),
     empty as (
       delete from mainstay_internal.events where id in (
         select id from mainstay_internal.events where created_at < now() - make_interval(secs => $1::float8)
           and not exists (select from mainstay_internal.webhook_deliveries where event_id = id) order by id limit $2
       ) returning 1
     )
     select (select count(*) from gone)::int + (select count(*) from empty)::int as count`,
    [keepSeconds, limit],
  );
  return row!.count;
}
