import { createGunzip, createInflate } from 'node:zlib';
import type { Settings } from '@mainstay/config';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Readable } from 'node:stream';
import { edgeFault } from './edge-faults.ts';
import { watchPace } from './slow-clients.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });

type BodyTerms = Pick<Settings, 'maxBodyBytes' | 'bodyTimeoutSeconds'>;

/**
 * One parser for every content type, since each surface reads bodies in its own way: `/imports/v1` gets the untouched stream,
 * `/rest/v1` and `/batch/v1` the bytes (PostgreSQL reads numbers that JavaScript would round), everything else parsed JSON.
 */
export function takeBodies(server: FastifyInstance, terms: BodyTerms): void {
  server.removeAllContentTypeParsers();
  server.addHook('onRequest', (request, _reply, done) => {
    // Without a body its type says nothing, and Fastify would refuse one that is none.
    if (request.method === 'DELETE' && !hasBody(request)) delete request.headers['content-type'];
    done();
  });
  server.addContentTypeParser('*', (request: FastifyRequest, payload: Readable, done: (error: Error | null, body?: unknown) => void) => {
    if (request.url.startsWith('/imports/')) {
      done(null, payload);
      return;
    }
    readBytes(request, payload, terms).then(
      (bytes) => (/^\/(?:rest|batch)\//.test(request.url) ? done(null, bytes) : isForm(request) ? done(null, parseForm(bytes)) : parseJson(bytes, request.url.startsWith('/auth/') ? done : storable(done))),
      (error: Error) => done(error),
    );
  });
}

function hasBody({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** OAuth sends forms; nothing else of ours takes one. */
function isForm(request: FastifyRequest): boolean {
  return /^\s*application\/x-www-form-urlencoded\s*(;|$)/i.test(request.headers['content-type'] ?? '') && request.url.startsWith('/auth/');
}

/** Fields that come twice are none: one reader would take the first and another the last. */
function parseForm(bytes: Buffer): Record<string, string> {
  const form = new URLSearchParams(bytes.toString('utf8'));
  return Object.fromEntries([...form].filter(([name]) => form.getAll(name).length === 1));
}

type Done = (error: Error | null, body?: unknown) => void;

/**
 * What PostgreSQL cannot keep as it is, is refused before a surface sees it: NUL not at all, and half of a surrogate pair only as
 * another letter. `/auth/v1` looks for it itself, in the words of its protocol.
 */
function storable(done: Done): Done {
  return (error, body) => {
    const place = error === null ? unstorablePlace(body, '') : null;
    done(place === null ? error : edgeFault('text_not_storable', { details: place === '' ? null : place }), body);
  };
}

function unstorablePlace(value: unknown, place: string, depth = 0): string | null {
  if (typeof value === 'string') return value.includes('\0') || !value.isWellFormed() ? place : null;
  // Deeper ones meet the limits of their surface.
  if (typeof value !== 'object' || value === null || depth > 100) return null;
  for (const [key, item] of Object.entries(value)) {
    const found = unstorablePlace(key, place === '' ? 'a key' : `a key of ${place}`) ?? unstorablePlace(item, place === '' ? key : `${place}.${key}`, depth + 1);
    if (found !== null) return found;
  }
  return null;
}

function parseJson(bytes: Buffer, done: (error: Error | null, body?: unknown) => void): void {
  if (bytes.length === 0) return done(null, undefined);
  try {
    // Bytes that are no UTF-8 would be read as other letters, and kept so.
    done(null, JSON.parse(utf8.decode(bytes)));
  } catch (error) {
    done(edgeFault('body_not_json', { details: error instanceof TypeError ? 'It is not valid UTF-8' : (error as Error).message, cause: error }));
  }
}

/**
 * Reads a body whole, unpacked, counted after unpacking: a small bomb is refused as early as a large body.
 * By events and not as an iterator, which destroys the connection with the stream and so leaves no way to answer.
 */
async function readBytes(request: FastifyRequest, payload: Readable, { maxBodyBytes, bodyTimeoutSeconds }: BodyTerms): Promise<Buffer> {
  const tooLarge = () => edgeFault('body_too_large', { details: `at most ${maxBodyBytes} bytes`, headers: { connection: 'close' } });
  if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) throw tooLarge();
  const stream = unpacked(payload, request.headers['content-encoding']);
  const { socket } = request.raw;
  const before = socket.bytesRead;
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let length = 0;
    const refuse = (error: Error): void => {
      endWatch();
      stream.removeAllListeners('data');
      payload.unpipe().pause();
      if (stream !== payload) stream.destroy();
      reject(error);
    };
    const endWatch = watchPace(() => socket.bytesRead - before, bodyTimeoutSeconds, () => refuse(edgeFault('body_too_slow', { details: `within ${bodyTimeoutSeconds} s`, headers: { connection: 'close' } })));
    stream.on('data', (piece: Buffer) => {
      length += piece.length;
      if (length > maxBodyBytes) refuse(tooLarge());
      else pieces.push(piece);
    });
    stream.once('end', () => {
      endWatch();
      resolve(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, length));
    });
    // A client that breaks off is an error of the stream too.
    stream.on('error', (error: NodeJS.ErrnoException) => refuse(error.code?.startsWith('Z_') ? edgeFault('body_not_decodable', { details: error.message, cause: error }) : error));
  });
}

function unpacked(payload: Readable, encoding: string | undefined): Readable {
  if (encoding === undefined || encoding === '' || encoding === 'identity') return payload;
  if (encoding !== 'gzip' && encoding !== 'deflate') throw edgeFault('body_encoding_unknown', { details: encoding });
  const unpack = encoding === 'gzip' ? createGunzip() : createInflate();
  payload.once('error', (error) => unpack.destroy(error));
  return payload.pipe(unpack);
}
