import type { RestService } from '@mainstay/rest';
import { Logger } from '@nestjs/common';
import type { HttpAdapterHost } from '@nestjs/core';
import { figuresOfServer } from '../http-server.ts';
import { Exposition, type Source } from './exposition.ts';
import type { HttpFigures } from './http-figures.ts';
import { cachesOf, pools, requestsOf } from './sources.ts';

/** What this process has to tell, and what more there is where it has a house behind it. */
export function makeExposition(host: HttpAdapterHost, rest: RestService, more: readonly Source[] = []): Exposition {
  const server = host.httpAdapter.getInstance<{ [figuresOfServer]: HttpFigures }>();
  const logger = new Logger('metrics');
  return new Exposition([requestsOf(server[figuresOfServer]), pools, cachesOf(rest), ...more], (error) => logger.warn({ event: 'metrics incomplete', error: error.message }));
}
