import { depthOfJson, elementsOf, kindOfJson, membersOf, objectOf } from './json-spans.ts';

describe('JSON in pieces of its own text', () => {
  it.each([
    ['{}', []],
    [' { } ', []],
    ['{"a":1}', [['a', '1']]],
    ['{"a" : 1.10 , "b":[1, {"c":"]}"}],"c":"x\\"y\\\\","d":null}', [['a', '1.10'], ['b', '[1, {"c":"]}"}]'], ['c', '"x\\"y\\\\"'], ['d', 'null']]],
    ['{"2":12345678901234567890,"1":-0,"\\u0061\\"":true}', [['2', '12345678901234567890'], ['1', '-0'], ['a"', 'true']]],
    ['{"a":1,"a":2}', [['a', '2']]],
  ])('members of %s', (json, members) => {
    expect([...membersOf(json)]).toEqual(members);
  });

  it.each([
    ['[]', []],
    ['[ 1 , [2,[3]],"[,]", {"a":[]} ]', ['1', '[2,[3]]', '"[,]"', '{"a":[]}']],
    ['["\\\\","\\\\\\"]"]', ['"\\\\"', '"\\\\\\"]"']],
  ])('elements of %s', (json, elements) => {
    expect(elementsOf(json)).toEqual(elements);
  });

  it('a document taken apart and put together means the same', () => {
    const random = numbers(7);
    for (let i = 0; i < 300; i += 1) {
      const value = anyValue(random, 4);
      for (const json of [JSON.stringify(value), JSON.stringify(value, null, 2)]) expect(JSON.parse(again(json))).toEqual(value);
    }
  });

  it.each([['1', 0], ['[[]]', 2], ['{"a":"[[["}', 1], ['"[\\"[', 0], ['[[[', 3], ['[{"a":[1]},[]]', 3]])('%s is %i deep', (json, depth) => {
    expect(depthOfJson(json)).toBe(depth);
  });

  it('long strings and many brackets cost a moment each', () => {
    const long = JSON.stringify(['\\"'.repeat(200_000), 'x'.repeat(1_000_000)]);
    expect(elementsOf(long)).toHaveLength(2);
    expect(depthOfJson('['.repeat(1_000_000))).toBe(1_000_000);
  });
});

function again(json: string): string {
  if (kindOfJson(json) === 'object') return objectOf([...membersOf(json)].map(([key, value]) => [key, again(value)]));
  return kindOfJson(json) === 'array' ? `[${elementsOf(json).map(again).join(',')}]` : json;
}

function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) % below;
}

function anyValue(random: (below: number) => number, depth: number): unknown {
  const texts = ['', '"', '\\', '\\"', '{', ']', ',', 'ü😀', '\n', '$ref'];
  const text = () => texts[random(texts.length)]! + texts[random(texts.length)]!;
  switch (random(depth === 0 ? 4 : 6)) {
    case 0:
      return random(1000) - 500;
    case 1:
      return text();
    case 2:
      return null;
    case 3:
      return random(2) === 0;
    case 4:
      return Array.from({ length: random(4) }, () => anyValue(random, depth - 1));
    default:
      return Object.fromEntries(Array.from({ length: random(4) }, () => [text(), anyValue(random, depth - 1)]));
  }
}
