import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip as gzipCallback } from 'node:zlib';
import { runSql } from './sql.ts';
import { startStack, type Stack } from './stack.ts';

const MiB = 1024 * 1024;
/** Beside the slow uploads, which must go on meanwhile. */
const gzip = promisify(gzipCallback) as (bytes: Uint8Array) => Promise<Uint8Array>;

interface Ended {
  readonly status: number;
  /** The refusal, or the import at its end. */
  readonly body: Record<string, unknown>;
  readonly rejects: readonly Record<string, unknown>[];
}

interface Dribbled {
  readonly status: number;
  readonly seconds: number;
}

describe('a hostile or broken file', () => {
  let stack: Stack;
  /** Slow uploads go on beside everything else: one that moves, one that stands still. */
  let uploads: Promise<[moves: Dribbled, stands: Dribbled]>;
  beforeAll(async () => {
    stack = await startStack({ environment: { MAINSTAY_IMPORT_QUOTA: '16MB' } });
    await runSql(stack.dbUrl, 'create table public.things (id integer primary key, name text, n integer); create table public.slow (like public.things); grant all on public.things, public.slow to service_role');
    // What is loaded at the first import is no growth.
    for (let i = 0; i < 3; i += 1) await send(`id,name\n${Array.from({ length: 5000 }, (_, row) => `${i * 5000 + row + 1e6},warm`).join('\n')}\nx,y\n`);
    // Each earns more time than a busy machine can lose until the next.
    const row = (i: number): string => `${i},${'x'.repeat(8000)}\n`;
    uploads = Promise.all([
      dribble(['id,name\n', ...Array.from({ length: 21 }, (_, i) => row(i))], 1500),
      dribble(['id,name\n1,a\n', row(2)], 60_000),
    ]);
    uploads.catch(() => {}); // until its spec asks
  }, 60_000);
  afterAll(() => stack.stop());

  const headers = (type: string): Record<string, string> => ({ apikey: stack.secretKey, 'content-type': type });

  async function send(file: string | Uint8Array, { type = 'text/csv', query = '', more = {} }: { type?: string; query?: string; more?: Record<string, string> } = {}): Promise<Ended> {
    const answer = await fetch(`${stack.url}/imports/v1/things${query}`, { method: 'POST', headers: { ...headers(type), ...more }, body: typeof file === 'string' ? file : new Uint8Array(file) });
    const body = (await answer.json()) as Record<string, unknown>;
    if (answer.status !== 202) return { status: answer.status, body, rejects: [] };
    return { status: 202, ...(await follow(body['id'] as string)) };
  }

  async function follow(id: string): Promise<Omit<Ended, 'status'>> {
    for (const until = Date.now() + 60_000; Date.now() < until; await sleep(50)) {
      const body = (await (await fetch(`${stack.url}/imports/v1/${id}`, { headers: headers('text/csv') })).json()) as Record<string, unknown>;
      if (['queued', 'running'].includes(body['state'] as string)) continue;
      const rejects = await fetch(`${stack.url}/imports/v1/${id}/rejects`, { headers: { ...headers('text/csv'), accept: 'application/x-ndjson' } });
      return { body, rejects: (await rejects.text()).split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>) };
    }
    throw new Error(`import ${id} did not end`);
  }

  const residentMiB = (part: string): number => Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${stack.pids()[part]}/status`, 'utf8'))![1]) / 1024;

  /** How much more memory api and worker take at the worst moment of some work. */
  async function growthDuring<T>(work: () => Promise<T>): Promise<{ result: T; growthMiB: number }> {
    const parts = ['api', 'worker'];
    const before = parts.map(residentMiB);
    let growthMiB = 0;
    const timer = setInterval(() => {
      growthMiB = Math.max(growthMiB, ...parts.map((part, i) => residentMiB(part) - before[i]!));
    }, 20);
    try {
      return { result: await work(), growthMiB };
    } finally {
      clearInterval(timer);
    }
  }

  const good = async (): Promise<void> => {
    await runSql(stack.dbUrl, 'truncate public.things');
    expect((await send('id,name\n1,a\n2,b\n')).body).toMatchObject({ state: 'done', rows_written: 2, rows_rejected: 0 });
  };

  it.each<[string, () => string | Uint8Array | Promise<Uint8Array>, Parameters<typeof send>[1], number, string]>([
    ['a line without end', () => `id,name\n1,${'x'.repeat(12 * MiB)}`, {}, 400, 'row_too_long'],
    ['a header without end', () => 'x'.repeat(12 * MiB), {}, 400, 'row_too_long'],
    ['a quote that nobody closes', () => `id,name\n1,"a\n${'2,b\n'.repeat(2 * MiB)}`, {}, 400, 'row_too_long'],
    ['UTF-16', () => Buffer.from('\ufeffid,name\n1,a\n', 'utf16le'), {}, 400, 'encoding_not_utf8'],
    ['a NUL in the header', () => 'id,na\0me\n1,a\n', {}, 400, 'encoding_not_utf8'],
    ['a million columns', () => `${'a,'.repeat(MiB / 4)}\n`, {}, 400, 'too_many_columns'],
    ['a header named __proto__', () => 'id,__proto__\n1,2\n', {}, 400, 'column_unknown'],
    ['keys named __proto__', () => '{"id":1,"__proto__":{"x":1}}\n', { type: 'application/x-ndjson' }, 400, 'column_unknown'],
    ['JSON of endless depth', () => `{"id":${'['.repeat(MiB / 2)}\n`, { type: 'application/x-ndjson' }, 400, 'header_not_readable'],
    ['a gzip bomb', () => gzip(Buffer.concat([Buffer.from('name\n'), Buffer.alloc(192 * MiB, 'boom\n')])), { more: { 'content-encoding': 'gzip' } }, 413, 'quota_used_up'],
    ['a gzip bomb of one line', () => gzip(Buffer.alloc(192 * MiB, 'x')), { more: { 'content-encoding': 'gzip' } }, 400, 'row_too_long'],
    ['gzip that breaks off', () => gzip(Buffer.from('id,name\n1,a\n')).then((bytes) => bytes.subarray(0, 20)), { more: { 'content-encoding': 'gzip' } }, 400, 'gzip_not_valid'],
    ['gzip in a gown of CSV', () => gzip(Buffer.from('id,name\n1,a\n')), {}, 415, 'content_type_unknown'],
    ['a body of another kind', () => '[{"id":1}]', { type: 'application/json' }, 415, 'content_type_unknown'],
    ['nothing at all', () => '', {}, 400, 'file_is_empty'],
  ])('%s is refused in words, in bounded memory, and leaves nothing behind', async (_, file, sent, status, code) => {
    const bytes = await file();
    const { result, growthMiB } = await growthDuring(() => send(bytes, sent));
    expect(result).toMatchObject({ status, body: { code, message: expect.any(String) } });
    expect(growthMiB).toBeLessThan(150);
    await good();
  });

  it.each<[string, () => string | Uint8Array, { type?: string }, readonly { line: number; reason: RegExp }[]]>([
    ['ragged rows', () => 'id,name\n10,a\n11\n12,b,c\n,\n13,d\n', {}, [{ line: 3, reason: /missing data for column "name"/ }, { line: 4, reason: /extra data after last expected column/ }, { line: 5, reason: /null value in column "id"/ }]],
    ['Latin-1', () => Buffer.from('id,name\n10,Köln\n11,Bonn\n', 'latin1'), {}, [{ line: 2, reason: /invalid byte sequence for encoding "UTF8"/ }]],
    ['NULs', () => 'id,name\n10,a\0b\n11,c\n', {}, [{ line: 2, reason: /invalid byte sequence for encoding "UTF8": 0x00/ }]],
    ['a row of a million columns', () => `id,name\n10,a\n11,${','.repeat(MiB - 100)}\n12,b\n`, {}, [{ line: 3, reason: /extra data after last expected column/ }]],
    ['JSON of endless depth', () => `{"id":10}\n{"id":${'['.repeat(MiB / 2)}\n{"id":12}\n`, { type: 'application/x-ndjson' }, [{ line: 2, reason: /stack depth|invalid input syntax/ }]],
  ])('%s: the bad rows are set aside with their reasons, the good ones written', async (_, file, sent, rejects) => {
    await runSql(stack.dbUrl, 'truncate public.things');
    const bytes = file();
    const { result, growthMiB } = await growthDuring(() => send(bytes, sent));
    expect(result.body).toMatchObject({ state: 'done', rows_rejected: rejects.length });
    expect(result.rejects).toEqual(rejects.map(({ line, reason }) => expect.objectContaining({ line, reason: expect.stringMatching(reason) })));
    expect(growthMiB).toBeLessThan(150);
    await good();
  });

  it('of bad rows alone fails after max_errors, and the next one works', async () => {
    const { result, growthMiB } = await growthDuring(() => send(`id,name\n${'bad,row\n'.repeat(300_000)}`));
    expect(result.body).toMatchObject({ state: 'failed', rows_written: 0, rows_rejected: 1001, error: { code: 'too_many_rejects' } });
    expect(growthMiB).toBeLessThan(150);
    await good();
  });

  /** Sends a body piece by piece over a plain socket, and gives the status of the answer and when it came. */
  function dribble(pieces: readonly string[], everyMs: number): Promise<Dribbled> {
    const length = pieces.reduce((sum, piece) => sum + Buffer.byteLength(piece), 0);
    const { hostname, port } = new URL(stack.url);
    const began = performance.now();
    const ended = new AbortController();
    const sent = new Promise<Dribbled>((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => {
        socket.write(`POST /imports/v1/slow HTTP/1.1\r\nhost: x\r\napikey: ${stack.secretKey}\r\ncontent-type: text/csv\r\ncontent-length: ${length}\r\n\r\n`);
        void write().catch(() => {}); // the end of the pauses
      });
      const write = async (): Promise<void> => {
        for (const piece of pieces) {
          socket.write(piece);
          await sleep(everyMs, undefined, { signal: ended.signal });
        }
      };
      let answer = '';
      socket.setEncoding('utf8').on('data', (text: string) => {
        answer += text;
        const status = /^HTTP\/1\.1 (\d+)/.exec(answer)?.[1];
        if (status === undefined) return;
        socket.destroy();
        resolve({ status: Number(status), seconds: (performance.now() - began) / 1000 });
      });
      socket.on('error', reject);
      socket.on('close', () => reject(new Error(`closed without an answer: ${answer}`)));
    });
    return sent.finally(() => ended.abort());
  }

  it('an upload that takes longer than 30 s but moves is not cut; one that stands still is', async () => {
    const [moves, stands] = await uploads;
    expect(moves.status).toBe(202);
    expect(moves.seconds).toBeGreaterThan(30);
    expect(stands.status).toBe(408);
    expect(stands.seconds).toBeLessThan(20);
  }, 60_000);
});
