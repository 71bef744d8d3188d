import { parseImportOptions } from './import-options.ts';

const csv = { contentType: 'text/csv; charset=utf-8', contentEncoding: undefined };
const ndjson = { contentType: 'application/x-ndjson', contentEncoding: undefined };
const parse = (query: string, headers: Parameters<typeof parseImportOptions>[1] = csv) => parseImportOptions(new URLSearchParams(query), headers);

describe('import options', () => {
  it('have defaults', () => {
    expect(parse('')).toEqual({
      format: 'csv', isGzip: false, columns: null, onConflict: null, resolution: null, delimiter: ',', null: '', hasHeader: true, maxErrors: 1000, mode: 'rows',
    });
  });

  it.each([
    ['columns=id,"a,b", c ', { columns: ['id', 'a,b', 'c'] }],
    ['on_conflict=id,day&resolution=ignore', { onConflict: ['id', 'day'], resolution: 'ignore' }],
    ['delimiter=%3B', { delimiter: ';' }],
    ['delimiter=tab', { delimiter: '\t' }],
    ['delimiter=%09', { delimiter: '\t' }],
    ['null=NULL&header=false', { null: 'NULL', hasHeader: false }],
    ['max_errors=0&mode=all', { maxErrors: 0, mode: 'all' }],
  ])('%s', (query, options) => {
    expect(parse(query)).toMatchObject(options);
  });

  it.each([
    ['text/csv', 'gzip', '', { format: 'csv', isGzip: true }],
    ['application/x-ndjson', 'gzip', '', { format: 'ndjson', isGzip: true }],
    ['application/gzip', undefined, '', { format: 'csv', isGzip: true }],
    ['application/gzip', undefined, 'format=ndjson', { format: 'ndjson', isGzip: true }],
    ['text/tab-separated-values', undefined, '', { format: 'csv', delimiter: '\t' }],
  ])('%s, %s, %s', (contentType, contentEncoding, query, options) => {
    expect(parse(query, { contentType, contentEncoding })).toMatchObject(options);
  });

  it.each([
    ['colums=id', csv, 400, '"colums" is no option of an import; did you mean "columns"?'],
    ['mode=some', csv, 400, 'The option mode="some" is not right: it must be "rows" or "all"'],
    ['mode=all&mode=rows', csv, 400, 'The option "mode" is given twice'],
    ['delimiter=%22', csv, 400, 'The option delimiter="\\"" is not right: it must be one ASCII character other than a quote, or "tab"'.replace('\\"', '"')],
    ['delimiter=ab', csv, 400, 'The option delimiter="ab" is not right: it must be one ASCII character other than a quote, or "tab"'],
    ['delimiter=%C3%A9', csv, 400, expect.stringContaining('one ASCII character')],
    ['null=a,b', csv, 400, 'The option null="a,b" is not right: it must be a text without the delimiter'],
    ['max_errors=-1', csv, 400, 'The option max_errors="-1" is not right: it must be a whole number from 0 to 100000'],
    ['max_errors=1e3', csv, 400, expect.stringContaining('max_errors')],
    ['columns=a,a', csv, 400, '"a" stands twice in "columns"'],
    ['columns=a,,b', csv, 400, expect.stringContaining('names separated by commas')],
    ['columns=', csv, 400, expect.stringContaining('names separated by commas')],
    ['__proto__=1', csv, 400, '"__proto__" is no option of an import'],
    ['delimiter=%3B', ndjson, 400, 'The option "delimiter" is for CSV; this is application/x-ndjson'],
    ['', { contentType: 'application/json', contentEncoding: undefined }, 415, 'The body must be text/csv or application/x-ndjson'],
    ['', { contentType: undefined, contentEncoding: undefined }, 415, 'The body must be text/csv or application/x-ndjson'],
    ['', { contentType: 'text/csv', contentEncoding: 'br' }, 415, 'The Content-Encoding "br" is not known here; gzip is'],
  ])('refuse %s', (query, headers, status, message) => {
    expect(() => parse(query, headers)).toThrow(expect.objectContaining({ status, message }));
  });
});
