import type { QueueName } from '@mainstay/domain';
import type { Publication } from '@mainstay/persistence';
import Bull from 'bull';

/** What a queue does with ids that Bull gives out together. It never throws for a job's own failure. */
export type Deliver = (publications: readonly Publication[]) => Promise<void>;

/** The only place that speaks Bull: ids in, ids out. */
export class BullQueues {
  private readonly queues: Map<QueueName, Bull.Queue>;
  private readonly consumers = new Map<QueueName, { concurrency: number; deliver: Deliver }>();
  private onError: (queue: string, error: Error) => void = () => {};

  constructor(
    private readonly options: Bull.QueueOptions,
    queues: readonly Bull.Queue[],
  ) {
    this.queues = new Map(queues.map((queue) => [queue.name as QueueName, this.watched(queue)]));
  }

  /** Called with every error of a connection or of Bull itself. */
  whenErring(onError: (queue: string, error: Error) => void): void {
    this.onError = onError;
  }

  /** Tells Bull of jobs, so many to a message. A message that it still holds is left as it is. */
  async publish(name: QueueName, publications: readonly Publication[], perBundle = 1): Promise<void> {
    if (publications.length === 0) return;
    const bundles = Array.from({ length: Math.ceil(publications.length / perBundle) }, (_, i) => publications.slice(i * perBundle, (i + 1) * perBundle));
    const added = await within(2000, this.ready(name).addBulk(bundles.map((bundle) => ({ data: {}, opts: { jobId: bullId(bundle) } }))));
    // Bull passes over the errors inside its transaction (out of memory, no script): an id that is missing was not taken.
    if (added.some(({ id }) => typeof id !== 'string')) throw new Error('Redis did not take every id');
  }

  /** @throws when the connection is away: what is taken from the outbox now would not arrive */
  assertReady(name: QueueName): void {
    this.ready(name);
  }

  /** Of jobs that Bull was told of, tells it again those that it no longer holds: flushed, restarted, thrown out. Says how many. */
  async publishLost(name: QueueName, publications: readonly Publication[]): Promise<number> {
    const queue = this.ready(name);
    const lists = ['wait', 'active', 'paused'].map((list) => queue.toKey(list));
    const lost = new Set((await within(2000, queue.client.eval(findLost, lists.length, ...lists, queue.toKey(''), ...publications.map(nameOf)))) as string[]);
    await this.publish(name, publications.filter((publication) => lost.has(nameOf(publication))));
    return lost.size;
  }

  /** Begins to take ids of a queue, so many at once. Waits for no connection: a queue that is away is dialled until it comes. */
  consume(name: QueueName, concurrency: number, deliver: Deliver): void {
    this.consumers.set(name, { concurrency, deliver });
    this.process(name);
  }

  /** Takes no more ids; what runs goes on. */
  async stopTaking(): Promise<void> {
    await Promise.allSettled([...this.queues.values()].map((queue) => {
      const paused = within(500, queue.pause(true, true));
      // Bull says QUIT to the client that is blocked in BRPOPLPUSH and waits half a second for the answer: cut it instead.
      setImmediate(() => innards(queue).bclient.disconnect());
      return paused;
    }));
  }

  /** Throws a queue's connections away and makes new ones: for a client that seems alive and brings nothing. */
  rebuild(name: QueueName): void {
    const old = this.queue(name);
    this.queues.set(name, this.watched(new Bull(name, this.options)));
    if (this.consumers.has(name)) this.process(name);
    old.close(true).catch((error: Error) => this.onError(name, error));
  }

  /** Makes queues anew one of whose connections has ended for good. */
  revive(): void {
    for (const [name, queue] of this.queues) if (innards(queue).clients.some(({ status }) => status === 'end')) this.rebuild(name);
  }

  async isReachable(): Promise<boolean> {
    const pings = [...this.queues.keys()].map(async (name) => within(1000, this.ready(name).client.ping()));
    return Promise.all(pings).then(() => true, () => false);
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.queues.values()].map((queue) => within(500, queue.close(true))));
    // A server that does not answer must not keep the process.
    for (const queue of this.queues.values()) innards(queue).clients.forEach(cut);
  }

  private process(name: QueueName): void {
    const { concurrency, deliver } = this.consumers.get(name)!;
    const queue = this.queue(name);
    queue.process(concurrency, ({ id }) => deliver(publicationsOf(String(id)))).catch((error: Error) => this.onError(name, error));
  }

  private watched(queue: Bull.Queue): Bull.Queue {
    return queue.on('error', (error) => this.onError(queue.name, error));
  }

  private queue(name: QueueName): Bull.Queue {
    return this.queues.get(name)!;
  }

  /** The queue, if its connection stands: commands to one that is away would pile up until it comes back. */
  private ready(name: QueueName): Bull.Queue {
    const queue = this.queue(name);
    if (queue.client.status !== 'ready') throw new Error('Redis is away');
    return queue;
  }
}

/** What Bull's types do not tell: its connections, and the one among them that waits for ids. */
function innards(queue: Bull.Queue): { readonly clients: readonly Bull.Queue['client'][]; readonly bclient: Bull.Queue['client'] } {
  return queue as unknown as ReturnType<typeof innards>;
}

function cut(client: Bull.Queue['client']): void {
  if (client.status !== 'end') client.disconnect();
  // ioredis forgets this timer, and it holds the process for 5 s more.
  clearTimeout((client as unknown as { socketTimeoutTimer?: NodeJS.Timeout }).socketTimeoutTimer);
}

/**
 * The ids that are in none of the lists. What may be left of their records goes in the same step: a server that evicts keys
 * keeps a record without its place in a list, and Bull would take the id for one that it holds.
 */
const findLost = `
  local held = {}
  for _, list in ipairs(KEYS) do
    for _, bundle in ipairs(redis.call('LRANGE', list, 0, -1)) do
      for id in string.gmatch(bundle, '[^,]+') do held[id] = true end
    end
  end
  local lost = {}
  for i = 2, #ARGV do
    if not held[ARGV[i]] then
      redis.call('DEL', ARGV[1] .. ARGV[i])
      lost[#lost + 1] = ARGV[i]
    end
  end
  return lost`;

/** `<job id>-<attempt>`, and of a bundle all of them: a second publication of the same attempt is none. */
function bullId(bundle: readonly Publication[]): string {
  return bundle.map(nameOf).join(',');
}

function nameOf({ jobId, attempt }: Publication): string {
  return `${jobId}-${attempt}`;
}

function publicationsOf(bullId: string): Publication[] {
  return bullId.split(',').map((name) => {
    const end = name.lastIndexOf('-');
    return { jobId: name.slice(0, end), attempt: Number(name.slice(end + 1)) };
  });
}

/** Redis commands wait for a lost server without end (so that Bull survives its absence); we do not. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Redis did not answer within ${ms / 1000} s`)), ms);
  });
  work.catch(() => {});
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
