import type { Settings } from '@mainstay/config';
import type { Caller } from '@mainstay/domain';
import { RestService, type RestRequest } from '@mainstay/rest';
import { Controller, Get, Header, Inject, Query, Req, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Asker, CallerGuard } from './caller.guard.ts';
import { RestFilter } from './rest.filter.ts';
import { settingsToken } from './settings-token.ts';
import { version } from './version.ts';

/** `/openapi`: the surfaces in OpenAPI 3.1, for generators of clients and for the page at `/docs`. */
@Controller('openapi')
@UseGuards(CallerGuard)
@UseFilters(RestFilter)
export class DescriptionsController {
  constructor(
    private readonly rest: RestService,
    @Inject(settingsToken) private readonly settings: Settings,
  ) {}

  /** The data API of one schema: the one that `schema` or `Accept-Profile` names, else the first. */
  @Get('rest.json')
  @Header('cache-control', 'no-cache')
  describeRest(@Asker() caller: Caller, @Req() { headers }: FastifyRequest, @Query('schema') schema: unknown): Promise<Record<string, unknown>> {
    const profile = typeof schema === 'string' && schema !== '' ? { 'accept-profile': schema } : {};
    const http: RestRequest = { method: 'GET', path: '/', query: '', headers: { ...(headers as RestRequest['headers']), ...profile }, body: null };
    return this.rest.root.openapi31(http, caller, { url: this.settings.openapiServerProxyUri ?? this.settings.restPath, version });
  }
}
