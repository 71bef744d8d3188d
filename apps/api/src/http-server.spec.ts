import { gzipSync } from 'node:zlib';
import { readSettings } from '@mainstay/config';
import type { FastifyInstance } from 'fastify';
import { makeHttpServer } from './http-server.ts';

describe('the edge', () => {
  let server: FastifyInstance;

  beforeAll(async () => {
    server = makeHttpServer(readSettings({ MAINSTAY_MAX_BODY: '1MB' })).getInstance() as unknown as FastifyInstance;
    server.setErrorHandler((error: { code?: string; status?: number; headers?: Record<string, string> }, _request, reply) => {
      void reply.status(error.status ?? 500).headers(error.headers ?? {}).send({ code: error.code });
    });
    const echo = (request: { body: unknown }): unknown => ({ kind: Buffer.isBuffer(request.body) ? 'bytes' : typeof request.body, body: Buffer.isBuffer(request.body) ? request.body.toString() : request.body });
    server.post('/rest/v1/things', echo);
    server.post('/auth/v1/signup', echo);
    server.options('/rest/v1/things', (_request, reply) => reply.header('allow', 'OPTIONS,GET').send());
    server.get('/jobs/v1', () => []);
    await server.ready();
  });
  afterAll(() => server.close());

  const post = (url: string, payload: Buffer | string, headers: Record<string, string> = {}) => server.inject({ method: 'POST', url, payload, headers: { 'content-type': 'application/json', ...headers } });

  describe('bodies', () => {
    it('reach the data API as bytes, so that no number is rounded', async () => {
      expect((await post('/rest/v1/things', '{"id":9007199254740993}')).json()).toEqual({ kind: 'bytes', body: '{"id":9007199254740993}' });
    });

    it('reach the other surfaces as values', async () => {
      expect((await post('/auth/v1/signup', '{"email":"a@b.c"}')).json()).toEqual({ kind: 'object', body: { email: 'a@b.c' } });
    });

    it.each<[string, string | Buffer, Record<string, string>, number, string]>([
      ['no JSON', '{"email":', {}, 400, 'body_not_json'],
      ['too large', Buffer.alloc(2 * 1024 ** 2, 'x'), {}, 413, 'body_too_large'],
      ['a bomb', gzipSync(Buffer.alloc(200 * 1024 ** 2)), { 'content-encoding': 'gzip' }, 413, 'body_too_large'],
      ['not packed as it says', 'plain', { 'content-encoding': 'gzip' }, 400, 'body_not_decodable'],
      ['packed in an unknown way', 'plain', { 'content-encoding': 'zip' }, 415, 'body_encoding_unknown'],
    ])('%s is refused', async (_, payload, headers, status, code) => {
      const answer = await post('/auth/v1/signup', payload, headers);
      expect({ status: answer.statusCode, body: answer.json() as unknown }).toEqual({ status, body: { code } });
      if (status === 413) expect(answer.headers.connection).toBe('close');
    });

    it('are unpacked', async () => {
      expect((await post('/auth/v1/signup', gzipSync('{"a":1}'), { 'content-encoding': 'gzip' })).json()).toMatchObject({ body: { a: 1 } });
    });
  });

  it('a path and query of more than 16 KiB is refused, one below is not', async () => {
    expect((await server.inject(`/jobs/v1?x=${'y'.repeat(16 * 1024)}`)).statusCode).toBe(414);
    expect((await server.inject(`/jobs/v1?x=${'y'.repeat(15 * 1024)}`)).statusCode).toBe(200);
  });

  it('a path that cannot be decoded is refused', async () => {
    expect((await server.inject('/jobs/v1/%E0%A4%A')).statusCode).toBe(400);
  });

  describe('cross-origin', () => {
    it('a preflight is answered at once, with what it asked for', async () => {
      const answer = await server.inject({ method: 'OPTIONS', url: '/anything', headers: { origin: 'https://app.example', 'access-control-request-method': 'PATCH', 'access-control-request-headers': 'apikey, x-mine' } });
      expect(answer.statusCode).toBe(204);
      expect(answer.headers).toMatchObject({ 'access-control-allow-origin': '*', 'access-control-allow-headers': 'apikey, x-mine', 'access-control-max-age': '86400' });
      expect(answer.headers['access-control-allow-methods']).toContain('PATCH');
    });

    it('an OPTIONS that names no method is the surface’s own', async () => {
      const answer = await server.inject({ method: 'OPTIONS', url: '/rest/v1/things', headers: { origin: 'https://app.example' } });
      expect(answer.headers['allow']).toBe('OPTIONS,GET');
    });

    it('errors carry the headers too', async () => {
      const answer = await server.inject({ url: '/nowhere', headers: { origin: 'https://app.example' } });
      expect(answer.statusCode).toBe(404);
      expect(answer.headers['access-control-allow-origin']).toBe('*');
      expect(answer.headers['access-control-expose-headers']).toContain('Content-Range');
    });
  });
});
