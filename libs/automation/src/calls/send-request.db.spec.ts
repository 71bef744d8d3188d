import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Fault } from '@mainstay/domain';
import { isSignedWebhook, Outward } from '@mainstay/outward';
import { asHouse, asWorker, enqueueRequest, keepRequestAnswer, type AskedRequest } from '@mainstay/persistence';
import { TryAgain, type JobRun } from '@mainstay/queue';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { Webhook } from 'standardwebhooks';
import { askForRequestBy, parseRequest } from './ask-request.ts';
import { RequestSender } from './send-request.ts';
import { SigningSecrets } from './signing-secrets.ts';

let db: TestDatabase;
let url: string;
let answer: RequestListener = (_request, response) => void response.end();
let sender: RequestSender;
let secrets: SigningSecrets;
const received: { method: string; url: string; headers: Record<string, string | undefined>; body: string }[] = [];
const server = createServer((request, response) => {
  const pieces: Buffer[] = [];
  request.on('data', (piece: Buffer) => pieces.push(piece)).on('end', () => {
    received.push({ method: request.method!, url: request.url!, headers: request.headers as Record<string, string>, body: Buffer.concat(pieces).toString() });
    answer(request, response);
  });
});

beforeAll(async () => {
  [db] = await Promise.all([makeTestDatabase(), new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))]);
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  const outward = new Outward({ reach: 'public', allowedHosts: ['127.0.0.1'], allowedPorts: [80, 443] });
  secrets = new SigningSecrets(db.as('mainstay_worker', 2), db.settings.secret!);
  sender = new RequestSender(db.as('mainstay_worker', 2), outward, secrets);
});
beforeEach(() => {
  received.length = 0;
});
afterAll(async () => {
  server.close().closeAllConnections();
  await db.close();
});

const as = (role: string, text: string, values: readonly unknown[] = []) => db.admin.transaction({ role, settings: {} }, (tx) => tx.rows<any>(text, values));
const jobOf = async (id: string) => (await db.admin.rows<any>('select * from mainstay_internal.jobs where id = $1', [id]))[0];

/** Asks for a request in SQL; gives the job. */
async function enqueue(args: string, values: readonly unknown[] = [url]): Promise<any> {
  const [{ id }] = await as('postgres', `select mainstay.enqueue_http(${args}) as id`, values);
  return jobOf(id);
}

async function send(job: any): Promise<unknown> {
  return sender.send(job.payload.requestId, { signal: new AbortController().signal } as JobRun);
}

describe('mainstay.enqueue_http', () => {
  it('writes a job of its own kind, in the transaction of the caller', async () => {
    const job = await enqueue(`$1, '{"a": 1}', '{"x-key": "k"}', run_at => now() + interval '1 hour', key => 'once', max_attempts => 3, priority => 5`);
    expect(job).toMatchObject({ kind: 'send-request', queue: 'calls', carrier: 'calls', state: 'queued', owner: 'service_role', role: 'service_role', max_attempts: 3, priority: 5, turn: `service_role ${new URL(url).host}` });
    await expect(enqueue(`$1, key => 'once'`)).resolves.toMatchObject({ id: job.id });
    await expect(db.admin.rows('select method, headers, body, is_signed from mainstay_internal.requests where job_id = $1', [job.id])).resolves.toEqual([
      { method: 'POST', headers: { 'x-key': 'k', 'content-type': 'application/json' }, body: '{"a": 1}', is_signed: true },
    ]);
    await expect(as('service_role', 'select url, state, signed from mainstay.requests where id = $1', [job.id])).resolves.toEqual([{ url, state: 'queued', signed: true }]);
    await expect(db.admin.transaction({ role: 'postgres', settings: {} }, async (tx) => {
      await tx.rows(`select mainstay.enqueue_http($1, key => 'taken back')`, [url]);
      throw new Error('taken back');
    })).rejects.toThrow('taken back');
    await expect(db.admin.rows(`select from mainstay_internal.jobs where unique_key like '%taken back%'`)).resolves.toEqual([]);
  });

  it('makes what can be cancelled and sent again in SQL', async () => {
    const { id } = await enqueue('$1');
    await as('service_role', `update mainstay.requests set state = 'cancelled' where id = $1`, [id]);
    await expect(jobOf(id)).resolves.toMatchObject({ state: 'cancelled' });
    await as('postgres', `update mainstay.requests set state = 'queued' where id = $1`, [id]);
    await expect(jobOf(id)).resolves.toMatchObject({ state: 'queued' });
  });

  it('makes what shows its last answer: of the try that failed, then of the one with which it was done', async () => {
    const job = await enqueue('$1');
    await keepRequestAnswer(db.as('mainstay_worker', 1), job.payload.requestId, { status: 503, headers: {}, body: '', is_cut: false, ms: 1 });
    const shown = () => as('service_role', `select answer ->> 'status' as status from mainstay.requests where id = $1`, [job.id]);
    await expect(shown()).resolves.toEqual([{ status: '503' }]);
    await db.admin.rows(`update mainstay_internal.jobs set state = 'done', finished_at = now(), result = '{"status": 200}' where id = $1`, [job.id]);
    await expect(shown()).resolves.toEqual([{ status: '200' }]);
  });

  it('is called by a user through a function of the project’s, as the project', async () => {
    await as('postgres', `create function public.tell(url text) returns uuid language sql security definer set search_path = '' as $$ select mainstay.enqueue_http(url, '{}') $$`);
    const [{ id }] = await db.admin.transaction({ role: 'authenticated', settings: { 'request.jwt.claims': '{"role":"authenticated","sub":"11111111-1111-4111-8111-111111111111"}' } }, (tx) => tx.rows<any>('select public.tell($1) as id', [url]));
    await expect(jobOf(id)).resolves.toMatchObject({ owner: 'service_role', role: 'service_role' });
  });

  it.each(['anon', 'authenticated'])('is not for %s', async (role) => {
    await expect(as(role, 'select mainstay.enqueue_http($1)', [url])).rejects.toThrow('permission denied for function enqueue_http');
    await expect(as(role, 'select * from mainstay.requests')).rejects.toThrow('permission denied');
  });

  it.each([
    [`'ftp://example.com'`, `'ftp://example.com' is no URL that can be called`], [`null`, 'null is no URL that can be called'], [`'https://exa mple.com'`, 'is no URL'], [`'https://example.com', method => 'TRACE'`, `method must be GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS, not 'TRACE'`],
    [`'https://example.com', headers => '{"a": 1}'`, 'headers must be a JSON object of texts'], [`'https://example.com', headers => '[]'`, 'headers must be a JSON object of texts'], [`'https://example.com', timeout_ms => 1`, 'timeout_ms must be from 100 to 300000, not 1'],
    [`'https://example.com', to_jsonb(repeat('x', 1100000))`, 'the body of a request may have 1 MiB at most'], [`'https://example.com', queue => 'nowhere'`, 'there is no queue'], [`'https://example.com', max_attempts => 0`, 'max_attempts must be from 1 to 100'],
  ])('refuses %s', async (args, message) => {
    await expect(enqueue(args, [])).rejects.toThrow(message);
  });
});

describe('a request of a job', () => {
  it('is sent, signed by the project’s secret, with the same id on every try', async () => {
    answer = (_request, response) => void response.writeHead(201, { 'x-a': 'b' }).end('{"ok":true}');
    const job = await enqueue(`$1, '{"a": "ä"}', '{"authorization": "Bearer x"}'`);
    await expect(send(job)).resolves.toMatchObject({ status: 201, headers: { 'x-a': 'b' }, body: '{"ok":true}', is_cut: false });
    await send(job);
    expect(received[0]).toMatchObject({ method: 'POST', url: '/hook', body: '{"a": "ä"}', headers: { authorization: 'Bearer x', 'content-type': 'application/json', 'webhook-id': `msg_${job.payload.requestId}` } });
    expect(received[1]!.headers['webhook-id']).toBe(received[0]!.headers['webhook-id']);
    const [current] = await secrets.list(asWorker);
    expect(new Webhook(current!.secret!).verify(received[0]!.body, received[0]!.headers as Record<string, string>)).toEqual({ a: 'ä' });
  });

  it('goes unsigned where that was asked, as text where its type says so, and without a body', async () => {
    answer = (_request, response) => void response.end();
    await send(await enqueue(`$1, '"plain"', '{"content-type": "text/plain"}', signed => false`));
    await send(await enqueue(`$1, method => 'get'`));
    expect(received[0]).toMatchObject({ body: 'plain', headers: { 'content-type': 'text/plain' } });
    expect(received[0]!.headers['webhook-id']).toBeUndefined();
    expect(received[1]).toMatchObject({ method: 'GET', body: '' });
    expect(received[1]!.headers['content-type']).toBeUndefined();
  });

  it.each([
    [400, 'request_refused', 422], [401, 'request_refused', 422], [404, 'request_refused', 422], [410, 'request_refused', 422], [302, 'request_refused', 422], [304, 'request_refused', 422],
    [408, 'request_failed', 503], [425, 'request_failed', 503], [429, 'request_failed', 503], [500, 'request_failed', 503], [503, 'request_failed', 503],
  ])('that is answered %d: %s', async (status, code, as) => {
    answer = (_request, response) => void response.writeHead(status, { location: 'http://169.254.169.254/' }).end(status === 304 ? '' : 'why');
    const job = await enqueue('$1');
    await expect(send(job)).rejects.toMatchObject({ name: 'Fault', code, status: as, message: `The receiver answered ${status}`, details: expect.objectContaining({ status }) });
    await expect(db.admin.rows('select answer ->> $2 as status from mainstay_internal.requests where job_id = $1', [job.id, 'status'])).resolves.toEqual([{ status: String(status) }]);
    expect(received).toHaveLength(1);
  });

  it.each([[429, '7', 7], [503, '120', 120], [500, '999999999', 21_600], [503, new Date(Date.now() + 3_600_000).toUTCString(), 3600]])('that is answered %d with Retry-After: %s comes again then', async (status, header, seconds) => {
    answer = (_request, response) => void response.writeHead(status, { 'retry-after': header }).end();
    const error = await send(await enqueue('$1')).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TryAgain);
    expect(Math.abs((error as TryAgain).afterSeconds - seconds)).toBeLessThanOrEqual(header.includes('GMT') ? 60 : 0);
  });

  it.each([
    ['an inner address', 'http://10.0.0.1/', 'request_not_sent', 422, { reason: 'address_refused' }], ['a port that is not called', 'http://8.8.8.8:25/', 'request_not_sent', 422, { reason: 'port_refused' }],
    ['a name that nobody knows', 'http://nobody.invalid/', 'request_without_answer', 503, { reason: 'name_not_resolved' }], ['nobody', 'http://127.0.0.1:9/', 'request_without_answer', 503, { reason: 'connection_failed' }],
  ])('to %s', async (_what, target, code, status, details) => {
    const error = (await send(await enqueue('$1', [target])).catch((thrown: unknown) => thrown)) as Fault;
    expect(error).toBeInstanceOf(Fault);
    expect(error).toMatchObject({ code, status, details: expect.objectContaining(details) });
  });

  it('that takes longer than it may is tried again', async () => {
    answer = () => {};
    await expect(send(await enqueue('$1, timeout_ms => 100'))).rejects.toMatchObject({ code: 'request_without_answer', status: 503, details: expect.objectContaining({ reason: 'timed_out' }) });
  });

  it('has at most 64 KiB of its answer kept', async () => {
    answer = (_request, response) => void response.end('x'.repeat(70_000));
    await expect(send(await enqueue('$1'))).resolves.toMatchObject({ is_cut: true, body: 'x'.repeat(65_536) });
  });

  it('that was swept away is done', async () => {
    await expect(sender.send('11111111-1111-4111-8111-111111111111', {} as JobRun)).resolves.toBeNull();
  });
});

describe('signing secrets', () => {
  it('are rotated with an overlap in which both sign', async () => {
    const [older] = await secrets.list(asWorker);
    const rotated = await secrets.rotate(asWorker, 3600);
    expect(rotated).toHaveLength(2);
    expect(rotated[1]).toMatchObject({ id: older!.id, secret: older!.secret, expires_at: expect.any(String) });
    expect(rotated[0]).toMatchObject({ secret: expect.stringMatching(/^whsec_/), expires_at: null });
    const fresh = new RequestSender(db.as('mainstay_worker', 1), new Outward({ reach: 'public', allowedHosts: ['127.0.0.1'], allowedPorts: [] }), new SigningSecrets(db.as('mainstay_worker', 1), db.settings.secret!));
    answer = (_request, response) => void response.end();
    await fresh.send((await enqueue('$1')).payload.requestId, {} as JobRun);
    for (const { secret } of rotated) expect(isSignedWebhook(received[0]!.body, received[0]!.headers, [secret!], Date.now() / 1000)).toBe(true);
    expect(received[0]!.headers['webhook-signature']!.split(' ')).toHaveLength(2);
    await expect(secrets.rotate(asWorker, 0)).resolves.toHaveLength(1);
  });

  it('are sealed in the table, and replaced where they cannot be opened any more', async () => {
    const [row] = await db.admin.rows<any>('select sealed from mainstay_internal.signing_secrets limit 1');
    expect(row.sealed).not.toContain('whsec');
    await expect(new SigningSecrets(db.admin, 'another secret of thirty-two letters').current()).resolves.toEqual([expect.stringMatching(/^whsec_/)]);
  });
});

describe('what POST /jobs/v1 is asked with a url', () => {
  it('is read', () => {
    expect(parseRequest({ url: 'https://example.com', body: [1], headers: { a: 'b' }, method: 'PUT', timeout_ms: 5, signed: false, run_at: '2026-03-01T09:00:00Z', key: 'k', max_attempts: 2, priority: 3 })).toMatchObject({
      url: 'https://example.com', body: [1], headers: { a: 'b' }, method: 'PUT', timeoutMs: 5, isSigned: false, key: 'k', maxAttempts: 2, priority: 3, queue: null, after: null, runAt: new Date('2026-03-01T09:00:00Z'),
    });
  });

  it.each([
    [{ url: 1 }, '"url" must be a text'], [{ url: 'x', function: 'y' }, 'There is no field "function" beside "url"'], [{ url: 'x', headers: [] }, '"headers" must be an object of texts'], [{ url: 'x', method: 1 }, '"method" must be a text'],
    [{ url: 'x', timeout_ms: 1.5 }, '"timeout_ms" must be a whole number'], [{ url: 'x', signed: 'yes' }, '"signed" must be true or false'], [{ url: 'x', run_at: 'soon' }, '"run_at" must be a time'],
  ])('%j is refused', (body, message) => {
    expect(() => parseRequest(body)).toThrow(message);
  });

  it('is for the service key, and refused at once where it would never be sent', async () => {
    const ask = askForRequestBy(new Outward({ reach: 'public', allowedHosts: [], allowedPorts: [80, 443] }));
    const service = { kind: 'key', role: 'service_role', subject: null, sessionId: null, claims: { role: 'service_role' }, claimsText: '{}' } as const;
    const asked = (caller: any, body: object) => db.as('mainstay_api', 1).transaction({ role: null, settings: { 'request.jwt.claims': '{"role":"service_role"}' } }, (tx) => ask(tx, caller, body as Record<string, unknown>, null));
    await expect(asked({ ...service, kind: 'user', role: 'authenticated' }, { url })).rejects.toMatchObject({ code: 'request_needs_service_key', status: 403 });
    await expect(asked(service, { url: 'http://169.254.169.254/' })).rejects.toMatchObject({ code: 'request_not_valid', details: { reason: 'address_refused' } });
    await expect(asked(service, { url: 'https://example.com/', headers: { a: 1 } })).rejects.toMatchObject({ code: 'request_not_valid', message: expect.stringContaining('headers must be') });
    await expect(asked(service, { url: 'https://example.com/' }).then(jobOf)).resolves.toMatchObject({ kind: 'send-request', owner: 'service_role' });
  });

  it('may also be asked for by other parts of the house', async () => {
    const draft: AskedRequest = { url, body: null, headers: null, method: null, timeoutMs: null, isSigned: null, runAt: null, key: null, maxAttempts: null, queue: null, priority: null, after: null };
    const id = await db.as('mainstay_worker', 1).transaction(asWorker, (tx) => enqueueRequest(tx, draft, { ...asHouse, owner: 'service_role' }, null));
    await expect(jobOf(id)).resolves.toMatchObject({ kind: 'send-request', max_attempts: 12 });
  });
});
