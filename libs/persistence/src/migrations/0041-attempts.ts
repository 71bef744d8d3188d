import type { HouseMigration } from './house-migration.ts';

/**
 * How often something was tried lately: guesses at a password, mails to an address, requests of a network. A bucket holds at most
 * `most` and empties evenly within `seconds`. It is known by a digest, so nobody reads from here who tried what.
 */
export const attemptCounters: HouseMigration = {
  name: '0041-attempts',
  sql: `
    -- Not worth a flush: after a crash everybody may begin anew.
    create unlogged table mainstay_internal.attempts (
      bucket bytea primary key,
      level double precision not null,
      counted_at timestamptz not null,
      -- Empty by then.
      ends_at timestamptz not null
    ) with (fillfactor = 70);
    create index attempts_ends_at on mainstay_internal.attempts (ends_at);
    alter table mainstay_internal.attempts enable row level security;

    -- Counts one more in every bucket, or in none: then it tells in how many seconds there is room again, else 0. Whoever counts in
    -- the same bucket at the same moment waits for the row, so among any number of them no more pass than there is room for.
    create function mainstay_internal.take_attempts(in_buckets bytea[], in_most integer[], in_seconds double precision[]) returns double precision
      language plpgsql volatile security definer set search_path = '' as $$
        declare
          n integer := coalesce(array_length(in_buckets, 1), 0);
          levels double precision[];
          found_row mainstay_internal.attempts;
          waits double precision := 0;
        begin
          for i in 1..n loop
            insert into mainstay_internal.attempts as kept (bucket, level, counted_at, ends_at)
            values (in_buckets[i], 0, clock_timestamp(), clock_timestamp())
            on conflict (bucket) do update set bucket = excluded.bucket returning kept.* into found_row;
            -- The clock is read when the row is ours: what waited long must not count backwards.
            levels[i] := greatest(0, found_row.level - extract(epoch from clock_timestamp() - found_row.counted_at) * in_most[i] / in_seconds[i]);
            -- A hair of room: two clocks apart by nothing must not make one too few.
            if levels[i] + 1 > in_most[i] + 0.000001 then
              waits := greatest(waits, (levels[i] + 1 - in_most[i]) * in_seconds[i] / in_most[i]);
              exit;
            end if;
          end loop;
          if waits > 0 then
            return waits;
          end if;
          for i in 1..n loop
            update mainstay_internal.attempts as kept set level = levels[i] + 1, counted_at = clock_timestamp(),
              ends_at = clock_timestamp() + make_interval(secs => (levels[i] + 1) * in_seconds[i] / in_most[i])
            where kept.bucket = in_buckets[i];
          end loop;
          return 0;
        end
      $$;

    -- What was counted before it turned out to be no guess.
    create function mainstay_internal.return_attempt(in_bucket bytea, in_all boolean) returns void
      language sql volatile security definer set search_path = '' as $$
        update mainstay_internal.attempts set level = case when in_all then 0 else greatest(0, level - 1) end where bucket = in_bucket
      $$;

    create function mainstay_internal.sweep_attempts(in_limit integer) returns integer
      language sql volatile security definer set search_path = '' as $$
        with gone as (
          delete from mainstay_internal.attempts where bucket in (
            select bucket from mainstay_internal.attempts where ends_at < now() limit in_limit for update skip locked
          ) returning 1
        )
        select count(*)::int from gone
      $$;

    revoke execute on function mainstay_internal.take_attempts, mainstay_internal.return_attempt, mainstay_internal.sweep_attempts from public;
    grant execute on function mainstay_internal.take_attempts, mainstay_internal.return_attempt to supabase_auth_admin;
    grant execute on function mainstay_internal.sweep_attempts to mainstay_worker;

    -- Codes and links, auth codes and audit are on Supabase's own tables; the worker only sweeps what is worn out.
    create function mainstay_internal.sweep_accounts(in_limit integer) returns integer
      language plpgsql volatile security definer set search_path = '' as $$
        declare
          flows integer;
          tokens integer;
        begin
          delete from auth.flow_state where id in (select id from auth.flow_state where created_at < now() - interval '1 day' limit in_limit);
          get diagnostics flows = row_count;
          delete from auth.one_time_tokens where id in (select id from auth.one_time_tokens where created_at < (now() at time zone 'utc') - interval '8 days' limit in_limit);
          get diagnostics tokens = row_count;
          return flows + tokens;
        end
      $$;
    revoke execute on function mainstay_internal.sweep_accounts from public;
    grant execute on function mainstay_internal.sweep_accounts to mainstay_worker;
    grant create on schema mainstay_internal to supabase_auth_admin;
    alter function mainstay_internal.sweep_accounts(integer) owner to supabase_auth_admin;
    revoke create on schema mainstay_internal from supabase_auth_admin;
  `,
};
