import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { jest } from '@jest/globals';
import fc from 'fast-check';
import { makeCaller, type Claims } from '@mainstay/domain';
import { assertLease, type Database, type ExportTerms, type Session } from '@mainstay/persistence';
import type { JobRun } from '@mainstay/queue';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import { ImportsService } from '../imports.service.ts';
import { exportSession, writeFile } from './export-rows.ts';

jest.setTimeout(60_000);

const service = makeCaller('key', { role: 'service_role' });
const plain: ExportTerms = { isGzip: false, delimiter: ',', hasHeader: true, null: '', hasBom: false, isSpreadsheetSafe: false };

const schema = `
  create type public.mood as enum ('good', 'so, so', '');
  create type public.place as (name text, at point, tags text[]);
  create domain public.short as varchar(20) check (value <> 'never');
  create table public.kinds (
    id int primary key, small smallint, big bigint, price numeric, fixed numeric(20,5), real real, double double precision, yes boolean, letter char(3), word varchar(40), body text, name name,
    day date, clock time, zoned timetz, moment timestamptz, plain timestamp, span interval, bytes bytea, doc json, tree jsonb, id2 uuid, mood public.mood, place public.place, short public.short,
    texts text[], numbers int[], deep int[][], moods public.mood[], moments timestamptz[], docs jsonb[], r4 int4range, rn numrange, rt tstzrange, rm int4multirange, net inet, mac macaddr, bits bit(4), more varbit,
    box box, cash money, search tsvector, path xml, places public.place[], twice int generated always as (id * 2) stored
  );`;

/** Each row is one column's hard cases; what stands beside them is null. */
const hard: Readonly<Record<string, readonly string[]>> = {
  small: ['-32768', '32767'],
  big: ['-9223372036854775808', '9223372036854775807'],
  price: ["'NaN'", "'Infinity'", "'-Infinity'", '0.00000000000000000000000000001', '123456789012345678901234567890.10', '1e131071::numeric'],
  fixed: ['0', '-1.5', "'NaN'"],
  real: ['0.1', "'NaN'", "'-Infinity'", '1e-45', "'-0'"],
  double: ['0.1', '1e308', '5e-324', "'NaN'", "'Infinity'", "'-0'", '0.1::float8 + 0.2::float8'],
  yes: ['true', 'false'],
  letter: ["'a'", "''", "'abc'"],
  body: ["''", "' '", "'NULL'", "'null'", String.raw`'\N'`, String.raw`'\.'`, String.raw`E'\\.'`, `'"'`, `'""'`, `','`, `';'`, String.raw`E'a\nb'`, String.raw`E'a\r\nb'`, String.raw`E'a\rb'`, String.raw`E'\r'`, String.raw`E'\n'`, String.raw`E'\t'`,
    String.raw`E'\x01\x02\x07\x1b\x1f\x7f'`, String.raw`E'\u0085\u2028\u2029\u00a0\ufeff'`, "'é'", "'e\u0301'", "'\u0301'", "'👩‍👩‍👧‍👦🇦🇹'", "'\u{10ffff}'", "'=1+1'", "'{}'", "'[1,2]'", `'{"a": "b"}'`, "'true'", "'00123'", "' x '", "repeat('ab,\"', 20000)"],
  name: ["'x'"],
  day: ["'infinity'", "'-infinity'", "'0044-03-15 BC'", "'5874897-12-31'", "'2026-02-28'"],
  clock: ["'24:00:00'", "'00:00:00.000001'"],
  zoned: ["'12:00:00+05:30'", "'00:00-15:59'"],
  moment: ["'infinity'", "'-infinity'", "'2026-03-29 02:30:00+01'", "'1850-01-01 00:00:00 Europe/Vienna'", "'0044-03-15 12:00:00 BC'", "'294276-12-31 23:59:59.999999+00'", "'2026-01-01 00:00:00.123456+05:45'"],
  plain: ["'infinity'", "'2026-03-29 02:30:00.5'", "'4713-01-01 00:00:00 BC'"],
  span: ["'1 year -2 months 3 days -04:05:06.789'", "'-1 day +02:03'", "'0'", "'178000000 years'"],
  bytes: [String.raw`'\x'`, String.raw`'\x00ff0a0d22'`],
  doc: [String.raw`E'{"a" : 1, "a":2,\n\t"n": 1.10e5, "b": "\\u0000 \\n"}'`, "'null'", `'""'`, "'[]'"],
  tree: [`'{"a": [1, {"b": null}], "n": 12345678901234567890.123}'`, `'"text"'`, `'[]'`, `'{}'`, `'false'`, `'0'`],
  id2: ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"],
  mood: ["'good'", "'so, so'", "''"],
  place: [`row('a, "b" \\ c', point(1, 2.5), '{x,null,""}')`, "row(null, null, null)", `row('', null, '{}')`],
  short: ["'x'", "''"],
  texts: ["'{}'", `array['a', null, '', 'NULL', 'a,b', '{', '"', '\\', ' x ', E'\\n']`, "array['x']"],
  numbers: ["'{}'", "'{1,null,-3}'"],
  deep: ["'{{1,2},{3,null}}'"],
  moods: [`'{good,"so, so",""}'`],
  moments: [`'{infinity,"2026-01-01 00:00:00+02",null}'`],
  docs: [`array['{"a": ","}'::jsonb, null, '"x"', '[1]']`],
  r4: ["'empty'", "'[1,5)'", "'(,)'", "'[,3)'"],
  rn: ["'(1.5,2.50]'"],
  rt: [`'["2026-01-01 00:00+01",infinity)'`],
  rm: ["'{}'", "'{[1,2),[5,9)}'"],
  net: ["'10.0.0.1/8'", "'::1'"],
  mac: ["'08:00:2b:01:02:03'"],
  bits: ["B'1010'"],
  more: ["B''", "B'101'"],
  box: ["'(2,2),(0,0)'"],
  cash: ["'-1234.56'"],
  search: [`'''a b'':1A c:2'`],
  path: [`'<a b="c">d &amp; e</a>'`],
  places: [`array[row('a"b', point(0, 0), '{}')::public.place, null]`],
};

/** What a line of JSON cannot say: its null is SQL's, and an import reads no \\u0000. */
const notInJson = `doc::text = 'null' or doc::text like '%u0000%'`;

let test: TestDatabase;
let api: ImportsService;
let worker: ImportsService;
let columns: string[];

beforeAll(async () => {
  test = await makeTestDatabase();
  const make = (database: Database) => new ImportsService(database, { importQuotaBytes: 64 * 1024 * 1024, importMaxRowBytes: 1024 * 1024, importKeepSeconds: 3600, dbSchemas: ['public', 'graphql_public'] });
  await test.admin.transaction({ role: 'postgres', settings: {} }, async (tx) => {
    for (const statement of schema.split(/;\n/)) if (statement.trim() !== '') await tx.rows(statement);
    let id = 0;
    for (const [column, values] of Object.entries(hard)) for (const value of values) await tx.rows(`insert into public.kinds (id, ${column}) values (${(id += 1)}, ${value})`);
    await tx.rows('create table public.copies (like public.kinds including generated including indexes)');
    await tx.rows('create table public.words (id int primary key, a text, b text)');
    await tx.rows('create table public.ones (value text)');
    await tx.rows('create table public.one_copies (value text)');
    await tx.rows('create table public.word_copies (id int primary key, a text, b text)');
  });
  columns = (await test.admin.rows<{ name: string }>(`select attname::text as name from pg_attribute where attrelid = 'public.kinds'::regclass and attnum > 0 and attgenerated = ''`)).map(({ name }) => name);
  api = make(test.as('mainstay_api', 3));
  worker = make(test.as('mainstay_worker', 5));
});
afterAll(() => test.close());

/** As a role whose own taste is another one. */
const session: Session = { role: 'service_role', settings: { DateStyle: 'German', IntervalStyle: 'sql_standard', bytea_output: 'escape', extra_float_digits: '-3', TimeZone: 'Asia/Kathmandu' } };

async function exported(query: string, format: 'csv' | 'ndjson', terms: Partial<ExportTerms> = {}): Promise<Buffer> {
  return test.admin.transaction(exportSession({ session } as Parameters<typeof exportSession>[0], 60), async (tx) => {
    const parts: Uint8Array[] = [];
    for await (const { bytes } of writeFile(tx, query, format, { ...plain, ...terms })) parts.push(Buffer.from(bytes));
    return Buffer.concat(parts);
  });
}

async function imported(collection: string, file: Buffer, format: 'csv' | 'ndjson', query = ''): Promise<void> {
  const answer = await api.accept(
    { collection, schema: undefined, query: new URLSearchParams(query), contentType: format === 'csv' ? 'text/csv' : 'application/x-ndjson', contentEncoding: undefined, contentLength: null, body: Readable.from([file]), keyed: null },
    service,
  );
  const { id } = JSON.parse(answer.body!) as { id: string };
  const token = randomUUID();
  const [job] = await test.admin.rows<{ id: string; owner: string; role: string; claims: Claims }>(
    `update mainstay_internal.jobs set state = 'running', attempts = attempts + 1, lease_token = $2, lease_until = now() + interval '1 minute', started_at = now()
     where id = (select job_id from mainstay_internal.imports where id = $1) returning id, owner, role, claims`,
    [id, token],
  );
  const run = {
    ...job!, jobId: job!.id, attempt: 1, session: { role: job!.role, settings: { 'request.jwt.claims': JSON.stringify(job!.claims) } }, signal: new AbortController().signal,
    assertLease: (tx) => assertLease(tx, { jobId: job!.id, token }, 15), progress: () => {}, finish: () => {}, completeBy: () => {},
  } satisfies JobRun;
  await worker.run(id, run);
  const rejects = await test.admin.rows('select row_no, column_name, value, reason from mainstay_internal.import_rejects where import_id = $1 order by row_no', [id]);
  expect(rejects).toEqual([]);
}

/** Rows that are in one table and not in the other, as PostgreSQL writes them. */
const differences = (a: string, b: string): Promise<{ id: number; was: string; is: string | null }[]> =>
  test.admin.rows(`select a.id, a::text as was, b::text as is from public.${a} a full join public.${b} b using (id) where a::text is distinct from b::text order by 1`);

describe('what was exported', () => {
  it.each<['csv' | 'ndjson', Partial<ExportTerms>, string]>([
    ['csv', {}, ''],
    ['csv', { delimiter: ';', null: 'NULL', hasBom: true }, 'delimiter=%3B&null=NULL'],
    ['ndjson', {}, ''],
  ])('imports to equal rows, of every type: %s %j', async (format, terms, query) => {
    await test.admin.rows('truncate public.copies');
    const where = format === 'ndjson' ? `where (${notInJson}) is not true` : '';
    await imported('copies', await exported(`select ${columns.map((name) => `"${name}"`).join(', ')} from public.kinds ${where} order by id`, format, terms), format, query);
    const left = where === '' ? [] : (await test.admin.rows<{ id: number }>(`select id from public.kinds where ${notInJson}`)).map(({ id }) => id);
    expect((await differences('kinds', 'copies')).filter(({ id }) => !left.includes(id))).toEqual([]);
  });

  it.each(['csv', 'ndjson'] as const)('imports to equal texts, whatever they hold: %s', async (format) => {
    const text = fc.option(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom('"', ',', '\n', '\r', '\\', '.', ' ', '\t', '\u0001', '\u0002', 'N', 'é', '\u0301', '😀', '{', '=') })));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 40 }), async (pairs) => {
        // PostgreSQL knows no NUL, and no half of a character.
        const clean = (value: string | null): string | null => value?.replaceAll('\0', '').toWellFormed() ?? null;
        const rows = pairs.map(([a, b], i) => ({ id: i, a: clean(a), b: clean(b) }));
        await test.admin.rows('truncate public.words, public.word_copies');
        await test.admin.rows('insert into public.words select * from json_populate_recordset(null::public.words, $1::json)', [JSON.stringify(rows)]);
        await imported('word_copies', await exported('select * from public.words', format), format);
        expect(await test.admin.rows('select * from public.word_copies order by id')).toEqual(rows);
      }),
      { numRuns: 5 },
    );
  });

  it('of one column imports as well, where a null is an empty line', async () => {
    await test.admin.rows(String.raw`insert into public.ones values (null), (''), ('\.'), (E'\\N'), ('x'), (null)`);
    await imported('one_copies', await exported('select * from public.ones', 'csv'), 'csv');
    expect(await test.admin.rows('select value from public.one_copies')).toEqual(await test.admin.rows('select value from public.ones'));
  });
});
