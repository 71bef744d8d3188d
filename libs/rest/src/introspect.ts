import type { Catalogue, QualifiedName, RestOptions } from '@mainstay/dialect';
import type { Database, Session } from '@mainstay/persistence';

/** With an empty path every name that PostgreSQL writes is qualified, and so true wherever it is used. */
const session = { role: null, settings: { search_path: '' }, isReadOnly: true };

/**
 * Reads the system catalogue for the exposed schemas: one statement, one document.
 * Catalogue tables are open to every login, so the least of them will do.
 */
export async function readCatalogue(database: Database, { schemas, extraSearchPath, hoistedSettings = defaultHoisted }: Pick<RestOptions, 'schemas' | 'extraSearchPath' | 'hoistedSettings'>): Promise<Catalogue> {
  const values = [schemas, [...schemas, ...extraSearchPath], hoistedSettings].map((list) => JSON.stringify(list));
  const result = await database.once(session, { text: catalogueSql, values });
  return JSON.parse(result.rows[0]![0]!) as Catalogue;
}

/**
 * What the database says about our settings, names without `pgrst.`: `ALTER ROLE <login> IN DATABASE … SET pgrst.…`, then the
 * same for all databases, then what the function sets.
 */
export async function readLoginSettings(database: Database, preConfig: QualifiedName | null): Promise<Readonly<Record<string, string>>> {
  const { rows } = await database.once(session, { text: loginSettingsSql, values: [] });
  const ofRole = JSON.parse(rows[0]![0]!) as Record<string, string>;
  return preConfig === null ? ofRole : { ...(await settingsSetBy(database, preConfig)), ...ofRole };
}

/** What a function sets with `set_config('pgrst.…', …)`. It may not write, and what it sets dies with the transaction. */
async function settingsSetBy(database: Database, { schema, name }: QualifiedName): Promise<Record<string, string>> {
  const quote = (word: string): string => `"${word.replaceAll('"', '""')}"`;
  const asLogin: Session = { role: null, settings: {}, isReadOnly: true };
  const { rows } = await database.transaction(asLogin, async (tx) => {
    await tx.run({ text: `select ${schema === '' ? '' : `${quote(schema)}.`}${quote(name)}()`, values: [] });
    return tx.run({ text: 'select name, current_setting($1 || name, true) from json_array_elements_text($2) name', values: ['pgrst.', JSON.stringify(names)] });
  });
  return Object.fromEntries(rows.filter((row): row is [string, string] => row[1] !== null && row[1] !== ''));
}

/** The settings that a function may set. */
const names = [
  'client_error_verbosity', 'db_aggregates_enabled', 'db_anon_role', 'db_extra_search_path', 'db_hoisted_tx_settings', 'db_max_rows', 'db_plan_enabled', 'db_pre_request', 'db_prepared_statements',
  'db_root_spec', 'db_schemas', 'db_tx_end', 'jwt_aud', 'jwt_role_claim_key', 'jwt_secret', 'jwt_secret_is_base64', 'openapi_mode', 'openapi_security_active', 'openapi_server_proxy_uri',
  'server_cors_allowed_origins', 'server_timing_enabled', 'server_trace_header',
];

const defaultHoisted = ['statement_timeout', 'plan_filter.statement_cost_limit', 'default_transaction_isolation'];

const loginSettingsSql = `
select coalesce(json_object_agg(name, value order by is_general desc), '{}')
from (
  select s.setdatabase = 0 as is_general, substr(c, 7, strpos(c, '=') - 7) as name, substr(c, strpos(c, '=') + 1) as value
  from pg_db_role_setting s, unnest(s.setconfig) c
  where s.setrole = (select oid from pg_roles where rolname = current_user)
    and s.setdatabase in (0, (select oid from pg_database where datname = current_database()))
    and c like 'pgrst.%'
) settings`;

const catalogueSql = `
with recursive exposed as (
  select oid, nspname from pg_namespace where nspname in (select json_array_elements_text($1::json))
), domains as (
  -- The type below all domains, and its name: \`format_type\` of a domain tells the domain only.
  select oid, oid as base from pg_type where typtype <> 'd'
  union all
  select t.oid, d.base from pg_type t join domains d on d.oid = t.typbasetype where t.typtype = 'd'
), relations as (
  select c.oid, c.relname, c.relkind, c.reltype, n.nspname, n.oid as schema
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') and not pg_is_other_temp_schema(n.oid)
), open_relations as (
  select c.* from relations c join exposed e on e.oid = c.schema where not (select relispartition from pg_class where oid = c.oid)
), columns as (
  select a.attrelid, json_agg(json_build_object(
      'name', a.attname,
      'type', format_type(a.atttypid, a.atttypmod),
      'baseType', format_type(d.base, null),
      'isNullable', not a.attnotnull,
      'default', case
        when a.attidentity = 'd' then (
          select format('nextval(%L)', s.objid::regclass) from pg_depend s
          where s.classid = 'pg_class'::regclass and s.refobjid = a.attrelid and s.refobjsubid = a.attnum and s.deptype = 'i' limit 1)
        when a.attgenerated <> '' or a.attidentity = 'a' then null
        when ad.adbin is null and t.typtype = 'd' then pg_get_expr(t.typdefaultbin, 0)
        else pg_get_expr(ad.adbin, ad.adrelid)
      end) order by a.attnum) as list
  from pg_attribute a
  join open_relations c on c.oid = a.attrelid
  join pg_type t on t.oid = a.atttypid
  left join domains d on d.oid = a.atttypid
  left join pg_attrdef ad on ad.adrelid = a.attrelid and ad.adnum = a.attnum
  where a.attnum > 0 and not a.attisdropped
  group by a.attrelid
), keys as (
  select k.* from pg_constraint k join relations c on c.oid = k.conrelid
  where k.contype in ('p', 'u', 'f') and k.conparentid = 0
), named as (
  -- Relations whose column names are needed to make sense of keys and views.
  select conrelid as oid from keys union select confrelid from keys where contype = 'f' union select oid from relations where relkind in ('v', 'm')
), media_types as (
  select t.oid, t.typnamespace, t.typname, lower(t.typname) as name, case t.typname when '*/*' then 'application/octet-stream' else lower(t.typname) end as answered,
    d.base = 'bytea'::regtype as binary
  from pg_type t join domains d on d.oid = t.oid where t.typtype = 'd' and (t.typname ~* '^[a-z0-9.-]+/[a-z0-9.+-]+$' or t.typname = '*/*')
), functions as (
  select p.*, n.nspname from pg_proc p join exposed n on n.oid = p.pronamespace where p.prokind = 'f'
), arguments as (
  select f.oid, i.name, i.type, i.mode, row_number() over (partition by f.oid order by i.place) as place
  from functions f,
    lateral (
      select coalesce(f.proargnames[x.place], '') as name, x.type, coalesce(f.proargmodes[x.place], 'i') as mode, x.place
      from unnest(coalesce(f.proallargtypes, f.proargtypes::oid[])) with ordinality as x(type, place)
    ) i
  where i.mode in ('i', 'b', 'v')
), parameters as (
  select a.oid,
    json_agg(json_build_object(
      'name', a.name,
      'type', format_type(a.type, null),
      'readType', case a.type
        when 'bit'::regtype then 'bit varying' when 'bit[]'::regtype then 'bit varying[]'
        when 'character'::regtype then 'character varying' when 'character[]'::regtype then 'character varying[]'
        else format_type(a.type, null) end,
      'isRequired', a.place <= f.pronargs - f.pronargdefaults,
      'isVariadic', a.mode = 'v') order by a.place) as list,
    count(*) filter (where a.name = '') as unnamed,
    bool_and(a.type in ('bytea'::regtype, 'json'::regtype, 'jsonb'::regtype, 'text'::regtype, 'xml'::regtype)) as is_whole_body,
    count(*) as size
  from arguments a join functions f on f.oid = a.oid
  group by a.oid
), role_settings as (
  select r.rolname, substr(c, 1, strpos(c, '=') - 1) as name, substr(c, strpos(c, '=') + 1) as value
  from pg_auth_members m
  join pg_roles r on r.oid = m.roleid
  cross join unnest(r.rolconfig) c
  where m.member = (select oid from pg_roles where rolname = current_user)
)
select json_build_object(
  'collections', (
    select coalesce(json_agg(json_build_object(
      'relation', c.oid::int8, 'schema', c.nspname, 'name', c.relname, 'isView', c.relkind in ('v', 'm'),
      'isInsertable', c.relkind in ('r', 'p') or (c.relkind in ('v', 'f') and pg_relation_is_updatable(c.oid::regclass, true) & 8 = 8),
      'isUpdatable', c.relkind in ('r', 'p') or (c.relkind in ('v', 'f') and pg_relation_is_updatable(c.oid::regclass, true) & 4 = 4),
      'isDeletable', c.relkind in ('r', 'p') or (c.relkind in ('v', 'f') and pg_relation_is_updatable(c.oid::regclass, true) & 16 = 16),
      'columns', coalesce(k.list, '[]'))), '[]')
    from open_relations c left join columns k on k.attrelid = c.oid),
  'relations', (
    select coalesce(json_agg(json_build_object('relation', c.oid::int8, 'schema', c.nspname, 'name', c.relname, 'columns', (
      select coalesce(json_object_agg(a.attnum, a.attname), '{}') from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped))), '[]')
    from relations c join named on named.oid = c.oid),
  'keys', (
    select coalesce(json_agg(json_build_object(
      'kind', contype, 'constraint', conname, 'relation', conrelid::int8, 'columns', conkey, 'target', nullif(confrelid, 0)::int8, 'targetColumns', confkey) order by conrelid, conname), '[]')
    from keys),
  'views', (
    select coalesce(json_agg(json_build_object('relation', c.oid::int8, 'rule', r.ev_action)), '[]')
    from relations c join pg_rewrite r on r.ev_class = c.oid and r.rulename = '_RETURN' where c.relkind in ('v', 'm')),
  'computed', (
    select coalesce(json_agg(json_build_object(
      'function', json_build_object('schema', f.nspname, 'name', f.proname),
      'origin', json_build_object('schema', o.nspname, 'name', o.relname),
      'target', json_build_object('schema', t.nspname, 'name', t.relname),
      'isSingle', not f.proretset or f.prorows = 1, 'isSelf', o.oid = t.oid)), '[]')
    from functions f join relations o on o.reltype = f.proargtypes[0] join relations t on t.reltype = f.prorettype where f.pronargs = 1),
  'routines', (
    select coalesce(json_agg(json_build_object(
      'schema', f.nspname, 'name', f.proname, 'parameters', coalesce(a.list, '[]'),
      'returns', json_build_object(
        'schema', tn.nspname, 'name', coalesce(rc.relname, t.typname), 'isSet', f.proretset,
        'isComposite', t.typtype = 'c' or coalesce(f.proargmodes::text[] && '{t,b,o}', false),
        'isVoid', t.oid = 'void'::regtype and not f.proretset),
      'volatility', case f.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
      'isVariadic', f.provariadic <> 0,
      'isolation', (select substr(c, 31) from unnest(f.proconfig) c where c like 'default_transaction_isolation=%' and h.isolation limit 1),
      'settings', (
        select coalesce(json_object_agg(substr(c, 1, strpos(c, '=') - 1), substr(c, strpos(c, '=') + 1)), '{}')
        from unnest(f.proconfig) c where substr(c, 1, strpos(c, '=') - 1) = any (h.names) and c not like 'default_transaction_isolation=%')) order by f.oid), '[]')
    from functions f
    cross join (select coalesce(array_agg(name), '{}') as names, coalesce(bool_or(name = 'default_transaction_isolation'), false) as isolation from json_array_elements_text($3::json) name) h
    left join parameters a on a.oid = f.oid
    left join domains d on d.oid = f.prorettype
    join pg_type t on t.oid = coalesce(d.base, f.prorettype)
    join pg_namespace tn on tn.oid = t.typnamespace
    left join pg_class rc on rc.oid = t.typrelid
    where t.oid not in ('trigger'::regtype, 'event_trigger'::regtype)
      and (coalesce(a.unnamed, 0) = 0 or (a.size = 1 and a.is_whole_body))),
  'casts', (
    select coalesce(json_agg(json_build_object('from', format_type(c.castsource, null), 'to', format_type(c.casttarget, null), 'function', c.castfunc::regproc::text)), '[]')
    from pg_cast c join pg_type s on s.oid = c.castsource join pg_type t on t.oid = c.casttarget
    where c.castcontext = 'i' and c.castmethod = 'f'
      and ((s.typtype = 'd' and c.casttarget in ('json'::regtype, 'text'::regtype)) or (t.typtype = 'd' and c.castsource in ('json'::regtype, 'text'::regtype)))),
  'mediaHandlers', (
    select coalesce(json_agg(h), '[]') from (
      select case when p.proargtypes[0] = 'anyelement'::regtype then null else jsonb_build_object('schema', o.nspname, 'name', o.relname) end as target,
        m.name as "mediaType", m.answered as "answeredType", json_build_object('schema', n.nspname, 'name', p.proname) as aggregate, m.binary as "isBinary"
      from media_types m
      join pg_proc p on p.prorettype = m.oid and p.prokind = 'a' and p.pronargs = 1
      join exposed n on n.oid = p.pronamespace
      left join relations o on o.reltype = p.proargtypes[0]
      where o.oid is not null or p.proargtypes[0] = 'anyelement'::regtype
      union all
      select jsonb_build_object('schema', f.nspname, 'name', f.proname), m.name, m.answered, json_build_object('schema', n.nspname, 'name', m.typname), m.binary
      from media_types m join functions f on f.prorettype = m.oid and not f.proretset join pg_namespace n on n.oid = m.typnamespace
    ) h),
  'types', (
    select coalesce(json_agg(distinct t.typname), '[]')
    from pg_type t join pg_namespace n on n.oid = t.typnamespace left join pg_class c on c.oid = t.typrelid
    where (n.nspname = 'pg_catalog' or n.nspname in (select json_array_elements_text($2::json))) and t.typtype <> 'p' and not (n.nspname = 'pg_catalog' and t.typtype = 'c')),
  'roles', (
    select coalesce(json_agg(json_build_object('role', rolname, 'isolation', isolation, 'settings', settings)), '[]') from (
      select s.rolname, max(s.value) filter (where s.name = 'default_transaction_isolation') as isolation,
        coalesce(json_object_agg(s.name, s.value) filter (where s.name <> 'default_transaction_isolation'), '{}') as settings
      from role_settings s join pg_settings p on p.name = s.name and (p.context = 'user' or has_parameter_privilege(p.name, 'set'))
      group by s.rolname
    ) roles)
)`;
