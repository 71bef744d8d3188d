import { createServer, type Server } from 'node:http';
import type { Settings } from '@mainstay/config';
import type { Readiness } from './readiness.ts';

/** PostgREST's port for health checks: `/live` tells that the process is there, `/ready` that it can answer. Bodies are empty. */
export async function startAdminServer({ adminHost, adminPort }: Pick<Settings, 'adminHost' | 'adminPort'>, readiness: Readiness): Promise<Server | null> {
  if (adminPort === null) return null;
  const server = createServer((request, response) => {
    void statusOf(request.url ?? '/', readiness).then((status) => response.writeHead(status).end());
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(adminPort, adminHost, resolve));
  return server;
}

async function statusOf(url: string, readiness: Readiness): Promise<number> {
  switch (url.split('?')[0]) {
    case '/live':
      return 200;
    case '/ready':
      return (await readiness.report()).status === 'ok' ? 200 : 503;
    default:
      return 404;
  }
}
