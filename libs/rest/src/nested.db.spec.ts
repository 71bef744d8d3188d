import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { ada, ben, guest, openShop, type Asked, type Shop } from './shop-database.ts';

/** A warehouse: orders of customers with lines, tags through a junction, one passport each, and a tree of places. */
const sql = `
create table clients (id int generated always as identity primary key, name text not null, referrer_id int references clients);
create table passports (client_id int primary key references clients, number text not null);
create table orders (id bigint generated always as identity primary key, client_id int references clients, billed_to int references clients, note text, meta json, placed timestamptz default '2026-01-02T03:04:05Z');
create table lines (order_id bigint not null references orders, no int not null, price numeric(12,2) not null check (price >= 0), amount int default 1, primary key (order_id, no));
create table serials (order_id bigint, no int, serial text, foreign key (order_id, no) references lines (order_id, no));
create table tags (id uuid primary key default gen_random_uuid(), name text not null unique);
create table order_tags (order_id bigint references orders, tag_id uuid references tags, primary key (order_id, tag_id));
create table notes (id int generated always as identity primary key, owner uuid not null default auth.uid(), body text);
create table remarks (id int generated always as identity primary key, note_id int not null references notes, body text);
create table journal (id int generated always as identity primary key, said text);
create table entries (journal_id int references journal, body text);
create table odd (id int generated always as identity primary key, lines jsonb);
create view order_view as select id, client_id, note from orders;
create function latest(clients) returns setof orders rows 1 language sql stable as $$ select * from public.orders where client_id = $1.id order by id desc limit 1 $$;
create function skip_it() returns trigger language plpgsql as $$ begin if new.said = 'skip' then return null; end if; return new; end $$;
create trigger skip before insert on journal for each row execute function skip_it();
alter table notes enable row level security;
alter table remarks enable row level security;
create policy own on notes using (owner = auth.uid()) with check (owner = auth.uid());
create policy own on remarks using (exists (select from notes where notes.id = note_id)) with check (exists (select from notes where notes.id = note_id) and body <> 'rude');
grant all on all tables in schema public to anon, authenticated, service_role;
revoke all on lines from anon;
revoke select on clients from anon;
grant usage on all sequences in schema public to anon, authenticated, service_role;
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
  await database.admin.rows('truncate clients, passports, orders, lines, serials, tags, order_tags, notes, remarks, journal, entries, odd restart identity');
});

const insert = (line: string, body: unknown, more: Asked = {}) => shop.ask(`POST ${line}`, { ...more, body, headers: { prefer: 'return=representation', ...more.headers } });

describe('rows are inserted with', () => {
  it.each<[string, string, unknown, unknown]>([
    ['many below', '/orders?select=id,lines(no,price)', { note: 'a', lines: [{ no: 1, price: 1.5 }, { no: 2, price: '2.25' }] }, [{ id: 1, lines: [{ no: 1, price: 1.5 }, { no: 2, price: 2.25 }] }]],
    ['one above', '/orders?select=note,client_id,clients!client_id(name)', { note: 'a', 'clients!client_id': { name: 'Ada' } }, [{ note: 'a', client_id: 1, clients: { name: 'Ada' } }]],
    ['no one above', '/orders?select=note,client_id', { note: 'a', 'clients!client_id': null }, [{ note: 'a', client_id: null }]],
    ['one beside, who refers', '/clients?select=id,passports(number)', { name: 'Ada', passports: { number: 'P1' } }, [{ id: 1, passports: { number: 'P1' } }]],
    ['one beside, who is referred to', '/passports?select=number,clients(id,name)', { number: 'P1', clients: { name: 'Ada' } }, [{ number: 'P1', clients: { id: 1, name: 'Ada' } }]],
    ['many through a junction', '/orders?select=id,tags(name)&tags.order=name', [{ tags: [{ name: 'new' }, { name: 'old' }] }, { tags: [] }], [{ id: 1, tags: [{ name: 'new' }, { name: 'old' }] }, { id: 2, tags: [] }]],
    ['rows of their own table', '/clients?select=id,name,clients(id)', { name: 'Ada', clients: [{ name: 'Ben' }, { name: 'Cy' }] }, [{ id: 1, name: 'Ada', clients: [{ id: 2 }, { id: 3 }] }]],
    ['levels below levels', '/clients?select=name,orders!client_id(id,lines(no,serials(serial)))', { name: 'Ada', 'orders!client_id': [{ lines: [{ no: 1, price: 1, serials: [{ serial: 's1' }, { serial: 's2' }] }] }] }, [{ name: 'Ada', orders: [{ id: 1, lines: [{ no: 1, serials: [{ serial: 's1' }, { serial: 's2' }] }] }] }]],
    ['levels above and below', '/lines?select=no,orders(note,clients!client_id(name))', { no: 1, price: 2, orders: { note: 'up', 'clients!client_id': { name: 'Ada' } } }, [{ no: 1, orders: { note: 'up', clients: { name: 'Ada' } } }]],
    ['keys in some rows only', '/orders?select=note,lines(no)', [{ note: 'a', lines: [{ no: 1, price: 1 }] }, { note: 'b' }], [{ note: 'a', lines: [{ no: 1 }] }, { note: 'b', lines: [] }]],
    ['defaults where a child says nothing', '/orders?select=lines(no,amount)', { lines: [{ no: 1, price: 1, amount: 7 }, { no: 2, price: 1 }] }, [{ lines: [{ no: 1, amount: 7 }, { no: 2, amount: 1 }] }]],
    ['columns, as the client sends them', '/orders?columns="note","lines"&select=note,lines(no)', [{ note: 'a', lines: [{ no: 1, price: 1 }], ignored: 1 }, { lines: [] }], [{ note: 'a', lines: [{ no: 1 }] }, { note: null, lines: [] }]],
    ['a column of the name of a relation', '/odd?select=lines', { lines: [{ no: 1 }] }, [{ lines: [{ no: 1 }] }]],
    ['a view', '/order_view?select=id,note,lines(no)', { note: 'v', lines: [{ no: 1, price: 1 }] }, [{ id: 1, note: 'v', lines: [{ no: 1 }] }]],
    ['a select of everything', '/orders?select=*,lines(*)', { note: 'a', lines: [{ no: 1, price: 1 }] }, [{ id: 1, client_id: null, billed_to: null, note: 'a', meta: null, placed: '2026-01-02T03:04:05+00:00', lines: [{ order_id: 1, no: 1, price: 1, amount: 1 }] }]],
  ])('%s', async (_what, line, body, answer) => {
    expect(await insert(line, body)).toMatchObject({ status: 201, body: answer });
  });

  it('as the preferences say', async () => {
    const body = { note: 'a', lines: [{ no: 1, price: 1 }] };
    expect(await shop.ask('POST /orders', { body })).toMatchObject({ status: 201, body: null });
    expect(await insert('/orders', body, { headers: { prefer: 'return=headers-only' } })).toMatchObject({ status: 201, headers: { location: '/orders?id=eq.2' } });
    expect(await insert('/orders?select=id', body, { headers: { prefer: 'return=representation', accept: 'application/vnd.pgrst.object+json' } })).toMatchObject({ body: { id: 3 } });
    expect(await insert('/orders?select=id', body, { headers: { prefer: 'return=representation,count=exact', accept: 'text/csv' } })).toMatchObject({ headers: { 'content-range': '*/1' }, body: 'id\n4' });
    expect(await insert('/orders', [body, body], { headers: { prefer: 'return=representation', accept: 'application/vnd.pgrst.object+json' } })).toMatchObject({ status: 406 });
    expect(await insert('/orders', body, { headers: { prefer: 'tx=rollback' } })).toMatchObject({ status: 201 });
    expect((await shop.ask('/lines?select=no')).body).toHaveLength(4);
  });

  it('all the digits and the keys of their JSON', async () => {
    await insert('/orders', '{"meta":{"b":1.10,"a":12345678901234567890,"2":1,"1":2},"lines":[{"no":1,"price":1234567890.12}]}');
    expect(await database.admin.rows('select meta::text, price::text from orders join lines on order_id = id')).toEqual([{ meta: '{"b":1.10,"a":12345678901234567890,"2":1,"1":2}', price: '1234567890.12' }]);
  });

  it('an upsert at the top', async () => {
    await shop.ask('POST /tags', { body: { name: 'new' } });
    const answer = await insert('/tags?on_conflict=name&select=name,orders(note)', [{ name: 'new', orders: [{ note: 'a' }] }, { name: 'old', orders: [{ note: 'b' }] }], { headers: { prefer: 'return=representation,resolution=merge-duplicates' } });
    expect(answer).toMatchObject({ status: 201, body: [{ name: 'new', orders: [{ note: 'a' }] }, { name: 'old', orders: [{ note: 'b' }] }] });
  });

  it('thousands of parents', async () => {
    const body = Array.from({ length: 3000 }, (_, i) => ({ note: `n${i}`, lines: [{ no: 1, price: i }, { no: 2, price: i }] }));
    expect(await insert('/orders?select=note,lines(price)', body)).toMatchObject({ status: 201, body: body.map(({ note, lines }) => ({ note, lines: lines.map(({ price }) => ({ price })) })) });
  });
});

describe('rights', () => {
  it('hold for each table, and children see their parents', async () => {
    expect(await insert('/notes?select=body,remarks(body)', { body: 'mine', remarks: [{ body: 'fine' }] }, { as: ada })).toMatchObject({ status: 201, body: [{ body: 'mine', remarks: [{ body: 'fine' }] }] });
    expect(await insert('/notes', { body: 'mine', remarks: [{ body: 'fine' }, { body: 'rude' }] }, { as: ada })).toMatchObject({ status: 403, body: { code: '42501', details: 'At remarks[1].' } });
    expect(await insert('/notes', { owner: ada.subject, body: 'not mine', remarks: [] }, { as: ben })).toMatchObject({ status: 403 });
    expect(await insert('/orders', { note: 'a', lines: [{ no: 1, price: 1 }] }, { as: guest })).toMatchObject({ status: 401, body: { code: '42501' } });
    expect(await database.admin.rows('select body from notes')).toEqual([{ body: 'mine' }]);
    expect(await database.admin.rows('select 1 from orders')).toEqual([]);
  });

  it('who may not read may insert, where the body gives the keys', async () => {
    await database.admin.rows('alter table clients alter id drop identity');
    try {
      expect(await shop.ask('POST /clients', { as: guest, body: { id: 7, name: 'Gus', passports: { number: 'P7' } } })).toMatchObject({ status: 201 });
    } finally {
      await database.admin.rows('alter table clients alter id add generated always as identity');
    }
  });
});

describe('what is refused says where', () => {
  it.each<[string, string, unknown, number, object]>([
    ['an unknown column', '/orders', [{ note: 'a' }, { note: 'b', lines: [{ no: 1, price: 1 }, { no: 2, prise: 1 }] }], 400, { code: 'PGRST204', message: "Could not find the 'prise' column of 'lines' in the schema cache", details: '[1].lines[1].prise' }],
    ['a value that its type does not take', '/orders', [{ lines: [] }, { lines: [] }, { lines: [] }, { lines: [{ no: 1, price: 1 }, { no: 2, price: 1 }, { no: 3, price: 'x' }] }], 400, { code: '22P02', details: 'At [3].lines[2].price.' }],
    ['a missing value', '/orders', { lines: [{ no: 1, price: 1 }, { no: 2 }] }, 400, { code: '23502', details: expect.stringMatching(/^At lines\[1\]\.price: Failing row/) }],
    ['a check', '/orders', [{ lines: [{ no: 1, price: 1 }, { no: 2, price: -1 }] }], 400, { code: '23514', details: expect.stringMatching(/^At \[0\]\.lines\[1\]: Failing row/) }],
    ['a doubled key', '/orders', [{ lines: [{ no: 1, price: 1 }] }, { lines: [{ no: 4, price: 1 }, { no: 4, price: 1 }] }], 409, { code: '23505', details: expect.stringMatching(/^At \[1\]\.lines\[1\]: Key/) }],
    ['an ambiguous relation', '/orders', { clients: { name: 'Ada' } }, 300, { code: 'PGRST201', hint: expect.stringContaining("'clients!orders_billed_to_fkey'") }],
    ['a list where one belongs', '/clients', { name: 'a', passports: [{ number: 'x' }] }, 400, { code: 'PGRSTX30', message: 'passports must be an object or null' }],
    ['one where a list belongs', '/orders', [{ lines: { no: 1 } }], 400, { code: 'PGRSTX30', message: '[0].lines must be a list of objects', details: '[0].lines' }],
    ['no object', '/orders', { lines: [{ no: 1, price: 1 }, 5] }, 400, { code: 'PGRSTX30', message: 'lines[1] must be an object' }],
    ['a key that the place gives', '/orders', { lines: [{ no: 1, price: 1, order_id: 9 }] }, 400, { code: 'PGRSTX30', message: 'lines[0].order_id is given by the row that it stands in' }],
    ['a key said twice', '/orders', { client_id: 1, 'clients!client_id': { name: 'Ada' } }, 400, { code: 'PGRSTX30', message: 'client_id is also given by "clients!client_id"' }],
    ['a computed relation', '/clients', { name: 'a', latest: { note: 'x' } }, 400, { code: 'PGRSTX30', message: 'latest is computed by a function, so nothing can be stored through it' }],
    ['too deep', '/clients', { name: 'a', clients: [{ name: 'b', clients: [{ name: 'c', clients: [{ name: 'd', clients: [{ name: 'e', clients: [{ name: 'f' }] }] }] }] }] }, 400, { code: 'PGRSTX30', message: 'clients[0].clients[0].clients[0].clients[0].clients[0] stands too deep: 5 levels may be inserted at once' }],
    ['rows held back', '/journal', [{ said: 'a', entries: [{ body: 'x' }] }, { said: 'skip', entries: [{ body: 'y' }] }], 409, { code: 'PGRSTX31', details: "Of 'journal' 2 rows were sent and 1 stored." }],
    ['neither column nor relation', '/orders', [{ note: 'a', nothing: [{}] }], 400, { code: 'PGRST204', message: "Could not find the 'nothing' column of 'orders' in the schema cache", details: null }],
    ['uneven columns', '/orders', [{ note: 'a', lines: [] }, { meta: {}, lines: [] }], 400, { code: 'PGRST102', message: 'All object keys must match' }],
    ['uneven JSON without children', '/orders', [{ note: 'a', meta: {} }, { note: 'b' }], 400, { code: 'PGRST102', message: 'All object keys must match' }],
  ])('%s', async (_what, line, body, status, error) => {
    expect(await insert(line, body)).toMatchObject({ status, body: error });
    expect(await database.admin.rows('select (select count(*) from orders) + (select count(*) from clients) + (select count(*) from journal) as n')).toEqual([{ n: '0' }]);
  });
});
