import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createPlainServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import type { OutwardCall } from './outward-call.ts';
import { Outward, type OutwardTerms } from './outward.ts';

const closing: (() => Promise<unknown>)[] = [];

/** A server on all local addresses, so that 127.0.0.2 is a machine of its own to a guard. */
async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => void sockets.add(socket.on('error', () => {})));
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

const serve = (answer: RequestListener): Promise<number> => listen(createServer(answer));
/** A server that says what HTTP does not allow. */
const say = (onSocket: (socket: Socket) => void): Promise<number> => listen(createPlainServer((socket) => void socket.once('data', () => onSocket(socket))));

function outwardTo(...allowedHosts: string[]): Outward {
  return outwardWith({ allowedHosts });
}

function outwardWith(terms: Partial<OutwardTerms>): Outward {
  const outward = new Outward({ reach: 'public', allowedHosts: [], allowedPorts: [80, 443], ...terms });
  closing.push(() => outward.close());
  return outward;
}

const call = (url: string, more: Partial<OutwardCall> = {}): OutwardCall => ({ method: 'POST', url, headers: {}, body: '{}', timeoutMs: 3000, maxAnswerBytes: 65_536, ...more });

afterAll(() => Promise.all(closing.map((close) => close())));

describe('a call', () => {
  it('sends what it was given, and brings the answer', async () => {
    const port = await serve((request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece)).on('end', () => {
        response.writeHead(201, { 'x-one': '1', 'set-cookie': ['a=1', 'b=2'] }).end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body: Buffer.concat(pieces).toString() }));
      });
    });
    const answer = await outwardTo('127.0.0.1').call(call(`http://127.0.0.1:${port}/a%20b?c=d#e`, { method: 'put', headers: { 'X-Mine': 'ä', 'Content-Type': 'text/plain' }, body: 'grüß' }));
    expect(answer).toMatchObject({ status: 201, isCut: false, headers: { 'x-one': '1', 'set-cookie': 'a=1, b=2' }, ms: expect.any(Number) });
    expect(JSON.parse(answer.body.toString())).toMatchObject({ method: 'PUT', url: '/a%20b?c=d', body: 'grüß', headers: { host: `127.0.0.1:${port}`, 'x-mine': 'ä', 'content-type': 'text/plain', 'content-length': '6', 'user-agent': 'Mainstay' } });
  });

  it('follows no redirect', async () => {
    let calls = 0;
    const port = await serve((_request, response) => {
      calls += 1;
      response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data/' }).end();
    });
    await expect(outwardTo('127.0.0.1').call(call(`http://127.0.0.1:${port}/`))).resolves.toMatchObject({ status: 302, headers: { location: 'http://169.254.169.254/latest/meta-data/' } });
    expect(calls).toBe(1);
  });

  it('goes to the address that was checked, with the name as host, and is checked anew each time', async () => {
    const seen: string[] = [];
    const port = await serve((request, response) => {
      seen.push(`${request.headers.host} at ${request.socket.localAddress}`);
      response.end('ok');
    });
    const answers = [['127.0.0.2'], ['127.0.0.2'], ['127.0.0.3']];
    const outward = outwardWith({ allowedHosts: ['127.0.0.2'], lookUp: () => Promise.resolve(answers.shift()!) });
    const url = `http://rebinding.example:${port}/`;
    await outward.call(call(url));
    await outward.call(call(url));
    // The name leads elsewhere by now, and the kept connection helps nobody.
    await expect(outward.call(call(url))).rejects.toMatchObject({ code: 'address_refused', message: expect.stringContaining('rebinding.example (127.0.0.3)') });
    expect(seen).toEqual(Array.from({ length: 2 }, () => `rebinding.example:${port} at 127.0.0.2`));
  });

  it('looks a name up once for each call', async () => {
    let lookUps = 0;
    const port = await serve((_request, response) => void response.end('ok'));
    const outward = outwardWith({
      allowedHosts: ['127.0.0.2'],
      lookUp: () => {
        lookUps += 1;
        return Promise.resolve([lookUps === 1 ? '127.0.0.2' : '127.0.0.1']);
      },
    });
    await expect(outward.call(call(`http://rebinding.example:${port}/`))).resolves.toMatchObject({ status: 200 });
    expect(lookUps).toBe(1);
  });

  it('tries the next address of a name where one cannot be reached', async () => {
    const port = await serve((_request, response) => void response.end('ok'));
    const outward = outwardWith({ allowedHosts: ['::1', '127.0.0.1'], lookUp: () => Promise.resolve(['::1', '127.0.0.1']) });
    await expect(outward.call(call(`http://two.example:${port}/`))).resolves.toMatchObject({ status: 200 });
  });

  it('finds localhost on whichever of its addresses is allowed', async () => {
    const port = await serve((request, response) => void response.end(request.headers.host));
    const answer = await outwardTo(`127.0.0.1:${port}`).call(call(`http://localhost:${port}/`));
    expect(answer.body.toString()).toBe(`localhost:${port}`);
  });

  it('keeps its connection', async () => {
    const ports = new Set<number | undefined>();
    const port = await serve((request, response) => {
      ports.add(request.socket.remotePort);
      response.end('ok');
    });
    const outward = outwardTo('127.0.0.1');
    for (let i = 0; i < 5; i += 1) await outward.call(call(`http://127.0.0.1:${port}/`));
    // The second may begin before the first one's connection is free again.
    expect(ports.size).toBeLessThanOrEqual(2);
  });

  it('whose kept connection was just closed is sent on a new one', async () => {
    const server = createServer((_request, response) => void response.end('ok'));
    server.keepAliveTimeout = 60_000;
    const sockets: Socket[] = [];
    server.on('connection', (socket: Socket) => void sockets.push(socket));
    const port = await listen(server);
    const outward = outwardTo('127.0.0.1');
    await outward.call(call(`http://127.0.0.1:${port}/`));
    await pause(50);
    // Closed as soon as the next request arrives, unanswered.
    sockets[0]!.prependOnceListener('data', () => sockets[0]!.destroy());
    await expect(outward.call(call(`http://127.0.0.1:${port}/`))).resolves.toMatchObject({ status: 200 });
    expect(sockets).toHaveLength(2);
  });

  it('stops when its caller stops', async () => {
    const port = await serve(() => {});
    const aborter = new AbortController();
    setTimeout(() => aborter.abort(), 50);
    await expect(outwardTo('127.0.0.1').call(call(`http://127.0.0.1:${port}/`, { signal: aborter.signal }))).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('what is sent', () => {
  it.each([
    ['a line break in a value', { 'x-a': 'b\r\nx-c: d' }], ['a lone line feed', { 'x-a': 'b\nc' }], ['a NUL', { 'x-a': 'b\0' }], ['a line break in a name', { 'x-a\r\nx-b': 'c' }], ['a colon in a name', { 'x-a:b': 'c' }], ['a space in a name', { 'x a': 'c' }], ['an empty name', { '': 'c' }], ['a letter beyond Latin-1', { 'x-a': 'ł' }],
    ['host', { Host: 'inner.example' }], ['connection', { connection: 'upgrade' }], ['transfer-encoding', { 'Transfer-Encoding': 'chunked' }], ['content-length', { 'content-length': '3' }], ['upgrade', { upgrade: 'websocket' }], ['expect', { expect: '100-continue' }], ['te', { te: 'trailers' }], ['trailer', { trailer: 'x' }], ['keep-alive', { 'keep-alive': '1' }], ['proxy-authorization', { 'proxy-authorization': 'x' }],
    ['more than 100', Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`x-${i}`, 'a']))], ['more than 16 KiB', { 'x-a': 'b'.repeat(17_000) }],
  ])('a header with %s is refused', async (_what, headers) => {
    await expect(outwardTo('127.0.0.1').call(call('http://127.0.0.1:1/', { headers: headers as Record<string, string> }))).rejects.toMatchObject({ name: 'OutwardRefusal', code: 'header_refused' });
  });

  it.each(['CONNECT', 'TRACE', 'GET / HTTP/1.1\r\nx: y', '', 'PROPFIND'])('the method %j is refused', async (method) => {
    await expect(outwardTo('127.0.0.1').call(call('http://127.0.0.1:1/', { method }))).rejects.toMatchObject({ code: 'method_refused' });
  });

  it('a body of more than 10 MiB is refused', async () => {
    await expect(outwardTo('127.0.0.1').call(call('http://127.0.0.1:1/', { body: Buffer.alloc(10 * 1024 * 1024 + 1) }))).rejects.toMatchObject({ code: 'body_too_large' });
  });
});

describe('a bad receiver', () => {
  it('that never answers is left at the deadline', async () => {
    const port = await serve(() => {});
    const began = performance.now();
    await expect(outwardTo('127.0.0.1').call(call(`http://127.0.0.1:${port}/`, { timeoutMs: 200 }))).rejects.toMatchObject({ code: 'timed_out', message: '127.0.0.1 gave no whole answer within 200 ms' });
    expect(performance.now() - began).toBeLessThan(1500);
  });

  it('that answers byte by byte is left at the deadline', async () => {
    const port = await serve((_request, response) => {
      response.writeHead(200);
      const dripping = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(dripping));
    });
    await expect(outwardTo('127.0.0.1').call(call(`http://127.0.0.1:${port}/`, { timeoutMs: 300 }))).rejects.toMatchObject({ code: 'timed_out' });
  });

  it('that says its headers byte by byte is left at the deadline', async () => {
    const port = await say((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      const dripping = setInterval(() => socket.write('x'), 20);
      socket.on('close', () => clearInterval(dripping));
    });
    await expect(outwardTo('127.0.0.1').call(call(`http://127.0.0.1:${port}/`, { timeoutMs: 300 }))).rejects.toMatchObject({ code: 'timed_out' });
  });

  it('whose name server never answers is left at the deadline', async () => {
    const outward = outwardWith({ lookUp: () => new Promise(() => {}) });
    await expect(outward.call(call('http://slow.example/', { timeoutMs: 100 }))).rejects.toMatchObject({ code: 'timed_out' });
  });

  it('that floods is read to the limit, and its connection closed', async () => {
    const closed = Promise.withResolvers<void>();
    let written = 0;
    const port = await serve((_request, response) => {
      response.on('close', closed.resolve);
      const flood = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, 'x'))) written += 65_536;
        response.once('drain', flood);
      };
      flood();
    });
    const answer = await outwardTo('127.0.0.1').call(call(`http://127.0.0.1:${port}/`, { maxAnswerBytes: 100_000 }));
    expect(answer).toMatchObject({ status: 200, isCut: true });
    expect(answer.body).toHaveLength(100_000);
    await closed.promise;
    expect(written).toBeLessThan(20_000_000);
  });

  it('that sends a bomb has no more of it unpacked than the limit', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    const port = await serve((_request, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb));
    const before = process.memoryUsage().rss;
    const answer = await outwardTo('127.0.0.1').call(call(`http://127.0.0.1:${port}/`, { maxAnswerBytes: 65_536 }));
    expect(answer).toMatchObject({ isCut: true });
    expect(answer.body).toHaveLength(65_536);
    expect(process.memoryUsage().rss - before).toBeLessThan(40_000_000);
  });

  it.each([
    ['gzip', gzipSync], ['deflate', deflateSync], ['br', brotliCompressSync],
  ] as const)('that packs by %s without being asked is understood', async (encoding, pack) => {
    const port = await serve((_request, response) => void response.writeHead(200, { 'content-encoding': encoding }).end(pack(Buffer.from('hello'))));
    const { body, headers, isCut } = await outwardTo('127.0.0.1').call(call(`http://127.0.0.1:${port}/`));
    expect([body.toString(), headers['content-encoding'], isCut]).toEqual(['hello', undefined, false]);
  });

  it.each([
    ['endless headers', (socket: Socket) => void socket.write(`HTTP/1.1 200 OK\r\n${'x-a: b\r\n'.repeat(20_000)}`), 'answer_not_valid'],
    ['one endless header', (socket: Socket) => void socket.write(`HTTP/1.1 200 OK\r\nx-a: ${'b'.repeat(200_000)}`), 'answer_not_valid'],
    ['announcements without end', (socket: Socket) => void socket.write('HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n'.repeat(1000)), 'answer_not_valid'],
    ['something that is not HTTP', (socket: Socket) => void socket.end('+OK redis\r\n'), 'answer_not_valid'],
    ['two lengths', (socket: Socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 5\r\n\r\nhello'), 'answer_not_valid'],
    ['length and chunks', (socket: Socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'), 'answer_not_valid'],
    ['a cut body', (socket: Socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello'), 'connection_failed'],
    ['nothing but the end', (socket: Socket) => void socket.end(), 'connection_failed'],
    ['a reset', (socket: Socket) => void socket.resetAndDestroy(), 'connection_failed'],
    ['a switch of protocols', (socket: Socket) => void socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'), 'connection_failed'],
    ['a broken packing', (socket: Socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nhello'), 'answer_not_valid'],
  ])('that answers %s fails its call', async (_what, onSocket, code) => {
    const port = await say(onSocket);
    await expect(outwardTo('127.0.0.1').call(call(`http://127.0.0.1:${port}/`))).rejects.toMatchObject({ name: 'OutwardFailure', code });
  });

  it('that smuggles a second answer behind its first does not reach the next call', async () => {
    const port = await say((socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil'));
    const outward = outwardTo('127.0.0.1');
    const first = await outward.call(call(`http://127.0.0.1:${port}/`));
    const second = await outward.call(call(`http://127.0.0.1:${port}/`));
    expect([first.body.toString(), second.body.toString()]).toEqual(['ok', 'ok']);
  });

  it('that is not there is unreachable', async () => {
    const port = await serve(() => {});
    await closing.pop()!();
    await expect(outwardTo('127.0.0.1').call(call(`http://127.0.0.1:${port}/`))).rejects.toMatchObject({ code: 'connection_failed', message: 'The connection to 127.0.0.1 failed: ECONNREFUSED' });
  });

  it('whose certificate nobody vouches for is not believed', async () => {
    const names: unknown[] = [];
    const server = createTlsServer({ key, cert, SNICallback: (name, done) => (names.push(name), done(null)) }, (_request, response) => void response.end('ok'));
    const port = await listen(server);
    const outward = outwardWith({ allowedHosts: ['127.0.0.1'], lookUp: () => Promise.resolve(['127.0.0.1']) });
    await expect(outward.call(call(`https://secure.example:${port}/`))).rejects.toMatchObject({ code: 'certificate_refused' });
    // The name went along, although the connection goes by the address.
    expect(names).toEqual(['secure.example']);
  });
});

/** Of `secure.example`, by nobody but itself. */
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgHzyWTiUUXBbZKOM5
IZsjLEuKGbZTJ1qrKoS+Tivf3nKhRANCAAR9zsEG1xc8XGXCIhts4fzs7qOb7GZs
Y652eWM5PoOt93/Sh5J/3pjtHZZbNktHXhOeFrAptiPO4kUHz13lgHvb
-----END PRIVATE KEY-----`;
const cert = `-----BEGIN CERTIFICATE-----
MIIBiDCCAS+gAwIBAgIUKXB12lTcV+za9VDeUH6+xG6QVgUwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOc2VjdXJlLmV4YW1wbGUwIBcNMjYxMTI0MTQzNDA0WhgPMjEy
NjEwMzExNDM0MDRaMBkxFzAVBgNVBAMMDnNlY3VyZS5leGFtcGxlMFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEfc7BBtcXPFxlwiIbbOH87O6jm+xmbGOudnljOT6D
rfd/0oeSf96Y7R2WWzZLR14TnhawKbYjzuJFB89d5YB726NTMFEwHQYDVR0OBBYE
FKC67tLEwevkVQuAHbf59YJMpMKIMB8GA1UdIwQYMBaAFKC67tLEwevkVQuAHbf5
9YJMpMKIMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgT7X1Ewas
Xe+6V+7jw/EoAwtc3orL7yQHik1UP7wCsKgCIBkw3Y+jtdt+0ixLVlaAQsLxqH/Q
XiB6e4SC7i3PuBXq
-----END CERTIFICATE-----`;
