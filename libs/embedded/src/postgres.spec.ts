import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, obstacleAt } from './ports.ts';
import { orphanPort, removePostgres, startPostgres } from './postgres.ts';

describe('the embedded PostgreSQL', () => {
  const folder = join(mkdtempSync(join(tmpdir(), 'mainstay-embedded-')), 'postgres');
  afterAll(() => {
    removePostgres(folder);
    rmSync(join(folder, '..'), { recursive: true, force: true });
  });

  it('is made at the first start, survives a kill -9, and takes a changed password', async () => {
    const port = await freePort();
    const first = await startPostgres({ folder, port, password: 'first password' });
    process.kill(first.pid, 'SIGKILL');
    await first.ended;
    const second = await startPostgres({ folder, port, password: "second 'password'" });
    expect(orphanPort(folder)).toBe(port);
    await second.stop();
    expect(orphanPort(folder)).toBeNull();
    expect(await obstacleAt(port)).toBeNull();
  });

  it('stops a server that its supervisor left running before it starts anew', async () => {
    const port = await freePort();
    const left = await startPostgres({ folder, port, password: 'third password' });
    const next = await startPostgres({ folder, port, password: 'third password' });
    await left.ended;
    expect(next.pid).not.toBe(left.pid);
    await next.stop();
  });

  it('is not kept out by the lock of a killed server whose number another program has', async () => {
    const port = await freePort();
    const before = await startPostgres({ folder, port, password: 'third password' });
    await before.stop();
    // Of the server's own user, since PostgreSQL believes in no other.
    const stranger = spawn('sleep', ['60'], { ...before.user, stdio: 'ignore' });
    writeFileSync(join(before.socket, `.s.PGSQL.${port}.lock`), `${stranger.pid}\n`);
    const next = await startPostgres({ folder, port, password: 'third password' });
    await next.stop();
    stranger.kill();
  });

  it('says why it did not start', async () => {
    await expect(startPostgres({ folder, port: await freePort(), password: 'third password', settings: { shared_buffers: 'much' } })).rejects.toThrow(/PostgreSQL did not start \(exit 1\): .*shared_buffers/);
  });
});
