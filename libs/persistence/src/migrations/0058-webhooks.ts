import type { HouseMigration } from './house-migration.ts';

/**
 * Webhooks: `events` holds what happened, once and ready to be sent; `webhook_deliveries` who is to be told, a row of some fifty
 * bytes for each; `webhook_attempts` how each try went. Whoever writes an event writes its deliveries with it, in the transaction
 * of what happened: so nothing is left to be handed out afterwards, and nothing can be lost on the way.
 */
export const webhookTables: HouseMigration = {
  name: '0058-webhooks',
  sql: `
    create table mainstay_internal.webhook_endpoints (
      id uuid primary key default mainstay_internal.uuid_v7(),
      -- Deliveries name it by this: there may be millions of them.
      no integer generated always as identity unique,
      url text not null,
      description text,
      -- Sealed by the api: extra headers, which may hold passwords, and the secrets, the newest first.
      headers text,
      secrets text not null,
      state text not null default 'active' check (state in ('active', 'paused', 'disabled')),
      -- Why it was disabled.
      reason jsonb,
      -- Most deliveries a second; null is no limit.
      rate integer check (rate > 0),
      -- The breaker: failures in a row, how often it opened in a row, and until when nothing is sent.
      failures integer not null default 0,
      openings integer not null default 0,
      rests_until timestamptz,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    );

    -- A table that somebody subscribed to.
    create table mainstay_internal.webhook_watches (
      id integer generated always as identity primary key,
      -- By name in a dump, so that it is found again after a restore; null once it was dropped.
      relation regclass unique,
      -- The table for which its functions were made: another one of the same name may number its columns otherwise.
      made_for oid,
      -- Its name as it was last seen: a table that is dropped and made anew under the same name is watched again.
      schema_name text not null,
      table_name text not null
    );

    create table mainstay_internal.webhook_subscriptions (
      id integer generated always as identity primary key,
      endpoint_id uuid not null references mainstay_internal.webhook_endpoints (id) on delete cascade,
      place integer not null,
      -- Rows of a table …
      watch_id integer references mainstay_internal.webhook_watches (id),
      operations text[],
      filter text,
      -- The filter as SQL on "row"."c<number of the column>", and these numbers: a renamed column is still the same.
      condition text,
      condition_columns smallint[],
      -- Their names, by number, as they were last seen.
      column_names jsonb not null default '{}',
      -- What is sent of a row; null is all of it.
      columns smallint[],
      -- … or events that are announced, such as job.done or user.*, and the same for LIKE.
      pattern text,
      pattern_like text,
      -- Why it can no longer be evaluated, and what went wrong last without ending it.
      broken jsonb,
      trouble jsonb,
      check ((watch_id is null) = (pattern is not null))
    );
    create index webhook_subscriptions_endpoint on mainstay_internal.webhook_subscriptions (endpoint_id, place);
    create index webhook_subscriptions_watch on mainstay_internal.webhook_subscriptions (watch_id) where watch_id is not null;

    create sequence mainstay_internal.events_id;
    create table mainstay_internal.events (
      -- In the order of writing, so also in the order of one row's changes: who changes it next has waited for the one before.
      id bigint primary key default nextval('mainstay_internal.events_id'),
      type text not null,
      created_at timestamptz not null default clock_timestamp(),
      schema_name text,
      table_name text,
      operation text,
      -- As PostgreSQL wrote them, and never read and written again: numbers keep every digit.
      record json,
      old_record json,
      -- What was announced.
      data json,
      role text,
      subject text
    ) with (autovacuum_vacuum_insert_scale_factor = 0.2);
    create index events_age on mainstay_internal.events using brin (created_at) with (pages_per_range = 32);

    create table mainstay_internal.webhook_deliveries (
      event_id bigint not null,
      endpoint_no integer not null,
      -- Which row it is about, as a hash: of those of one row the next waits until the one before is settled.
      row_key bigint,
      state text not null default 'queued' check (state in ('queued', 'done', 'dead', 'cancelled')),
      attempts smallint not null default 0,
      next_at timestamptz not null default clock_timestamp(),
      finished_at timestamptz,
      last_status smallint,
      last_error text,
      primary key (event_id, endpoint_no)
    ) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
    create index webhook_deliveries_of_endpoint on mainstay_internal.webhook_deliveries (endpoint_no, event_id);
    create index webhook_deliveries_due on mainstay_internal.webhook_deliveries (endpoint_no, next_at, event_id) where state = 'queued';
    create index webhook_deliveries_of_row on mainstay_internal.webhook_deliveries (endpoint_no, row_key, event_id) where state = 'queued' and row_key is not null;
    create index webhook_deliveries_dead on mainstay_internal.webhook_deliveries (endpoint_no, event_id) where state = 'dead';

    create table mainstay_internal.webhook_attempts (
      id bigint generated always as identity primary key,
      event_id bigint not null,
      endpoint_no integer not null,
      number smallint not null,
      at timestamptz not null,
      ms integer not null,
      url text not null,
      -- What differs from try to try, with the names of the endpoint's own headers and not their values.
      request_headers json not null,
      status smallint,
      answer_headers json,
      answer_body bytea,
      is_cut boolean not null default false,
      error json
    );
    create index webhook_attempts_of_delivery on mainstay_internal.webhook_attempts (event_id, endpoint_no);

    -- What a trigger met when it evaluated a subscription: it must not fail the writer, so it leaves word here.
    create table mainstay_internal.webhook_breaks (
      id bigint generated always as identity primary key,
      subscription_id integer not null,
      sqlstate text not null,
      message text not null,
      at timestamptz not null default clock_timestamp()
    );

    -- One row. As with the relay, a NOTIFY is sent only while no feeder is awake to see new deliveries by itself.
    create table mainstay_internal.webhook_feeder (is_only_row boolean primary key default true check (is_only_row), is_asleep boolean not null default true);
    insert into mainstay_internal.webhook_feeder default values;

    -- One by one: the triggers' owner may write what it must, and nothing else.
    grant usage on schema mainstay_internal to mainstay_watcher;
    grant usage on schema extensions to mainstay_watcher;
    grant usage on sequence mainstay_internal.events_id to mainstay_watcher;
    grant insert on mainstay_internal.events, mainstay_internal.webhook_deliveries, mainstay_internal.webhook_breaks to mainstay_watcher;
    grant select on mainstay_internal.webhook_feeder to mainstay_watcher;

    grant select, insert, update, delete on mainstay_internal.webhook_endpoints, mainstay_internal.webhook_subscriptions to mainstay_api;
    grant select, insert on mainstay_internal.webhook_watches to mainstay_api;
    grant select on mainstay_internal.events, mainstay_internal.webhook_attempts to mainstay_api;
    grant select, update on mainstay_internal.webhook_deliveries to mainstay_api;

    grant select, update on mainstay_internal.webhook_endpoints, mainstay_internal.webhook_subscriptions, mainstay_internal.webhook_feeder to mainstay_worker;
    grant select on mainstay_internal.webhook_watches to mainstay_worker;
    grant select, delete on mainstay_internal.events to mainstay_worker;
    grant select, update, delete on mainstay_internal.webhook_breaks to mainstay_worker;
    grant select, update, delete on mainstay_internal.webhook_deliveries to mainstay_worker;
    grant select, insert, delete on mainstay_internal.webhook_attempts to mainstay_worker;

    -- Webhooks are the service key's alone: nobody's claims own a null.
    do $$
      declare
        made text;
      begin
        foreach made in array array['webhook_endpoints', 'webhook_subscriptions', 'webhook_watches', 'events', 'webhook_deliveries', 'webhook_attempts', 'webhook_breaks'] loop
          execute format('alter table mainstay_internal.%I enable row level security', made);
          execute format('create policy of_the_service on mainstay_internal.%I to mainstay_api using ((select mainstay_internal.owns(null))) with check ((select mainstay_internal.owns(null)))', made);
          execute format('create policy all_of_them on mainstay_internal.%I to mainstay_worker using (true) with check (true)', made);
          execute format('create policy all_of_them_too on mainstay_internal.%I to mainstay_watcher using (true) with check (true)', made);
        end loop;
      end
    $$;
  `,
};
