import 'reflect-metadata';
import { readSettings, SettingError, unknownSettings } from '@mainstay/config';
import { closest } from '@mainstay/domain';
import { goAhead } from '@mainstay/embedded';
import { prepareDatabase } from '@mainstay/persistence';
import { startTracing, tracing } from '@mainstay/telemetry';
import { NestFactory } from '@nestjs/core';
import type { Logger } from 'pino';
import { makeLog, NestLog } from './log.ts';
import { version } from './version.ts';
import { WorkerModule } from './worker.module.ts';
import { Worker } from './worker.ts';

/** `npm start` gives each part 4 s to stop; a worker on its own takes no longer. */
const stopMs = 3900;

try {
  await start();
} catch (error) {
  // One sentence for what the operator can mend; the whole error for what only we can.
  if (error instanceof SettingError) console.error(error.message);
  else console.error(error);
  process.exit(1);
}

async function start(): Promise<void> {
  await goAhead();
  const settings = readSettings(process.env);
  if (settings.databaseUrl === null) throw new SettingError('DATABASE_URL is not set: the worker alone needs a database; `npm start` brings one.');
  if (settings.redisUrl === null) throw new SettingError('REDIS_URL is not set: the worker alone needs a Redis or Valkey; `npm start` brings one.');
  await startTracing(settings.otel, { serviceName: 'mainstay-worker', version });
  const log = makeLog(settings.logLevel);
  surviveBull(log);
  if (process.send === undefined) for (const note of unknownSettings(process.env, closest)) log.warn({ note }, 'settings');
  for (const note of await prepareDatabase(settings)) log.warn({ note }, 'database prepared');
  const app = await NestFactory.createApplicationContext(WorkerModule.with(settings, log), { logger: new NestLog(log), abortOnError: false });
  const worker = app.get(Worker);
  await worker.start();
  stopWhenAsked(async () => {
    await worker.stop();
    await app.close();
    await tracing()?.stop();
  }, log);
  log.info({}, 'worker started');
  process.send?.('ready');
}

/** Stops on a signal, and when the supervisor that started this process is gone. */
function stopWhenAsked(stop: () => Promise<void>, log: Logger): void {
  let isStopping = false;
  const stopOnce = (why: string): void => {
    if (isStopping) return;
    isStopping = true;
    log.info({ why }, 'worker stops');
    // What is not handed back by then goes back when its lease runs out.
    setTimeout(() => process.exit(0), stopMs);
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ error: String(error) }, 'worker did not stop in order');
        process.exit(1);
      },
    );
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => stopOnce(signal));
  process.on('disconnect', () => stopOnce('the supervisor is gone'));
}

/** Bull lets some promises go that fail when a connection is cut; anything else that nobody awaited is a bug, and ends the process. */
function surviveBull(log: Logger): void {
  process.on('unhandledRejection', (error) => {
    if (error instanceof Error && error.message === 'Connection is closed.') {
      log.debug({ error: error.message }, 'queue error');
      return;
    }
    log.fatal({ error: error instanceof Error ? error.stack : String(error) }, 'unhandled rejection');
    process.exit(1);
  });
}
