import type { Settings } from '@mainstay/config';
import type Bull from 'bull';

/** How each of our Bull queues is made. Bull carries ids and forgets them: every state is a row in PostgreSQL. */
export function bullOptions({ redisUrl, queuePrefix }: Pick<Settings, 'redisUrl' | 'queuePrefix'>): Bull.QueueOptions {
  if (redisUrl === null) throw new Error('REDIS_URL is not set');
  return {
    prefix: queuePrefix,
    redis: redisOptions(redisUrl),
    // Retries are rows, so Bull tries once; and what it has let go may be added again.
    defaultJobOptions: { attempts: 1, removeOnComplete: true, removeOnFail: true },
    settings: {
      // The id of a killed worker's job is given out again after 5 to 10 s (with the defaults after 60).
      lockDuration: 5000,
      lockRenewTime: 2000,
      stalledInterval: 2500,
      maxStalledCount: 3,
      // After a flush Bull cannot settle what it gave out; its slot shall not stand idle for 5 s because of that.
      retryProcessDelay: 100,
      drainDelay: 2,
      // Nothing is ever delayed in Bull: `run_at` is a column.
      guardInterval: 60_000,
    },
  };
}

type RedisOptions = Exclude<Bull.QueueOptions['redis'], string | undefined>;

function redisOptions(text: string): RedisOptions {
  const url = new URL(text);
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || 6379),
    ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
    ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
    db: Number(url.pathname.slice(1) || 0),
    ...(url.protocol === 'rediss:' ? { tls: {} } : {}),
    maxRetriesPerRequest: null,
    enableReadyCheck: false,
    connectTimeout: 2000,
    disconnectTimeout: 200,
    keepAlive: 10_000,
    // A server that neither answers nor closes is left after this time and dialled again. Longer than `drainDelay`.
    socketTimeout: 5000,
    // Bull's own pauses grow to 20 s, longer than the queue may cost when it comes back.
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 6), 1000),
    // A replica that was the primary says READONLY: dial again and find the new one.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  };
}
