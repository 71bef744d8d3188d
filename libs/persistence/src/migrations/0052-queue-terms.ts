import type { HouseMigration } from './house-migration.ts';

/** Queues are changed by people: who may is decided by row policies on `queues`, under which these functions run. */
export const queueTerms: HouseMigration = {
  name: '0052-queue-terms',
  sql: `
    -- Back from Bull into the outbox what nobody has claimed: a claim passes over what is not published.
    create function mainstay_internal.recall_jobs(in_queue text) returns integer
      language plpgsql volatile security definer set search_path = '' as $$
        declare
          recalled integer;
        begin
          with recalled_jobs as (
            update mainstay_internal.jobs set published_at = null where queue = in_queue and state = 'queued' and published_at is not null
            returning id, carrier, queue, turn, priority
          )
          insert into mainstay_internal.outbox (job_id, carrier, queue, turn, priority) select id, carrier, queue, turn, priority from recalled_jobs order by id;
          get diagnostics recalled = row_count;
          return recalled;
        end
      $$;

    -- How each queue stands: what waits for a place (also for its time, and for other jobs), what runs, and since when the first waits.
    create function mainstay_internal.queue_loads() returns table (queue text, waiting bigint, later bigint, running bigint, oldest_seconds double precision)
      language sql stable security definer set search_path = '' as $$
        select queue, sum(waits)::bigint, sum(laters)::bigint, sum(runs)::bigint, coalesce(extract(epoch from clock_timestamp() - min(since)), 0)::float8
        from (
          select queue, count(*) as waits, 0 as laters, 0 as runs, min(created_at) as since from mainstay_internal.outbox group by queue
          union all
          select queue, count(*), 0, 0, min(published_at) from mainstay_internal.jobs where state = 'queued' and published_at is not null group by queue
          union all
          select queue, 0, count(*), 0, null from mainstay_internal.jobs where state = 'queued' and not is_due and not is_waiting group by queue
          union all
          select queue, 0, count(*), 0, null from mainstay_internal.jobs where state = 'queued' and is_waiting group by queue
          union all
          select queue, 0, 0, count(*), null from mainstay_internal.jobs where state = 'running' group by queue
        ) as places group by queue
      $$;

    revoke execute on function mainstay_internal.recall_jobs, mainstay_internal.queue_loads from public;
    grant execute on function mainstay_internal.recall_jobs, mainstay_internal.queue_loads to mainstay_api;
  `,
};
