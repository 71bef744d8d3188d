import { JobsService, type JobQuery } from '@mainstay/automation';
import type { Caller, JobState } from '@mainstay/domain';
import type { OwnJob } from '@mainstay/persistence';
import { Body, Controller, Get, HttpCode, Param, Post, Query, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
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

  @Get('counts')
  count(@Asker() caller: Caller, @Query() query: JobQuery): Promise<Record<JobState, number>> {
    return this.jobs.count(caller, query);
  }

  @Post()
  async ask(@Asker() caller: Caller, @Body() body: unknown, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { traceparent } = request.headers;
    await sendKept(reply, await this.jobs.ask(caller, body, keyedRequest(request, caller, body), isTrace(traceparent) ? traceparent : null));
  }

  @Post('retry')
  @HttpCode(200)
  retryAll(@Asker() caller: Caller, @Body() body: unknown): Promise<{ readonly retried: number; readonly is_complete: boolean }> {
    return this.jobs.retryAll(caller, body);
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

/** As the standard writes it; anything else is none. */
function isTrace(text: unknown): text is string {
  return typeof text === 'string' && /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(text);
}
