import { AuthModule, EvenTime, Passwords } from '@mainstay/auth';
import type { Settings } from '@mainstay/config';
import type { Provider, Type } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { AuthFilter } from './auth.filter.ts';
import { makeHttpServer } from './http-server.ts';
import { settingsToken } from './settings-token.ts';

/**
 * The edge with these controllers and the accounts behind them, for specs that sign up and in hundreds of times: hashes that cost
 * nothing, and answers that wait for no full step of time. It listens nowhere; requests are injected.
 */
export async function startQuickAuth(settings: Settings, controllers: Type[], providers: Provider[] = []): Promise<NestFastifyApplication> {
  const module = await Test.createTestingModule({ imports: [AuthModule.with(settings)], controllers, providers: [{ provide: settingsToken, useValue: settings }, ...providers] })
    .overrideProvider(Passwords).useValue(new Passwords(undefined, undefined, { memoryCost: 64, timeCost: 1, parallelism: 1 }))
    .overrideProvider(EvenTime).useValue(new EvenTime(0))
    .compile();
  const app = module.createNestApplication<NestFastifyApplication>(makeHttpServer(settings), { bodyParser: false, logger: false });
  app.useGlobalFilters(new AuthFilter());
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
  return app;
}
