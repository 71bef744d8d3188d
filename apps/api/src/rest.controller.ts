import { METHODS } from 'node:http';
import { Readable } from 'node:stream';
import { askedCredentials, Callers } from '@mainstay/auth';
import { standsInForPostgrest, type Settings } from '@mainstay/config';
import type { Caller } from '@mainstay/domain';
import { RestService, type RestAnswer, type RestRequest } from '@mainstay/rest';
import { Controller, Inject, Optional, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { keyedWrite } from './idempotency.ts';
import { RestFilter } from './rest.filter.ts';
import { mount } from './rest-path.ts';
import { setStatus } from './set-status.ts';
import { settingsToken } from './settings-token.ts';

/**
 * `/rest/v1`: everything below it is read by the dialect, so there is one route. It is Fastify's own and not Nest's, whose
 * router, guard and filter cost a small read a quarter of what the server spends on it (docs/benchmarks.md); what they do
 * elsewhere stands here in `handle`.
 */
@Controller()
export class RestController implements OnModuleInit {
  /** Where keys are given out, one may stand in the query; elsewhere `apikey` is a column like any other. */
  private readonly isKeyInQuery: boolean;

  constructor(
    private readonly rest: RestService,
    private readonly callers: Callers,
    private readonly filter: RestFilter,
    private readonly host: HttpAdapterHost,
    @Optional() @Inject(settingsToken) settings: Settings | null,
  ) {
    this.isKeyInQuery = settings === null || settings === undefined || !standsInForPostgrest(settings);
  }

  onModuleInit(): void {
    const server = this.host.httpAdapter.getInstance<FastifyInstance>();
    // Verbs that Fastify would not route are the dialect's to refuse.
    for (const method of METHODS.filter((name) => name !== 'CONNECT' && !server.supportedMethods.includes(name))) server.addHttpMethod(method, { hasBody: true });
    for (const url of [mount, `${mount}/*`]) server.all(url, (request, reply) => void this.handle(request, reply));
  }

  private async handle(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const askedAt = performance.now();
    const signal = leavingOf(reply);
    try {
      const caller = await callerOf(this.callers, request);
      const keyed = this.rest.keepsAnswers ? keyedWrite(request, caller) : null;
      sendAnswer(reply, await this.rest.answer(readHttp(request, this.isKeyInQuery), caller, { signal, keyed, askedAt }), request.method === 'HEAD');
    } catch (error) {
      // Whoever left reads no answer, and that their query was cancelled is no error of ours.
      if (!signal.aborted) this.filter.answer(error, request, reply);
    }
  }
}

/** As the guard proves it. */
async function callerOf(callers: Callers, request: FastifyRequest): Promise<Caller> {
  const credentials = askedCredentials(request);
  return callers.remembered(credentials) ?? (await callers.prove(credentials));
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

/** Sends an answer of the data API as it is. Nothing waits for its end, which costs more than it tells. */
export function sendAnswer(reply: FastifyReply, { status, headers, body }: RestAnswer, isHead: boolean): void {
  setStatus(reply, status).headers(byName(headers));
  void reply.send(isHead || body === null ? undefined : payloadOf(body, reply));
}

/** Fastify adds to a list only what is Set-Cookie; anything else of one name would be overwritten. */
function byName(headers: RestAnswer['headers']): Record<string, string | string[]> {
  const named = Object.create(null) as Record<string, string | string[]>;
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    const before = named[key];
    named[key] = before === undefined ? value : [before, value].flat();
  }
  return named;
}

/** A stream is read as fast as the client takes it, and ended when the client leaves. */
function payloadOf(body: NonNullable<RestAnswer['body']>, reply: FastifyReply): string | Buffer | Readable {
  if (typeof body === 'string' && mustBeBytes(reply)) return Buffer.from(body);
  if (typeof body === 'string' || body instanceof Readable) return body;
  return body instanceof Uint8Array ? Buffer.from(body.buffer, body.byteOffset, body.byteLength) : Readable.from(body, { objectMode: false });
}

/**
 * Fastify would add a charset to a JSON type that SQL set without one, and Node writes the headers of a text in the text's
 * encoding: a schema's name that is UTF-8 already would be encoded twice.
 */
function mustBeBytes(reply: FastifyReply): boolean {
  return /json(?!.*charset)/i.test(String(reply.getHeader('content-type'))) || /[^\x00-\x7f]/.test(String(reply.getHeader('content-profile') ?? ''));
}
