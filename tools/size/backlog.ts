import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchStack, Section } from '../bench/stack.ts';
import { describeMemory, watchMemory } from '../bench/resident-memory.ts';

const writtenAtOnce = 100_000;
const everyMs = 500;

/** What the stack needs to call receivers on this machine. */
export const backlogSettings = { MAINSTAY_OUTWARD_ALLOW: '127.0.0.1' };

/** So many events wait for one endpoint; then it takes them, while another endpoint is told of a row now and then. */
export async function measureBacklog(stack: BenchStack, events: number): Promise<Section> {
  for (const table of ['bulk', 'single']) await stack.database.rows(`create table public.${table} (id bigint primary key, status text, total numeric, note text)`);
  const [bulk, single] = [await Taker.start(events), await Taker.start(100_000)];
  try {
    const id = await subscribe(stack, bulk.url, 'bulk', true);
    await subscribe(stack, single.url, 'single', false);
    const written = await timed(() => write(stack, events));
    console.log(`  ${events.toLocaleString('en')} events written in ${written.toFixed(0)} s`);
    const memory = watchMemory(stack.pids.worker);
    let isOver = false;
    const waits = tellSingly(stack, single, () => isOver);
    await ask(stack, `endpoints/${id}/resume`, {});
    const rates = await drain(bulk);
    isOver = true;
    const [watched, singly] = [memory(), await waits];
    if (bulk.missing() > 0) throw new Error(`${bulk.missing()} of ${events} events did not arrive`);
    return section({ events, rates, again: bulk.again, memory: describeMemory(watched), singly });
  } finally {
    bulk.stop();
    single.stop();
  }
}

interface Seen {
  readonly events: number;
  /** Deliveries a second, of each tenth. */
  readonly rates: readonly number[];
  readonly again: number;
  readonly memory: string;
  readonly singly: readonly number[];
}

function section({ events, rates, again, memory, singly }: Seen): Section {
  const seconds = rates.reduce((sum, rate) => sum + events / 10 / rate, 0);
  const at = (part: number): string => singly[Math.min(singly.length - 1, Math.floor(singly.length * part))]!.toFixed(0);
  return {
    title: 'A backlog of webhooks',
    about:
      `${events.toLocaleString('en')} rows were written, each told of to one endpoint that was paused; then it takes them, and answers at once. Every one arrived. Meanwhile a row that another endpoint is told of is written every ` +
      `${everyMs} ms: the milliseconds go from its commit to the call. Memory is that of the worker: before, the most of the first half, the most of the second.`,
    head: ['Deliveries', 'seconds', 'per second', 'of the first tenth', 'of the last tenth', 'twice', 'memory, MiB', 'the other endpoint: p50, p99, longest ms'],
    rows: [[events.toLocaleString('en'), seconds.toFixed(0), (events / seconds).toFixed(0), rates[0]!.toFixed(0), rates.at(-1)!.toFixed(0), String(again), memory, `${at(0.5)}, ${at(0.99)}, ${at(1)}`]],
  };
}

async function write({ database }: BenchStack, events: number): Promise<void> {
  for (let from = 0; from < events; from += writtenAtOnce) {
    await database.rows(`insert into public.bulk select i, 'paid', i, 'a note of some length' from generate_series($1::int + 1, $2::int) i`, [from, Math.min(events, from + writtenAtOnce)]);
  }
}

/** Until all have arrived; gives the rate of each tenth. */
async function drain(taker: Taker): Promise<number[]> {
  const rates: number[] = [];
  const tenth = taker.expected / 10;
  for (let began = performance.now(), last = 0, lastNew = began; rates.length < 10; await sleep(20)) {
    const now = performance.now();
    if (taker.arrived > last) [last, lastNew] = [taker.arrived, now];
    if (now - lastNew > 120_000) throw new Error(`nothing arrived for two minutes; ${taker.missing()} are missing`);
    if (taker.arrived < tenth * (rates.length + 1)) continue;
    rates.push((tenth / (now - began)) * 1000);
    began = now;
    console.log(`  ${taker.arrived.toLocaleString('en')} delivered, ${rates.at(-1)!.toFixed(0)} a second`);
  }
  return rates;
}

/** Writes a row now and then; gives how long each took to arrive, the quickest first. */
async function tellSingly({ database }: BenchStack, taker: Taker, isOver: () => boolean): Promise<number[]> {
  const writtenAt = new Map<number, number>();
  for (let id = 1; !isOver(); id += 1) {
    await database.rows(`insert into public.single values ($1, 'paid', 1, 'a note of some length')`, [id]);
    writtenAt.set(id, performance.now());
    await sleep(everyMs);
  }
  for (const until = Date.now() + 10_000; taker.arrived < writtenAt.size && Date.now() < until; ) await sleep(20);
  if (taker.arrived < writtenAt.size) throw new Error(`${writtenAt.size - taker.arrived} events of the other endpoint did not arrive`);
  return [...writtenAt].map(([id, at]) => Math.max(0, taker.at.get(id)! - at)).sort((a, b) => a - b);
}

async function subscribe(stack: BenchStack, url: string, table: string, isPaused: boolean): Promise<string> {
  return ((await ask(stack, 'endpoints', { url, is_paused: isPaused, events: [{ table, operations: ['insert'] }] })) as { id: string }).id;
}

async function ask({ url, environment }: BenchStack, path: string, body: object): Promise<unknown> {
  const headers = { apikey: environment['SUPABASE_SECRET_KEY']!, 'content-type': 'application/json' };
  const answer = await fetch(`${url}/webhooks/v1/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path} was refused: ${await answer.text()}`);
  return answer.json();
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

/** A receiver that answers at once and counts what came, by the rows' ids. */
class Taker {
  readonly expected: number;
  /** How many arrived at all, and how many of them again. */
  arrived = 0;
  again = 0;
  readonly at = new Map<number, number>();
  private readonly seen: Uint8Array;
  private readonly server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text)).once('end', () => {
      this.take(Number(/"id":\s*(\d+)/.exec(body)![1]));
      response.end();
    });
  });

  private constructor(expected: number) {
    this.expected = expected;
    this.seen = new Uint8Array(expected + 1);
  }

  static async start(expected: number): Promise<Taker> {
    const taker = new Taker(expected);
    await new Promise<void>((resolve) => taker.server.listen(0, '127.0.0.1', resolve));
    return taker;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`;
  }

  missing(): number {
    return this.expected - this.arrived;
  }

  stop(): void {
    this.server.close().closeAllConnections();
  }

  private take(id: number): void {
    if (this.seen[id] === 1) {
      this.again += 1;
      return;
    }
    this.seen[id] = 1;
    this.arrived += 1;
    // Of a million it would be a memory of its own.
    if (this.at.size < 100_000) this.at.set(id, performance.now());
  }
}
