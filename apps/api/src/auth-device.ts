import { isIP } from 'node:net';
import { redirectTarget } from '@mainstay/auth';
import type { Settings } from '@mainstay/config';
import type { Device } from '@mainstay/persistence';
import type { FastifyRequest } from 'fastify';

/** From where a request comes. A link-local address has a zone, which PostgreSQL does not know. */
export function deviceOf(request: FastifyRequest): Device {
  const address = request.ip.split('%')[0]!;
  return { userAgent: request.headers['user-agent']?.slice(0, 512) ?? null, address: isIP(address) === 0 ? null : address };
}

/** Where a request wants its link to lead: what it says, else the page that it comes from, else the site; only what is allowed. */
export function redirectOf(request: FastifyRequest, settings: Pick<Settings, 'siteUrl' | 'redirectAllowList'>, inBody?: string): string {
  const { redirect_to: inQuery } = request.query as { redirect_to?: unknown };
  return redirectTarget(settings, inQuery, inBody, request.headers['redirect_to'], request.headers.referer);
}
