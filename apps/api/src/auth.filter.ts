import { randomUUID } from 'node:crypto';
import { authFault, CallerFault, OAuthFault } from '@mainstay/auth';
import { Fault } from '@mainstay/domain';
import { ConnectionLost, isDatabaseError, PoolTimeout } from '@mainstay/persistence';
import { Catch, HttpException, Injectable, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { apiVersionOf, versionHeader } from './auth-version.ts';
import { tokenWords } from './token-words.ts';

/** What the edge refuses before a controller sees it, by GoTrue's code for it. */
const edgeCodes: Readonly<Record<string, Parameters<typeof authFault>[0]>> = {
  body_not_json: 'bad_json',
  body_not_decodable: 'bad_json',
  body_encoding_unknown: 'bad_json',
  body_too_large: 'request_entity_too_large',
  body_too_slow: 'request_timeout',
};

/** What the database gives up only for now: a lock or a statement that took too long, a deadlock, a conflict with another transaction. */
const passing = ['55P03', '57014', '40P01', '40001'];

/** Words every error of `/auth/v1` as GoTrue does, in the shape that the client's version header asks for. */
@Catch()
@Injectable()
export class AuthFilter implements ExceptionFilter {
  private readonly logger = new Logger('auth');

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const fault = faultOf(error);
    const errorId = fault.status >= 500 ? this.log(error, fault, request) : undefined;
    const version = apiVersionOf(request);
    if (version !== null) http.getResponse<FastifyReply>().header(versionHeader, version);
    void http
      .getResponse<FastifyReply>()
      .status(fault.status)
      .headers({ ...fault.headers, 'x-sb-error-code': fault.code, 'cache-control': 'no-store' })
      .type('application/json; charset=utf-8')
      .send({ ...shapeOf(fault, version), ...weaknessOf(fault), ...(errorId === undefined ? {} : { error_id: errorId }) });
  }

  private log(error: unknown, fault: Fault, request: FastifyRequest): string {
    const id = randomUUID();
    const cause = error instanceof Fault ? (error.cause ?? error) : error;
    this.logger.error({ event: 'auth failed', id, code: fault.code, method: request.method, path: request.url.split('?')[0], error: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) });
    return id;
  }
}

function shapeOf(fault: Fault, version: string | null): object {
  if (fault instanceof OAuthFault) return { error: fault.error, error_description: fault.message };
  return version === null ? { code: fault.status, error_code: fault.code, msg: fault.message } : { code: fault.code, message: fault.message };
}

function faultOf(error: unknown): Fault {
  if (error instanceof CallerFault) return faultOfCaller(error);
  if (error instanceof Fault) return faultOfEdge(error);
  // Never 429 nor 4xx: a client that refreshes would take it for the end of its session.
  if (error instanceof ConnectionLost) return authFault('unexpected_failure', { status: 503, message: 'The database cannot be reached right now, please retry', headers: { 'retry-after': '1' }, cause: error });
  if (error instanceof PoolTimeout || (isDatabaseError(error) && passing.includes(error.code ?? ''))) return authFault('request_timeout', { headers: { 'retry-after': '2' }, cause: error });
  if (error instanceof HttpException && error.getStatus() < 500) return authFault('validation_failed', { status: error.getStatus(), message: error.message });
  return authFault('unexpected_failure', { cause: error });
}

/** A bad token is 403 in this protocol; a bad API key is what Supabase's gateway answers before the token is looked at. */
function faultOfCaller(error: CallerFault): Fault {
  if (error.reason === 'key') return authFault('no_authorization', { message: error.message, headers: error.headers });
  if (error.reason === 'empty' || error.reason === 'guest') return authFault('no_authorization');
  return authFault('bad_jwt', { message: `invalid JWT: unable to parse or verify signature, ${tokenWords(error)}` });
}

function faultOfEdge(error: Fault): Fault {
  const code = edgeCodes[error.code];
  if (code === undefined) return error;
  const more = { status: error.status, headers: error.headers, cause: error };
  const why = typeof error.details === 'string' ? `${error.message}: ${error.details}` : error.message;
  return authFault(code, { ...more, message: code === 'bad_json' ? `Could not parse request body as JSON: ${why}` : `${error.message}` });
}

function weaknessOf(fault: Fault): object {
  if (fault.code !== 'weak_password') return {};
  return { weak_password: { message: fault.message, ...(fault.details as object) } };
}
