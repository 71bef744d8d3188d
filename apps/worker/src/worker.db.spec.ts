import { execFileSync, fork, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { asHouse, asWorker, enqueue, workerHealth, type Database } from '@mainstay/persistence';
import { makeTestDatabase, testRedis, type TestDatabase } from '@mainstay/testing';

const root = join(import.meta.dirname, '../../..');
/** Beside the packages that it imports; a name of its own, since other specs build too. */
const folder = join(root, `node_modules/.cache/mainstay/worker-spec-${process.pid}`);
const file = join(folder, 'main.js');
let test: TestDatabase;
let admin: Database;
const children: Worker[] = [];

interface Worker {
  readonly child: ChildProcess;
  readonly printed: () => string;
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

beforeAll(async () => {
  execFileSync(process.execPath, ['node_modules/rolldown/bin/cli.mjs', '-c', '--logLevel', 'silent', '--dir', folder], { cwd: root, env: { ...process.env, APP: 'worker', NODE_OPTIONS: '' } });
  test = await makeTestDatabase({ MAINSTAY_QUEUE_PREFIX: testRedis().prefix, MAINSTAY_JOB_LEASE: '2', LOG_LEVEL: 'info' });
  admin = test.admin;
}, 60_000);
afterEach(async () => {
  for (const { child, ended } of children.splice(0)) {
    child.kill('SIGKILL');
    await ended;
  }
  await admin.rows('truncate mainstay_internal.jobs, mainstay_internal.outbox, mainstay_internal.processes');
});
afterAll(async () => {
  await test.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('a worker process', () => {
  it('says that it is ready, works, reports, and stops in order on a signal', async () => {
    const { child, printed, ended } = await start();
    await until(await put('ping'), 'done');
    expect(await workerHealth(test.as('mainstay_api'))).toMatchObject({ worker: { state: 'ok' } });
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(await admin.rows('select from mainstay_internal.processes')).toHaveLength(0);
    const lines = printed().trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toContainEqual(expect.objectContaining({ process: 'worker', event: 'worker started', level: 'info' }));
  });

  it('beside another asks for one sweep an hour, and stops when its supervisor is gone', async () => {
    const [worker] = await Promise.all([start(), start()]);
    const sweeps = (): Promise<{ idempotency_key: string }[]> => admin.rows(`select idempotency_key from mainstay_internal.jobs where kind = 'sweep-over'`);
    for (const end = Date.now() + 20_000; Date.now() < end && (await sweeps()).length === 0; ) await pause(20);
    // The other one has asked by then as well.
    await pause(300);
    const rows = await sweeps();
    // Two where the hour has just turned.
    expect(rows.length).toBeLessThanOrEqual(2);
    expect(rows[0]!.idempotency_key).toMatch(/^sweep-over \d{4}-\d\d-\d\dT\d\d$/);
    worker!.child.disconnect();
    expect(await worker!.ended).toBe(0);
  });

  it('killed with a job on its hands leaves it to another, who runs it soon', async () => {
    const victim = await start();
    const held = await holdSweep();
    victim.child.kill('SIGKILL');
    await victim.ended;
    const began = Date.now();
    await start();
    await held.release();
    expect(await until(held.id, 'done')).toMatchObject({ attempts: 2 });
    expect(Date.now() - began).toBeLessThan(15_000);
  });

  it('asked to stop hands its running job back, and it does not count', async () => {
    const { child, ended } = await start();
    const held = await holdSweep();
    const began = Date.now();
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
    expect(Date.now() - began).toBeLessThan(4500);
    expect(await until(held.id, 'queued')).toMatchObject({ attempts: 0 });
    await held.release();
    await start();
    expect(await until(held.id, 'done')).toMatchObject({ attempts: 1 });
  });

  it('that lacks a setting says so in one sentence', async () => {
    const worker = launch({ REDIS_URL: '' });
    expect(await worker.ended).toBe(1);
    expect(worker.printed().trim()).toBe('REDIS_URL is not set: the worker alone needs a Redis or Valkey; `npm start` brings one.');
  });
});

function launch(more: Record<string, string> = {}): Worker {
  const child = fork(file, [], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env: { ...test.environment, ...more, NODE_NO_WARNINGS: '1' }, execArgv: [] });
  let printed = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)));
  const worker = { child, printed: () => printed, ended };
  children.push(worker);
  return worker;
}

async function start(): Promise<Worker> {
  const worker = launch();
  const ready = new Promise<void>((resolve) => worker.child.once('message', () => resolve()));
  await Promise.race([ready, worker.ended.then((code) => Promise.reject(new Error(`the worker ended (${code}): ${worker.printed()}`)))]);
  return worker;
}

/** A sweep that runs, and waits for a lock that only `release` lets go. */
async function holdSweep(): Promise<{ id: string; release: () => Promise<void> }> {
  const release = Promise.withResolvers<void>();
  const locked = Promise.withResolvers<void>();
  const holding = admin.transaction({ role: null, settings: {} }, async (tx) => {
    await tx.rows('lock table mainstay_internal.imports in access exclusive mode');
    locked.resolve();
    await release.promise;
  });
  await locked.promise;
  const id = await put('sweep-over');
  await until(id, 'running');
  return {
    id,
    release: async () => {
      release.resolve();
      await holding;
    },
  };
}

async function put(kind: 'ping' | 'sweep-over'): Promise<string> {
  return admin.transaction(asWorker, (tx) => enqueue(tx, kind, {}, { ...asHouse, key: `spec ${Math.random()}` }));
}

async function until(id: string, state: string): Promise<{ state: string; attempts: number }> {
  for (const end = Date.now() + 20_000; Date.now() < end; await pause(20)) {
    const [row] = await admin.rows<{ state: string; attempts: number }>('select state, attempts from mainstay_internal.jobs where id = $1', [id]);
    if (row!.state === state) return row!;
  }
  throw new Error(`job ${id} was not ${state} within 20 s`);
}
