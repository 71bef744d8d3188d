import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import fc from 'fast-check';
import { ada, guest, openShop, service, type Answered, type Asked, type Shop } from './shop-database.ts';

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

/** Requests with a place for a value; what is asked must not change what is there. */
const lines: readonly [line: string, more: Asked][] = [
  ['/customers?select=id,name&name=eq.§', {}],
  ['/customers?id=gte.§&order=id', {}],
  ['/customers?id=not.lt.§&order=id.desc&limit=2', { headers: { prefer: 'count=exact' } }],
  ['/customers?select=name,orders(id,total)&name=neq.§&orders.total=gt.§&order=id', {}],
  ['/customers?select=name,orders!inner(id)&orders.id=lte.§', { headers: { prefer: 'count=planned' } }],
  ['/customers?name=eq.§', { headers: { accept: 'application/vnd.pgrst.object+json' } }],
  ['/notes?body=eq.§', { as: ada }],
  ['/rpc/find_orders?min_total=1&id=eq.§', {}],
  ['/rpc/add?a=§', {}],
  ['HEAD /orders?id=gt.§', { headers: { prefer: 'count=exact' } }],
  ['POST /loose', { body: { a: '§', b: 1 }, headers: { prefer: 'return=representation,tx=rollback' } }],
  ['POST /loose', { body: [{ a: '§' }, { a: 'x' }], headers: { prefer: 'return=representation,tx=rollback' } }],
  ['PATCH /customers?name=eq.§', { body: { name: '§' }, headers: { prefer: 'return=representation,tx=rollback' } }],
  ['DELETE /order_products?order_id=eq.§', { headers: { prefer: 'return=representation,tx=rollback' } }],
  ['POST /rpc/echo', { body: { said: '§' } }],
  ['POST /notes', { as: guest, body: { body: '§' } }],
];

function asked(which: number, value: string): Promise<Answered> {
  const [line, more] = lines[which]!;
  const body = more.body === undefined ? {} : { body: JSON.stringify(more.body).replaceAll('"§"', JSON.stringify(value)), headers: { 'content-type': 'application/json', ...more.headers } };
  return shop.ask(line.replaceAll('§', encodeURIComponent(value)), { ...more, ...body });
}

it('a request is answered alike whether its shape is known or not', async () => {
  const value = fc.oneof(fc.constantFrom('1', '2', '-1', 'Ada', '', 'null', 'eq.1', '"Ada"', '*', '%', '1,2', "'", '\\', '{1}'), fc.string({ unit: 'grapheme' }).filter((text) => text.isWellFormed()));
  await fc.assert(
    fc.asyncProperty(fc.nat(lines.length - 1), value, value, async (which, one, other) => {
      // The schema cache is another after a reload, and so nothing is known.
      await shop.keeper.reload();
      const first = await asked(which, one);
      const second = await asked(which, other);
      expect(await asked(which, one)).toEqual(first);
      expect(await asked(which, other)).toEqual(second);
    }),
    { numRuns: 60 },
  );
});

it('what a shape was planned for is not what another caller or schema is given', async () => {
  for (let turn = 0; turn < 3; turn += 1) {
    expect((await shop.ask('/loose?a=eq.1', { as: service })).status).toBe(200);
    expect((await shop.ask('/loose?a=eq.1', { as: guest })).status).toBe(401);
  }
  await database.admin.rows('alter table loose rename column a to c');
  await shop.keeper.reload();
  expect(await shop.ask('/loose?a=eq.1')).toMatchObject({ status: 400, body: { code: '42703' } });
  expect(await shop.ask('/loose?c=eq.1')).toMatchObject({ status: 200 });
});
