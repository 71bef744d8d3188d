import { createHash } from 'node:crypto';
import { faultsOf, ownerOf, type Caller } from '@mainstay/domain';
import type { KeptAnswer, KeyedRequest } from '@mainstay/persistence';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** What an `Idempotency-Key` header may be refused for. */
export const idempotencyHeaderFaults = {
  idempotency_key_not_valid: { status: 400, message: 'An Idempotency-Key must have 1 to 255 visible ASCII characters' },
} as const;

const headerFault = faultsOf(idempotencyHeaderFaults);

/**
 * The promise of the request's `Idempotency-Key`, or null where there is none or nobody to keep it for.
 * `body` is what makes two requests different: the parsed body, or a digest of a streamed one.
 */
export function keyedRequest(request: FastifyRequest, caller: Caller, body: unknown): KeyedRequest | null {
  const key = request.headers['idempotency-key'];
  const owner = ownerOf(caller);
  if (key === undefined || owner === null) return null;
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key)) throw headerFault('idempotency_key_not_valid');
  return { owner, key, method: request.method, path: request.url, bodyHash: digest(body) };
}

/** Sends an answer as it is kept; one that was kept before says so. */
export async function sendKept(reply: FastifyReply, { status, headers, body, isReplayed }: KeptAnswer & { readonly isReplayed: boolean }): Promise<void> {
  if (isReplayed) reply.header('idempotency-replayed', 'true');
  await reply.status(status).headers(headers).type('application/json; charset=utf-8').send(body);
}

function digest(body: unknown): Uint8Array {
  const bytes = body instanceof Uint8Array || typeof body === 'string' ? body : JSON.stringify(body ?? null);
  return createHash('sha256').update(bytes).digest();
}
