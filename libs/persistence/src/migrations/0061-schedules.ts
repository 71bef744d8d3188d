import type { HouseMigration } from './house-migration.ts';

/**
 * Schedules and their slots. A slot is one time at which a schedule is to run: its row is unique, so it runs once whatever number
 * of workers look at the clock, and it is the schedule's history.
 *
 * `after_at` is the instant up to which everything has been seen to, and `next_at` the next slot, worked out by a worker; null
 * until one has done so, 'infinity' where none is left.
 */
export const scheduleTables: HouseMigration = {
  name: '0061-schedules',
  sql: `
    create table mainstay_internal.schedules (
      id uuid primary key default mainstay_internal.uuid_v7(),
      name text not null check (name <> '' and length(name) <= 200),
      -- Made by callers, or what a worker saw in cron.job.
      origin text not null default 'own' check (origin in ('own', 'pg_cron')),
      cron_job_id bigint,
      owner text,
      role text not null,
      claims jsonb not null,
      cron text not null,
      time_zone text not null default 'UTC',
      -- {kind: function, schema, name, arguments} | {kind: sql, sql, database} | {kind: url, url, method, headers, body}
      target jsonb not null check (target ->> 'kind' in ('function', 'sql', 'url')),
      missed text not null default 'once' check (missed in ('skip', 'once', 'all')),
      overlap text not null default 'skip' check (overlap in ('skip', 'queue', 'allow')),
      is_paused boolean not null default false,
      max_attempts integer check (max_attempts between 1 and 100),
      queue text,
      priority integer not null default 0,
      -- Intervals are counted from here.
      anchor_at timestamptz not null default clock_timestamp(),
      after_at timestamptz not null default clock_timestamp(),
      next_at timestamptz,
      -- Why no worker can say when it runs, or whom it would run for.
      trouble text,
      created_at timestamptz not null default clock_timestamp(),
      updated_at timestamptz not null default clock_timestamp(),
      check ((origin = 'pg_cron') = (cron_job_id is not null))
    );
    create unique index schedules_name on mainstay_internal.schedules (owner, name) nulls not distinct where origin = 'own';
    create unique index schedules_cron_job on mainstay_internal.schedules (cron_job_id) where origin = 'pg_cron';
    create index schedules_due on mainstay_internal.schedules (next_at nulls first) where not is_paused;

    create table mainstay_internal.schedule_slots (
      id bigint generated always as identity primary key,
      schedule_id uuid not null references mainstay_internal.schedules on delete cascade,
      slot timestamptz not null,
      is_manual boolean not null default false,
      -- waiting: for the run before; open: its job is queued or runs; skipped: never ran; else how its job ended.
      state text not null check (state in ('waiting', 'open', 'skipped', 'done', 'failed', 'dead', 'cancelled')),
      -- Of a skipped one: 'missed' or 'overlap', and how many it stands for (null: more than were counted).
      reason text check (reason in ('missed', 'overlap')),
      skipped_count integer,
      job_id uuid,
      -- Of a command: what PostgreSQL answered, its row in cron.job_run_details, and when it was sent in a way that cannot be taken back.
      message text,
      run_id bigint,
      sent_at timestamptz,
      error jsonb,
      created_at timestamptz not null default clock_timestamp(),
      started_at timestamptz,
      finished_at timestamptz,
      unique (schedule_id, slot)
    ) with (autovacuum_vacuum_scale_factor = 0.05);
    create index schedule_slots_history on mainstay_internal.schedule_slots (schedule_id, id);
    create index schedule_slots_open on mainstay_internal.schedule_slots (schedule_id, slot) where state in ('waiting', 'open');
    create index schedule_slots_age on mainstay_internal.schedule_slots using brin (created_at);

    insert into mainstay_internal.queues (name, is_house) values ('commands', true) on conflict do nothing;

    -- Why an expression is no cron expression, or null where it is one: what libs/automation/src/schedules/parse-cron.ts says.
    create function mainstay.check_cron(expression text, dialect text default 'mainstay') returns text
      language plpgsql immutable strict parallel safe set search_path = '' as $$
        declare
          said constant text := lower(check_cron.expression);
          is_pg_cron constant boolean := check_cron.dialect = 'pg_cron';
          nicknames constant text[] := array['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly'];
          titles constant text[] := array['second', 'minute', 'hour', 'day of the month', 'month', 'day of the week'];
          lows constant integer[] := array[0, 0, 0, 1, 1, 0];
          highs constant integer[] := array[59, 59, 23, 31, 12, 7];
          months constant text[] := array['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
          days constant text[] := array['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
          blank constant text := '[ \\t\\n\\r\\f\\v]';
          words text[] := array(select m[1] from regexp_matches(said, '([^ \\t\\n\\r\\f\\v]+)', 'g') as m);
          most constant integer := case when is_pg_cron then 5 else 6 end;
          parts text[];
          seconds bigint;
          word text; item text; part text; title text; forms text; names text[];
          at integer; word_at integer; place integer; field integer; value integer;
          ends integer[];
        begin
          parts := regexp_match(said, '^' || blank || '*([0-9]{1,10})' || blank || '*(second|minute|hour|day)s?' || blank || '*$');
          if parts is not null then
            at := regexp_instr(said, '[0-9]');
            if is_pg_cron and parts[2] <> 'second' then
              return format('an interval is given in seconds, at character %s', strpos(said, parts[2]));
            end if;
            seconds := parts[1]::bigint * case parts[2] when 'second' then 1 when 'minute' then 60 when 'hour' then 3600 else 86400 end;
            if is_pg_cron and seconds not between 1 and 59 then
              return format('an interval has 1 to 59 seconds, not %s, at character %s', parts[1], at);
            end if;
            return case when seconds not between 1 and 31622400 then format('an interval has 1 second to 366 days, at character %s', at) end;
          end if;

          if cardinality(words) = 0 then
            return 'it is empty, at character 1';
          end if;
          if words[1] like '@%' then
            if cardinality(words) > 1 then
              return format('nothing may follow "%s", at character %s', words[1], regexp_instr(said, '[^ \\t\\n\\r\\f\\v]+', 1, 2));
            end if;
            return case when words[1] <> all (nicknames) and not (is_pg_cron and words[1] = '@reboot')
              then format('"%s" is none of %s, at character %s', words[1], array_to_string(nicknames, ', '), strpos(said, '@')) end;
          end if;
          if cardinality(words) > most then
            return format('it has more than %s fields, at character %s', most, regexp_instr(said, '[^ \\t\\n\\r\\f\\v]+', 1, most + 1));
          end if;
          if cardinality(words) < 5 then
            return format('it has %s %s, and five are needed: minute, hour, day of the month, month, day of the week, at character %s',
              cardinality(words), case cardinality(words) when 1 then 'field' else 'fields' end, length(check_cron.expression) + 1);
          end if;

          for place in 1 .. cardinality(words) loop
            word := words[place];
            word_at := regexp_instr(said, '[^ \\t\\n\\r\\f\\v]+', 1, place);
            field := place + 6 - cardinality(words);
            title := titles[field];
            names := case field when 5 then months when 6 then days end;
            forms := format('%s to %s', lows[field], highs[field]) || case when names is null then '' else format(', %s to %s', names[1], names[cardinality(names)]) end;
            at := word_at;
            foreach item in array string_to_array(word, ',') loop
              if item = '' then
                return format('an item of the %s is missing, at character %s', title, at);
              elsif item = '*' or item = '$' and field = 4
                or not is_pg_cron and field = 4 and item ~ '^(l|lw|([1-9]|[12][0-9]|3[01])w)$'
                or not is_pg_cron and field = 6 and item ~ '^([0-7]|sun|mon|tue|wed|thu|fri|sat)(l|#[1-5])$' then
                null;
              else
                parts := regexp_match(item, '^(\\*|[a-z0-9_]+)(?:-([a-z0-9_]+))?(?:/([a-z0-9_]+))?$');
                if parts is null or parts[1] = '*' and parts[2] is not null then
                  return format('"%s" is no %s (%s), at character %s', item, title, forms, at);
                end if;
                ends := '{}';
                for i in 1 .. 2 loop
                  part := parts[i];
                  if i = 2 and part is null then
                    continue;
                  end if;
                  value := case when part = '*' then lows[field] else coalesce(array_position(names, part) - 1 + lows[field], case when part ~ '^[0-9]{1,4}$' then part::integer end) end;
                  if value is null or value not between lows[field] and highs[field] then
                    return format('"%s" is no %s (%s), at character %s', part, title, forms, at + case when i = 2 then length(parts[1]) + 1 else 0 end);
                  end if;
                  ends := ends || value;
                end loop;
                -- A step from a number on goes to the end; the week ends with Saturday there.
                if cardinality(ends) = 1 and parts[3] is not null then
                  ends := ends || least(highs[field], case when field = 6 then 6 else highs[field] end);
                end if;
                if ends[1] > ends[2] then
                  return format('"%s" goes backwards, at character %s', item, at);
                end if;
                if parts[3] is not null and (parts[3] !~ '^[0-9]{1,9}$' or parts[3]::integer < 1) then
                  return format('"%s" is no step: a whole number from 1 on is, at character %s', parts[3], at + strpos(item, '/'));
                end if;
              end if;
              at := at + length(item) + 1;
            end loop;
          end loop;
          return null;
        end
      $$;
    grant execute on function mainstay.check_cron(text, text) to public;

    grant select, insert, update, delete on mainstay_internal.schedules, mainstay_internal.schedule_slots to mainstay_api, mainstay_worker;
    alter table mainstay_internal.schedules enable row level security;
    alter table mainstay_internal.schedule_slots enable row level security;
    create policy of_the_caller on mainstay_internal.schedules to mainstay_api using (mainstay_internal.owns(owner)) with check (mainstay_internal.owns(owner));
    create policy of_the_caller on mainstay_internal.schedule_slots to mainstay_api
      using (exists (select from mainstay_internal.schedules where id = schedule_id)) with check (exists (select from mainstay_internal.schedules where id = schedule_id));
    create policy all_of_them on mainstay_internal.schedules to mainstay_worker using (true) with check (true);
    create policy all_of_them on mainstay_internal.schedule_slots to mainstay_worker using (true) with check (true);
  `,
};
