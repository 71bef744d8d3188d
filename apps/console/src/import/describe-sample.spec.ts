import { describeSample, guessReading } from './describe-sample.ts';

const sample = (text: string, isCut = false) => ({ text, isCut, isGzip: false });
const describeText = (text: string, isCut = false) => {
  const reading = guessReading(sample(text, isCut));
  const { columns, ...rest } = describeSample(sample(text, isCut), reading);
  return { reading, ...rest, columns: columns.map(({ header, name, type }) => [header, name, type]) };
};

describe('a sample', () => {
  it('of CSV tells names, types and the key', () => {
    expect(describeText('id,Flight Date,delay\n1,2001-01-10,NA\n2,2001-01-11,-3\n3,20', true)).toEqual({
      reading: { format: 'csv', delimiter: ',', hasHeader: true, nullText: 'NA' },
      columns: [['id', 'id', 'bigint'], ['Flight Date', 'flight_date', 'date'], ['delay', 'delay', 'bigint']],
      rowCount: 2, key: 0, oddRows: 0,
    });
  });

  it('without a header names its columns by their place', () => {
    expect(describeText('1;x\n2;y;z\n2;y\n')).toEqual({
      reading: { format: 'csv', delimiter: ';', hasHeader: false, nullText: '' },
      columns: [[null, 'column_1', 'bigint'], [null, 'column_2', 'text']],
      rowCount: 3, key: null, oddRows: 1,
    });
  });

  it('of NDJSON keeps the keys as names', () => {
    expect(describeText('{"Code":"A","tags":["x"]}\n{"Code":"B","n":1}\n[]\n')).toEqual({
      reading: { format: 'ndjson', delimiter: ',', hasHeader: true, nullText: '' },
      columns: [['Code', 'Code', 'text'], ['tags', 'tags', 'jsonb'], ['n', 'n', 'bigint']],
      rowCount: 2, key: null, oddRows: 1,
    });
  });

  it('shows JSON values as they are', () => {
    const text = '{"a":"x","b":{"c":1},"d":null}\n{"a":"y","b":2}';
    expect(describeSample(sample(text), guessReading(sample(text))).columns.map(({ cells }) => cells)).toEqual([['x', 'y'], ['{"c":1}', '2'], [null, null]]);
  });
});
