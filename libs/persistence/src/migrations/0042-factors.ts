import { asOwner } from './as-owner.ts';
import type { HouseMigration } from './house-migration.ts';

/** Passkeys, recovery codes, and what makes a code good once. The tables of GoTrue's own names have its columns. */
export const factorTables: HouseMigration = {
  name: '0042-factors',
  sql: `
    ${asOwner('supabase_auth_admin', `
      alter type auth.factor_type add value if not exists 'recovery_code';

      create table auth.webauthn_credentials (
        id uuid primary key default gen_random_uuid(),
        user_id uuid not null references auth.users (id) on delete cascade,
        credential_id bytea not null constraint webauthn_credentials_credential_id_key unique,
        public_key bytea not null,
        attestation_type text not null default '',
        aaguid uuid,
        sign_count bigint not null default 0,
        transports jsonb not null default '[]',
        backup_eligible boolean not null default false,
        backed_up boolean not null default false,
        friendly_name text not null default '',
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        last_used_at timestamptz
      );
      create index webauthn_credentials_user_id_idx on auth.webauthn_credentials (user_id);

      create table auth.webauthn_challenges (
        id uuid primary key default gen_random_uuid(),
        -- Null where it is not yet known who signs in.
        user_id uuid references auth.users (id) on delete cascade,
        challenge_type text not null constraint webauthn_challenges_challenge_type_check check (challenge_type in ('signup', 'registration', 'authentication')),
        session_data jsonb not null,
        created_at timestamptz not null default now(),
        expires_at timestamptz not null
      );
      create index webauthn_challenges_user_id_idx on auth.webauthn_challenges (user_id);
      create index webauthn_challenges_expires_at_idx on auth.webauthn_challenges (expires_at);

      create table auth.mfa_recovery_codes (
        id uuid primary key default gen_random_uuid(),
        mfa_factor_id uuid not null references auth.mfa_factors (id) on delete cascade,
        code_hash text not null,
        created_at timestamptz not null default now(),
        used_at timestamptz,
        constraint mfa_recovery_codes_factor_code_key unique (mfa_factor_id, code_hash)
      );

      -- The last step of time for which a factor's code was taken: it and those before it are never taken again.
      create table auth.mfa_factor_steps (
        factor_id uuid primary key references auth.mfa_factors (id) on delete cascade,
        step bigint not null
      );

      alter table auth.webauthn_credentials enable row level security;
      alter table auth.webauthn_challenges enable row level security;
      alter table auth.mfa_recovery_codes enable row level security;
      alter table auth.mfa_factor_steps enable row level security;
      grant all on auth.webauthn_credentials, auth.webauthn_challenges, auth.mfa_recovery_codes, auth.mfa_factor_steps to postgres with grant option;
    `)}

    create function mainstay_internal.sweep_factors(in_limit integer) returns integer
      language plpgsql volatile security definer set search_path = '' as $$
        declare
          asked integer;
          begun integer;
        begin
          delete from auth.mfa_challenges where id in (select id from auth.mfa_challenges where created_at < now() - interval '1 day' limit in_limit);
          get diagnostics asked = row_count;
          delete from auth.webauthn_challenges where id in (select id from auth.webauthn_challenges where expires_at < now() - interval '1 hour' limit in_limit);
          get diagnostics begun = row_count;
          return asked + begun;
        end
      $$;
    revoke execute on function mainstay_internal.sweep_factors from public;
    grant execute on function mainstay_internal.sweep_factors to mainstay_worker;
    grant create on schema mainstay_internal to supabase_auth_admin;
    alter function mainstay_internal.sweep_factors(integer) owner to supabase_auth_admin;
    revoke create on schema mainstay_internal from supabase_auth_admin;
  `,
};
