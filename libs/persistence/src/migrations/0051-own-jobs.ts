import { asOwner } from './as-owner.ts';
import type { HouseMigration } from './house-migration.ts';
import { ownName, sayWho, seesAll } from './who-asks.ts';

const shown = `select id, format('%I.%I', payload ->> 'schema', payload ->> 'name') as function, payload -> 'arguments' as arguments, queue, state, priority, run_at,
          (unique_key::jsonb) ->> 2 as key, max_attempts, attempts, array(select after_id from mainstay_internal.job_waits where job_id = jobs.id) as after,
          progress, result, error, owner, role, created_at, started_at, finished_at
        from mainstay_internal.jobs where kind = 'call-function'`;

/**
 * Jobs of one's own: a function of the users', called by a worker as who asked for it. `mainstay.enqueue` and the view
 * `mainstay.jobs` are what callers touch. The view is the door on purpose: to a function that runs as its owner nobody can say
 * beyond doubt who called it (`current_user` is the owner, and an argument can be forged), but a trigger of a view that runs
 * as its invoker can; it runs first and writes the role down, the second one, which runs as its owner, makes the job.
 *
 * What an enqueueing runs through keeps generic plans: most arguments are null, a plan for just these values looks the cheaper
 * one, and so PostgreSQL would plan all of it anew for each job, which took more time than all the rest.
 */
export const ownJobs: HouseMigration = {
  name: '0051-own-jobs',
  sql: `
    -- Jobs that run after others. Kept until the job itself is swept, so that it can be told and sent again.
    create table mainstay_internal.job_waits (
      job_id uuid not null,
      after_id uuid not null,
      primary key (job_id, after_id)
    );
    create index job_waits_after on mainstay_internal.job_waits (after_id);
    -- How often it has failed by itself: pauses grow with this and not with the attempts, since that its worker was killed is no
    -- reason for a job to wait the longer.
    alter table mainstay_internal.jobs add column is_waiting boolean not null default false, add column failures integer not null default 0 check (failures >= 0);
    drop index mainstay_internal.jobs_later;
    create index jobs_later on mainstay_internal.jobs (run_at) where state = 'queued' and not is_due and not is_waiting;
    create index jobs_waiting on mainstay_internal.jobs (id) where state = 'queued' and is_waiting;

    drop function mainstay_internal.enqueue_job;
    create function mainstay_internal.enqueue_job(
      kind text, queue text, payload jsonb, owner text, role text, claims jsonb, run_at timestamptz default null, unique_key text default null,
      idempotency_key text default null, max_attempts integer default 5, priority integer default 0, carrier text default null, turn text default null,
      trace text default null, after uuid[] default null
    ) returns uuid
      language plpgsql volatile security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
        declare
          made uuid := mainstay_internal.uuid_v7();
          known uuid;
          over uuid;
          carrier text := coalesce(enqueue_job.carrier, enqueue_job.queue);
          turn text := coalesce(enqueue_job.turn, enqueue_job.owner, '');
          is_waiting boolean := false;
          is_later boolean;
          subject uuid;
        begin
          if enqueue_job.after is not null then
            is_waiting := exists (select from mainstay_internal.jobs where jobs.id = any (enqueue_job.after) and jobs.state <> 'done');
          end if;
          is_later := is_waiting or coalesce(enqueue_job.run_at > clock_timestamp(), false);
          -- Whoever acts for all does not stop when one account is gone.
          if enqueue_job.role not in ('service_role', 'postgres') and enqueue_job.claims ->> 'sub' ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' then
            select users.id into subject from auth.users where users.id = (enqueue_job.claims ->> 'sub')::uuid;
          end if;
          loop
            insert into mainstay_internal.jobs (id, kind, queue, carrier, turn, payload, owner, role, claims, subject, trace, run_at, is_due, is_waiting, unique_key,
              idempotency_key, max_attempts, patience, priority)
            values (made, enqueue_job.kind, enqueue_job.queue, carrier, turn, enqueue_job.payload, enqueue_job.owner, enqueue_job.role, enqueue_job.claims, subject,
              coalesce(enqueue_job.trace, mainstay_internal.trace_of_session()), coalesce(enqueue_job.run_at, clock_timestamp()), not is_later, is_waiting,
              enqueue_job.unique_key, enqueue_job.idempotency_key, enqueue_job.max_attempts, enqueue_job.max_attempts, enqueue_job.priority)
            on conflict do nothing;
            exit when found;
            select jobs.id into known from mainstay_internal.jobs
            where (jobs.owner is not distinct from enqueue_job.owner and jobs.idempotency_key = enqueue_job.idempotency_key)
              or (jobs.kind = enqueue_job.kind and jobs.unique_key = enqueue_job.unique_key and jobs.state in ('queued', 'running'))
            limit 1;
            if found then
              return known;
            end if;
            -- The job that was in the way has ended in between: once more.
          end loop;
          if is_waiting then
            insert into mainstay_internal.job_waits (job_id, after_id) select distinct made, id from unnest(enqueue_job.after) as awaited (id);
            -- One that has ended badly already ends nobody's waiting any more by itself.
            select jobs.id into over from mainstay_internal.jobs where jobs.id = any (enqueue_job.after) and jobs.state in ('failed', 'dead', 'cancelled') limit 1;
            if found then
              perform pg_notify('mainstay_ended', over::text);
            end if;
          elsif not is_later then
            insert into mainstay_internal.outbox (job_id, carrier, queue, turn, priority) values (made, carrier, enqueue_job.queue, turn, enqueue_job.priority);
          end if;
          if is_later or (select is_asleep from mainstay_internal.relay) then
            perform pg_notify('mainstay_outbox', enqueue_job.queue);
          end if;
          return made;
        end
      $$;

    -- Looks at jobs that wait for others: lets those go whose others are all done, and fails those of whose others one never will be;
    -- then those that wait for them in turn. Each is locked first and looked at afterwards, so of two who end at the same time the
    -- second sees the first. Says in which queues there is something to do.
    create function mainstay_internal.release_jobs(in_jobs uuid[]) returns setof text
      language plpgsql volatile set search_path = '' as $$
        declare
          waiting uuid[] := in_jobs;
          ended uuid[];
        begin
          while cardinality(waiting) > 0 loop
            waiting := array(select id from mainstay_internal.jobs where id = any (waiting) and state = 'queued' and is_waiting order by id for update skip locked);
            with lost as (
              select distinct on (w.job_id) w.job_id, awaited.id, awaited.state
              from mainstay_internal.job_waits w join mainstay_internal.jobs awaited on awaited.id = w.after_id
              where w.job_id = any (waiting) and awaited.state in ('failed', 'dead', 'cancelled') order by w.job_id, awaited.id
            ),
            failed as (
              update mainstay_internal.jobs set state = 'failed', is_waiting = false, finished_at = clock_timestamp(), error = jsonb_build_object(
                'code', 'awaited_job_not_done', 'message', format('Job %s, after which this one was to run, is %s', lost.id, lost.state),
                'details', jsonb_build_object('job_id', lost.id, 'state', lost.state), 'hint', 'Send that one again, and then this one.')
              from lost where jobs.id = lost.job_id returning jobs.id
            )
            select coalesce(array_agg(id), '{}') into ended from failed;
            return query
            update mainstay_internal.jobs set is_waiting = false
            where id = any (waiting) and not id = any (ended) and not exists (
              select from mainstay_internal.job_waits w join mainstay_internal.jobs awaited on awaited.id = w.after_id where w.job_id = jobs.id and awaited.state <> 'done')
            returning jobs.queue;
            waiting := array(select distinct job_id from mainstay_internal.job_waits where after_id = any (ended));
          end loop;
        end
      $$;

    -- The SQL that calls a function with arguments by name and gives one jsonb, for a role that may; in the words of its error, why
    -- that is not possible. The arguments are $1; they become what the parameters are as in the data API's calls.
    create function mainstay_internal.describe_call(in_role text, in_schema text, in_name text, in_arguments jsonb) returns text
      language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan as $$
        declare
          called text := format('%I.%I', in_schema, in_name);
          given text[] := case when jsonb_typeof(in_arguments) = 'object' then array(select jsonb_object_keys(in_arguments)) else '{}' end;
          candidate record;
          chosen record;
          reason text;
          reasons text[] := '{}';
          signatures text[] := '{}';
          fits integer := 0;
          is_whole boolean;
          source text;
          call text;
        begin
          for candidate in
            select p.oid, p.prokind, p.proretset, p.prorettype, p.provariadic, p.pronargdefaults, p.pronamespace, p.proargmodes, takes.names, takes.types
            from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace cross join lateral (
              select coalesce(array_agg(coalesce(p.proargnames[place::int], '') order by place), '{}') as names, coalesce(array_agg(type order by place), '{}') as types
              from unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) with ordinality as argument (type, place)
              where coalesce(p.proargmodes[place::int], 'i') in ('i', 'b', 'v')
            ) as takes
            where n.nspname = in_schema and p.proname = in_name order by p.oid
          loop
            signatures := signatures || format('%s(%s)', called, pg_catalog.pg_get_function_identity_arguments(candidate.oid));
            reason := null;
            is_whole := candidate.names = array[''] and candidate.types[1] in ('json'::regtype, 'jsonb'::regtype);
            if candidate.prokind <> 'f' then
              reason := format('%s is a %s; only functions can be jobs', called, case candidate.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'window function' end);
            elsif candidate.prorettype in ('trigger'::regtype, 'event_trigger'::regtype) then
              reason := format('%s is a trigger function; only a trigger calls it', called);
            elsif candidate.prorettype = 'record'::regtype and candidate.proretset and candidate.proargmodes is null then
              reason := format('%s does not say which columns it returns', called);
            elsif exists (select from pg_catalog.pg_type where pg_type.oid = any (candidate.types) and typtype = 'p') then
              reason := format('%s has a parameter of no certain type', called);
            elsif not is_whole then
              if jsonb_typeof(in_arguments) <> 'object' then
                reason := format('the arguments of %s must be a JSON object with the names of its parameters', called);
              elsif '' = any (candidate.names) then
                reason := format('%s has a parameter without a name, and arguments are given by name', called);
              elsif exists (select from unnest(given) as name where name <> all (candidate.names)) then
                reason := format('%s has no parameter %s; it takes %s', called, (select string_agg(quote_ident(name), ', ') from unnest(given) as name where name <> all (candidate.names)),
                  coalesce((select string_agg(quote_ident(name), ', ') from unnest(candidate.names) as name), 'none'));
              elsif exists (select from unnest(candidate.names[1 : cardinality(candidate.names) - candidate.pronargdefaults]) as name where name <> all (given)) then
                reason := format('%s needs %s', called, (
                  select string_agg(quote_ident(name), ', ') from unnest(candidate.names[1 : cardinality(candidate.names) - candidate.pronargdefaults]) as name where name <> all (given)));
              end if;
            end if;
            if reason is null then
              fits := fits + 1;
              chosen := candidate;
            else
              reasons := reasons || reason;
            end if;
          end loop;

          if cardinality(signatures) = 0 then
            raise undefined_function using message = format('function %s does not exist', called), hint = 'Name it with its schema, and its arguments as a JSON object.';
          elsif fits > 1 then
            raise ambiguous_function using message = format('more than one function %s takes these arguments', called), detail = array_to_string(signatures, '; '), hint = 'Give the functions different names, or name more arguments.';
          elsif fits = 0 and cardinality(reasons) = 1 then
            raise invalid_parameter_value using message = reasons[1], detail = signatures[1];
          elsif fits = 0 then
            raise invalid_parameter_value using message = format('no function %s takes the arguments (%s)', called, array_to_string(given, ', ')), detail = array_to_string(signatures, '; ');
          elsif not pg_catalog.has_schema_privilege(in_role, chosen.pronamespace, 'usage') then
            raise insufficient_privilege using message = format('role %s may not use schema %I', in_role, in_schema), hint = format('GRANT USAGE ON SCHEMA %I TO %I;', in_schema, in_role);
          elsif not pg_catalog.has_function_privilege(in_role, chosen.oid, 'execute') then
            raise insufficient_privilege using message = format('role %s may not execute function %s', in_role, chosen.oid::regprocedure), hint = format('GRANT EXECUTE ON FUNCTION %s TO %I;', chosen.oid::regprocedure, in_role);
          end if;

          is_whole := chosen.names = array[''];
          if is_whole or cardinality(given) = 0 then
            source := '(select $1::pg_catalog.jsonb) as given (whole)';
            call := case when is_whole then format('given.whole::%s', pg_catalog.format_type(chosen.types[1], null)) else '' end;
          else
            select format('pg_catalog.jsonb_to_record($1::pg_catalog.jsonb) as given (%s)', string_agg(format('%I %s', name, pg_catalog.format_type(type, null)), ', ' order by place)),
              string_agg(format('%s%I => given.%I', case when chosen.provariadic <> 0 and place = cardinality(chosen.names) then 'variadic ' end, name, name), ', ' order by place)
            into source, call from unnest(chosen.names, chosen.types) with ordinality as takes (name, type, place) where name = any (given);
          end if;
          call := format('%s(%s)', called, call);
          return case
            when chosen.prorettype = 'void'::regtype and not chosen.proretset then format('select case when %s::pg_catalog.text is null then null::pg_catalog.jsonb end from %s', call, source)
            when chosen.proretset then format($q$select coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(mainstay_answer)), '[]') from %s, lateral %s as mainstay_answer$q$, source, call)
            else format('select pg_catalog.to_jsonb(%s) from %s', call, source) end;
        end
      $$;

    -- Whether arguments can become what the parameters are. Only types whose making runs nobody's code are tried here, since this
    -- runs as one who may more than the caller; the others are tried by the call itself.
    create function mainstay_internal.check_arguments(in_schema text, in_name text, in_arguments jsonb) returns void
      language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan as $$
        declare
          argument record;
        begin
          if jsonb_typeof(in_arguments) <> 'object' then
            return;
          end if;
          for argument in
            select given.key, given.value, pg_catalog.format_type(takes.type, null) as type
            from jsonb_each(in_arguments) as given join lateral (
              -- Where overloads give one name different types, the call decides.
              select min(parameter.type) as type from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
              cross join unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) with ordinality as parameter (type, place)
              where n.nspname = in_schema and p.proname = in_name and p.proargnames[parameter.place::int] = given.key having count(distinct parameter.type) = 1
            ) as takes on true
            join pg_catalog.pg_type t on t.oid = takes.type left join pg_catalog.pg_type element on element.oid = t.typelem and t.typcategory = 'A'
            where (coalesce(element.typtype, t.typtype) = 'e'
                or (coalesce(element.typtype, t.typtype) = 'b' and coalesce(element.typnamespace, t.typnamespace) = 'pg_catalog'::regnamespace))
              -- What is plain to see need not be tried: each try is a subtransaction.
              and not case
                when t.oid in ('text'::regtype, 'varchar'::regtype, 'json'::regtype, 'jsonb'::regtype) then true
                when t.oid in ('integer'::regtype, 'bigint'::regtype, 'numeric'::regtype, 'float8'::regtype) then given.value::text ~ '^-?[0-9]{1,9}$'
                when t.oid = 'boolean'::regtype then jsonb_typeof(given.value) = 'boolean'
                when t.oid = 'uuid'::regtype then given.value::text ~ '^"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"$'
                else false end
          loop
            begin
              execute format('select from pg_catalog.jsonb_to_record($1) as given (%I %s)', argument.key, argument.type) using jsonb_build_object(argument.key, argument.value);
            exception when others then
              raise invalid_parameter_value using message = format('argument %I is no %s: %s', argument.key, argument.type, sqlerrm), detail = left(argument.value::text, 200);
            end;
          end loop;
        end
      $$;

    -- The terms of a job of one's own, whatever it does.
    create function mainstay_internal.check_terms(role text, owner text, run_at timestamptz, key text, max_attempts integer, queue text, priority integer, after uuid[]) returns void
      language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan as $$
        declare
          missing uuid;
          is_master boolean := check_terms.role in ('service_role', 'postgres');
        begin
          if check_terms.role <> 'postgres' and not coalesce(pg_catalog.pg_has_role('mainstay_worker', to_regrole(quote_ident(check_terms.role))::oid, 'MEMBER'), false) then
            raise insufficient_privilege using message = format('a worker cannot act as role %s', check_terms.role),
              hint = format('GRANT %I TO mainstay_worker; or let a function ask for the job that is SECURITY DEFINER and belongs to postgres.', check_terms.role);
          elsif not pg_catalog.isfinite(check_terms.run_at) or check_terms.run_at > now() + interval '10 years' then
            raise invalid_parameter_value using message = format('run_at must be a time within the next ten years, not %s', check_terms.run_at);
          elsif length(check_terms.key) not between 1 and 255 then
            raise invalid_parameter_value using message = format('key must have 1 to 255 characters, not %s', length(check_terms.key));
          elsif check_terms.max_attempts not between 1 and 100 then
            raise invalid_parameter_value using message = format('max_attempts must be from 1 to 100, not %s', check_terms.max_attempts);
          elsif check_terms.priority not between -1000 and 1000 then
            raise invalid_parameter_value using message = format('priority must be from -1000 to 1000, not %s', check_terms.priority);
          elsif not exists (select from mainstay_internal.queues where name = check_terms.queue and (not is_house or name in ('functions', 'calls'))) then
            raise invalid_parameter_value using message = format('there is no queue %s', quote_ident(check_terms.queue)),
              detail = (select 'Queues: ' || string_agg(name, ', ' order by name) from mainstay_internal.queues where not is_house or name in ('functions', 'calls')),
              hint = 'The service key makes queues: PUT /queues/v1/<name>.';
          elsif cardinality(check_terms.after) > 100 then
            raise invalid_parameter_value using message = format('a job can wait for 100 others at most, not %s', cardinality(check_terms.after));
          end if;
          if check_terms.after is not null then
            select id into missing from unnest(check_terms.after) as awaited (id)
            where not exists (select from mainstay_internal.jobs where jobs.id = awaited.id and (is_master or jobs.owner = check_terms.owner)) limit 1;
            if found then
              raise invalid_parameter_value using message = format('there is no job %s of yours to run after', coalesce(missing::text, 'null'));
            end if;
          end if;
        end
      $$;

    -- A job that calls a function, for whom the caller of this says: only for our own logins. The key is one's own, and the function's.
    create function mainstay_internal.enqueue_function(
      schema text, name text, arguments jsonb, owner text, role text, claims jsonb, run_at timestamptz default null, key text default null,
      max_attempts integer default null, queue text default null, priority integer default null, after uuid[] default null,
      idempotency_key text default null, turn text default null, trace text default null
    ) returns uuid
      language plpgsql volatile security definer set search_path = '' set plan_cache_mode = force_generic_plan as $$
        declare
          arguments jsonb := coalesce(enqueue_function.arguments, '{}');
          queue text := coalesce(enqueue_function.queue, 'functions');
          turn_from text;
        begin
          perform mainstay_internal.check_terms(enqueue_function.role, enqueue_function.owner, enqueue_function.run_at, enqueue_function.key, enqueue_function.max_attempts, queue,
            enqueue_function.priority, enqueue_function.after);
          if octet_length(arguments::text) > 1048576 then
            raise invalid_parameter_value using message = 'the arguments of a job may have 1 MiB at most', hint = 'Keep large data in a table, and give the job its key.';
          end if;
          perform mainstay_internal.describe_call(enqueue_function.role, enqueue_function.schema, enqueue_function.name, arguments);
          perform mainstay_internal.check_arguments(enqueue_function.schema, enqueue_function.name, arguments);
          select queues.turn_from into turn_from from mainstay_internal.queues where queues.name = queue;
          return mainstay_internal.enqueue_job(
            kind => 'call-function', queue => queue, carrier => 'functions',
            payload => jsonb_build_object('schema', enqueue_function.schema, 'name', enqueue_function.name, 'arguments', arguments),
            owner => enqueue_function.owner, role => enqueue_function.role, claims => enqueue_function.claims, run_at => enqueue_function.run_at,
            unique_key => case when enqueue_function.key is not null
              then jsonb_build_array(enqueue_function.owner, format('%I.%I', enqueue_function.schema, enqueue_function.name), enqueue_function.key)::text end,
            idempotency_key => enqueue_function.idempotency_key, max_attempts => coalesce(enqueue_function.max_attempts, 5), priority => coalesce(enqueue_function.priority, 0),
            after => enqueue_function.after, turn => coalesce(enqueue_function.turn, arguments ->> turn_from), trace => enqueue_function.trace);
        end
      $$;

    -- Completes a job in the transaction in which its function ran: its effects commit with this or not at all. Says whether others
    -- wait for it. Whoever calls it must hold the lease; it runs as its owner since also mainstay_commands calls it.
    create function mainstay_internal.complete_call(in_job uuid, in_token uuid) returns boolean
      language plpgsql volatile security definer set search_path = '' as $$
        declare
          answer text := nullif(current_setting('mainstay.result', true), '');
        begin
          if octet_length(answer) > 1048576 then
            raise sqlstate 'MS003' using message = 'what the function returned has more than 1 MiB', hint = 'Write large results into a table.';
          end if;
          update mainstay_internal.jobs
          set state = 'done', result = answer::jsonb, error = null, progress = coalesce(nullif(current_setting('mainstay.progress', true), '')::jsonb, progress),
            lease_token = null, lease_until = null, finished_at = clock_timestamp()
          where id = in_job and lease_token = in_token and state = 'running';
          if not found then
            raise sqlstate 'MS002' using message = 'the lease of this job is lost';
          end if;
          return exists (select from mainstay_internal.job_waits where after_id = in_job);
        end
      $$;

    create function mainstay_internal.cancel_job(in_job uuid) returns boolean
      language plpgsql volatile security definer set search_path = '' as $$
        begin
          update mainstay_internal.jobs set state = 'cancelled', lease_token = null, lease_until = null, is_waiting = false, finished_at = clock_timestamp()
          where id = in_job and state in ('queued', 'running');
          if not found then
            return false;
          end if;
          perform pg_notify('mainstay_cancel', in_job::text);
          if exists (select from mainstay_internal.job_waits where after_id = in_job) then
            perform pg_notify('mainstay_ended', in_job::text);
          end if;
          return true;
        end
      $$;

    create function mainstay_internal.retry_job(in_job uuid) returns boolean
      language plpgsql volatile security definer set search_path = '' as $$
        declare
          queue text;
        begin
          update mainstay_internal.jobs set state = 'queued', max_attempts = attempts + patience, failures = 0, run_at = clock_timestamp(), is_due = false, published_at = null, finished_at = null,
            is_waiting = exists (select from mainstay_internal.job_waits w join mainstay_internal.jobs awaited on awaited.id = w.after_id where w.job_id = in_job and awaited.state <> 'done')
          where id = in_job and state in ('dead', 'failed', 'cancelled') returning jobs.queue into queue;
          if not found then
            return false;
          end if;
          perform pg_notify('mainstay_outbox', queue);
          return true;
        end
      $$;

    ${sayWho('mainstay_internal.say_who', 'functions')}

    grant create on schema mainstay, mainstay_internal to mainstay_viewer;
    grant usage on schema mainstay, mainstay_internal to mainstay_viewer;
    grant select on mainstay_internal.jobs, mainstay_internal.job_waits to mainstay_viewer;
    grant execute on function mainstay_internal.enqueue_function, mainstay_internal.cancel_job, mainstay_internal.retry_job to mainstay_viewer;
    create policy of_the_reader on mainstay_internal.jobs for select to mainstay_viewer using (${seesAll} or owner = ${ownName});
    alter table mainstay_internal.job_waits enable row level security;
    create policy all_of_them on mainstay_internal.job_waits to mainstay_worker using (true) with check (true);
    create policy all_to_read on mainstay_internal.job_waits for select to mainstay_viewer, mainstay_api using (true);

    ${asOwner('mainstay_viewer', `
      -- In two halves, so that each reads by an index: all of them, or one's own.
      create view mainstay.jobs with (security_barrier) as
        ${shown} and ${seesAll}
        union all
        ${shown} and owner = ${ownName} and not ${seesAll};

      create function mainstay_internal.make_job() returns trigger
        language plpgsql volatile security definer set search_path = '' as $$
          declare
            parts text[] := parse_ident(new.function);
            claims jsonb := nullif(current_setting('request.jwt.claims', true), '');
          begin
            if array_length(parts, 1) <> 2 then
              raise invalid_parameter_value using message = format('%s is no name of a function', quote_literal(new.function)), hint = 'Such as public.send_invoice.';
            end if;
            new.owner := case when new.role in ('service_role', 'postgres') then 'service_role' else coalesce(claims ->> 'sub', 'role ' || new.role) end;
            new.id := mainstay_internal.enqueue_function(
              schema => parts[1], name => parts[2], arguments => new.arguments, owner => new.owner, role => new.role,
              claims => coalesce(claims, jsonb_build_object('role', new.role)), run_at => new.run_at, key => new.key, max_attempts => new.max_attempts,
              queue => new.queue, priority => new.priority, after => new.after);
            return new;
          end
        $$;

      create function mainstay_internal.change_job() returns trigger
        language plpgsql volatile security definer set search_path = '' as $$
          begin
            if new.state = 'cancelled' and mainstay_internal.cancel_job(old.id) then
              return new;
            elsif new.state = 'queued' and mainstay_internal.retry_job(old.id) then
              return new;
            elsif new.state = 'cancelled' then
              raise sqlstate 'PT409' using message = format('job %s has ended already: it is %s', old.id, old.state);
            elsif new.state = 'queued' then
              raise sqlstate 'PT409' using message = format('job %s is %s: only what is dead, failed or cancelled can be sent again', old.id, old.state);
            end if;
            raise invalid_parameter_value using message = 'the state of a job can be set to cancelled, or to queued to send it again';
          end
        $$;

      create trigger a_say_who instead of insert on mainstay.jobs for each row execute function mainstay_internal.say_who();
      create trigger b_make_job instead of insert on mainstay.jobs for each row execute function mainstay_internal.make_job();
      create trigger change_job instead of update on mainstay.jobs for each row execute function mainstay_internal.change_job();
      revoke execute on function mainstay_internal.make_job, mainstay_internal.change_job from public;
      grant select, insert (function, arguments, run_at, key, max_attempts, queue, priority, after), update (state) on mainstay.jobs to anon, authenticated, service_role, postgres;
    `)}
    revoke create on schema mainstay, mainstay_internal from mainstay_viewer;

    -- Calls a function after this transaction has committed, as whoever asks. Bound when it is made, so it needs no search_path, and
    -- must have none: a name without a schema is found where the caller would find it.
    create function mainstay.enqueue(function text, arguments jsonb default '{}', run_at timestamptz default null, key text default null, max_attempts integer default null,
      queue text default null, priority integer default null, after uuid[] default null) returns uuid
      language sql volatile
      begin atomic
        insert into mainstay.jobs (function, arguments, run_at, key, max_attempts, queue, priority, after)
        values (enqueue.function, enqueue.arguments, enqueue.run_at, enqueue.key, enqueue.max_attempts, enqueue.queue, enqueue.priority, enqueue.after)
        returning id;
      end;
    comment on function mainstay.enqueue(text, jsonb, timestamptz, text, integer, text, integer, uuid[]) is 'Calls a function after this transaction has committed, at least once, its effects exactly once; as whoever asks.';

    -- The same for a function that PostgreSQL has looked up: 'public.send_invoice'::regproc.
    create function mainstay.enqueue(routine regprocedure, arguments jsonb default '{}', run_at timestamptz default null, key text default null, max_attempts integer default null,
      queue text default null, priority integer default null, after uuid[] default null) returns uuid
      language sql volatile
      begin atomic
        insert into mainstay.jobs (function, arguments, run_at, key, max_attempts, queue, priority, after)
        select format('%I.%I', n.nspname, p.proname), enqueue.arguments, enqueue.run_at, enqueue.key, enqueue.max_attempts, enqueue.queue, enqueue.priority, enqueue.after
        from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace where p.oid = enqueue.routine
        returning id;
      end;

    -- The job in which this runs; null outside of one.
    create function mainstay.current_job() returns uuid language sql stable
      return nullif(current_setting('mainstay.job', true), '')::uuid;

    -- Tells how far the job is. Seen at once: as a message to the worker, since nothing that is written here is seen before the commit.
    create function mainstay.progress(done bigint, total bigint default null, note text default null) returns void
      language plpgsql volatile set search_path = '' as $$
        declare
          said text := jsonb_build_object('done', progress.done, 'total', progress.total, 'note', progress.note)::text;
          last text := current_setting('mainstay.progress_at', true);
          moment double precision := extract(epoch from clock_timestamp());
        begin
          if mainstay.current_job() is null then
            return;
          end if;
          perform set_config('mainstay.progress', said, true);
          if last is null or last = '' or moment - last::double precision > 0.25 then
            perform set_config('mainstay.progress_at', moment::text, true);
            raise info using errcode = 'MS001', message = said;
          end if;
        end
      $$;

    -- After its commit no effect of the job commits any more. False when it has ended already.
    create function mainstay.cancel(id uuid) returns boolean
      language plpgsql volatile set search_path = '' as $$
        declare
          was text;
        begin
          select jobs.state into was from mainstay.jobs where jobs.id = cancel.id;
          if not found then
            raise sqlstate 'PT404' using message = format('there is no job %s of yours', cancel.id);
          elsif was not in ('queued', 'running') then
            return false;
          end if;
          update mainstay.jobs set state = 'cancelled' where jobs.id = cancel.id;
          return found;
        end
      $$;

    -- Sends a job again that is dead, failed or cancelled, with its attempts anew.
    create function mainstay.retry(id uuid) returns boolean
      language plpgsql volatile set search_path = '' as $$
        begin
          update mainstay.jobs set state = 'queued' where jobs.id = retry.id;
          if not found then
            raise sqlstate 'PT404' using message = format('there is no job %s of yours', retry.id);
          end if;
          return true;
        end
      $$;

    revoke execute on function mainstay.enqueue(text, jsonb, timestamptz, text, integer, text, integer, uuid[]), mainstay.enqueue(regprocedure, jsonb, timestamptz, text, integer, text, integer, uuid[]),
      mainstay.current_job, mainstay.progress, mainstay.cancel, mainstay.retry from public;
    grant execute on function mainstay.enqueue(text, jsonb, timestamptz, text, integer, text, integer, uuid[]), mainstay.enqueue(regprocedure, jsonb, timestamptz, text, integer, text, integer, uuid[]),
      mainstay.current_job, mainstay.progress, mainstay.cancel, mainstay.retry to anon, authenticated, service_role, postgres;

    revoke execute on function mainstay_internal.enqueue_job, mainstay_internal.release_jobs, mainstay_internal.describe_call, mainstay_internal.check_arguments, mainstay_internal.check_terms,
      mainstay_internal.enqueue_function, mainstay_internal.complete_call, mainstay_internal.cancel_job, mainstay_internal.retry_job,
      mainstay_internal.say_who from public;
    grant execute on function mainstay_internal.enqueue_job, mainstay_internal.enqueue_function to mainstay_api, mainstay_worker;
    grant execute on function mainstay_internal.cancel_job, mainstay_internal.retry_job to mainstay_api, mainstay_worker;
    grant execute on function mainstay_internal.release_jobs, mainstay_internal.describe_call to mainstay_worker;
    grant select, insert, delete on mainstay_internal.job_waits to mainstay_worker;
    grant select on mainstay_internal.job_waits to mainstay_api;
    grant usage on schema mainstay_internal to mainstay_commands;
    -- To postgres too: where the administrator has that name, its own login is the one that runs commands.
    grant execute on function mainstay_internal.complete_call to mainstay_worker, mainstay_commands, postgres;
  `,
};
