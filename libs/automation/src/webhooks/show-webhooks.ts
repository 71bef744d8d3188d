import type { JobError, KeptAttempt, KeptDelivery, KeptEndpoint, KeptSubscription } from '@mainstay/persistence';
import type { EndpointSecret } from './endpoint-secrets.ts';
import { starred } from './parse-endpoint.ts';

/** An event that an endpoint asked for. `broken` says why nothing comes of it any more. */
export type ShownEvent =
  | {
      readonly schema: string;
      readonly table: string;
      readonly operations: readonly string[];
      readonly filter: string | null;
      readonly columns: readonly string[] | null;
      readonly broken: JobError | null;
      readonly trouble: JobError | null;
    }
  | { readonly type: string };

/** An endpoint as `/webhooks/v1/endpoints` shows it. Only its making and the rotation of its secret show the secret. */
export interface ShownEndpoint {
  readonly id: string;
  readonly url: string;
  readonly description: string | null;
  readonly events: readonly ShownEvent[];
  /** Names with starred values. */
  readonly headers: Readonly<Record<string, string>>;
  readonly state: 'active' | 'paused' | 'disabled';
  readonly is_paused: boolean;
  /** Why it was disabled. */
  readonly reason: JobError | null;
  readonly rate: number | null;
  readonly breaker: { readonly state: 'closed' | 'open' | 'half-open'; readonly failures: number; readonly rests_until: string | null };
  /** Those that sign now, the newest first. */
  readonly secrets: readonly { readonly created_at: string; readonly expires_at: string | null }[];
  /** How many deliveries wait, and how many are dead; counted up to 10,000. */
  readonly waiting: number;
  readonly dead: number;
  readonly created_at: string;
  readonly updated_at: string;
}

export function showEndpoint(kept: KeptEndpoint, headers: Readonly<Record<string, string>>, secrets: readonly EndpointSecret[], now: Date): ShownEndpoint {
  return {
    id: kept.id,
    url: kept.url,
    description: kept.description,
    events: kept.subscriptions.map(showEvent),
    headers: Object.fromEntries(Object.keys(headers).map((name) => [name, starred])),
    state: kept.state,
    is_paused: kept.state === 'paused',
    reason: kept.reason,
    rate: kept.rate,
    breaker: { state: breakerOf(kept, now), failures: kept.failures, rests_until: kept.restsUntil !== null && kept.restsUntil > now ? kept.restsUntil.toISOString() : null },
    secrets: secrets.filter(({ expires_at: end }) => end === null || end > now.toISOString()).map(({ created_at, expires_at }) => ({ created_at, expires_at })),
    waiting: kept.waiting,
    dead: kept.dead,
    created_at: kept.createdAt.toISOString(),
    updated_at: kept.updatedAt.toISOString(),
  };
}

function breakerOf({ openings, restsUntil }: KeptEndpoint, now: Date): 'closed' | 'open' | 'half-open' {
  if (openings === 0) return 'closed';
  return restsUntil !== null && restsUntil > now ? 'open' : 'half-open';
}

function showEvent({ schema, table, operations, filter, columns, pattern, broken, trouble }: KeptSubscription): ShownEvent {
  return pattern === null ? { schema: schema!, table: table!, operations: operations!, filter, columns, broken, trouble } : { type: pattern };
}

/** A delivery as lists show it. */
export interface ShownDelivery {
  readonly id: string;
  readonly endpoint_id: string;
  readonly event_id: string;
  /** The event's type. */
  readonly event: string;
  readonly webhook_id: string;
  readonly state: string;
  readonly attempts: number;
  readonly max_attempts: number;
  readonly next_attempt_at: string | null;
  readonly last_status: number | null;
  readonly last_error: string | null;
  readonly created_at: string;
  readonly finished_at: string | null;
}

/** With what was sent, and how each try went. */
export interface ShownDeliveryInFull extends ShownDelivery {
  readonly body: string;
  readonly log: readonly ShownAttempt[];
}

export interface ShownAttempt {
  readonly number: number;
  readonly at: string;
  readonly ms: number;
  readonly request: { readonly method: 'POST'; readonly url: string; readonly headers: Readonly<Record<string, string>> };
  readonly answer: { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: string; readonly is_text: boolean; readonly is_cut: boolean } | null;
  readonly error: JobError | null;
}

/** The same on every try and for ever: also in another database, since an endpoint's id is nowhere else. */
export function webhookIdOf(endpointId: string, eventId: string): string {
  return `msg_${endpointId.replaceAll('-', '')}_${eventId}`;
}

export function showDelivery(kept: KeptDelivery, maxAttempts: number): ShownDelivery {
  return {
    id: `${kept.event_id}-${kept.endpoint_no}`,
    endpoint_id: kept.endpoint_id,
    event_id: kept.event_id,
    event: kept.event,
    webhook_id: webhookIdOf(kept.endpoint_id, kept.event_id),
    state: kept.state,
    attempts: kept.attempts,
    max_attempts: maxAttempts,
    next_attempt_at: kept.state === 'queued' ? kept.next_at.toISOString() : null,
    last_status: kept.last_status,
    last_error: kept.last_error,
    created_at: kept.created_at.toISOString(),
    finished_at: kept.finished_at?.toISOString() ?? null,
  };
}

export function showAttempt(kept: KeptAttempt): ShownAttempt {
  const isText = kept.answer_body === null || isUtf8(kept.answer_body, kept.is_cut);
  return {
    number: kept.number,
    at: kept.at.toISOString(),
    ms: kept.ms,
    request: { method: 'POST', url: kept.url, headers: kept.request_headers },
    answer: kept.status === null ? null : { status: kept.status, headers: kept.answer_headers ?? {}, body: (kept.answer_body ?? Buffer.alloc(0)).toString(isText ? 'utf8' : 'base64'), is_text: isText, is_cut: kept.is_cut },
    error: kept.error,
  };
}

/** A letter that was cut in two at the end makes no binary of a text. */
function isUtf8(bytes: Buffer, isCut: boolean): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: isCut });
    return true;
  } catch {
    return false;
  }
}
