import type { JobError } from './jobs.ts';
import type { Transaction } from './statement.ts';

export const watchedOperations = ['insert', 'update', 'delete', 'truncate'] as const;
export type WatchedOperation = (typeof watchedOperations)[number];

/** What an endpoint asked for, as it is kept. */
export interface KeptSubscription {
  readonly id: number;
  readonly schema: string | null;
  readonly table: string | null;
  readonly operations: readonly WatchedOperation[] | null;
  readonly filter: string | null;
  readonly columns: readonly string[] | null;
  readonly pattern: string | null;
  readonly broken: (JobError & { readonly at: string }) | null;
  readonly trouble: (JobError & { readonly at: string }) | null;
}

export interface KeptEndpoint {
  readonly id: string;
  readonly no: number;
  readonly url: string;
  readonly description: string | null;
  /** Sealed, as JSON. */
  readonly headers: string | null;
  readonly secrets: string;
  readonly state: 'active' | 'paused' | 'disabled';
  readonly reason: JobError | null;
  readonly rate: number | null;
  readonly failures: number;
  readonly openings: number;
  readonly restsUntil: Date | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly subscriptions: readonly KeptSubscription[];
  /** Counted up to `countedAtMost`. */
  readonly waiting: number;
  readonly dead: number;
}

/** An endpoint's counters stop here: to count a million rows for a page helps nobody. */
export const countedAtMost = 10_000;

export interface EndpointDraft {
  readonly id: string;
  readonly url: string;
  readonly description: string | null;
  readonly headers: string | null;
  readonly secrets: string;
  readonly isPaused: boolean;
  readonly rate: number | null;
}

/** A subscription to rows: the table, and a filter compiled for its columns. */
export interface RowsDraft {
  readonly kind: 'rows';
  readonly relation: number;
  readonly schema: string;
  readonly table: string;
  readonly operations: readonly WatchedOperation[];
  readonly filter: { readonly text: string; readonly sql: string; readonly columns: readonly number[] } | null;
  readonly columns: readonly number[] | null;
}
export type SubscriptionDraft = RowsDraft | { readonly kind: 'announced'; readonly pattern: string; readonly patternLike: string };

/** A table that can be watched. */
export interface WatchableTable {
  readonly relation: number;
  readonly schema: string;
  readonly name: string;
  readonly kind: string;
  readonly isPartition: boolean;
  readonly columns: readonly { readonly name: string; readonly number: number; readonly baseType: string }[];
}

const endpointsText = `
  select id, no, url, description, headers, secrets, state, reason, rate, failures, openings, rests_until as "restsUntil", created_at as "createdAt", updated_at as "updatedAt",
    coalesce((
      select jsonb_agg(jsonb_build_object('id', subscriptions.id, 'schema', schema_name, 'table', table_name, 'operations', operations, 'filter', filter, 'pattern', pattern, 'broken', broken, 'trouble', trouble,
        'columns', (select jsonb_agg(column_names ->> number::text order by turn) from unnest(columns) with ordinality as chosen (number, turn) where column_names ? number::text)) order by place)
      from mainstay_internal.webhook_subscriptions subscriptions left join mainstay_internal.webhook_watches on webhook_watches.id = watch_id
      where endpoint_id = endpoints.id
    ), '[]') as subscriptions,
    (select count(*)::int from (select from mainstay_internal.webhook_deliveries where endpoint_no = no and webhook_deliveries.state = 'queued' limit ${countedAtMost}) as counted) as waiting,
    (select count(*)::int from (select from mainstay_internal.webhook_deliveries where endpoint_no = no and webhook_deliveries.state = 'dead' limit ${countedAtMost}) as counted) as dead
  from mainstay_internal.webhook_endpoints endpoints`;

export function listEndpoints(tx: Transaction, limit: number, before: string | null): Promise<KeptEndpoint[]> {
  return tx.rows(`${endpointsText} where $2::uuid is null or id < $2 order by id desc limit $1`, [limit, before]);
}

export async function findEndpoint(tx: Transaction, id: string): Promise<KeptEndpoint | null> {
  const [endpoint] = await tx.rows<KeptEndpoint>(`${endpointsText} where id = $1`, [id]);
  return endpoint ?? null;
}

export async function addEndpoint(tx: Transaction, { id, url, description, headers, secrets, isPaused, rate }: EndpointDraft): Promise<void> {
  await tx.rows(
    `insert into mainstay_internal.webhook_endpoints (id, url, description, headers, secrets, state, rate) values ($1, $2, $3, $4, $5, $6, $7)`,
    [id, url, description, headers, secrets, isPaused ? 'paused' : 'active', rate],
  );
}

/** Another state lets the breaker forget: whoever changed something wants it tried. */
export async function changeEndpoint(tx: Transaction, { id, url, description, headers, secrets, isPaused, rate }: EndpointDraft): Promise<void> {
  await tx.rows(
    `update mainstay_internal.webhook_endpoints
     set url = $2, description = $3, headers = $4, secrets = $5, state = $6, rate = $7, updated_at = now(),
       reason = null, failures = 0, openings = 0, rests_until = null
     where id = $1`,
    [id, url, description, headers, secrets, isPaused ? 'paused' : 'active', rate],
  );
}

/** Its subscriptions go with it; its deliveries are swept. */
export async function dropEndpoint(tx: Transaction, id: string): Promise<void> {
  const watches = await watchesOf(tx, id);
  await tx.rows('delete from mainstay_internal.webhook_endpoints where id = $1', [id]);
  await buildWatches(tx, watches);
}

/** Gives an endpoint its subscriptions; the triggers follow in the same transaction. Says which cannot be evaluated. */
export async function subscribe(tx: Transaction, endpointId: string, drafts: readonly SubscriptionDraft[]): Promise<KeptSubscription[]> {
  const before = await watchesOf(tx, endpointId);
  await tx.rows('delete from mainstay_internal.webhook_subscriptions where endpoint_id = $1', [endpointId]);
  const after: number[] = [];
  for (const [place, draft] of drafts.entries()) {
    if (draft.kind === 'rows') after.push(await subscribeToRows(tx, endpointId, place, draft));
    else await tx.rows('insert into mainstay_internal.webhook_subscriptions (endpoint_id, place, pattern, pattern_like) values ($1, $2, $3, $4)', [endpointId, place, draft.pattern, draft.patternLike]);
  }
  await buildWatches(tx, [...before, ...after]);
  return (await findEndpoint(tx, endpointId))!.subscriptions.filter(({ broken }) => broken !== null);
}

async function subscribeToRows(tx: Transaction, endpointId: string, place: number, { relation, schema, table, operations, filter, columns }: RowsDraft): Promise<number> {
  // Two who subscribe to a table for the first time at once: the second waits for the first and finds its row.
  await tx.rows('insert into mainstay_internal.webhook_watches (relation, schema_name, table_name) values ($1::oid::regclass, $2, $3) on conflict (relation) do nothing', [relation, schema, table]);
  const [watch] = await tx.rows<{ id: number }>('select id from mainstay_internal.webhook_watches where relation = $1::oid::regclass', [relation]);
  await tx.rows(
    `insert into mainstay_internal.webhook_subscriptions (endpoint_id, place, watch_id, operations, filter, condition, condition_columns, columns) values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [endpointId, place, watch!.id, operations, filter?.text ?? null, filter?.sql ?? null, filter?.columns ?? null, columns],
  );
  return watch!.id;
}

async function watchesOf(tx: Transaction, endpointId: string): Promise<number[]> {
  const rows = await tx.rows<{ id: number }>('select distinct watch_id as id from mainstay_internal.webhook_subscriptions where endpoint_id = $1 and watch_id is not null', [endpointId]);
  return rows.map(({ id }) => id);
}

/** Makes triggers what the subscriptions ask for, tables always in the same order. */
export async function buildWatches(tx: Transaction, watches: readonly number[]): Promise<void> {
  for (const watch of [...new Set(watches)].sort((a, b) => a - b)) await tx.rows('select mainstay_internal.build_watch($1)', [watch]);
}

/** Makes them anew after an endpoint became one that nothing is written down for, or was one. */
export async function rebuildEndpoint(tx: Transaction, endpointId: string): Promise<void> {
  await buildWatches(tx, await watchesOf(tx, endpointId));
}

/** The table of this name, or null. */
export async function findWatchable(tx: Transaction, schema: string, name: string): Promise<WatchableTable | null> {
  const [table] = await tx.rows<WatchableTable>(
    `select pg_class.oid as relation, nspname as schema, relname as name, relkind as kind, relispartition as "isPartition",
       (
         select coalesce(jsonb_agg(jsonb_build_object('name', attname, 'number', attnum, 'baseType', format_type(coalesce(nullif(typbasetype, 0), atttypid), null)) order by attnum), '[]')
         from pg_catalog.pg_attribute join pg_catalog.pg_type on pg_type.oid = atttypid where attrelid = pg_class.oid and attnum > 0 and not attisdropped
       ) as columns
     from pg_catalog.pg_class join pg_catalog.pg_namespace on pg_namespace.oid = relnamespace
     where nspname = $1 and relname = $2 and relkind in ('r', 'p', 'v', 'm', 'f')`,
    [schema, name],
  );
  return table ?? null;
}

/** Names of the tables of a schema, for a hint. */
export async function listWatchable(tx: Transaction, schema: string): Promise<string[]> {
  const rows = await tx.rows<{ name: string }>(
    `select relname as name from pg_catalog.pg_class join pg_catalog.pg_namespace on pg_namespace.oid = relnamespace where nspname = $1 and relkind in ('r', 'p') and not relispartition limit 1000`, [schema],
  );
  return rows.map(({ name }) => name);
}

/** Reads a pattern as PostgreSQL will. @throws DatabaseError that says what is wrong with it */
export async function tryPattern(tx: Transaction, kind: 'regex' | 'search', text: string): Promise<void> {
  await tx.savepoint(() => tx.rows(kind === 'regex' ? `select '' ~ $1::text` : 'select pg_catalog.to_tsquery($1::text)', [text]));
}
