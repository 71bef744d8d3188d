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
  const owner = ownerOf(caller);
  if (request.headers['idempotency-key'] === undefined || owner === null) return null;
  return { owner, key: keyOf(request.headers), method: request.method, path: request.url, bodyHash: digest(body) };
}

/**
 * The promise of a data request's `Idempotency-Key`, or null where there is none, or nothing that writes. The same body means
 * something else with other headers, so those that the data API hears are part of the request.
 */
export function keyedWrite(request: FastifyRequest, caller: Caller): KeyedRequest | null {
  const { method, url, headers, body } = request;
  if (headers['idempotency-key'] === undefined || method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return null;
  const hash = createHash('sha256').update(JSON.stringify(meaningful.map((name) => headers[name] ?? null)));
  const bodyHash = hash.update(body instanceof Uint8Array ? body : '').digest();
  return { owner: ownerOf(caller) ?? identityOf(caller), key: keyOf(headers), method, path: url, bodyHash };
}

const meaningful = ['content-type', 'content-profile', 'accept', 'prefer'] as const;

/** Who asks without an account: what the token says beside its times. Guests of one key are one; they know each other's keys no better than strangers. */
function identityOf({ role, claims }: Caller): string {
  const lasting = Object.entries(claims).filter(([name]) => !['exp', 'iat', 'nbf', 'jti'].includes(name)).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${role}:${createHash('sha256').update(JSON.stringify(lasting)).digest('base64url')}`;
}

function keyOf(headers: FastifyRequest['headers']): string {
  const key = headers['idempotency-key'];
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key)) throw headerFault('idempotency_key_not_valid');
  return key;
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
