import type { buildConnector, Pool } from 'undici';
import type { Target } from './parse-target.ts';

const connectTimeoutMs = 5000;
/** Shorter than what servers commonly wait, so that a request seldom meets a connection that is being closed. */
const keepAliveMs = 4000;
const mostHeaderBytes = 16 * 1024;
const mostPools = 512;

/**
 * Kept connections, each to one address that has been checked: a name that leads elsewhere by now finds none of them.
 * TLS and `Host` go by the name all the same.
 */
export class Connections {
  private readonly pools = new Map<string, Pool>();
  private client: Promise<Client> | null = null;

  async to({ origin, host, isAddress }: Target, address: string): Promise<Pool> {
    const client = await (this.client ??= loadClient());
    const key = keyOf(origin, address);
    const pool = this.pools.get(key) ?? this.open(client, origin, isAddress ? '' : host, address);
    // The last one used stands last, and the first is let go.
    this.pools.delete(key);
    this.pools.set(key, pool);
    if (this.pools.size > mostPools) this.letGo();
    return pool;
  }

  /** Whether a connection is kept that the next call will use. */
  hasFree({ origin }: Target, address: string): boolean {
    return (this.pools.get(keyOf(origin, address))?.stats.free ?? 0) > 0;
  }

  async close(): Promise<void> {
    const pools = [...this.pools.values()];
    this.pools.clear();
    await Promise.all(pools.map((pool) => pool.destroy()));
  }

  private open({ Pool: ClientPool, connect }: Client, origin: string, servername: string, address: string): Pool {
    return new ClientPool(origin, {
      allowH2: false,
      pipelining: 1,
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: keepAliveMs,
      // The deadline of the whole call is ours.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: mostHeaderBytes,
      connect: (options, callback) => connect({ ...options, hostname: address, ...(options.protocol === 'https:' ? { servername } : {}) }, callback),
    });
  }

  private letGo(): void {
    const [[key, pool]] = this.pools as unknown as [[string, Pool]];
    this.pools.delete(key);
    // Its running calls end first.
    pool.close().catch(() => {});
  }
}

/** The HTTP client is loaded by the first call: it is made of a hundred files, and most processes start without one. */
async function loadClient(): Promise<Client> {
  const undici = await import('undici');
  return { Pool: undici.Pool, connect: undici.buildConnector({ allowH2: false, timeout: connectTimeoutMs }) };
}

interface Client {
  readonly Pool: typeof Pool;
  readonly connect: buildConnector.connector;
}

function keyOf(origin: string, address: string): string {
  return `${origin} ${address}`;
}
