import { closest, Fault } from '@mainstay/domain';
import { compileRowFilter } from '@mainstay/dialect';
import { findWatchable, isDatabaseError, listWatchable, tryPattern, type RowsDraft, type SubscriptionDraft, type Transaction, type WatchableTable } from '@mainstay/persistence';
import { likeOf, type EventInput } from './parse-endpoint.ts';
import { webhookFault } from './webhook-faults.ts';

const kinds: Readonly<Record<string, string>> = { v: 'a view', m: 'a materialised view', f: 'a foreign table' };
const ownSchemas = ['mainstay_internal', 'mainstay', 'pg_catalog', 'information_schema', 'pg_toast', 'cron', 'net'];

/** Makes of an asked event what is kept: the table found, the filter compiled for its columns. @throws Fault */
export async function compileSubscription(tx: Transaction, event: EventInput): Promise<SubscriptionDraft> {
  if (event.kind === 'announced') return { kind: 'announced', pattern: event.pattern, patternLike: likeOf(event.pattern) };
  const table = await mustFindTable(tx, event.schema, event.table);
  const numberOf = (name: string): number => {
    const column = table.columns.find((one) => one.name === name);
    if (column !== undefined) return column.number;
    const meant = closest(name, table.columns.map((one) => one.name));
    throw webhookFault('event_not_valid', { message: `"${name}" is no column of ${nameOf(table)}${meant === null ? '' : `; did you mean "${meant}"?`}` });
  };
  const columns = event.columns?.map(numberOf) ?? null;
  return { kind: 'rows', relation: table.relation, schema: table.schema, table: table.name, operations: event.operations, columns, filter: event.filter === null ? null : await compileFilter(tx, table, event.filter) };
}

async function mustFindTable(tx: Transaction, schema: string, name: string): Promise<WatchableTable> {
  if (ownSchemas.includes(schema)) throw webhookFault('table_not_found', { message: `Tables of the schema "${schema}" are not watched` });
  const table = await findWatchable(tx, schema, name);
  if (table === null) {
    const meant = closest(name, await listWatchable(tx, schema));
    throw webhookFault('table_not_found', { message: `There is no table "${schema}.${name}"${meant === null ? '' : `; did you mean "${meant}"?`}` });
  }
  const kind = kinds[table.kind];
  if (kind !== undefined) throw webhookFault('table_not_found', { message: `${nameOf(table)} is ${kind}, and only tables can be watched`, hint: 'Subscribe to the tables behind it.' });
  if (table.isPartition) throw webhookFault('table_not_found', { message: `${nameOf(table)} is a partition: what is written through its table would pass it by`, hint: 'Subscribe to the partitioned table, with a filter.' });
  return table;
}

async function compileFilter(tx: Transaction, table: WatchableTable, text: string): Promise<RowsDraft['filter']> {
  try {
    const { sql, uses, patterns } = compileRowFilter(text, table.columns.map(({ name, number, baseType }) => ({ name, baseType, as: `c${number}` })));
    for (const pattern of patterns) await tryPattern(tx, pattern.kind, pattern.text);
    return { text, sql, columns: uses.map((name) => Number(name.slice(1))) };
  } catch (error) {
    if (error instanceof Fault) throw webhookFault('filter_not_valid', { message: `The filter "${text}" is not right: ${error.message}`, details: error.details, hint: error.hint, cause: error });
    if (isDatabaseError(error)) throw webhookFault('filter_not_valid', { message: `The filter "${text}" is not right: ${error.message}`, cause: error });
    throw error;
  }
}

function nameOf({ schema, name }: Pick<WatchableTable, 'schema' | 'name'>): string {
  return `${schema}.${name}`;
}
