import type { HouseMigration } from './house-migration.ts';

/**
 * Events that are no rows of a user's table: how jobs and imports ended, and what accounts did. They are written by triggers on
 * our own tables, which ask first whether anybody wants such an event: a look at a handful of rows.
 */
export const announcements: HouseMigration = {
  name: '0060-announcements',
  sql: `
    create function mainstay_internal.is_wanted(event_type text) returns boolean language sql stable set search_path = '' as $$
      select exists (select from mainstay_internal.webhook_subscriptions where pattern is not null and event_type like pattern_like)
    $$;

    create function mainstay_internal.announce(event_type text, payload jsonb, row_key bigint default null) returns void
      language plpgsql security definer set search_path = '' as $$
        declare
          wanting integer[] := array(
            select distinct no from mainstay_internal.webhook_subscriptions join mainstay_internal.webhook_endpoints on webhook_endpoints.id = endpoint_id
            where pattern is not null and event_type like pattern_like and state <> 'disabled'
          );
          made bigint;
        begin
          if cardinality(wanting) = 0 then
            return;
          end if;
          insert into mainstay_internal.events (type, data, role, subject)
          values (event_type, payload, current_setting('role'), nullif(current_setting('request.jwt.claim.sub', true), '')) returning id into made;
          insert into mainstay_internal.webhook_deliveries (event_id, endpoint_no, row_key) select made, no, announce.row_key from unnest(wanting) as no;
          perform mainstay_internal.wake_feeder();
        end
      $$;

    -- For one endpoint alone, to try it.
    create function mainstay_internal.put_test_event(endpoint integer, payload jsonb) returns bigint language plpgsql security definer set search_path = '' as $$
      declare
        made bigint;
      begin
        insert into mainstay_internal.events (type, data) values ('webhook.test', payload) returning id into made;
        insert into mainstay_internal.webhook_deliveries (event_id, endpoint_no) values (made, endpoint);
        perform mainstay_internal.wake_feeder();
        return made;
      end
    $$;

    create function mainstay_internal.announce_job() returns trigger language plpgsql security definer set search_path = '' as $$
      begin
        if mainstay_internal.is_wanted('job.' || new.state) then
          perform mainstay_internal.announce('job.' || new.state, jsonb_build_object(
            'id', new.id, 'kind', new.kind, 'queue', new.queue, 'state', new.state, 'owner', new.owner, 'payload', new.payload, 'attempts', new.attempts, 'max_attempts', new.max_attempts,
            'result', new.result, 'error', new.error, 'created_at', new.created_at, 'started_at', new.started_at, 'finished_at', new.finished_at
          ), hashtextextended(new.id::text, 0));
        end if;
        return null;
      end
    $$;
    -- The house's own chores are nobody's business; and a delivery whose end were an event would never end.
    create trigger announce_job after update of state on mainstay_internal.jobs
      for each row when (new.state is distinct from old.state and new.state in ('done', 'failed', 'dead', 'cancelled')
        and new.kind not in ('deliver-events', 'sweep-over', 'ping', 'send-message'))
      execute function mainstay_internal.announce_job();

    create function mainstay_internal.announce_import() returns trigger language plpgsql security definer set search_path = '' as $$
      begin
        if mainstay_internal.is_wanted('import.' || new.state) then
          perform mainstay_internal.announce('import.' || new.state, jsonb_build_object(
            'id', new.id, 'collection', new.collection_schema || '.' || new.collection_name, 'state', new.state, 'mode', new.mode, 'format', new.format, 'owner', new.owner,
            'rows_read', new.rows_read, 'rows_written', new.rows_written, 'rows_rejected', new.rows_rejected, 'bytes_total', new.bytes_total,
            'error', new.error, 'job_id', new.job_id, 'created_at', new.created_at, 'started_at', new.started_at, 'finished_at', new.finished_at
          ), hashtextextended(new.id::text, 0));
        end if;
        return null;
      end
    $$;
    create trigger announce_import after update of state on mainstay_internal.imports
      for each row when (new.state is distinct from old.state and new.state in ('done', 'failed', 'dead', 'cancelled'))
      execute function mainstay_internal.announce_import();

    -- The audit log says in GoTrue's words what happened; most are passed on as they are.
    create function mainstay_internal.announce_account() returns trigger language plpgsql security definer set search_path = '' as $$
      declare
        event_type text := 'user.' || case new.payload ->> 'action'
          when 'user_signedup' then 'signed_up' when 'login' then 'signed_in' when 'mfa_code_login' then 'signed_in' when 'logout' then 'signed_out' when 'user_modified' then 'updated'
          when 'user_updated_password' then 'password_changed' when 'user_deleted' then 'deleted' when 'user_invited' then 'invited'
          else regexp_replace(new.payload ->> 'action', '^user_', '') end;
        about text := coalesce(new.payload -> 'traits' ->> 'user_id', new.payload ->> 'actor_id');
      begin
        if event_type is not null and mainstay_internal.is_wanted(event_type) then
          perform mainstay_internal.announce(event_type, jsonb_build_object(
            'action', new.payload ->> 'action', 'user_id', about,
            'actor', jsonb_build_object('id', new.payload ->> 'actor_id', 'username', new.payload ->> 'actor_username', 'is_sso', new.payload -> 'actor_via_sso'),
            'traits', new.payload -> 'traits', 'ip_address', nullif(new.ip_address, ''), 'created_at', new.created_at
          ), hashtextextended(about, 0));
        end if;
        return null;
      end
    $$;
    set local role none;
    create trigger mainstay_announce_account after insert on auth.audit_log_entries for each row execute function mainstay_internal.announce_account();
    set local role supabase_admin;

    revoke execute on function mainstay_internal.is_wanted(text), mainstay_internal.announce(text, jsonb, bigint), mainstay_internal.announce_job(), mainstay_internal.announce_import(),
      mainstay_internal.announce_account(), mainstay_internal.put_test_event(integer, jsonb) from public;
    grant execute on function mainstay_internal.put_test_event(integer, jsonb) to mainstay_api;
    grant execute on function mainstay_internal.announce(text, jsonb, bigint) to mainstay_api, mainstay_worker;
  `,
};
