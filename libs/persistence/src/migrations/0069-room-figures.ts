import type { HouseMigration } from './house-migration.ts';

/**
 * What `/metrics` tells of webhooks, schedules, imports and exports. Of deliveries only what is on its way or dead is counted:
 * the others may be millions, and no index holds them apart.
 */
export const roomFigures: HouseMigration = {
  name: '0069-room-figures',
  sql: `
    create function mainstay_internal.room_figures() returns table (room text, state text, value float8)
      language sql stable security definer set search_path = '' set enable_seqscan = off set jit = off as $$
        select 'endpoints', states.state, (select count(*) from mainstay_internal.webhook_endpoints where webhook_endpoints.state = states.state)::float8
        from unnest(array['active', 'paused', 'disabled']) as states (state)
        union all
        select 'deliveries', 'queued', (select count(*) from mainstay_internal.webhook_deliveries where webhook_deliveries.state = 'queued')::float8
        union all
        select 'deliveries', 'dead', (select count(*) from mainstay_internal.webhook_deliveries where webhook_deliveries.state = 'dead')::float8
        union all
        select 'schedules', states.state, (
          select count(*) from mainstay_internal.schedules
          where states.state = case when is_paused then 'paused' when trouble is not null then 'troubled' else 'active' end
        )::float8 from unnest(array['active', 'paused', 'troubled']) as states (state)
        union all
        -- A worker looks at the clock every second; what it has not seen to by then is late.
        select 'schedules_late', null, count(*)::float8 from mainstay_internal.schedules where not is_paused and next_at < clock_timestamp() - interval '5 seconds'
        union all
        select 'schedules_lateness', null, coalesce(extract(epoch from clock_timestamp() - min(next_at)), 0)::float8
        from mainstay_internal.schedules where not is_paused and next_at < clock_timestamp() - interval '5 seconds'
        union all
        select 'imports', states.state, (select count(*) from mainstay_internal.imports where imports.state = states.state)::float8
        from unnest(array['uploading', 'queued', 'running', 'done', 'failed', 'dead', 'cancelled']) as states (state)
        union all
        select 'exports', states.state, (select count(*) from mainstay_internal.exports where exports.state = states.state)::float8
        from unnest(array['queued', 'running', 'done', 'failed', 'dead', 'cancelled']) as states (state)
      $$;
    revoke execute on function mainstay_internal.room_figures() from public;
    grant execute on function mainstay_internal.room_figures() to mainstay_api, mainstay_worker;
  `,
};
