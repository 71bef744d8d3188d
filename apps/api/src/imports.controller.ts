import { Readable } from 'node:stream';
import { ImportsService, rejectFormatOf, writeRejects, type ImportQuery, type ShownImport } from '@mainstay/automation';
import type { Caller } from '@mainstay/domain';
import { Controller, Get, HttpCode, Param, Post, Query, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Asker, CallerGuard } from './caller.guard.ts';
import { keyedRequest } from './idempotency.ts';
import { SurfaceFilter } from './surface.filter.ts';

/** `/imports/v1`: files in, and how far they are; one's own, all of them for the service key. */
@Controller('imports/v1')
@UseGuards(CallerGuard)
@UseFilters(SurfaceFilter)
export class ImportsController {
  constructor(private readonly imports: ImportsService) {}

  /** The body is a stream of any size, as the edge received it. */
  @Post(':collection')
  async accept(@Asker() caller: Caller, @Param('collection') collection: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { headers } = request;
    const body = request.body instanceof Readable ? request.body : Readable.from([]);
    try {
      const isKeyed = keyedRequest(request, caller, null) !== null;
      const answer = await this.imports.accept(
        {
          collection,
          schema: headers['content-profile'] as string | undefined,
          query: new URLSearchParams(request.url.split('?').slice(1).join('?')),
          contentType: headers['content-type'],
          contentEncoding: headers['content-encoding'],
          contentLength: headers['content-length'] === undefined ? null : Number(headers['content-length']),
          body,
          keyed: isKeyed ? (digest) => keyedRequest(request, caller, digest)! : null,
        },
        caller,
      );
      if (answer.isReplayed) reply.header('idempotency-replayed', 'true');
      await reply.status(answer.status).headers(answer.headers).type('application/json; charset=utf-8').send(answer.body);
    } catch (error) {
      // What is left of the body will not be read, so nothing else can come over this connection.
      if (!body.readableEnded) reply.header('connection', 'close');
      throw error;
    }
  }

  @Get()
  list(@Asker() caller: Caller, @Query() query: ImportQuery): Promise<ShownImport[]> {
    return this.imports.list(caller, query);
  }

  @Get(':id')
  find(@Asker() caller: Caller, @Param('id') id: string): Promise<ShownImport> {
    return this.imports.find(caller, id);
  }

  /** As CSV, or by the Accept header as NDJSON; streamed, since there may be a hundred thousand. */
  @Get(':id/rejects')
  async rejects(@Asker() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const pages = await this.imports.rejects(caller, id);
    const format = rejectFormatOf(request.headers.accept);
    await reply
      .type(format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson; charset=utf-8')
      .header('content-disposition', `attachment; filename="rejects-${id}.${format}"`)
      .header('vary', 'Accept')
      .send(Readable.from(writeRejects(pages, format)));
  }

  @Post(':id/cancel')
  @HttpCode(200)
  cancel(@Asker() caller: Caller, @Param('id') id: string): Promise<ShownImport> {
    return this.imports.cancel(caller, id);
  }
}
