import type { HouseMigration } from './house-migration.ts';

/**
 * Queues as people see them, and lanes as the relay does. A job belongs to a queue, whose terms (how many at once, how many a
 * minute, paused) a row in `queues` holds, and is carried by a Bull queue, its carrier; both together are a lane.
 * Turns are fair between owners, or between whatever else a job is told to count as.
 */
export const lanes: HouseMigration = {
  name: '0050-lanes',
  sql: `
    create table mainstay_internal.queues (
      name text primary key check (name ~ '^[a-z][a-z0-9_-]{0,62}$'),
      -- Made by the house: it cannot be deleted.
      is_house boolean not null default false,
      is_paused boolean not null default false,
      -- How many of its jobs may be on their way or running, over all workers; and how many of one turn.
      concurrency integer check (concurrency > 0),
      per_turn_concurrency integer check (per_turn_concurrency > 0),
      -- At most so many within any so many seconds; of the whole queue, or of each turn.
      rate_count integer check (rate_count > 0),
      rate_seconds double precision check (rate_seconds > 0),
      is_rate_per_turn boolean not null default false,
      -- The argument of a job by whose value it takes its turns; null: by its owner.
      turn_from text check (turn_from <> ''),
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      check ((rate_count is null) = (rate_seconds is null))
    );
    insert into mainstay_internal.queues (name, is_house, per_turn_concurrency) values
      ('transfers', true, null), ('mail', true, null), ('upkeep', true, null),
      ('functions', true, null), ('calls', true, null), ('webhooks', true, 8), ('exports', true, null);

    -- What was published of the queues with a rate, for as long as it counts: one row per turn taken.
    create table mainstay_internal.queue_takes (
      queue text not null references mainstay_internal.queues on delete cascade,
      turn text not null,
      jobs integer not null,
      taken_at timestamptz not null default clock_timestamp()
    ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
    create index queue_takes_taken_at on mainstay_internal.queue_takes (queue, taken_at);

    alter table mainstay_internal.jobs
      add column carrier text, add column turn text,
      -- W3C traceparent of the request that asked for it.
      add column trace text;
    update mainstay_internal.jobs set carrier = queue, turn = coalesce(owner, '');
    alter table mainstay_internal.jobs alter column carrier set not null, alter column turn set not null;
    drop index mainstay_internal.jobs_published;
    create index jobs_published on mainstay_internal.jobs (carrier, queue) where state = 'queued' and published_at is not null;

    alter table mainstay_internal.outbox rename column owner to turn;
    alter table mainstay_internal.outbox add column carrier text;
    update mainstay_internal.outbox set carrier = queue;
    alter table mainstay_internal.outbox alter column carrier set not null;
    drop index mainstay_internal.outbox_turns;
    create index outbox_turns on mainstay_internal.outbox (carrier, queue, turn, priority desc, id);

    -- The trace that this session is part of, if it says so in the form of the standard.
    create function mainstay_internal.trace_of_session() returns text
      language sql stable set search_path = '' as $$
        select case when trace ~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$' then trace end from (
          select coalesce(nullif(current_setting('mainstay.traceparent', true), ''),
            substring(current_setting('request.headers', true) from '"traceparent" *: *"([^"]*)"')) as trace
        ) as said
      $$;

    -- Takes at most so many outbox rows of a lane, from as many turns as possible and from each equally; marks their jobs as told.
    -- Turns are found by steps through the index, one per turn and not one per row. A queue with terms is looked at by one relay at
    -- a time: what is on its way is counted after the lock has been taken, so two relays never publish more than one may.
    create function mainstay_internal.take_turn(in_carrier text, in_queue text, in_places integer, in_after text)
      returns table (turn text, job_id uuid, attempt integer)
      language plpgsql volatile set search_path = '' as $$
        #variable_conflict use_column
        declare
          terms mainstay_internal.queues;
          places integer := in_places;
          -- How many more of a turn that has nothing on its way; null: any number.
          most integer;
        begin
          select * into terms from mainstay_internal.queues where name = in_queue;
          if terms.is_paused then
            return;
          end if;
          if num_nonnulls(terms.concurrency, terms.per_turn_concurrency, terms.rate_count) > 0 then
            perform from mainstay_internal.queues where name = in_queue for update skip locked;
            if not found then
              return;
            end if;
            if terms.rate_count is not null then
              -- What is claimed a moment after it was published shall still fall into its time: hence the moment more.
              delete from mainstay_internal.queue_takes where queue = in_queue and taken_at < clock_timestamp() - make_interval(secs => terms.rate_seconds + 0.05);
            end if;
            if terms.concurrency is not null then
              places := least(places, terms.concurrency
                - (select count(*) from mainstay_internal.jobs where queue = in_queue and state = 'running')
                - (select count(*) from mainstay_internal.jobs where queue = in_queue and state = 'queued' and published_at is not null));
            end if;
            if terms.rate_count is not null and not terms.is_rate_per_turn then
              places := least(places, terms.rate_count
                - (select coalesce(sum(jobs), 0) from mainstay_internal.queue_takes where queue = in_queue)
                - (select count(*) from mainstay_internal.jobs where queue = in_queue and state = 'queued' and published_at < clock_timestamp() - make_interval(secs => terms.rate_seconds)));
            end if;
            if places <= 0 then
              return;
            end if;
            most := least(terms.per_turn_concurrency, case when terms.is_rate_per_turn then terms.rate_count end);
          end if;

          return query
          with recursive used as materialized (
            select turn, sum(busy)::int as busy, sum(taken)::int as taken from (
              select turn, 1 as busy, 0 as taken from mainstay_internal.jobs where queue = in_queue and state = 'running'
              union all
              select turn, 1, 0 from mainstay_internal.jobs where queue = in_queue and state = 'queued' and published_at is not null
              union all
              select turn, 0, jobs from mainstay_internal.queue_takes where queue = in_queue and terms.is_rate_per_turn
            ) as uses where most is not null group by turn
          ),
          caps as materialized (
            select turn, greatest(0, least(terms.per_turn_concurrency - busy, case when terms.is_rate_per_turn then terms.rate_count - taken end)) as free from used
          ),
          later as (
            (select next.turn, next.free, (next.free > 0)::int as seen from (
              select turn, coalesce((select free from caps where caps.turn = outbox.turn), most, in_places) as free
              from mainstay_internal.outbox where carrier = in_carrier and queue = in_queue and turn > in_after order by turn limit 1
            ) as next)
            union all
            select next.turn, next.free, later.seen + (next.free > 0)::int from later, lateral (
              select turn, coalesce((select free from caps where caps.turn = outbox.turn), most, in_places) as free
              from mainstay_internal.outbox where carrier = in_carrier and queue = in_queue and turn > later.turn order by turn limit 1
            ) as next where later.seen < places
          ),
          earlier as (
            (select next.turn, next.free, (next.free > 0)::int as seen from (
              select turn, coalesce((select free from caps where caps.turn = outbox.turn), most, in_places) as free
              from mainstay_internal.outbox where carrier = in_carrier and queue = in_queue and turn <= in_after order by turn limit 1
            ) as next)
            union all
            select next.turn, next.free, earlier.seen + (next.free > 0)::int from earlier, lateral (
              select turn, coalesce((select free from caps where caps.turn = outbox.turn), most, in_places) as free
              from mainstay_internal.outbox where carrier = in_carrier and queue = in_queue and turn > earlier.turn and turn <= in_after order by turn limit 1
            ) as next where earlier.seen < places
          ),
          turns as (
            select turn, free, row_number() over (order by round, seen) as place
            from (select turn, free, 1 as round, seen from later where free > 0 union all select turn, free, 2, seen from earlier where free > 0) as both_ways
            order by round, seen limit places
          ),
          shares as (select turn, place, least(ceil(places::numeric / count(*) over ())::int, free) as share from turns),
          picked as (
            select mine.id, mine.job_id, mine.place as row_place, shares.turn, shares.place as turn_place
            from shares cross join lateral (
              select locked.*, row_number() over () as place from (
                select id, job_id from mainstay_internal.outbox
                where carrier = in_carrier and queue = in_queue and outbox.turn = shares.turn
                order by priority desc, id limit shares.share for update skip locked
              ) as locked
            ) as mine
            order by mine.place, shares.place limit places
          ),
          taken as (delete from mainstay_internal.outbox where id = any (array(select id from picked))),
          told as (
            update mainstay_internal.jobs set published_at = clock_timestamp()
            where id = any (array(select picked.job_id from picked)) and state = 'queued' and is_due and published_at is null
            returning id, turn, attempts + 1 as attempt
          ),
          counted as (
            insert into mainstay_internal.queue_takes (queue, turn, jobs)
            select in_queue, turn, count(*) from told where terms.rate_count is not null group by turn
          )
          select picked.turn, picked.job_id, told.attempt
          from picked left join told on told.id = picked.job_id order by picked.row_place, picked.turn_place;
        end
      $$;

    revoke execute on function mainstay_internal.take_turn, mainstay_internal.trace_of_session from public;
    grant execute on function mainstay_internal.take_turn to mainstay_worker;

    grant select, update on mainstay_internal.queues to mainstay_worker;
    grant select, insert, delete on mainstay_internal.queue_takes to mainstay_worker;
    grant select, insert, update, delete on mainstay_internal.queues to mainstay_api;
    alter table mainstay_internal.queues enable row level security;
    alter table mainstay_internal.queue_takes enable row level security;
    create policy by_service_key on mainstay_internal.queues to mainstay_api using (mainstay_internal.owns(null)) with check (mainstay_internal.owns(null));
    create policy all_of_them on mainstay_internal.queues to mainstay_worker using (true) with check (true);
    create policy all_of_them on mainstay_internal.queue_takes to mainstay_worker using (true) with check (true);
  `,
};
