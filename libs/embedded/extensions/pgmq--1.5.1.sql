-- Whoever made the schema beforehand may have put things into it that lie in wait.
set local search_path = pg_catalog, pg_temp;

-- Every function runs as its caller: who may do what with a queue is decided by the grants and row policies on its tables,
-- which belong to whoever made the queue.
create table pgmq.meta (
  queue_name varchar unique not null,
  is_partitioned boolean not null,
  is_unlogged boolean not null,
  created_at timestamptz not null default now()
);

create type pgmq.message_record as (msg_id bigint, read_ct integer, enqueued_at timestamptz, vt timestamptz, message jsonb, headers jsonb);
create type pgmq.queue_record as (queue_name varchar, is_partitioned boolean, is_unlogged boolean, created_at timestamptz);
create type pgmq.metrics_result as (
  queue_name text, queue_length bigint, newest_msg_age_sec integer, oldest_msg_age_sec integer,
  total_messages bigint, scrape_time timestamptz, queue_visible_length bigint);

-- The name of a queue's table, q_… or a_…; its index and sequence bear longer ones, which must fit as well.
create function pgmq.format_table_name(queue_name text, prefix text) returns text language plpgsql immutable strict set search_path = '' as $$
  begin
    if queue_name ~ '[$;'']|--' then
      raise exception 'queue name contains invalid characters: $, ;, --, or \''' using errcode = '22023';
    end if;
    return lower(prefix || '_' || queue_name);
  end
$$;

create function pgmq.validate_queue_name(queue_name text) returns void language plpgsql immutable set search_path = '' as $$
  begin
    if octet_length(queue_name) >= 48 then
      raise exception 'queue name is too long, maximum length is 47 characters' using errcode = '22023';
    end if;
    if coalesce(queue_name, '') = '' then
      raise exception 'queue name is empty' using errcode = '22023';
    end if;
  end
$$;

-- Two that make or drop the same queue come one after the other.
create function pgmq.acquire_queue_lock(queue_name text) returns void language sql set search_path = '' as $$
  select pg_advisory_xact_lock(hashtextextended('pgmq.queue.' || lower(queue_name), 0))
$$;

create function pgmq._create_tables(queue_name text, kind text) returns void language plpgsql set search_path = '' as $$
  declare
    qtable text := pgmq.format_table_name(queue_name, 'q'::text);
    atable text := pgmq.format_table_name(queue_name, 'a'::text);
  begin
    perform pgmq.validate_queue_name(queue_name);
    perform pgmq.acquire_queue_lock(queue_name);
    if to_regclass(format('pgmq.%I', qtable)) is null then
      execute format(
        'create %s table pgmq.%I (
           msg_id bigint primary key generated always as identity,
           read_ct integer not null default 0,
           enqueued_at timestamptz not null default now(),
           vt timestamptz not null,
           message jsonb,
           headers jsonb)', kind, qtable);
      execute format('create index %I on pgmq.%I (vt)', qtable || '_vt_idx', qtable);
    end if;
    if to_regclass(format('pgmq.%I', atable)) is null then
      execute format(
        'create table pgmq.%I (
           msg_id bigint primary key,
           read_ct integer not null default 0,
           enqueued_at timestamptz not null default now(),
           archived_at timestamptz not null default now(),
           vt timestamptz not null,
           message jsonb,
           headers jsonb)', atable);
      execute format('create index %I on pgmq.%I (archived_at)', 'archived_at_idx_' || lower(queue_name), atable);
    end if;
    insert into pgmq.meta (queue_name, is_partitioned, is_unlogged) values (queue_name, false, kind = 'unlogged') on conflict do nothing;
  end
$$;

create function pgmq.create_non_partitioned(queue_name text) returns void language sql set search_path = '' as $$
  select pgmq._create_tables(queue_name, ''::text)
$$;

create function pgmq.create_unlogged(queue_name text) returns void language sql set search_path = '' as $$
  select pgmq._create_tables(queue_name, 'unlogged'::text)
$$;

create function pgmq.create(queue_name text) returns void language sql set search_path = '' as $$
  select pgmq.create_non_partitioned(queue_name)
$$;

create function pgmq.create_partitioned(queue_name text, partition_interval text default '10000', retention_interval text default '100000')
returns void language plpgsql set search_path = '' as $$
  begin
    raise warning 'pgmq: pg_partman is not here, so queue "%" is made without partitions and keeps its archive until it is emptied', queue_name;
    perform pgmq.create_non_partitioned(queue_name);
  end
$$;

create function pgmq.convert_archive_partitioned(table_name text, partition_interval text default '10000', retention_interval text default '100000', leading_partition integer default 10)
returns void language plpgsql set search_path = '' as $$
  begin
    raise warning 'pgmq: pg_partman is not here, so the archive of queue "%" stays without partitions', table_name;
  end
$$;

create function pgmq.drop_queue(queue_name text) returns boolean language plpgsql set search_path = '' as $$
  begin
    perform pgmq.acquire_queue_lock(queue_name);
    if not exists (select from pgmq.meta m where m.queue_name = drop_queue.queue_name) then
      raise notice 'pgmq queue `%` does not exist', queue_name;
      return false;
    end if;
    execute format('drop table if exists pgmq.%I', pgmq.format_table_name(queue_name, 'q'::text));
    execute format('drop table if exists pgmq.%I', pgmq.format_table_name(queue_name, 'a'::text));
    delete from pgmq.meta m where m.queue_name = drop_queue.queue_name;
    return true;
  end
$$;

create function pgmq.drop_queue(queue_name text, partitioned boolean) returns boolean language plpgsql set search_path = '' as $$
  begin
    raise warning 'pgmq.drop_queue(queue_name, partitioned) is deprecated: leave the second argument out';
    return pgmq.drop_queue(queue_name);
  end
$$;

create function pgmq.list_queues() returns setof pgmq.queue_record language sql set search_path = '' as $$
  select row(m.queue_name, m.is_partitioned, m.is_unlogged, m.created_at)::pgmq.queue_record from pgmq.meta m
$$;

create function pgmq.metrics(queue_name text) returns pgmq.metrics_result language plpgsql set search_path = '' as $$
  declare
    qtable text := pgmq.format_table_name(queue_name, 'q'::text);
    found_metrics pgmq.metrics_result;
  begin
    execute format(
      'select $1, count(*), extract(epoch from clock_timestamp() - max(q.enqueued_at))::integer, extract(epoch from clock_timestamp() - min(q.enqueued_at))::integer,
         (select case when s.is_called then s.last_value else 0 end from pgmq.%I s), clock_timestamp(), count(*) filter (where q.vt <= clock_timestamp())
       from pgmq.%I q', qtable || '_msg_id_seq', qtable)
    into found_metrics using queue_name;
    return found_metrics;
  end
$$;

create function pgmq.metrics_all() returns setof pgmq.metrics_result language sql set search_path = '' as $$
  select found.* from pgmq.meta m, lateral pgmq.metrics(m.queue_name::text) found
$$;

create function pgmq.send(queue_name text, msg jsonb, headers jsonb, delay timestamptz) returns setof bigint language plpgsql set search_path = '' as $$
  begin
    return query execute format('insert into pgmq.%I (vt, message, headers) values ($2, $1, $3) returning msg_id', pgmq.format_table_name(queue_name, 'q'::text)) using msg, delay, headers;
  end
$$;

create function pgmq.send(queue_name text, msg jsonb) returns setof bigint language sql set search_path = '' as $$
  select pgmq.send(queue_name, msg, null::jsonb, clock_timestamp())
$$;

create function pgmq.send(queue_name text, msg jsonb, headers jsonb) returns setof bigint language sql set search_path = '' as $$
  select pgmq.send(queue_name, msg, headers, clock_timestamp())
$$;

create function pgmq.send(queue_name text, msg jsonb, delay integer) returns setof bigint language sql set search_path = '' as $$
  select pgmq.send(queue_name, msg, null::jsonb, clock_timestamp() + make_interval(secs => delay))
$$;

create function pgmq.send(queue_name text, msg jsonb, delay timestamptz) returns setof bigint language sql set search_path = '' as $$
  select pgmq.send(queue_name, msg, null::jsonb, delay)
$$;

create function pgmq.send(queue_name text, msg jsonb, headers jsonb, delay integer) returns setof bigint language sql set search_path = '' as $$
  select pgmq.send(queue_name, msg, headers, clock_timestamp() + make_interval(secs => delay))
$$;

create function pgmq.send_batch(queue_name text, msgs jsonb[], headers jsonb[], delay timestamptz) returns setof bigint language plpgsql set search_path = '' as $$
  begin
    if cardinality(headers) <> cardinality(msgs) then
      raise exception 'pgmq: % headers for % messages: give one for each message, or none', cardinality(headers), cardinality(msgs) using errcode = '22023';
    end if;
    return query execute format(
      'insert into pgmq.%I (vt, message, headers) select $2, m.message, m.headers from unnest($1, coalesce($3, ''{}''::jsonb[])) with ordinality as m(message, headers, place) order by m.place returning msg_id',
      pgmq.format_table_name(queue_name, 'q'::text)) using msgs, delay, headers;
  end
$$;

create function pgmq.send_batch(queue_name text, msgs jsonb[]) returns setof bigint language sql set search_path = '' as $$
  select pgmq.send_batch(queue_name, msgs, null::jsonb[], clock_timestamp())
$$;

create function pgmq.send_batch(queue_name text, msgs jsonb[], headers jsonb[]) returns setof bigint language sql set search_path = '' as $$
  select pgmq.send_batch(queue_name, msgs, headers, clock_timestamp())
$$;

create function pgmq.send_batch(queue_name text, msgs jsonb[], delay integer) returns setof bigint language sql set search_path = '' as $$
  select pgmq.send_batch(queue_name, msgs, null::jsonb[], clock_timestamp() + make_interval(secs => delay))
$$;

create function pgmq.send_batch(queue_name text, msgs jsonb[], delay timestamptz) returns setof bigint language sql set search_path = '' as $$
  select pgmq.send_batch(queue_name, msgs, null::jsonb[], delay)
$$;

create function pgmq.send_batch(queue_name text, msgs jsonb[], headers jsonb[], delay integer) returns setof bigint language sql set search_path = '' as $$
  select pgmq.send_batch(queue_name, msgs, headers, clock_timestamp() + make_interval(secs => delay))
$$;

-- A message that another reader is taking in this moment is passed over, never waited for and never read twice within its vt.
create function pgmq.read(queue_name text, vt integer, qty integer, conditional jsonb default '{}') returns setof pgmq.message_record language plpgsql set search_path = '' as $$
  begin
    return query execute format(
      'with chosen as materialized (
         select q.msg_id from pgmq.%1$I q where q.vt <= clock_timestamp() and ($3 = ''{}''::jsonb or q.message @> $3)
         order by q.msg_id limit $1 for update skip locked
       ), taken as (
         update pgmq.%1$I q set vt = clock_timestamp() + make_interval(secs => $2), read_ct = q.read_ct + 1
         from chosen where q.msg_id = chosen.msg_id
         returning q.msg_id, q.read_ct, q.enqueued_at, q.vt, q.message, q.headers
       )
       select * from taken order by msg_id', pgmq.format_table_name(queue_name, 'q'::text))
    using qty, vt, coalesce(conditional, '{}'::jsonb);
  end
$$;

create function pgmq.read_with_poll(queue_name text, vt integer, qty integer, max_poll_seconds integer default 5, poll_interval_ms integer default 100, conditional jsonb default '{}')
returns setof pgmq.message_record language plpgsql set search_path = '' as $$
  declare
    stop_at timestamptz := clock_timestamp() + make_interval(secs => max_poll_seconds);
  begin
    loop
      return query select r.* from pgmq.read(queue_name, vt, qty, conditional) r;
      exit when found or clock_timestamp() >= stop_at;
      perform pg_sleep(greatest(0, least(poll_interval_ms / 1000.0, extract(epoch from stop_at - clock_timestamp())))::double precision);
    end loop;
  end
$$;

create function pgmq.pop(queue_name text, qty integer default 1) returns setof pgmq.message_record language plpgsql set search_path = '' as $$
  begin
    return query execute format(
      'with chosen as materialized (
         select q.msg_id from pgmq.%1$I q where q.vt <= clock_timestamp() order by q.msg_id limit $1 for update skip locked
       ), taken as (
         delete from pgmq.%1$I q using chosen where q.msg_id = chosen.msg_id
         returning q.msg_id, q.read_ct, q.enqueued_at, q.vt, q.message, q.headers
       )
       select * from taken order by msg_id', pgmq.format_table_name(queue_name, 'q'::text))
    using qty;
  end
$$;

create function pgmq.archive(queue_name text, msg_ids bigint[]) returns setof bigint language plpgsql set search_path = '' as $$
  begin
    return query execute format(
      'with gone as (
         delete from pgmq.%I where msg_id = any ($1) returning msg_id, vt, read_ct, enqueued_at, message, headers
       )
       insert into pgmq.%I (msg_id, vt, read_ct, enqueued_at, message, headers) select msg_id, vt, read_ct, enqueued_at, message, headers from gone returning msg_id',
      pgmq.format_table_name(queue_name, 'q'::text), pgmq.format_table_name(queue_name, 'a'::text))
    using msg_ids;
  end
$$;

create function pgmq.archive(queue_name text, msg_id bigint) returns boolean language sql set search_path = '' as $$
  select count(*) > 0 from pgmq.archive(queue_name, array[msg_id])
$$;

create function pgmq.delete(queue_name text, msg_ids bigint[]) returns setof bigint language plpgsql set search_path = '' as $$
  begin
    return query execute format('delete from pgmq.%I where msg_id = any ($1) returning msg_id', pgmq.format_table_name(queue_name, 'q'::text)) using msg_ids;
  end
$$;

create function pgmq.delete(queue_name text, msg_id bigint) returns boolean language sql set search_path = '' as $$
  select count(*) > 0 from pgmq.delete(queue_name, array[msg_id])
$$;

create function pgmq.set_vt(queue_name text, msg_ids bigint[], vt timestamptz) returns setof pgmq.message_record language plpgsql set search_path = '' as $$
  begin
    return query execute format(
      'update pgmq.%I set vt = $2 where msg_id = any ($1) returning msg_id, read_ct, enqueued_at, vt, message, headers', pgmq.format_table_name(queue_name, 'q'::text))
    using msg_ids, vt;
  end
$$;

create function pgmq.set_vt(queue_name text, msg_id bigint, vt integer) returns setof pgmq.message_record language sql set search_path = '' as $$
  select * from pgmq.set_vt(queue_name, array[msg_id], clock_timestamp() + make_interval(secs => vt))
$$;

create function pgmq.set_vt(queue_name text, msg_id bigint, vt timestamptz) returns setof pgmq.message_record language sql set search_path = '' as $$
  select * from pgmq.set_vt(queue_name, array[msg_id], vt)
$$;

create function pgmq.set_vt(queue_name text, msg_ids bigint[], vt integer) returns setof pgmq.message_record language sql set search_path = '' as $$
  select * from pgmq.set_vt(queue_name, msg_ids, clock_timestamp() + make_interval(secs => vt))
$$;

create function pgmq.purge_queue(queue_name text) returns bigint language plpgsql set search_path = '' as $$
  declare
    purged bigint;
  begin
    execute format('delete from pgmq.%I', pgmq.format_table_name(queue_name, 'q'::text));
    get diagnostics purged = row_count;
    return purged;
  end
$$;

create function pgmq.detach_archive(queue_name text) returns void language plpgsql set search_path = '' as $$
  begin
    raise warning 'pgmq.detach_archive(queue_name) is deprecated and does nothing: archives are no members of the extension';
  end
$$;

-- PostgreSQL folds equal notifications of one transaction into one.
create function pgmq.notify_queue_listeners() returns trigger language plpgsql set search_path = '' as $$
  begin
    perform pg_notify('pgmq.' || tg_table_name || '.' || tg_op, null);
    return null;
  end
$$;

create function pgmq.enable_notify_insert(queue_name text, throttle_interval_ms integer default 250) returns void language plpgsql set search_path = '' as $$
  begin
    perform pgmq.disable_notify_insert(queue_name);
    execute format('create trigger trigger_notify_queue_insert_listeners after insert on pgmq.%I for each statement execute function pgmq.notify_queue_listeners()', pgmq.format_table_name(queue_name, 'q'::text));
  end
$$;

create function pgmq.disable_notify_insert(queue_name text) returns void language plpgsql set search_path = '' as $$
  begin
    execute format('drop trigger if exists trigger_notify_queue_insert_listeners on pgmq.%I', pgmq.format_table_name(queue_name, 'q'::text));
  end
$$;

-- The functions that Supabase exposes to its clients, with their names and arguments, as .schema('pgmq_public').rpc('send', …)
-- calls them. A project that has its own is left alone.
do $$
  begin
    if to_regnamespace('pgmq_public') is not null then
      return;
    end if;
    create schema pgmq_public;
    create function pgmq_public.send(queue_name text, message jsonb, sleep_seconds integer default 0) returns setof bigint language sql set search_path = '' as 'select pgmq.send(queue_name, message, sleep_seconds)';
    create function pgmq_public.send_batch(queue_name text, messages jsonb[], sleep_seconds integer default 0) returns setof bigint language sql set search_path = '' as 'select pgmq.send_batch(queue_name, messages, sleep_seconds)';
    create function pgmq_public.read(queue_name text, sleep_seconds integer, n integer) returns setof pgmq.message_record language sql set search_path = '' as 'select * from pgmq.read(queue_name, sleep_seconds, n)';
    create function pgmq_public.pop(queue_name text) returns setof pgmq.message_record language sql set search_path = '' as 'select * from pgmq.pop(queue_name)';
    create function pgmq_public.archive(queue_name text, message_id bigint) returns boolean language sql set search_path = '' as 'select pgmq.archive(queue_name, message_id)';
    create function pgmq_public.delete(queue_name text, message_id bigint) returns boolean language sql set search_path = '' as 'select pgmq.delete(queue_name, message_id)';
    grant usage on schema pgmq_public to anon, authenticated, service_role;
    grant execute on all functions in schema pgmq_public to anon, authenticated, service_role;
  end
$$;

-- What a caller may do in there, the grants and row policies of a queue's tables decide; the service may do all.
grant usage on schema pgmq to anon, authenticated, service_role;
grant all on pgmq.meta to service_role;
do $$
  begin
    execute format('alter default privileges for role %1$s in schema pgmq grant all on tables to service_role; alter default privileges for role %1$s in schema pgmq grant all on sequences to service_role',
      (select nspowner::regrole from pg_namespace where nspname = 'pgmq'));
  end
$$;

-- As an extension only:
select pg_extension_config_dump('pgmq.meta', '');
-- Tables and the exposed functions belong to whoever made the extension, as the queues will: they may be changed like one's own.
do $$
  declare
    maker regrole := (select nspowner from pg_namespace where nspname = 'pgmq');
    member record;
  begin
    execute format('alter table pgmq.meta owner to %s', maker);
    if exists (select from pg_namespace n join pg_depend d on d.objid = n.oid and d.classid = 'pg_namespace'::regclass and d.deptype = 'e' where n.nspname = 'pgmq_public') then
      execute format('alter schema pgmq_public owner to %s', maker);
    end if;
    for member in
      select p.oid, n.nspname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      join pg_depend d on d.objid = p.oid and d.classid = 'pg_proc'::regclass and d.deptype = 'e'
      join pg_extension e on e.oid = d.refobjid and e.extname = 'pgmq'
    loop
      if member.nspname = 'pgmq' then
        execute format('alter function %s owner to mainstay_extensions', member.oid::regprocedure);
        execute format('grant execute on function %s to %s with grant option', member.oid::regprocedure, maker);
      else
        execute format('alter function %s owner to %s', member.oid::regprocedure, maker);
      end if;
    end loop;
  end
$$;
alter type pgmq.message_record owner to mainstay_extensions;
alter type pgmq.queue_record owner to mainstay_extensions;
alter type pgmq.metrics_result owner to mainstay_extensions;
