import 'reflect-metadata';
import { fileURLToPath } from 'node:url';
import { readSettings, SettingError } from '@mainstay/config';
import { prepareDatabase } from '@mainstay/persistence';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { ApiModule } from './api.module.ts';
import { serveConsole } from './console-pages.ts';
import { EdgeFilter } from './edge.filter.ts';
import { makeHttpServer } from './http-server.ts';

try {
  await start();
} catch (error) {
  // One sentence for what the operator can mend; the whole error for what only we can.
  if (error instanceof SettingError || (error as NodeJS.ErrnoException).code === 'EADDRINUSE') console.error((error as Error).message);
  else console.error(error);
  process.exit(1);
}

async function start(): Promise<void> {
  const settings = readSettings(process.env);
  if (settings.databaseUrl === null) throw new SettingError('DATABASE_URL is not set: the api alone needs a database; `npm start` brings one.');
  for (const note of await prepareDatabase(settings)) console.warn(note);
  const app = await NestFactory.create<NestFastifyApplication>(ApiModule.with(settings), makeHttpServer(settings), { bodyParser: false, logger: ['error', 'warn'] });
  app.useGlobalFilters(app.get(EdgeFilter));
  app.enableShutdownHooks();
  await serveConsole(app.getHttpAdapter().getInstance() as unknown as FastifyInstance, fileURLToPath(new URL('../console', import.meta.url)));
  await app.listen(settings.port, settings.host);
  process.on('disconnect', () => void app.close().finally(() => process.exit(0)));
  process.send?.('ready');
}
