import { SchedulesService, type ScheduleQuery, type ShownSchedule } from '@mainstay/automation';
import type { Caller } from '@mainstay/domain';
import type { ScheduleRun } from '@mainstay/persistence';
import { Body, Controller, Delete, Get, Param, Patch, Post, Query, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Asker, CallerGuard } from './caller.guard.ts';
import { keyedRequest, sendKept } from './idempotency.ts';
import { SurfaceFilter } from './surface.filter.ts';

/** `/schedules/v1`: one's own schedules; all of them, those of pg_cron too, for the service key. */
@Controller('schedules/v1')
@UseGuards(CallerGuard)
@UseFilters(SurfaceFilter)
export class SchedulesController {
  constructor(private readonly schedules: SchedulesService) {}

  @Get()
  list(@Asker() caller: Caller, @Query() query: ScheduleQuery): Promise<ShownSchedule[]> {
    return this.schedules.list(caller, query);
  }

  @Post()
  async create(@Asker() caller: Caller, @Body() body: unknown, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await sendKept(reply, await this.schedules.create(caller, body, keyedRequest(request, caller, body)));
  }

  @Get(':id')
  find(@Asker() caller: Caller, @Param('id') id: string): Promise<ShownSchedule> {
    return this.schedules.find(caller, id);
  }

  @Get(':id/runs')
  runs(@Asker() caller: Caller, @Param('id') id: string, @Query() query: ScheduleQuery): Promise<ScheduleRun[]> {
    return this.schedules.runs(caller, id, query);
  }

  @Patch(':id')
  async update(@Asker() caller: Caller, @Param('id') id: string, @Body() body: unknown, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await sendKept(reply, await this.schedules.update(caller, id, body, keyedRequest(request, caller, body)));
  }

  @Delete(':id')
  async delete(@Asker() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await sendKept(reply, await this.schedules.delete(caller, id, keyedRequest(request, caller, request.body)));
  }

  @Post(':id/run-now')
  async runNow(@Asker() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await sendKept(reply, await this.schedules.runNow(caller, id, keyedRequest(request, caller, request.body)));
  }

  @Post(':id/pause')
  async pause(@Asker() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await sendKept(reply, await this.schedules.pause(caller, id, keyedRequest(request, caller, request.body)));
  }

  @Post(':id/resume')
  async resume(@Asker() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await sendKept(reply, await this.schedules.resume(caller, id, keyedRequest(request, caller, request.body)));
  }
}
