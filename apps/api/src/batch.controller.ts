import type { Caller, Fault } from '@mainstay/domain';
import { BatchService, EntryFault } from '@mainstay/rest';
import { Catch, Controller, HttpCode, Injectable, Post, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Asker, CallerGuard } from './caller.guard.ts';
import { keyedWrite } from './idempotency.ts';
import { leavingOf, sendAnswer, singleValues } from './rest.controller.ts';
import { RestFilter } from './rest.filter.ts';

/** As the data API words an error, with the place of the request that was refused; null where it is the batch itself. */
@Catch()
@Injectable()
export class BatchFilter extends RestFilter {
  protected override bodyOf(fault: Fault): object {
    return { ...super.bodyOf(fault), index: fault instanceof EntryFault ? fault.index : null };
  }
}

/** `/batch/v1`: many requests of the data API, done together or not at all. */
@Controller('batch/v1')
@UseGuards(CallerGuard)
@UseFilters(BatchFilter)
export class BatchController {
  constructor(private readonly batches: BatchService) {}

  @Post()
  @HttpCode(200)
  async answer(@Asker() caller: Caller, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const signal = leavingOf(reply);
    const bytes = request.body instanceof Uint8Array ? request.body : new Uint8Array();
    try {
      sendAnswer(reply, await this.batches.answer(bytes, singleValues(request.headers), caller, { signal, keyed: keyedWrite(request, caller) }), false);
    } catch (error) {
      // Whoever left reads no answer.
      if (!signal.aborted) throw error;
    }
  }
}
