import { asOwner } from './as-owner.ts';
import type { HouseMigration } from './house-migration.ts';

/**
 * Providers that the administration sets up while we run: Supabase's table by its public name, but that plain HTTP is the service's to
 * refuse, since it leads to this machine while one develops.
 */
export const customProviderTable: HouseMigration = {
  name: '0048-custom-providers',
  sql: asOwner('supabase_auth_admin', `
    create table auth.custom_oauth_providers (
      id uuid not null primary key default gen_random_uuid(),
      provider_type text not null constraint custom_oauth_providers_provider_type_check check (provider_type in ('oauth2', 'oidc')),
      identifier text not null constraint custom_oauth_providers_identifier_key unique
        constraint custom_oauth_providers_identifier_format check (identifier ~ '^[a-z0-9][a-z0-9:-]{0,48}[a-z0-9]$'),
      name text not null constraint custom_oauth_providers_name_length check (char_length(name) between 1 and 100),
      client_id text not null constraint custom_oauth_providers_client_id_length check (char_length(client_id) between 1 and 512),
      client_secret text not null,
      acceptable_client_ids text[] not null default '{}',
      scopes text[] not null default '{}',
      pkce_enabled boolean not null default true,
      attribute_mapping jsonb not null default '{}',
      authorization_params jsonb not null default '{}',
      enabled boolean not null default true,
      email_optional boolean not null default false,
      issuer text constraint custom_oauth_providers_issuer_length check (char_length(issuer) between 1 and 2048),
      discovery_url text constraint custom_oauth_providers_discovery_url_length check (char_length(discovery_url) <= 2048),
      skip_nonce_check boolean not null default false,
      cached_discovery jsonb,
      discovery_cached_at timestamptz,
      authorization_url text constraint custom_oauth_providers_authorization_url_length check (char_length(authorization_url) <= 2048),
      token_url text constraint custom_oauth_providers_token_url_length check (char_length(token_url) <= 2048),
      userinfo_url text constraint custom_oauth_providers_userinfo_url_length check (char_length(userinfo_url) <= 2048),
      jwks_uri text constraint custom_oauth_providers_jwks_uri_length check (char_length(jwks_uri) <= 2048),
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      custom_claims_allowlist text[] not null default '{}',
      constraint custom_oauth_providers_oidc_requires_issuer check (provider_type <> 'oidc' or issuer is not null),
      constraint custom_oauth_providers_oauth2_requires_endpoints check (provider_type <> 'oauth2' or (authorization_url is not null and token_url is not null and userinfo_url is not null))
    );
    create index custom_oauth_providers_created_at_idx on auth.custom_oauth_providers (created_at);
    alter table auth.custom_oauth_providers enable row level security;
    grant all on auth.custom_oauth_providers to postgres with grant option;
  `),
};
