import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Observable } from 'rxjs';

export const versionHeader = 'x-supabase-api-version';

/** The only dated version of the protocol so far; before it, errors had other keys. */
const newest = '2024-01-01';

/** The version that a client speaks: the newest that is not newer than what it asks for; null for the first, undated one. */
export function apiVersionOf(request: FastifyRequest): string | null {
  const asked = request.headers[versionHeader];
  return typeof asked === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(asked) && asked >= newest ? newest : null;
}

/** Repeats the version on every answer, and keeps tokens and accounts out of caches. */
export class AuthHeaders implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    const version = apiVersionOf(http.getRequest<FastifyRequest>());
    const reply = http.getResponse<FastifyReply>().header('cache-control', 'no-store');
    if (version !== null) reply.header(versionHeader, version);
    return next.handle();
  }
}
