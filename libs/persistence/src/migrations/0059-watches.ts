import type { HouseMigration } from './house-migration.ts';

/**
 * The triggers that write down events. For each watched table and operation a function is generated with the filters in it:
 * they are planned once and decided for all rows of a statement together, and a row that interests nobody costs its filter alone.
 *
 * A statement trigger with transition tables, and not one per row: what it costs is about the same (some 2 µs less for each of many
 * rows, some 4 µs more for a statement of one), but filters can be guarded once for a statement and not once for a row, a million
 * changed rows are spilled to disk and not queued in memory, and COPY and a partitioned table as a whole are covered (its partitions
 * get the same triggers, for whoever writes to them directly).
 *
 * It must never fail the writer for a reason of ours. Filters are therefore evaluated within an exception block, and what they
 * give is written outside of it: a block that writes takes a transaction id for each statement, one that only reads takes none.
 */
export const watches: HouseMigration = {
  name: '0059-watches',
  sql: `
    -- What a row gives: as it is sent, whose turn it is, and to whom.
    create type mainstay_internal.captured as (record json, old_record json, row_key bigint, endpoints integer[]);

    -- Each subscription by itself, for when all of them together fail.
    create table mainstay_internal.webhook_queries (
      watch_id integer not null references mainstay_internal.webhook_watches (id) on delete cascade,
      operation text not null,
      subscription_id integer not null references mainstay_internal.webhook_subscriptions (id) on delete cascade,
      query text not null,
      primary key (watch_id, operation, subscription_id)
    );
    alter table mainstay_internal.webhook_queries enable row level security;
    create policy all_of_them_too on mainstay_internal.webhook_queries to mainstay_watcher using (true);
    create policy all_of_them on mainstay_internal.webhook_queries to mainstay_worker using (true);
    grant select on mainstay_internal.webhook_queries to mainstay_watcher, mainstay_worker;

    create function mainstay_internal.wake_feeder() returns void language plpgsql set search_path = '' as $$
      begin
        if (select is_asleep from mainstay_internal.webhook_feeder) then
          perform pg_notify('mainstay_events', '');
        end if;
      end
    $$;

    create function mainstay_internal.put_events(event_type text, in_schema text, in_table text, of_operation text, captured mainstay_internal.captured[]) returns void
      language plpgsql set search_path = '' as $$
        begin
          with numbered as materialized (select nextval('mainstay_internal.events_id') as id, one.* from unnest(captured) as one),
          kept as (
            insert into mainstay_internal.events (id, type, schema_name, table_name, operation, record, old_record, role, subject)
            select id, event_type, in_schema, in_table, of_operation, record, old_record, current_setting('role'), nullif(current_setting('request.jwt.claim.sub', true), '')
            from numbered
          )
          insert into mainstay_internal.webhook_deliveries (event_id, endpoint_no, row_key)
          select id, endpoint, row_key from numbered cross join unnest(endpoints) as endpoint;
          perform mainstay_internal.wake_feeder();
        end
      $$;

    -- The live columns of a relation as "c<number>". One that is computed when read (PostgreSQL 18) has no value in a trigger.
    create function mainstay_internal.numbered_columns(relation regclass, is_stored boolean) returns text language sql stable set search_path = '' as $$
      select string_agg(format('%s as "c%s"',
        case when attgenerated = 'v' and not is_stored then '(' || pg_get_expr(adbin, adrelid) || ')' else quote_ident(attname) end, attnum), ', ' order by attnum)
      from pg_catalog.pg_attribute left join pg_catalog.pg_attrdef on adrelid = attrelid and adnum = attnum
      where attrelid = relation and attnum > 0 and not attisdropped
    $$;

    -- The query on the transition tables that gives what is captured; null where nobody subscribes to the operation.
    create function mainstay_internal.watch_query(watch integer, of_operation text, subscription integer default null) returns text
      language plpgsql stable set search_path = '' as $$
        declare
          table_is regclass := (select relation from mainstay_internal.webhook_watches where id = watch);
          -- Written in the search path of the trigger, so that the expressions of columns are too.
          listed text := mainstay_internal.numbered_columns(table_is, false);
          source text;
          key_of text;
          parts text[] := '{}';
          shape record;
          shown text;
          before text;
        begin
          source := case of_operation
            when 'insert' then format('(select %s from new_rows) as "row"', listed)
            when 'delete' then format('(select %s from old_rows) as "row"', listed)
            -- PostgreSQL puts both versions of a row at the same place of their tables. Only where a trigger of a partition keeps a
            -- moved row out do they differ in length, and then nothing is said of what was before.
            else format('(select %1$s, row_number() over () as place from new_rows) as "row" left join (select %1$s, row_number() over () as place from old_rows) as former
              on former.place = "row".place and (select count(*) from new_rows) = (select count(*) from old_rows)', listed)
          end;
          select format('hashtextextended(concat_ws(e''\\x1f'', %s), %s)', string_agg(case of_operation
            when 'update' then format('coalesce(former."c%1$s", "row"."c%1$s")::text', number) else format('"row"."c%s"::text', number) end, ', ' order by place), watch)
          into key_of
          from pg_catalog.pg_index cross join unnest(indkey) with ordinality as key (number, place)
          where indrelid = table_is and indisprimary
          having count(*) > 0;

          for shape in
            select columns, array_agg(format(case when condition is null then '%2$s' else 'case when %1$s then %2$s end' end, condition, no)) as endpoints,
              bool_or(condition is null) as is_any, string_agg('(' || condition || ')', ' or ') as condition
            from (
              select subscriptions.columns, endpoints.no, case when bool_and(condition is not null) then string_agg('(' || condition || ')', ' or ') end as condition
              from mainstay_internal.webhook_subscriptions subscriptions join mainstay_internal.webhook_endpoints endpoints on endpoints.id = endpoint_id
              where watch_id = watch and of_operation = any (operations) and endpoints.state <> 'disabled'
                and (subscriptions.id = subscription or subscription is null and broken is null)
              group by subscriptions.columns, endpoints.no order by endpoints.no
            ) as of_endpoints
            group by columns
          loop
            select string_agg(format('"row"."c%s" as %I', attnum, attname), ', ' order by place), string_agg(format('former."c%s" as %I', attnum, attname), ', ' order by place)
            into shown, before
            from pg_catalog.pg_attribute left join unnest(shape.columns) with ordinality as chosen (number, place) on number = attnum
            where attrelid = table_is and attnum > 0 and not attisdropped and (shape.columns is null or number is not null);
            parts := parts || format('select %s as record, %s as old_record, %s as row_key, array_remove(array[%s]::integer[], null) as endpoints from %s cross join lateral (select %s) as shown %s where %s',
              case when of_operation = 'delete' then 'null::json' else 'row_to_json(shown)' end,
              case of_operation when 'delete' then 'row_to_json(shown)' when 'update' then 'case when former.place is not null then row_to_json(shown_before) end' else 'null::json' end,
              coalesce(key_of, 'null::bigint'), array_to_string(shape.endpoints, ', '), source, shown,
              case when of_operation = 'update' then format('cross join lateral (select %s) as shown_before', before) else '' end,
              case when shape.is_any then 'true' else shape.condition end);
          end loop;
          return nullif(array_to_string(parts, ' union all '), '');
        end
      $$;

    -- The text of a trigger's function.
    create function mainstay_internal.watch_body(watch integer, of_operation text, query text) returns text language sql stable set search_path = '' as $$
      select format(case
        when query is null then $body$begin return null; end$body$
        when of_operation = 'truncate' then $body$
          begin
            perform mainstay_internal.put_events(%1$L, %2$L, %3$L, %4$L, array[row(null, null, null, %5$s)::mainstay_internal.captured]);
            return null;
          end $body$
        else $body$
          declare
            hits mainstay_internal.captured[];
            more mainstay_internal.captured[];
            one record;
          begin
            begin
              hits := array(select row(found.record, found.old_record, found.row_key, found.endpoints)::mainstay_internal.captured from (%5$s) as found limit 257);
              if cardinality(hits) > 256 then
                -- Too many to be held: written at once, for one transaction id.
                hits := '{}';
                with numbered as materialized (select nextval('mainstay_internal.events_id') as id, found.* from (%5$s) as found),
                kept as (
                  insert into mainstay_internal.events (id, type, schema_name, table_name, operation, record, old_record, role, subject)
                  select id, %1$L, %2$L, %3$L, %4$L, record, old_record, current_setting('role'), nullif(current_setting('request.jwt.claim.sub', true), '') from numbered
                )
                insert into mainstay_internal.webhook_deliveries (event_id, endpoint_no, row_key) select id, endpoint, row_key from numbered cross join unnest(endpoints) as endpoint;
                perform mainstay_internal.wake_feeder();
              end if;
            exception when others then
              -- A server in need is no fault of a filter's: an event must not be lost to it.
              if left(sqlstate, 2) in ('40', '53', '55', '57', '58') then raise; end if;
              hits := '{}';
              for one in select subscription_id, query from mainstay_internal.webhook_queries where watch_id = %6$s and operation = %4$L loop
                begin
                  execute 'select array(select row(found.record, found.old_record, found.row_key, found.endpoints)::mainstay_internal.captured from (' || one.query || ') as found)' into more;
                  hits := hits || more;
                exception when others then
                  if left(sqlstate, 2) in ('40', '53', '55', '57', '58') then raise; end if;
                  insert into mainstay_internal.webhook_breaks (subscription_id, sqlstate, message) values (one.subscription_id, sqlstate, sqlerrm);
                  perform mainstay_internal.wake_feeder();
                end;
              end loop;
            end;
            if cardinality(hits) > 0 then
              perform mainstay_internal.put_events(%1$L, %2$L, %3$L, %4$L, hits);
            end if;
            return null;
          end $body$ end,
        schema_name || '.' || table_name || '.' || of_operation, schema_name, table_name, of_operation, query, watch)
      from mainstay_internal.webhook_watches where id = watch
    $$;

    -- Whether a filter can be evaluated at all; as the triggers' owner, since it may call what users have made.
    create function mainstay_internal.try_query(query text) returns void language plpgsql security definer set search_path = pg_catalog, public, extensions, pg_temp as $$
      begin
        execute query;
      end
    $$;

    create function mainstay_internal.break_subscription(subscription integer, code text, message text, hint text) returns void language sql set search_path = '' as $$
      update mainstay_internal.webhook_subscriptions
      set broken = jsonb_build_object('code', code, 'message', message, 'details', null, 'hint', hint, 'at', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
      where id = subscription and broken is null
    $$;

    -- Marks what can no longer be evaluated, and says why.
    create function mainstay_internal.check_subscriptions(watch integer, table_is regclass, is_new boolean) returns void language plpgsql set search_path = '' as $$
      declare
        subscription mainstay_internal.webhook_subscriptions;
        name text := (select schema_name || '.' || table_name from mainstay_internal.webhook_watches where id = watch);
        again text := 'Save the endpoint with events that fit the table.';
        gone text;
      begin
        if table_is is not null then
          -- Read by this view, the columns have their types without a name having to be looked up.
          execute format('create view mainstay_internal.watch_probe as select %s from %s limit 0', mainstay_internal.numbered_columns(table_is, true), table_is);
          grant select on mainstay_internal.watch_probe to mainstay_watcher;
        end if;
        for subscription in select * from mainstay_internal.webhook_subscriptions where watch_id = watch order by id for update loop
          if table_is is null then
            perform mainstay_internal.break_subscription(subscription.id, 'table_dropped', format('The table %s was dropped', name), 'A table of the same name and with the same columns is watched again by itself.');
            continue;
          end if;
          if is_new then
            if exists (select from jsonb_each_text(subscription.column_names) as known where not exists (
              select from pg_catalog.pg_attribute where attrelid = table_is and attnum = known.key::smallint and attname = known.value and not attisdropped)) then
              perform mainstay_internal.break_subscription(subscription.id, 'table_remade', format('The table %s was made anew, with other columns', name), again);
            elsif subscription.broken ->> 'code' = 'table_dropped' then
              update mainstay_internal.webhook_subscriptions set broken = null where id = subscription.id;
            end if;
          end if;
          select string_agg(quote_ident(coalesce(subscription.column_names ->> number::text, number::text)), ', ') into gone
          from unnest(subscription.condition_columns) as number
          where not exists (select from pg_catalog.pg_attribute where attrelid = table_is and attnum = number and not attisdropped);
          if gone is not null then
            perform mainstay_internal.break_subscription(subscription.id, 'column_dropped', format('The filter %L names %s, which %s has no longer', subscription.filter, gone, name), again);
            continue;
          end if;
          begin
            if subscription.condition is not null then
              perform mainstay_internal.try_query(format('select from mainstay_internal.watch_probe as "row" where %s', subscription.condition));
            end if;
          exception when others then
            perform mainstay_internal.break_subscription(subscription.id, 'filter_not_valid', format('The filter %L cannot be evaluated: %s', subscription.filter, sqlerrm), again);
          end;
          update mainstay_internal.webhook_subscriptions set column_names = coalesce((
            select jsonb_object_agg(attnum::text, attname) from pg_catalog.pg_attribute where attrelid = table_is and not attisdropped and attnum = any (condition_columns || columns)
          ), '{}') where id = subscription.id;
        end loop;
        if table_is is not null then
          drop view mainstay_internal.watch_probe;
        end if;
      end
    $$;

    -- Makes the functions and triggers of a watch what its subscriptions ask for.
    create function mainstay_internal.build_watch(watch integer) returns void language plpgsql security definer set search_path = '' as $$
      declare
        table_is regclass;
        made_for oid;
        of_operation text;
        query text;
        made text;
        part regclass;
        name text;
      begin
        -- Two at once would meet at the same functions.
        perform pg_advisory_xact_lock(724687330, 59);
        select pg_class.oid, webhook_watches.made_for into table_is, made_for
        from mainstay_internal.webhook_watches left join pg_catalog.pg_class on pg_class.oid = relation where id = watch;
        update mainstay_internal.webhook_watches set relation = table_is, made_for = coalesce(table_is, webhook_watches.made_for) where id = watch;
        update mainstay_internal.webhook_watches set schema_name = nspname, table_name = relname
        from pg_catalog.pg_class join pg_catalog.pg_namespace on pg_namespace.oid = relnamespace
        where id = watch and pg_class.oid = table_is and (schema_name, table_name) is distinct from (nspname, relname);
        perform mainstay_internal.check_subscriptions(watch, table_is, table_is <> made_for);
        delete from mainstay_internal.webhook_queries where watch_id = watch;

        foreach of_operation in array array['insert', 'update', 'delete', 'truncate'] loop
          name := format('mainstay_webhooks_%s_%s', watch, of_operation);
          made := format('mainstay_internal.watch_%s_%s', watch, of_operation);
          query := null;
          if table_is is null then
            null;
          elsif of_operation = 'truncate' then
            select format('array[%s]::integer[]', string_agg(distinct endpoints.no::text, ', ')) into query
            from mainstay_internal.webhook_subscriptions subscriptions join mainstay_internal.webhook_endpoints endpoints on endpoints.id = endpoint_id
            where watch_id = watch and 'truncate' = any (operations) and endpoints.state <> 'disabled' and broken is null having count(*) > 0;
          else
            perform set_config('search_path', 'pg_catalog, public, extensions, pg_temp', true);
            query := mainstay_internal.watch_query(watch, of_operation);
            insert into mainstay_internal.webhook_queries
            select watch, of_operation, id, found.query
            from (
              select id, mainstay_internal.watch_query(watch, of_operation, id) as query from mainstay_internal.webhook_subscriptions
              where watch_id = watch and of_operation = any (operations) and broken is null
            ) as found where found.query is not null;
            perform set_config('search_path', '', true);
          end if;
          if query is null and to_regproc(made) is null then
            continue;
          end if;
          perform mainstay_internal.make_watch_function(made, mainstay_internal.watch_body(watch, of_operation, query), of_operation);
          if table_is is null then
            execute format('drop function %s()', made);
            continue;
          end if;
          for part in select relid from pg_partition_tree(table_is) join pg_class on pg_class.oid = relid where relkind in ('r', 'p') union select table_is loop
            if query is null then
              perform mainstay_internal.drop_watch_trigger(name, part);
            elsif not exists (select from pg_catalog.pg_trigger where tgrelid = part and tgname = name) then
              execute format('create trigger %I after %s on %s %s for each statement execute function %s()', name, of_operation, part, case of_operation
                when 'insert' then 'referencing new table as new_rows' when 'delete' then 'referencing old table as old_rows'
                when 'update' then 'referencing new table as new_rows old table as old_rows' else '' end, made);
            end if;
          end loop;
        end loop;
      end
    $$;

    create function mainstay_internal.make_watch_function(made text, body text, of_operation text) returns void language plpgsql set search_path = '' as $$
      declare
        is_known boolean := to_regproc(made) is not null;
      begin
        -- A plan that is kept from a statement of one row must not join a million rows by a nested loop. Times are shown in UTC.
        execute format('create or replace function %s() returns trigger language plpgsql security definer set search_path = pg_catalog, public, extensions, pg_temp set "TimeZone" = ''UTC'' %s as %L',
          made, case when of_operation = 'update' then 'set enable_nestloop = off' else '' end, body);
        if not is_known then
          execute format('revoke execute on function %s() from public', made);
          -- A new owner must be able to create in the schema at the moment it becomes the owner.
          grant create on schema mainstay_internal to mainstay_watcher;
          execute format('alter function %s() owner to mainstay_watcher', made);
          revoke create on schema mainstay_internal from mainstay_watcher;
        end if;
      end
    $$;

    -- Dropping a trigger waits for every reader of the table; where there are any, the one that does nothing stays.
    create function mainstay_internal.drop_watch_trigger(name text, on_table regclass) returns void language plpgsql set search_path = '' set lock_timeout = '50ms' as $$
      begin
        execute format('drop trigger if exists %I on %s', name, on_table);
      exception when lock_not_available then
        null;
      end
    $$;

    -- Follows the tables: a renamed table or column stays the same, a new partition is watched, a dropped column ends what asked for it.
    -- Whatever goes wrong here, it is no reason to refuse somebody's migration: the trigger itself will notice.
    create function mainstay_internal.watch_ddl() returns event_trigger language plpgsql security definer set search_path = '' as $$
      declare
        watch integer;
      begin
        if not exists (select from mainstay_internal.webhook_watches) then
          return;
        end if;
        update mainstay_internal.webhook_watches set relation = commands.objid
        from pg_event_trigger_ddl_commands() as commands join pg_catalog.pg_class on pg_class.oid = commands.objid join pg_catalog.pg_namespace on pg_namespace.oid = relnamespace
        where commands.classid = 'pg_catalog.pg_class'::regclass and relkind in ('r', 'p') and not relispartition
          and webhook_watches.relation is null and webhook_watches.table_name = relname and webhook_watches.schema_name = nspname
          and not exists (select from mainstay_internal.webhook_watches others where others.relation = commands.objid);
        for watch in
          select distinct id from pg_event_trigger_ddl_commands() as commands join mainstay_internal.webhook_watches
            on relation = commands.objid or relation in (select relid::oid from pg_partition_ancestors(commands.objid))
          where commands.classid = 'pg_catalog.pg_class'::regclass
          union
          select id from mainstay_internal.webhook_watches where exists (select from pg_event_trigger_ddl_commands() as commands where commands.object_type = 'schema' and commands.command_tag = 'ALTER SCHEMA')
        loop
          perform mainstay_internal.build_watch(watch);
        end loop;
      exception when others then
        raise warning 'the webhooks of a table could not follow: %', sqlerrm;
      end
    $$;
    create function mainstay_internal.watch_drop() returns event_trigger language plpgsql security definer set search_path = '' as $$
      declare
        watch integer;
      begin
        for watch in
          select id from pg_event_trigger_dropped_objects() as dropped join mainstay_internal.webhook_watches on relation::oid = dropped.objid
          where dropped.classid = 'pg_catalog.pg_class'::regclass and dropped.objsubid = 0
        loop
          perform mainstay_internal.build_watch(watch);
        end loop;
      exception when others then
        raise warning 'the webhooks of a table could not follow: %', sqlerrm;
      end
    $$;

    revoke execute on function mainstay_internal.wake_feeder(), mainstay_internal.put_events, mainstay_internal.numbered_columns, mainstay_internal.watch_query, mainstay_internal.watch_body,
      mainstay_internal.try_query, mainstay_internal.break_subscription, mainstay_internal.check_subscriptions, mainstay_internal.build_watch, mainstay_internal.make_watch_function,
      mainstay_internal.drop_watch_trigger, mainstay_internal.watch_ddl, mainstay_internal.watch_drop from public;
    grant execute on function mainstay_internal.wake_feeder(), mainstay_internal.put_events to mainstay_watcher;
    grant execute on function mainstay_internal.build_watch(integer) to mainstay_api, mainstay_worker;

    grant create on schema mainstay_internal to mainstay_watcher;
    set local role none;
    alter function mainstay_internal.try_query(text) owner to mainstay_watcher;
    grant execute on function mainstay_internal.try_query(text) to supabase_admin;
    set local role supabase_admin;
    revoke create on schema mainstay_internal from mainstay_watcher;
  `,
};
