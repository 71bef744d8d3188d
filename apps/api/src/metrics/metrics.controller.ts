import { createHash, timingSafeEqual } from 'node:crypto';
import { askedCredentials, Callers } from '@mainstay/auth';
import type { Settings } from '@mainstay/config';
import { isService } from '@mainstay/domain';
import { Controller, Get, Inject, Req, Res, UseFilters } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { edgeFault } from '../edge-faults.ts';
import { settingsToken } from '../settings-token.ts';
import { SurfaceFilter } from '../surface.filter.ts';
import { Exposition } from './exposition.ts';

/** `/metrics` for Prometheus: by the service key, or by a token of its own that opens nothing else. */
@Controller('metrics')
@UseFilters(SurfaceFilter)
export class MetricsController {
  constructor(
    private readonly exposition: Exposition,
    private readonly callers: Callers,
    @Inject(settingsToken) private readonly settings: Settings,
  ) {}

  @Get()
  async metrics(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    if (!this.hasToken(request)) await this.refuseUnlessService(request);
    await reply.header('cache-control', 'no-store').type(this.exposition.contentType).send(await this.exposition.text());
  }

  private hasToken({ headers: { authorization } }: FastifyRequest): boolean {
    const { metricsToken } = this.settings;
    const given = /^Bearer\s+(\S+)$/i.exec(authorization ?? '')?.[1];
    return metricsToken !== null && given !== undefined && timingSafeEqual(digest(given), digest(metricsToken));
  }

  private async refuseUnlessService(request: FastifyRequest): Promise<void> {
    const caller = await this.callers.prove(askedCredentials(request));
    if (isService(caller)) return;
    if (caller.kind === 'anonymous') throw edgeFault('service_role_needed', { status: 401, hint: 'Send the service key, or MAINSTAY_METRICS_TOKEN as a bearer token.', headers: { 'www-authenticate': 'Bearer' } });
    throw edgeFault('service_role_needed');
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
