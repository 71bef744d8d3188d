/**
 * Who asks, for the views of schema `mainstay` that are doors to our own tables: there `current_user` is who reads them.
 * All rows are for these roles, and for the service key by its claims.
 */
export const seesAll = `(current_user in ('postgres', 'service_role', 'supabase_admin')
        or coalesce(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role' = 'service_role', false))`;

/** The name by which one's own rows are known. */
export const ownName = `nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'`;

interface Named {
  /** The view's column that holds a name with or without its schema. */
  readonly column: string;
  readonly what: string;
  readonly hint: string;
  /** The catalogue in which such names are, and its columns for schema and name. */
  readonly catalogue: 'pg_proc' | 'pg_class';
  readonly schemaColumn: string;
  readonly nameColumn: string;
}

const functions: Named = { column: 'function', what: 'function', hint: 'Such as public.send_invoice, without parentheses.', catalogue: 'pg_proc', schemaColumn: 'pronamespace', nameColumn: 'proname' };
const collections: Named = { column: 'collection', what: 'collection', hint: 'Such as orders or public.orders.', catalogue: 'pg_class', schemaColumn: 'relnamespace', nameColumn: 'relname' };

/**
 * A trigger function for such a view, the first of its triggers. It runs as who asks: the role is written down before anything
 * that runs as its owner sees the row, and a name without a schema is looked up where the caller would find it.
 */
export function sayWho(name: string, about: 'functions' | 'collections'): string {
  const { column, what, hint, catalogue, schemaColumn, nameColumn } = about === 'functions' ? functions : collections;
  return `
    create function ${name}() returns trigger
      language plpgsql volatile as $$
        declare
          parts text[];
          home name;
        begin
          new.role := current_user;
          -- Nearly every name is a plain one. The block below is a subtransaction, and thousands of those in one transaction slow down everybody.
          if new.${column} operator(pg_catalog.~) '^[a-z_][a-z0-9_]*([.][a-z_][a-z0-9_]*)?$' then
            parts := pg_catalog.string_to_array(new.${column}, '.');
          else
            begin
              parts := pg_catalog.parse_ident(new.${column});
            exception when invalid_parameter_value then
              raise invalid_parameter_value using message = pg_catalog.format('%s is no name of a ${what}', pg_catalog.quote_literal(new.${column})), hint = '${hint}';
            end;
          end if;
          if pg_catalog.array_length(parts, 1) operator(pg_catalog.=) 1 then
            select n.nspname into home from pg_catalog.unnest(pg_catalog.current_schemas(false)) with ordinality as path (schema, place)
            join pg_catalog.pg_namespace n on n.nspname operator(pg_catalog.=) path.schema
            where exists (select from pg_catalog.${catalogue} c where c.${schemaColumn} operator(pg_catalog.=) n.oid and c.${nameColumn} operator(pg_catalog.=) parts[1]::pg_catalog.name)
            order by path.place limit 1;
            new.${column} := pg_catalog.format('%I.%I', coalesce(home, 'public'), parts[1]);
          end if;
          return new;
        end
      $$;`;
}
