import { idempotencyFault, type KeyedRequest } from './idempotency.ts';
import type { Transaction } from './statement.ts';

/** An answer of the data API as it is kept and given again, byte for byte. */
export interface KeptReply {
  readonly status: number;
  /** In order; a name may come more than once. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string | Uint8Array | null;
}

/**
 * Takes the key of a data request for the rest of the transaction, and gives the answer that it was given before, or null if
 * it is the first. The transaction is still the login's own: callers may not do this.
 * @throws Fault 409 while the first is in flight, 422 when the same key comes with another request
 */
export async function recallReply(tx: Transaction, request: KeyedRequest): Promise<KeptReply | null> {
  const [row] = await tx.rows<{ state: string; status: number; headers: string; body: string | null; is_binary: boolean }>(
    'select * from mainstay_internal.recall_reply($1, $2, $3, $4, $5)',
    identifying(request),
  );
  const { state, status, headers, body, is_binary: isBinary } = row!;
  if (state === 'in flight') throw idempotencyFault('idempotency_key_in_flight', { hint: 'Repeat the request in a moment.', headers: { 'retry-after': '1' } });
  if (state === 'other') throw idempotencyFault('idempotency_key_reused', { hint: 'Use a new key for a new request.' });
  if (state === 'new') return null;
  return { status, headers: JSON.parse(headers) as KeptReply['headers'], body: isBinary && body !== null ? Buffer.from(body, 'base64') : body };
}

/** Keeps the answer of a request whose key this transaction holds, as the login itself; then the role is `role` again. */
export async function keepReply(tx: Transaction, request: KeyedRequest, { status, headers, body }: KeptReply, role: string): Promise<void> {
  const isBinary = body instanceof Uint8Array;
  await tx.become({ role: 'none', settings: {} });
  // The role comes back in the same statement: what is deferred to the commit must run with the caller's rights.
  await tx.rows(`select mainstay_internal.keep_reply($1, $2, $3, $4, $5, $6, $7, $8, $9), set_config('role', $10, true)`, [
    ...identifying(request),
    status,
    JSON.stringify(headers),
    isBinary ? Buffer.from(body).toString('base64') : body,
    isBinary,
    role,
  ]);
}

function identifying({ owner, key, method, path, bodyHash }: KeyedRequest): unknown[] {
  return [owner, key, method, path, Buffer.from(bodyHash)];
}
