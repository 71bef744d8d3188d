import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchStack, Section } from './stack.ts';

const events = 5000;
const single = 100;
const writtenRows = 100_000;
const statements = 3000;

type Stack = Pick<BenchStack, 'url' | 'environment' | 'database'>;

/** What the stack needs to call a receiver on this machine. */
export const webhooksEnvironment = { MAINSTAY_OUTWARD_ALLOW: '127.0.0.1' };

/** Deliveries from the commit of a row to the receiver's answer kept in the log; and what the trigger costs the writer of a row. */
export async function benchWebhooks(stack: Stack): Promise<Section> {
  const receiver = await startReceiver();
  try {
    await stack.database.rows('create table public.orders (id bigint primary key, status text, total numeric, note text)');
    const costs = await measureTrigger(stack, receiver.url);
    const rows = [await measureDeliveries(stack, receiver), await measureSingly(stack, receiver)];
    return {
      title: 'Webhooks',
      about:
        `${events} rows written by one statement, each told of to one endpoint that answers at once: to the last delivery whose outcome is committed. Below, what one written row costs with the trigger ` +
        'over what it costs without, by one statement of 100,000 rows and by statements of one row in one transaction.',
      head: ['What', 'per second', 'p50 ms', 'p99 ms', 'µs per row', 'µs per statement of one row'],
      rows: [...rows, ...costs],
    };
  } finally {
    receiver.stop();
  }
}

async function measureDeliveries(stack: Stack, receiver: Receiver): Promise<string[]> {
  const id = await subscribe(stack, receiver.url, null);
  await write(stack, 300);
  await settled(stack, 300);
  await clear(stack);
  const began = performance.now();
  await write(stack, events);
  await settled(stack, events);
  const perSecond = (events / (performance.now() - began)) * 1000;
  await remove(stack, id);
  return [`${events} deliveries to a fast receiver`, perSecond.toFixed(0), '', '', '', ''];
}

/** One at a time into an idle house, from the statement's answer to the call's arrival. */
async function measureSingly(stack: Stack, receiver: Receiver): Promise<string[]> {
  const id = await subscribe(stack, receiver.url, null);
  const waits: number[] = [];
  for (let i = 0; i < single; i += 1) {
    receiver.arrived = null;
    await write(stack, 1);
    const written = performance.now();
    while (receiver.arrived === null) await sleep(1);
    waits.push(receiver.arrived - written);
    await sleep(60);
  }
  await remove(stack, id);
  waits.sort((a, b) => a - b);
  return [`${single}, one every 60 ms`, '', waits[Math.floor(single * 0.5)]!.toFixed(1), waits[Math.floor(single * 0.99)]!.toFixed(1), '', ''];
}

async function measureTrigger(stack: Stack, url: string): Promise<string[][]> {
  const without = await writeCosts(stack);
  const measured: string[][] = [];
  for (const [what, filter] of [['written, of interest to nobody (filter)', 'status=eq.never'], ['written, of interest to one endpoint', null]] as const) {
    // Paused, so that nothing is sent while it is measured.
    const id = await subscribe(stack, url, filter, true);
    const costs = await writeCosts(stack);
    await remove(stack, id);
    measured.push([`A row ${what}`, '', '', '', difference(costs.row, without.row), difference(costs.statement, without.statement)]);
  }
  return [['A row written, without a trigger', '', '', '', without.row.toFixed(1), without.statement.toFixed(1)], ...measured];
}

function difference(cost: number, without: number): string {
  return `+ ${Math.max(0, cost - without).toFixed(1)}`;
}

/** Microseconds, the least of three. */
async function writeCosts(stack: Stack): Promise<{ row: number; statement: number }> {
  const rows: number[] = [];
  const singles: number[] = [];
  for (let i = 0; i < 3; i += 1) {
    await clear(stack);
    rows.push((await timed(() => write(stack, writtenRows))) / writtenRows);
    await clear(stack);
    singles.push((await timed(() => stack.database.rows(`do $$ begin for i in 1..${statements} loop insert into public.orders values (i, 'paid', i, 'a note of some length'); end loop; end $$`))) / statements);
  }
  await clear(stack);
  return { row: Math.min(...rows) * 1000, statement: Math.min(...singles) * 1000 };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

function write({ database }: Stack, count: number): Promise<unknown> {
  return database.rows(`insert into public.orders select coalesce((select max(id) from public.orders), 0) + i, 'paid', i, 'a note of some length' from generate_series(1, $1) i`, [count]);
}

async function clear({ database }: Stack): Promise<void> {
  await database.rows('truncate public.orders, mainstay_internal.events, mainstay_internal.webhook_deliveries, mainstay_internal.webhook_attempts');
}

async function settled({ database }: Stack, count: number): Promise<void> {
  for (;;) {
    const [row] = await database.rows<{ done: number }>(`select count(*)::int as done from mainstay_internal.webhook_deliveries where state = 'done'`);
    if (row!.done >= count) return;
    await sleep(25);
  }
}

async function subscribe({ url: api, environment }: Stack, url: string, filter: string | null, isPaused = false): Promise<string> {
  const answer = await fetch(`${api}/webhooks/v1/endpoints`, {
    method: 'POST',
    headers: { apikey: environment['SERVICE_ROLE_KEY']!, authorization: `Bearer ${environment['SERVICE_ROLE_KEY']!}`, 'content-type': 'application/json' },
    body: JSON.stringify({ url, is_paused: isPaused, events: [{ table: 'orders', operations: ['insert'], filter }] }),
  });
  if (!answer.ok) throw new Error(`the endpoint was refused: ${await answer.text()}`);
  return ((await answer.json()) as { id: string }).id;
}

async function remove({ url: api, environment }: Stack, id: string): Promise<void> {
  await fetch(`${api}/webhooks/v1/endpoints/${id}`, { method: 'DELETE', headers: { apikey: environment['SERVICE_ROLE_KEY']!, authorization: `Bearer ${environment['SERVICE_ROLE_KEY']!}` } });
}

interface Receiver {
  readonly url: string;
  /** When the last call came. */
  arrived: number | null;
  stop(): void;
}

async function startReceiver(): Promise<Receiver> {
  const server: Server = createServer((request, response) => {
    request.resume().once('end', () => {
      receiver.arrived = performance.now();
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    arrived: null,
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
  return receiver;
}
