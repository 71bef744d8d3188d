import type { HouseMigration } from './house-migration.ts';

/**
 * Idempotency for the data API, whose login may read nothing. The two functions are all that it may do in here: they run as
 * the owner of the table, and only that login may call them, before and after it has the caller's role, never with it.
 */
export const keptReplies: HouseMigration = {
  name: '0030-kept-replies',
  sql: `
    -- A media type of the database's own may be bytes: they are kept as base64.
    alter table mainstay_internal.idempotency_keys add column is_binary boolean not null default false;

    -- Takes the key for the rest of the transaction and looks whether it has been answered: 'new', 'in flight', 'other' request, or 'kept'.
    create function mainstay_internal.recall_reply(in_owner text, in_key text, in_method text, in_path text, in_hash bytea,
      out state text, out status integer, out headers text, out body text, out is_binary boolean)
      language plpgsql volatile security definer set search_path = '' as $$
        declare
          found_row mainstay_internal.idempotency_keys;
        begin
          -- The lock of recallAnswer, so that both ways to take a key exclude each other.
          if not pg_try_advisory_xact_lock(hashtextextended('["idempotency",' || to_json(in_owner)::text || ',' || to_json(in_key)::text || ']', 7)) then
            state := 'in flight';
            return;
          end if;
          select * into found_row from mainstay_internal.idempotency_keys as kept
          where kept.owner = in_owner and kept.key = in_key and kept.created_at > now() - interval '24 hours';
          if not found then
            state := 'new';
          elsif (found_row.method, found_row.path, found_row.body_hash) is distinct from (in_method, in_path, in_hash) then
            state := 'other';
          else
            state := 'kept';
            status := found_row.status;
            headers := found_row.headers::text;
            body := found_row.body;
            is_binary := found_row.is_binary;
          end if;
        end
      $$;

    create function mainstay_internal.keep_reply(in_owner text, in_key text, in_method text, in_path text, in_hash bytea,
      in_status integer, in_headers jsonb, in_body text, in_is_binary boolean) returns void
      language sql volatile security definer set search_path = '' as $$
        insert into mainstay_internal.idempotency_keys as kept (owner, key, method, path, body_hash, status, headers, body, is_binary)
        values (in_owner, in_key, in_method, in_path, in_hash, in_status, in_headers, in_body, in_is_binary)
        on conflict (owner, key) do update set method = excluded.method, path = excluded.path, body_hash = excluded.body_hash,
          status = excluded.status, headers = excluded.headers, body = excluded.body, is_binary = excluded.is_binary, created_at = now()
      $$;

    revoke execute on function mainstay_internal.recall_reply, mainstay_internal.keep_reply from public;
    grant usage on schema mainstay_internal to authenticator;
    grant execute on function mainstay_internal.recall_reply, mainstay_internal.keep_reply to authenticator;
  `,
};
