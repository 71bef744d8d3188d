import { Fault } from '@mainstay/domain';
import { jest } from '@jest/globals';
import fc from 'fast-check';
import { compile } from './compile.ts';
import { parse } from './parse.ts';
import { makePlan } from './plan.ts';
import { Scanner } from './scanner.ts';
import { ask, shop, shopOptions } from './shop.ts';

/** Reads, plans and writes a request; gives the fault that it was refused with, or null. Anything else that is thrown fails the spec. */
function refusalOf(line: string, more: Parameters<typeof ask>[1] = {}): Fault | null {
  try {
    const plan = makePlan(parse(ask(line, more), shopOptions, { mayChooseTx: true }), shop, shopOptions);
    if (plan.kind !== 'describe') compile(plan);
    return null;
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
}

/** Pieces of the grammar, put together without sense: far more of them get deep into the parsers than random letters do. */
const pieces = ['id', 'orders', 'customers', 'total', 'note', '*', '(', ')', ',', '.', '..', '->', '->>', '::', ':', '!', '!inner', '"', '\\', '{', '}', '&', '=', 'or', 'and', 'not', 'not.', 'eq.', 'in.', 'in.(', 'is.', 'is.null', 'fts', 'fts(english).', 'like(any).', '(any)', 'select=', 'order=', 'limit=', 'offset=', 'columns=', 'on_conflict=', '...', 'count()', '.sum()', 'having=(', '.bucket(1d)', '.bucket(', 'desc', 'nullsfirst', '1', '-1', '0', ' ', '%', '%22', '%00', '%ff', '+', 'é', '😀', '\t', '$', "'", ';'];
const query = fc.array(fc.constantFrom(...pieces), { maxLength: 60 }).map((parts) => parts.join(''));

describe('a request is answered or refused, never broken', () => {
  it('whatever the query says', () => {
    fc.assert(
      fc.property(fc.constantFrom('GET /orders', 'HEAD /customers', 'GET /rpc/add', 'GET /rpc/search', 'DELETE /orders', 'OPTIONS /orders'), query, (line, text) => {
        const fault = refusalOf(`${line}?${text}`);
        expect(fault?.status ?? 200).toBeLessThan(500);
      }),
      { numRuns: 2000 },
    );
  });

  it('whatever the body says', () => {
    const types = fc.constantFrom('application/json', 'text/csv', 'application/x-www-form-urlencoded', 'text/plain', 'application/octet-stream', 'x');
    const text = fc.oneof(fc.json(), fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 10 }).map((codes) => String.fromCharCode(...codes)), fc.array(fc.constantFrom('a', ',', '\n', '\r', '"', '""', 'NULL', '&', '=', '%'), { maxLength: 30 }).map((parts) => parts.join('')));
    fc.assert(
      fc.property(fc.constantFrom('POST /orders', 'PATCH /orders', 'PUT /orders?id=eq.1', 'POST /rpc/add', 'POST /rpc/take_json'), types, text, (line, type, body) => {
        const fault = refusalOf(line, { headers: { 'content-type': type }, body });
        expect(fault?.status ?? 200).toBeLessThan(500);
      }),
      { numRuns: 700 },
    );
  });

  it('no value of a request stands in the text of its statement', () => {
    const value = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !text.includes('\0') && text.isWellFormed()).map((text) => `§${text}§`);
    fc.assert(
      fc.property(value, (text) => {
        const encoded = encodeURIComponent(text);
        const line = `GET /orders?total=eq.${encoded}&note=not.in.("${encodeURIComponent(text.replace(/[\\"]/g, '\\$&'))}")&words=fts.${encoded}`;
        const plan = makePlan(parse(ask(line), shopOptions, { mayChooseTx: false }), shop, shopOptions);
        expect(plan.kind === 'describe' ? '' : compile(plan).main.text).not.toContain('§');
      }),
    );
  });

  it.each([
    ['opening brackets', '('],
    ['quotes', '"'],
    ['escapes', '\\"'],
    ['commas', ','],
    ['dots', 'a.'],
    ['arrows', 'a->'],
    ['embeds', 'a('],
    ['negations', 'not.'],
    ['names', 'a:'],
    ['hints', 'a!b'],
    ['quoted elements', '"a,"'],
    ['escaped elements', '"\\,"'],
    ['logic', 'and('],
    ['colons', '::'],
  ])('eight times the %s are about eight times the work', (_what, piece) => {
    const work = (bytes: number): number => {
      const text = piece.repeat(Math.ceil(bytes / piece.length));
      return stepsOf(() => {
        for (const parameter of ['select', 'order', 'or', 'having', 'id', 'columns', 'on_conflict']) {
          for (const prefix of ['', '(', 'in.(', 'eq.']) refusalOf(`GET /orders?${parameter}=${prefix}${text}`);
        }
        refusalOf(`GET /orders?${text}=eq.1`);
      });
    };
    expect(work(8192) / work(1024)).toBeLessThan(10);
  });
});

/** Steps and characters taken by the scanner: a measure that a busy machine does not change. */
function stepsOf(run: () => void): number {
  let steps = 0;
  const spies = (['char', 'word', 'take', 'sees', 'attempt'] as const).map((name) => {
    const original = Scanner.prototype[name] as (this: Scanner, ...args: never[]) => unknown;
    const counted = function (this: Scanner, ...args: never[]): unknown {
      const value = original.apply(this, args);
      steps += typeof value === 'string' ? value.length + 1 : 1;
      return value;
    };
    return jest.spyOn(Scanner.prototype, name).mockImplementation(counted as any);
  });
  run();
  for (const spy of spies) spy.mockRestore();
  return steps;
}
