import type { Transform } from 'node:stream';
import { createDeflateRaw, createGzip } from 'node:zlib';

/** Some bytes of a file, and how many rows they complete. */
export interface FilePiece {
  readonly bytes: Uint8Array;
  readonly rows: number;
}

/** Packs a file as gzip does. A body for one transfer is packed fast, a file that is kept well. */
export function gzipped(pieces: AsyncIterable<FilePiece>, level: number): AsyncGenerator<FilePiece, void, undefined> {
  return through(pieces, createGzip({ level }));
}

/** Packs without a head, as a member of a zip. */
export function deflated(pieces: AsyncIterable<FilePiece>): AsyncGenerator<FilePiece, void, undefined> {
  return through(pieces, createDeflateRaw({ level: 5 }));
}

/** Sends pieces through a transform, one at a time: what it gives is taken at once, so it never stands still. */
async function* through(pieces: AsyncIterable<FilePiece>, transform: Transform): AsyncGenerator<FilePiece, void, undefined> {
  const ready: Buffer[] = [];
  const ended = new Promise<void>((resolve, reject) => transform.once('end', resolve).once('error', reject));
  ended.catch(() => {});
  transform.on('data', (bytes: Buffer) => ready.push(bytes));
  let rows = 0;
  try {
    for await (const piece of pieces) {
      await new Promise<void>((resolve, reject) => transform.write(piece.bytes, (error) => (error ? reject(error) : resolve())));
      rows += piece.rows;
      if (ready.length === 0) continue;
      yield { bytes: Buffer.concat(ready.splice(0)), rows };
      rows = 0;
    }
    transform.end();
    await ended;
    yield { bytes: Buffer.concat(ready.splice(0)), rows };
  } finally {
    transform.destroy();
  }
}
