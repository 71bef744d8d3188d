import { parseDelimited } from './parse-delimited.ts';

const parse = (text: string, more: { delimiter?: string; nullText?: string; isCut?: boolean } = {}) =>
  parseDelimited(text, { delimiter: more.delimiter ?? ',', nullText: more.nullText ?? '' }, { isCut: more.isCut ?? false });

describe('a delimited text', () => {
  it.each([
    ['a,b\n1,2\n', [['a', 'b'], ['1', '2']]],
    ['a,b\r\n1,2', [['a', 'b'], ['1', '2']]],
    ['a,b\r1,2\r', [['a', 'b'], ['1', '2']]],
    ['1,,"",x', [['1', null, '', 'x']]],
    ['"a ""b"", c","d\ne"', [['a "b", c', 'd\ne']]],
    ['pre"mid, dle"post,2', [['premid, dlepost', '2']]],
    ['a\n\n\nb', [['a'], ['b']]],
    ['""\n', [['']]],
    ['', []],
  ])('%j', (text, rows) => expect(parse(text)).toEqual(rows));

  it('may have another delimiter and another text for null, which counts only unquoted', () => {
    expect(parse('NA;"NA";', { delimiter: ';', nullText: 'NA' })).toEqual([[null, 'NA', '']]);
  });

  it('that was cut loses its last row, which may be incomplete', () => {
    expect(parse('a,b\n1,2\n3,', { isCut: true })).toEqual([['a', 'b'], ['1', '2']]);
    expect(parse('a,b\n1,"2\n3', { isCut: true })).toEqual([['a', 'b']]);
  });
});
