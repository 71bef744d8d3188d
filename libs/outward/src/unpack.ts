import { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import type { Transform } from 'node:stream';

const packings: Readonly<Record<string, () => Transform>> = {
  gzip: () => createGunzip(),
  'x-gzip': () => createGunzip(),
  deflate: () => createInflate(),
  br: () => createBrotliDecompress(),
  zstd: () => createZstdDecompress(),
};

/** Whether a body came packed, although nobody asked for that, in a way that can be undone. */
export function isPacked(encoding: string | undefined): boolean {
  return encoding !== undefined && Object.hasOwn(packings, encoding.trim().toLowerCase());
}

/** The first bytes of what was packed; no more than these are ever unpacked, whatever lies behind them. */
export async function unpackAtMost(packed: Buffer, encoding: string, mostBytes: number): Promise<{ readonly body: Buffer; readonly isCut: boolean }> {
  const unpacking = Readable.from([packed]).pipe(packings[encoding.trim().toLowerCase()]!());
  return readAtMost(unpacking, mostBytes);
}

/** Reads a stream's first bytes and closes it there. @throws whatever the stream meets */
export async function readAtMost(stream: Readable, mostBytes: number): Promise<{ readonly body: Buffer; readonly isCut: boolean }> {
  const pieces: Buffer[] = [];
  let length = 0;
  // Leaving the loop destroys the stream, and with it the socket below.
  for await (const piece of stream as AsyncIterable<Buffer>) {
    pieces.push(length + piece.length > mostBytes ? piece.subarray(0, mostBytes - length) : piece);
    length += piece.length;
    if (length > mostBytes) return { body: Buffer.concat(pieces), isCut: true };
  }
  return { body: pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces), isCut: false };
}
