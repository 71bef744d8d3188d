import { JobsService, type JobQuery } from '@mainstay/automation';
import type { Caller } from '@mainstay/domain';
import type { OwnJob } from '@mainstay/persistence';
import { Controller, Get, Param, Post, Query, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Asker, CallerGuard } from './caller.guard.ts';
import { keyedRequest, sendKept } from './idempotency.ts';
import { SurfaceFilter } from './surface.filter.ts';

/** `/jobs/v1`: one's own jobs; all of them for the service key. */
@Controller('jobs/v1')
@UseGuards(CallerGuard)
@UseFilters(SurfaceFilter)
export class JobsController {
  constructor(private readonly jobs: JobsService) {}

  @Get()
  list(@Asker() caller: Caller, @Query() query: JobQuery): Promise<OwnJob[]> {
    return this.jobs.list(caller, query);
  }

  @Get(':id')
  find(@Asker() caller: Caller, @Param('id') id: string): Promise<OwnJob> {
    return this.jobs.find(caller, id);
  }

  @Post(':id/cancel')
  async cancel(@Asker() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await sendKept(reply, await this.jobs.cancel(caller, id, keyedRequest(request, caller, request.body)));
  }

  @Post(':id/retry')
  async retry(@Asker() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await sendKept(reply, await this.jobs.retry(caller, id, keyedRequest(request, caller, request.body)));
  }
}
