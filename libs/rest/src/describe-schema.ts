import type { Description } from '@mainstay/dialect';
import type { Database } from '@mainstay/persistence';

/** Whose rights decide what is described; null is the login itself, who sees everything. */
export interface DescribeTerms {
  readonly schema: string;
  readonly role: string | null;
  /** Leaves out what the role may not use. */
  readonly followsPrivileges: boolean;
}

/** Reads what a schema shows of itself: one statement, one document. */
export async function describeSchema(database: Database, { schema, role, followsPrivileges }: DescribeTerms): Promise<Description> {
  // With an empty path every name that is not PostgreSQL's own is written with its schema.
  const session = { role, settings: { search_path: '' }, isReadOnly: true };
  const { rows } = await database.once(session, { text: descriptionSql, values: [schema, String(followsPrivileges)] });
  return JSON.parse(rows[0]![0]!) as Description;
}

const descriptionSql = `
with recursive place as (
  select oid, nspname from pg_namespace where nspname = $1
), domains as (
  select oid, oid as base from pg_type where typtype <> 'd'
  union all
  select t.oid, d.base from pg_type t join domains d on d.oid = t.typbasetype where t.typtype = 'd'
), types as (
  -- Every type by the one below its domains; a list by its element.
  select d.oid, json_build_object('schema', n.nspname, 'name', b.typname, 'isList', l.oid is not null) as ref, b.oid as element
  from domains d
  left join pg_type l on l.oid = d.base and l.typelem <> 0 and l.typlen = -1 and l.typcategory = 'A'
  join pg_type b on b.oid = coalesce((select e.base from domains e where e.oid = l.typelem), d.base)
  join pg_namespace n on n.oid = b.typnamespace
), relations as (
  select c.oid, c.relname, c.relkind, c.reltype, obj_description(c.oid, 'pg_class') as comment, pg_relation_is_updatable(c.oid::regclass, true) as may
  from pg_class c join place on place.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
    and (not $2::boolean or pg_has_role(c.relowner, 'usage')
      or has_table_privilege(c.oid, 'select, insert, update, delete, truncate, references, trigger')
      or has_any_column_privilege(c.oid, 'select, insert, update, references'))
), columns as (
  select a.attrelid, json_agg(json_build_object(
      'name', a.attname,
      'comment', col_description(a.attrelid, a.attnum),
      'format', case
        when t.typtype = 'd' and bn.nspname = 'pg_catalog' then format_type(d.base, null)
        when t.typtype <> 'd' and tn.nspname = 'pg_catalog' then format_type(a.atttypid, null)
        else format_type(a.atttypid, a.atttypmod) end,
      'type', r.ref,
      'isNullable', not (a.attnotnull or (t.typtype = 'd' and t.typnotnull)),
      'default', case
        when a.attidentity = 'd' then (
          select format('nextval(%L)', s.objid::regclass) from pg_depend s
          where s.classid = 'pg_class'::regclass and s.refobjid = a.attrelid and s.refobjsubid = a.attnum and s.deptype = 'i' limit 1)
        when a.attgenerated <> '' or a.attidentity = 'a' then null
        when ad.adbin is null and t.typtype = 'd' then pg_get_expr(t.typdefaultbin, 0)
        else pg_get_expr(ad.adbin, ad.adrelid) end,
      'maxLength', information_schema._pg_char_max_length(information_schema._pg_truetypid(a, t), information_schema._pg_truetypmod(a, t)),
      'values', coalesce((select json_agg(e.enumlabel order by e.enumsortorder) from pg_enum e where e.enumtypid = d.base), '[]'),
      'isGenerated', a.attgenerated <> '' or a.attidentity = 'a',
      'hasDefault', ad.adbin is not null or a.attidentity <> '' or a.attgenerated <> '' or (t.typtype = 'd' and t.typdefaultbin is not null),
      'isUpdatable', a.attgenerated = '' and a.attidentity <> 'a' and (c.relkind in ('r', 'p') or (c.relkind in ('v', 'f') and pg_column_is_updatable(c.oid::regclass, a.attnum, false)))
    ) order by a.attnum) as list
  from pg_attribute a
  join relations c on c.oid = a.attrelid
  join pg_type t on t.oid = a.atttypid
  join pg_namespace tn on tn.oid = t.typnamespace
  join domains d on d.oid = a.atttypid
  join pg_type bt on bt.oid = d.base
  join pg_namespace bn on bn.oid = bt.typnamespace
  join types r on r.oid = a.atttypid
  left join pg_attrdef ad on ad.adrelid = a.attrelid and ad.adnum = a.attnum
  where a.attnum > 0 and not a.attisdropped
  group by a.attrelid
), functions as (
  select p.* from pg_proc p join place on place.oid = p.pronamespace
  where p.prokind = 'f' and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
    and (not $2::boolean or has_function_privilege(p.oid, 'execute'))
), arguments as (
  select f.oid, coalesce(f.proargnames[x.place], '') as name, x.type, coalesce(f.proargmodes[x.place]::text, 'i') as mode, x.place,
    count(*) filter (where coalesce(f.proargmodes[x.place]::text, 'i') in ('i', 'b', 'v')) over (partition by f.oid order by x.place) as input
  from functions f, unnest(coalesce(f.proallargtypes, f.proargtypes::oid[])) with ordinality as x(type, place)
), signatures as (
  select a.oid,
    json_agg(json_build_object('name', a.name, 'format', format_type(a.type, null), 'type', t.ref, 'isRequired', a.input <= f.pronargs - f.pronargdefaults, 'isVariadic', a.mode = 'v') order by a.place)
      filter (where a.mode in ('i', 'b', 'v')) as inputs,
    json_agg(json_build_object('name', a.name, 'format', format_type(a.type, null), 'type', t.ref) order by a.place) filter (where a.mode in ('o', 'b', 't')) as outputs,
    count(*) filter (where a.mode in ('o', 'b', 't')) as output_count,
    count(*) filter (where a.name = '' and a.mode in ('i', 'b', 'v')) as unnamed,
    count(*) filter (where a.mode in ('i', 'b', 'v')) as size,
    bool_and(a.type in ('bytea'::regtype, 'json'::regtype, 'jsonb'::regtype, 'text'::regtype, 'xml'::regtype)) filter (where a.mode in ('i', 'b', 'v')) as is_whole_body,
    (array_agg(a.type order by a.place) filter (where a.mode in ('i', 'b', 'v')))[1] as first
  from arguments a join functions f on f.oid = a.oid join types t on t.oid = a.type
  group by a.oid
)
select json_build_object(
  'schema', $1,
  'comment', (select obj_description(oid, 'pg_namespace') from place),
  'collections', (
    select coalesce(json_agg(json_build_object('name', c.relname, 'comment', c.comment, 'isView', c.relkind in ('v', 'm'), 'columns', coalesce(k.list, '[]')) order by c.relname), '[]')
    from relations c left join columns k on k.attrelid = c.oid),
  'functions', (
    select coalesce(json_agg(json_build_object(
      'name', f.proname,
      'comment', obj_description(f.oid, 'pg_proc'),
      'volatility', case f.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
      'parameters', coalesce(s.inputs, '[]'),
      'returns', json_build_object(
        'type', t.ref, 'isSet', f.proretset, 'isVoid', f.prorettype = 'void'::regtype, 'isOneRow', f.proretset and f.prorows = 1,
        'collection', (select json_build_object('schema', n.nspname, 'name', c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.reltype = t.element and c.relkind in ('r', 'p', 'v', 'm', 'f')),
        'columns', case when coalesce(s.output_count, 0) > 1 or (f.prorettype = 'record'::regtype and s.outputs is not null) or 't' = any (f.proargmodes::text[]) then s.outputs end),
      'fieldOf', case when s.size = 1 and s.unnamed = 1 then (
        select json_build_object('schema', n.nspname, 'name', c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.reltype = s.first and c.relkind in ('r', 'p', 'v', 'm', 'f')) end
      ) order by f.proname, f.oid), '[]')
    from functions f left join signatures s on s.oid = f.oid join types t on t.oid = f.prorettype
    where coalesce(s.unnamed, 0) = 0 or (s.size = 1 and (s.is_whole_body or exists (select from pg_class c where c.reltype = s.first and c.relkind in ('r', 'p', 'v', 'm', 'f'))))),
  'enums', (
    select coalesce(json_agg(json_build_object('name', t.typname, 'values', (select json_agg(e.enumlabel order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid)) order by t.typname), '[]')
    from pg_type t join place on place.oid = t.typnamespace where t.typtype = 'e'),
  'composites', (
    select coalesce(json_agg(json_build_object('name', t.typname, 'fields', (
      select coalesce(json_agg(json_build_object('name', a.attname, 'type', r.ref) order by a.attnum), '[]') from pg_attribute a join types r on r.oid = a.atttypid where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped)) order by t.typname), '[]')
    from pg_type t join place on place.oid = t.typnamespace join pg_class c on c.oid = t.typrelid where t.typtype = 'c' and c.relkind = 'c')
)::text`;
