import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { makeCaller, type Caller, type Fault } from '@mainstay/domain';
import { makeOutward, type Outward } from '@mainstay/outward';
import { asDeliverer, feedEndpoints, mendWatches, sweepWebhooks, takeBreaks, type Database, type Fed, type Transaction } from '@mainstay/persistence';
import { WorkerStopping, type JobRun } from '@mainstay/queue';
import { makeTestDatabase, Receiver, type Received, type TestDatabase } from '@mainstay/testing';
import { Webhook } from 'standardwebhooks';
import { EventDeliverer, type Delivered, type DeliveryTerms } from './deliver-events.ts';
import { webhookSealing } from './endpoint-secrets.ts';
import { mostAttempts } from './retry-plan.ts';
import type { ShownDeliveryInFull, ShownEndpoint } from './show-webhooks.ts';
import { WebhooksService } from './webhooks.service.ts';

const service: Caller = makeCaller('key', { role: 'service_role' });
const quiet = { info: () => {}, warn: () => {} };

let test: TestDatabase;
let admin: Database;
let worker: Database;
let webhooks: WebhooksService;
let outward: Outward;
let receiver: Receiver;

beforeAll(async () => {
  test = await makeTestDatabase({ MAINSTAY_OUTWARD_ALLOW: '127.0.0.1' });
  admin = test.admin;
  worker = test.as('mainstay_worker', 8);
  outward = makeOutward(test.settings);
  webhooks = new WebhooksService(test.as('mainstay_api'), test.settings, outward);
  receiver = await Receiver.start();
});
beforeEach(async () => {
  receiver.forget();
  await admin.rows(`drop table if exists public.orders cascade`);
  await admin.rows(`set role postgres; create table public.orders (id bigint primary key, status text, total numeric, note text); reset role`);
});
afterEach(async () => {
  for (const { id } of await webhooks.list(service, {})) await webhooks.remove(service, id);
  await admin.rows('truncate mainstay_internal.events, mainstay_internal.webhook_deliveries, mainstay_internal.webhook_attempts, mainstay_internal.webhook_breaks');
});
afterAll(async () => {
  receiver.stop();
  await outward.close();
  await test.close();
});

describe('a row that is written', () => {
  it('is told of, signed, once its transaction has committed', async () => {
    const { endpoint, secret } = await create();
    await admin.rows(`insert into orders values (12345678901234567, 'paid', 1234567890.12345678901234567890, null)`);
    await deliver(endpoint);
    const [{ headers, body }] = receiver.received as [Received];
    expect(new Webhook(secret).verify(body, headers)).toMatchObject({ type: 'public.orders.insert', data: { schema: 'public', table: 'orders', operation: 'insert', old_record: null } });
    expect(body).toContain('"record":{"id":12345678901234567,"status":"paid","total":1234567890.12345678901234567890,"note":null}');
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'webhook-id': expect.stringMatching(/^msg_[0-9a-f]{32}_\d+$/) });
  });

  it('and taken back is not told of', async () => {
    const { endpoint } = await create();
    await admin.transaction(asAdmin, (tx) => tx.rows(`insert into orders values (1, 'paid')`).then(() => Promise.reject(new Error('no')))).catch(() => {});
    await admin.transaction(asAdmin, async (tx) => {
      await tx.savepoint(() => tx.rows(`insert into orders values (2, 'paid')`).then(() => Promise.reject(new Error('no')))).catch(() => {});
      await tx.rows(`insert into orders values (3, 'paid')`);
    });
    await deliver(endpoint);
    expect(receiver.events.map(({ data }) => data['record'])).toEqual([expect.objectContaining({ id: 3 })]);
  });

  it('is told of with what was before, and what is deleted with nothing after', async () => {
    const { endpoint } = await create();
    await admin.rows(`insert into orders values (1, 'new'), (2, 'new')`);
    await admin.rows(`update orders set status = 'paid', id = id + 10`);
    await admin.rows(`delete from orders where id = 12`);
    await admin.rows(`insert into orders values (11, 'again') on conflict (id) do update set status = excluded.status`);
    await deliver(endpoint);
    const told = receiver.events.map(({ data: { operation, record, old_record: old } }) => [operation, brief(record), brief(old)]);
    expect(told).toHaveLength(6);
    for (const one of [['insert', '1 new', null], ['insert', '2 new', null], ['update', '11 paid', '1 new'], ['update', '12 paid', '2 new'], ['delete', null, '12 paid'], ['update', '11 again', '11 paid']]) expect(told).toContainEqual(one);
  });

  it.each([
    ['COPY', (tx: Transaction) => tx.copyIn(`copy orders (id, status) from stdin`, Buffer.from('1\tpaid\n2\tnew\n3\tpaid\n'))],
    ['somebody without rights on our tables', async (tx: Transaction) => {
      await tx.rows('grant insert on orders to anon');
      await tx.rows('set local role anon');
      await tx.rows(`insert into orders values (1, 'paid'), (2, 'new'), (3, 'paid')`);
    }],
    ['a writable query', (tx: Transaction) => tx.rows(`with made as (insert into orders values (1, 'paid'), (2, 'new'), (3, 'paid') returning 1) select * from made`)],
    ['MERGE', (tx: Transaction) => tx.rows(`merge into orders using (values (1, 'paid'), (2, 'new'), (3, 'paid')) as v (id, status) on orders.id = v.id when not matched then insert (id, status) values (v.id, v.status)`)],
  ])('by %s is told of', async (_, write) => {
    const { endpoint } = await create({ events: [{ table: 'orders', filter: 'status=eq.paid' }] });
    await admin.transaction(asAdmin, async (tx) => void (await write(tx)));
    await deliver(endpoint);
    expect(receiver.events.map(({ data }) => brief(data['record'])).sort()).toEqual(['1 paid', '3 paid']);
  });

  it('is told of once to an endpoint that asked twice, with the columns it chose', async () => {
    const { endpoint } = await create({ events: [{ table: 'orders', operations: ['insert'], filter: 'id=lt.5', columns: ['status', 'id'] }, { table: 'orders', operations: ['insert', 'delete'], filter: 'status=eq.paid', columns: ['status', 'id'] }] });
    await admin.rows(`insert into orders values (1, 'paid')`);
    await deliver(endpoint);
    expect(receiver.received.map(({ body }) => /"record":(\{.*?\})/.exec(body)![1])).toEqual(['{"status":"paid","id":1}']);
  });

  it('in numbers costs one statement', async () => {
    const { endpoint } = await create({ events: [{ table: 'orders', filter: 'total=lte.600' }] });
    await admin.rows(`insert into orders select i, 'paid', i from generate_series(1, 5000) i`);
    await admin.rows(`update orders set status = 'old'`);
    expect(await count('mainstay_internal.events')).toBe(1200);
    expect((await webhooks.find(service, endpoint.id)).waiting).toBe(1200);
    await deliver(endpoint, { concurrency: 32 });
    expect(receiver.received).toHaveLength(1200);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1200);
  });

  it('of a table that is emptied is not told of, but the emptying is, where it was asked for', async () => {
    const { endpoint } = await create({ events: [{ table: 'orders', operations: ['delete', 'truncate'] }] });
    await admin.rows(`insert into orders values (1, 'paid')`);
    await admin.rows('truncate orders');
    await deliver(endpoint);
    expect(receiver.events).toEqual([{ type: 'public.orders.truncate', timestamp: expect.any(String), data: { schema: 'public', table: 'orders', operation: 'truncate', record: null, old_record: null } }]);
  });
});

describe('a filter', () => {
  beforeEach(async () => {
    await admin.rows(`drop table if exists things; drop type if exists mood; create type mood as enum ('sad', 'glad')`);
    await admin.rows(`create table things (id int primary key, name text, tags text[], data jsonb, raw json, during int4range, feels mood, at timestamptz, flag boolean, words tsvector, "Odd name" int, money numeric,
      twice int generated always as (id * 2) stored, thrice int generated always as (id * 3) virtual)`);
    await admin.rows(`grant all on things to postgres`);
  });

  it.each([
    ['id=eq.1', [1]],
    ['id=neq.1', [2]],
    ['id=gt.1', [2]],
    ['id=gte.1&id=lt.2', [1]],
    ['money=lte.10.5', [1]],
    ['name=like.O*', [1]],
    ['name=ilike.*E', [1]],
    ['name=match.^T', [2]],
    ['name=imatch.^t', [2]],
    ['name=like(any).{O*,X*}', [1]],
    ['name=in.(One,Three)', [1]],
    ['name=in.("O,ne","Two")', [2]],
    ['name=eq.Tw\'o', []],
    ['flag=is.true', [1]],
    ['flag=is.null', [2]],
    ['flag=not.is.null', [1]],
    ['money=isdistinct.10.5', [2]],
    ['tags=cs.{a}', [1]],
    ['tags=cd.{c,d}', [2]],
    ['tags=ov.{a,d}', [1, 2]],
    ['during=sl.[5,6)', [1]],
    ['during=sr.[0,1)', [1, 2]],
    ['during=adj.[3,5)', [1, 2]],
    ['during=nxl.[2,3)', [2]],
    ['during=nxr.[2,4)', [1]],
    ['feels=eq.glad', [2]],
    ['at=gt.2026-06-01T00:00:00Z', [2]],
    ['data->>kind=eq.small', [1]],
    ['data->size=gt.5', [2]],
    ['data->deep->>0=eq.x', [1]],
    ['data=cs.{"kind":"small"}', [1]],
    ['words=fts.quick', [1]],
    ['name=plfts(english).one', [1]],
    ['or=(id.eq.2,and(name.eq.One,flag.is.false))', [2]],
    ['not.and=(id.eq.2,name.eq.Two)', [1]],
    ['Odd%20name=eq.7', [1]],
    ['twice=eq.2', [1]],
    ['thrice=eq.6', [2]],
  ])('%s', async (filter, ids) => {
    const { endpoint } = await create({ events: [{ table: 'things', operations: ['insert'], filter }] });
    await admin.rows(`insert into things values (1, 'One', '{a,b}', '{"kind":"small","size":1,"deep":["x"]}', '{}', '[1,3)', 'sad', '2026-01-01', true, to_tsvector('quick fox'), 7, 10.5),
      (2, 'Two', '{d}', '{"kind":"large","size":9}', '{}', '[5,9)', 'glad', '2026-12-01', null, to_tsvector('slow'), null, 11)`);
    await deliver(endpoint);
    expect(receiver.events.map(({ data }) => (data['record'] as { id: number }).id).sort()).toEqual(ids);
  });

  it.each([
    ['nme=eq.1', 'filter_not_valid', 'did you mean "name"'],
    ['id=eq.abc', 'filter_not_valid', 'invalid input syntax for type integer: "abc"'],
    ['id=like.1', 'filter_not_valid', 'operator does not exist'],
    ['name=match.(', 'filter_not_valid', 'invalid regular expression'],
    ['name=fts.a%20%26', 'filter_not_valid', 'no operand in tsquery'],
    ['name=like.a\\', 'filter_not_valid', 'backslash'],
    ['select=id', 'filter_not_valid', 'no filter on one row'],
    ['other.id=eq.1', 'filter_not_valid', 'no filter on one row'],
    ['order=id', 'filter_not_valid', 'no filter on one row'],
    ['id=foo.1', 'filter_not_valid', 'failed to parse filter'],
  ])('%s is refused', async (filter, code, part) => {
    const refused = await create({ events: [{ table: 'things', filter }] }).catch((error: Fault) => error);
    expect(refused).toMatchObject({ code });
    const { message, hint } = refused as Fault;
    expect(`${message} ${hint}`.toLowerCase()).toContain(part.toLowerCase());
    expect(await webhooks.list(service, {})).toHaveLength(0);
  });

  it('that a row breaks does not fail the writer, nor keep others from being told', async () => {
    const { endpoint } = await create({ events: [{ table: 'things', filter: 'raw->>a=eq.x' }] });
    const { endpoint: other } = await create({ events: [{ table: 'things' }] });
    await admin.rows(String.raw`insert into things (id, raw) values (1, '{"a":"\u0000"}')`);
    await admin.rows(`insert into things (id, raw) values (2, '{"a":"x"}')`);
    await breaks();
    const [event] = (await webhooks.find(service, endpoint.id)).events;
    expect(event).toMatchObject({ broken: null, trouble: { code: 'row_not_evaluated', message: expect.stringContaining('unsupported Unicode escape'), details: { sqlstate: '22P05' } } });
    await deliver(endpoint);
    expect(receiver.events.map(({ data }) => (data['record'] as { id: number }).id)).toEqual([2]);
    receiver.forget();
    await deliver(other);
    expect(receiver.received).toHaveLength(2);
  });

  it('whose column is dropped behind our back ends with a reason, and the writer goes on', async () => {
    const { endpoint } = await create({ events: [{ table: 'things', filter: 'feels=eq.glad' }, 'job.dead'] });
    await admin.transaction(asAdmin, async (tx) => {
      await tx.rows('alter event trigger mainstay_watch_ddl disable');
      await tx.rows('alter table things drop column feels');
      await tx.rows('alter event trigger mainstay_watch_ddl enable');
    });
    await admin.rows(`insert into things (id) values (1)`);
    await breaks();
    expect((await webhooks.find(service, endpoint.id)).events).toEqual([
      expect.objectContaining({ broken: expect.objectContaining({ code: 'filter_not_valid', message: expect.stringContaining('feels') }) }),
      { type: 'job.dead' },
    ]);
    await admin.rows(`insert into things (id) values (2)`);
    expect(await count('mainstay_internal.webhook_breaks')).toBe(0);
  });
});

describe('a table that changes', () => {
  it('keeps its events through new names of its columns and of itself', async () => {
    const { endpoint } = await create({ events: [{ table: 'orders', filter: 'status=eq.paid', columns: ['id', 'status'] }] });
    await admin.rows('alter table orders rename column status to state; alter table orders rename to purchases');
    await admin.rows(`insert into purchases (id, state) values (1, 'paid'), (2, 'no')`);
    await deliver(endpoint);
    expect(receiver.events).toMatchObject([{ type: 'public.purchases.insert', data: { table: 'purchases', record: { id: 1, state: 'paid' } } }]);
    expect((await webhooks.find(service, endpoint.id)).events).toMatchObject([{ table: 'purchases', columns: ['id', 'state'], broken: null }]);
    await admin.rows('drop table purchases');
  });

  it('by the column of a filter ends what asked for it, and says so', async () => {
    const { endpoint } = await create({ events: [{ table: 'orders', filter: 'status=eq.paid' }, { table: 'orders', operations: ['insert'], columns: ['id'] }] });
    await admin.rows('alter table orders drop column status');
    await admin.rows(`insert into orders (id) values (1)`);
    await deliver(endpoint);
    expect(receiver.received).toHaveLength(1);
    expect((await webhooks.find(service, endpoint.id)).events).toMatchObject([{ broken: { code: 'column_dropped', message: `The filter 'status=eq.paid' names status, which public.orders has no longer` } }, { broken: null }]);
  });

  it('dropped and made anew is watched again', async () => {
    const { endpoint } = await create({ events: [{ table: 'orders', filter: 'status=eq.paid' }] });
    await admin.rows('drop table orders');
    expect((await webhooks.find(service, endpoint.id)).events).toMatchObject([{ broken: { code: 'table_dropped' } }]);
    await admin.rows(`create table public.orders (id bigint primary key, status text, more text)`);
    await admin.rows(`insert into orders values (1, 'paid')`);
    await deliver(endpoint);
    expect(receiver.received).toHaveLength(1);
    expect((await webhooks.find(service, endpoint.id)).events).toMatchObject([{ broken: null }]);
  });

  it('and has partitions is watched whichever way it is written to', async () => {
    await admin.rows(`create table parted (id int, region text, primary key (id, region)) partition by list (region); create table parted_a partition of parted for values in ('a'); create table parted_b partition of parted for values in ('b')`);
    const { endpoint } = await create({ events: [{ table: 'parted' }] });
    await admin.rows(`insert into parted values (1, 'a'), (2, 'b')`);
    await admin.rows(`insert into parted_a values (3, 'a')`);
    await admin.rows(`create table parted_c partition of parted for values in ('c')`);
    await admin.rows(`insert into parted_c values (4, 'c')`);
    await admin.rows(`update parted set region = 'b' where id = 1`);
    await deliver(endpoint);
    expect(receiver.events.map(({ type, data }) => [type, brief(data['record'], 'region')]).sort()).toEqual([
      ['public.parted.insert', '1 a'], ['public.parted.insert', '2 b'], ['public.parted.insert', '3 a'], ['public.parted.insert', '4 c'], ['public.parted.update', '1 b'],
    ]);
    await expect(create({ events: [{ table: 'parted_a' }] })).rejects.toMatchObject({ code: 'table_not_found', message: expect.stringContaining('is a partition') });
    await admin.rows('drop table parted');
  });

  it('whose trigger somebody dropped has it again after the sweep', async () => {
    const { endpoint } = await create({ events: [{ table: 'orders', operations: ['insert'] }] });
    const [{ name }] = (await admin.rows<{ name: string }>(`select tgname as name from pg_trigger where tgrelid = 'orders'::regclass and not tgisinternal`)) as [{ name: string }];
    await admin.rows(`drop trigger ${name} on orders`);
    expect(await worker.transaction(asDeliverer, (tx) => mendWatches(tx))).toBe(1);
    await admin.rows(`insert into orders values (1, 'paid')`);
    await deliver(endpoint);
    expect(receiver.received).toHaveLength(1);
  });

  it('loses its triggers when nobody asks any more', async () => {
    const { endpoint } = await create();
    const triggers = (): Promise<object[]> => admin.rows(`select from pg_trigger where tgrelid = 'orders'::regclass and not tgisinternal`);
    expect(await triggers()).toHaveLength(3);
    await webhooks.change(service, endpoint.id, { events: [{ table: 'orders', operations: ['delete'] }] });
    expect(await triggers()).toHaveLength(1);
    await webhooks.remove(service, endpoint.id);
    expect(await triggers()).toHaveLength(0);
  });
});

describe('a receiver that', () => {
  it('fails is tried again under the same id with the same body, and then the delivery is dead', async () => {
    const { endpoint, secret } = await create();
    receiver.answer = (_, response) => response.writeHead(500).end('no');
    await admin.rows(`insert into orders values (1, 'paid')`);
    for (let i = 0; i < 8 && (await shown(endpoint)).state === 'queued'; i += 1) await deliver(endpoint).then(() => pause(60));
    expect(await shown(endpoint)).toMatchObject({ state: 'dead', attempts: mostAttempts(terms.plan), last_status: 500, last_error: 'status_not_ok' });
    expect(receiver.received).toHaveLength(4);
    expect(new Set(receiver.received.map(({ headers, body }) => `${headers['webhook-id']} ${body}`)).size).toBe(1);
    for (const { headers, body } of receiver.received) new Webhook(secret).verify(body, headers);
    const { log, body } = await shown(endpoint);
    expect(body).toBe(receiver.received[0]!.body);
    expect(log).toHaveLength(4);
    expect(log[3]).toMatchObject({ number: 4, request: { method: 'POST', url: receiver.url, headers: { 'webhook-id': expect.any(String) } }, answer: { status: 500, body: 'no', is_cut: false }, error: { code: 'status_not_ok' } });
  });

  it('is well again gets what was dead, by itself or as a range', async () => {
    const { endpoint } = await create();
    receiver.answer = (_, response) => response.writeHead(400).end();
    await admin.rows(`insert into orders select i, 'paid' from generate_series(1, 3) i`);
    await deliver(endpoint, { plan: { pauses: [] } });
    expect((await webhooks.find(service, endpoint.id)).dead).toBe(3);
    const [first] = receiver.received;
    receiver.forget();
    const all = await webhooks.deliveries(service, { endpoint: endpoint.id, state: 'dead' });
    const again = await webhooks.redeliver(service, all.find(({ webhook_id: id }) => id === first!.headers['webhook-id'])!.id, null);
    expect(again.status).toBe(202);
    await deliver(endpoint);
    expect(receiver.received.map(({ headers, body }) => [headers['webhook-id'], body])).toEqual([[first!.headers['webhook-id'], first!.body]]);
    const range = await webhooks.redeliverRange(service, endpoint.id, { since: '2020-01-01' }, null);
    expect(JSON.parse(range.body!)).toEqual({ count: 2 });
    await deliver(endpoint);
    expect(await webhooks.countDeliveries(service, { endpoint: endpoint.id })).toEqual({ queued: 0, done: 3, dead: 0, cancelled: 0 });
  });

  it.each([
    ['redirects', (_: Received, response: ServerResponse) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(), { last_status: 302, last_error: 'redirect_refused' }],
    ['hangs', () => {}, { last_status: null, last_error: 'timed_out' }],
    ['answers byte by byte', async (_: Received, response: ServerResponse) => {
      response.writeHead(200);
      for (let i = 0; i < 40 && !response.destroyed; i += 1) await pause(50).then(() => response.write('x'));
    }, { last_status: null, last_error: 'timed_out' }],
    ['breaks the connection', (_: Received, response: ServerResponse) => response.destroy(), { last_status: null, last_error: 'connection_failed' }],
    ['answers 500', (_: Received, response: ServerResponse) => response.writeHead(500).end(), { last_status: 500, last_error: 'status_not_ok' }],
  ])('%s is a failure', async (_, answer, expected) => {
    const { endpoint } = await create();
    receiver.answer = answer;
    await admin.rows(`insert into orders values (1, 'paid')`);
    await deliver(endpoint, { timeoutMs: 300, plan: { pauses: [60] } });
    expect(await shown(endpoint)).toMatchObject({ state: 'queued', attempts: 1, ...expected });
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  });

  it('floods is heard to 64 KiB', async () => {
    const { endpoint } = await create();
    receiver.answer = async (_, response) => {
      response.writeHead(200);
      const page = 'y'.repeat(64 * 1024);
      // It ends with an error when the other side has heard enough.
      await pipeline(Readable.from(Array.from({ length: 2000 }, () => page)), response).catch(() => {});
    };
    await admin.rows(`insert into orders values (1, 'paid')`);
    await deliver(endpoint);
    const { state, log } = await shown(endpoint);
    expect(state).toBe('done');
    expect(log[0]!.answer).toMatchObject({ status: 200, is_cut: true, is_text: true });
    expect(log[0]!.answer!.body).toHaveLength(64 * 1024);
  });

  it('says that it is gone is let alone until it is resumed', async () => {
    const { endpoint } = await create();
    receiver.answer = (_, response) => response.writeHead(410).end();
    await admin.rows(`insert into orders values (1, 'paid')`);
    await deliver(endpoint);
    expect(await webhooks.find(service, endpoint.id)).toMatchObject({ state: 'disabled', reason: { code: 'endpoint_gone' }, dead: 1 });
    await admin.rows(`insert into orders values (2, 'paid')`);
    await deliver(endpoint);
    expect(receiver.received).toHaveLength(1);
    receiver.forget();
    await webhooks.resume(service, endpoint.id, null);
    await admin.rows(`insert into orders values (3, 'paid')`);
    await deliver(endpoint);
    expect(receiver.events.map(({ data }) => brief(data['record']))).toEqual(['3 paid']);
  });

  it.each([[429], [503]])('answers %i with Retry-After is left in peace so long', async (status) => {
    const { endpoint } = await create();
    receiver.answer = (_, response) => response.writeHead(status, { 'retry-after': '7' }).end();
    await admin.rows(`insert into orders values (1, 'paid')`);
    await deliver(endpoint);
    await admin.rows(`insert into orders values (2, 'paid')`);
    await deliver(endpoint);
    expect(receiver.received).toHaveLength(1);
    const [second, first] = await webhooks.deliveries(service, { endpoint: endpoint.id });
    expect(second).toMatchObject({ attempts: 0, state: 'queued' });
    expect(Date.parse(first!.next_attempt_at!) - Date.now()).toBeGreaterThan(6000);
    expect((await webhooks.find(service, endpoint.id)).breaker).toMatchObject({ state: 'closed', failures: 0, rests_until: expect.any(String) });
  });

  it('fails on and on is let rest, and its deliveries use up no tries; one that gets through ends it', async () => {
    const { endpoint } = await create();
    receiver.answer = (_, response) => response.writeHead(500).end();
    await admin.rows(`insert into orders select i, 'paid' from generate_series(1, 50) i`);
    const breaker = { failures: 3, restSeconds: 0.3, mostRestSeconds: 1 };
    await deliver(endpoint, { breaker, plan: { pauses: [60] } });
    const tried = receiver.received.length;
    expect(tried).toBeLessThan(10);
    expect((await webhooks.find(service, endpoint.id)).breaker).toMatchObject({ state: 'open', failures: tried });
    await deliver(endpoint, { breaker });
    expect(receiver.received).toHaveLength(tried);
    expect((await webhooks.deliveries(service, { endpoint: endpoint.id, limit: '500' })).filter(({ attempts }) => attempts > 0)).toHaveLength(tried);
    await pause(400);
    expect((await webhooks.find(service, endpoint.id)).breaker.state).toBe('half-open');
    await deliver(endpoint, { breaker, plan: { pauses: [60] } });
    expect(receiver.received).toHaveLength(tried + 1);
    receiver.forget();
    await pause(750);
    await deliver(endpoint, { breaker, plan: { pauses: [60] } });
    expect(receiver.received).toHaveLength(50 - tried - 1);
    expect((await webhooks.find(service, endpoint.id)).breaker).toEqual({ state: 'closed', failures: 0, rests_until: null });
  });
});

describe('the deliveries of one row', () => {
  it('come one after the other in the order of its changes, those of others beside them', async () => {
    const { endpoint } = await create();
    await admin.rows(`insert into orders select i, '0' from generate_series(1, 8) i`);
    for (let turn = 1; turn <= 4; turn += 1) await admin.rows(`update orders set status = $1`, [String(turn)]);
    let most = 0;
    let open = 0;
    const underWay = new Set<number>();
    const failed = new Set<string>();
    receiver.answer = async ({ body }, response) => {
      const { id, status } = (JSON.parse(body) as { data: { record: { id: number; status: string } } }).data.record;
      expect(underWay.has(id)).toBe(false);
      underWay.add(id);
      most = Math.max(most, (open += 1));
      await pause(5);
      open -= 1;
      underWay.delete(id);
      // Every third fails at first: what follows waits for it.
      const fails = (id + Number(status)) % 3 === 0 && !failed.has(`${id} ${status}`);
      if (fails) failed.add(`${id} ${status}`);
      response.writeHead(fails ? 500 : 200).end();
    };
    for (let i = 0; i < 20 && (await webhooks.find(service, endpoint.id)).waiting > 0; i += 1) await deliver(endpoint).then(() => pause(60));
    expect(most).toBeGreaterThan(2);
    const told = Map.groupBy(receiver.events.map(({ data }) => data['record'] as { id: number; status: string }), ({ id }) => id);
    for (const changes of told.values()) expect(changes.map(({ status }) => Number(status))).toEqual(changes.map(({ status }) => Number(status)).sort());
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(40);
  });

  it('in great number do not keep those of others from being found', async () => {
    const { endpoint } = await create();
    await admin.rows(`insert into orders values (1, 'hot')`);
    for (let turn = 0; turn < 60; turn += 1) await admin.rows(`update orders set total = $1 where id = 1`, [turn]);
    await admin.rows(`insert into orders select i, 'cold' from generate_series(2, 6) i`);
    receiver.answer = async ({ body }, response) => pause(body.includes('hot') ? 30 : 0).then(() => response.end());
    await deliver(endpoint);
    const places = receiver.events.flatMap(({ data }, i) => ((data['record'] as { status: string }).status === 'cold' ? [i] : []));
    expect(receiver.received).toHaveLength(66);
    expect(Math.max(...places)).toBeLessThan(30);
  });
});

describe('an endpoint', () => {
  it('with a new secret signs with both for a while', async () => {
    const { endpoint, secret } = await create();
    const { body } = await webhooks.rotateSecret(service, endpoint.id, null);
    const { secret: newer, secrets } = JSON.parse(body!) as ShownEndpoint & { secret: string };
    expect(newer).not.toBe(secret);
    expect(secrets).toEqual([{ created_at: expect.any(String), expires_at: null }, { created_at: expect.any(String), expires_at: expect.any(String) }]);
    await admin.rows(`insert into orders values (1, 'paid')`);
    await deliver(endpoint);
    const [{ headers, body: sent }] = receiver.received as [Received];
    expect(headers['webhook-signature']!.split(' ')).toHaveLength(2);
    for (const one of [secret, newer]) expect(() => new Webhook(one).verify(sent, headers)).not.toThrow();
    expect(() => new Webhook('whsec_' + Buffer.alloc(32).toString('base64')).verify(sent, headers)).toThrow();
    expect(JSON.stringify(await webhooks.find(service, endpoint.id))).not.toContain(newer);
    const kept = await admin.rows<{ secrets: string }>('select secrets from mainstay_internal.webhook_endpoints');
    expect(JSON.stringify(kept)).not.toContain(newer.slice(6));
  });

  it('that is paused gets what happened meanwhile when it is resumed', async () => {
    const { endpoint } = await create();
    await webhooks.pause(service, endpoint.id, null);
    await admin.rows(`insert into orders values (1, 'paid'), (2, 'paid')`);
    await deliver(endpoint);
    expect(receiver.received).toHaveLength(0);
    expect(await webhooks.find(service, endpoint.id)).toMatchObject({ state: 'paused', is_paused: true, waiting: 2 });
    await webhooks.resume(service, endpoint.id, null);
    await deliver(endpoint);
    expect(receiver.received).toHaveLength(2);
  });

  it('that is paused or deleted while it is being sent to gets no more than is under way', async () => {
    const { endpoint } = await create();
    await admin.rows(`insert into orders select i, 'paid' from generate_series(1, 500) i`);
    receiver.answer = (_, response) => pause(20).then(() => response.end());
    const delivering = deliver(endpoint);
    while (receiver.received.length < 10) await pause(5);
    await webhooks.remove(service, endpoint.id);
    await delivering;
    expect(receiver.received.length).toBeLessThan(100);
    const { feeder } = { feeder: await admin.transaction(asDeliverer, (tx) => feedEndpoints(tx)) };
    expect(feeder).toEqual({ endpoints: 0, nextSeconds: null });
    for (;;) if ((await worker.transaction(asDeliverer, (tx) => sweepWebhooks(tx, 0, 100))) === 0) break;
    expect([await count('mainstay_internal.webhook_deliveries'), await count('mainstay_internal.events'), await count('mainstay_internal.webhook_attempts')]).toEqual([0, 0, 0]);
  });

  it('with headers of its own sends them, and shows their names', async () => {
    const { endpoint } = await create({ headers: { 'X-Api-Key': 'hush', authorization: 'Bearer of-mine' } });
    expect(endpoint.headers).toEqual({ 'x-api-key': '***', authorization: '***' });
    await webhooks.change(service, endpoint.id, { headers: { 'x-api-key': '***' } });
    await admin.rows(`insert into orders values (1, 'paid')`);
    await deliver(endpoint);
    expect(receiver.received[0]!.headers).toMatchObject({ 'x-api-key': 'hush' });
    expect(receiver.received[0]!.headers['authorization']).toBeUndefined();
    const delivery = await shown(endpoint);
    expect(JSON.stringify(delivery)).not.toContain('hush');
    expect(JSON.stringify(await admin.rows('select * from mainstay_internal.webhook_endpoints'))).not.toContain('hush');
  });

  it('with a rate gets no more in a second', async () => {
    const { endpoint } = await create({ rate: 20 });
    await admin.rows(`insert into orders select i, 'paid' from generate_series(1, 15) i`);
    const began = performance.now();
    await deliver(endpoint);
    expect(receiver.received).toHaveLength(15);
    expect(performance.now() - began).toBeGreaterThan(600);
  });

  it('can be tried', async () => {
    const { endpoint, secret } = await create();
    const { status, body } = await webhooks.test(service, endpoint.id, null);
    expect(status).toBe(202);
    expect(JSON.parse(body!)).toMatchObject({ event: 'webhook.test', state: 'queued', endpoint_id: endpoint.id });
    await deliver(endpoint);
    expect(new Webhook(secret).verify(receiver.received[0]!.body, receiver.received[0]!.headers)).toMatchObject({ type: 'webhook.test' });
  });

  it('is told of jobs, imports and accounts where it asked for them', async () => {
    const { endpoint } = await create({ events: ['job.dead', { type: 'user.*' }] });
    await admin.rows(`select mainstay_internal.enqueue_job('call-function', 'functions', '{"name":"f"}', null, 'postgres', '{}')`);
    await admin.rows(`select mainstay_internal.enqueue_job('deliver-events', 'webhooks', '{}', null, 'postgres', '{}')`);
    await admin.rows(`update mainstay_internal.jobs set state = 'dead', finished_at = now(), error = '{"code":"x"}'`);
    await admin.rows(`insert into auth.audit_log_entries (instance_id, id, payload, created_at, ip_address) values (null, gen_random_uuid(), '{"action":"login","actor_id":"a","actor_username":"anna@example.com"}', now(), '10.0.0.1')`);
    await deliver(endpoint);
    expect(receiver.events).toMatchObject([
      { type: 'job.dead', data: { kind: 'call-function', state: 'dead', error: { code: 'x' } } },
      { type: 'user.signed_in', data: { user_id: 'a', actor: { username: 'anna@example.com' }, ip_address: '10.0.0.1' } },
    ]);
    await admin.rows('truncate mainstay_internal.jobs, mainstay_internal.outbox');
  });

  it.each([
    ['http://169.254.169.254/', 'endpoint_url_refused'],
    ['http://[::1]/', 'endpoint_url_refused'],
    ['ftp://example.com/', 'endpoint_url_refused'],
    ['https://example.com:22/', 'endpoint_url_refused'],
    ['https://example.com/', null],
    ['nonsense', 'endpoint_url_refused'],
  ])('at %s: %s', async (url, code) => {
    const made = await create({ url }).then(() => null, (error: Fault) => error.code);
    expect(made).toBe(code);
  });

  it.each<[Record<string, unknown>, string, string]>([
    [{ events: [] }, 'endpoint_not_valid', 'at least one event'],
    [{ events: ['export.done'] }, 'event_not_valid', 'no events "export.…"'],
    [{ events: [{ table: 'public.ordrs' }] }, 'table_not_found', 'no table "public.ordrs"'],
    [{ events: ['jobs.dead'] }, 'event_not_valid', 'no events "jobs.…"'],
    [{ events: [{ table: 'ordrs' }] }, 'table_not_found', 'did you mean "orders"'],
    [{ events: [{ table: 'orders', operations: ['upsert'] }] }, 'event_not_valid', 'insert, update, delete'],
    [{ events: [{ table: 'orders', columns: ['stats'] }] }, 'event_not_valid', 'did you mean "status"'],
    [{ events: [{ schema: 'mainstay_internal', table: 'jobs' }] }, 'table_not_found', 'not watched'],
    [{ evnts: [] }, 'endpoint_not_valid', 'no "evnts"'],
    [{ rate: 0 }, 'endpoint_not_valid', '"rate"'],
    [{ headers: { 'webhook-id': 'x' } }, 'endpoint_not_valid', 'ours to send'],
  ])('with %j is refused', async (more, code, part) => {
    const refused = await create(more).catch((error: Fault) => error);
    expect(refused).toMatchObject({ code, message: expect.stringContaining(part) });
  });
});

describe('a job that', () => {
  it('is stopped writes down what has settled, and the rest is sent again', async () => {
    const { endpoint } = await create();
    await admin.rows(`insert into orders select i, 'paid' from generate_series(1, 40) i`);
    const stop = new AbortController();
    receiver.answer = (_, response) => {
      if (receiver.received.length === 20) stop.abort(new WorkerStopping('this worker stops'));
      return pause(receiver.received.length > 10 ? 50 : 0).then(() => response.end());
    };
    await expect(deliver(endpoint, {}, stop.signal)).rejects.toThrow('this worker stops');
    const done = (await webhooks.countDeliveries(service, { endpoint: endpoint.id })).done;
    expect(done).toBeGreaterThan(0);
    expect(done).toBeLessThan(40);
    expect((await webhooks.deliveries(service, { endpoint: endpoint.id, state: 'queued', limit: '500' })).every(({ attempts }) => attempts === 0)).toBe(true);
    await deliver(endpoint);
    expect((await webhooks.countDeliveries(service, { endpoint: endpoint.id })).done).toBe(40);
    const bodies = Map.groupBy(receiver.received, ({ headers }) => headers['webhook-id']);
    expect(bodies.size).toBe(40);
    for (const sent of bodies.values()) expect(new Set(sent.map(({ body }) => body)).size).toBe(1);
  });

  it('lost its lease writes nothing', async () => {
    const { endpoint } = await create();
    await admin.rows(`insert into orders values (1, 'paid')`);
    const run = { signal: new AbortController().signal, assertLease: () => Promise.reject(new Error('lease lost')) } as unknown as JobRun;
    await expect(makeDeliverer().deliver(endpoint.id, run)).rejects.toThrow('lease lost');
    expect(await shown(endpoint)).toMatchObject({ state: 'queued', attempts: 0, log: [] });
  });
});

describe('the feeder', () => {
  it('gives each endpoint one job, and none to those that rest or are paused', async () => {
    const { endpoint: ready } = await create();
    const { endpoint: paused } = await create();
    const { endpoint: resting } = await create();
    await webhooks.pause(service, paused.id, null);
    await admin.rows(`update mainstay_internal.webhook_endpoints set rests_until = now() + interval '30 s' where id = $1`, [resting.id]);
    await admin.rows(`insert into orders values (1, 'paid'), (2, 'paid')`);
    const feed = (): Promise<Fed> => worker.transaction(asDeliverer, (tx) => feedEndpoints(tx));
    expect(await feed()).toMatchObject({ endpoints: 1, nextSeconds: expect.closeTo(30, -1) });
    expect(await feed()).toMatchObject({ endpoints: 0 });
    expect(await admin.rows(`select payload from mainstay_internal.jobs where kind = 'deliver-events'`)).toEqual([{ payload: { endpointId: ready.id } }]);
    await admin.rows('truncate mainstay_internal.jobs, mainstay_internal.outbox');
  });
});

const asAdmin = { role: null, settings: {} };

function brief(record: unknown, column = 'status'): string | null {
  return record === null ? null : `${String((record as { id: number }).id)} ${String((record as Record<string, unknown>)[column])}`;
}

async function count(table: string): Promise<number> {
  const [row] = await admin.rows<{ count: number }>(`select count(*)::int as count from ${table}`);
  return row!.count;
}

/** What the feeder does with what triggers left. */
function breaks(): Promise<unknown> {
  return worker.transaction(asDeliverer, (tx) => takeBreaks(tx));
}

/** The endpoint's newest delivery in full. */
async function shown({ id }: { id: string }): Promise<ShownDeliveryInFull> {
  const [delivery] = await webhooks.deliveries(service, { endpoint: id, limit: '1' });
  return webhooks.delivery(service, delivery!.id);
}

async function create(more: Record<string, unknown> = {}): Promise<{ endpoint: ShownEndpoint; secret: string }> {
  const { body, status } = await webhooks.create(service, { url: receiver.url, events: [{ table: 'orders' }], ...more }, null);
  expect(status).toBe(201);
  const { secret, ...endpoint } = JSON.parse(body!) as ShownEndpoint & { secret: string };
  return { endpoint, secret };
}

const terms: DeliveryTerms = { plan: { pauses: [0.05, 0.05, 0.05] }, breaker: { failures: 0, restSeconds: 1, mostRestSeconds: 4 }, timeoutMs: 1000, concurrency: 8, lingerMs: [1] };

/** Runs a job for the endpoint, as the engine would. */
function deliver(endpoint: { id: string }, more: Partial<DeliveryTerms> = {}, signal: AbortSignal = new AbortController().signal): Promise<Delivered> {
  const run = { signal, assertLease: () => Promise.resolve() } as unknown as JobRun;
  return makeDeliverer(more).deliver(endpoint.id, run);
}

function makeDeliverer(more: Partial<DeliveryTerms> = {}): EventDeliverer {
  return new EventDeliverer(worker, outward, webhookSealing(test.settings.secret!), { ...terms, ...more }, quiet);
}
