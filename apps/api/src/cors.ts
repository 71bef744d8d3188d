import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { LiveSettings } from './live-settings.ts';

const exposed = [
  'Content-Encoding', 'Content-Location', 'Content-Range', 'Content-Type', 'Date', 'ETag', 'Link', 'Location', 'Server', 'Transfer-Encoding',
  'Range-Unit', 'Preference-Applied', 'Content-Profile', 'Retry-After', 'Missing-Rows', 'X-Total-Count', 'X-Supabase-Api-Version', 'X-Sb-Error-Code', 'Idempotency-Replayed',
].join(', ');

/**
 * Cross-origin rules of every answer, errors too: without these headers a browser hides even the status.
 * Any origin may ask, since a key or token decides, never a cookie. Own code, because the kept plugin takes every OPTIONS
 * for a preflight, and the data API has an OPTIONS of its own; a preflight is one that names the method it is for.
 */
export function allowCrossOrigin(server: FastifyInstance, live: LiveSettings): void {
  server.addHook('onRequest', (request, reply, done) => {
    reply.headers(originHeaders(request, live) ?? {}).header('x-content-type-options', 'nosniff');
    if (isPreflight(request)) {
      reply
        .header('access-control-allow-methods', methods)
        .header('access-control-allow-headers', request.headers['access-control-request-headers'] ?? 'authorization, apikey, content-type')
        .header('access-control-max-age', '86400')
        .header('vary', 'Access-Control-Request-Headers')
        .status(204)
        .send();
      return;
    }
    if (request.headers.origin !== undefined) reply.header('access-control-expose-headers', exposed);
    done();
  });
}

const methods = 'GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD';
const exposedByPostgrest = 'Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, Transfer-Encoding, Range-Unit';

/** The same to the letter of PostgREST: nothing for who names no origin, and a preflight is 200. */
export function allowCrossOriginAsPostgrest(server: FastifyInstance, live: LiveSettings): void {
  server.addHook('onRequest', (request, reply, done) => {
    const isForeign = request.headers.origin !== undefined && (request.method !== 'OPTIONS' || isSoundPreflight(request));
    const allowed = isForeign ? originHeaders(request, live) : null;
    if (allowed === null) {
      done();
      return;
    }
    reply.headers(allowed);
    if (request.method === 'OPTIONS') {
      const asked = request.headers['access-control-request-headers'];
      if (asked !== undefined) reply.header('access-control-allow-headers', ['Authorization', ...namesOf(asked), 'Accept', 'Accept-Language', 'Content-Language'].join(', '));
      reply
        .header('access-control-allow-methods', methods)
        .header('access-control-max-age', '86400')
        .status(200)
        .send();
      return;
    }
    reply.header('access-control-expose-headers', exposedByPostgrest);
    done();
  });
}

/** Every answer has the header by which its request can be traced, errors too. */
export function bringBackTrace(server: FastifyInstance, live: LiveSettings): void {
  server.addHook('onRequest', (request, reply, done) => {
    const name = live.current.traceHeader;
    if (name !== null) reply.header(name, request.headers[name.toLowerCase()] ?? '');
    done();
  });
}

function isPreflight({ method, headers }: FastifyRequest): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
}

/** What names no method of ours is answered as the OPTIONS that it is. */
function isSoundPreflight({ headers }: FastifyRequest): boolean {
  return methods.split(', ').includes(headers['access-control-request-method'] ?? '');
}

/** Null for an origin that is not among those allowed. Credentials may only be sent where origins are named. */
function originHeaders({ headers: { origin } }: FastifyRequest, { current: { corsAllowedOrigins } }: LiveSettings): Record<string, string> | null {
  if (corsAllowedOrigins.length === 0) return { 'access-control-allow-origin': '*' };
  if (origin === undefined || !corsAllowedOrigins.includes(origin)) return null;
  return { 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true' };
}

function namesOf(header: string): string[] {
  return header.split(',').map((name) => name.trim()).filter((name) => name !== '');
}
