import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Fault, type Caller } from '@mainstay/domain';
import type { KeyedRequest } from '@mainstay/persistence';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { BatchService, EntryFault } from './batch.service.ts';
import { ada, ben, guest, openShop, service, type Shop } from './shop-database.ts';

let database: TestDatabase;
let shop: Shop;
let batches: BatchService;
beforeAll(async () => {
  database = await makeTestDatabase();
  // A busy machine may take its time for a thousand requests.
  await database.admin.rows(`alter role authenticator in database ${database.name} set statement_timeout = '60s'`);
  shop = await openShop(database, { house: { keepsAnswers: true } });
  batches = new BatchService(shop.rest, { maxEntries: 1000, maxBodyBytes: 1_000_000 });
  await database.admin.rows(`
    create table ledger (id int generated always as identity primary key, note text, amount numeric, parent int references ledger deferrable initially deferred);
    grant all on ledger to anon, authenticated, service_role;
    create table witnesses (who text);
    grant all on witnesses to anon, authenticated, service_role;
    create function witness() returns trigger language plpgsql as $$ begin insert into public.witnesses values (current_user); return null; end $$;
    create constraint trigger late after insert on ledger deferrable initially deferred for each row when (new.note = 'late') execute function witness();
    create function slow(seconds float) returns int language plpgsql stable set statement_timeout = '60s' as $$ begin perform pg_sleep(seconds); return 1; end $$;
    create function strict() returns text language sql stable set default_transaction_isolation = 'serializable' as $$ select current_setting('transaction_isolation') $$;
    create function sneak() returns int language sql volatile as $$ insert into public.ledger (note) values ('sneaked'); select 1 $$;
    create function told() returns int language plpgsql as $$ begin perform set_config('response.status', '202', true), set_config('response.headers', '[{"X-A":"1"}]', true); return 1; end $$;
    create function settings() returns json language sql stable as $$ select json_build_object('zone', current_setting('timezone'), 'path', current_setting('request.path'), 'method', current_setting('request.method'), 'tenant', current_setting('request.headers')::json->>'x-tenant', 'timeout', current_setting('statement_timeout')) $$;`);
  await shop.keeper.reload();
});
afterAll(async () => {
  await shop.keeper.close();
  await database.close();
});
beforeEach(async () => {
  await database.admin.rows('truncate ledger restart identity');
});

interface Told {
  readonly status: number;
  readonly body: unknown;
}

async function send(batch: unknown, { as = service, headers = {}, keyed = null, signal }: { as?: Caller; headers?: Record<string, string>; keyed?: KeyedRequest | null; signal?: AbortSignal } = {}): Promise<Told> {
  const bytes = new TextEncoder().encode(typeof batch === 'string' ? batch : JSON.stringify(batch));
  try {
    const { status, body } = await batches.answer(bytes, headers, as, { keyed, signal });
    return { status, body: JSON.parse(body as string) as unknown };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { status: error.status, body: { code: error.code, message: error.message, details: error.details, hint: error.hint, index: error instanceof EntryFault ? error.index : null } };
  }
}

const rows = { prefer: 'return=representation' };
const ledger = async (): Promise<unknown> => (await shop.ask('/ledger?select=note,amount::text,parent&order=id')).body;
const insert = (note: string, more: object = {}) => ({ method: 'POST', path: '/ledger', body: { note, ...more } });

describe('a batch', () => {
  it('answers each request as it would be answered alone', async () => {
    const answers = [
      { method: 'POST', path: '/ledger?select=id,amount', headers: rows, body: { note: 'a', amount: 1.5 } },
      { method: 'GET', path: '/rest/v1/ledger?note=eq.a&select=note' },
      { method: 'GET', path: 'ledger', query: { select: 'note', order: 'id' }, headers: { accept: 'text/csv' } },
      { method: 'PATCH', path: '/ledger', query: { note: { eq: 'a' } }, body: { note: 'b' } },
      { method: 'HEAD', path: '/ledger', headers: { prefer: 'count=exact' } },
      { method: 'OPTIONS', path: '/ledger' },
      { method: 'POST', path: '/rpc/add', body: { a: 1, b: 2 } },
      { method: 'DELETE', path: '/ledger?note=eq.b' },
    ];
    expect(await send(answers)).toMatchObject({
      status: 200,
      body: [
        { status: 201, headers: { 'content-type': 'application/json; charset=utf-8', 'preference-applied': 'return=representation' }, body: [{ id: 1, amount: 1.5 }] },
        { status: 200, headers: { 'content-range': '0-0/*', 'content-location': '/ledger?note=eq.a&select=note' }, body: [{ note: 'a' }] },
        { status: 200, body: 'note\na' },
        { status: 204, body: null },
        { status: 200, headers: { 'content-range': '0-0/1' }, body: null },
        { status: 200, headers: { allow: 'OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE' } },
        { status: 200, body: 3 },
        { status: 204, body: null },
      ],
    });
  });

  it('is done whole or not at all, and names what was refused', async () => {
    expect(await send([insert('a'), insert('b'), { method: 'POST', path: '/ledger', body: { amount: 'x' } }, insert('c')])).toEqual({
      status: 400,
      body: { code: '22P02', message: 'invalid input syntax for type numeric: "x"', details: null, hint: null, index: 2 },
    });
    expect(await send([insert('a'), { method: 'GET', path: '/nope' }])).toMatchObject({ status: 404, body: { code: 'PGRST205', index: 1 } });
    expect(await send([insert('a'), { method: 'GET', path: '/ledger', headers: { accept: 'application/vnd.pgrst.object+json' } }, { method: 'GET', path: '/ledger?note=eq.z', headers: { accept: 'application/vnd.pgrst.object+json' } }])).toMatchObject({ status: 406, body: { code: 'PGRST116', index: 2 } });
    expect(await ledger()).toEqual([]);
  });

  it('fails as a whole where only the commit tells', async () => {
    expect(await send([insert('a', { parent: 99 })])).toMatchObject({ status: 409, body: { code: '23503', index: null } });
    expect(await send([insert('a', { parent: 2 }), insert('b')])).toMatchObject({ status: 200 });
  });

  it('hands results on in bodies, digits and all', async () => {
    const { body } = await send(`[{"method":"POST","path":"/ledger?select=id,amount","headers":{"prefer":"return=representation"},"body":{"note":"a","amount":12345678901234567890.10}},
      {"method":"POST","path":"/ledger","body":[{"note":"child","parent":{"$ref":"0.body[0].id"},"amount":{"$ref":"0.body[0].amount"}},{"note":{"$ref":"0.headers.content-type"},"parent":null,"amount":{"$ref":"0.status"}}]}]`);
    expect(body).toMatchObject([{ status: 201 }, { status: 201 }]);
    expect(await ledger()).toEqual([
      { note: 'a', amount: '12345678901234567890.10', parent: null },
      { note: 'child', amount: '12345678901234567890.10', parent: 1 },
      { note: 'application/json; charset=utf-8', amount: '201', parent: null },
    ]);
  });

  it.each(['a', 'b,c', 'x") or 1=1 --', 'eq.1', '(any).{1}', '*', "it's", '', 'ü😀', '{"$ref":"0.status"}', '1;2&note=eq.a', '%', 'null'])('a reference to %j is bound as it is', async (note) => {
    const find = (query: unknown, path = '/ledger?select=note') => ({ method: 'GET', path, ...(query === null ? {} : { query }) });
    const reference = { $ref: '0.body[0].note' };
    const answer = await send([
      { method: 'POST', path: '/ledger?select=note', headers: rows, body: [{ note: { $literal: note } }] },
      { method: 'POST', path: '/ledger', body: { note: `${note}*x` } },
      find({ note: { eq: reference } }),
      find({ note: { in: [reference] } }),
      find({ note: { 'not.neq': reference } }),
      find({ note: { 'eq(any)': [reference] } }),
      find(null, '/ledger?select=note&note=eq.{"$ref":"0.body[0].note"}'),
    ]);
    expect(answer).toMatchObject({ status: 200, body: [{}, {}, ...Array.from({ length: 5 }, () => ({ status: 200, body: [{ note }] }))] });
  });

  it.each<[string, object, string]>([
    ['ahead', { note: { eq: { $ref: '1.body[0].note' } } }, '"1.body[0].note" names request 1, which is not before this one.'],
    ['past the end', { note: { eq: { $ref: '0.body[7].note' } } }, '"0.body[7].note": 0.body has 1 elements.'],
    ['to no key', { note: { eq: { $ref: '0.body[0].nope' } } }, '"0.body[0].nope": 0.body[0] has no "nope".'],
    ['that cannot be read', { note: { eq: { $ref: 'body.id' } } }, '"body.id" cannot be read.'],
    ['in a pattern', { note: { like: { $ref: '0.body[0].note' } } }, 'A $ref cannot stand after "like", which reads patterns or words.'],
    ['to null', { id: { eq: { $ref: '0.body[0].parent' } } }, 'The value of "eq" is null.'],
    ['without an operator', { note: { $ref: '0.body[0].note' } }, '"query"."note" is a $ref without an operator.'],
  ])('a reference %s is refused', async (_what, query, details) => {
    const answer = await send([{ method: 'POST', path: '/ledger', headers: rows, body: { note: 'a' } }, { method: 'GET', path: '/ledger', query }]);
    expect(answer).toMatchObject({ status: 400, body: { details, index: 1 } });
  });

  it.each<[string, unknown, string]>([
    ['no JSON', '{', 'The body is not valid JSON.'],
    ['another key', '{"a":1}', '"a" is no part of the batch; it may have requests, isolation, read_only.'],
    ['no request', [], 'The batch has no request.'],
    ['no object', [1], 'Request 0: it must be an object.'],
    ['no path', [insert('a'), { method: 'GET' }], 'Request 1: "path" must be a string.'],
    ['a header of the batch', [{ method: 'GET', path: '/ledger', headers: { Authorization: 'x' } }], 'Request 0: header "Authorization" belongs to the batch, not to one of its requests; here may stand accept, accept-profile, content-profile, content-type, prefer, range, range-unit, if-match, if-none-match.'],
    ['no isolation', { requests: [insert('a')], isolation: 'loose' }, '"isolation" must be one of read committed, repeatable read, serializable.'],
    ['too deep', '['.repeat(100_000), 'The JSON is nested deeper than 64 levels.'],
    ['too long', Array.from({ length: 1001 }, () => insert('a')), 'It has 1001; at most 1000 are taken.'],
  ])('%s is refused', async (_what, batch, details) => {
    expect(await send(batch)).toMatchObject({ status: 400, body: { details, index: null } });
  });

  it('runs as the caller, under the policies', async () => {
    const mine = await send([{ method: 'POST', path: '/notes?select=id', headers: rows, body: { body: 'mine' } }, { method: 'GET', path: '/notes?select=body' }], { as: ada });
    expect(mine).toMatchObject({ status: 200, body: [{ status: 201 }, { body: [{ body: 'mine' }] }] });
    expect(await send([{ method: 'GET', path: '/notes' }], { as: ben })).toMatchObject({ body: [{ body: [] }] });
    expect(await send([{ method: 'POST', path: '/loose', body: { a: 'x' } }], { as: guest })).toMatchObject({ status: 401, body: { code: '42501', index: 0 } });
  });

  it('what one request sets, the next does not find', async () => {
    const call = (headers: object = {}) => ({ method: 'POST', path: '/rpc/settings', headers, body: {} });
    const { body } = await send([call({ prefer: 'timezone=Asia/Tokyo' }), call(), { method: 'POST', path: '/rpc/told', body: {} }, { method: 'POST', path: '/rpc/add', body: { a: 1 } }], { headers: { 'x-tenant': 't1', prefer: 'return=minimal', accept: 'text/csv' } });
    expect(body).toMatchObject([{ body: { zone: 'Asia/Tokyo', path: '/rpc/settings', method: 'POST', tenant: 't1' } }, { body: { zone: expect.not.stringContaining('Tokyo') } }, { status: 202, headers: { 'x-a': '1' } }, { status: 200, body: 11 }]);
    expect((body as { headers: object }[])[3]!.headers).not.toHaveProperty('x-a');
  });

  it('a read cannot write, though the batch may', async () => {
    expect(await send([insert('a'), { method: 'GET', path: '/rpc/sneak' }])).toMatchObject({ status: 405, body: { code: '25006', index: 1 } });
    expect(await send([{ method: 'GET', path: '/rpc/add?a=1' }, insert('a')])).toMatchObject({ status: 200 });
  });

  it('may be read-only and of another isolation', async () => {
    expect(await send({ requests: [insert('a')], read_only: true })).toMatchObject({ status: 405, body: { code: '25006', index: 0 } });
    const strict = { method: 'POST', path: '/rpc/strict', body: {} };
    expect(await send({ requests: [strict], isolation: 'serializable' })).toMatchObject({ body: [{ body: 'serializable' }] });
    expect(await send([strict])).toMatchObject({ status: 400, body: { code: 'batch_isolation_too_weak', index: 0 } });
  });

  it('tx=rollback undoes one request, or the batch', async () => {
    expect(await send([{ ...insert('gone'), headers: { prefer: 'tx=rollback' } }, insert('stays')])).toMatchObject({ status: 200 });
    expect(await send([insert('gone too')], { headers: { prefer: 'tx=rollback' } })).toMatchObject({ status: 200, body: [{ status: 201 }] });
    expect(await send([insert('heard not')], { headers: { prefer: 'tx=rollback' }, as: ada })).toMatchObject({ status: 200 });
    expect(await ledger()).toMatchObject([{ note: 'stays' }, { note: 'heard not' }]);
  });

  it('the time of the role is the time of the whole', async () => {
    await database.admin.rows(`alter role authenticated set statement_timeout = '1s'`);
    await shop.keeper.reload();
    try {
      const nap = { method: 'POST', path: '/rpc/slow', body: { seconds: 0.4 } };
      expect(await send([nap], { as: ada })).toMatchObject({ status: 200 });
      expect(await send([nap, nap, nap], { as: ada })).toMatchObject({ status: 500, body: { code: '57014' } });
    } finally {
      await database.admin.rows(`alter role authenticated set statement_timeout = '8s'`);
      await shop.keeper.reload();
    }
  });

  it('is cancelled when its client leaves', async () => {
    const leaving = new AbortController();
    const sent = send([insert('a'), { method: 'POST', path: '/rpc/dawdle', body: { seconds: 20 } }], { signal: leaving.signal });
    while ((await database.admin.rows(`select 1 from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`)).length === 0) await pause(20);
    leaving.abort();
    expect(await sent).toMatchObject({ body: { code: '57014' } });
    expect(await ledger()).toEqual([]);
  });

  it('is done again when another hinders it', async () => {
    await shop.ask('POST /ledger', { body: { note: 'n', amount: 0 } });
    const add = { requests: [{ method: 'GET', path: '/ledger?id=eq.1' }, { method: 'POST', path: '/rpc/dawdle', body: { seconds: 0.05 } }, insert('seen'), { method: 'PATCH', path: '/ledger?id=eq.1', body: { note: 'm' } }], isolation: 'repeatable read' };
    const answers = await Promise.all([send(add), send(add), send(add)]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(await ledger()).toHaveLength(4);
  });

  it('rows with children and updates of many rows are requests as well', async () => {
    const { status, body } = await send([
      { method: 'POST', path: '/ledger?select=id,ledger(id,note)', headers: rows, body: { note: 'top', ledger: [{ note: 'x' }, { note: 'y' }] } },
      { method: 'PATCH', path: '/ledger?on_conflict=id', body: [{ id: { $ref: '0.body[0].ledger[0].id' }, amount: 1 }, { id: { $ref: '0.body[0].ledger[1].id' }, amount: 2 }] },
      { method: 'GET', path: '/ledger?select=amount&order=id' },
    ]);
    expect({ status, body }).toMatchObject({ status: 200, body: [{ body: [{ id: 1, ledger: [{ id: 2, note: 'x' }, { id: 3, note: 'y' }] }] }, { headers: { 'missing-rows': '0' } }, { body: [{ amount: null }, { amount: 1 }, { amount: 2 }] }] });
    expect(await send([insert('a'), { method: 'PATCH', path: '/ledger?on_conflict=id', body: [{ id: 1, amount: 1 }, { id: 1, amount: 2 }] }])).toMatchObject({ status: 400, body: { code: 'PGRSTX32', index: 1 } });
    expect(await ledger()).toHaveLength(3);
  });

  it('a thousand requests are one transaction', async () => {
    const { status, body } = await send(Array.from({ length: 1000 }, (_, i) => insert(String(i))));
    expect({ status, length: (body as unknown[]).length, rows: ((await ledger()) as unknown[]).length }).toEqual({ status: 200, length: 1000, rows: 1000 });
  });
});

describe('an Idempotency-Key', () => {
  const keyed = (key: string, body = '', path = '/rest/v1/ledger', owner = 'somebody'): KeyedRequest => ({ owner, key, method: 'POST', path, bodyHash: createHash('sha256').update(body).digest() });
  const post = async (request: KeyedRequest, body: object, as: Caller = service, headers: Record<string, string> = rows) => {
    const http = { method: 'POST', path: '/ledger', query: 'select=id,note', headers, body: new TextEncoder().encode(JSON.stringify(body)) };
    try {
      const answer = await shop.rest.answer(http, as, { keyed: request });
      return { status: answer.status, headers: Object.fromEntries(answer.headers), body: answer.body };
    } catch (error) {
      return { status: (error as Fault).status, headers: (error as Fault).headers, code: (error as Fault).code };
    }
  };

  it('makes one request of two', async () => {
    const first = await post(keyed('k1'), { note: 'once' }, ada);
    const second = await post(keyed('k1'), { note: 'once' }, ada);
    expect(first).toMatchObject({ status: 201, body: '[{"id":1,"note":"once"}]' });
    expect(second).toEqual({ ...first, headers: { ...first.headers, 'Idempotency-Replayed': 'true' } });
    expect(await ledger()).toHaveLength(1);
  });

  it('belongs to its owner and to one request', async () => {
    await post(keyed('k2', 'a'), { note: 'a' });
    expect(await post(keyed('k2', 'b'), { note: 'b' })).toMatchObject({ status: 422, code: 'idempotency_key_reused' });
    expect(await post(keyed('k2', 'a', '/rest/v1/other'), { note: 'a' })).toMatchObject({ status: 422 });
    expect(await post(keyed('k2', 'a', '/rest/v1/ledger', 'another'), { note: 'a' }, ben)).toMatchObject({ status: 201 });
  });

  it('is free again after a refusal, and where nothing was to stay', async () => {
    expect(await post(keyed('k3'), { amount: 'x' })).toMatchObject({ status: 400 });
    expect(await post(keyed('k3'), { note: 'x' }, service, { prefer: 'return=representation,tx=rollback' })).toMatchObject({ status: 201 });
    expect(await post(keyed('k3'), { note: 'x' }, guest)).toMatchObject({ status: 201 });
    expect(await ledger()).toHaveLength(1);
  });

  it('of fifty at once one takes effect', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => post(keyed('k4'), { note: 'once' })));
    expect(await ledger()).toHaveLength(1);
    expect(answers.filter(({ status }) => status !== 201 && status !== 409)).toEqual([]);
    expect(await post(keyed('k4'), { note: 'once' })).toMatchObject({ status: 201, headers: { 'Idempotency-Replayed': 'true' } });
  });

  it('holds for batches, also where what is deferred fails at the commit', async () => {
    const request = keyed('k5', '', '/batch/v1');
    expect(await send([insert('a', { parent: 99 })], { keyed: request })).toMatchObject({ status: 409, body: { code: '23503' } });
    const first = await send([insert('a'), insert('b')], { keyed: request, as: ada });
    expect(await send([insert('a'), insert('b')], { keyed: request, as: ada })).toEqual(first);
    expect(await ledger()).toHaveLength(2);
  });

  it('what is deferred to the commit runs as the caller all the same', async () => {
    await post(keyed('k6'), { note: 'late' }, ada);
    await send([insert('late')], { keyed: keyed('k7', '', '/batch/v1'), as: ada });
    expect(await database.admin.rows('select who from witnesses')).toEqual([{ who: 'authenticated' }, { who: 'authenticated' }]);
  });

  it('callers cannot read what is kept, and the login only by its two functions', async () => {
    const pool = database.as('authenticator', 1);
    for (const role of ['anon', 'authenticated', 'service_role']) {
      await expect(pool.transaction({ role, settings: {} }, (tx) => tx.rows(`select mainstay_internal.recall_reply('somebody', 'k1', '', '', '')`))).rejects.toMatchObject({ code: '42501' });
    }
    await expect(pool.rows('select * from mainstay_internal.idempotency_keys')).rejects.toMatchObject({ code: '42501' });
  });
});

describe('a write without a filter', () => {
  it.each<[string, Caller, number]>([
    ['DELETE /ledger', guest, 400],
    ['DELETE /ledger', ada, 400],
    ['DELETE /ledger?select=id&order=id&limit=1', ada, 400],
    ['PATCH /ledger', ada, 400],
    ['DELETE /ledger?id=gt.0', ada, 204],
    ['PATCH /ledger?or=(id.eq.1,id.eq.2)', ada, 204],
    ['DELETE /ledger', service, 204],
  ])('%s', async (line, as, status) => {
    const answer = await shop.ask(line, { as, ...(line.startsWith('PATCH') ? { body: { note: 'z' } } : {}) });
    expect(answer.status).toBe(status);
    if (status === 400) expect(answer.body).toMatchObject({ code: '21000', message: `${line.startsWith('PATCH') ? 'UPDATE' : 'DELETE'} requires a WHERE clause` });
  });
});
