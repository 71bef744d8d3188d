import type { FastifyInstance } from 'fastify';

const exposed = [
  'Content-Encoding', 'Content-Location', 'Content-Range', 'Content-Type', 'Date', 'ETag', 'Link', 'Location', 'Server', 'Transfer-Encoding',
  'Range-Unit', 'Preference-Applied', 'Content-Profile', 'Retry-After', 'Missing-Rows', 'X-Total-Count', 'X-Supabase-Api-Version', 'X-Sb-Error-Code', 'Idempotency-Replayed',
].join(', ');

/**
 * Cross-origin rules of every answer, errors too: without these headers a browser hides even the status.
 * Any origin may ask, since a key or token decides, never a cookie. Own code, because the kept plugin takes every OPTIONS
 * for a preflight, and the data API has an OPTIONS of its own; a preflight is one that names the method it is for.
 */
export function allowCrossOrigin(server: FastifyInstance): void {
  server.addHook('onRequest', (request, reply, done) => {
    reply.header('access-control-allow-origin', '*').header('x-content-type-options', 'nosniff');
    if (request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined) {
      reply
        .header('access-control-allow-methods', 'GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD')
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
