import { defaultLimits } from './limits.ts';
import { looksLikeComparison, parseComparison, parseFilterKey, parseLogic, sizeOf } from './parse-filter.ts';
import { parseOrder } from './parse-order.ts';

const refusal = (message: string, details: string) => expect.objectContaining({ code: 'PGRST100', message, details });

describe('a comparison', () => {
  it.each([
    ['eq.1', { kind: 'quantified', operator: 'eq', quantifier: null, value: '1' }],
    ['eq.', { kind: 'quantified', operator: 'eq', quantifier: null, value: '' }],
    ['eq."x",(y)', { kind: 'quantified', operator: 'eq', quantifier: null, value: '"x",(y)' }],
    ['like(any).{a*,b}', { kind: 'quantified', operator: 'like', quantifier: 'any', value: '{a*,b}' }],
    ['gte.5', { kind: 'quantified', operator: 'gte', quantifier: null, value: '5' }],
    ['neq.x', { kind: 'simple', operator: 'neq', value: 'x' }],
    ['nxr.[1,2]', { kind: 'simple', operator: 'nxr', value: '[1,2]' }],
    ['in.(a,"b,c",3)', { kind: 'in', values: ['a', 'b,c', '3'] }],
    ['in.()', { kind: 'in', values: [] }],
    ['in.("")', { kind: 'in', values: [''] }],
    ['in.(,a)', { kind: 'in', values: ['', 'a'] }],
    ['in.("a"b,c\\"d)', { kind: 'in', values: ['"a"b', 'c\\"d'] }],
    ['is.NULL', { kind: 'is', value: 'null' }],
    ['is.Not_Null', { kind: 'is', value: 'not_null' }],
    ['isdistinct.x', { kind: 'isdistinct', value: 'x' }],
    ['fts(english).cat & dog', { kind: 'search', operator: 'fts', config: 'english', value: 'cat & dog' }],
    ['wfts.cat', { kind: 'search', operator: 'wfts', config: null, value: 'cat' }],
  ])('%s', (text, operation) => {
    expect(parseComparison(text, defaultLimits)).toEqual({ isNegated: false, operation });
    expect(parseComparison(`not.${text}`, defaultLimits)).toEqual({ isNegated: true, operation });
  });

  it.each([
    ['noop.0', 1, 'unexpected "o" expecting "not" or operator (eq, gt, ...)'],
    ['', 1, 'unexpected end of input expecting "not" or operator (eq, gt, ...)'],
    ['not.foo', 5, 'unexpected "f" expecting operator (eq, gt, ...)'],
    ['eq().1', 4, 'unexpected ")" expecting operator (eq, gt, ...)'],
    ['fts().x', 5, 'unexpected ")" expecting operator (eq, gt, ...)'],
    ['is.nul', 7, 'unexpected end of input expecting isVal: (null, not_null, true, false, unknown)'],
    ['in.1,2', 4, 'unexpected "1" expecting "("'],
  ])('%s is refused', (text, column, details) => {
    expect(() => parseComparison(text, defaultLimits)).toThrow(refusal(`"failed to parse filter (${text})" (line 1, column ${column})`, details));
  });

  it.each([
    ['é', 'unexpected "\\233" expecting "not" or operator (eq, gt, ...)'],
    ['"', 'unexpected "\\"" expecting "not" or operator (eq, gt, ...)'],
    ['\t', 'unexpected "\\t" expecting "not" or operator (eq, gt, ...)'],
  ])('the unexpected %j is told in ASCII', (text, details) => {
    expect(() => parseComparison(text, defaultLimits)).toThrow(refusal(`"failed to parse filter (${text})" (line 1, column 1)`, details));
  });

  it('a list has at most a thousand values', () => {
    expect(() => parseComparison(`in.(${Array(1001).fill('1').join()})`, defaultLimits)).toThrow(expect.objectContaining({ code: 'PGRST100' }));
    expect(parseComparison(`in.(${Array(1000).fill('1').join()})`, defaultLimits).operation).toMatchObject({ kind: 'in' });
  });

  it.each([['eq.1', true], ['not.x', true], ['like(any).x', true], ['fts(english).x', true], ['equal', false], ['x', false], ['1.5', false]])('an argument %s is a filter: %s', (text, isFilter) => {
    expect(looksLikeComparison(text)).toBe(isFilter);
  });
});

describe('the name of a filter', () => {
  it.each([
    ['id', [], { name: 'id', path: [] }],
    ['rel.sub.col', ['rel', 'sub'], { name: 'col', path: [] }],
    ['rel.col->a->>b', ['rel'], { name: 'col', path: [{ arrow: '->', key: 'a', isIndex: false }, { arrow: '->>', key: 'b', isIndex: false }] }],
    ['"a.b"', [], { name: 'a.b', path: [] }],
    ['a b', [], { name: 'a b', path: [] }],
    ['a!b', [], { name: 'a', path: [] }],
  ])('%s', (key, path, field) => {
    expect(parseFilterKey(key)).toEqual({ path, field });
  });

  it.each([':x', 'a.', ''])('%s is refused', (key) => {
    expect(() => parseFilterKey(key)).toThrow(expect.objectContaining({ code: 'PGRST100' }));
  });
});

describe('a logic tree', () => {
  const filter = (name: string, operator: string, value: string) => expect.objectContaining({ field: { name, path: [] }, operation: expect.objectContaining({ operator, value }) });

  it.each([
    ['or', '(a.eq.1,b.gt.2)', { operator: 'or', isNegated: false, trees: [filter('a', 'eq', '1'), filter('b', 'gt', '2')] }],
    ['not.and', '(a.eq.1)', { operator: 'and', isNegated: true, trees: [filter('a', 'eq', '1')] }],
    ['or', '( a.eq.1 , b.gt.2 )', { operator: 'or', isNegated: false, trees: [filter('a', 'eq', '1 '), filter('b', 'gt', '2 ')] }],
    ['or', '(a.eq."x,)y\\"",b.cs.{1,2})', { operator: 'or', isNegated: false, trees: [filter('a', 'eq', 'x,)y"'), filter('b', 'cs', '{1,2}')] }],
    ['and', '(not.or(a.eq.1,b.eq.2))', { operator: 'and', isNegated: false, trees: [{ kind: 'logic', operator: 'or', isNegated: true, trees: [filter('a', 'eq', '1'), filter('b', 'eq', '2')] }] }],
  ])('%s=%s', (key, value, tree) => {
    expect(parseLogic(key, value, defaultLimits)).toEqual({ path: [], tree: expect.objectContaining(tree) });
  });

  it('belongs to the embed that its name leads to', () => {
    expect(parseLogic('rel.sub.not.or', '(a.in.(1,2))', defaultLimits)).toMatchObject({ path: ['rel', 'sub'], tree: { isNegated: true, operator: 'or' } });
  });

  it.each([
    ['()', 4, 'unexpected ")" expecting field name (* or [a..z0..9_$]), negation operator (not) or logic operator (and, or)'],
    ['(id.in.1,2,id.eq.3)', 10, 'unexpected "1" expecting "("'],
    [')(', 3, 'unexpected ")" expecting "("'],
    ['(id.eq.1,not.xor(id.eq.2,id.eq.3))', 16, 'unexpected "x" expecting logic operator (and, or)'],
  ])('or=%s is refused', (value, column, details) => {
    expect(() => parseLogic('or', value, defaultLimits)).toThrow(refusal(`"failed to parse logic tree (${value})" (line 1, column ${column})`, details));
  });

  it('is at most ten levels deep', () => {
    const nested = (depth: number) => 'and('.repeat(depth - 1) + 'a.eq.1' + ')'.repeat(depth - 1);
    expect(sizeOf(parseLogic('and', `(${nested(10)})`, defaultLimits).tree)).toBe(1);
    expect(() => parseLogic('and', `(${nested(11)})`, defaultLimits)).toThrow(expect.objectContaining({ message: 'and/or are nested deeper than 10 levels' }));
  });
});

describe('order', () => {
  it.each([
    ['name', [{ relation: null, field: { name: 'name', path: [] }, direction: null, nulls: null }]],
    ['name.desc.nullsfirst,id', [{ relation: null, field: { name: 'name', path: [] }, direction: 'desc', nulls: 'first' }, { relation: null, field: { name: 'id', path: [] }, direction: null, nulls: null }]],
    ['id.nullslast', [{ relation: null, field: { name: 'id', path: [] }, direction: null, nulls: 'last' }]],
    ['rel(name).asc', [{ relation: 'rel', field: { name: 'name', path: [] }, direction: 'asc', nulls: null }]],
    ['data->a->>b.desc', [{ relation: null, field: { name: 'data', path: [{ arrow: '->', key: 'a', isIndex: false }, { arrow: '->>', key: 'b', isIndex: false }] }, direction: 'desc', nulls: null }]],
  ])('%s', (text, terms) => {
    expect(parseOrder(text)).toEqual(terms);
  });

  it.each([
    ['clients(name,id)', 8, `unexpected '(' expecting letter, digit, "-", "->>", "->", delimiter (.), "," or end of input`],
    ['id.ac', 4, 'unexpected "c" expecting "asc", "desc", "nullsfirst" or "nullslast"'],
    ['id.descc', 8, `unexpected 'c' expecting delimiter (.), "," or end of input`],
    ['id.asc.nlsfst', 8, 'unexpected "l" expecting "nullsfirst" or "nullslast"'],
  ])('%s is refused', (text, column, details) => {
    expect(() => parseOrder(text)).toThrow(refusal(`"failed to parse order (${text})" (line 1, column ${column})`, details));
  });
});
