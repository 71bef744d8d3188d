import { asOwner } from './as-owner.ts';
import type { HouseMigration } from './house-migration.ts';

/**
 * Sign-in by other providers, and the project as a provider for others: Supabase's columns and tables, by their public names.
 * `auth.oauth_client_states` holds what a way out to a provider is good for, once; the verifier itself is derived and never stored.
 */
export const oauthTables: HouseMigration = {
  name: '0044-oauth',
  sql: asOwner('supabase_auth_admin', `
    alter table auth.flow_state add column invite_token text, add column referrer text, add column oauth_client_state_id uuid, add column linking_target_id uuid,
      add column email_optional boolean not null default false;

    create table auth.oauth_client_states (
      id uuid not null primary key,
      provider_type text not null,
      code_verifier text,
      created_at timestamptz not null
    );
    create index idx_oauth_client_states_created_at on auth.oauth_client_states (created_at);

    create type auth.oauth_registration_type as enum ('dynamic', 'manual');
    create type auth.oauth_client_type as enum ('public', 'confidential');
    create type auth.oauth_authorization_status as enum ('pending', 'approved', 'denied', 'expired');
    create type auth.oauth_response_type as enum ('code');

    create table auth.oauth_clients (
      id uuid not null primary key,
      client_secret_hash text,
      registration_type auth.oauth_registration_type not null,
      redirect_uris text not null,
      grant_types text not null,
      client_name text constraint oauth_clients_client_name_length check (char_length(client_name) <= 1024),
      client_uri text constraint oauth_clients_client_uri_length check (char_length(client_uri) <= 2048),
      logo_uri text constraint oauth_clients_logo_uri_length check (char_length(logo_uri) <= 2048),
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      deleted_at timestamptz,
      client_type auth.oauth_client_type not null default 'confidential',
      token_endpoint_auth_method text not null
        constraint oauth_clients_token_endpoint_auth_method_check check (token_endpoint_auth_method in ('client_secret_basic', 'client_secret_post', 'none'))
    );
    create index oauth_clients_deleted_at_idx on auth.oauth_clients (deleted_at);

    create table auth.oauth_authorizations (
      id uuid not null primary key,
      authorization_id text not null unique,
      client_id uuid not null references auth.oauth_clients (id) on delete cascade,
      user_id uuid references auth.users (id) on delete cascade,
      redirect_uri text not null constraint oauth_authorizations_redirect_uri_length check (char_length(redirect_uri) <= 2048),
      scope text not null constraint oauth_authorizations_scope_length check (char_length(scope) <= 4096),
      state text constraint oauth_authorizations_state_length check (char_length(state) <= 4096),
      resource text constraint oauth_authorizations_resource_length check (char_length(resource) <= 2048),
      code_challenge text constraint oauth_authorizations_code_challenge_length check (char_length(code_challenge) <= 128),
      code_challenge_method auth.code_challenge_method,
      response_type auth.oauth_response_type not null default 'code',
      status auth.oauth_authorization_status not null default 'pending',
      authorization_code text unique constraint oauth_authorizations_authorization_code_length check (char_length(authorization_code) <= 255),
      created_at timestamptz not null default now(),
      expires_at timestamptz not null default now() + interval '3 minutes',
      approved_at timestamptz,
      nonce text constraint oauth_authorizations_nonce_length check (char_length(nonce) <= 255),
      constraint oauth_authorizations_expires_at_future check (expires_at > created_at)
    );
    create index oauth_auth_pending_exp_idx on auth.oauth_authorizations (expires_at) where status = 'pending';

    create table auth.oauth_consents (
      id uuid not null primary key,
      user_id uuid not null references auth.users (id) on delete cascade,
      client_id uuid not null references auth.oauth_clients (id) on delete cascade,
      scopes text not null
        constraint oauth_consents_scopes_length check (char_length(scopes) <= 2048)
        constraint oauth_consents_scopes_not_empty check (char_length(trim(both from scopes)) > 0),
      granted_at timestamptz not null default now(),
      revoked_at timestamptz,
      constraint oauth_consents_revoked_after_granted check (revoked_at is null or revoked_at >= granted_at),
      constraint oauth_consents_user_client_unique unique (user_id, client_id)
    );
    create index oauth_consents_user_order_idx on auth.oauth_consents (user_id, granted_at desc);
    create index oauth_consents_active_client_idx on auth.oauth_consents (client_id) where revoked_at is null;
    create index oauth_consents_active_user_client_idx on auth.oauth_consents (user_id, client_id) where revoked_at is null;

    alter table auth.sessions add constraint sessions_oauth_client_id_fkey foreign key (oauth_client_id) references auth.oauth_clients (id) on delete cascade;
    create index sessions_oauth_client_id_idx on auth.sessions (oauth_client_id);

    alter table auth.oauth_client_states enable row level security;
    alter table auth.oauth_clients enable row level security;
    alter table auth.oauth_authorizations enable row level security;
    alter table auth.oauth_consents enable row level security;
    grant all on auth.oauth_client_states, auth.oauth_clients, auth.oauth_authorizations, auth.oauth_consents to postgres with grant option;
  `) + `
    -- What is worn out goes, with what 0041 sweeps. The function keeps its owner.
    create or replace function mainstay_internal.sweep_accounts(in_limit integer) returns integer
      language plpgsql volatile security definer set search_path = '' as $$
        declare
          flows integer;
          tokens integer;
          states integer;
          authorizations integer;
        begin
          delete from auth.flow_state where id in (select id from auth.flow_state where created_at < now() - interval '1 day' limit in_limit);
          get diagnostics flows = row_count;
          delete from auth.one_time_tokens where id in (select id from auth.one_time_tokens where created_at < (now() at time zone 'utc') - interval '8 days' limit in_limit);
          get diagnostics tokens = row_count;
          delete from auth.oauth_client_states where id in (select id from auth.oauth_client_states where created_at < now() - interval '1 day' limit in_limit);
          get diagnostics states = row_count;
          delete from auth.oauth_authorizations where id in (select id from auth.oauth_authorizations where expires_at < now() - interval '7 days' limit in_limit);
          get diagnostics authorizations = row_count;
          return flows + tokens + states + authorizations;
        end
      $$;
  `,
};
