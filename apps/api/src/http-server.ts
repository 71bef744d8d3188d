import { standsInForPostgrest, type Settings } from '@mainstay/config';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { takeBodies } from './body.ts';
import { allowCrossOrigin, allowCrossOriginAsPostgrest, bringBackTrace } from './cors.ts';
import { edgeFault } from './edge-faults.ts';
import { LiveSettings } from './live-settings.ts';
import { HttpFigures } from './metrics/http-figures.ts';
import { leadToMount } from './rest-path.ts';
import { cutSlowReaders } from './slow-clients.ts';
import { traceRequests } from './trace-requests.ts';

/** Under this name a server holds what it counts of its requests. */
export const figuresOfServer = Symbol('figures');

/** Surfaces of ours that look their path and query up in the database as they come. The data API and exports have words of their own. */
const ownSurface = /^\/(jobs|queues|queue-figures|schedules|webhooks)\/v1/;

/** Fastify with the limits that slow, endless and crowding clients meet. */
export function makeHttpServer(settings: Settings, live = new LiveSettings(settings)): FastifyAdapter {
  const rewriteUrl = leadToMount(settings);
  const adapter = new FastifyAdapter({
    logger: false,
    // Only what the listed proxies say is believed: an address that everybody may claim counts nobody.
    trustProxy: settings.trustedProxies.length === 0 ? false : [...settings.trustedProxies],
    ...(rewriteUrl === undefined ? {} : { rewriteUrl }),
    keepAliveTimeout: 65_000,
    // 0: Node's own limit would cut an upload that is being sent; body.ts and the imports watch progress instead.
    requestTimeout: 0,
    maxRequestsPerSocket: 1000,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: settings.maxRequestLineBytes },
    http: { maxHeaderSize: settings.maxRequestLineBytes + 16 * 1024, headersTimeout: settings.headersTimeoutSeconds * 1000, connectionsCheckingInterval: 2000 },
    frameworkErrors: (error: Error, _request: FastifyRequest, reply: FastifyReply) => {
      const fault = edgeFault('url_not_decodable', { cause: error });
      void reply.status(fault.status).send({ code: fault.code, message: fault.message, details: null, hint: null });
    },
  });
  const server = adapter.getInstance() as unknown as FastifyInstance;
  server.decorateRequest('caller', null);
  const figures = new HttpFigures();
  figures.watch(server);
  server.decorate(figuresOfServer, figures);
  traceRequests(server);
  bringBackTrace(server, live);
  if (standsInForPostgrest(settings)) allowCrossOriginAsPostgrest(server, live);
  else allowCrossOrigin(server, live);
  server.addHook('onRequest', (request, _reply, done) => {
    done(request.url.length > settings.maxRequestLineBytes ? edgeFault('request_line_too_long', { details: `${request.url.length} bytes` }) : undefined);
  });
  server.addHook('onRequest', (request, _reply, done) => {
    done(ownSurface.test(request.url) && /%00/.test(request.url) ? edgeFault('text_not_storable', { details: 'the path or the query' }) : undefined);
  });
  takeBodies(server, settings);
  server.server.maxConnections = settings.maxConnections;
  cutSlowReaders(server.server, settings.readerTimeoutSeconds);
  return adapter;
}
