import { faultsOf } from '@mainstay/domain';
import type { Database } from './database.ts';
import type { Session, Transaction } from './statement.ts';
import { tryLock } from './try-lock.ts';

/** What a repeated request may be answered. */
export const idempotencyFaults = {
  idempotency_key_in_flight: { status: 409, message: 'A request with this Idempotency-Key is being answered right now' },
  idempotency_key_reused: { status: 422, message: 'This Idempotency-Key was used for a different request' },
} as const;

export const idempotencyFault = faultsOf(idempotencyFaults);

/** How long an answer is kept, so that a repeated request gets it again. */
export const idempotencyHours = 24;

/** A request as its key promises it to be the same one. */
export interface KeyedRequest {
  readonly owner: string;
  /** The `Idempotency-Key` header. */
  readonly key: string;
  readonly method: string;
  readonly path: string;
  /** A digest of the body. */
  readonly bodyHash: Uint8Array;
}

/** An answer as it is kept and given again, byte for byte. */
export interface KeptAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

/**
 * Makes one request of any number of repeated ones: the first does `effect`, and its answer is kept in the same
 * transaction; the others are given that answer. An effect that throws leaves nothing behind, so it can be tried again.
 * @throws Fault 409 while the first is in flight, 422 when the same key comes with another request
 */
export async function withIdempotency(tx: Transaction, request: KeyedRequest, effect: () => Promise<KeptAnswer>): Promise<KeptAnswer & { readonly isReplayed: boolean }> {
  const kept = await recallAnswer(tx, request);
  if (kept !== null) return { ...kept, isReplayed: true };
  const answer = await effect();
  await keepAnswer(tx, request, answer);
  return { ...answer, isReplayed: false };
}

/**
 * Gives the answer that the request was given before, or null if it is the first; holds the key until the transaction ends.
 * @throws Fault as `withIdempotency` does
 */
export async function recallAnswer(tx: Transaction, request: KeyedRequest): Promise<KeptAnswer | null> {
  // A try-lock and not the unique index: whoever comes second is answered at once instead of waiting for the first.
  const isFirst = await tryLock(tx, JSON.stringify(['idempotency', request.owner, request.key]));
  if (!isFirst) throw idempotencyFault('idempotency_key_in_flight', { hint: 'Repeat the request in a moment.', headers: { 'retry-after': '1' } });
  const [row] = await tx.rows<KeptAnswer & { isSame: boolean }>(
    `select status, headers, body, (method, path, body_hash) = ($3, $4, $5::bytea) as "isSame"
     from mainstay_internal.idempotency_keys
     where owner = $1 and key = $2 and created_at > now() - make_interval(hours => $6)`,
    [request.owner, request.key, request.method, request.path, Buffer.from(request.bodyHash), idempotencyHours],
  );
  if (row === undefined) return null;
  if (!row.isSame) throw idempotencyFault('idempotency_key_reused', { hint: 'Use a new key for a new request.' });
  return { status: row.status, headers: row.headers, body: row.body };
}

/** Whether a key has an answer, also one of another request: then a large body need not be kept, only compared. */
export async function isKeyUsed(database: Database, session: Session, { owner, key }: Pick<KeyedRequest, 'owner' | 'key'>): Promise<boolean> {
  const { rows } = await database.once(session, {
    name: 'is_key_used',
    text: `select 1 from mainstay_internal.idempotency_keys where owner = $1 and key = $2 and created_at > now() - make_interval(hours => $3::integer)`,
    values: [owner, key, String(idempotencyHours)],
  });
  return rows.length > 0;
}

/** Keeps the answer of a request whose key this transaction holds. */
async function keepAnswer(tx: Transaction, request: KeyedRequest, answer: KeptAnswer): Promise<void> {
  await tx.rows(
    `insert into mainstay_internal.idempotency_keys (owner, key, method, path, body_hash, status, headers, body)
     values ($1, $2, $3, $4, $5, $6, $7, $8)
     on conflict (owner, key) do update set method = excluded.method, path = excluded.path, body_hash = excluded.body_hash,
       status = excluded.status, headers = excluded.headers, body = excluded.body, created_at = now()`,
    [request.owner, request.key, request.method, request.path, Buffer.from(request.bodyHash), answer.status, JSON.stringify(answer.headers), answer.body],
  );
}
