import type { HouseMigration } from './house-migration.ts';

/**
 * What `/metrics` and the console's *Jobs* tell of the queues. Nothing here reads the whole of `jobs`: what waits, runs or ended
 * badly stands in partial indexes, and of what was done there are only the tallies that the workers keep.
 */
export const figures: HouseMigration = {
  name: '0068-figures',
  sql: `
    -- Workers add what they counted every few seconds, so a total outlives each of them and never goes back.
    create table mainstay_internal.job_tallies (
      queue text not null,
      -- 'wait' and 'run' are histograms of seconds; 'done', 'failed', 'dead' and 'again' are counts of how attempts ended.
      what text not null check (what in ('wait', 'run', 'done', 'failed', 'dead', 'again')),
      counts float8[] not null,
      sum float8 not null,
      primary key (queue, what)
    );

    create index jobs_ended_badly on mainstay_internal.jobs (queue, state) where state in ('failed', 'dead', 'cancelled');

    -- How each queue stands. As its owner, since a policy would be asked for every row that is only counted.
    create function mainstay_internal.queue_figures()
      returns table (queue text, waiting bigint, unpublished bigint, scheduled bigint, running bigint, failed bigint, dead bigint, cancelled bigint, oldest_seconds float8)
      language sql stable security definer set search_path = '' set enable_seqscan = off set jit = off as $$
        with told as (
          select jobs.queue, count(*) as jobs, min(published_at) as since from mainstay_internal.jobs where state = 'queued' and published_at is not null group by jobs.queue
        ),
        untold as (
          select lanes.queue, sum(lanes.jobs)::bigint as jobs, (select created_at from mainstay_internal.outbox where id = min(lanes.first)) as since
          -- Read from the index alone, where it holds a million rows too.
          from (select carrier, outbox.queue, count(*) as jobs, min(id) as first from mainstay_internal.outbox group by carrier, outbox.queue) as lanes
          group by lanes.queue
        ),
        -- Those that wait for others stand in an index of their own.
        later as (
          select halves.queue, sum(halves.jobs)::bigint as jobs from (
            select jobs.queue, count(*) as jobs from mainstay_internal.jobs where state = 'queued' and not is_due and not is_waiting group by jobs.queue
            union all
            select jobs.queue, count(*) as jobs from mainstay_internal.jobs where state = 'queued' and is_waiting group by jobs.queue
          ) as halves group by halves.queue
        ),
        running as (select jobs.queue, count(*) as jobs from mainstay_internal.jobs where state = 'running' group by jobs.queue),
        ended as (
          select jobs.queue, count(*) filter (where state = 'failed') as failed, count(*) filter (where state = 'dead') as dead, count(*) filter (where state = 'cancelled') as cancelled
          from mainstay_internal.jobs where state in ('failed', 'dead', 'cancelled') group by jobs.queue
        ),
        known as (
          select name as queue from mainstay_internal.queues union select told.queue from told union select untold.queue from untold union select later.queue from later
          union select running.queue from running union select ended.queue from ended
        )
        select known.queue, coalesce(told.jobs, 0) + coalesce(untold.jobs, 0), coalesce(untold.jobs, 0), coalesce(later.jobs, 0), coalesce(running.jobs, 0),
          coalesce(ended.failed, 0), coalesce(ended.dead, 0), coalesce(ended.cancelled, 0),
          coalesce(extract(epoch from clock_timestamp() - least(told.since, untold.since)), 0)::float8
        from known left join told using (queue) left join untold using (queue) left join later using (queue) left join running using (queue) left join ended using (queue)
        order by known.queue limit 500
      $$;

    revoke execute on function mainstay_internal.queue_figures() from public;
    grant execute on function mainstay_internal.queue_figures() to mainstay_api, mainstay_worker;
    grant select, insert, update on mainstay_internal.job_tallies to mainstay_worker;
    grant select on mainstay_internal.job_tallies to mainstay_api;
  `,
};
