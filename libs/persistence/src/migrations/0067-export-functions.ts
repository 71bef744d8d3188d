import { asOwner } from './as-owner.ts';
import type { HouseMigration } from './house-migration.ts';
import { ownName, sayWho, seesAll } from './who-asks.ts';

const shown = `select id, format('%I.%I', collection_schema, collection_name) as collection, query, format, state, rows_written as rows, bytes_written as bytes, error, owner, role,
          created_at, started_at, finished_at, expires_at
        from mainstay_internal.exports`;

/**
 * Exports in SQL: `mainstay.export(…)` asks for a file as whoever calls it, so a schedule of it is a scheduled export. It writes to
 * the view `mainstay.exports`, which is the door for the reason that `mainstay.jobs` is one (0051): a trigger that runs as its caller
 * knows who that is.
 */
export const exportFunctions: HouseMigration = {
  name: '0067-export-functions',
  sql: `
    -- As whom it was asked for; of its job in any case, and here to be shown.
    alter table mainstay_internal.exports add column role text;

    -- For whom the caller of this says: only for our own logins. Query and options are read by the worker, which knows the language.
    create function mainstay_internal.enqueue_export(schema text, name text, query text, format text, owner text, role text, claims jsonb) returns uuid
      language plpgsql volatile security definer set search_path = '' as $$
        declare
          made uuid := mainstay_internal.uuid_v7();
          job uuid;
        begin
          perform mainstay_internal.check_terms(enqueue_export.role, enqueue_export.owner, null, null, null, 'functions', null, null);
          if enqueue_export.format not in ('csv', 'ndjson', 'xlsx', 'parquet') then
            raise invalid_parameter_value using message = pg_catalog.format('there is no format %s', quote_literal(enqueue_export.format)), hint = 'Formats: csv, ndjson, xlsx, parquet.';
          elsif not exists (
            select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
            where n.nspname = enqueue_export.schema and c.relname = enqueue_export.name and c.relkind in ('r', 'p', 'v', 'm', 'f')
          ) then
            raise undefined_table using message = pg_catalog.format('there is no collection %I.%I', enqueue_export.schema, enqueue_export.name);
          end if;
          insert into mainstay_internal.exports (id, owner, role, collection_schema, collection_name, query, format, options)
          values (made, enqueue_export.owner, enqueue_export.role, enqueue_export.schema, enqueue_export.name, coalesce(enqueue_export.query, ''), enqueue_export.format, '{}');
          job := mainstay_internal.enqueue_job(kind => 'export-rows', queue => 'exports', payload => jsonb_build_object('exportId', made),
            owner => enqueue_export.owner, role => enqueue_export.role, claims => enqueue_export.claims, unique_key => made::text);
          update mainstay_internal.exports set job_id = job, subject = (select jobs.subject from mainstay_internal.jobs where jobs.id = job) where exports.id = made;
          return made;
        end
      $$;

    ${sayWho('mainstay_internal.say_who_exports', 'collections')}

    grant create on schema mainstay, mainstay_internal to mainstay_viewer;
    grant select on mainstay_internal.exports to mainstay_viewer;
    grant execute on function mainstay_internal.enqueue_export to mainstay_viewer;
    create policy of_the_reader on mainstay_internal.exports for select to mainstay_viewer using (${seesAll} or owner = ${ownName});

    ${asOwner('mainstay_viewer', `
      create view mainstay.exports with (security_barrier) as
        ${shown} where ${seesAll}
        union all
        ${shown} where owner = ${ownName} and not ${seesAll};

      create function mainstay_internal.make_export() returns trigger
        language plpgsql volatile security definer set search_path = '' as $$
          declare
            parts text[] := parse_ident(new.collection);
            claims jsonb := nullif(current_setting('request.jwt.claims', true), '');
          begin
            if array_length(parts, 1) <> 2 then
              raise invalid_parameter_value using message = format('%s is no name of a collection', quote_literal(new.collection)), hint = 'Such as orders or public.orders.';
            end if;
            new.owner := case when new.role in ('service_role', 'postgres') then 'service_role' else coalesce(claims ->> 'sub', 'role ' || new.role) end;
            new.id := mainstay_internal.enqueue_export(schema => parts[1], name => parts[2], query => new.query, format => coalesce(new.format, 'csv'), owner => new.owner, role => new.role,
              claims => coalesce(claims, jsonb_build_object('role', new.role)));
            return new;
          end
        $$;

      create trigger a_say_who instead of insert on mainstay.exports for each row execute function mainstay_internal.say_who_exports();
      create trigger b_make_export instead of insert on mainstay.exports for each row execute function mainstay_internal.make_export();
      revoke execute on function mainstay_internal.make_export from public;
      grant select, insert (collection, query, format) on mainstay.exports to authenticated, service_role, postgres;
    `)}
    revoke create on schema mainstay, mainstay_internal from mainstay_viewer;
    revoke execute on function mainstay_internal.enqueue_export, mainstay_internal.say_who_exports from public;

    -- Has a file made of a collection after this transaction has committed, as whoever asks. Bound when it is made, so it needs no
    -- search_path, and must have none: a name without a schema is found where the caller would find it.
    create function mainstay.export(collection text, query text default '', format text default 'csv') returns uuid
      language sql volatile
      begin atomic
        insert into mainstay.exports (collection, query, format) values (export.collection, export.query, export.format) returning id;
      end;
    comment on function mainstay.export(text, text, text) is 'Has a collection written to a file after this transaction has committed, as whoever asks; query and options as in /exports/v1.';
    revoke execute on function mainstay.export from public;
    grant execute on function mainstay.export to authenticated, service_role, postgres;
  `,
};
