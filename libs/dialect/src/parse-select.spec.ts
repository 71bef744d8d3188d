import { defaultLimits } from './limits.ts';
import { parseSelect } from './parse-select.ts';

const read = (text: string, limits = defaultLimits) => parseSelect(text, limits);
const field = (name: string, more: object = {}) => ({ kind: 'field', field: { name, path: [] }, alias: null, cast: null, aggregate: null, ...more });
const embed = (name: string, items: object[], more: object = {}) => ({ kind: 'embed', name, alias: null, hint: null, join: null, isSpread: false, items, ...more });

describe('select', () => {
  it.each([
    ['*', [field('*')]],
    ['', []],
    ['id,name', [field('id'), field('name')]],
    [' id , name ', [field('id'), field('name')]],
    ['x:id::text', [field('id', { alias: 'x', cast: 'text' })]],
    ['a-b', [field('a-b')]],
    ['"a,b"', [field('a,b')]],
    ['"q\\"uote"', [field('q"uote')]],
    ['имя', [field('имя')]],
    ['total.sum()', [field('total', { aggregate: { name: 'sum', cast: null } })]],
    ['n:total::int.max()::text', [field('total', { alias: 'n', cast: 'int', aggregate: { name: 'max', cast: 'text' } })]],
    ['count()', [field('*', { aggregate: { name: 'count', cast: null } })]],
    ['count', [field('count')]],
    ['rel(id)', [embed('rel', [field('id')])]],
    ['rel()', [embed('rel', [])]],
    ['a:rel!hint!inner(*)', [embed('rel', [field('*')], { alias: 'a', hint: 'hint', join: 'inner' })]],
    ['rel!inner!hint(*)', [embed('rel', [field('*')], { hint: 'hint', join: 'inner' })]],
    ['...rel(a)', [embed('rel', [field('a')], { isSpread: true })]],
    ['rel(sub(x),y),z', [embed('rel', [embed('sub', [field('x')]), field('y')]), field('z')]],
  ])('%s', (text, items) => {
    expect(read(text)).toEqual(items);
  });

  it.each([
    ['data->a->>b', [['->', 'a', false], ['->>', 'b', false]]],
    ['data->0->-1', [['->', '0', true], ['->', '-1', true]]],
    ['data->2nd', [['->', '2nd', false]]],
    ['data->>"x y"', [['->>', 'x y', false]]],
    ['data->a-b', [['->', 'a-b', false]]],
  ])('the path of %s', (text, steps) => {
    expect(read(text)).toMatchObject([{ field: { name: 'data', path: steps.map(([arrow, key, isIndex]) => ({ arrow, key, isIndex })) } }]);
  });

  it.each([
    ['id,clients(name[])', 'line 1, column 16', `unexpected '[' expecting letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input`],
    ['data->>-78xy', 'line 1, column 11', `unexpected 'x' expecting digit, "->", "::", ".", "," or end of input`],
    ['name!hint', 'line 1, column 5', `unexpected '!' expecting letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input`],
    ['name::', 'line 1, column 7', 'unexpected end of input expecting letter or digit'],
    ['id,', 'line 1, column 4', 'unexpected end of input expecting "...", field name (* or [a..z0..9_$]), "*" or "count()"'],
    ['a,b(c', 'line 1, column 6', `unexpected end of input expecting letter, digit, "-", "->>", "->", "::", ".", ")", "," or end of input`],
    ['a,b(c,d', 'line 1, column 8', `unexpected end of input expecting "," or ")"`],
  ])('%s is refused with the place and what was expected', (text, place, details) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'PGRST100', status: 400, message: `"failed to parse select parameter (${text})" (${place})`, details }));
  });

  it.each([
    ['too many items', Array(201).fill('a').join()],
    ['too many embeds', Array(21).fill('a(b)').join()],
    ['too deep embeds', 'a('.repeat(6) + ')'.repeat(6)],
  ])('%s are refused', (_what, text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'PGRST100', details: 'This is a limit of the server.' }));
  });
});
