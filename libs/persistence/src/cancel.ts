import { connect } from 'node:net';
import type pg from 'pg';

/** What pg keeps of a connection, and does not declare. */
interface Backend {
  readonly processID: number | null;
  readonly secretKey: number | null;
  readonly host: string;
  readonly port: number;
}

/** Asking takes a new connection; who cannot get one in this time gives the old one up. */
const askTimeoutMs = 5000;
/** The code that stands where a connection's protocol version would (PostgreSQL documentation, "Message Formats"). */
const cancelRequestCode = 80_877_102;

/**
 * Cancels what a connection runs once nobody waits for it any more.
 * PostgreSQL is asked on a connection of its own, and names the backend, not the statement: a late request would hit
 * whatever runs there next. So the connection must not be given to the next user before `settled`.
 */
export class Cancellation {
  private asked: Promise<boolean> | null = null;
  private readonly ask = (): void => {
    this.asked ??= askToCancel(this.client as unknown as Backend);
  };

  constructor(
    private readonly client: pg.PoolClient,
    private readonly signal: AbortSignal,
  ) {
    if (signal.aborted) this.ask();
    else signal.addEventListener('abort', this.ask, { once: true });
  }

  /** Nothing more is to be cancelled. Gives null if nothing was, else whether the request has arrived and can do no more harm. */
  settled(): Promise<boolean> | null {
    this.signal.removeEventListener('abort', this.ask);
    return this.asked;
  }
}

/**
 * True once PostgreSQL has closed the connection: it does so after it has sent the signal, and a backend that is idle then
 * drops it. Without encryption even where the server demands it elsewhere: this request is read before it looks.
 */
function askToCancel({ processID, secretKey, host, port }: Backend): Promise<boolean> {
  if (processID === null || secretKey === null) return Promise.resolve(false);
  return new Promise((resolve) => {
    const socket = connect(host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port });
    socket.setTimeout(askTimeoutMs, () => socket.destroy(new Error('no answer')));
    socket.once('connect', () => socket.write(cancelRequest(processID, secretKey)));
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(true));
    socket.resume();
  });
}

function cancelRequest(processID: number, secretKey: number): Buffer {
  const message = Buffer.alloc(16);
  message.writeInt32BE(16, 0);
  message.writeInt32BE(cancelRequestCode, 4);
  message.writeInt32BE(processID, 8);
  message.writeInt32BE(secretKey, 12);
  return message;
}
