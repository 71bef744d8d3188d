import { asOwner } from './as-owner.ts';
import type { HouseMigration } from './house-migration.ts';
import { ownName, seesAll } from './who-asks.ts';

/**
 * Schedules in SQL: how a slot becomes a job, and what callers touch: the view `mainstay.schedules` and functions that write to
 * it. The view is the door for the reason that `mainstay.jobs` is one (0051): a trigger that runs as its caller knows who that is.
 */
export const scheduleFunctions: HouseMigration = {
  name: '0062-schedule-functions',
  sql: `
    -- A slot becomes a row and a job, both or neither; null where the slot has its row already. One that cannot become a job (its
    -- function is gone, say) has failed, and the next one is tried again.
    create function mainstay_internal.start_slot(schedule_id uuid, slot timestamptz, is_manual boolean default false) returns bigint
      language plpgsql volatile security definer set search_path = '' as $$
        declare
          made bigint;
        begin
          insert into mainstay_internal.schedule_slots (schedule_id, slot, is_manual, state) values (start_slot.schedule_id, start_slot.slot, start_slot.is_manual, 'waiting')
          on conflict do nothing returning id into made;
          if made is not null then
            perform mainstay_internal.start_waiting_slot(made);
          end if;
          return made;
        end
      $$;

    -- A slot that waits begins; false where it no longer waits.
    create function mainstay_internal.start_waiting_slot(slot_id bigint) returns boolean
      language plpgsql volatile security definer set search_path = '' as $$
        declare
          known mainstay_internal.schedules;
          of_slot mainstay_internal.schedule_slots;
        begin
          select * into of_slot from mainstay_internal.schedule_slots where id = slot_id and state = 'waiting' for update;
          if not found then
            return false;
          end if;
          select * into known from mainstay_internal.schedules where id = of_slot.schedule_id;
          update mainstay_internal.schedule_slots set state = 'open', job_id = mainstay_internal.enqueue_slot(known, slot_id) where id = slot_id;
          return true;
        exception when others then
          if sqlstate ~ '^(08|40|53|55|57|58|XX)' then
            raise;
          end if;
          update mainstay_internal.schedule_slots set state = 'failed', finished_at = clock_timestamp(), error = jsonb_build_object('code', sqlstate, 'message', sqlerrm, 'details', null, 'hint', null)
          where id = slot_id;
          return true;
        end
      $$;

    create function mainstay_internal.enqueue_slot(known mainstay_internal.schedules, slot_id bigint) returns uuid
      language plpgsql volatile security definer set search_path = '' as $$
        declare
          target constant jsonb := known.target;
        begin
          case target ->> 'kind'
            when 'function' then
              return mainstay_internal.enqueue_function(schema => target ->> 'schema', name => target ->> 'name', arguments => target -> 'arguments', owner => known.owner, role => known.role,
                claims => known.claims, max_attempts => known.max_attempts, queue => known.queue, priority => known.priority);
            when 'sql' then
              return mainstay_internal.enqueue_job(kind => 'run-command', queue => 'commands', payload => jsonb_build_object('slotId', slot_id::text),
                owner => known.owner, role => known.role, claims => known.claims, max_attempts => coalesce(known.max_attempts, 5), priority => known.priority);
            when 'url' then
              return mainstay_internal.enqueue_request(url => target ->> 'url', body => nullif(target -> 'body', 'null'), headers => target -> 'headers', method => target ->> 'method',
                timeout_ms => null, is_signed => null, owner => known.owner, role => known.role, claims => known.claims, max_attempts => known.max_attempts, queue => known.queue,
                priority => known.priority);
          end case;
        end
      $$;

    -- Why a target is none for this role, in an error; else nothing.
    create function mainstay_internal.check_target(role text, target jsonb) returns void
      language plpgsql stable set search_path = '' as $$
        begin
          case target ->> 'kind'
            when 'function' then
              perform mainstay_internal.describe_call(check_target.role, target ->> 'schema', target ->> 'name', target -> 'arguments');
              perform mainstay_internal.check_arguments(target ->> 'schema', target ->> 'name', target -> 'arguments');
            when 'sql' then
              if check_target.role not in ('postgres', 'service_role') then
                raise insufficient_privilege using message = 'only postgres and the service key may schedule SQL', hint = 'Put it into a function, and schedule that.';
              elsif btrim(coalesce(target ->> 'sql', '')) = '' then
                raise invalid_parameter_value using message = 'there is no SQL to run';
              end if;
            when 'url' then
              if check_target.role not in ('postgres', 'service_role') then
                raise insufficient_privilege using message = 'only postgres and the service key may schedule calls of a URL', hint = 'Put it into a function that is SECURITY DEFINER, and schedule that.';
              elsif target ->> 'url' !~* '^https?://[^/?#\\s]+[^\\s]*$' then
                raise invalid_parameter_value using message = format('%s is no URL that can be called', quote_literal(left(target ->> 'url', 200))), hint = 'It begins with https:// or http://.';
              elsif target ->> 'method' not in ('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS') then
                raise invalid_parameter_value using message = format('method must be GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS, not %s', quote_literal(left(target ->> 'method', 32)));
              elsif jsonb_typeof(target -> 'headers') <> 'object' or exists (select from jsonb_each(target -> 'headers') as header where jsonb_typeof(header.value) <> 'string') then
                raise invalid_parameter_value using message = 'headers must be a JSON object of texts, such as {"authorization": "Bearer x"}';
              end if;
            else
              raise invalid_parameter_value using message = 'a schedule needs one of: a function, SQL, a URL';
          end case;
        end
      $$;

    -- Makes a schedule, or changes the one of this name: for whom, the caller of this says; without a role it acts as it did.
    create function mainstay_internal.put_schedule(name text, owner text, role text, claims jsonb, cron text, time_zone text, target jsonb, missed text, overlap text,
      max_attempts integer, queue text, priority integer, is_paused boolean) returns uuid
      language plpgsql volatile security definer set search_path = '' as $$
        #variable_conflict use_column
        declare
          refusal text := mainstay.check_cron(put_schedule.cron);
          zone text := coalesce(put_schedule.time_zone, 'UTC');
          acting text := put_schedule.role;
          acting_claims jsonb := put_schedule.claims;
          put uuid;
        begin
          if acting is null then
            select schedules.role, schedules.claims into acting, acting_claims from mainstay_internal.schedules
            where origin = 'own' and owner is not distinct from put_schedule.owner and schedules.name = put_schedule.name;
          end if;
          if put_schedule.name is null or length(put_schedule.name) not between 1 and 200 then
            raise invalid_parameter_value using message = 'a schedule needs a name of 1 to 200 characters';
          elsif put_schedule.cron is null then
            raise invalid_parameter_value using message = 'a schedule needs a cron expression or an interval';
          elsif refusal is not null then
            raise invalid_parameter_value using message = format('invalid schedule "%s": %s', put_schedule.cron, refusal),
              hint = 'Five fields as cron has them, six with seconds first, @daily and its like, or an interval such as "30 seconds".';
          elsif not exists (select from pg_catalog.pg_timezone_names where lower(pg_timezone_names.name) = lower(zone)) then
            raise invalid_parameter_value using message = format('time zone "%s" is not known', zone), hint = 'A name such as Europe/Berlin, or UTC.';
          elsif put_schedule.missed not in ('skip', 'once', 'all') then
            raise invalid_parameter_value using message = format('missed must be skip, once or all, not %s', quote_literal(put_schedule.missed));
          elsif put_schedule.overlap not in ('skip', 'queue', 'allow') then
            raise invalid_parameter_value using message = format('overlap must be skip, queue or allow, not %s', quote_literal(put_schedule.overlap));
          end if;
          perform mainstay_internal.check_terms(acting, put_schedule.owner, null, null, put_schedule.max_attempts, coalesce(put_schedule.queue, 'functions'), put_schedule.priority, null);
          perform mainstay_internal.check_target(acting, put_schedule.target);
          if acting not in ('postgres', 'service_role') and (
            select count(*) >= 100 from mainstay_internal.schedules where owner = put_schedule.owner and schedules.name <> put_schedule.name
          ) then
            raise program_limit_exceeded using message = 'an account has at most 100 schedules';
          end if;

          insert into mainstay_internal.schedules as kept (name, owner, role, claims, cron, time_zone, target, missed, overlap, max_attempts, queue, priority, is_paused)
          values (put_schedule.name, put_schedule.owner, acting, acting_claims, put_schedule.cron, zone, put_schedule.target,
            coalesce(put_schedule.missed, 'once'), coalesce(put_schedule.overlap, 'skip'), put_schedule.max_attempts, put_schedule.queue, coalesce(put_schedule.priority, 0),
            coalesce(put_schedule.is_paused, false))
          on conflict (owner, name) where origin = 'own' do update
          set role = excluded.role, claims = excluded.claims, target = excluded.target, missed = excluded.missed, overlap = excluded.overlap,
            max_attempts = excluded.max_attempts, queue = excluded.queue, priority = excluded.priority, trouble = null,
            -- The same times go on where they were; others, and those after a pause, count from now.
            anchor_at = case when kept.cron = excluded.cron then kept.anchor_at else clock_timestamp() end,
            after_at = case when (kept.cron, kept.time_zone, kept.is_paused) = (excluded.cron, excluded.time_zone, excluded.is_paused) and kept.trouble is null then kept.after_at else clock_timestamp() end,
            next_at = case when (kept.cron, kept.time_zone, kept.is_paused) = (excluded.cron, excluded.time_zone, excluded.is_paused) and kept.trouble is null then kept.next_at end,
            cron = excluded.cron, time_zone = excluded.time_zone, is_paused = excluded.is_paused, updated_at = clock_timestamp()
          returning id into put;
          perform pg_notify('mainstay_schedules', '');
          return put;
        end
      $$;

    create function mainstay_internal.run_schedule(schedule_id uuid) returns uuid
      language plpgsql volatile security definer set search_path = '' as $$
        declare
          made bigint := mainstay_internal.start_slot(run_schedule.schedule_id, clock_timestamp(), true);
        begin
          perform pg_notify('mainstay_schedules', '');
          return (select job_id from mainstay_internal.schedule_slots where id = made);
        end
      $$;

    create function mainstay_internal.drop_schedule(schedule_id uuid) returns void
      language sql volatile security definer set search_path = ''
      as $$ delete from mainstay_internal.schedules where id = schedule_id $$;

    grant create on schema mainstay, mainstay_internal to mainstay_viewer;
    grant usage on schema mainstay_internal to mainstay_viewer;
    grant select on mainstay_internal.schedules, mainstay_internal.schedule_slots to mainstay_viewer;
    grant execute on function mainstay_internal.put_schedule, mainstay_internal.drop_schedule, mainstay_internal.start_slot, mainstay_internal.say_who to mainstay_viewer;
    create policy as_seen on mainstay_internal.schedules for select to mainstay_viewer using (${seesAll} or owner = ${ownName});
    create policy as_seen on mainstay_internal.schedule_slots for select to mainstay_viewer using (exists (select from mainstay_internal.schedules where id = schedule_id));

    ${asOwner('mainstay_viewer', `
      create view mainstay.schedules with (security_barrier) as
        select id, name, cron, time_zone, case target ->> 'kind' when 'function' then format('%I.%I', target ->> 'schema', target ->> 'name') end as function, target -> 'arguments' as arguments,
          target ->> 'sql' as sql, target ->> 'url' as url, target ->> 'method' as method, target -> 'headers' as headers, target -> 'body' as body,
          missed, overlap, max_attempts, queue, priority, is_paused, nullif(next_at, 'infinity') as next_run_at, trouble, origin, owner, role, created_at, updated_at,
          owner = case when ${seesAll} then 'service_role' else ${ownName} end as is_own
        from mainstay_internal.schedules;

      create view mainstay.schedule_runs with (security_barrier) as
        select runs.id, schedules.name as schedule, runs.schedule_id, runs.slot, runs.is_manual, runs.state, runs.reason, runs.skipped_count, runs.job_id, runs.message, runs.error,
          runs.created_at, runs.started_at, runs.finished_at
        from mainstay_internal.schedule_slots as runs join mainstay_internal.schedules on schedules.id = runs.schedule_id;

      create function mainstay_internal.make_schedule() returns trigger
        language plpgsql volatile security definer set search_path = '' as $$
          declare
            parts text[] := parse_ident(new.function);
            claims jsonb := nullif(current_setting('request.jwt.claims', true), '');
          begin
            if num_nonnulls(new.function, new.sql, new.url) <> 1 then
              raise invalid_parameter_value using message = 'a schedule needs one of: a function, SQL, a URL';
            elsif cardinality(parts) <> 2 then
              raise invalid_parameter_value using message = format('%s is no name of a function', quote_literal(new.function)), hint = 'Such as public.send_invoice.';
            elsif tg_op = 'UPDATE' and old.origin <> 'own' then
              raise sqlstate 'PT409' using message = 'this schedule belongs to pg_cron', hint = 'Change it by cron.alter_job.';
            elsif tg_op = 'UPDATE' and new.name <> old.name then
              raise invalid_parameter_value using message = 'the name of a schedule stays: make a new one';
            end if;
            new.owner := case when tg_op = 'UPDATE' then old.owner when new.role in ('service_role', 'postgres') then 'service_role' else coalesce(claims ->> 'sub', 'role ' || new.role) end;
            -- Whoever may see all of them changes one for its owner, and it goes on to act as that one.
            if tg_op = 'UPDATE' and not old.is_own then
              new.role := null;
            end if;
            new.id := mainstay_internal.put_schedule(name => new.name, owner => new.owner, role => new.role, claims => coalesce(claims, jsonb_build_object('role', new.role)),
              cron => new.cron, time_zone => new.time_zone, missed => new.missed, overlap => new.overlap, max_attempts => new.max_attempts, queue => new.queue,
              priority => new.priority, is_paused => new.is_paused, target => case
                when new.function is not null then jsonb_build_object('kind', 'function', 'schema', parts[1], 'name', parts[2], 'arguments', coalesce(new.arguments, '{}'))
                when new.sql is not null then jsonb_build_object('kind', 'sql', 'sql', new.sql)
                else jsonb_build_object('kind', 'url', 'url', new.url, 'method', coalesce(upper(new.method), 'POST'), 'headers', coalesce(new.headers, '{}'), 'body', new.body) end);
            return new;
          end
        $$;

      create function mainstay_internal.unmake_schedule() returns trigger
        language plpgsql volatile security definer set search_path = '' as $$
          begin
            if old.origin <> 'own' then
              raise sqlstate 'PT409' using message = 'this schedule belongs to pg_cron', hint = 'End it by cron.unschedule.';
            end if;
            perform mainstay_internal.drop_schedule(old.id);
            return old;
          end
        $$;

      create trigger a_say_who instead of insert or update on mainstay.schedules for each row execute function mainstay_internal.say_who();
      create trigger b_make_schedule instead of insert or update on mainstay.schedules for each row execute function mainstay_internal.make_schedule();
      create trigger unmake_schedule instead of delete on mainstay.schedules for each row execute function mainstay_internal.unmake_schedule();
      revoke execute on function mainstay_internal.make_schedule, mainstay_internal.unmake_schedule from public;
      grant select, delete, insert (name, cron, time_zone, function, arguments, sql, url, method, headers, body, missed, overlap, max_attempts, queue, priority, is_paused),
        update (cron, time_zone, function, arguments, sql, url, method, headers, body, missed, overlap, max_attempts, queue, priority, is_paused)
        on mainstay.schedules to authenticated, service_role, postgres;
      grant select on mainstay.schedule_runs to authenticated, service_role, postgres;
    `)}
    revoke create on schema mainstay, mainstay_internal from mainstay_viewer;

    -- Calls a function again and again, as whoever asks. A second call with the same name changes the schedule.
    create function mainstay.schedule(name text, cron text, function text, arguments jsonb default '{}', time_zone text default 'UTC', missed text default 'once', overlap text default 'skip',
      max_attempts integer default null, queue text default null, priority integer default 0) returns uuid
      language sql volatile
      begin atomic
        insert into mainstay.schedules (name, cron, function, arguments, time_zone, missed, overlap, max_attempts, queue, priority)
        values (schedule.name, schedule.cron, schedule.function, schedule.arguments, schedule.time_zone, schedule.missed, schedule.overlap, schedule.max_attempts, schedule.queue, schedule.priority)
        returning id;
      end;

    create function mainstay.schedule_sql(name text, cron text, sql text, time_zone text default 'UTC', missed text default 'once', overlap text default 'skip',
      max_attempts integer default null, priority integer default 0) returns uuid
      language sql volatile
      begin atomic
        insert into mainstay.schedules (name, cron, sql, time_zone, missed, overlap, max_attempts, priority)
        values (schedule_sql.name, schedule_sql.cron, schedule_sql.sql, schedule_sql.time_zone, schedule_sql.missed, schedule_sql.overlap, schedule_sql.max_attempts, schedule_sql.priority)
        returning id;
      end;

    create function mainstay.schedule_http(name text, cron text, url text, body jsonb default null, headers jsonb default '{}', method text default 'POST', time_zone text default 'UTC',
      missed text default 'once', overlap text default 'skip', max_attempts integer default null, queue text default null, priority integer default 0) returns uuid
      language sql volatile
      begin atomic
        insert into mainstay.schedules (name, cron, url, body, headers, method, time_zone, missed, overlap, max_attempts, queue, priority)
        values (schedule_http.name, schedule_http.cron, schedule_http.url, schedule_http.body, schedule_http.headers, schedule_http.method, schedule_http.time_zone, schedule_http.missed,
          schedule_http.overlap, schedule_http.max_attempts, schedule_http.queue, schedule_http.priority)
        returning id;
      end;

    create function mainstay.unschedule(name text) returns boolean
      language plpgsql volatile set search_path = '' as $$
        begin
          delete from mainstay.schedules where schedules.name = unschedule.name and is_own;
          if not found then
            raise sqlstate 'PT404' using message = format('there is no schedule "%s" of yours', unschedule.name);
          end if;
          return true;
        end
      $$;

    create function mainstay.pause_schedule(name text) returns void
      language plpgsql volatile set search_path = '' as $$
        begin
          update mainstay.schedules set is_paused = true where schedules.name = pause_schedule.name and is_own;
          if not found then
            raise sqlstate 'PT404' using message = format('there is no schedule "%s" of yours', pause_schedule.name);
          end if;
        end
      $$;

    -- What fell into the pause is not made up for.
    create function mainstay.resume_schedule(name text) returns void
      language plpgsql volatile set search_path = '' as $$
        begin
          update mainstay.schedules set is_paused = false where schedules.name = resume_schedule.name and is_own;
          if not found then
            raise sqlstate 'PT404' using message = format('there is no schedule "%s" of yours', resume_schedule.name);
          end if;
        end
      $$;

    create function mainstay_internal.no_schedule(name text) returns uuid
      language plpgsql set search_path = '' as $$
        begin
          raise sqlstate 'PT404' using message = format('there is no schedule "%s" of yours', no_schedule.name);
        end
      $$;

    -- Beside its slots, and whatever else of it runs. Gives the job.
    create function mainstay.run_schedule(name text) returns uuid
      language sql volatile
      begin atomic
        select case when found.id is null then mainstay_internal.no_schedule(run_schedule.name) else mainstay_internal.run_schedule(found.id) end
        from (values (1)) as one left join (select id from mainstay.schedules where schedules.name = run_schedule.name and is_own) as found on true;
      end;

    revoke execute on function mainstay_internal.no_schedule, mainstay_internal.start_slot, mainstay_internal.start_waiting_slot, mainstay_internal.enqueue_slot, mainstay_internal.check_target, mainstay_internal.put_schedule,
      mainstay_internal.drop_schedule, mainstay_internal.run_schedule, mainstay.schedule, mainstay.schedule_sql, mainstay.schedule_http,
      mainstay.unschedule, mainstay.pause_schedule, mainstay.resume_schedule, mainstay.run_schedule from public;
    grant execute on function mainstay_internal.start_slot, mainstay_internal.start_waiting_slot to mainstay_worker;
    grant execute on function mainstay_internal.start_slot, mainstay_internal.put_schedule to mainstay_api;
    -- Out of the caller's reach by name; the functions and triggers of this page have it bound.
    grant execute on function mainstay_internal.run_schedule, mainstay_internal.no_schedule to authenticated, service_role, postgres;
    grant execute on function mainstay.schedule, mainstay.schedule_sql, mainstay.schedule_http, mainstay.unschedule, mainstay.pause_schedule, mainstay.resume_schedule, mainstay.run_schedule
      to authenticated, service_role, postgres;
  `,
};
