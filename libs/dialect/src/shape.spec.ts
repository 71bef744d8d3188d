import { Fault } from '@mainstay/domain';
import fc from 'fast-check';
import { compile } from './compile.ts';
import { defaultLimits } from './limits.ts';
import { parse, type RestRequest } from './parse.ts';
import { makePlan } from './plan.ts';
import { ask, shop, shopOptions } from './shop.ts';
import { fillTemplate, makeTemplate, shapeOf, withBody, type PlanRequest, type Ready, type Template } from './shape.ts';

const planRequest: PlanRequest = (http, body) => makePlan(withBody(parse(http, shopOptions, { mayChooseTx: true }), body), shop, shopOptions);

function make(http: RestRequest): Ready {
  const plan = planRequest(http);
  if (plan.kind === 'describe') throw new Error('a description is no statement');
  return { plan, statements: compile(plan) };
}

function templateFor(http: RestRequest): Template | null {
  const shape = shapeOf(http, defaultLimits);
  return shape === null ? null : makeTemplate(http, shape, make(http).plan, planRequest);
}

const body = (value: unknown) => ({ body: JSON.stringify(value), headers: { 'content-type': 'application/json', prefer: 'return=representation' } });

describe('requests of one shape', () => {
  it.each<[string, Parameters<typeof ask>[1], string, Parameters<typeof ask>[1]]>([
    ['/orders?id=eq.1', {}, '/orders?id=eq.2', {}],
    ['/orders?select=id,customers(name)&total=gte.1&total=not.lt.9&order=id.desc&limit=20', {}, '/orders?select=id,customers(name)&total=gte.%22%27%5C&total=not.lt.&order=id.desc&limit=20', {}],
    ['/orders?customers.name=eq.a&select=id,customers!inner(name)', {}, '/orders?customers.name=eq.a&select=id,customers!inner(name)', {}],
    ['/rpc/search?term=1&total=gt.1', {}, '/rpc/search?term=1&total=gt.2', {}],
    ['DELETE /orders?id=eq.1', {}, 'DELETE /orders?id=eq.%C3%A9', {}],
    ['POST /orders', body({ id: 1, total: 2 }), 'POST /orders', body({ total: 'x', id: null })],
    ['POST /orders', body([{ id: 1 }]), 'POST /orders', body([{ id: 1 }, { id: 2 }])],
    ['PATCH /orders?id=eq.1', body({ total: 2 }), 'PATCH /orders?id=eq.a%20b', body({ total: 'q' })],
  ])('%s', (line, more, other, otherMore) => {
    const [first, second] = [ask(line, more), ask(other, otherMore)];
    const template = templateFor(first);
    expect(template).not.toBeNull();
    const shape = shapeOf(second, defaultLimits)!;
    expect(shape.key).toBe(shapeOf(first, defaultLimits)!.key);
    expect(fillTemplate(template!, shape).statements).toEqual(make(second).statements);
  });

  it.each<[string, Parameters<typeof ask>[1], string, Parameters<typeof ask>[1]]>([
    ['/orders?id=eq.1', {}, '/orders?id=gt.1', {}],
    ['/orders?id=eq.1', {}, '/orders?id=not.eq.1', {}],
    ['/orders?id=eq.1', {}, 'HEAD /orders?id=eq.1', {}],
    ['/orders?limit=1', {}, '/orders?limit=2', {}],
    ['/orders?id=is.null', {}, '/orders?id=is.true', {}],
    ['/orders?id=eq.1', {}, '/orders?id=eq.1', { headers: { prefer: 'count=exact' } }],
    ['/orders?id=eq.1', {}, '/orders?id=eq.1', { headers: { range: '0-9' } }],
    ['/orders?id=eq.1', {}, '/orders?id=eq.1', { headers: { accept: 'text/csv' } }],
    ['/orders?id=eq.1', { headers: { prefer: 'a\n=b' } }, '/orders?id=eq.1', { headers: { prefer: 'a', range: 'b' } }],
    ['POST /orders', body({ id: 1 }), 'POST /orders', body([{ id: 1 }])],
    ['POST /orders', body({ id: 1 }), 'POST /orders', body({ total: 1 })],
  ])('%s %j is not %s %j', (line, more, other, otherMore) => {
    expect(shapeOf(ask(line, more), defaultLimits)?.key).not.toBe(shapeOf(ask(other, otherMore), defaultLimits)?.key);
  });

  it.each<[string, Parameters<typeof ask>[1]]>([
    ['/orders?limit=eq.1', {}],
    ['/orders?id=eq.x7Qe0zVgk1_0_', {}],
    ['/orders?note=like.x7Qe0zVgk1_0_&id=eq.1', {}],
    ['/orders?note=like.%787Qe0zVgk1_0_&id=eq.1', {}],
    ['/orders', { headers: { accept: 'application/vnd.pgrst.plan' } }],
    ['POST /orders?columns=id', body({ id: 1 })],
    ['POST /orders', { body: 'id\n1', headers: { 'content-type': 'text/csv' } }],
  ])('%s %j has no template', (line, more) => {
    expect(templateFor(ask(line, more))).toBeNull();
  });

  it('cannot be compiled again, since the plan has none of the values', () => {
    for (const http of [ask('/orders?id=eq.1'), ask('PATCH /orders?id=eq.1', body({ total: 2 })), ask('DELETE /orders?id=eq.1'), ask('POST /orders', body({ total: 2 }))]) {
      expect(() => compile(fillTemplate(templateFor(http)!, shapeOf(http, defaultLimits)!).plan)).toThrow('compiled again');
    }
  });

  it('give, whatever they are, what the stages give', () => {
    const operand = fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('null', '', '"a"', '(1,2)', '{1}', 'eq.1', '*', '%', '\\', "'", '5', 'true', 'a,b', '.', 'not.eq.1')).filter((text) => text.isWellFormed() && !text.includes('\0'));
    const parameter = fc.oneof(
      fc.constantFrom('select=*', 'select=id', 'select=id,customers(name)', 'order=id', 'limit=5', 'offset=2', 'or=(id.eq.1,id.eq.2)', 'id=in.(1,2)', 'note->>a=eq.1', 'apikey=x', 'id', 'customers.name=eq.b', 'columns=id'),
      fc.tuple(fc.constantFrom('id', 'total', 'note', 'words', 'select', 'limit', 'and', 'nope'), fc.constantFrom('eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'not.eq', 'like', 'ilike', 'is', 'in', 'fts', 'eq(any)', 'isdistinct', 'cs'), operand).map(([name, operator, text]) => `${name}=${operator}.${encodeURIComponent(text)}`),
    );
    const row = fc.record({ id: fc.integer(), total: operand, note: fc.json() }, { requiredKeys: [] });
    const request = fc.record({
      line: fc.constantFrom('GET /orders', 'HEAD /orders', 'GET /rpc/search', 'DELETE /orders', 'POST /orders', 'PATCH /orders', 'PUT /orders', 'POST /rpc/add'),
      query: fc.array(parameter, { maxLength: 3 }),
      prefer: fc.constantFrom('', 'return=representation', 'count=planned', 'resolution=merge-duplicates', 'missing=default'),
      accept: fc.constantFrom('application/json', 'text/csv'),
      body: fc.oneof(row, fc.array(row, { maxLength: 2 })),
    });
    const kept = new Map<string, Template | null>();
    let known = 0;
    fc.assert(
      fc.property(request, ({ line, query, prefer, accept, body: value }) => {
        const http = ask(`${line}?${query.join('&')}`, { headers: { prefer, accept }, ...(/^(POST|PATCH|PUT)/.test(line) ? { body: JSON.stringify(value) } : {}) });
        const shape = shapeOf(http, defaultLimits);
        const made = madeOf(http);
        const template = shape === null ? null : (kept.get(shape.key) ?? null);
        if (template !== null) {
          known += 1;
          const { plan, statements } = fillTemplate(template, shape!);
          expect(made).not.toBeNull();
          expect(statements).toEqual(made!.statements);
          expect(plan.request.query.canonical).toBe(made!.plan.request.query.canonical);
          expect([plan.kind, plan.answer, plan.access, plan.legacyNames, plan.root.window, plan.request.preferences]).toEqual([made!.plan.kind, made!.plan.answer, made!.plan.access, made!.plan.legacyNames, made!.plan.root.window, made!.plan.request.preferences]);
        } else if (shape !== null && made !== null) kept.set(shape.key, makeTemplate(http, shape, made.plan, planRequest));
      }),
      { numRuns: 4000 },
    );
    expect(known).toBeGreaterThan(200);
  });
});

function madeOf(http: RestRequest): Ready | null {
  try {
    return make(http);
  } catch (error) {
    if (error instanceof Fault) return null;
    throw error;
  }
}
