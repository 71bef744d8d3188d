import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { ada, guest, openShop, service, type Shop } from './shop-database.ts';

/** What a database can teach the data API by its own functions, domains and settings. */
const sql = `
create table paints (id int primary key, colour int, name text);
insert into paints values (1, 255, 'blue'), (2, 65280, 'green');
create domain hue as int;
create function hue_json(hue) returns json language sql immutable as $$ select to_json('#' || lpad(upper(to_hex($1::int)), 6, '0')) $$;
create function hue_from_text(text) returns hue language sql immutable as $$ select (('x' || lpad(ltrim($1, '#'), 8, '0'))::bit(32)::int)::public.hue $$;
create function hue_from_json(json) returns hue language sql immutable as $$ select public.hue_from_text($1 #>> '{}') $$;
set client_min_messages = error;
create cast (hue as json) with function hue_json(hue) as implicit;
create cast (text as hue) with function hue_from_text(text) as implicit;
create cast (json as hue) with function hue_from_json(json) as implicit;
create table pots (id int primary key, c hue);
insert into pots values (1, 255), (2, 65280);
create domain "text/x-list" as text;
create function list_line("text/x-list", paints) returns "text/x-list" language sql immutable as $$ select ($1 || '- ' || $2.name || E'\\n')::"text/x-list" $$;
create aggregate list_of(paints) (sfunc = list_line, stype = "text/x-list", initcond = '');
create domain "image/x-dot" as bytea;
create function dot() returns "image/x-dot" language sql immutable as $$ select '\\x00ff10'::bytea::"image/x-dot" $$;
create table doors (opened_by text);
create function gate() returns void language plpgsql as $$ begin
  if current_setting('request.headers', true)::json->>'x-banned' is not null then raise sqlstate 'PT403' using message = 'not you'; end if;
  perform set_config('app.seen', current_user, true);
end $$;
create function seen() returns text language sql stable as $$ select current_setting('app.seen', true) $$;
create function isolation_of_role() returns text language sql stable as $$ select current_setting('transaction_isolation') $$;
create function isolation_of_function() returns text language sql stable set default_transaction_isolation = 'serializable' as $$ select current_setting('transaction_isolation') $$;
create function quick() returns text language sql stable set statement_timeout = '7s' as $$ select current_setting('statement_timeout') $$;
create function stumble() returns int language plpgsql as $$ begin
  if nextval('public.stumbles') < 3 then raise sqlstate '40001'; end if; return currval('public.stumbles'); end $$;
create sequence stumbles;
create function stays_down() returns int language plpgsql as $$ begin raise sqlstate '40001' using message = 'never'; end $$;
grant all on all tables in schema public to anon, authenticated, service_role;
grant all on all sequences in schema public to anon, authenticated, service_role;
`;

let database: TestDatabase;
let shop: Shop;
beforeAll(async () => {
  database = await makeTestDatabase();
  shop = await openShop(database, { sql, preRequest: null });
});
afterAll(async () => {
  await shop.keeper.close();
  await database.close();
});

describe('a domain with casts', () => {
  it.each<[string, unknown, number, unknown]>([
    ['/pots?order=id', undefined, 200, [{ id: 1, c: '#0000FF' }, { id: 2, c: '#00FF00' }]],
    ['/pots?select=x:c&id=eq.1', undefined, 200, [{ x: '#0000FF' }]],
    ['/pots?select=id&c=eq.%2300FF00', undefined, 200, [{ id: 2 }]],
    ['/pots?select=id&c=in.(0000FF,123456)', undefined, 200, [{ id: 1 }]],
    ['POST /pots', { id: 3, c: '#010203' }, 201, [{ id: 3, c: '#010203' }]],
    ['PATCH /pots?c=eq.0000FF', { c: '#040506' }, 200, [{ id: 1, c: '#040506' }]],
  ])('is written and read in its own way: %s', async (line, body, status, answered) => {
    expect(await shop.ask(line, { body, headers: { prefer: 'return=representation,tx=rollback' } })).toMatchObject({ status, body: answered });
  });
});

describe('a media type of its own', () => {
  it('is made of rows by an aggregate', async () => {
    expect(await shop.ask('/paints?order=id', { headers: { accept: 'text/x-list' } })).toMatchObject({ status: 200, body: '- blue\n- green\n', headers: { 'content-type': 'text/x-list' } });
    expect(await shop.ask('/paints?select=id', { headers: { accept: 'text/x-list' } })).toMatchObject({ status: 406 });
  });

  it('may be bytes that a function gives', async () => {
    expect(await shop.ask('/rpc/dot', { headers: { accept: 'image/x-dot' } })).toMatchObject({ status: 200, body: Uint8Array.of(0, 255, 16), headers: { 'content-type': 'image/x-dot' } });
  });
});

describe('the transaction', () => {
  it.each<[string, unknown]>([
    ['/rpc/isolation_of_role', 'read committed'],
    ['/rpc/isolation_of_function', 'serializable'],
    ['/rpc/quick', '7s'],
  ])('%s is %s', async (line, body) => {
    expect(await shop.ask(line)).toMatchObject({ status: 200, body });
  });

  it('is done again where another hindered it, but not for ever', async () => {
    expect(await shop.ask('POST /rpc/stumble')).toMatchObject({ status: 200, body: 3 });
    expect(await shop.ask('POST /rpc/stays_down')).toMatchObject({ status: 500, body: { code: '40001' } });
  });
});

describe('a function before every request', () => {
  let gated: Shop;
  beforeAll(async () => {
    gated = await openShop(database, { sql: 'select 1', preRequest: { schema: 'public', name: 'gate' } });
  });
  afterAll(() => gated.keeper.close());

  it('runs as the caller, in the same transaction', async () => {
    expect(await gated.ask('/rpc/seen', { as: ada })).toMatchObject({ status: 200, body: 'authenticated' });
    expect(await gated.ask('/rpc/seen', { as: guest })).toMatchObject({ status: 200, body: 'anon' });
  });

  it('may refuse', async () => {
    expect(await gated.ask('POST /doors', { as: service, body: { opened_by: 'x' }, headers: { 'x-banned': 'yes' } })).toMatchObject({ status: 403, body: { code: 'PT403', message: 'not you' } });
    expect((await gated.ask('/doors')).body).toEqual([]);
  });
});
