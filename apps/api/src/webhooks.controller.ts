import { WebhooksService, type DeliveryQuery, type ShownDelivery, type ShownDeliveryInFull, type ShownEndpoint } from '@mainstay/automation';
import type { Caller } from '@mainstay/domain';
import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Asker, CallerGuard } from './caller.guard.ts';
import { keyedRequest, sendKept } from './idempotency.ts';
import { SurfaceFilter } from './surface.filter.ts';

/** `/webhooks/v1`: who is told of what happens, and what they were told; for the service key. */
@Controller('webhooks/v1')
@UseGuards(CallerGuard)
@UseFilters(SurfaceFilter)
export class WebhooksController {
  constructor(private readonly webhooks: WebhooksService) {}

  @Post('endpoints')
  async create(@Asker() caller: Caller, @Body() body: unknown, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const answer = await this.webhooks.create(caller, body, keyedRequest(request, caller, body));
    const { id } = JSON.parse(answer.body!) as { id: string };
    await sendKept(reply.header('location', `/webhooks/v1/endpoints/${id}`), answer);
  }

  @Get('endpoints')
  list(@Asker() caller: Caller, @Query() query: DeliveryQuery): Promise<ShownEndpoint[]> {
    return this.webhooks.list(caller, query);
  }

  @Get('endpoints/:id')
  find(@Asker() caller: Caller, @Param('id') id: string): Promise<ShownEndpoint> {
    return this.webhooks.find(caller, id);
  }

  @Patch('endpoints/:id')
  change(@Asker() caller: Caller, @Param('id') id: string, @Body() body: unknown): Promise<ShownEndpoint> {
    return this.webhooks.change(caller, id, body);
  }

  @Delete('endpoints/:id')
  @HttpCode(204)
  remove(@Asker() caller: Caller, @Param('id') id: string): Promise<void> {
    return this.webhooks.remove(caller, id);
  }

  @Post('endpoints/:id/rotate-secret')
  async rotateSecret(@Asker() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await sendKept(reply, await this.webhooks.rotateSecret(caller, id, keyedRequest(request, caller, request.body)));
  }

  @Post('endpoints/:id/test')
  async test(@Asker() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await sendKept(reply, await this.webhooks.test(caller, id, keyedRequest(request, caller, request.body)));
  }

  @Post('endpoints/:id/pause')
  async pause(@Asker() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await sendKept(reply, await this.webhooks.pause(caller, id, keyedRequest(request, caller, request.body)));
  }

  @Post('endpoints/:id/resume')
  async resume(@Asker() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await sendKept(reply, await this.webhooks.resume(caller, id, keyedRequest(request, caller, request.body)));
  }

  @Post('endpoints/:id/redeliver')
  async redeliverRange(@Asker() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await sendKept(reply, await this.webhooks.redeliverRange(caller, id, request.body, keyedRequest(request, caller, request.body)));
  }

  @Get('endpoints/:id/deliveries')
  deliveriesOf(@Asker() caller: Caller, @Param('id') endpoint: string, @Query() query: DeliveryQuery): Promise<ShownDelivery[]> {
    return this.webhooks.deliveries(caller, { ...query, endpoint });
  }

  @Get('deliveries')
  deliveries(@Asker() caller: Caller, @Query() query: DeliveryQuery): Promise<ShownDelivery[]> {
    return this.webhooks.deliveries(caller, query);
  }

  /** How many are in each state. */
  @Get('deliveries/counts')
  counts(@Asker() caller: Caller, @Query() query: DeliveryQuery): Promise<Record<string, number>> {
    return this.webhooks.countDeliveries(caller, query);
  }

  @Get('deliveries/:id')
  delivery(@Asker() caller: Caller, @Param('id') id: string): Promise<ShownDeliveryInFull> {
    return this.webhooks.delivery(caller, id);
  }

  @Post('deliveries/:id/redeliver')
  async redeliver(@Asker() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await sendKept(reply, await this.webhooks.redeliver(caller, id, keyedRequest(request, caller, request.body)));
  }
}
