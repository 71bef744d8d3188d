import type { Caller } from '@mainstay/domain';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { ada, ben, openShop, service, type Shop } from './shop-database.ts';

const sql = `
create table items (id int primary key, code text not null unique, price numeric(12,2), amount int default 1, owner uuid);
create table stock (shelf int, place text, amount int, primary key (shelf, place));
alter table items enable row level security;
create policy own on items using (owner is null or owner = auth.uid());
grant all on all tables in schema public to anon, authenticated, service_role;
`;

let database: TestDatabase;
let shop: Shop;
beforeAll(async () => {
  database = await makeTestDatabase();
  shop = await openShop(database, { sql });
});
afterAll(async () => {
  await shop.keeper.close();
  await database.close();
});
beforeEach(async () => {
  await database.admin.rows(`truncate items, stock;
    insert into items values (1, 'a', 1, 1, null), (2, 'b', 2, 2, null), (3, 'c', 3, 3, '${ben.subject}');
    insert into stock values (1, 'x', 1), (1, 'y', 2), (2, 'x', 3);`);
});

const rows = 'return=representation';
const patch = (line: string, body: unknown, { prefer = rows, as = service, ...headers }: { prefer?: string; as?: Caller; accept?: string } = {}) => shop.ask(`PATCH ${line}`, { body, as, headers: { prefer, ...headers } });

describe('an update of many rows', () => {
  it.each<[string, unknown, unknown[], string]>([
    ['/items?on_conflict=id&select=id,price&order=id', [{ id: 1, price: 10 }, { id: 2, price: '20.5' }], [{ id: 1, price: 10 }, { id: 2, price: 20.5 }], '0'],
    ['/items?columns=id,price&select=id,price&order=id', [{ id: 2, price: 20, extra: 1 }, { id: 1 }], [{ id: 1, price: null }, { id: 2, price: 20 }], '0'],
    ['/items?on_conflict=code&select=id,price', [{ code: 'b', price: 9 }, { code: 'z', price: 9 }], [{ id: 2, price: 9 }], '1'],
    ['/items?on_conflict=id&select=id&order=id', [{ id: 1, price: 0 }, { id: 9, price: 0 }, { id: 2, price: 0 }], [{ id: 1 }, { id: 2 }], '1'],
    ['/items?on_conflict=id&price=gt.1&select=id', [{ id: 1, price: 5 }, { id: 2, price: 5 }], [{ id: 2 }], '1'],
    ['/stock?on_conflict=shelf,place&select=shelf,place,amount&order=shelf', [{ shelf: 1, place: 'x', amount: 10 }, { shelf: 2, place: 'x', amount: 30 }], [{ shelf: 1, place: 'x', amount: 10 }, { shelf: 2, place: 'x', amount: 30 }], '0'],
    ['/stock?columns=shelf,place,amount&select=amount', [{ shelf: 1, place: 'y', amount: 7 }], [{ amount: 7 }], '0'],
  ])('%s %j', async (line, body, answer, missing) => {
    expect(await patch(line, body)).toMatchObject({ status: 200, headers: { 'missing-rows': missing, 'content-range': `0-${answer.length - 1}/*` }, body: answer });
  });

  it('inserts nothing', async () => {
    expect(await patch('/items?on_conflict=id', [{ id: 8, price: 1 }])).toMatchObject({ status: 200, headers: { 'missing-rows': '1', 'content-range': '*/*' }, body: [] });
    expect(await database.admin.rows('select count(*)::int as n from items')).toEqual([{ n: 3 }]);
  });

  it('hears the preferences', async () => {
    expect(await patch('/items?on_conflict=id', [{ id: 1, price: 5 }], { prefer: 'count=exact' })).toMatchObject({ status: 204, headers: { 'content-range': '0-0/1' }, body: null });
    expect(await patch('/items?columns=id,amount&select=amount', [{ id: 3 }], { prefer: `missing=default,${rows}` })).toMatchObject({ body: [{ amount: 1 }] });
    expect(await patch('/items?on_conflict=id', [{ id: 1, price: 5 }, { id: 2, price: 5 }], { prefer: 'handling=strict,max-affected=1' })).toMatchObject({ status: 400, body: { code: 'PGRST124' } });
    expect(await patch('/items?on_conflict=id', [{ id: 1, price: 5 }, { id: 2, price: 5 }], { accept: 'application/vnd.pgrst.object+json' })).toMatchObject({ status: 406 });
    expect(await patch('/items?on_conflict=id', [{ id: 1, price: 7 }, { id: 9, price: 7 }], { prefer: `unmatched=refuse,${rows}` })).toMatchObject({ status: 409, body: { code: 'PGRSTX33', details: '1 of 2 rows were not found.' } });
    expect(await patch('/items?on_conflict=id&select=price', [{ id: 1, price: 7 }], { prefer: `unmatched=refuse,handling=strict,${rows}` })).toMatchObject({ status: 200, headers: { 'preference-applied': 'return=representation, handling=strict, unmatched=refuse' }, body: [{ price: 7 }] });
    expect((await shop.ask('/items?select=price&order=id')).body).toEqual([{ price: 7 }, { price: 2 }, { price: 3 }]);
  });

  it.each<[string, string, unknown, number, string, string | null]>([
    ['a key twice', '/items?on_conflict=id', [{ id: 1, price: 1 }, { id: '1', price: 2 }], 400, 'PGRSTX32', '2 elements name 1 rows: a "id" comes more than once.'],
    ['no key', '/items?on_conflict=id&columns=id,price', [{ id: 1, price: 1 }, { price: 2 }], 400, 'PGRSTX32', '1 of 2 have no "id".'],
    ['no key anywhere', '/items?on_conflict=id', [{ price: 1 }], 400, 'PGRSTX32', 'The elements have no "id".'],
    ['nothing to change', '/items?on_conflict=id', [{ id: 1 }], 400, 'PGRSTX32', 'They have "id" and nothing else.'],
    ['an unknown key', '/items?on_conflict=nope', [{ id: 1, price: 1 }], 400, 'PGRST204', null],
    ['uneven elements', '/items?on_conflict=id', [{ id: 1, price: 1 }, { id: 2, amount: 1 }], 400, 'PGRST102', null],
    ['a bad value', '/items?on_conflict=id', [{ id: 1, price: 'x' }], 400, '22P02', null],
  ])('is refused with %s', async (_what, line, body, status, code, details) => {
    expect(await patch(line, body)).toMatchObject({ status, body: { code, details } });
  });

  it('touches no row of others', async () => {
    expect(await patch('/items?on_conflict=id&select=id', [{ id: 1, price: 5 }, { id: 3, price: 5 }], { as: ada })).toMatchObject({ status: 200, headers: { 'missing-rows': '1' }, body: [{ id: 1 }] });
    expect(await database.admin.rows('select price from items where id = 3')).toEqual([{ price: '3.00' }]);
  });

  it('of thousands is one statement, and two at once both count', async () => {
    await database.admin.rows(`insert into items select n, 'n' || n, 0 from generate_series(10, 5009) as n`);
    const body = Array.from({ length: 5000 }, (_, i) => ({ id: i + 10, price: i }));
    const [first, second] = await Promise.all([patch('/items?on_conflict=id', body, { prefer: 'return=minimal' }), patch('/items?on_conflict=id', body.map(({ id }) => ({ id, amount: 5 })), { prefer: 'return=minimal' })]);
    expect([first, second]).toMatchObject([{ status: 204, headers: { 'missing-rows': '0' } }, { status: 204 }]);
    expect(await database.admin.rows('select sum(price)::int as price, sum(amount)::int as amount from items where id >= 10')).toEqual([{ price: (4999 * 5000) / 2, amount: 25_000 }]);
  });

  it('without a key is what it is in PostgREST', async () => {
    expect(await patch('/items?id=eq.1&select=id,price', [{ price: 8 }])).toMatchObject({ status: 200, body: [{ id: 1, price: 8 }] });
    expect((await patch('/items?id=eq.1&select=id,price', [{ price: 8 }])).headers).not.toHaveProperty('missing-rows');
    expect(await patch('/items?on_conflict=id', [])).toMatchObject({ status: 200, body: [] });
  });
});
