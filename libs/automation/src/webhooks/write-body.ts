import type { EventParts } from '@mainstay/persistence';

/**
 * The body of an event, as Standard Webhooks shapes it: `{type, timestamp, data}`. Rows are put in as PostgreSQL wrote them, never
 * parsed: a bigint keeps its digits, and every try sends the same bytes.
 */
export function writeBody({ type, at, schema, table, operation, record, oldRecord, data }: EventParts): string {
  const about = data ?? `{"schema":${JSON.stringify(schema)},"table":${JSON.stringify(table)},"operation":${JSON.stringify(operation)},"record":${record ?? 'null'},"old_record":${oldRecord ?? 'null'}}`;
  return `{"type":${JSON.stringify(type)},"timestamp":${JSON.stringify(at)},"data":${about}}`;
}
