import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { ada, ben, guest, openShop, service, type Shop } from './shop-database.ts';

let database: TestDatabase;
let shop: Shop;
beforeAll(async () => {
  database = await makeTestDatabase();
  shop = await openShop(database);
});
afterAll(async () => {
  await shop.keeper.close();
  await database.close();
});

/** Every write of a table is undone, so that its rows stay those of the beginning. */
const undone = (headers: Record<string, string> = {}) => ({ ...headers, prefer: [headers['prefer'], 'tx=rollback'].filter(Boolean).join(',') });
const rows = { prefer: 'return=representation' };

describe('reads', () => {
  it.each<[string, unknown]>([
    ['/customers?select=id&order=id', [{ id: 1 }, { id: 2 }, { id: 3 }]],
    ['/customers?select=n:name,id::text&id=eq.1', [{ n: 'Ada', id: '1' }]],
    ['/orders?select=note->gift->>to&id=eq.1', [{ to: 'Bo' }]],
    ['/orders?select=note->n->1&id=eq.1', [{ n: 2 }]],
    ['/orders?select=id&note->gift->>to=eq.Bo', [{ id: 1 }]],
    ['/orders?select=total&id=eq.1', [{ total: 12.5 }]],
    ['/orders?select=id,label&label=eq.Order%202', [{ id: 2, label: 'Order 2' }]],
    ['/orders?select=id&id=in.(1,3,99)&order=id.desc', [{ id: 3 }, { id: 1 }]],
    ['/orders?select=id&id=in.()', []],
    ['/orders?select=id&customer_id=is.null', [{ id: 4 }]],
    ['/orders?select=id&or=(id.eq.1,and(total.gte.100,customer_id.not.is.null))&order=id', [{ id: 1 }, { id: 3 }]],
    ['/customers?select=id&name=like(any).{A*,B*}&order=id', [{ id: 1 }, { id: 2 }]],
    ['/products?select=id&tags=cs.{ink}', [{ id: 1 }]],
    ['/products?select=id&about=fts(english).cat', [{ id: 2 }]],
    ['/products?select=id&name=fts(english).pens', [{ id: 1 }]],
    ['/customers?select=id&order=id&limit=1&offset=1', [{ id: 2 }]],
    ['/customers?select=count()', [{ count: 3 }]],
    ['/orders?select=customer_id,total.sum()&order=customer_id', [{ customer_id: 1, sum: 17.5 }, { customer_id: 2, sum: 100 }, { customer_id: null, sum: 1 }]],
  ])('%s', async (line, body) => {
    expect(await shop.ask(line)).toMatchObject({ status: 200, body });
  });

  it.each<[string, string, unknown]>([
    ['to one', '/orders?select=id,customers(name)&order=id&limit=1', [{ id: 1, customers: { name: 'Ada' } }]],
    ['to one that is none', '/orders?select=customers(name)&id=eq.4', [{ customers: null }]],
    ['to many', '/customers?select=name,orders(id)&orders.order=id.desc&order=id&limit=2', [{ name: 'Ada', orders: [{ id: 2 }, { id: 1 }] }, { name: 'Ben', orders: [{ id: 3 }] }]],
    ['with a window of its own', '/customers?select=orders(id)&orders.order=id&orders.limit=1&id=eq.1', [{ orders: [{ id: 1 }] }]],
    ['with a filter of its own', '/customers?select=id,o:orders(id)&o.total=gt.10&order=id', [{ id: 1, o: [{ id: 1 }] }, { id: 2, o: [{ id: 3 }] }, { id: 3, o: [] }]],
    ['inner, so that it filters', '/customers?select=id,orders!inner(id)&orders.total=gt.50', [{ id: 2, orders: [{ id: 3 }] }]],
    ['through a junction, nested', '/customers?select=orders(products(name))&id=eq.2', [{ orders: [{ products: [{ name: 'Cup' }] }] }]],
    ['of itself: parent', '/customers?select=name,referrer_id(name)&id=eq.2', [{ name: 'Ben', referrer_id: { name: 'Ada' } }]],
    ['of itself: children', '/customers?select=customers(id)&id=eq.1&customers.order=id', [{ customers: [{ id: 2 }, { id: 3 }] }]],
    ['from a view', '/big_orders?select=number,customers(name)&order=number', [{ number: 1, customers: { name: 'Ada' } }, { number: 3, customers: { name: 'Ben' } }]],
    ['to a view', '/customers?select=id,big_orders(number)&order=id&limit=1', [{ id: 1, big_orders: [{ number: 1 }] }]],
    ['computed', '/customers?select=latest_order(id)&id=eq.1', [{ latest_order: { id: 2 } }]],
    ['spread', '/orders?select=id,...customers(buyer:name)&order=id&limit=1', [{ id: 1, buyer: 'Ada' }]],
    ['spread to many', '/customers?select=id,...orders(ids:id,totals:total)&orders.order=id&order=id', [{ id: 1, ids: [1, 2], totals: [12.5, 5] }, { id: 2, ids: [3], totals: [100] }, { id: 3, ids: [], totals: [] }]],
    ['spread with an aggregate', '/orders?select=...customers(name),total.sum()&customer_id=lt.2', [{ name: 'Ada', sum: 17.5 }]],
    ['spread, aggregated by the parent', '/orders?select=customer_id,...customers(id.count())&customer_id=eq.1', [{ customer_id: 1, count: 2 }]],
    ['grouped by', '/orders?select=customers(name),total.max()&customer_id=lt.2', [{ customers: { name: 'Ada' }, max: 12.5 }]],
    ['those without', '/customers?select=id,orders()&orders=is.null', [{ id: 3 }]],
    ['ordering the parents', '/orders?select=id,customers()&order=customers(name).desc.nullslast,id', [{ id: 3 }, { id: 1 }, { id: 2 }, { id: 4 }]],
    ['into what a function gives', '/rpc/find_orders?min_total=50&select=id,customers(name)', [{ id: 3, customers: { name: 'Ben' } }]],
  ])('embeds %s', async (_what, line, body) => {
    expect(await shop.ask(line)).toMatchObject({ status: 200, body });
  });

  it.each<[string, Record<string, string>, number, string]>([
    ['/orders?limit=2', { prefer: 'count=exact' }, 206, '0-1/4'],
    ['/orders', { prefer: 'count=exact' }, 200, '0-3/4'],
    ['/orders?offset=2&limit=9', {}, 200, '2-3/*'],
    ['/customers?select=id,orders!inner(id)&limit=1', { prefer: 'count=exact' }, 206, '0-0/2'],
    ['/orders', { range: '1-2', prefer: 'count=exact' }, 206, '1-2/4'],
    ['/orders?limit=1', { prefer: 'count=estimated' }, 206, '0-0/4'],
    ['HEAD /orders?limit=1', { prefer: 'count=exact' }, 206, '0-0/4'],
  ])('%s %j is %i %s', async (line, headers, status, range) => {
    expect(await shop.ask(line, { headers })).toMatchObject({ status, headers: { 'content-range': range } });
  });

  it.each<[string, string, unknown, string]>([
    ['application/vnd.pgrst.object+json', '/orders?select=id,note&id=eq.2', { id: 2, note: null }, 'application/vnd.pgrst.object+json; charset=utf-8'],
    ['application/vnd.pgrst.object+json;nulls=stripped', '/orders?select=id,note&id=eq.2', { id: 2 }, 'application/vnd.pgrst.object+json;nulls=stripped; charset=utf-8'],
    ['application/vnd.pgrst.array+json;nulls=stripped', '/orders?select=id,note&id=eq.2', [{ id: 2 }], 'application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8'],
    ['text/csv', '/customers?select=id,name&id=lt.3&order=id', 'id,name\n1,Ada\n2,Ben', 'text/csv; charset=utf-8'],
    ['text/csv;q=0.5, application/json', '/customers?select=id&id=eq.1', [{ id: 1 }], 'application/json; charset=utf-8'],
  ])('%s', async (accept, line, body, type) => {
    expect(await shop.ask(line, { headers: { accept } })).toMatchObject({ status: 200, body, headers: { 'content-type': type } });
  });

  it('a row is sent with the digits and the order that PostgreSQL gives it', async () => {
    await database.admin.rows(`create table exact (n numeric, b bigint); insert into exact values (12345678901234567890.12345678901234567890, 9007199254740993); grant select on exact to service_role; notify pgrst`);
    await shop.keeper.reload();
    expect(await shop.ask('/exact?select=b::text,n::text')).toMatchObject({ body: [{ b: '9007199254740993', n: '12345678901234567890.12345678901234567890' }] });
  });
});

describe('writes', () => {
  it.each<[string, unknown, Record<string, string>, number, unknown]>([
    ['POST /customers', { id: 9, name: 'Di' }, {}, 201, null],
    ['POST /customers', { id: 9, name: 'Di' }, rows, 201, [{ id: 9, name: 'Di', referrer_id: null }]],
    ['POST /customers?select=name', [{ id: 8, name: 'Di' }, { id: 9, name: 'Ed' }], rows, 201, [{ name: 'Di' }, { name: 'Ed' }]],
    ['POST /orders?select=total,customers(name)', { customer_id: 1 }, rows, 201, [{ total: 9.9, customers: { name: 'Ada' } }]],
    ['POST /orders?select=total', { total: '12345678.12' }, rows, 201, [{ total: 12345678.12 }]],
    ['POST /orders?columns="total","customer_id"&select=total', [{ total: 1 }, { customer_id: 2 }], { prefer: 'missing=default,return=representation' }, 201, [{ total: 1 }, { total: 9.9 }]],
    ['POST /orders?columns=total,customer_id&select=total', [{ total: 1 }, { customer_id: 2 }], rows, 201, [{ total: 1 }, { total: null }]],
    ['POST /customers', [], rows, 201, []],
    ['POST /customers', [{ id: 1, name: 'Ann' }, { id: 9, name: 'Di' }], { prefer: 'resolution=merge-duplicates,return=representation' }, 201, [{ id: 1, name: 'Ann', referrer_id: null }, { id: 9, name: 'Di', referrer_id: null }]],
    ['POST /customers', [{ id: 1, name: 'Ann' }], { prefer: 'resolution=merge-duplicates' }, 200, null],
    ['POST /customers?on_conflict=name', [{ id: 7, name: 'Ada' }, { id: 9, name: 'Di' }], { prefer: 'resolution=ignore-duplicates,return=representation' }, 201, [{ id: 9, name: 'Di', referrer_id: null }]],
    ['PATCH /customers?id=eq.1', { name: 'Ann' }, rows, 200, [{ id: 1, name: 'Ann', referrer_id: null }]],
    ['PATCH /customers?id=eq.99', { name: 'Ann' }, rows, 200, []],
    ['PATCH /customers?id=eq.1', {}, {}, 204, null],
    ['DELETE /order_products?order_id=eq.1&select=product_id&order=product_id.desc', undefined, rows, 200, [{ product_id: 2 }, { product_id: 1 }]],
    ['PUT /customers?id=eq.1', { id: 1, name: 'Ann' }, rows, 200, [{ id: 1, name: 'Ann', referrer_id: null }]],
    ['PUT /customers?id=eq.9', { id: 9, name: 'Di' }, rows, 201, [{ id: 9, name: 'Di', referrer_id: null }]],
    ['POST /loose', 'a,b\n"x,y",1\nNULL,2', { 'content-type': 'text/csv', ...rows }, 201, [{ a: 'x,y', b: 1 }, { a: null, b: 2 }]],
    ['POST /loose', 'a=x+y&b=3', { 'content-type': 'application/x-www-form-urlencoded', ...rows }, 201, [{ a: 'x y', b: 3 }]],
  ])('%s %j %j is %i', async (line, body, headers, status, answered) => {
    expect(await shop.ask(line, { body, headers: undone(headers) })).toMatchObject({ status, body: answered });
  });

  it.each<[string, unknown, Record<string, string>, number, string]>([
    ['POST /customers', { id: 1, name: 'Di' }, {}, 409, '23505'],
    ['POST /orders', { customer_id: 99 }, {}, 409, '23503'],
    ['POST /customers', { id: 9 }, {}, 400, '23502'],
    ['POST /customers', { id: 'x', name: 'Di' }, {}, 400, '22P02'],
    ['POST /customers', { nope: 1 }, {}, 400, 'PGRST204'],
    ['POST /customers', '{', {}, 400, 'PGRST102'],
    ['POST /notes', { id: 5, body: 'x' }, {}, 400, '428C9'],
    ['PATCH /customers', { referrer_id: null }, { accept: 'application/vnd.pgrst.object+json' }, 406, 'PGRST116'],
    ['DELETE /order_products', undefined, { prefer: 'handling=strict,max-affected=1' }, 400, 'PGRST124'],
    ['PUT /customers?id=eq.1', { id: 2, name: 'Di' }, {}, 400, 'PGRST115'],
    ['POST /customers', [{ id: 9, name: 'Di' }, { id: 9, name: 'Ed' }], { prefer: 'resolution=merge-duplicates' }, 400, '21000'],
  ])('%s %j is refused: %j %i %s', async (line, body, headers, status, code) => {
    expect(await shop.ask(line, { body, headers })).toMatchObject({ status, body: { code } });
    expect((await shop.ask('/order_products')).body).toHaveLength(3);
    expect((await shop.ask('/customers?select=id,name,referrer_id&order=id')).body).toEqual([{ id: 1, name: 'Ada', referrer_id: null }, { id: 2, name: 'Ben', referrer_id: 1 }, { id: 3, name: 'Cy', referrer_id: 1 }]);
  });

  it('a new row tells where it is', async () => {
    expect(await shop.ask('POST /customers', { body: { id: 9, name: 'Di' }, headers: undone({ prefer: 'return=headers-only' }) })).toMatchObject({ status: 201, headers: { location: '/customers?id=eq.9' } });
  });

  it('tx=rollback commits nothing, and only the service role may ask for it', async () => {
    await shop.ask('POST /loose', { body: { a: 'gone' }, headers: { prefer: 'tx=rollback' } });
    await shop.ask('POST /loose', { as: ada, body: { a: 'kept' }, headers: { prefer: 'tx=rollback' } });
    expect((await shop.ask('/loose?select=a')).body).toEqual([{ a: 'kept' }]);
    await shop.ask('DELETE /loose');
  });
});

it('the time that each stage took is told where that is asked for', async () => {
  const timed = await openShop(database, { sql: 'select 1', isTimingShown: true });
  const times = /^jwt;dur=[\d.]+, parse;dur=[\d.]+, plan;dur=[\d.]+, transaction;dur=[\d.]+, response;dur=[\d.]+$/;
  for (let turn = 0; turn < 3; turn += 1) expect((await timed.ask('/customers?id=eq.1')).headers['server-timing']).toMatch(times);
  expect((await timed.ask('POST /loose', { body: { a: 'x' }, headers: undone() })).headers['server-timing']).toMatch(times);
  expect((await shop.ask('/customers?id=eq.1')).headers).not.toHaveProperty('server-timing');
  await timed.keeper.close();
});

describe('calls', () => {
  const json = { 'content-type': 'application/json' };
  it.each<[string, unknown, Record<string, string>, number, unknown]>([
    ['/rpc/add?a=1', undefined, {}, 200, 11],
    ['POST /rpc/add', { a: 1, b: 2 }, json, 200, 3],
    ['/rpc/find_orders?min_total=5&total=lt.50&select=id&order=id', undefined, {}, 200, [{ id: 1 }, { id: 2 }]],
    ['/rpc/pair', undefined, {}, 200, { x: 1, y: 'two' }],
    ['/rpc/total_of?v=1.5&v=2', undefined, {}, 200, 3.5],
    ['POST /rpc/total_of', { v: [1, 2] }, json, 200, 3],
    ['POST /rpc/echo', { a: [1, 2] }, json, 200, { a: [1, 2] }],
    ['POST /rpc/shout', 'hé', { 'content-type': 'text/plain' }, 200, 'HÉ'],
    ['POST /rpc/nothing', {}, json, 204, null],
    ['/rpc/find_orders?min_total=5', undefined, { accept: 'application/vnd.pgrst.object+json' }, 406, expect.objectContaining({ code: 'PGRST116' })],
    ['/rpc/new_order?customer=1', undefined, {}, 405, expect.objectContaining({ code: '25006' })],
    ['/rpc/add', undefined, {}, 404, expect.objectContaining({ code: 'PGRST202' })],
    ['/rpc/add?a=x', undefined, {}, 400, expect.objectContaining({ code: '22P02' })],
    ['POST /rpc/refuse', {}, json, 402, { code: 'PT402', message: 'Pay first', details: 'no money', hint: 'earn some' }],
  ])('%s %j %j is %i', async (line, body, headers, status, answered) => {
    expect(await shop.ask(line, { body, headers })).toMatchObject({ status, body: answered });
  });

  it('a function sees who asks and how', async () => {
    const headers = { 'user-agent': 'spec', cookie: 'c=biscuit; d=e', prefer: 'timezone=Asia/Tokyo' };
    expect((await shop.ask('/rpc/whoami', { as: ada, headers })).body).toEqual({ role: 'authenticated', sub: ada.subject, method: 'GET', path: '/rpc/whoami', agent: 'spec', cookie: 'biscuit', timeout: '8s', zone: 'Asia/Tokyo' });
    expect((await shop.ask('/rpc/whoami', { as: guest })).body).toMatchObject({ role: 'anon', sub: null, timeout: '3s' });
  });

  it('a function may set status and headers of its answer', async () => {
    expect(await shop.ask('POST /rpc/answer_with', { body: { status: 299, header: 'hi' } })).toMatchObject({ status: 299, headers: { 'x-shop': 'hi' }, body: 'ok' });
  });

  it('an unknown time zone is refused', async () => {
    expect(await shop.ask('/customers', { headers: { prefer: 'timezone=Nowhere' } })).toMatchObject({ status: 400, body: { code: '22023' } });
  });

  it('a volatile function writes by POST', async () => {
    expect(await shop.ask('POST /rpc/new_order?select=customers(name)', { body: { customer: 2 }, headers: undone() })).toMatchObject({ status: 200, body: { customers: { name: 'Ben' } } });
  });

  it('the database’s own timeout ends what takes too long', async () => {
    expect(await shop.ask('POST /rpc/dawdle', { as: guest, body: { seconds: 10 } })).toMatchObject({ status: 500, body: { code: '57014' } });
  });
});

describe('row-level security', () => {
  beforeAll(async () => {
    await shop.ask('POST /notes', { as: ada, body: { body: 'of Ada' } });
    await shop.ask('POST /notes', { as: ben, body: { body: 'of Ben' } });
  });

  it.each<[string, typeof ada, string[]]>([
    ['a guest', guest, []],
    ['a member', ada, ['of Ada']],
    ['another member', ben, ['of Ben']],
    ['the service key', service, ['of Ada', 'of Ben']],
  ])('%s sees what is theirs, by any way and count', async (_who, as, bodies) => {
    const { body, headers } = await shop.ask('/notes?select=body&order=id', { as, headers: { prefer: 'count=exact' } });
    expect(body).toEqual(bodies.map((text) => ({ body: text })));
    expect(headers['content-range']).toMatch(new RegExp(`/${bodies.length}$`));
  });

  it.each<[string, typeof ada, string, unknown, number, unknown]>([
    ['a guest cannot add', guest, 'POST /notes', { body: 'x', owner: ada.subject }, 401, expect.objectContaining({ code: '42501' })],
    ['a member cannot add for another', ben, 'POST /notes', { body: 'x', owner: ada.subject }, 403, expect.objectContaining({ code: '42501' })],
    ['a member changes nothing of another', ben, 'PATCH /notes?body=eq.of%20Ada', { body: 'x' }, 200, []],
    ['a member deletes nothing of another', ben, 'DELETE /notes?body=eq.of%20Ada', undefined, 200, []],
    ['a guest has no right on what is not granted', guest, '/loose', undefined, 401, expect.objectContaining({ code: '42501' })],
    ['nobody acts as a role that there is not', { ...ada, role: 'nobody' }, '/customers', undefined, 401, expect.objectContaining({ code: '22023' })],
    ['nobody acts as a role of the house', { ...ada, role: 'supabase_admin' }, '/customers', undefined, 403, expect.objectContaining({ code: '42501' })],
  ])('%s', async (_what, as, line, body, status, answered) => {
    expect(await shop.ask(line, { as, body, headers: rows })).toMatchObject({ status, body: answered });
  });
});

describe('hostile requests', () => {
  it.each([
    "/customers?name=eq.';drop table customers;--",
    "/customers?select=id,name::text');--",
    "/customers?select=%22id%22%22%20from%20x%22",
    '/customers?order=id;select%201',
    "/orders?note->>%27%20or%201=1--=eq.1",
    "/orders?select=note->>'x",
    '/orders?note->>\\=eq.1',
    "/products?about=fts(english%27).x",
    '/customers?select=id::%22text%22',
    '/orders?select=note->99999999999',
    '/customers?id=in.(1,"2)")',
    '/customers?name=match.((((',
    '/customers?limit=99999999999999999999&offset=99999999999999999999',
    `/customers?name=eq.${'x'.repeat(10_000)}`,
    '/rpc/add?a=99999999999999999999',
    '/customers?select=referrer_id(referrer_id(referrer_id(referrer_id(id))))',
  ])('%s is answered or refused, never with a 5xx', async (line) => {
    const { status } = await shop.ask(line, { as: ada });
    expect(status).toBeLessThan(500);
    expect((await shop.ask('/customers?select=count()')).body).toEqual([{ count: 3 }]);
  });
});
