import type { QueueName } from '@mainstay/domain';
import type { Publication } from '@mainstay/persistence';
import Bull from 'bull';

/** What a queue does with an id that Bull gives out. It never throws for the job's own failure. */
export type Deliver = (jobId: string) => Promise<void>;

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

  /** Tells Bull of jobs. An id that it still holds is left as it is. */
  async publish(name: QueueName, publications: readonly Publication[]): Promise<void> {
    if (publications.length === 0) return;
    const added = await within(2000, this.ready(name).addBulk(publications.map((publication) => ({ data: {}, opts: { jobId: bullId(publication) } }))));
    // Bull passes over the errors inside its transaction (out of memory, no script): an id that is missing was not taken.
    if (added.some(({ id }) => typeof id !== 'string')) throw new Error('Redis did not take every id');
  }

  /** Of jobs that Bull was told of, those that it no longer holds in any list: flushed, restarted, or thrown out. */
  async findLost(name: QueueName, publications: readonly Publication[]): Promise<Publication[]> {
    const { client } = this.ready(name);
    const lists = await within(
      2000,
      ['wait', 'active', 'paused'].reduce((multi, list) => multi.lrange(this.queue(name).toKey(list), 0, -1), client.multi()).exec(),
    );
    if (lists === null) throw new Error('Redis gave no lists');
    const held = new Set(lists.flatMap(([error, ids]) => {
      if (error !== null) throw error;
      return ids as string[];
    }));
    return publications.filter((publication) => !held.has(bullId(publication)));
  }

  /** Tells Bull of lost jobs again, under the same ids. */
  async publishAgain(name: QueueName, publications: readonly Publication[]): Promise<void> {
    if (publications.length === 0) return;
    const queue = this.ready(name);
    // A server that evicts keys may have kept an id's record without its place in a list; then Bull would not take it again.
    await within(2000, queue.client.del(...publications.map((publication) => queue.toKey(bullId(publication)))));
    await this.publish(name, publications);
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
    queue.process(concurrency, ({ id }) => deliver(jobIdOf(String(id)))).catch((error: Error) => this.onError(name, error));
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

/** `<job id>-<attempt>`: a second publication of the same attempt is none. */
function bullId({ jobId, attempt }: Publication): string {
  return `${jobId}-${attempt}`;
}

function jobIdOf(id: string): string {
  return id.slice(0, id.lastIndexOf('-'));
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
