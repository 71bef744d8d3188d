import { connect } from 'node:net';

/** One request, as bytes, and what its answer must be. */
export interface Shot {
  readonly method: 'GET' | 'POST' | 'PATCH';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Measured {
  readonly requests: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface LoadOptions {
  readonly port: number;
  readonly host?: string;
  /** Makes the nth request. */
  readonly shot: (n: number) => Shot;
  readonly status: number;
  readonly connections: number;
  readonly seconds: number;
}

/**
 * Keeps so many connections busy, one request in flight on each, and measures what was answered.
 * Written on bare sockets: an HTTP client of Node would need more of its core than the servers need of theirs.
 */
export async function load(options: LoadOptions): Promise<Measured> {
  const times: number[] = [];
  const until = performance.now() + options.seconds * 1000;
  let n = 0;
  const next = (): Buffer => encode(options.shot(n++), options.host ?? '127.0.0.1');
  const started = performance.now();
  await Promise.all(Array.from({ length: options.connections }, () => keepBusy(options, next, until, times)));
  const seconds = (performance.now() - started) / 1000;
  times.sort((a, b) => a - b);
  const at = (part: number): number => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? NaN;
  return { requests: times.length, perSecond: times.length / seconds, p50Ms: at(0.5), p99Ms: at(0.99) };
}

async function keepBusy(options: LoadOptions, next: () => Buffer, until: number, times: number[]): Promise<void> {
  // A server may end a connection after some requests, and says so.
  while (performance.now() < until) await useConnection(options, next, until, times);
}

function useConnection({ port, host = '127.0.0.1', status }: LoadOptions, next: () => Buffer, until: number, times: number[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host, noDelay: true });
    let sentAt = 0;
    let received: Buffer = Buffer.alloc(0);
    const send = (): void => {
      received = Buffer.alloc(0);
      sentAt = performance.now();
      socket.write(next());
    };
    socket.on('connect', send);
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the server closed a connection')));
    socket.on('data', (chunk) => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      if (!isWhole(received)) return;
      if (statusOf(received) !== status) return reject(new Error(`expected ${status}, got: ${received.toString('latin1').slice(0, 600)}`));
      const now = performance.now();
      times.push(now - sentAt);
      if (now < until && !saysClose(received)) return send();
      socket.removeAllListeners('close');
      socket.destroy();
      resolve();
    });
  });
}

function encode({ method, path, headers, body = '' }: Shot, host: string): Buffer {
  const lines = Object.entries({ host, ...headers, ...(method !== 'GET' ? { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) } : {}) });
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`);
}

const statusOf = (answer: Buffer): number => Number(answer.toString('latin1', 9, 12));

const saysClose = (answer: Buffer): boolean => /\r\nconnection: close\r\n/i.test(answer.toString('latin1', 0, Math.min(answer.length, 2000)));

/** One request is in flight, so a whole answer ends where the received bytes end. */
function isWhole(received: Buffer): boolean {
  const headEnd = received.indexOf('\r\n\r\n');
  if (headEnd < 0) return false;
  const head = received.toString('latin1', 0, headEnd).toLowerCase();
  if (/^http\/1.1 204/.test(head)) return true;
  const length = /\r\ncontent-length: *(\d+)/.exec(head);
  if (length !== null) return received.length >= headEnd + 4 + Number(length[1]);
  if (head.includes('\r\ntransfer-encoding: chunked')) return received.subarray(-5).equals(lastChunk);
  return true;
}

const lastChunk = Buffer.from('0\r\n\r\n');
