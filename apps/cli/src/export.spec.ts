import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { readSettings } from '@mainstay/config';
import { exportCommand } from './export.ts';

const file = Buffer.alloc(300_000, 'some rows\n');
const id = '01900000-0000-7000-8000-000000000001';

describe('export', () => {
  let folder: string;
  let server: Server;
  let asked: string[];
  /** How many transfers break off after 100,000 bytes. */
  let breaks: number;
  let looks: number;
  let end: object;

  beforeEach(async () => {
    jest.spyOn(console, 'log').mockImplementation(() => {});
    folder = mkdtempSync(join(tmpdir(), 'mainstay-export-'));
    asked = [];
    breaks = 0;
    looks = 0;
    end = { state: 'done', rows: 30_000, file: { name: 'orders.csv', bytes: file.length, sha256: createHash('sha256').update(file).digest('hex'), url: `http://elsewhere.test/exports/v1/${id}/file/orders.csv?expires=1&signature=x` } };
    server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url} ${request.headers.range ?? ''}`.trim());
      if (request.method === 'POST') return void response.writeHead(202).end(JSON.stringify({ id, state: 'queued' }));
      if (!request.url!.includes('/file/')) return void response.end(JSON.stringify({ id, bytes: 0, percent: 0, rows: 0, rows_per_second: null, remaining_seconds: null, error: null, file: null, state: 'running', ...((looks += 1) > 1 ? end : {}) }));
      const from = Number(/\d+/.exec(request.headers.range ?? '0')![0]);
      response.writeHead(from === 0 ? 200 : 206, { 'content-length': file.length - from });
      if ((breaks -= 1) >= 0) response.write(file.subarray(from, from + 100_000), () => response.destroy());
      else response.end(file.subarray(from));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => {
    jest.restoreAllMocks();
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const run = (...args: string[]): Promise<number> =>
    exportCommand([...args, '--key', 'a-key-of-the-service-role'], readSettings({ MAINSTAY_HOME: folder, PORT: String((server.address() as AddressInfo).port) }));

  it('asks for what the file’s name says, and fetches it', async () => {
    const target = join(folder, 'out.ndjson.gz');
    expect(await run('orders', 'select=id', '--to', target)).toBe(0);
    expect(asked[0]).toBe('POST /exports/v1/orders?select=id&format=ndjson&gzip=true');
    expect([readFileSync(target).equals(file), existsSync(`${target}.part`)]).toEqual([true, false]);
  });

  it('goes on with what broke off', async () => {
    breaks = 2;
    const target = join(folder, 'out.csv');
    expect(await run('orders', '--to', target)).toBe(0);
    expect(asked.filter((line) => line.includes('/file/')).map((line) => line.split(' ')[2] ?? '')).toEqual(['', 'bytes=100000-', 'bytes=200000-']);
    expect(readFileSync(target).equals(file)).toBe(true);
  });

  it('goes on with what an earlier one left', async () => {
    const target = join(folder, 'out.csv');
    writeFileSync(`${target}.part`, file.subarray(0, 150_000));
    expect(await run('--resume', id, '--to', target)).toBe(0);
    expect(asked.some((line) => line.startsWith('POST'))).toBe(false);
    expect(asked.at(-1)).toMatch(/bytes=150000-$/);
    expect(readFileSync(target).equals(file)).toBe(true);
  });

  it('gives no name to a file that is not what was made', async () => {
    const target = join(folder, 'out.csv');
    writeFileSync(`${target}.part`, Buffer.alloc(10, 'x'));
    await expect(run('--resume', id, '--to', target)).rejects.toThrow(/SHA-256/);
    expect(existsSync(target)).toBe(false);
  });

  it('says why there is no file', async () => {
    end = { state: 'failed', error: { message: 'division by zero', details: null, hint: null } };
    expect(await run('orders')).toBe(1);
    expect(console.log).toHaveBeenCalledWith('failed: division by zero');
    await expect(run()).rejects.toThrow(/Say which table/);
  });
});
