import type { HouseMigration } from './house-migration.ts';

/**
 * Any change of the schema tells every API process to read it again. The event triggers that call these functions
 * are made by `prepareDatabase`, since only a superuser may. Passed over is what changes no shape: temporary tables (an import makes
 * one per chunk), and views and indexes that are only refreshed.
 */
export const schemaWatch: HouseMigration = {
  name: '0005-schema-watch',
  sql: `
    create function mainstay_internal.tell_ddl() returns event_trigger language plpgsql set search_path = '' as $$
      begin
        if exists (select from pg_event_trigger_ddl_commands() c
          where c.schema_name is distinct from 'pg_temp' and c.command_tag not in ('REFRESH MATERIALIZED VIEW', 'REINDEX')) then
          notify pgrst, 'reload schema';
        end if;
      end
    $$;
    create function mainstay_internal.tell_drop() returns event_trigger language plpgsql set search_path = '' as $$
      begin
        if exists (select from pg_event_trigger_dropped_objects() o where not o.is_temporary) then
          notify pgrst, 'reload schema';
        end if;
      end
    $$;
  `,
};
