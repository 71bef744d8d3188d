import type { HouseMigration } from './house-migration.ts';

/**
 * Makes a table for whoever holds the service key, as role `postgres`, who owns the tables of a project: what a migration
 * of the project alters later must be its own. The function belongs to that role, so it can do no more than a migration can
 * (adr/0009). It writes its statements with quoted names and types from the catalogue, and asks the claims itself who calls.
 */
export const collectionMaker: HouseMigration = {
  name: '0021-collections',
  sql: `
    create function mainstay_internal.create_collection(in_schema text, collection text, fields jsonb, access text) returns void
      language plpgsql volatile security definer set search_path = '' as $$
        declare
          made text := format('%I.%I', in_schema, collection);
          columns text;
          keys text;
          readers text := case access when 'signed_in' then 'authenticated' when 'everyone' then 'anon, authenticated' end;
        begin
          if nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role' is distinct from 'service_role' then
            raise insufficient_privilege using message = 'only the service role may create a collection';
          end if;
          if access not in ('service', 'signed_in', 'everyone') then
            raise invalid_parameter_value using message = format('there is no access %L', access);
          end if;
          select string_agg(format('%I %s%s', field ->> 'name', type.name, case when (field ->> 'is_nullable')::boolean then '' else ' not null' end), ', ' order by place),
            string_agg(format('%I', field ->> 'name'), ', ' order by place) filter (where (field ->> 'is_primary_key')::boolean)
          into strict columns, keys
          from jsonb_array_elements(fields) with ordinality as item (field, place)
          -- The type's own name, from the catalogue: no text of the caller's becomes part of a statement unquoted.
          cross join lateral (
            select format_type(pg_type.oid, null) as name from pg_catalog.pg_type
            where pg_type.oid = to_regtype(field ->> 'type') and typnamespace = 'pg_catalog'::regnamespace and typtype = 'b'
          ) as type
          having count(*) = jsonb_array_length(fields);
          execute format('create table %s (%s%s)', made, columns, ', primary key (' || keys || ')');
          execute format('alter table %s enable row level security', made);
          execute format('alter table %s force row level security', made);
          -- Defaults of the schema may have granted more.
          execute format('revoke all on table %s from public, anon, authenticated', made);
          execute format('grant all on table %s to service_role', made);
          if readers is not null then
            execute format('grant select on table %s to %s', made, readers);
            execute format('create policy %I on %s for select to %s using (true)',
              case access when 'everyone' then 'everyone may read' else 'signed-in users may read' end, made, readers);
          end if;
        end
      $$;
    revoke execute on function mainstay_internal.create_collection(text, text, jsonb, text) from public;
    grant execute on function mainstay_internal.create_collection(text, text, jsonb, text) to mainstay_api;
    -- A new owner must be able to create in the schema at the moment it becomes the owner. Elsewhere than on the embedded
    -- server supabase_admin may not act as postgres; the administrator, whose session this is, may.
    grant create on schema mainstay_internal to postgres;
    set local role none;
    alter function mainstay_internal.create_collection(text, text, jsonb, text) owner to postgres;
    set local role supabase_admin;
    revoke create on schema mainstay_internal from postgres;
  `,
};
