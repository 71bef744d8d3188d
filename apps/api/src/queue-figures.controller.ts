import { isService, type Caller } from '@mainstay/domain';
import { Controller, Get, UseFilters, UseGuards } from '@nestjs/common';
import { Asker, CallerGuard } from './caller.guard.ts';
import { edgeFault } from './edge-faults.ts';
import { QueueLook, type ShownQueue } from './metrics/house-figures.ts';
import { SurfaceFilter } from './surface.filter.ts';

/** `/queue-figures/v1`: how each queue stands and what its jobs came to; what `/metrics` tells, for the console. */
@Controller('queue-figures/v1')
@UseGuards(CallerGuard)
@UseFilters(SurfaceFilter)
export class QueueFiguresController {
  constructor(private readonly queues: QueueLook) {}

  @Get()
  list(@Asker() caller: Caller): Promise<ShownQueue[]> {
    if (!isService(caller)) throw edgeFault('service_role_needed');
    return this.queues.show();
  }
}
