import { Readable, type Transform } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { importFault } from './import-faults.ts';

/** How slow an upload may be: it may stand still for `graceSeconds`, and every `bytesPerSecond` bytes earn a second more, up to that. */
export interface Pace {
  readonly graceSeconds: number;
  readonly bytesPerSecond: number;
}

export const slowestPace: Pace = { graceSeconds: 10, bytesPerSecond: 1024 };

/**
 * Reads an upload, unpacked if it is packed, chunk by chunk as it is asked for. An upload that moves is never cut, however long
 * it takes; one that stands still is. The request itself is left open: its answer is still to be sent.
 * @throws Fault when it stands still, breaks off or is no gzip
 */
export function readUpload(body: Readable, isGzip: boolean, pace: Pace = slowestPace): AsyncGenerator<Uint8Array> {
  const moving = keepMoving(body, pace);
  return isGzip ? unpack(moving) : moving;
}

async function* keepMoving(body: Readable, pace: Pace): AsyncGenerator<Uint8Array> {
  const chunks = body.iterator({ destroyOnReturn: false });
  const graceMs = pace.graceSeconds * 1000;
  let leftMs = graceMs;
  for (;;) {
    // Only the waiting for the sender counts: while we are busy writing, it is we who hold the upload up.
    const askedAt = performance.now();
    const { done, value } = await within(leftMs, chunks.next());
    if (done === true) return;
    const bytes = value as Uint8Array;
    leftMs = Math.min(graceMs, leftMs - (performance.now() - askedAt) + (bytes.length / pace.bytesPerSecond) * 1000);
    yield bytes;
  }
}

async function within<T>(ms: number, next: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const stands = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(importFault('upload_stands_still', { hint: 'Upload it again; an upload may be slow, but must move.' })), Math.max(0, ms));
  });
  try {
    return await Promise.race([next, stands]);
  } catch (error) {
    throw isBrokenOff(error) ? importFault('upload_broken_off', { cause: error }) : error;
  } finally {
    clearTimeout(timer);
    // The loser of the race must not end the process when it fails later.
    next.catch(() => {});
  }
}

function isBrokenOff(error: unknown): boolean {
  return ['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE', 'ABORT_ERR'].includes((error as { code?: string }).code ?? '');
}

/** Unpacks gzip with never more than a few chunks in memory: it asks for more only when what it gave was taken. */
async function* unpack(packed: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip();
  const feeding = feed(packed, gunzip);
  try {
    yield* gunzip as AsyncIterable<Uint8Array>;
    await feeding;
  } catch (error) {
    if (!(error as { code?: string }).code?.startsWith('Z_')) throw error;
    throw importFault('gzip_not_valid', { details: (error as Error).message, cause: error });
  } finally {
    gunzip.destroy();
  }
}

async function feed(packed: AsyncGenerator<Uint8Array>, gunzip: Transform): Promise<void> {
  try {
    for await (const bytes of packed) {
      if (!gunzip.destroyed && !gunzip.write(bytes)) await roomIn(gunzip);
      if (gunzip.destroyed) return;
    }
    gunzip.end();
  } catch (error) {
    gunzip.destroy(error as Error);
  }
}

function roomIn(gunzip: Transform): Promise<void> {
  return new Promise((resolve) => {
    // Whichever comes, neither may stay: a large file waits for room thousands of times.
    const goOn = (): void => {
      gunzip.off('drain', goOn).off('close', goOn);
      resolve();
    };
    gunzip.once('drain', goOn).once('close', goOn);
  });
}

/** Reads on what nobody wants any more, for a moment: a client that is still sending would not read the answer. */
export async function drain(body: Readable, ms = 2000): Promise<void> {
  if (body.readableEnded || body.destroyed) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    body.once('end', resolve).once('close', resolve).once('error', () => resolve());
    body.once('close', () => clearTimeout(timer));
    body.resume();
  });
}
