import type { Reading } from './describe-sample.ts';
import { importRequest, usualTerms } from './import-query.ts';

const csv: Reading = { format: 'csv', delimiter: ',', hasHeader: true, nullText: '' };
const request = (reading: Partial<Reading>, fields: readonly (string | null)[], terms = {}) => {
  const { path, contentType } = importRequest({ schema: 'public', name: 'a/b' }, { ...csv, ...reading }, fields, { ...usualTerms, ...terms });
  const { pathname, searchParams } = new URL(path, 'http://x');
  return { pathname, contentType, ...Object.fromEntries(searchParams) };
};

describe('the request of an import', () => {
  it('names the fields in the order of the file', () => {
    expect(request({}, ['id', 'delay'])).toEqual({
      pathname: '/imports/v1/public.a%2Fb', contentType: 'text/csv', columns: 'id,delay', header: 'true', mode: 'rows', max_errors: '1000',
    });
  });

  it('says how the file is written', () => {
    expect(request({ delimiter: '\t', nullText: 'NA', hasHeader: false }, ['a'])).toMatchObject({ delimiter: '\t', null: 'NA', header: 'false' });
  });

  it('of JSON takes the keys that are wanted, and says nothing of delimiters', () => {
    expect(request({ format: 'ndjson' }, ['a', null, 'c'], { mode: 'all' })).toEqual({ pathname: '/imports/v1/public.a%2Fb', contentType: 'application/x-ndjson', columns: 'a,c', mode: 'all' });
  });

  it('names the key where rows are replaced or kept', () => {
    expect(request({}, ['a'], { conflict: 'merge', key: ['a', 'b'] })).toMatchObject({ on_conflict: 'a,b', resolution: 'merge' });
    expect(request({}, ['a'], { conflict: 'ignore', key: [] })).not.toHaveProperty('resolution');
  });

  it.each([
    ['a,b', '"a,b"'],
    ['say "hi"', '"say ""hi"""'],
    [' x', '" x"'],
    ['Dep Time', 'Dep Time'],
  ])('lists %j as %j', (name, listed) => expect(request({}, [name])).toMatchObject({ columns: listed }));
});
