import { asOwner } from './as-owner.ts';
import type { HouseMigration } from './house-migration.ts';

/**
 * What pg_net and Supabase's database webhooks bring: a request is a row in the caller's own transaction, the worker sends it after
 * the commit and writes down the answer. It stands here and not in the extension's script, so that nothing of it belongs to a
 * superuser, database webhooks need no extension, and a later step can mend it; `CREATE EXTENSION pg_net` finds it all in its place.
 * Where the server has the true pg_net, that one stays and does the work.
 */
export const net: HouseMigration = {
  name: '0056-net',
  sql: `
    -- One row, as with the relay of jobs: a request wakes the worker only when none is awake to see it by itself.
    create table mainstay_internal.net_pump (is_only_row boolean primary key default true check (is_only_row), is_asleep boolean not null default true);
    insert into mainstay_internal.net_pump default values;
    grant select, update on mainstay_internal.net_pump to mainstay_worker;

    create function mainstay_internal.wake_net() returns trigger
      language plpgsql security definer set search_path = '' as $$
        begin
          if (select is_asleep from mainstay_internal.net_pump) then
            perform pg_notify('mainstay_net', '');
          end if;
          return null;
        end
      $$;
    revoke execute on function mainstay_internal.wake_net from public;

    do $migration$
      begin
        if to_regclass('net.http_request_queue') is null then
          execute $objects$ ${objects()} $objects$;
        end if;
        execute $hooks$ ${hooks()} $hooks$;
      end
    $migration$;
  `,
};

function objects(): string {
  return `
    grant usage on schema net to postgres, anon, authenticated, service_role;
    grant all on schema net to supabase_functions_admin;

    ${asOwner('supabase_functions_admin', `
      create domain net.http_method as text check (value ilike 'get' or value ilike 'post' or value ilike 'delete');

      create table net.http_request_queue (
        id bigserial primary key,
        method net.http_method not null,
        url text not null,
        headers jsonb not null,
        body bytea,
        timeout_milliseconds integer not null,
        -- From here on ours: whom a request must not make wait for another, and which worker has it.
        host text not null generated always as (coalesce(lower(substring(url from '^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#]*@)?([^/?#]*)')), '')) stored,
        leased_until timestamptz,
        lease_token uuid,
        tries integer not null default 0
      ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_insert_scale_factor = 0, fillfactor = 70);
      create index http_request_queue_waiting on net.http_request_queue (host, id) where leased_until is null;
      create index http_request_queue_leased on net.http_request_queue (leased_until) where leased_until is not null;

      create table net._http_response (
        id bigint,
        status_code integer,
        content_type text,
        headers jsonb,
        content text,
        timed_out boolean,
        error_msg text,
        created timestamptz not null default now()
      ) with (autovacuum_vacuum_scale_factor = 0.05);
      create index _http_response_created_idx on net._http_response (created);
      create index _http_response_id_idx on net._http_response (id);

      create type net.request_status as enum ('PENDING', 'SUCCESS', 'ERROR');
      create type net.http_response as (status_code integer, headers jsonb, body text);
      create type net.http_response_result as (status net.request_status, message text, response net.http_response);

      create function net._urlencode_string(string varchar) returns text
        language sql immutable strict set search_path = '' as $$
          select coalesce(string_agg(case when byte between 48 and 57 or byte between 65 and 90 or byte between 97 and 122 or byte in (45, 46, 95, 126)
            then chr(byte) else '%' || upper(lpad(to_hex(byte), 2, '0')) end, '' order by place), '')
          from (select place, get_byte(convert_to(string, 'utf8'), place) as byte from generate_series(0, octet_length(convert_to(string, 'utf8')) - 1) as place) as bytes
        $$;

      -- Parameters go behind those that the URL has, and before its fragment; a URL without a path gets one.
      create function net._encode_url_with_params_array(url text, params_array text[]) returns text
        language sql immutable strict set search_path = '' as $$
          select case when cardinality(params_array) = 0 then url else
            regexp_replace(address, '^([A-Za-z][A-Za-z0-9+.-]*://[^/?#]+)(?=\\?|$)', '\\1/')
              || case when address like '%?' or address like '%&' then '' when address like '%?%' then '&' else '?' end
              || array_to_string(params_array, '&') || substring(url from '#.*$|$') end
          from (select regexp_replace(url, '#.*$', '') as address) as bare
        $$;

      create function net._params_of(params jsonb) returns text[]
        language sql immutable set search_path = '' as $$
          select coalesce(array_agg(net._urlencode_string(key) || '=' || net._urlencode_string(coalesce(value, ''))), '{}') from jsonb_each_text(coalesce(params, '{}'))
        $$;

      create function net._enqueue(method text, url text, params jsonb, headers jsonb, body bytea, timeout_milliseconds integer) returns bigint
        language sql volatile set search_path = '' as $$
          insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds)
          values (method, net._encode_url_with_params_array(url, net._params_of(params)), coalesce(headers, '{}'), body, timeout_milliseconds)
          returning id
        $$;

      create function net.http_get(url text, params jsonb default '{}', headers jsonb default '{}', timeout_milliseconds integer default 5000) returns bigint
        language sql volatile security definer set search_path = '' as $$
          select net._enqueue('GET', url, params, headers, null, timeout_milliseconds)
        $$;

      create function net.http_post(url text, body jsonb default '{}', params jsonb default '{}', headers jsonb default '{"Content-Type": "application/json"}',
        timeout_milliseconds integer default 5000) returns bigint
        language plpgsql volatile security definer set search_path = '' as $$
          declare
            given text := (select value from jsonb_each_text(coalesce(headers, '{}')) where lower(key) = 'content-type' limit 1);
          begin
            if given is null then
              headers := coalesce(headers, '{}') || '{"Content-Type": "application/json"}';
            elsif lower(trim(split_part(given, ';', 1))) <> 'application/json' then
              raise exception 'Content-Type header must be "application/json"';
            end if;
            return net._enqueue('POST', url, params, headers, convert_to(body::text, 'utf8'), timeout_milliseconds);
          end
        $$;

      create function net.http_delete(url text, params jsonb default '{}', headers jsonb default '{}', timeout_milliseconds integer default 5000, body jsonb default null) returns bigint
        language sql volatile security definer set search_path = '' as $$
          select net._enqueue('DELETE', url, params, case when body is null or exists (select from jsonb_object_keys(coalesce(headers, '{}')) as name where lower(name) = 'content-type')
            then headers else coalesce(headers, '{}') || '{"Content-Type": "application/json"}' end, convert_to(body::text, 'utf8'), timeout_milliseconds)
        $$;

      create function net._await_response(request_id bigint) returns boolean
        language plpgsql volatile security definer set search_path = '' as $$
          begin
            while not exists (select from net._http_response where id = request_id) loop
              perform pg_sleep(0.05);
            end loop;
            return true;
          end
        $$;

      create function net._http_collect_response(request_id bigint, async boolean default true) returns net.http_response_result
        language plpgsql volatile security definer set search_path = '' as $$
          declare
            answer net._http_response;
          begin
            if not coalesce(async, true) then
              perform net._await_response(request_id);
            end if;
            select * into answer from net._http_response where id = request_id;
            if not found then
              if exists (select from net.http_request_queue where id = request_id) then
                return row('PENDING', 'request is pending', null)::net.http_response_result;
              end if;
              return row('ERROR', 'request matching request_id not found', null)::net.http_response_result;
            end if;
            if answer.error_msg is not null then
              return row('ERROR', answer.error_msg, null)::net.http_response_result;
            end if;
            return row('SUCCESS', 'ok', row(answer.status_code, answer.headers, answer.content)::net.http_response)::net.http_response_result;
          end
        $$;

      create function net.http_collect_response(request_id bigint, async boolean default true) returns net.http_response_result
        language plpgsql volatile security definer set search_path = '' as $$
          begin
            raise notice 'The net.http_collect_response function is deprecated.';
            return net._http_collect_response(request_id, async);
          end
        $$;

      create function net.worker_restart() returns boolean language sql stable set search_path = '' as $$ select true $$;
      comment on function net.worker_restart() is 'Does nothing: the worker takes no setting from the database, and starts again by itself.';

      revoke execute on all functions in schema net from public;
      grant execute on function net.http_get, net.http_post, net.http_delete, net._urlencode_string, net._encode_url_with_params_array to postgres, anon, authenticated, service_role;
      -- Ids are guessable, and an answer may hold what only its sender may know.
      grant execute on function net._await_response, net._http_collect_response, net.http_collect_response, net.worker_restart to postgres, service_role;
      grant select, insert, update, delete, truncate, trigger on net.http_request_queue, net._http_response to postgres;
      grant usage on sequence net.http_request_queue_id_seq to postgres;
      grant select, delete on net.http_request_queue, net._http_response to service_role;
    `)}

    create trigger wake_net after insert on net.http_request_queue for each statement execute function mainstay_internal.wake_net();

    create function net.check_worker_is_up() returns void
      language plpgsql stable security definer set search_path = '' as $$
        begin
          if not exists (select from mainstay_internal.processes where kind = 'worker' and seen_at > now() - interval '30 seconds') then
            raise exception 'the pg_net background worker is not up' using
              detail = 'no worker of Mainstay has been seen within 30 seconds', hint = 'requests wait and are sent when a worker starts';
          end if;
        end
      $$;
    create function net.wait_until_running() returns void
      language plpgsql volatile security definer set search_path = '' as $$
        begin
          while not exists (select from mainstay_internal.processes where kind = 'worker' and seen_at > now() - interval '30 seconds') loop
            perform pg_sleep(0.1);
          end loop;
        end
      $$;
    revoke execute on function net.check_worker_is_up, net.wait_until_running from public;
    grant execute on function net.check_worker_is_up, net.wait_until_running to postgres, service_role;
  `;
}

function hooks(): string {
  return `
    grant usage on schema supabase_functions to postgres, anon, authenticated, service_role;
    grant all on schema supabase_functions to supabase_functions_admin;
    grant usage on schema net to supabase_functions_admin;
    grant execute on function net.http_get(text, jsonb, jsonb, integer), net.http_post(text, jsonb, jsonb, jsonb, integer) to supabase_functions_admin;

    ${asOwner('supabase_functions_admin', `
      create table supabase_functions.migrations (version text primary key, inserted_at timestamptz not null default now());
      create table supabase_functions.hooks (
        id bigserial primary key,
        hook_table_id integer not null,
        hook_name text not null,
        created_at timestamptz not null default now(),
        request_id bigint
      );
      comment on table supabase_functions.hooks is 'Supabase Functions Hooks: Audit trail for triggered hooks.';
      create index supabase_functions_hooks_request_id_idx on supabase_functions.hooks (request_id);
      create index supabase_functions_hooks_h_table_id_h_name_idx on supabase_functions.hooks (hook_table_id, hook_name);

      -- What the dashboard's database webhooks call: url, method, headers, params, milliseconds. An argument may be the word null.
      create function supabase_functions.http_request() returns trigger
        language plpgsql security definer set search_path = '' as $$
          declare
            url text := nullif(tg_argv[0], 'null');
            method text := nullif(tg_argv[1], 'null');
            headers jsonb := coalesce(nullif(tg_argv[2], 'null'), '{"Content-Type": "application/json"}')::jsonb;
            params jsonb := coalesce(nullif(tg_argv[3], 'null'), '{}')::jsonb;
            timeout_ms integer := coalesce(nullif(tg_argv[4], 'null'), '1000')::integer;
            request_id bigint;
          begin
            if url is null then
              raise exception 'url argument is missing';
            elsif method is null then
              raise exception 'method argument is missing';
            elsif method = 'GET' then
              request_id := net.http_get(url, params, headers, timeout_ms);
            elsif method = 'POST' then
              request_id := net.http_post(url, jsonb_build_object(
                'old_record', case when tg_level = 'ROW' and tg_op <> 'INSERT' then to_jsonb(old) end,
                'record', case when tg_level = 'ROW' and tg_op <> 'DELETE' then to_jsonb(new) end,
                'type', tg_op, 'table', tg_table_name, 'schema', tg_table_schema), params, headers, timeout_ms);
            else
              raise exception 'method argument % is invalid', method;
            end if;
            insert into supabase_functions.hooks (hook_table_id, hook_name, request_id) values (tg_relid, tg_name, request_id);
            return case when tg_op = 'DELETE' then old else new end;
          end
        $$;

      revoke execute on function supabase_functions.http_request from public;
      grant execute on function supabase_functions.http_request to postgres, anon, authenticated, service_role;
      grant all on supabase_functions.hooks, supabase_functions.migrations to postgres, service_role;
      grant usage on sequence supabase_functions.hooks_id_seq to postgres, service_role;
    `)}
  `;
}
