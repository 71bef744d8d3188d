import { JobsService, type JobQuery } from '@mainstay/automation';
import type { Caller } from '@mainstay/domain';
import type { OwnJob } from '@mainstay/persistence';
import { Controller, Get, HttpCode, Param, Post, Query, UseFilters, UseGuards } from '@nestjs/common';
import { Asker, CallerGuard } from './caller.guard.ts';
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
  @HttpCode(200)
  cancel(@Asker() caller: Caller, @Param('id') id: string): Promise<OwnJob> {
    return this.jobs.cancel(caller, id);
  }

  @Post(':id/retry')
  @HttpCode(200)
  retry(@Asker() caller: Caller, @Param('id') id: string): Promise<OwnJob> {
    return this.jobs.retry(caller, id);
  }
}
