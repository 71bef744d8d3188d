import { randomUUID } from 'node:crypto';
import { Fault } from '@mainstay/domain';
import { ConnectionLost, isDatabaseError, PoolTimeout } from '@mainstay/persistence';
import { Catch, HttpException, Injectable, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { surfaceFault } from './surface-faults.ts';

/** Words every error of our own surfaces (`/imports`, `/jobs`, `/collections`, health): `{code, message, details, hint}`. */
@Catch()
@Injectable()
export class SurfaceFilter implements ExceptionFilter {
  private readonly logger = new Logger('surface');

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const reply = http.getResponse<FastifyReply>();
    const fault = faultOf(error) ?? this.unexpected(error, http.getRequest<FastifyRequest>());
    if (reply.raw.headersSent) {
      // Half an answer is out: cut it, so that nobody takes it for a whole one.
      reply.raw.destroy();
      return;
    }
    void reply.status(fault.status).headers(fault.headers).type('application/json; charset=utf-8').send({ code: fault.code, message: fault.message, details: fault.details, hint: fault.hint });
  }

  private unexpected(error: unknown, request: FastifyRequest): Fault {
    const id = randomUUID();
    this.logger.error({ event: 'unexpected error', id, method: request.method, path: request.url.split('?')[0], error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    return surfaceFault('unexpected', { details: { id }, hint: 'The log tells what happened under this id.' });
  }
}

/** The answer for errors that have one; null for what nobody foresaw. */
function faultOf(error: unknown): Fault | null {
  if (error instanceof Fault) return error;
  if (error instanceof ConnectionLost) {
    const hint = error.isOutcomeUnknown ? 'Repeat it with the same Idempotency-Key, or look before you repeat it.' : 'Repeat it in a moment.';
    return surfaceFault(error.isOutcomeUnknown ? 'outcome_unknown' : 'database_unreachable', { hint, headers: { 'retry-after': '1' }, cause: error });
  }
  if (error instanceof PoolTimeout) return surfaceFault('too_busy', { headers: { 'retry-after': '2' }, cause: error });
  if (isDatabaseError(error) && error.code === '55P03') return surfaceFault('row_is_busy', { hint: 'Repeat it in a moment.', headers: { 'retry-after': '1' }, cause: error });
  if (isDatabaseError(error) && error.code === '57014') return surfaceFault('took_too_long', { cause: error });
  return refusalOf(error);
}

/** Nest and Fastify refuse some requests before a controller sees them (a wrong path, a bad header): their 4xx is the caller's to mend. */
function refusalOf(error: unknown): Fault | null {
  const status = error instanceof HttpException ? error.getStatus() : (error as { statusCode?: unknown } | null)?.statusCode;
  if (typeof status !== 'number' || status < 400 || status > 499) return null;
  return surfaceFault('request_not_valid', { status, message: (error as Error).message, cause: error });
}
