import { createServer, type Server, type ServerResponse } from 'node:http';
import type { Settings } from '@mainstay/config';
import type { Exposition } from './metrics/exposition.ts';
import type { Readiness } from './readiness.ts';

/**
 * PostgREST's port for operators: `/live` tells that the process is there, `/ready` that it can answer, both without a body;
 * `/metrics` is for Prometheus. Nobody is asked for a key, so the port is for an inner network.
 */
export async function startAdminServer({ adminHost, adminPort }: Pick<Settings, 'adminHost' | 'adminPort'>, readiness: Readiness, metrics: Exposition): Promise<Server | null> {
  if (adminPort === null) return null;
  const server = createServer((request, response) => {
    answer(request.url?.split('?')[0] ?? '/', readiness, metrics, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(adminPort, adminHost, resolve));
  return server;
}

async function answer(path: string, readiness: Readiness, metrics: Exposition, response: ServerResponse): Promise<void> {
  switch (path) {
    case '/live':
      response.writeHead(200).end();
      return;
    case '/ready':
      response.writeHead((await readiness.report()).status === 'ok' ? 200 : 503).end();
      return;
    case '/metrics':
      response.writeHead(200, { 'content-type': metrics.contentType }).end(await metrics.text());
      return;
    default:
      response.writeHead(404).end();
  }
}
