import type { Database } from './database.ts';
import type { Transaction } from './statement.ts';

/** Whatever runs a statement of ours: a login by itself, or an open transaction. */
type Rows = Pick<Database | Transaction, 'rows'>;

/** A field of a collection, and what a role may do with it. */
export interface TargetField {
  readonly name: string;
  /** As SQL writes it, with its schema where it needs one. */
  readonly type: string;
  /** Computed by PostgreSQL: nobody can give it a value. */
  readonly isGenerated: boolean;
  readonly mayInsert: boolean;
  readonly mayUpdate: boolean;
  readonly maySelect: boolean;
}

/** A collection that a role wants to write to. */
export interface Target {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  readonly kind: 'table' | 'partitioned table' | 'view' | 'foreign table';
  readonly fields: readonly TargetField[];
  /** The columns of each unique index that ON CONFLICT can name; the primary key first. */
  readonly uniqueKeys: readonly { readonly columns: readonly string[]; readonly isPrimary: boolean }[];
  /** The columns of each constraint and unique index by its name, to say which column a refused row offended. */
  readonly constraints: Readonly<Record<string, readonly string[]>>;
  /** COPY can write to it: a plain table that has no BEFORE trigger, which could drop rows so that they cannot be counted. */
  readonly takesCopy: boolean;
  readonly mayInsert: boolean;
}

/**
 * A collection as a role sees it; null if there is none, or the role may not even enter its schema.
 * Ask in a session whose search_path is empty: only then does PostgreSQL write each type with its schema.
 */
export async function findTarget(source: Rows, schema: string, name: string, role: string): Promise<Target | null> {
  const [row] = await source.rows<{ target: Target }>(targetText, [schema, name, role]);
  return row?.target ?? null;
}

const targetText = `
  select jsonb_build_object(
    'oid', c.oid::text, 'schema', n.nspname, 'name', c.relname,
    'kind', case c.relkind when 'r' then 'table' when 'p' then 'partitioned table' when 'v' then 'view' else 'foreign table' end,
    'mayInsert', has_any_column_privilege($3, c.oid, 'INSERT'),
    'takesCopy', c.relkind = 'r' and not exists (
      select from pg_catalog.pg_trigger t where t.tgrelid = c.oid and t.tgenabled <> 'D' and t.tgtype & 7 = 7),
    'fields', coalesce((
      select jsonb_agg(jsonb_build_object(
        'name', a.attname,
        'type', format_type(a.atttypid, a.atttypmod),
        'isGenerated', a.attgenerated <> '',
        'mayInsert', has_column_privilege($3, c.oid, a.attnum, 'INSERT'),
        'mayUpdate', has_column_privilege($3, c.oid, a.attnum, 'UPDATE'),
        'maySelect', has_column_privilege($3, c.oid, a.attnum, 'SELECT')) order by a.attnum)
      from pg_catalog.pg_attribute a
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '[]'),
    'uniqueKeys', coalesce((
      select jsonb_agg(jsonb_build_object('isPrimary', i.indisprimary, 'columns', (
        select jsonb_agg(a.attname order by k.place)
        from unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
        join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
        where k.place <= i.indnkeyatts)) order by i.indisprimary desc, i.indexrelid)
      from pg_catalog.pg_index i
      where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null and i.indexprs is null), '[]'),
    'constraints', coalesce((
      select jsonb_object_agg(offended.name, offended.columns) from (
        select k.conname as name, (select jsonb_agg(a.attname) from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum = any (k.conkey)) as columns
        from pg_catalog.pg_constraint k where k.conrelid = c.oid
        union
        select x.relname, (select jsonb_agg(a.attname) from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum = any (i.indkey))
        from pg_catalog.pg_index i join pg_catalog.pg_class x on x.oid = i.indexrelid
        where i.indrelid = c.oid and i.indisunique and not exists (select from pg_catalog.pg_constraint k where k.conindid = i.indexrelid and k.conrelid = c.oid)
      ) as offended), '{}')
  ) as target
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p', 'v', 'f') and has_schema_privilege($3, n.oid, 'USAGE')`;

/** The collections of a schema that a role may write to: what a mistyped name can have meant. */
export async function listTargets(source: Rows, schema: string, role: string): Promise<string[]> {
  const rows = await source.rows<{ name: string }>(
    `select c.relname::text as name from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1 and c.relkind in ('r', 'p', 'v', 'f') and has_schema_privilege($2, n.oid, 'USAGE') and has_any_column_privilege($2, c.oid, 'INSERT')`,
    [schema, role],
  );
  return rows.map(({ name }) => name);
}

/** Whether the worker can act as a role; a role of a project's own must be granted to it first. */
export async function workerMayBecome(source: Rows, role: string): Promise<boolean> {
  const [row] = await source.rows<{ may: boolean }>(
    `select coalesce((select pg_has_role('mainstay_worker', oid, 'MEMBER') from pg_catalog.pg_roles where rolname = $1), false) as may`,
    [role],
  );
  return row!.may;
}

/** Whether row policies bind the role that the transaction acts as, on this table. */
export async function rowSecurityBinds(tx: Transaction, oid: string): Promise<boolean> {
  const [row] = await tx.rows<{ binds: boolean }>('select pg_catalog.row_security_active($1::oid) as binds', [oid]);
  return row!.binds;
}
