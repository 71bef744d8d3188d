import type { Server } from 'node:http';
import { Histogram } from '@mainstay/telemetry';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** What is known of the requests with one route, method and status. */
export interface RouteFigures {
  readonly route: string;
  readonly method: string;
  readonly status: number;
  readonly seconds: Histogram;
}

/** Whoever leaves before the answer was sent is told apart by this number, as nginx does. */
const clientLeft = 499;
const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
/** Every path that has no route is this one: whoever makes up paths makes no labels. */
const noRoute = 'none';

/**
 * Counts requests by route, method and status: one listener and one lookup a request. A route is its template, so no id, no
 * name and no query is ever in a label, and their number is bounded by what the code declares.
 */
export class HttpFigures {
  inFlight = 0;
  /** Connections that were refused because there were as many as may be. */
  connectionsDropped = 0;
  private readonly byRoute = new Map<string, RouteFigures[]>();
  private server: Server | null = null;

  /** Called before any other hook is added, so that what those answer is counted too. */
  watch(fastify: FastifyInstance): void {
    this.server = fastify.server;
    fastify.server.on('drop', () => (this.connectionsDropped += 1));
    fastify.addHook('onRequest', (request, reply, done) => {
      const askedAt = performance.now();
      this.inFlight += 1;
      reply.raw.once('close', () => {
        this.inFlight -= 1;
        this.ended(request, reply, (performance.now() - askedAt) / 1000);
      });
      done();
    });
  }

  /** Of every route that was asked for. */
  *routes(): Iterable<RouteFigures> {
    for (const figures of this.byRoute.values()) yield* figures;
  }

  /** Connections that are open now. */
  connections(): Promise<number> {
    return new Promise((resolve) => (this.server === null ? resolve(0) : this.server.getConnections((error, count) => resolve(error === null ? count : 0))));
  }

  private ended(request: FastifyRequest, { raw }: FastifyReply, seconds: number): void {
    this.of(routeOf(request), request.method, raw.writableFinished ? raw.statusCode : clientLeft).seconds.observe(seconds);
  }

  private of(route: string, method: string, status: number): RouteFigures {
    let figures = this.byRoute.get(route);
    if (figures === undefined) this.byRoute.set(route, (figures = []));
    const label = methods.has(method) ? method : 'other';
    // A handful for each route: looking through them costs less than making a key.
    for (const known of figures) if (known.status === status && known.method === label) return known;
    const made = { route, method: label, status, seconds: new Histogram() };
    figures.push(made);
    return made;
  }
}

/** The template of a request's route; the data API has one for all, which is told apart by what kind of thing it leads to. */
export function routeOf(request: FastifyRequest): string {
  const { url } = request.routeOptions;
  if (url === undefined || request.is404) return noRoute;
  if (url !== '/rest/v1/*') return url;
  if (request.url.startsWith('/rest/v1/rpc/')) return '/rest/v1/rpc/:function';
  return request.url.length > '/rest/v1/'.length && request.url[9] !== '?' ? '/rest/v1/:collection' : '/rest/v1/';
}
