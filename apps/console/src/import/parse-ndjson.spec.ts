import { parseNdjson } from './parse-ndjson.ts';

describe('an NDJSON text', () => {
  it('gives its objects, the union of their keys and the lines that are none', () => {
    expect(parseNdjson('{"a":1}\n\n[2]\n{"b":{"c":null},"a":"x"}\r\nnot json\n', { isCut: false })).toEqual({
      keys: ['a', 'b'],
      rows: [{ a: 1 }, { b: { c: null }, a: 'x' }],
      badLines: [3, 5],
    });
  });

  it('that was cut loses its last line', () => {
    expect(parseNdjson('{"a":1}\n{"a":2', { isCut: true }).rows).toEqual([{ a: 1 }]);
  });

  it('may name a field __proto__ without harm', () => {
    const { keys, rows } = parseNdjson('{"__proto__":{"x":1}}', { isCut: false });
    expect(keys).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(rows[0])).toBe(Object.prototype);
  });
});
