import { QueuesService, type ShownQueue } from '@mainstay/automation';
import type { Caller } from '@mainstay/domain';
import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, UseFilters, UseGuards } from '@nestjs/common';
import { Asker, CallerGuard } from './caller.guard.ts';
import { SurfaceFilter } from './surface.filter.ts';

/** `/queues/v1`: the queues of jobs and what they are held to, for the service key. */
@Controller('queues/v1')
@UseGuards(CallerGuard)
@UseFilters(SurfaceFilter)
export class QueuesController {
  constructor(private readonly queues: QueuesService) {}

  @Get()
  list(@Asker() caller: Caller): Promise<ShownQueue[]> {
    return this.queues.list(caller);
  }

  @Get(':name')
  find(@Asker() caller: Caller, @Param('name') name: string): Promise<ShownQueue> {
    return this.queues.find(caller, name);
  }

  @Put(':name')
  put(@Asker() caller: Caller, @Param('name') name: string, @Body() body: unknown): Promise<ShownQueue> {
    return this.queues.put(caller, name, body);
  }

  @Post(':name/pause')
  @HttpCode(200)
  pause(@Asker() caller: Caller, @Param('name') name: string): Promise<ShownQueue> {
    return this.queues.pause(caller, name);
  }

  @Post(':name/resume')
  @HttpCode(200)
  resume(@Asker() caller: Caller, @Param('name') name: string): Promise<ShownQueue> {
    return this.queues.resume(caller, name);
  }

  @Delete(':name')
  @HttpCode(204)
  async delete(@Asker() caller: Caller, @Param('name') name: string): Promise<void> {
    await this.queues.delete(caller, name);
  }
}
