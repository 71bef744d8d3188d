import { execFileSync, fork, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { WebhooksService, type ShownEndpoint } from '@mainstay/automation';
import { makeCaller } from '@mainstay/domain';
import { makeOutward } from '@mainstay/outward';
import type { Database } from '@mainstay/persistence';
import { makeTestDatabase, Receiver, testRedis, type TestDatabase } from '@mainstay/testing';

const root = join(import.meta.dirname, '../../..');
const folder = join(root, `node_modules/.cache/mainstay/webhooks-spec-${process.pid}`);
const service = makeCaller('key', { role: 'service_role' });
let test: TestDatabase;
let admin: Database;
let webhooks: WebhooksService;
let receivers: Receiver[] = [];
const workers: ChildProcess[] = [];

beforeAll(async () => {
  execFileSync(process.execPath, ['node_modules/rolldown/bin/cli.mjs', '-c', '--logLevel', 'silent', '--dir', folder], { cwd: root, env: { ...process.env, APP: 'worker', NODE_OPTIONS: '' } });
  test = await makeTestDatabase({ MAINSTAY_QUEUE_PREFIX: testRedis().prefix, MAINSTAY_JOB_LEASE: '2', MAINSTAY_OUTWARD_ALLOW: '127.0.0.1', MAINSTAY_WEBHOOK_TIMEOUT: '3', LOG_LEVEL: 'warn' });
  admin = test.admin;
  webhooks = new WebhooksService(test.as('mainstay_api'), test.settings, makeOutward(test.settings));
  await admin.rows('set role postgres; create table public.orders (id bigint primary key, status text); create table public.others (id bigint primary key); reset role');
}, 60_000);
afterEach(async () => {
  for (const worker of workers.splice(0)) await kill(worker);
  for (const receiver of receivers) receiver.stop();
  receivers = [];
  for (const { id } of await webhooks.list(service, {})) await webhooks.remove(service, id);
  await admin.rows('truncate orders, others, mainstay_internal.jobs, mainstay_internal.outbox, mainstay_internal.processes, mainstay_internal.events, mainstay_internal.webhook_deliveries, mainstay_internal.webhook_attempts');
});
afterAll(async () => {
  await test.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('a worker', () => {
  it('delivers what was written before it was there, and soon what is written then', async () => {
    const { receiver } = await listen('orders');
    await admin.rows(`insert into orders values (1, 'early')`);
    await start();
    await until(() => receiver.received.length === 1);
    await pause(1500);
    const began = performance.now();
    await admin.rows(`insert into orders values (2, 'late')`);
    await until(() => receiver.received.length === 2);
    expect(performance.now() - began).toBeLessThan(2000);
  });

  it('killed in the middle of its deliveries leaves them to another, who sends the same bytes under the same ids', async () => {
    const { receiver, endpoint } = await listen('orders');
    let isSlow = true;
    receiver.answer = (_, response) => pause(isSlow && receiver.received.length > 20 ? 5000 : 0).then(() => response.end());
    const victim = await start();
    await admin.rows(`insert into orders select i, 'new' from generate_series(1, 100) i`);
    await until(() => receiver.received.length > 22);
    await kill(victim);
    isSlow = false;
    await start();
    await until(async () => (await webhooks.countDeliveries(service, { endpoint: endpoint.id })).done === 100);
    const sent = Map.groupBy(receiver.received, ({ headers }) => headers['webhook-id']!);
    expect(sent.size).toBe(100);
    for (const tries of sent.values()) expect(new Set(tries.map(({ body }) => body)).size).toBe(1);
  });

  it('lets one that hangs, and one that fails, delay nobody else', async () => {
    const hanging = await listen('orders');
    hanging.receiver.answer = () => {};
    const failing = await listen('orders');
    failing.receiver.answer = (_, response) => response.writeHead(500).end();
    const { receiver } = await listen('others');
    await start();
    await admin.rows(`insert into orders select i, 'new' from generate_series(1, 2000) i`);
    await until(() => hanging.receiver.received.length > 0 && failing.receiver.received.length > 0);
    const began = performance.now();
    await admin.rows('insert into others select i from generate_series(1, 200) i');
    await until(() => receiver.received.length === 200);
    expect(performance.now() - began).toBeLessThan(3000);
    expect(hanging.receiver.received.length).toBeLessThan(20);
  });

  it('tells of a job that has ended', async () => {
    const { receiver } = await listen(null, ['job.done']);
    await start();
    await admin.rows('create function public.greet(name text) returns text language sql return name');
    await admin.rows(`select mainstay_internal.enqueue_job('call-function', 'functions', '{"schema":"public","name":"greet","arguments":{"name":"anna"}}', null, 'service_role', '{"role":"service_role"}')`);
    await until(() => receiver.received.length === 1);
    expect(receiver.events[0]).toMatchObject({ type: 'job.done', data: { kind: 'call-function', state: 'done' } });
  });
});

async function listen(table: string | null, events: unknown[] = [{ table }]): Promise<{ receiver: Receiver; endpoint: ShownEndpoint }> {
  const receiver = await Receiver.start();
  receivers.push(receiver);
  const { body } = await webhooks.create(service, { url: receiver.url, events }, null);
  return { receiver, endpoint: JSON.parse(body!) as ShownEndpoint };
}

async function start(): Promise<ChildProcess> {
  const child = fork(join(folder, 'main.js'), [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], env: { ...test.environment, NODE_NO_WARNINGS: '1' }, execArgv: [] });
  workers.push(child);
  await new Promise<void>((resolve, reject) => child.once('message', () => resolve()).once('exit', (code) => reject(new Error(`the worker ended (${code})`))));
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 25_000; Date.now() < end; await pause(20)) if (await isSo()) return;
  throw new Error('not within 25 s');
}
