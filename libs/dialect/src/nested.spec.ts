import { Fault } from '@mainstay/domain';
import { insertAtRoot, insertBelow } from './compile-nested.ts';
import { compile } from './compile.ts';
import { parse } from './parse.ts';
import { makePlan, type WritePlan } from './plan.ts';
import type { Level } from './plan-nested.ts';
import { ask, shop, shopOptions } from './shop.ts';

function plan(line: string, body: unknown, prefer = ''): WritePlan {
  return makePlan(parse(ask(line, { headers: { 'content-type': 'application/json', prefer }, body: typeof body === 'string' ? body : JSON.stringify(body) }), shopOptions, { mayChooseTx: true }), shop, shopOptions) as WritePlan;
}

/** The levels in a short form: collection, rows, and what is below by how it is tied. */
function shown({ collection, rows, children }: Level): unknown {
  return [collection.name, rows.map(({ values, path }) => `${path}: ${[...values].map(([name, value]) => `${name}=${value}`).join(' ')}`), ...children.map(({ level, parents, link }) => [link.kind, parents.join(), shown(level)])];
}

describe('the levels of a body', () => {
  it.each<[string, string, unknown, unknown]>([
    ['below', 'POST /customers', { id: 1, orders: [{ total: 1.5 }, { total: 2 }] }, ['customers', [': id=1'], ['below refers', '0,0', ['orders', ['orders[0]: total=1.5', 'orders[1]: total=2']]]]],
    ['above', 'POST /orders', [{ total: 1, customers: { id: 1 } }, { total: 2, customers: null }], ['orders', ['[0]: total=1', '[1]: total=2'], ['above refers', '0', ['customers', ['[0].customers: id=1']]]]],
    ['through a junction', 'POST /orders', { total: 1, products: [{ name: 'x' }] }, ['orders', [': total=1'], ['junction', '0', ['products', ['products[0]: name="x"']]]]],
    ['by a hint', 'POST /customers', { id: 1, 'invoices!invoices_paid_by': [{ order_id: 2 }] }, ['customers', [': id=1'], ['below refers', '0', ['invoices', ['["invoices!invoices_paid_by"][0]: order_id=2']]]]],
    ['of itself', 'POST /customers', { id: 1, customers: [{ id: 2, customers: [{ id: 3 }] }] }, ['customers', [': id=1'], ['below refers', '0', ['customers', ['customers[0]: id=2'], ['below refers', '0', ['customers', ['customers[0].customers[0]: id=3']]]]]]],
    ['with digits kept', 'POST /customers', '{"id":1,"orders":[{"total":1.10,"note":{"b":1e2,"a":0.10}}]}', ['customers', [': id=1'], ['below refers', '0', ['orders', ['orders[0]: total=1.10 note={"b":1e2,"a":0.10}']]]]],
    ['of what `columns` names', 'POST /customers?columns=id,orders', [{ id: 1, name: 'x', orders: [{ total: 1 }] }, { id: 2, products: [] }], ['customers', ['[0]: id=1', '[1]: id=2'], ['below refers', '0', ['orders', ['[0].orders[0]: total=1']]]]],
  ])('%s', (_what, line, body, levels) => {
    expect(shown(plan(line, body).nested!)).toEqual(levels);
  });

  it.each([
    ['POST /orders', { note: { a: 1 } }],
    ['POST /orders', {}],
    ['POST /orders', []],
    ['PATCH /orders?id=eq.1', { total: 1 }],
  ])('%s %j has none', (line, body) => {
    expect(plan(line, body).nested).toBeNull();
  });

  it.each([
    ['PATCH /customers?id=eq.1', { orders: [{ total: 1 }] }, 'PGRST204'],
    ['POST /customers', { id: 1, nope: [] }, 'PGRST204'],
    ['POST /customers', { id: 1, orders: [{ nope: 1 }] }, 'PGRST204'],
    ['POST /customers', { id: 1, invoices: [] }, 'PGRST201'],
    ['POST /customers', { id: 1, orders: 5 }, 'PGRSTX30'],
    ['POST /customers', { id: 1, latest_order: {} }, 'PGRSTX30'],
    ['POST /customers', { id: 1, orders: [{ customer_id: 1 }] }, 'PGRSTX30'],
    ['POST /rpc/search', [{ a: {} }, { b: {} }], 'PGRST102'],
  ])('%s %j is refused: %s', (line, body, code) => {
    expect(() => plan(line, body)).toThrow(expect.objectContaining({ code }));
  });
});

describe('whatever is sent', () => {
  it('is planned or refused by a fault', () => {
    const whole = JSON.stringify([{ id: 1, orders: [{ total: 1, products: [{ name: 'x' }], 'invoices!invoices_order': [] }], 'customers': [{ id: 2 }] }, { id: 3, orders: null, customers: [] }]);
    let state = 5;
    const random = (below: number): number => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) % below;
    const signs = ['"', '{', '}', '[', ']', ',', ':', '\\', '!', '0', 'null', '"__proto__":', '"":{},', '\0', '€', ''];
    for (let i = 0; i < 800; i += 1) {
      const at = random(whole.length);
      const text = whole.slice(0, at) + signs[random(signs.length)]! + whole.slice(at + random(5));
      for (const line of ['POST /customers', 'POST /customers?columns=id,orders,customers', 'PATCH /customers?on_conflict=id']) {
        try {
          plan(line, text);
        } catch (error) {
          if (!(error instanceof Fault)) throw new Error(text, { cause: error });
        }
      }
    }
  });
});

describe('statements for rows with children', () => {
  const columns = (names: string[], of: string) => names.map((name) => ({ ...shop.collections.get(`shop\0${of}`)!.columns.get(name)!, parser: null }));

  it('the root gives keys, rows and headers', () => {
    const root = plan('POST /customers?select=id,orders(id)', { id: 1, orders: [] }, 'return=representation');
    expect(insertAtRoot(root, { collection: root.collection, columns: columns(['id'], 'customers'), json: '[{"id":1}]', usesDefaults: false, keys: ['id'] })).toEqual({
      text: `with pgrst_source as (insert into "shop"."customers" as "customers" ("id") select pgrst_body."id" from json_to_recordset($1::json) as pgrst_body("id" integer) returning "customers"."id"), "answer" as (select * from pgrst_source) select count(*), json_agg(json_build_array("answer"."id")), coalesce(array_agg(row("answer"."id", null, null)), '{}')::text, null, null from "answer"`,
      values: ['[{"id":1}]'],
    });
  });

  it('those below give keys alone', () => {
    const root = plan('POST /customers', { id: 1, orders: [] });
    const orders = shop.collections.get('shop\0orders')!;
    expect(insertBelow(root, { collection: orders, columns: columns(['total'], 'orders'), json: '[{}]', usesDefaults: false, keys: [] }).text).toBe(
      `with pgrst_source as (insert into "shop"."orders" as "orders" ("total") select pgrst_body."total" from json_to_recordset($1::json) as pgrst_body("total" numeric(10,2)) returning 1) select count(*), null from pgrst_source`,
    );
  });
});

describe('an update of many rows', () => {
  it('is one statement', () => {
    const { text, values } = compile(plan('PATCH /orders?on_conflict=id&total=gt.1&select=id', [{ id: 1, total: 2 }], 'return=representation')).main;
    expect(text).toContain(`with pgrst_elements as materialized (select * from json_to_recordset($1::json) as pgrst_body("id" integer, "total" numeric(10,2))), pgrst_source as (update "shop"."orders" as "orders" set "total" = pgrst_body."total" from pgrst_elements as pgrst_body where "orders"."id" = pgrst_body."id" and "orders"."total" > $2 returning "orders"."id"), `);
    expect(values).toEqual(['[{"id":1,"total":2}]', '1']);
  });

  it.each<[string, unknown, readonly string[] | null]>([
    ['/orders?on_conflict=id', [{ id: 1, total: 2 }], ['id']],
    ['/orders?columns=id,total', [{ id: 1, total: 2 }], ['id']],
    ['/orders?columns=total', [{ id: 1, total: 2 }], null],
    ['/orders', [{ id: 1, total: 2 }], null],
    ['/orders?on_conflict=id', { id: 1, total: 2 }, null],
    ['/orders?on_conflict=id', [], null],
  ])('%s %j goes by %j', (line, body, matching) => {
    expect(plan(`PATCH ${line}`, body).matching).toEqual(matching);
  });
});
