import { Readable } from 'node:stream';
import { standsInForPostgrest, type Settings } from '@mainstay/config';
import type { Caller } from '@mainstay/domain';
import { RestService, type RestAnswer, type RestRequest } from '@mainstay/rest';
import { All, Controller, Inject, Optional, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Asker, CallerGuard } from './caller.guard.ts';
import { keyedWrite } from './idempotency.ts';
import { RestFilter } from './rest.filter.ts';
import { mount } from './rest-path.ts';
import { settingsToken } from './settings-token.ts';


/** `/rest/v1`: everything below it is read by the dialect, so there is one route. */
@Controller()
@UseGuards(CallerGuard)
@UseFilters(RestFilter)
export class RestController {
  /** Where keys are given out, one may stand in the query; elsewhere `apikey` is a column like any other. */
  private readonly isKeyInQuery: boolean;

  constructor(
    private readonly rest: RestService,
    @Optional() @Inject(settingsToken) settings: Settings | null,
  ) {
    this.isKeyInQuery = settings === null || settings === undefined || !standsInForPostgrest(settings);
  }

  @All(['rest/v1', 'rest/v1/*'])
  async answer(@Asker() caller: Caller, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const signal = leavingOf(reply);
    try {
      const keyed = this.rest.keepsAnswers ? keyedWrite(request, caller) : null;
      await sendAnswer(reply, await this.rest.answer(readHttp(request, this.isKeyInQuery), caller, { signal, keyed }), request.method === 'HEAD');
    } catch (error) {
      // Whoever left reads no answer, and that their query was cancelled is no error of ours.
      if (!signal.aborted) throw error;
    }
  }
}

/** Aborted when the client goes away before it has its answer. */
export function leavingOf({ raw }: FastifyReply): AbortSignal {
  const leaving = new AbortController();
  raw.once('close', () => {
    if (!raw.writableFinished) leaving.abort();
  });
  return leaving.signal;
}

/** The request as a value; the dialect decodes path and query itself. */
function readHttp({ method, url, originalUrl, headers, body }: FastifyRequest, isKeyInQuery: boolean): RestRequest {
  const question = url.indexOf('?');
  const path = (question === -1 ? url : url.slice(0, question)).slice(mount.length);
  return {
    method,
    path: path === '' ? '/' : path,
    externalPath: originalUrl.split('?')[0]!,
    query: question === -1 ? '' : isKeyInQuery ? withoutKey(url.slice(question + 1)) : url.slice(question + 1),
    headers: singleValues(headers),
    body: body instanceof Uint8Array ? body : null,
  };
}

/** The key is the guard's, and no filter. */
function withoutKey(query: string): string {
  return query.includes('apikey=') ? query.split('&').filter((part) => !part.startsWith('apikey=')).join('&') : query;
}

/** Headers by name, each one text. */
export function singleValues(headers: FastifyRequest['headers']): RestRequest['headers'] {
  if (headers['set-cookie'] === undefined) return headers as RestRequest['headers'];
  return { ...headers, 'set-cookie': headers['set-cookie'].join(', ') } as RestRequest['headers'];
}

/** Sends an answer of the data API as it is. */
export async function sendAnswer(reply: FastifyReply, { status, headers, body }: RestAnswer, isHead: boolean): Promise<void> {
  reply.status(status);
  // Fastify adds to a list only what is Set-Cookie; anything else of one name would be overwritten.
  for (const [name, values] of Map.groupBy(headers, ([name]) => name.toLowerCase())) {
    reply.header(name, values.length === 1 ? values[0]![1] : values.map(([, value]) => value));
  }
  await reply.send(isHead || body === null ? undefined : payloadOf(body));
}

/** A stream is read as fast as the client takes it, and ended when the client leaves. */
function payloadOf(body: NonNullable<RestAnswer['body']>): string | Buffer | Readable {
  if (typeof body === 'string' || body instanceof Readable) return body;
  return body instanceof Uint8Array ? Buffer.from(body.buffer, body.byteOffset, body.byteLength) : Readable.from(body, { objectMode: false });
}
