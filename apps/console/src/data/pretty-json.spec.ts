import { prettyJson } from './pretty-json.ts';

describe('JSON in lines', () => {
  it.each([
    '{"a":[1,2,{"b":null}],"c":{},"d":[],"e":"x, {y}: \\"z\\""}',
    '[]',
    '"text"',
    '[[[]],true]',
  ])('%s is as JSON.stringify writes it', (text) => expect(prettyJson(text)).toBe(JSON.stringify(JSON.parse(text), null, 2)));

  it('keeps the digits that JavaScript would drop', () => {
    expect(prettyJson('{"id":12345678901234567890.10}')).toBe('{\n  "id": 12345678901234567890.10\n}');
  });
});
