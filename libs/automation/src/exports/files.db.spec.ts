import { parquetMetadata, parquetReadObjects, parquetSchema } from 'hyparquet';
import readSheets from 'read-excel-file/node';
import { unzipSync } from 'fflate';
import type { ExportFormat, ExportTerms, Transaction } from '@mainstay/persistence';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { writeFile } from './export-rows.ts';
import { writeXlsx } from './write-xlsx.ts';
import type { FilePiece } from './packed.ts';

const plain: ExportTerms = { isGzip: false, delimiter: ',', hasHeader: true, null: '', hasBom: false, isSpreadsheetSafe: false };

let test: TestDatabase;
beforeAll(async () => {
  test = await makeTestDatabase();
});
afterAll(() => test.close());

const all = async (pieces: AsyncIterable<FilePiece>): Promise<{ bytes: Buffer; rows: number }> => {
  const parts: Uint8Array[] = [];
  let rows = 0;
  for await (const piece of pieces) {
    parts.push(Buffer.from(piece.bytes));
    rows += piece.rows;
  }
  return { bytes: Buffer.concat(parts), rows };
};

const reading = <T>(work: (tx: Transaction) => Promise<T>): Promise<T> =>
  test.admin.transaction({ role: null, settings: { DateStyle: 'ISO, YMD', TimeZone: 'Europe/Vienna' } }, work);

const fileOf = (format: ExportFormat, query: string, terms: Partial<ExportTerms> = {}): Promise<{ bytes: Buffer; rows: number }> =>
  reading((tx) => all(writeFile(tx, query, format, { ...plain, ...terms })));

/** Every sheet, as a reader of spreadsheets sees it. */
const sheetsOf = async (bytes: Buffer): Promise<unknown[][][]> => (await readSheets(bytes)).map(({ data }) => data as unknown[][]);

describe('a workbook', () => {
  it('has numbers, dates and truths as such, and all else as text', async () => {
    const { bytes, rows } = await fileOf('xlsx', `
      select 42 as int, 12345678901234567890::numeric as long, 1.10::numeric(5,2) as price, 9007199254740993::bigint as big, 0.1::float8 as part, 'NaN'::float8 as none, true as yes, false as no,
        date '2026-02-03' as day, timestamptz '2026-02-03 04:05:06.789+02' as moment, timestamp '1850-01-01 00:00' as long_ago, 'infinity'::date as never,
        '=1+1' as formula, ' a' as blank, null::text as nothing, '{"a": 1}'::jsonb as json, '{1,2}'::int[] as list`);
    const [[head, row]] = (await sheetsOf(bytes)) as [[unknown[], unknown[]]];
    expect(Object.fromEntries(head.map((name, i) => [name, row[i]]))).toEqual({
      int: 42, long: '12345678901234567890', price: 1.1, big: '9007199254740993', part: 0.1, none: 'NaN', yes: true, no: false,
      day: new Date('2026-02-03'), moment: new Date('2026-02-03T02:05:06.789Z'), long_ago: '1850-01-01 00:00:00', never: 'infinity',
      formula: '=1+1', blank: expect.stringMatching(/^ ?a$/), nothing: null, json: '{"a": 1}', list: '{1,2}',
    });
    expect(rows).toBe(1);
    const [sheet] = Object.entries(unzipSync(bytes)).filter(([name]) => name === 'xl/worksheets/sheet1.xml').map(([, content]) => Buffer.from(content).toString());
    // No text is a formula, whatever it begins with; and a blank at its edge stays.
    expect([sheet!.includes('<f>'), sheet!.includes('t="inlineStr"><is><t xml:space="preserve"> a</t>')]).toEqual([false, true]);
  });

  it('holds what XML cannot', async () => {
    const { bytes } = await fileOf('xlsx', `select E'a\\rb\\x01<&>"\\n' as "h&<", '_x000D_' as kept, '😀 e\u0301' as signs, U&'\\FFFF' as none`);
    const sheet = Buffer.from(unzipSync(bytes)['xl/worksheets/sheet1.xml']!).toString();
    expect(sheet).toContain('<t xml:space="preserve">a_x000D_b_x0001_&lt;&amp;&gt;"\n</t>');
    expect(sheet).toContain('<t xml:space="preserve">_x005F_x000D_</t>');
    expect(sheet).toContain('<t xml:space="preserve">_xFFFF_</t>');
    const [[head, row]] = (await sheetsOf(bytes)) as [[unknown[], unknown[]]];
    expect([head[0], row[2]]).toEqual(['h&<', '😀 e\u0301']);
  });

  it('goes on on the next sheet, each with its header', async () => {
    const { bytes, rows } = await reading((tx) => all(writeXlsx(tx, 'select g as n from generate_series(1, 25) g', 11)));
    const sheets = await sheetsOf(bytes);
    expect([rows, sheets.map(({ length }) => length), sheets.map(([head]) => head), sheets[2]!.at(-1)]).toEqual([25, [11, 11, 6], [['n'], ['n'], ['n']], [25]]);
    const even = await reading((tx) => all(writeXlsx(tx, 'select g as n from generate_series(1, 10) g', 11)));
    expect((await sheetsOf(even.bytes)).map(({ length }) => length)).toEqual([11]);
  });

  it('without rows has its header', async () => {
    expect(await sheetsOf((await fileOf('xlsx', 'select 1 as a, 2 as b where false')).bytes)).toEqual([[['a', 'b']]]);
  });

  it('cannot hold a text that is too long, and says which', async () => {
    await expect(fileOf('xlsx', `select g as id, repeat('x', g * 10000) as body from generate_series(1, 4) g`)).rejects.toMatchObject({ code: 'value_not_expressible', message: '"body" of row 4 has 40000 characters; a cell of a spreadsheet holds 32767' });
  });
});

describe('a Parquet file', () => {
  const read = async (bytes: Buffer): Promise<{ rows: Record<string, unknown>[]; groups: number; types: Record<string, unknown> }> => {
    const file = new Uint8Array(bytes).buffer;
    const metadata = parquetMetadata(file);
    const types = Object.fromEntries(parquetSchema(metadata).children.map(({ element }) => [element.name, element.logical_type?.type ?? element.converted_type ?? element.type]));
    return { rows: await parquetReadObjects({ file }), groups: metadata.row_groups.length, types };
  };

  it('has a type for each column, and nulls', async () => {
    const query = `
      select 1::smallint as small, 2 as int, 9007199254740993::bigint as big, 1.5::real as real, 0.1::float8 as double, 12.34::numeric(10,2) as price, (-0.5)::numeric(30,1) as wide, 1.10::numeric as free,
        true as yes, 'é 😀'::text as text, timestamptz '2026-02-03 04:05:06.123456+02' as moment, timestamp '1969-12-31 23:59:59.5' as plain, date '1960-02-29' as day, '{"n": 1, "a": [null]}'::jsonb as json,
        'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid as id, '\\x00ff'::bytea as bytes, '{a,null}'::text[] as list, interval '1 day' as span, 1 as int
      union all select null, null, null, null, null, null::numeric(10,2), null::numeric(30,1), null, null, null, null, null, null, null, null, null, null, null, null`;
    const { rows, types } = await read((await fileOf('parquet', query)).bytes);
    expect(rows[0]).toEqual({
      small: 1, int: 2, big: 9007199254740993n, real: 1.5, double: 0.1, price: 12.34, wide: -0.5, free: '1.10', yes: true, text: 'é 😀', moment: new Date('2026-02-03T02:05:06.123Z'),
      plain: new Date('1969-12-31T23:59:59.500Z'), day: new Date('1960-02-29'), json: { n: 1, a: [null] }, id: expect.anything(), bytes: expect.anything(), list: '{a,NULL}', span: '1 day', int_2: 1,
    });
    expect(Object.values(rows[1]!).every((value) => value === null || value === undefined)).toBe(true);
    expect(types).toMatchObject({ small: 'INT32', big: 'INT64', price: 'DECIMAL', free: 'STRING', text: 'STRING', moment: 'TIMESTAMP', plain: 'TIMESTAMP', day: 'DATE', json: 'JSON', id: 'UUID', bytes: 'BYTE_ARRAY', list: 'STRING' });
  });

  it('is written in groups of rows', async () => {
    const { rows, groups } = await read((await fileOf('parquet', `select g as n, 'text ' || g as t, case when g % 3 = 0 then null else g / 7.0 end::float8 as d from generate_series(1, 45000) g`)).bytes);
    expect([rows.length, groups, rows[44_999]]).toEqual([45_000, 3, { n: 45_000, t: 'text 45000', d: null }]);
  });

  it('without rows has its columns', async () => {
    expect(await read((await fileOf('parquet', `select 1 as a, 'x' as b where false`)).bytes)).toMatchObject({ rows: [], groups: 0, types: { a: 'INT32', b: 'STRING' } });
  });

  it('cannot hold a NaN among decimals, and says what can', async () => {
    await expect(fileOf('parquet', `select 'NaN'::numeric(5,2) as price`)).rejects.toMatchObject({ code: 'value_not_expressible', hint: expect.stringContaining('price::text') });
  });

  it('knows no end of time but the largest number', async () => {
    const { rows } = await read((await fileOf('parquet', `select 'infinity'::timestamptz as t, '-infinity'::date as d`)).bytes);
    expect(rows).toHaveLength(1);
  });
});

describe('CSV that no spreadsheet executes', () => {
  it.each([
    [`select '=1+1' as a, '+x' as b, '-x' as c, '@x' as d, E'\\tx' as e, E'\\rx' as f, ' =x' as g`, `a,b,c,d,e,f,g\n'=1+1,'+x,'-x,'@x,'\tx,"'\rx", =x\n`],
    [`select -1 as a, -1.5::numeric as b, null::text as c, '' as d, true as e, '-infinity'::date as f`, `a,b,c,d,e,f\n-1,-1.5,,"",t,-infinity\n`],
    [`select '-1'::jsonb as a, interval '-1 day' as b, '{"=1"}'::text[] as c`, `a,b,c\n'-1,'-1 days,{=1}\n`],
    [`select 1 as "=cmd", 2 as "=cmd"`, `'=cmd,'=cmd\n1,2\n`],
  ])('%s', async (query, csv) => {
    expect((await fileOf('csv', query, { isSpreadsheetSafe: true })).bytes.toString()).toBe(csv);
  });
});
