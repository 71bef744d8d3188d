import { asOwner } from './as-owner.ts';
import type { HouseMigration } from './house-migration.ts';

/**
 * Who may enter which schema. The schemas themselves are made by `prepareDatabase`, with `supabase_admin` as owner:
 * the Supabase CLI's `db reset` drops every schema that belongs to somebody else.
 * Grants stand here and not there, so that what an operator takes away later stays away.
 */
export const schemas: HouseMigration = {
  name: '0001-schemas',
  sql: `
    grant usage on schema auth, storage, realtime, extensions, graphql_public, mainstay to anon, authenticated, service_role;
    grant all on schema auth, extensions, graphql_public to postgres;
    grant usage on schema storage, realtime, vault, mainstay to postgres;
    grant usage on schema extensions to supabase_auth_admin, supabase_storage_admin, supabase_realtime_admin, mainstay_worker;
    grant all on schema auth to supabase_auth_admin;
    grant all on schema storage to supabase_storage_admin;
    grant all on schema realtime to supabase_realtime_admin;

    -- Nothing in here is granted to callers: the services' own logins enter, and row policies decide what they see.
    grant usage on schema mainstay_internal to mainstay_api, mainstay_worker;

    -- Whose row is it? For policies on our own tables: the caller's claims decide, not the login's role.
    -- Parsed now (RETURN, no string), so it needs no search_path and PostgreSQL may inline it into the policy.
    create function mainstay_internal.owns(owner text) returns boolean language sql stable
      return coalesce(
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role' = 'service_role'
        or nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub' = owner, false);
    grant execute on function mainstay_internal.owns(text) to mainstay_api, mainstay_worker;

    ${asOwner('postgres', `
      grant usage on schema public to anon, authenticated, service_role;
      alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
      alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;
      alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
    `)}
  `,
};
