import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Outward } from '@mainstay/outward';
import { makeListener, netChannel, type Listener } from '@mainstay/persistence';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { NetPump } from './net-pump.ts';

let db: TestDatabase;
let receiver: Receiver;
let pumps: Running[] = [];
const warnings: string[] = [];

interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

interface Receiver {
  readonly url: string;
  readonly received: Received[];
  /** How the next requests are answered. */
  answer: RequestListener;
  close(): void;
}

async function startReceiver(): Promise<Receiver> {
  const fine: RequestListener = (_request, response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('{"ok":true}');
  const server: Server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece)).on('end', () => {
      made.received.push({ method: request.method!, url: request.url!, headers: request.headers, body: Buffer.concat(pieces).toString() });
      made.answer(request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  const made: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received: [],
    answer: fine,
    close: () => void server.close().closeAllConnections(),
  };
  return made;
}

interface Running {
  readonly pump: NetPump;
  readonly listener: Listener;
  stop(): Promise<void>;
}

function startPump(more: { allowedHosts?: string[]; mostAnswerBytes?: number } = {}): Running {
  const outward = new Outward({ reach: 'public', allowedHosts: more.allowedHosts ?? ['127.0.0.0/8'], allowedPorts: [80, 443] });
  const commands = db.as('mainstay_commands', 3);
  const database = db.as('mainstay_worker', 2);
  const log = { debug: () => {}, info: () => {}, warn: (fields: object, event: string) => void warnings.push(`${event} ${JSON.stringify(fields)}`), error: () => {} };
  const pump = new NetPump({ commands, database, outward, log, keepSeconds: 3600, mostAnswerBytes: more.mostAnswerBytes ?? 65_536 });
  const listener = makeListener(db.settings, 'mainstay_worker').on({ channel: netChannel, onNotify: () => pump.wake(), onListening: () => pump.wake() });
  void listener.start();
  pump.start();
  const running = {
    pump,
    listener,
    stop: async () => {
      pumps = pumps.filter((one) => one !== running);
      await Promise.all([pump.stop(), listener.close()]);
      await outward.close();
    },
  };
  pumps.push(running);
  return running;
}

async function stopAll(): Promise<void> {
  await Promise.all(pumps.map((pump) => pump.stop()));
}

const as = (role: string, text: string, values: readonly unknown[] = []) => db.admin.transaction({ role, settings: {} }, (tx) => tx.rows<any>(text, values));
const post = async (url: string, more = ''): Promise<string> => (await as('authenticated', `select net.http_post($1, '{"a": "ä"}'${more}) as id`, [url]))[0].id;

async function answerTo(id: string, withinMs = 8000): Promise<any> {
  const end = performance.now() + withinMs;
  while (performance.now() < end) {
    const [found] = await db.admin.rows('select * from net._http_response where id = $1', [id]);
    if (found !== undefined) return found;
    await pause(20);
  }
  throw new Error(`no answer to ${id} within ${withinMs} ms: ${warnings.join('; ')}`);
}

beforeAll(async () => {
  [db, receiver] = await Promise.all([makeTestDatabase(), startReceiver()]);
});
beforeEach(() => {
  receiver.received.length = 0;
  receiver.answer = (_request, response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('{"ok":true}');
});
afterAll(async () => {
  receiver.close();
  await db.close();
});

describe('a request of pg_net', () => {
  let running: Running;
  beforeAll(() => {
    running = startPump();
  });
  afterAll(() => running.stop());

  it('is sent after the commit, and its answer kept', async () => {
    const id = await post(`${receiver.url}/hook?x=1`, `, '{"p": "q"}', '{"X-Key": "k", "X-Number": 7}'`);
    await expect(answerTo(id)).resolves.toMatchObject({ id, status_code: 200, content_type: 'application/json', content: '{"ok":true}', timed_out: false, error_msg: null, headers: { 'content-type': 'application/json' } });
    expect(receiver.received).toEqual([{ method: 'POST', url: '/hook?x=1&p=q', body: '{"a": "ä"}', headers: expect.objectContaining({ 'x-key': 'k', 'x-number': '7', 'content-type': 'application/json', 'user-agent': expect.stringMatching(/^pg_net\//) }) }]);
    await expect(as('postgres', 'select (net._http_collect_response($1)).status', [id])).resolves.toEqual([{ status: 'SUCCESS' }]);
    await expect(db.admin.rows('select from net.http_request_queue')).resolves.toEqual([]);
  });

  it('that was rolled back is never sent, and one that is not yet committed not before', async () => {
    await expect(as('anon', `select net.http_get($1), 1 / 0`, [`${receiver.url}/rolled-back`])).rejects.toThrow();
    let wasSentBefore: number | undefined;
    const [{ id }] = await db.admin.transaction({ role: 'anon', settings: {} }, async (tx) => {
      const made = await tx.rows<any>('select net.http_get($1) as id', [`${receiver.url}/committed`]);
      await pause(200);
      wasSentBefore = receiver.received.length;
      return made;
    });
    await answerTo(id);
    expect(wasSentBefore).toBe(0);
    expect(receiver.received.map(({ url }) => url)).toEqual(['/committed']);
  });

  it('with a name and a password in its URL sends them as curl does', async () => {
    const id = await post(receiver.url.replace('http://', 'http://us%20er:word@'));
    await answerTo(id);
    expect(receiver.received[0]!.headers.authorization).toBe(`Basic ${Buffer.from('us er:word').toString('base64')}`);
  });

  it.each([
    ['a receiver that is not there', 'http://127.0.0.1:9/', { status_code: null, timed_out: false, error_msg: "Couldn't connect to server" }],
    ['a name that nobody knows', 'http://nobody.invalid/', { error_msg: "Couldn't resolve host name" }],
    ['no URL', 'nonsense', { error_msg: 'URL using bad/illegal format or missing URL' }],
    ['another scheme', 'ftp://example.com/', { error_msg: 'Unsupported protocol' }],
    ['an inner address', 'http://169.254.169.254/latest/meta-data/', { error_msg: expect.stringMatching(/^169\.254\.169\.254 is no public address \(link-local, .*\) and is not called\. .* set MAINSTAY_OUTWARD_ALLOW=169\.254\.169\.254:80$/) }],
  ])('to %s is answered with an error', async (_what, url, answer) => {
    await expect(answerTo(await post(url))).resolves.toMatchObject({ status_code: null, content: null, timed_out: false, ...answer });
  });

  it('that takes too long times out', async () => {
    receiver.answer = () => {};
    const [{ id }] = await as('postgres', 'select net.http_get($1, timeout_milliseconds := 100) as id', [receiver.url]);
    await expect(answerTo(id)).resolves.toMatchObject({ status_code: null, timed_out: true, error_msg: expect.stringMatching(/^Timeout of 100 ms reached\. Total time: \d+ ms$/) });
  });

  it.each([
    ['an error', 500, {}, 'no', { status_code: 500, content: 'no', error_msg: null }],
    ['a redirect, which is not followed', 302, { location: 'http://169.254.169.254/' }, '', { status_code: 302, error_msg: null, headers: { location: 'http://169.254.169.254/' } }],
    ['Latin-1', 200, { 'content-type': 'text/plain; charset=iso-8859-1' }, Buffer.from([0xe4]), { content: 'ä' }],
    ['a NUL and broken letters', 200, {}, Buffer.from([0x61, 0, 0x62, 0xff]), { content: 'ab\ufffd' }],
    ['more than is kept', 200, {}, 'x'.repeat(70_000), { status_code: 200, content: 'x'.repeat(65_536), error_msg: 'The answer is longer than 65536 bytes and was cut' }],
  ])('answered by %s', async (_what, status, headers, body, answer) => {
    receiver.answer = (_request, response) => void response.writeHead(status, headers as Record<string, string>).end(body);
    await expect(answerTo(await post(receiver.url))).resolves.toMatchObject(answer);
  });
});

describe('a request', () => {
  afterEach(stopAll);

  it('of a worker that died is sent by another', async () => {
    const id = await post(receiver.url);
    await db.admin.rows(`update net.http_request_queue set leased_until = now() - interval '1 second', lease_token = gen_random_uuid(), tries = 1 where id = $1`, [id]);
    startPump();
    await expect(answerTo(id)).resolves.toMatchObject({ status_code: 200 });
  });

  it('that five workers died with is given up', async () => {
    const id = await post(receiver.url);
    await db.admin.rows(`update net.http_request_queue set leased_until = now() - interval '1 second', lease_token = gen_random_uuid(), tries = 5 where id = $1`, [id]);
    startPump();
    await expect(answerTo(id)).resolves.toMatchObject({ error_msg: 'The worker that sent this request stopped, 5 times in a row' });
    expect(receiver.received).toEqual([]);
  });

  it('under way in a worker that stops goes back at once', async () => {
    receiver.answer = () => {};
    const first = startPump();
    const id = await post(receiver.url, `, timeout_milliseconds := 60000`);
    while (receiver.received.length === 0) await pause(10);
    await first.stop();
    await expect(db.admin.rows('select tries, leased_until from net.http_request_queue where id = $1', [id])).resolves.toEqual([{ tries: 0, leased_until: null }]);
    receiver.answer = (_request, response) => void response.end('late');
    startPump();
    await expect(answerTo(id)).resolves.toMatchObject({ content: 'late' });
  });

  it('whose answer a trigger of the project refuses is not sent again and again', async () => {
    await as('postgres', `create function public.refuse() returns trigger language plpgsql as $$ begin if new.content like '%refuse me%' then raise exception 'no'; end if; return new; end $$;
      create trigger refuse before insert on net._http_response for each row execute function public.refuse()`);
    receiver.answer = (request, response) => void response.end(request.url === '/refused' ? 'refuse me' : 'fine');
    startPump();
    const [refused, fine] = await Promise.all([post(`${receiver.url}/refused`), post(`${receiver.url}/fine`)]);
    await expect(answerTo(fine)).resolves.toMatchObject({ content: 'fine' });
    await pause(100);
    await expect(db.admin.rows('select from net.http_request_queue where id = $1', [refused])).resolves.toEqual([]);
    expect(receiver.received.filter(({ url }) => url === '/refused')).toHaveLength(1);
    await as('postgres', 'drop function public.refuse cascade');
  });

  it('has triggers on its answer run as postgres, which cannot get at the house', async () => {
    await as('postgres', `create table public.seen (who text, could text);
      create function public.look() returns trigger language plpgsql as $$ begin
        execute 'reset role';
        begin perform count(*) from mainstay_internal.jobs; insert into public.seen values (current_user, 'read the jobs');
        exception when insufficient_privilege then execute 'set role postgres'; insert into public.seen values (current_user, 'read nothing'); end;
        return new; end $$;
      create trigger look after insert on net._http_response for each row execute function public.look()`);
    startPump();
    await answerTo(await post(receiver.url));
    await expect(db.admin.rows('select * from public.seen')).resolves.toEqual([{ who: 'postgres', could: 'read nothing' }]);
    await as('postgres', 'drop function public.look cascade; drop table public.seen');
  });
});

describe('many requests', () => {
  afterEach(stopAll);

  it('are each sent once by two workers, and one silent host delays the others by nothing', async () => {
    receiver.answer = (request, response) => void (request.headers.host!.startsWith('127.0.0.2') ? null : response.end('ok'));
    const silent = receiver.url.replace('127.0.0.1', '127.0.0.2');
    await as('postgres', `select net.http_get($1 || '/' || n, timeout_milliseconds := 60000) from generate_series(1, 200) as n`, [silent]);
    await as('postgres', `select net.http_get($1 || '/' || n) from generate_series(1, 300) as n`, [receiver.url]);
    startPump();
    startPump();
    const end = performance.now() + 25_000;
    for (;;) {
      const [{ answers }] = await db.admin.rows<any>('select count(*)::int as answers from net._http_response where content = $1', ['ok']);
      if (answers >= 300) break;
      if (performance.now() > end) throw new Error(`${answers} answers`);
      await pause(50);
    }
    const sent = receiver.received.filter(({ headers }) => headers.host === receiver.url.slice(7)).map(({ url }) => url);
    expect([sent.length, new Set(sent).size]).toEqual([300, 300]);
    await db.admin.rows('truncate net.http_request_queue');
  });

  it('wake a worker that sleeps within a moment', async () => {
    startPump();
    await answerTo(await post(receiver.url));
    while ((await db.admin.rows<any>('select is_asleep from mainstay_internal.net_pump'))[0].is_asleep === false) await pause(50);
    const began = performance.now();
    await answerTo(await post(receiver.url));
    expect(performance.now() - began).toBeLessThan(700);
  });

  it('have their answers swept away when they were kept long enough', async () => {
    await db.admin.rows(`insert into net._http_response (id, created) values (-1, now() - interval '2 hours'), (-2, now())`);
    startPump();
    while ((await db.admin.rows('select from net._http_response where id = -1')).length > 0) await pause(20);
    await expect(db.admin.rows('select id from net._http_response where id < 0')).resolves.toEqual([{ id: '-2' }]);
  });
});
