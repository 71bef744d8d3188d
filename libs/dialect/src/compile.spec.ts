import { compile } from './compile.ts';
import { parse } from './parse.ts';
import { makePlan } from './plan.ts';
import { ask, shop, shopOptions } from './shop.ts';

function write(line: string, more: Parameters<typeof ask>[1] = {}, options = shopOptions) {
  const plan = makePlan(parse(ask(line, more), options, { mayChooseTx: true }), shop, options);
  if (plan.kind === 'describe') throw new Error('OPTIONS has no statement');
  return compile(plan);
}

/** The part that reads rows, without what makes the answer of them. */
function rows(line: string): { text: string; values: readonly unknown[] } {
  const { text, values } = write(line).main;
  return { text: /^with "answer" as \((.*)\) select null, count/s.exec(text)?.[1] ?? text, values };
}

const json = { 'content-type': 'application/json' };

describe('filters', () => {
  it.each([
    ['id=eq.1', `"orders"."id" = $1`, ['1']],
    ['id=not.eq.1', `not ("orders"."id" = $1)`, ['1']],
    ['id=neq.1', `"orders"."id" <> $1`, ['1']],
    ['id=gt.1&id=lte.5', `"orders"."id" > $1 and "orders"."id" <= $2`, ['1', '5']],
    ['id=in.(1,"2,3")', `"orders"."id" = any ($1)`, ['{"1","2,3"}']],
    ['id=in.("a\\"b\\\\")', `"orders"."id" = any ($1)`, ['{"a\\"b\\\\"}']],
    ['id=in.()', `"orders"."id" = any ($1)`, ['{}']],
    ['id=in.("")', `"orders"."id" = any ($1)`, ['{""}']],
    ['id=eq(any).{1,2}', `"orders"."id" = any ($1)`, ['{1,2}']],
    ['note=like(all).{a*,*b}', `"orders"."note" like all ($1)`, ['{a%,%b}']],
    ['note=ilike.*x*', `"orders"."note" ilike $1`, ['%x%']],
    ['note=match.^x', `"orders"."note" ~ $1`, ['^x']],
    ['note=is.null', `"orders"."note" is null`, []],
    ['note=not.is.not_null', `not ("orders"."note" is not null)`, []],
    ['id=isdistinct.1', `"orders"."id" is distinct from $1`, ['1']],
    ['note=cs.{"a":1}', `"orders"."note" @> $1`, ['{"a":1}']],
    ['placed_at=adj.[1,2]', `"orders"."placed_at" -|- $1`, ['[1,2]']],
    ['words=fts.cat', `"orders"."words" @@ to_tsquery($1)`, ['cat']],
    ['words=plfts(english).cat', `"orders"."words" @@ plainto_tsquery('english', $1)`, ['cat']],
    ['note=wfts(english).cat', `to_tsvector('english', "orders"."note") @@ websearch_to_tsquery('english', $1)`, ['cat']],
    ['note->a->>b=eq.x', `"orders"."note"->'a'->>'b' = $1`, ['x']],
    ["note->>o'k=eq.x", `"orders"."note"->>'o''k' = $1`, ['x']],
    ['note->>a\\b=eq.x', `"orders"."note"->>E'a\\\\b' = $1`, ['x']],
    ['note->0=eq.1', `"orders"."note"->'0'::int = $1`, ['1']],
    ['total->>a=eq.x', `to_jsonb("orders"."total")->>'a' = $1`, ['x']],
    ['na"me=eq.1'.replace('na"me', '"na\\"me"'), `"orders"."na""me" = $1`, ['1']],
    ['or=(id.eq.1,id.eq.2)', `("orders"."id" = $1 or "orders"."id" = $2)`, ['1', '2']],
    ['not.and=(id.gt.1,or(id.eq.2,note.is.null))', `not ("orders"."id" > $1 and ("orders"."id" = $2 or "orders"."note" is null))`, ['1', '2']],
  ])('%s', (query, where, values) => {
    expect(rows(`/orders?${query}`)).toEqual({ text: `select "orders".* from "shop"."orders" as "orders" where ${where}`, values });
  });
});

describe('select, order and windows', () => {
  const from = 'from "shop"."orders" as "orders"';
  it.each([
    ['select=id', `select "orders"."id" as "id" ${from}`, []],
    ['select=n:id::text', `select cast("orders"."id" as "text") as "n" ${from}`, []],
    ['select=id::double%20%20precision', `select cast("orders"."id" as double precision) as "id" ${from}`, []],
    ['select=id::Mood', `select cast("orders"."id" as "Mood") as "id" ${from}`, []],
    ['select=note->a->0->>b', `select "orders"."note"->'a'->'0'::int->>'b' as "b" ${from}`, []],
    ['select=note->0', `select "orders"."note"->'0'::int as "note" ${from}`, []],
    ['order=id.desc.nullslast,note->>a', `select "orders".* ${from} order by "orders"."id" desc nulls last, "orders"."note"->>'a'`, []],
    ['limit=5&offset=10', `select "orders".* ${from} limit $1 offset $2`, ['5', '10']],
    ['offset=10', `select "orders".* ${from} offset $1`, ['10']],
    ['select=total.sum(),n:count(),customer_id', `select sum("orders"."total") as "sum", count(*) as "n", "orders"."customer_id" as "customer_id" ${from} group by 3`, []],
    ['select=total::int.max()::text', `select cast(max(cast("orders"."total" as int)) as "text") as "max" ${from}`, []],
  ])('%s', (query, text, values) => {
    expect(rows(`/orders?${query}`)).toEqual({ text, values });
  });

  it('the server’s own limit holds at the top and in each embed', () => {
    const { text, values } = write('/customers?select=orders(id)', {}, { ...shopOptions, maxRows: 100 }).main;
    expect(text.match(/limit \$\d/g)).toHaveLength(2);
    expect(values).toEqual(['100', '100']);
  });

  it('only types that exist reach SQL', () => {
    expect(() => write('/orders?select=id::nope')).toThrow(expect.objectContaining({ code: '42704', status: 400, message: 'type "nope" does not exist' }));
    expect(() => write('/orders?select=id::text%20$$,a::$$%20text')).toThrow(expect.objectContaining({ code: '42704' }));
  });
});

describe('embeds', () => {
  it.each([
    ['to one', '/orders?select=id,customers(name)', `select "orders"."id" as "id", (select row_to_json("e".*) from (select "customers_1"."name" as "name" from "shop"."customers" as "customers_1" where "customers_1"."id" = "orders"."customer_id") as "e") as "customers" from "shop"."orders" as "orders"`],
    ['to many', '/customers?select=o:orders(id)&o.order=id', `select (select coalesce(json_agg("e".*), '[]') from (select "orders_1"."id" as "id" from "shop"."orders" as "orders_1" where "orders_1"."customer_id" = "customers"."id" order by "orders_1"."id") as "e") as "o" from "shop"."customers" as "customers"`],
    ['through a junction', '/orders?select=products(name)', `select (select coalesce(json_agg("e".*), '[]') from (select "products_1"."name" as "name" from "shop"."products" as "products_1", "shop"."order_products" as "order_products_1" where "order_products_1"."order_id" = "orders"."id" and "order_products_1"."product_id" = "products_1"."id") as "e") as "products" from "shop"."orders" as "orders"`],
    ['of itself', '/customers?select=id,referrer_id(name)', `select "customers"."id" as "id", (select row_to_json("e".*) from (select "customers_1"."name" as "name" from "shop"."customers" as "customers_1" where "customers_1"."id" = "customers"."referrer_id") as "e") as "referrer_id" from "shop"."customers" as "customers"`],
    ['computed', '/customers?select=latest_order(id)', `select (select row_to_json("e".*) from (select "orders_1"."id" as "id" from "shop"."latest_order"(("customers".*)::"shop"."customers") as "orders_1" limit $1) as "e") as "latest_order" from "shop"."customers" as "customers"`],
    ['through a view', '/paid_orders?select=customers(name)', `select (select row_to_json("e".*) from (select "customers_1"."name" as "name" from "shop"."customers" as "customers_1" where "customers_1"."id" = "paid_orders"."buyer" limit $1) as "e") as "customers" from "shop"."paid_orders" as "paid_orders"`],
    ['inner', '/orders?select=id,customers!inner()&customers.name=eq.x', `select "orders"."id" as "id" from "shop"."orders" as "orders" where exists (select 1 from "shop"."customers" as "customers_1" where "customers_1"."id" = "orders"."customer_id" and "customers_1"."name" = $1)`],
    ['none of them', '/customers?select=id,orders()&orders=is.null', `select "customers"."id" as "id" from "shop"."customers" as "customers" where (exists (select 1 from "shop"."orders" as "orders_1" where "orders_1"."customer_id" = "customers"."id")) is not true`],
    ['or some', '/customers?select=id,orders()&or=(id.eq.1,orders.not.is.null)', `select "customers"."id" as "id" from "shop"."customers" as "customers" where ("customers"."id" = $1 or (exists (select 1 from "shop"."orders" as "orders_1" where "orders_1"."customer_id" = "customers"."id")) is true)`],
    ['that order', '/orders?select=id,customers()&order=customers(name).desc', `select "orders"."id" as "id" from "shop"."orders" as "orders" order by (select "customers_1"."name" from "shop"."customers" as "customers_1" where "customers_1"."id" = "orders"."customer_id") desc`],
    ['spread to one', '/orders?select=id,...customers(buyer:name)', `select "orders"."id" as "id", "customers_1"."buyer" as "buyer" from "shop"."orders" as "orders" left join lateral (select "customers_1"."name" as "buyer" from "shop"."customers" as "customers_1" where "customers_1"."id" = "orders"."customer_id") as "customers_1" on true`],
    ['spread to many', '/customers?select=id,...orders(id,total)&orders.order=id', `select "customers"."id" as "id", "orders_1"."id" as "id", "orders_1"."total" as "total" from "shop"."customers" as "customers" left join lateral (select coalesce(json_agg("e"."id"), '[]') as "id", coalesce(json_agg("e"."total"), '[]') as "total" from (select "orders_1"."id" as "id", "orders_1"."total" as "total" from "shop"."orders" as "orders_1" where "orders_1"."customer_id" = "customers"."id" order by "orders_1"."id") as "e") as "orders_1" on true`],
    ['spread with an aggregate', '/orders?select=...customers(name),total.sum()', `select "customers_1"."name" as "name", sum("orders"."total") as "sum" from "shop"."orders" as "orders" left join lateral (select "customers_1"."name" as "name" from "shop"."customers" as "customers_1" where "customers_1"."id" = "orders"."customer_id") as "customers_1" on true group by 1`],
  ])('%s', (_what, line, text) => {
    expect(rows(line).text).toBe(text);
  });

  it('an alias that is a parent’s is not used again', () => {
    const { text } = rows('/customers?select=orders(customers(orders(id)))');
    expect(text).toContain('"orders_3"."customer_id" = "customers_2"."id"');
  });

  it.each([
    ['/orders?select=nope(id)', 'PGRST200', 400],
    ['/customers?select=invoices(*)', 'PGRST201', 300],
    ['/orders?nope.id=eq.1', 'PGRST108', 400],
    ['/orders?select=id&order=customers(name)', 'PGRST108', 400],
    ['/customers?select=orders(id)&order=orders(id)', 'PGRST118', 400],
    ['/orders?select=customers(id)&customers=eq.1', 'PGRST120', 400],
    ['/customers?select=...orders(total.sum())', 'PGRST127', 400],
    ['/nope', 'PGRST205', 404],
    ['/rpc/nope', 'PGRST202', 404],
    ['/rpc/add?b=1', 'PGRST202', 404],
    ['/rpc/twice?n=1', 'PGRST203', 300],
  ])('%s is refused: %s', (line, code, status) => {
    expect(() => write(line)).toThrow(expect.objectContaining({ code, status }));
  });

  it('aggregates may be off', () => {
    expect(() => write('/orders?select=total.sum()', {}, { ...shopOptions, areAggregatesAllowed: false })).toThrow(expect.objectContaining({ code: 'PGRST123' }));
  });

  it('an ambiguous embed lists what could be meant', () => {
    expect(() => write('/customers?select=invoices(*)')).toThrow(
      expect.objectContaining({
        details: [
          { cardinality: 'one-to-many', embedding: 'customers with invoices', relationship: 'invoices_paid_by using customers(id) and invoices(paid_by)' },
          { cardinality: 'one-to-many', embedding: 'customers with invoices', relationship: 'invoices_sent_to using customers(id) and invoices(sent_to)' },
        ],
        hint: "Try changing 'invoices' to one of the following: 'invoices!invoices_paid_by', 'invoices!invoices_sent_to'. Find the desired relationship in the 'details' key.",
      }),
    );
  });

  it.each([
    ['/order', "Perhaps you meant the table 'shop.orders'"],
    ['/zzz', null],
    ['/orders?select=custmers(id)', "Perhaps you meant 'customers' instead of 'custmers'."],
    ['/rpc/serch?term=x', 'Perhaps you meant to call the function shop.search'],
    ['/rpc/add?a=1&bb=2', 'Perhaps you meant to call the function shop.add(a, b)'],
  ])('%s: %s', (line, hint) => {
    expect(() => write(line)).toThrow(expect.objectContaining({ hint }));
  });
});

describe('counts', () => {
  it.each([
    ['/orders', 'exact', null, 'count(*)'],
    ['/orders?id=gt.1&limit=2', 'exact', null, '(select count(*) from "shop"."orders" as "orders" where "orders"."id" > $3)'],
    ['/orders?select=customers!inner()&limit=2', 'exact', null, '(select count(*) from "shop"."orders" as "orders" where exists (select 1 from "shop"."customers" as "customers_1" where "customers_1"."id" = "orders"."customer_id"))'],
    ['/orders?limit=2', 'planned', null, 'null'],
    ['/orders?limit=2', 'estimated', 100, '(select count(*) from (select 1 from "shop"."orders" as "orders" limit $2) as "counted")'],
    ['/orders?select=total.sum(),customer_id&limit=2', 'exact', null, '(select count(*) from (select sum("orders"."total") as "sum", "orders"."customer_id" as "customer_id" from "shop"."orders" as "orders" group by 2) as "counted")'],
  ])('%s %s', (line, count, maxRows, total) => {
    const { text } = write(line, { headers: { prefer: `count=${count}` } }, { ...shopOptions, maxRows }).main;
    expect(text).toContain(`) select ${total}, count(*), coalesce(json_agg("answer".*), '[]')`);
  });

  it('the planner is asked in a statement of its own', () => {
    expect(write('/orders?id=gt.1', { headers: { prefer: 'count=planned' } }).estimate).toEqual({ text: 'explain (format json) select 1 from "shop"."orders" as "orders" where "orders"."id" > $1', values: ['1'] });
  });
});

describe('writes', () => {
  const write1 = (line: string, body: string | undefined, prefer = '') => write(line, { headers: { ...json, prefer }, ...(body === undefined ? {} : { body }) }).main;
  const source = (line: string, body: string | undefined, prefer = '') => /^with pgrst_source as \((.*?)\), "answer"/s.exec(write1(line, body, prefer).text)?.[1];

  it.each([
    ['one row', 'POST /orders', '{"id":1,"total":2.50}', '', `insert into "shop"."orders" as "orders" ("id", "total") select pgrst_body."id", pgrst_body."total" from json_to_record($1::json) as pgrst_body("id" integer, "total" numeric(10,2)) returning 1`],
    ['many rows', 'POST /customers', '[{"id":1},{"id":2}]', '', `insert into "shop"."customers" as "customers" ("id") select pgrst_body."id" from json_to_recordset($1::json) as pgrst_body("id" integer) returning 1`],
    ['an empty row', 'POST /customers', '{}', '', `insert into "shop"."customers" as "customers" default values returning 1`],
    ['empty rows', 'POST /customers', '[{},{}]', '', `insert into "shop"."customers" as "customers" select  from json_array_elements($1::json) as pgrst_body returning 1`],
    ['columns only', 'POST /customers?columns="id"', '[{"id":1,"x":2}]', '', `insert into "shop"."customers" as "customers" ("id") select pgrst_body."id" from json_to_recordset($1::json) as pgrst_body("id" integer) returning 1`],
    ['defaults where keys are absent', 'POST /orders?columns=id,placed_at', '[{"id":1}]', 'missing=default', `insert into "shop"."orders" as "orders" ("id", "placed_at") select pgrst_body."id", pgrst_body."placed_at" from (select r."id" as "id", case when (e.element -> 'placed_at'::text) is null then now() else r."placed_at" end as "placed_at" from json_array_elements($1::json) as e(element), json_to_record(e.element) as r("id" integer, "placed_at" timestamp with time zone)) as pgrst_body returning 1`],
    ['unless they are there', 'POST /customers', '{"id":1}', 'resolution=ignore-duplicates', `insert into "shop"."customers" as "customers" ("id") select pgrst_body."id" from json_to_record($1::json) as pgrst_body("id" integer) on conflict ("id") do nothing returning 1`],
    ['a change', 'PATCH /customers?id=eq.1', '{"name":"x"}', '', `update "shop"."customers" as "customers" set "name" = pgrst_body."name" from json_to_record($1::json) as pgrst_body("name" text) where "customers"."id" = $2 returning 1`],
    ['a change of nothing', 'PATCH /customers?id=eq.1', '{}', 'return=representation', `select "customers".* from "shop"."customers" as "customers" where false`],
    ['a deletion', 'DELETE /customers?or=(id.eq.1,name.is.null)', undefined, '', `delete from "shop"."customers" as "customers" where ("customers"."id" = $1 or "customers"."name" is null) returning 1`],
  ])('%s', (_what, line, body, prefer, text) => {
    expect(source(line, body, prefer)).toBe(text);
  });

  it('an upsert counts what it inserts', () => {
    const text = source('POST /customers', '{"id":1,"name":"x"}', 'resolution=merge-duplicates');
    expect(text).toContain('on conflict ("id") do update set "id" = excluded."id", "name" = excluded."name" where set_config');
    expect(text).toMatch(/\+ 1.*on conflict.*- 1/s);
  });

  it('the representation has what it needs and no more', () => {
    expect(source('POST /orders?select=total,customers(name)', '{"id":1}', 'return=representation')).toContain('returning "orders"."total", "orders"."customer_id", "orders"."id"');
    expect(source('DELETE /orders?id=eq.1', undefined, 'return=representation')).toContain('returning "orders".*');
  });

  it('a body goes to PostgreSQL as it came', () => {
    const body = ' {"total" : 12345678901234567890.10} ';
    expect(write1('POST /orders', body).values).toEqual([body]);
  });

  it.each([
    ['an unknown column', 'POST /orders', '{"nope":1}', 'PGRST204', 400],
    ['PUT without the key', 'PUT /orders', '{"id":1}', 'PGRST105', 405],
    ['PUT by something else', 'PUT /orders?total=eq.1', '{"id":1}', 'PGRST105', 405],
    ['PUT by another operator', 'PUT /orders?id=gt.1', '{"id":1}', 'PGRST105', 405],
    ['a strict unknown preference', 'POST /orders', '{"id":1}', 'PGRST122', 400, 'handling=strict, foo'],
    ['a type that nobody writes', 'POST /orders', '{"id":1}', 'PGRST107', 406, '', 'text/html'],
  ])('%s is refused', (_what, line, body, code, status, prefer = '', accept = '*/*') => {
    expect(() => write(line, { headers: { ...json, prefer, accept }, body })).toThrow(expect.objectContaining({ code, status }));
  });
});

describe('calls', () => {
  const call = (line: string, more: Parameters<typeof ask>[1] = {}) => {
    const { text, values } = write(line, more).main;
    return { text: /^with pgrst_source as \((.*?)\), "answer"/s.exec(text)![1], values };
  };

  it.each([
    ['/rpc/add?a=1', {}, `select pgrst_call.pgrst_scalar from (select "shop"."add"("a" := $1::integer) as pgrst_scalar) as pgrst_call`, ['1']],
    ['/rpc/sum_all?v=1&v=2', {}, `select pgrst_call.pgrst_scalar from (select "shop"."sum_all"(variadic "v" := $1::integer[]) as pgrst_scalar) as pgrst_call`, ['{"1","2"}']],
    ['POST /rpc/add', { headers: json, body: '{"b":2,"a":1}' }, `select pgrst_call.pgrst_scalar from json_to_record($1::json) as pgrst_args("a" integer, "b" integer), lateral (select "shop"."add"("a" := pgrst_args."a", "b" := pgrst_args."b") as pgrst_scalar) as pgrst_call`, ['{"b":2,"a":1}']],
    ['POST /rpc/take_json', { headers: json, body: '{"a": [1, 2]}' }, `select pgrst_call.pgrst_scalar from (select "shop"."take_json"($1::json) as pgrst_scalar) as pgrst_call`, ['{"a": [1, 2]}']],
    ['POST /rpc/reset', {}, `select pgrst_call.pgrst_scalar from (select "shop"."reset"() as pgrst_scalar) as pgrst_call`, []],
    ['/rpc/search?term=x', {}, `select pgrst_call.* from "shop"."search"("term" := $1::text) as pgrst_call`, ['x']],
    ['/rpc/search?term=x&select=total,customers(name)&id=gt.1', {}, `select pgrst_call."total", pgrst_call."id", pgrst_call."customer_id" from "shop"."search"("term" := $1::text) as pgrst_call`, ['x', '1']],
  ])('%s', (line, more, text, values) => {
    expect(call(line, more)).toEqual({ text: text.replaceAll('pgrst_call.', '"pgrst_call".').replaceAll('"pgrst_call".pgrst_scalar', 'pgrst_call.pgrst_scalar'), values });
  });
});
