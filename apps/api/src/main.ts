import 'reflect-metadata';
import { chmodSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readSettings, SettingError, standsInForPostgrest, unknownSettings, type Settings } from '@mainstay/config';
import { closest } from '@mainstay/domain';
import { goAhead } from '@mainstay/embedded';
import { prepareDatabase } from '@mainstay/persistence';
import { startTracing } from '@mainstay/telemetry';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { startAdminServer } from './admin-server.ts';
import { ApiModule } from './api.module.ts';
import { serveConsole } from './console-pages.ts';
import { serveDocs } from './docs-pages.ts';
import { EdgeFilter } from './edge.filter.ts';
import { readConfigFile, readEnvironment } from './environment.ts';
import { makeHttpServer } from './http-server.ts';
import { LiveSettings } from './live-settings.ts';
import { Exposition } from './metrics/exposition.ts';
import { PostgrestModule } from './postgrest.module.ts';
import { Readiness } from './readiness.ts';
import { version } from './version.ts';

try {
  await start();
} catch (error) {
  // One sentence for what the operator can mend; the whole error for what only we can.
  if (error instanceof SettingError || (error as NodeJS.ErrnoException).code === 'EADDRINUSE') console.error((error as Error).message);
  else console.error(error);
  process.exit(1);
}

async function start(): Promise<void> {
  await goAhead();
  const settings = readSettings(readEnvironment(process.env), ...configFile(process.argv[2]));
  // Where the supervisor starts it, the supervisor has said so.
  if (process.send === undefined) for (const note of unknownSettings(process.env, closest)) console.warn(note);
  await startTracing(settings.otel, { serviceName: 'mainstay-api', version });
  const isAlone = standsInForPostgrest(settings);
  if (!isAlone && settings.databaseUrl === null) throw new SettingError('DATABASE_URL is not set: the api alone needs a database; `npm start` brings one.');
  // Somebody else's database is served as it is: nothing is written there.
  if (!isAlone) for (const note of await prepareDatabase(settings)) console.warn(note);
  const live = new LiveSettings(settings);
  const module = isAlone ? PostgrestModule.with(settings, live) : ApiModule.with(settings, live);
  const app = await NestFactory.create<NestFastifyApplication>(module, makeHttpServer(settings, live), { bodyParser: false, logger: ['error', 'warn'] });
  app.useGlobalFilters(app.get(EdgeFilter));
  app.enableShutdownHooks();
  if (!isAlone) await serveConsole(app.getHttpAdapter().getInstance() as unknown as FastifyInstance, fileURLToPath(new URL('../console', import.meta.url)));
  if (!isAlone) await serveDocs(app.getHttpAdapter().getInstance() as unknown as FastifyInstance);
  await listen(app, settings);
  const admin = await startAdminServer(settings, app.get(Readiness), app.get(Exposition));
  process.once('SIGTERM', () => admin?.close());
  process.on('disconnect', () => void app.close().finally(() => process.exit(0)));
  process.send?.('ready');
}

/** PostgREST is started with the path of its configuration file; so may this be. */
function configFile(path: string | undefined): [] | [Readonly<Record<string, string | undefined>>] {
  return path === undefined ? [] : [readEnvironment(readConfigFile(path))];
}

async function listen(app: NestFastifyApplication, { host, port, unixSocket, unixSocketMode }: Settings): Promise<void> {
  if (unixSocket === null) {
    await app.listen(port, host);
    return;
  }
  // A socket that a killed process left behind would be taken for one that is in use.
  rmSync(unixSocket, { force: true });
  await app.listen(unixSocket);
  chmodSync(unixSocket, Number.parseInt(unixSocketMode, 8));
}
