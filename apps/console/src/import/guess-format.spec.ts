import { guessDelimiter, guessFormat, guessHeader } from './guess-format.ts';

describe('the format of a file', () => {
  it.each([
    ['{"a":1}\n{"a":2}\n', 'ndjson'],
    ['\n {"a":1}', 'ndjson'],
    ['{a},b\n1,2', 'csv'],
    ['id,name\n1,x', 'csv'],
    ['', 'csv'],
  ])('of %j is %s', (text, format) => expect(guessFormat(text)).toBe(format));

  it.each([
    ['a,b,c\n1,2,3\n', ','],
    ['a;b;c\n1,5;2,5;3\n4,5;1;2\n', ';'],
    ['a\tb\nx, y\tz\n', '\t'],
    ['a|b\n1|2', '|'],
    ['name\n"Doe, Jane"\n"Roe, Jim"\n', ','],
    ['id,note\n1,"a;b;c"\n2,"d;e"\n', ','],
    ['alone\n1\n', ','],
  ])('delimiter of %j is %j', (text, delimiter) => expect(guessDelimiter(text, false)).toBe(delimiter));

  it.each([
    [[['id', 'delay'], ['1', '2']], true],
    [[['1', '2'], ['3', '4']], false],
    [[['id', null], ['1', '2']], true],
    [[[null, 'a'], ['0', '5']], true],
    [[['a', 'a'], ['1', '2']], true],
    [[['a', 'a'], ['b', 'c']], false],
    [[['x', null], ['y', 'z']], false],
    [[[null, null], ['1', '2']], false],
    [[['2001-01-10', 'x']], false],
    [[], true],
  ])('first row of %j is a header: %s', (rows, isHeader) => expect(guessHeader(rows)).toBe(isHeader));
});
