import { randomUUID } from 'node:crypto';
import { CallerFault } from '@mainstay/auth';
import { Fault } from '@mainstay/domain';
import { Catch, HttpException, Injectable, Logger, Optional, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { setStatus } from './set-status.ts';
import { LiveSettings } from './live-settings.ts';

/** Words every error of `/rest/v1` as PostgREST does: `{code, details, hint, message}`, the code again in `Proxy-Status`. */
@Catch()
@Injectable()
export class RestFilter implements ExceptionFilter {
  private readonly logger = new Logger('rest');

  constructor(@Optional() private readonly live?: LiveSettings) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.answer(error, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }

  /** Answers with an error. */
  answer(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const fault = faultOf(error, request) ?? this.unexpected(error, request);
    const isBrief = this.live?.current.clientErrorVerbosity === 'minimal';
    const body = isBrief ? { code: fault.code, message: fault.message } : this.bodyOf(fault);
    setStatus(reply, fault.status).headers({ 'proxy-status': `PostgREST; error=${fault.code}`, ...fault.headers });
    void reply.type('application/json; charset=utf-8').send(request.method === 'HEAD' ? undefined : body);
  }

  protected bodyOf({ code, details, hint, message }: Fault): object {
    return { code, details, hint, message };
  }

  private unexpected(error: unknown, request: FastifyRequest): Fault {
    const id = randomUUID();
    this.logger.error({ event: 'unexpected error', id, method: request.method, path: request.url.split('?')[0], error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    return new Fault('PGRSTX00', { status: 500, message: 'Internal error' }, { details: id, hint: 'The log tells what happened under this id.' });
  }
}

/** The answer for errors that have one; null for what nobody foresaw. */
function faultOf(error: unknown, { headers }: FastifyRequest): Fault | null {
  if (error instanceof CallerFault) return new Fault(error.pgrstCode, { status: error.status, message: error.message }, { details: error.details, headers: error.headers, cause: error });
  if (error instanceof Fault) return error;
  // Nest and Fastify refuse some requests before the controller sees them: their 4xx is the caller's to mend.
  const status = error instanceof HttpException ? error.getStatus() : (error as { statusCode?: unknown } | null)?.statusCode;
  if (typeof status !== 'number' || status < 400 || status > 499) return null;
  // Fastify alone says so, of what is no media type.
  if (status === 415) return new Fault('PGRST102', { status: 400, message: `Content-Type not acceptable: ${headers['content-type']?.trim() || '*/*'}` }, { cause: error });
  return new Fault('PGRST100', { status, message: (error as Error).message }, { cause: error });
}
