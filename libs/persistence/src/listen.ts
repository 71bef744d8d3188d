import pg from 'pg';

export interface Subscription {
  readonly channel: string;
  /** Called for each notification. */
  readonly onNotify: (payload: string) => void;
  /** Called whenever listening begins: at the start and after each break, in which notifications may have been lost. */
  readonly onListening?: () => void;
}

const firstPauseMs = 100;
// Who waits longer is late by as much when the database is back, and it is to be healthy again within a second.
const longestPauseMs = 500;

/** LISTEN on a connection of its own, made again whenever it breaks. */
export class Listener {
  private client: pg.Client | undefined;
  private pauseMs = firstPauseMs;
  private timer: NodeJS.Timeout | undefined;
  private isClosed = false;
  private readonly subscriptions: Subscription[] = [];

  constructor(private readonly connection: pg.ClientConfig) {}

  /** Adds a subscription; call before `start`. */
  on(subscription: Subscription): this {
    this.subscriptions.push(subscription);
    return this;
  }

  /** Begins to listen. A database that is away is tried again without end; nothing is thrown. */
  async start(): Promise<void> {
    if (this.isClosed) return;
    const client = new pg.Client(this.connection);
    this.client = client;
    let isLost = false;
    const lost = (): void => {
      if (isLost) return;
      isLost = true;
      client.end().catch(() => {});
      this.startLater();
    };
    client.on('error', lost);
    client.on('end', lost);
    client.on('notification', ({ channel, payload }) => this.dispatch(channel, payload ?? ''));
    try {
      await client.connect();
      for (const { channel } of this.subscriptions) await client.query(`listen ${client.escapeIdentifier(channel)}`);
      this.pauseMs = firstPauseMs;
      for (const { onListening } of this.subscriptions) onListening?.();
    } catch {
      lost();
    }
  }

  /** Ends the connection for good. */
  async close(): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.timer);
    await this.client?.end().catch(() => {});
  }

  private dispatch(channel: string, payload: string): void {
    for (const subscription of this.subscriptions) {
      if (subscription.channel === channel) subscription.onNotify(payload);
    }
  }

  private startLater(): void {
    if (this.isClosed) return;
    this.timer = setTimeout(() => void this.start(), this.pauseMs);
    this.pauseMs = Math.min(this.pauseMs * 2, longestPauseMs);
  }
}
