import { isService, type Caller } from '@mainstay/domain';
import { deleteQueue, listQueues, ownSessionOf, putQueue, type Database, type Queue, type QueueTerms, type Transaction } from '@mainstay/persistence';
import { queueFault } from './job-faults.ts';
import { queueName } from './parse-job.ts';

/** A queue as `/queues/v1` shows it. */
export interface ShownQueue {
  readonly name: string;
  /** Made by the house: it cannot be deleted. */
  readonly is_house: boolean;
  readonly is_paused: boolean;
  readonly concurrency: number | null;
  readonly concurrency_per_key: number | null;
  readonly rate_limit: { readonly count: number; readonly per_seconds: number; readonly per_key: boolean } | null;
  readonly key: string | null;
  readonly waiting: number;
  readonly later: number;
  readonly running: number;
  readonly oldest_seconds: number;
}

/** Queues and their terms, for the service key alone. */
export class QueuesService {
  constructor(private readonly database: Database) {}

  list(caller: Caller): Promise<ShownQueue[]> {
    return this.asService(caller, async (tx) => (await listQueues(tx)).map(show));
  }

  find(caller: Caller, name: string): Promise<ShownQueue> {
    return this.asService(caller, async (tx) => show(await mustFind(tx, name)));
  }

  /** Makes a queue or changes one: what the body leaves out stays as it is, null takes a limit away. */
  put(caller: Caller, name: string, body: unknown): Promise<ShownQueue> {
    if (!queueName.test(name)) throw queueFault('queue_not_valid', { message: `"${name.slice(0, 100)}" is no name of a queue`, hint: 'Small letters, digits, _ and -; a letter first, 63 at most.' });
    return this.asService(caller, async (tx) => {
      const [known] = await listQueues(tx, name);
      await putQueue(tx, name, parseTerms(body, known ?? unlimited));
      return show(await mustFind(tx, name));
    });
  }

  /** A paused queue gives nothing more out; what runs goes on. */
  pause(caller: Caller, name: string): Promise<ShownQueue> {
    return this.turn(caller, name, true);
  }

  resume(caller: Caller, name: string): Promise<ShownQueue> {
    return this.turn(caller, name, false);
  }

  delete(caller: Caller, name: string): Promise<void> {
    return this.asService(caller, async (tx) => {
      await mustFind(tx, name);
      if (!(await deleteQueue(tx, name))) throw queueFault('queue_in_use');
    });
  }

  private turn(caller: Caller, name: string, isPaused: boolean): Promise<ShownQueue> {
    return this.asService(caller, async (tx) => {
      await putQueue(tx, name, { ...(await mustFind(tx, name)), isPaused });
      return show(await mustFind(tx, name));
    });
  }

  private async asService<T>(caller: Caller, work: (tx: Transaction) => Promise<T>): Promise<T> {
    if (!isService(caller)) throw queueFault('queue_needs_service_key');
    return this.database.transaction(ownSessionOf(caller), work);
  }
}

const unlimited: QueueTerms = { isPaused: false, concurrency: null, perTurnConcurrency: null, rate: null, turnFrom: null };

async function mustFind(tx: Transaction, name: string): Promise<Queue> {
  const [queue] = await listQueues(tx, name);
  if (queue === undefined) throw queueFault('queue_not_found', { details: name.slice(0, 100) });
  return queue;
}

function show({ name, isHouse, isPaused, concurrency, perTurnConcurrency, rate, turnFrom, waiting, later, running, oldestSeconds }: Queue): ShownQueue {
  return {
    name,
    is_house: isHouse,
    is_paused: isPaused,
    concurrency,
    concurrency_per_key: perTurnConcurrency,
    rate_limit: rate === null ? null : { count: rate.count, per_seconds: rate.seconds, per_key: rate.isPerTurn },
    key: turnFrom,
    waiting,
    later,
    running,
    oldest_seconds: oldestSeconds,
  };
}

const fields = ['is_paused', 'concurrency', 'concurrency_per_key', 'rate_limit', 'key'];

function parseTerms(body: unknown, known: QueueTerms): QueueTerms {
  const given = objectOf(body, 'The body', fields);
  const { is_paused: isPaused, concurrency, concurrency_per_key: perKey, rate_limit: rate, key } = given;
  if (isPaused !== undefined && typeof isPaused !== 'boolean') throw notValid('is_paused', 'true or false', isPaused);
  if (key !== undefined && key !== null && (typeof key !== 'string' || key === '' || key.length > 63 || key.includes('\0'))) throw notValid('key', 'the name of an argument, or null', key);
  return {
    isPaused: isPaused ?? known.isPaused,
    concurrency: concurrency === undefined ? known.concurrency : numberOf('concurrency', concurrency, 100_000),
    perTurnConcurrency: perKey === undefined ? known.perTurnConcurrency : numberOf('concurrency_per_key', perKey, 100_000),
    rate: rate === undefined ? known.rate : rateOf(rate),
    turnFrom: key === undefined ? known.turnFrom : key,
  };
}

function rateOf(value: unknown): QueueTerms['rate'] {
  if (value === null) return null;
  const { count, per_seconds: seconds, per_key: isPerTurn = false } = objectOf(value, '"rate_limit"', ['count', 'per_seconds', 'per_key']);
  if (typeof seconds !== 'number' || !(seconds >= 0.1 && seconds <= 86_400)) throw notValid('rate_limit.per_seconds', 'a number from 0.1 to 86400', seconds);
  if (typeof isPerTurn !== 'boolean') throw notValid('rate_limit.per_key', 'true or false', isPerTurn);
  const most = numberOf('rate_limit.count', count, 1_000_000);
  if (most === null) throw notValid('rate_limit.count', 'a whole number', count);
  return { count: most, seconds, isPerTurn };
}

function numberOf(field: string, value: unknown, most: number): number | null {
  if (value === null) return null;
  if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > most) throw notValid(field, `a whole number from 1 to ${most}, or null`, value);
  return value as number;
}

function objectOf(value: unknown, what: string, known: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw queueFault('queue_not_valid', { message: `${what} must be a JSON object` });
  const unknown = Object.keys(value).find((field) => !known.includes(field));
  if (unknown !== undefined) throw queueFault('queue_not_valid', { message: `There is no field "${unknown.slice(0, 100)}"`, hint: `Fields: ${known.join(', ')}` });
  return value as Record<string, unknown>;
}

function notValid(field: string, what: string, value: unknown): Error {
  return queueFault('queue_not_valid', { message: `"${field}" must be ${what}, not ${(JSON.stringify(value) ?? 'missing').slice(0, 100)}` });
}
