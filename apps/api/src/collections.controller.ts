import { CollectionsService } from '@mainstay/collections';
import type { Caller } from '@mainstay/domain';
import type { Collection } from '@mainstay/persistence';
import { Body, Controller, Get, HttpCode, Post, UseFilters, UseGuards } from '@nestjs/common';
import { Asker, CallerGuard } from './caller.guard.ts';
import { SurfaceFilter } from './surface.filter.ts';

/** `/collections/v1`: the shape of the data, for the service key. */
@Controller('collections/v1')
@UseGuards(CallerGuard)
@UseFilters(SurfaceFilter)
export class CollectionsController {
  constructor(private readonly collections: CollectionsService) {}

  @Get()
  list(@Asker() caller: Caller): Promise<Collection[]> {
    return this.collections.list(caller);
  }

  @Post()
  @HttpCode(201)
  create(@Asker() caller: Caller, @Body() body: unknown): Promise<Collection> {
    return this.collections.create(caller, body);
  }
}
