import { execFileSync, fork, type ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { makeTestDatabase, testRedis, type TestDatabase } from '@mainstay/testing';

interface WorkspaceCopy {
  readonly directory: string;
  remove(): void;
}

/** Follows the page in a copy of the workspace: each ```ts goes where its first line says. */
describe('a job in TypeScript, as docs/own-jobs.md tells it', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/own-jobs.md'), 'utf8');
  const steps = Array.from(page.matchAll(/^```ts\n\/\/ (\S+?)(?:, above `(.*?)`)?\n(.*?)^```$/gms), ([, file, above, code]) => ({ file: file!, above, code: code! }));
  let workspace: WorkspaceCopy;
  let test: TestDatabase;
  let worker: ChildProcess | undefined;

  beforeAll(async () => {
    // A tool, and no library: so it is not imported as one.
    const tool = new URL('../../../tools/workspace/copy-workspace.ts', import.meta.url).href;
    workspace = ((await import(tool)) as { copyWorkspace(): WorkspaceCopy }).copyWorkspace();
    test = await makeTestDatabase({ MAINSTAY_QUEUE_PREFIX: testRedis().prefix });
  }, 60_000);
  afterAll(async () => {
    const ended = new Promise((resolve) => (worker === undefined ? resolve(null) : worker.once('exit', resolve)));
    worker?.kill('SIGTERM');
    await ended;
    await test.close();
    workspace.remove();
  });

  it('compiles, and is done', async () => {
    expect(steps).toHaveLength(4);
    for (const { file, above, code } of steps) put(join(workspace.directory, file), above, code);
    run('node_modules/.bin/tsc', '-p', 'apps/worker', '--checkers', '1');
    await test.admin.rows('create table public.greetings (name text); grant insert on public.greetings to service_role');
    const id = ask('Ada');
    worker = startWorker();
    expect(await until(id)).toMatchObject({ state: 'done', result: { greeted: 'Ada' }, attempts: 1 });
    expect(await test.admin.rows('select name from public.greetings')).toEqual([{ name: 'Ada' }]);
  }, 120_000);

  function put(file: string, above: string | undefined, code: string): void {
    if (above === undefined) return writeFileSync(file, code);
    const before = readFileSync(file, 'utf8');
    expect(before.split(above)).toHaveLength(2);
    writeFileSync(file, before.replace(above, () => `${code}${above.startsWith('/**') ? '\n' : ''}${above}`));
  }

  /** The page's own function, in a transaction of the api's login. */
  function ask(name: string): string {
    const script = `
      const { importBundled } = await import('./tools/bundle.mjs');
      const { askForGreeting } = await importBundled('libs/automation/src/greetings.ts');
      const { makeDatabase, readSettings, makeCaller } = await importBundled('tools/bench/parts.ts');
      const database = makeDatabase(readSettings(process.env), 'mainstay_api', { max: 1 });
      const caller = makeCaller('key', { role: 'service_role' });
      console.log(await database.transaction({ role: null, settings: {} }, (tx) => askForGreeting(tx, caller, ${JSON.stringify(name)})));
      await database.close();`;
    return run(process.execPath, '--input-type=module', '-e', script).trim();
  }

  function startWorker(): ChildProcess {
    execFileSync(process.execPath, ['node_modules/rolldown/bin/cli.mjs', '-c', '--logLevel', 'silent'], { cwd: workspace.directory, env: { ...process.env, APP: 'worker', NODE_OPTIONS: '' } });
    return fork(join(workspace.directory, 'dist/apps/worker/main.js'), [], { cwd: workspace.directory, stdio: 'ignore', env: { ...test.environment, NODE_NO_WARNINGS: '1' }, execArgv: [] });
  }

  function run(program: string, ...words: string[]): string {
    return execFileSync(program, words, { cwd: workspace.directory, encoding: 'utf8', env: { ...process.env, ...test.environment, NODE_OPTIONS: '' } });
  }

  async function until(id: string): Promise<unknown> {
    for (const end = Date.now() + 30_000; Date.now() < end; await pause(50)) {
      const [row] = await test.admin.rows<{ state: string }>('select state, result, attempts, error from mainstay_internal.jobs where id = $1', [id]);
      if (!['queued', 'running'].includes(row!.state)) return row;
    }
    throw new Error(`job ${id} has not ended within 30 s`);
  }
});
