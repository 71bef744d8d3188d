import { previewRuns, type PreviewQuery } from '@mainstay/automation';
import { Controller, Get, Query, UseFilters, UseGuards } from '@nestjs/common';
import { CallerGuard } from './caller.guard.ts';
import { SurfaceFilter } from './surface.filter.ts';

/** When an expression would run, for whoever is about to make a schedule of it. It only counts, and reads nothing. */
@Controller('schedules/v1/preview')
@UseGuards(CallerGuard)
@UseFilters(SurfaceFilter)
export class SchedulePreviewController {
  @Get()
  preview(@Query() query: PreviewQuery): { readonly next_runs: readonly Date[] } {
    return previewRuns(query, new Date());
  }
}
