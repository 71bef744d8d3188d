import { Readable } from 'node:stream';
import { ExportsService, isExportId, queryOfBody, type AskedExport, type ExportQuery, type ShownExport } from '@mainstay/automation';
import type { Caller } from '@mainstay/domain';
import { Controller, Delete, Get, HttpCode, Param, Post, Query, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Asker, CallerGuard } from './caller.guard.ts';
import { keyedRequest, sendKept } from './idempotency.ts';
import { leavingOf, singleValues } from './rest.controller.ts';
import { SurfaceFilter } from './surface.filter.ts';

/** `/exports/v1`: collections as files, sent at once or made by a job; one's own, all of them for the service key. */
@Controller('exports/v1')
@UseGuards(CallerGuard)
@UseFilters(SurfaceFilter)
export class ExportsController {
  constructor(private readonly exports: ExportsService) {}

  @Get()
  list(@Asker() caller: Caller, @Query() query: ExportQuery): Promise<ShownExport[]> {
    return this.exports.list(caller, query);
  }

  /** Of an export how far it is, of a collection its rows. */
  @Get(':what')
  async get(@Asker() caller: Caller, @Param('what') what: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    if (isExportId(what)) {
      await reply.send(await this.exports.find(caller, what));
      return;
    }
    const asked = askedOf(what, request);
    if (request.method === 'HEAD') {
      await reply.headers(this.exports.head(asked, caller)).send(nothing());
      return;
    }
    if (wantsJob(request)) {
      reply.header('preference-applied', 'respond-async');
      await sendKept(reply, await this.exports.create(asked, caller, null));
      return;
    }
    await this.send(asked, caller, reply);
  }

  private async send(asked: AskedExport, caller: Caller, reply: FastifyReply): Promise<void> {
    const signal = leavingOf(reply);
    try {
      const { headers, body } = await this.exports.send(asked, caller, { signal });
      if (body instanceof Readable) breakWith(body, reply);
      await reply.headers(headers).send(body);
    } catch (error) {
      // Whoever left reads no answer, and that their query was cancelled is no error of ours.
      if (!signal.aborted) throw error;
    }
  }

  /** The parameters stand in the query, in the body, or in both. */
  @Post(':collection')
  async create(@Asker() caller: Caller, @Param('collection') collection: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const asked = askedOf(collection, request);
    const query = [asked.query, queryOfBody(request.body)].filter((part) => part !== '').join('&');
    // What is accepted in answer to a POST says nothing about the file.
    const headers = { ...asked.headers, accept: undefined };
    await sendKept(reply, await this.exports.create({ ...asked, query, headers }, caller, keyedRequest(request, caller, request.body)));
  }

  @Post(':id/cancel')
  @HttpCode(200)
  cancel(@Asker() caller: Caller, @Param('id') id: string): Promise<ShownExport> {
    return this.exports.cancel(caller, id);
  }

  @Delete(':id')
  @HttpCode(204)
  remove(@Asker() caller: Caller, @Param('id') id: string): Promise<void> {
    return this.exports.remove(caller, id);
  }
}

/** Files of exports, for whoever has a link: it is signed, and no other credential is asked for. */
@Controller('exports/v1')
@UseFilters(SurfaceFilter)
export class ExportFilesController {
  constructor(private readonly exports: ExportsService) {}

  @Get([':id/file', ':id/file/:name'])
  async file(@Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { expires, signature } = request.query as Record<string, unknown>;
    const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
    const answer = await this.exports.openFile(id, { expires: text(expires), signature: text(signature), headers: singleValues(request.headers), isHead: request.method === 'HEAD' });
    reply.status(answer.status).headers(answer.headers);
    await reply.send(answer.body === null ? nothing() : Readable.from(answer.body, { objectMode: false }));
  }
}

function askedOf(collection: string, request: FastifyRequest): AskedExport {
  const { url } = request;
  const headers = singleValues(request.headers);
  const question = url.indexOf('?');
  return { collection, schema: headers['accept-profile'] ?? headers['content-profile'], query: question === -1 ? '' : url.slice(question + 1), headers };
}

/** The body of an answer that has none: of a text Fastify would tell the length, in the place of the file's. */
function nothing(): Readable {
  return Readable.from([]);
}

/** RFC 7240, 4.1. */
function wantsJob({ headers }: FastifyRequest): boolean {
  return [headers['prefer'] ?? ''].flat().join(',').split(',').some((preference) => preference.trim().toLowerCase() === 'respond-async');
}

/** A part must never look like the whole: where no length and no last chunk is expected (HTTP/1.0), only a reset says so. */
function breakWith(body: Readable, reply: FastifyReply): void {
  body.once('error', () => reply.raw.socket?.resetAndDestroy());
}
