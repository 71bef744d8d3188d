import type { HouseMigration } from './house-migration.ts';

/**
 * API keys by name, as digests, and the keys that sign access tokens, sealed. They are managed as `supabase_auth_admin`, beside the
 * audit log that tells of it; every api hears of a change at once.
 */
export const keyTables: HouseMigration = {
  name: '0046-keys',
  sql: `
    create table mainstay_internal.api_keys (
      id uuid primary key default gen_random_uuid(),
      name text not null check (char_length(name) between 1 and 100),
      kind text not null check (kind in ('publishable', 'secret')),
      -- Of a key of high entropy: who reads this has no key.
      digest bytea not null unique,
      -- Its first letters, by which its owner knows it.
      hint text not null,
      role text not null,
      created_at timestamptz not null default clock_timestamp(),
      expires_at timestamptz,
      revoked_at timestamptz
    );
    create unique index api_keys_live_name on mainstay_internal.api_keys (name) where revoked_at is null;

    create table mainstay_internal.signing_keys (
      kid text primary key,
      alg text not null,
      -- 'standby' is published and signs next; 'previous' still verifies; 'revoked' does nothing any more.
      state text not null check (state in ('standby', 'current', 'previous', 'revoked')),
      -- Null for a shared secret, and for a key of the settings, of which only the state is kept.
      public_jwk jsonb,
      sealed text,
      created_at timestamptz not null default clock_timestamp(),
      changed_at timestamptz not null default clock_timestamp()
    );
    create unique index signing_keys_one_each on mainstay_internal.signing_keys (state) where state in ('standby', 'current');

    create function mainstay_internal.tell_of_keys() returns trigger
      language plpgsql set search_path = '' as $$
        begin
          perform pg_catalog.pg_notify('mainstay_keys', '');
          return null;
        end
      $$;
    revoke execute on function mainstay_internal.tell_of_keys from public;
    create trigger tell after insert or update or delete on mainstay_internal.api_keys for each statement execute function mainstay_internal.tell_of_keys();
    create trigger tell after insert or update or delete on mainstay_internal.signing_keys for each statement execute function mainstay_internal.tell_of_keys();

    grant select, insert, update on mainstay_internal.api_keys, mainstay_internal.signing_keys to supabase_auth_admin;
    alter table mainstay_internal.api_keys enable row level security;
    alter table mainstay_internal.signing_keys enable row level security;
    create policy all_of_them on mainstay_internal.api_keys to supabase_auth_admin using (true) with check (true);
    create policy all_of_them on mainstay_internal.signing_keys to supabase_auth_admin using (true) with check (true);

    -- The log is read newest first.
    set local role supabase_auth_admin;
    create index audit_logs_created_at_idx on auth.audit_log_entries (created_at desc);
    set local role supabase_admin;
  `,
};
