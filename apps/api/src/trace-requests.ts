import { tracing, type Step } from '@mainstay/telemetry';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { routeOf } from './metrics/http-figures.ts';

const steps = new WeakMap<FastifyRequest, Step>();

/**
 * Makes each request a step: below the one whose `traceparent` it brings, and above all that is done for it. A process that does
 * not trace has no such hook. A path is told of the data API alone, where it names a collection; elsewhere it may hold an id or a
 * token, and a query is never told.
 */
export function traceRequests(server: FastifyInstance): void {
  const traces = tracing();
  if (traces === null) return;
  server.addHook('onRequest', (request, reply, done) => {
    const route = routeOf(request);
    const step = traces.begin(`${request.method} ${route}`, {
      kind: 'server',
      after: parentOf(request),
      attributes: { 'http.request.method': request.method, 'http.route': route, 'url.scheme': request.protocol, ...(route.startsWith('/rest/v1/') ? { 'url.path': request.url.split('?')[0]! } : {}) },
    });
    steps.set(request, step);
    reply.raw.once('close', () => ended(step, reply));
    step.within(done);
  });
  // The body came by events of its connection, which know nothing of the step.
  server.addHook('preValidation', (request, _reply, done) => {
    const step = steps.get(request);
    if (step === undefined) done();
    else step.within(done);
  });
}

function parentOf({ headers }: FastifyRequest): string | null {
  const { traceparent } = headers;
  return typeof traceparent === 'string' ? traceparent : null;
}

function ended(step: Step, { raw }: FastifyReply): void {
  step.note({ 'http.response.status_code': raw.statusCode });
  if (!raw.writableFinished) step.fail('client_left');
  else if (raw.statusCode >= 500) step.fail(String(raw.statusCode));
  step.end();
}
