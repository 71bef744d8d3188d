import { createGunzip, createInflate } from 'node:zlib';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import { edgeFault } from './edge-faults.ts';

/** An ordinary body must be here within this time. */
const bodyTimeoutMs = 30_000;

/**
 * One parser for every content type, since each surface reads bodies in its own way: `/imports/v1` gets the untouched stream,
 * `/rest/v1` and `/batch/v1` the bytes (PostgreSQL reads numbers that JavaScript would round), everything else parsed JSON.
 */
export function takeBodies(server: FastifyInstance, maxBytes: number): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', (request: FastifyRequest, payload: Readable, done: (error: Error | null, body?: unknown) => void) => {
    if (request.url.startsWith('/imports/')) {
      done(null, payload);
      return;
    }
    readBytes(request, payload, maxBytes).then(
      (bytes) => (/^\/(?:rest|batch)\//.test(request.url) ? done(null, bytes) : parseJson(bytes, done)),
      (error: Error) => done(error),
    );
  });
}

function parseJson(bytes: Buffer, done: (error: Error | null, body?: unknown) => void): void {
  if (bytes.length === 0) return done(null, undefined);
  try {
    done(null, JSON.parse(bytes.toString('utf8')));
  } catch (error) {
    done(edgeFault('body_not_json', { details: (error as Error).message, cause: error }));
  }
}

/** Reads a body whole, unpacked, counted after unpacking: a small bomb is refused as early as a large body. */
async function readBytes(request: FastifyRequest, payload: Readable, maxBytes: number): Promise<Buffer> {
  const tooLarge = () => edgeFault('body_too_large', { details: `at most ${maxBytes} bytes`, headers: { connection: 'close' } });
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  const stream = unpacked(payload, request.headers['content-encoding']);
  const pieces: Buffer[] = [];
  let length = 0;
  const timer = setTimeout(() => stream.destroy(edgeFault('body_too_slow', { details: `within ${bodyTimeoutMs / 1000} s`, headers: { connection: 'close' } })), bodyTimeoutMs);
  try {
    for await (const piece of stream as AsyncIterable<Buffer>) {
      length += piece.length;
      if (length > maxBytes) throw tooLarge();
      pieces.push(piece);
    }
  } catch (error) {
    if ((error as { code?: string }).code?.startsWith('Z_')) throw edgeFault('body_not_decodable', { details: (error as Error).message, cause: error });
    throw error;
  } finally {
    clearTimeout(timer);
  }
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, length);
}

function unpacked(payload: Readable, encoding: string | undefined): Readable {
  if (encoding === undefined || encoding === '' || encoding === 'identity') return payload;
  if (encoding !== 'gzip' && encoding !== 'deflate') throw edgeFault('body_encoding_unknown', { details: encoding });
  const unpack = encoding === 'gzip' ? createGunzip() : createInflate();
  payload.once('error', (error) => unpack.destroy(error));
  return payload.pipe(unpack);
}
