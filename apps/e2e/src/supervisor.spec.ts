import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startInVain, startStack, type Stack } from './stack.ts';

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** Waits for a condition and gives the milliseconds that it took. */
async function until(condition: () => Promise<boolean> | boolean, limitMs: number): Promise<number> {
  const start = performance.now();
  while (!(await condition())) {
    if (performance.now() - start > limitMs) throw new Error(`not within ${limitMs} ms`);
    await sleep(20);
  }
  return performance.now() - start;
}

const isReady = (stack: Stack) => (): Promise<boolean> => fetch(`${stack.url}/health/ready`).then(({ status }) => status === 200, () => false);

/** It takes 2 s at most on a machine that is not busy; specs share theirs. */
const backWithinMs = 10_000;

describe('the one command', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack();
  });
  afterAll(() => stack.stop());

  it('says where everything is', () => {
    expect(stack.printed()).toContain(stack.url);
    expect(stack.printed()).toContain('/console/');
    expect(stack.printed()).toMatch(/Database +postgresql:\/\/postgres:/);
    expect(stack.printed()).toMatch(/Keys +.*secrets\.env/);
  });

  it('answers on every part', async () => {
    const answer = await fetch(`${stack.url}/health/ready`);
    expect(await answer.json()).toMatchObject({ status: 'ok', parts: { database: { state: 'ok' }, queue: { state: 'ok' }, worker: { state: 'ok' }, schema_cache: { state: 'ok' } } });
  });

  it('keeps its secrets from other users', () => {
    expect(statSync(join(stack.home, 'secrets.env')).mode & 0o777).toBe(0o600);
    expect(statSync(join(stack.home, 'run.json')).mode & 0o777).toBe(0o600);
  });

  it.each(['api', 'worker', 'valkey', 'postgres'])('brings %s back at once when it is killed, and leaves the others alone', async (part) => {
    await until(isReady(stack), 20_000);
    const before = stack.pids();
    process.kill(before[part]!, 'SIGKILL');
    await until(() => stack.pids()[part] !== undefined && stack.pids()[part] !== before[part], backWithinMs);
    await until(isReady(stack), 20_000);
    expect({ ...stack.pids(), [part]: 0 }).toEqual({ ...before, [part]: 0 });
  });

  it('refuses a second start in the same home', async () => {
    const { printed, status } = await startInVain({}, stack.home);
    expect(status).toBe(1);
    expect(printed).toMatch(/already runs in .*: stop it first, or set MAINSTAY_HOME/);
  });
});

describe('stopping', () => {
  it('Ctrl-C ends every part in order within 5 s and leaves nothing behind', async () => {
    const stack = await startStack();
    const pids = Object.values(stack.pids());
    const start = performance.now();
    stack.signal('SIGINT');
    expect(await stack.ended).toBe(0);
    expect(performance.now() - start).toBeLessThan(5000);
    expect(pids.filter(isAlive)).toEqual([]);
    rmSync(stack.home, { recursive: true, force: true });
  });

  it('a killed supervisor takes its parts along, and the next start is sound', async () => {
    const first = await startStack();
    const { supervisor, postgres, ...children } = first.pids();
    process.kill(supervisor!, 'SIGKILL');
    await until(() => !Object.values(children).some(isAlive), backWithinMs);
    const second = await startStack({ home: first.home });
    // The orphan was stopped before its successor started; the system may take a moment to forget it.
    await until(() => !isAlive(postgres!), 1000);
    expect(second.serviceKey).toBe(first.serviceKey);
    await until(isReady(second), 20_000);
    await second.stop();
  });
});

describe('a start that cannot be', () => {
  it('names the taken port and the setting', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    for (const setting of ['PORT', 'MAINSTAY_DB_PORT']) {
      const { printed, status } = await startInVain({ [setting]: String(port) });
      expect(status).toBe(1);
      expect(printed.trim()).toBe(`Port ${port} is taken by another program: stop that program, or set ${setting} to a free port.`);
    }
    taken.close();
  });

  it.each([
    [{ PORT: 'many' }, 'PORT "many" is not right: it must be a whole number from 0 to 65535.'],
    [{ PGRST_DB_MAX_ROWS: '10', PGRST_MAX_ROWS: '20' }, 'PGRST_DB_MAX_ROWS and PGRST_MAX_ROWS are one setting but have different values: set only one of them.'],
  ])('says in one sentence what is wrong with %j', async (environment, sentence) => {
    const { printed, status } = await startInVain(environment);
    expect(status).toBe(1);
    expect(printed.trim()).toBe(sentence);
  });
});

describe('where the database may not go', () => {
  const isRoot = process.getuid?.() === 0;

  (isRoot ? it : it.skip)('says that the data went elsewhere when its user cannot enter the home', async () => {
    const closed = mkdtempSync(join(tmpdir(), 'mainstay-closed-'));
    chmodSync(closed, 0o700);
    const home = join(closed, 'home');
    const stack = await startStack({ home });
    expect(stack.printed()).toMatch(/The database's data is in \/var\/lib\/mainstay\/.*: its system user "\w+" cannot enter/);
    await stack.stop({ keepHome: true });
    execFileSync(process.execPath, ['dist/apps/cli/main.js', 'reset', '--yes'], { env: { ...process.env, MAINSTAY_HOME: home } });
    rmSync(closed, { recursive: true, force: true });
  });
});
