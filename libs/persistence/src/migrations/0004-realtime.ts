import { asOwner } from './as-owner.ts';
import type { HouseMigration } from './house-migration.ts';

/** Messages sent from SQL, and who may send and receive them: rows now, delivery once the realtime service reads them. */
export const realtime: HouseMigration = {
  name: '0004-realtime',
  sql: asOwner('supabase_realtime_admin', `
    create table realtime.messages (
      topic text not null,
      extension text not null,
      payload jsonb,
      event text,
      private boolean default false,
      updated_at timestamp not null default now(),
      inserted_at timestamp not null default now(),
      id uuid not null default gen_random_uuid(),
      primary key (id, inserted_at)
    ) partition by range (inserted_at);
    -- Every message finds a place, whether or not a partition was made for its day.
    create table realtime.messages_default partition of realtime.messages default;
    create index messages_inserted_at_topic_index on realtime.messages (inserted_at desc, topic) where extension = 'broadcast' and private is true;

    alter table realtime.messages enable row level security;
    alter table realtime.messages_default enable row level security;
    grant select, insert, update on realtime.messages to anon, authenticated, service_role;
    grant all on realtime.messages to postgres with grant option;

    create function realtime.topic() returns text language sql stable
      return nullif(current_setting('realtime.topic', true), '');

    -- A message that cannot be sent is worth a warning, not the transaction that wanted to send it.
    create function realtime.send(payload jsonb, event text, topic text, private boolean default true) returns void
    language plpgsql set search_path = '' as $$
      begin
        perform set_config('realtime.topic', topic, true);
        insert into realtime.messages (payload, event, topic, private, extension) values (payload, event, topic, private, 'broadcast');
      exception when others then
        raise warning 'ErrorSendingBroadcastMessage: %', sqlerrm;
      end
    $$;

    create function realtime.broadcast_changes(
      topic_name text, event_name text, operation text, table_name text, table_schema text, new record, old record, level text default 'ROW')
    returns void language plpgsql set search_path = '' as $$
      begin
        if level = 'STATEMENT' then
          raise exception 'function can only be triggered for each row, not for each statement';
        end if;
        if operation not in ('INSERT', 'UPDATE', 'DELETE') then
          raise exception 'Unexpected operation type: %', operation;
        end if;
        perform realtime.send(
          jsonb_build_object('old_record', old, 'record', new, 'operation', operation, 'table', table_name, 'schema', table_schema),
          event_name, topic_name);
      end
    $$;
  `),
};
