import { PassThrough, Readable, Transform } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { jest } from '@jest/globals';
import { readUpload } from './read-upload.ts';

const quick = { graceSeconds: 0.1, bytesPerSecond: 1000 };

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const held: Uint8Array[] = [];
  for await (const chunk of chunks) held.push(chunk);
  return Buffer.concat(held).toString();
}

/** A sender that sends so many bytes each so many milliseconds. */
async function* trickle(times: number, bytes: number, everyMs: number): AsyncGenerator<Buffer> {
  for (let i = 0; i < times; i += 1) {
    await pause(everyMs);
    yield Buffer.alloc(bytes, 'x');
  }
}

describe('an upload', () => {
  it('is read whole, packed or not', async () => {
    expect(await textOf(readUpload(Readable.from([Buffer.from('a,b\n'), Buffer.from('1,2\n')]), false))).toBe('a,b\n1,2\n');
    expect(await textOf(readUpload(Readable.from([gzipSync('a,b\n1,2\n')]), true))).toBe('a,b\n1,2\n');
  });

  it('that is packed may wait for room as often as it likes', async () => {
    const text = Array.from({ length: 300_000 }, (_, i) => `${i},${Math.sqrt(i)}\n`).join('');
    const packed = gzipSync(text);
    const pieces = Array.from({ length: Math.ceil(packed.length / 20_000) }, (_, i) => packed.subarray(i * 20_000, (i + 1) * 20_000));
    const waits = jest.spyOn(Transform.prototype, 'once');
    try {
      let listeners = 0;
      for await (const _ of readUpload(Readable.from(pieces), true)) {
        for (const stream of waits.mock.contexts as Transform[]) listeners = Math.max(listeners, stream.listenerCount('close'));
      }
      expect(waits.mock.calls.filter(([event]) => event === 'drain').length).toBeGreaterThan(20);
      expect(listeners).toBeLessThan(5);
    } finally {
      waits.mockRestore();
    }
  });

  it('may take far longer than the grace while it moves', async () => {
    const text = await textOf(readUpload(Readable.from(trickle(12, 60, 30)), false, quick));
    expect(text).toHaveLength(720);
  });

  it.each([
    ['stands still from the start', async function* () { await pause(5000, undefined, { ref: false }); yield Buffer.from('x'); }],
    ['stands still after a burst, which earns no more than the grace', async function* () { yield Buffer.alloc(1e6); await pause(5000, undefined, { ref: false }); yield Buffer.from('x'); }],
    ['is slower than the pace', () => trickle(50, 10, 30)],
  ])('that %s is cut', async (_, sender) => {
    const body = Readable.from(sender());
    await expect(textOf(readUpload(body, false, quick))).rejects.toMatchObject({ code: 'upload_stands_still', status: 408 });
    expect(body.destroyed).toBe(false);
    body.destroy();
  });

  it('is not cut while we are the slow ones', async () => {
    let bytes = 0;
    for await (const chunk of readUpload(Readable.from([Buffer.alloc(10), Buffer.alloc(10)]), false, quick)) {
      bytes += chunk.length;
      await pause(150);
    }
    expect(bytes).toBe(20);
  });

  it.each([
    ['that is no gzip', Buffer.from('a,b\n1,2\n')],
    ['that ends too early', gzipSync('a,b\n1,2\n').subarray(0, 20)],
  ])('as gzip %s is refused', async (_, bytes) => {
    await expect(textOf(readUpload(Readable.from([bytes]), true))).rejects.toMatchObject({ code: 'gzip_not_valid', status: 400 });
  });

  it('of a client that goes away is broken off', async () => {
    const body = new PassThrough();
    body.write('a,b\n');
    const reading = textOf(readUpload(body, false));
    body.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }));
    await expect(reading).rejects.toMatchObject({ code: 'upload_broken_off' });
  });

  it('unpacks no further ahead than it is read', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    const before = process.memoryUsage().arrayBuffers;
    let bytes = 0;
    let most = 0;
    for await (const chunk of readUpload(Readable.from([bomb]), true)) {
      bytes += chunk.length;
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
      if (bytes > 8 * 1024 * 1024) break;
    }
    expect(most).toBeLessThan(16 * 1024 * 1024);
  });
});
