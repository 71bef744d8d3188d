import { connect, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { readSettings } from '@mainstay/config';
import type { FastifyInstance } from 'fastify';
import { makeHttpServer } from './http-server.ts';

let server: FastifyInstance;
let port: number;
let bodies: unknown[];
/** The connections that the server holds, by the port of the other side. */
const connections = new Set<number>();
beforeAll(async () => {
  const settings = readSettings({ MAINSTAY_HEADERS_TIMEOUT: '1', MAINSTAY_BODY_TIMEOUT: '2', MAINSTAY_READER_TIMEOUT: '1', MAINSTAY_MAX_BODY: '100kB' });
  server = makeHttpServer(settings).getInstance() as unknown as FastifyInstance;
  server.setErrorHandler((error: { status?: number; headers?: Record<string, string>; code: string }, _request, reply) => void reply.status(error.status ?? 500).headers(error.headers ?? {}).send({ code: error.code }));
  server.server.on('connection', (socket: Socket) => {
    const { remotePort } = socket;
    connections.add(remotePort!);
    socket.once('close', () => connections.delete(remotePort!));
  });
  server.get('/big', () => 'x'.repeat(8 * 1024 ** 2));
  server.get('/small', () => 'ok');
  server.post('/rest/v1/things', ({ body }) => {
    bodies.push(body);
    return 'taken';
  });
  await server.listen({ port: 0, host: '127.0.0.1' });
  port = (server.server.address() as AddressInfo).port;
});
beforeEach(() => (bodies = []));
afterAll(() => server.close());

/** Opens a connection; gives it with what it was told before it was closed. */
function open(send: string, options: { isDeaf?: boolean } = {}): { socket: Socket; said: Promise<string> } {
  const socket = connect(port, '127.0.0.1', () => socket.write(send));
  let text = '';
  if (options.isDeaf) socket.pause();
  else socket.on('data', (data) => (text += data.toString('latin1')));
  return { socket, said: new Promise((resolve) => socket.on('error', () => {}).once('close', () => resolve(text))) };
}

const post = (headers: string, body = '') => `POST /rest/v1/things HTTP/1.1\r\nHost: a\r\n${headers}\r\n${body}`;

it('1,000 slow clients are cut, and a good one does not feel them', async () => {
  const askSmall = async (): Promise<number> => {
    const asked = performance.now();
    expect(await (await fetch(`http://127.0.0.1:${port}/small`)).text()).toBe('ok');
    return performance.now() - asked;
  };
  const slowest = (times: number[]): number => times.sort((a, b) => a - b)[Math.floor(times.length * 0.99)]!;
  const alone: number[] = [];
  for (let i = 0; i < 100; i += 1) alone.push(await askSmall());
  const slow = Array.from({ length: 250 }, () => [
    open(''),
    open('GET /small HTTP/1.1\r\nHost: a\r\nX-Slow: '),
    open(post('Content-Length: 100\r\n', 'abc')),
    open('GET /big HTTP/1.1\r\nHost: a\r\n\r\n', { isDeaf: true }),
  ]).flat();
  // Which of each four are sent more, never enough.
  const isDripping = (i: number): boolean => i % 4 === 1 || i % 4 === 2;
  const drip = setInterval(() => slow.forEach(({ socket }, i) => isDripping(i) && !socket.destroyed && socket.write('x')), 200);
  const cut = Promise.all(slow.map(({ socket, said }, i) => (i % 4 === 3 ? untilGone(socket) : said)));
  let isCut = false;
  void cut.then(() => (isCut = true));
  const times: number[] = [];
  while (!isCut) {
    times.push(await askSmall());
    await sleep(10);
  }
  clearInterval(drip);
  // A machine that is busy with other specs lets it wait without them, too.
  expect(slowest(times)).toBeLessThan(500 + 10 * slowest(alone));
  expect(bodies).toEqual([]);
}, 30_000);

/** A deaf client does not hear that it was cut, but the server knows. */
async function untilGone(socket: Socket): Promise<void> {
  while (connections.has(socket.localPort ?? 0)) await sleep(100);
  socket.destroy();
}

it('a reader that is slow but reads is given the whole answer', async () => {
  const socket = connect(port, '127.0.0.1', () => socket.write('GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'));
  let length = 0;
  for await (const chunk of socket) {
    length += (chunk as Buffer).length;
    await sleep(15);
  }
  expect(length).toBeGreaterThan(8 * 1024 ** 2);
}, 30_000);

it.each<[string, string, string, string]>([
  ['a body that does not come', post('Content-Length: 10\r\n', 'abc'), '408', 'body_too_slow'],
  ['a body without an end', post('Transfer-Encoding: chunked\r\n', `30D41\r\n${'x'.repeat(200_001)}\r\n`), '413', 'body_too_large'],
  ['a body that says that it is too large', post('Content-Length: 1000000\r\n', 'x'), '413', 'body_too_large'],
])('%s is told so, and the connection is closed', async (_, request, status, code) => {
  const answer = await open(request).said;
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} [^]*connection: close[^]*"${code}"`, 'i'));
});

describe('one request cannot be smuggled in another', () => {
  const inner = 'POST /rest/v1/things HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nsmuggled';
  it.each([
    ['two ways to tell the length', post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${inner}`)],
    ['two lengths', post(`Content-Length: 0\r\nContent-Length: ${inner.length}\r\n`, inner)],
    ['a list of lengths', post(`Content-Length: 0, ${inner.length}\r\n`, inner)],
    ['a negative length', post('Content-Length: -1\r\n', inner)],
    ['a length with a sign', post('Content-Length: +0\r\n', inner)],
    ['a folded header', post('X-A: b\r\n Content-Length: 5\r\nContent-Length: 0\r\n', inner)],
    ['a blank before the colon', post('Content-Length : 0\r\n', inner)],
    ['lines without CR', `POST /rest/v1/things HTTP/1.1\nHost: a\nContent-Length: 0\n\n${inner}`],
    ['chunked that is not last', post('Transfer-Encoding: chunked, identity\r\n', `0\r\n\r\n${inner}`)],
    ['an unknown coding', post('Transfer-Encoding: xchunked\r\n', inner)],
    ['a chunk of no number', post('Transfer-Encoding: chunked\r\n', `zz\r\n\r\n${inner}`)],
    ['a chunk longer than it says', post('Transfer-Encoding: chunked\r\n', `1\r\nabc\r\n0\r\n\r\n${inner}`)],
  ])('by %s', async (_, request) => {
    const answer = await open(request).said;
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(answer.match(/HTTP\/1.1/g)).toHaveLength(1);
    expect(bodies.map(String)).not.toContain('smuggled');
  });
});
