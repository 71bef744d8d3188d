import { Catch, type ArgumentsHost, type ExceptionFilter, HttpException } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AuthFilter } from './auth.filter.ts';
import { edgeFault } from './edge-faults.ts';
import { RestFilter } from './rest.filter.ts';
import { SurfaceFilter } from './surface.filter.ts';

/** Hands every fault to the filter that speaks the language of its surface, also what fails before a controller is reached. */
@Catch()
export class EdgeFilter implements ExceptionFilter {
  constructor(
    private readonly rest: RestFilter,
    private readonly auth: AuthFilter,
    private readonly surface: SurfaceFilter,
  ) {}

  catch(thrown: unknown, host: ArgumentsHost): unknown {
    const { url } = host.switchToHttp().getRequest<FastifyRequest>();
    const error = thrown instanceof HttpException && thrown.getStatus() === 404 ? edgeFault('not_found', { details: url.split('?')[0] }) : thrown;
    return this.filterOf(url).catch(error, host);
  }

  private filterOf(url: string): ExceptionFilter {
    if (url.startsWith('/rest/')) return this.rest;
    return url.startsWith('/auth/') ? this.auth : this.surface;
  }
}
