-- Whoever made the schema beforehand may have put things into it that lie in wait.
set local search_path = pg_catalog, pg_temp;

-- As with pg_cron itself everything lies in schema cron, whatever schema the extension is made in.
do $$
  begin
    if not exists (select from pg_namespace where nspname = 'cron') then
      create schema cron;
    end if;
  end
$$;

create sequence cron.jobid_seq;
create table cron.job (
  jobid bigint primary key default nextval('cron.jobid_seq'),
  schedule text not null,
  command text not null,
  nodename text not null default 'localhost',
  nodeport integer not null default current_setting('port')::integer,
  database text not null default current_database(),
  username text not null default current_user,
  active boolean not null default true,
  jobname text,
  constraint jobname_username_uniq unique (jobname, username)
);

create sequence cron.runid_seq;
create table cron.job_run_details (
  jobid bigint,
  runid bigint primary key default nextval('cron.runid_seq'),
  job_pid integer,
  database text,
  username text,
  command text,
  status text,
  return_message text,
  start_time timestamptz,
  end_time timestamptz
);

-- Everybody has their own jobs, and their runs; postgres, who runs the commands, has all.
alter table cron.job enable row level security;
alter table cron.job_run_details enable row level security;
create policy cron_job_policy on cron.job using (username = current_user) with check (username = current_user);
create policy cron_job_run_details_policy on cron.job_run_details using (username = current_user) with check (username = current_user);
create policy cron_job_of_all on cron.job to postgres using (true) with check (true);
create policy cron_job_run_details_of_all on cron.job_run_details to postgres using (true) with check (true);

-- Bound now, so that whoever calls it needs no way into that schema.
create function cron.fault_of(schedule text) returns text language sql immutable set search_path = ''
  return mainstay.check_cron(schedule, 'pg_cron');

-- Rows that are written directly are looked at as those that the functions write.
create function cron.check_job() returns trigger language plpgsql set search_path = '' as $$
  declare
    fault text := cron.fault_of(new.schedule);
  begin
    if fault is not null and (tg_op = 'INSERT' or new.schedule <> old.schedule) then
      raise exception 'invalid schedule: %', new.schedule using errcode = '22023', detail = fault,
        hint = 'Use cron format (e.g. 5 4 * * *), or interval format ''[1-59] seconds''';
    end if;
    if tg_op = 'UPDATE' and new.username = old.username or new.username = current_user then
      null;
    elsif not exists (select from pg_catalog.pg_roles where rolname = new.username) then
      raise exception 'role "%" does not exist', new.username using errcode = '42704';
    elsif not pg_has_role(current_user, new.username, 'member') then
      raise exception 'must be superuser to create a job for another role' using errcode = '42501', hint = 'A member of that role may, too.';
    end if;
    if not exists (select from pg_catalog.pg_database where datname = new.database) then
      raise exception 'database "%" does not exist', new.database using errcode = '3D000';
    end if;
    return new;
  end
$$;
create trigger cron_job_check before insert or update on cron.job for each row execute function cron.check_job();

-- Wakes the workers.
create function cron.job_cache_invalidate() returns trigger language plpgsql set search_path = '' as $$
  begin
    perform pg_notify('mainstay_schedules', 'cron');
    return null;
  end
$$;
create trigger cron_job_cache_invalidate after insert or update or delete or truncate on cron.job for each statement execute function cron.job_cache_invalidate();

create function cron.schedule(schedule text, command text) returns bigint language plpgsql set search_path = '' as $$
  declare
    made bigint;
  begin
    if schedule is null then
      raise exception 'schedule can not be NULL' using errcode = '22004';
    elsif command is null then
      raise exception 'command can not be NULL' using errcode = '22004';
    end if;
    insert into cron.job (schedule, command) values (schedule.schedule, schedule.command) returning jobid into made;
    return made;
  end
$$;

create function cron.schedule(job_name text, schedule text, command text) returns bigint language plpgsql set search_path = '' as $$
  declare
    made bigint;
  begin
    if job_name is null then
      raise exception 'job_name can not be NULL' using errcode = '22004';
    elsif schedule is null then
      raise exception 'schedule can not be NULL' using errcode = '22004';
    elsif command is null then
      raise exception 'command can not be NULL' using errcode = '22004';
    end if;
    insert into cron.job (jobname, schedule, command) values (schedule.job_name, schedule.schedule, schedule.command)
    on conflict on constraint jobname_username_uniq do update set schedule = excluded.schedule, command = excluded.command, database = excluded.database
    returning jobid into made;
    return made;
  end
$$;

create function cron.schedule_in_database(job_name text, schedule text, command text, database text, username text default null, active boolean default true)
returns bigint language plpgsql set search_path = '' as $$
  declare
    made bigint;
  begin
    if job_name is null then
      raise exception 'job_name can not be NULL' using errcode = '22004';
    elsif schedule is null then
      raise exception 'schedule can not be NULL' using errcode = '22004';
    elsif command is null then
      raise exception 'command can not be NULL' using errcode = '22004';
    elsif database is null then
      raise exception 'database can not be NULL' using errcode = '22004';
    end if;
    insert into cron.job (jobname, schedule, command, database, username, active)
    values (schedule_in_database.job_name, schedule_in_database.schedule, schedule_in_database.command, schedule_in_database.database,
      coalesce(schedule_in_database.username, current_user), coalesce(schedule_in_database.active, true))
    on conflict on constraint jobname_username_uniq do update set schedule = excluded.schedule, command = excluded.command, database = excluded.database, active = excluded.active
    returning jobid into made;
    return made;
  end
$$;

create function cron.alter_job(job_id bigint, schedule text default null, command text default null, database text default null, username text default null, active boolean default null)
returns void language plpgsql set search_path = '' as $$
  begin
    if job_id is null then
      raise exception 'job_id can not be NULL' using errcode = '22004';
    end if;
    update cron.job set schedule = coalesce(alter_job.schedule, job.schedule), command = coalesce(alter_job.command, job.command),
      database = coalesce(alter_job.database, job.database), username = coalesce(alter_job.username, job.username), active = coalesce(alter_job.active, job.active)
    where jobid = job_id;
    if not found then
      raise exception 'Job % does not exist or you don''t own it', job_id using errcode = '22023';
    end if;
  end
$$;

create function cron.unschedule(job_id bigint) returns boolean language plpgsql strict set search_path = '' as $$
  begin
    delete from cron.job where jobid = job_id;
    if not found then
      raise exception 'could not find valid entry for job ''%''', job_id using errcode = 'XX000';
    end if;
    return true;
  end
$$;

create function cron.unschedule(job_name text) returns boolean language plpgsql strict set search_path = '' as $$
  begin
    -- Whoever sees the jobs of all has names that are theirs.
    delete from cron.job where jobname = job_name and username = current_user;
    if not found then
      raise exception 'could not find valid entry for job ''%''', job_name using errcode = 'XX000';
    end if;
    return true;
  end
$$;

-- As pg_cron grants: who may enter the schema may schedule, and sees their own.
grant select, insert, update, delete on cron.job to public;
grant select, delete on cron.job_run_details to public;
grant usage on sequence cron.jobid_seq to public;

-- As an extension only:
grant usage, create on schema cron to postgres with grant option;
grant all on all tables in schema cron to postgres with grant option;
grant all on all sequences in schema cron to postgres with grant option;
select pg_extension_config_dump('cron.job', '');
select pg_extension_config_dump('cron.job_run_details', '');
select pg_extension_config_dump('cron.jobid_seq', '');
select pg_extension_config_dump('cron.runid_seq', '');
alter function cron.fault_of(text) owner to mainstay_extensions;
alter function cron.check_job() owner to mainstay_extensions;
alter function cron.job_cache_invalidate() owner to mainstay_extensions;
alter function cron.schedule(text, text) owner to mainstay_extensions;
alter function cron.schedule(text, text, text) owner to mainstay_extensions;
alter function cron.schedule_in_database(text, text, text, text, text, boolean) owner to mainstay_extensions;
alter function cron.alter_job(bigint, text, text, text, text, boolean) owner to mainstay_extensions;
alter function cron.unschedule(bigint) owner to mainstay_extensions;
alter function cron.unschedule(text) owner to mainstay_extensions;
grant execute on function cron.fault_of(text), cron.check_job(), cron.job_cache_invalidate(), cron.schedule(text, text), cron.schedule(text, text, text),
  cron.schedule_in_database(text, text, text, text, text, boolean), cron.alter_job(bigint, text, text, text, text, boolean), cron.unschedule(bigint), cron.unschedule(text) to public;
