import type { JobError } from './jobs.ts';
import type { Transaction } from './statement.ts';

export const deliveryStates = ['queued', 'done', 'dead', 'cancelled'] as const;
export type DeliveryState = (typeof deliveryStates)[number];

/** A delivery as people see it. */
export interface KeptDelivery {
  readonly event_id: string;
  readonly endpoint_no: number;
  readonly endpoint_id: string;
  readonly event: string;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly next_at: Date;
  readonly last_status: number | null;
  readonly last_error: string | null;
  readonly created_at: Date;
  readonly finished_at: Date | null;
}

/** One try, as it is kept. */
export interface KeptAttempt {
  readonly number: number;
  readonly at: Date;
  readonly ms: number;
  readonly url: string;
  readonly request_headers: Readonly<Record<string, string>>;
  readonly status: number | null;
  readonly answer_headers: Readonly<Record<string, string>> | null;
  readonly answer_body: Buffer | null;
  readonly is_cut: boolean;
  readonly error: JobError | null;
}

/** What was sent, or is to be: the parts of the body as PostgreSQL wrote them. */
export interface EventParts {
  readonly type: string;
  readonly at: string;
  readonly schema: string | null;
  readonly table: string | null;
  readonly operation: string | null;
  readonly record: string | null;
  readonly oldRecord: string | null;
  readonly data: string | null;
}

export interface DeliveryId {
  readonly eventId: string;
  readonly endpointNo: number;
}

export interface DeliveryFilters {
  readonly endpointId?: string | undefined;
  readonly state?: DeliveryState | undefined;
  /** An event's type, or a pattern for LIKE. */
  readonly event?: string | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
  readonly before?: DeliveryId | undefined;
  readonly limit: number;
}

const shown = `deliveries.event_id, deliveries.endpoint_no, endpoints.id as endpoint_id, events.type as event, deliveries.state, attempts, next_at, last_status, last_error, events.created_at, finished_at`;
const joined = `mainstay_internal.webhook_deliveries deliveries join mainstay_internal.webhook_endpoints endpoints on endpoints.no = endpoint_no join mainstay_internal.events on events.id = event_id`;

/** The newest first. */
export async function listDeliveries(tx: Transaction, filters: DeliveryFilters): Promise<KeptDelivery[]> {
  const { text, values } = conditionsOf(filters);
  return tx.rows(`select ${shown} from ${joined} where ${text} order by event_id desc, endpoint_no desc limit ${filters.limit}`, values);
}

/** How many there are in each state. */
export async function countDeliveries(tx: Transaction, filters: DeliveryFilters): Promise<Record<DeliveryState, number>> {
  const { text, values } = conditionsOf({ ...filters, before: undefined });
  const rows = await tx.rows<{ state: DeliveryState; count: number }>(`select deliveries.state, count(*)::int8::float8 as count from ${joined} where ${text} group by 1`, values);
  return { ...Object.fromEntries(deliveryStates.map((state) => [state, 0])), ...Object.fromEntries(rows.map(({ state, count }) => [state, count])) } as Record<DeliveryState, number>;
}

function conditionsOf({ endpointId, state, event, since, until, before }: DeliveryFilters): { text: string; values: unknown[] } {
  const values: unknown[] = [];
  const conditions: string[] = ['true'];
  const where = (condition: (place: string) => string, value: unknown): void => {
    if (value === undefined) return;
    values.push(value);
    conditions.push(condition(`$${values.length}`));
  };
  // By its number, so that the index on it serves.
  where((place) => `endpoint_no = (select no from mainstay_internal.webhook_endpoints where id = ${place})`, endpointId);
  where((place) => `deliveries.state = ${place}`, state);
  where((place) => `events.type like ${place}`, event);
  where((place) => `events.created_at >= ${place}`, since);
  where((place) => `events.created_at < ${place}`, until);
  if (before !== undefined) {
    values.push(before.eventId, before.endpointNo);
    conditions.push(`(event_id, endpoint_no) < ($${values.length - 1}::int8, $${values.length}::int4)`);
  }
  return { text: conditions.join(' and '), values };
}

export async function findDelivery(tx: Transaction, { eventId, endpointNo }: DeliveryId): Promise<(KeptDelivery & { readonly parts: EventParts; readonly log: readonly KeptAttempt[] }) | null> {
  const [delivery] = await tx.rows<KeptDelivery & EventParts>(`select ${shown}, ${partsText} from ${joined} where event_id = $1 and endpoint_no = $2`, [eventId, endpointNo]);
  if (delivery === undefined) return null;
  const log = await tx.rows<KeptAttempt>(
    `select number, at, ms, url, request_headers, status, answer_headers, answer_body, is_cut, error from mainstay_internal.webhook_attempts
     where event_id = $1 and endpoint_no = $2 order by id desc limit 200`,
    [eventId, endpointNo],
  );
  const { type, at, schema, table, operation, record, oldRecord, data } = delivery;
  return { ...delivery, parts: { type, at, schema, table, operation, record, oldRecord, data }, log: log.reverse() };
}

/** A body is made of these alone, so it is the same whenever it is made. */
export const partsText = `events.type, to_char(events.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at, schema_name as schema, table_name as table, operation,
  record::text, old_record::text as "oldRecord", data::text`;

/** Sends a delivery anew, with its tries anew; one that still waits, at once. Says whether there was one. */
export async function redeliver(tx: Transaction, { eventId, endpointNo }: DeliveryId): Promise<boolean> {
  const rows = await tx.rows(`${redeliverText} where event_id = $1 and endpoint_no = $2 returning 1`, [eventId, endpointNo]);
  return rows.length > 0;
}

/** Sends an endpoint's deliveries of a time anew; says how many. */
export async function redeliverAll(tx: Transaction, endpointNo: number, { since, until, state }: { since: Date; until: Date; state: DeliveryState }): Promise<number> {
  const [row] = await tx.rows<{ count: number }>(
    `with again as (
       ${redeliverText} where endpoint_no = $1 and state = $4 and exists (select from mainstay_internal.events where id = event_id and created_at >= $2 and created_at < $3) returning 1
     ) select count(*)::int as count from again`,
    [endpointNo, since, until, state],
  );
  return row!.count;
}

const redeliverText = `update mainstay_internal.webhook_deliveries set state = 'queued', attempts = 0, next_at = clock_timestamp(), finished_at = null`;

/** Writes an event for one endpoint, to try it. */
export async function putTestEvent(tx: Transaction, endpointNo: number, data: unknown): Promise<DeliveryId> {
  const [row] = await tx.rows<{ id: string }>('select mainstay_internal.put_test_event($1, $2) as id', [endpointNo, JSON.stringify(data)]);
  return { eventId: row!.id, endpointNo };
}

/** Tells the feeder that there is something to send. */
export async function wakeFeeder(tx: Transaction): Promise<void> {
  await tx.rows(`select pg_notify('mainstay_events', '')`);
}
