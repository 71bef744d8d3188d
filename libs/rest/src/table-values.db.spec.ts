import { readSettings } from '@mainstay/config';
import { makeListener } from '@mainstay/persistence';
import { makeTestDatabase, type TestDatabase } from '@mainstay/testing';
import fc from 'fast-check';
import { termsSource } from './rest-terms.ts';
import { SchemaKeeper } from './schema-keeper.ts';
import { service } from './shop-database.ts';
import { readAsTable } from './table-read.ts';

let database: TestDatabase;
let keeper: SchemaKeeper;

/** What would end a literal, a statement or a line somewhere, and what looks like it. */
const hostile = [
  `'`, `''`, `'''`, `\\`, `\\\\`, `\\'`, `'\\`, `\\''`, `\\\\'`, `E'\\''`, `'; drop table words; --`, `\\'; drop table words; --`, `') to stdout; drop table words; --`, `' union select body from words --`, `$$`, `$x$ ' $x$`, `/* ' */`, `-- '`, `';`, `"`, `"";`,
  `\n'`, `\r\n'; commit;`, `\t`, `\\n`, `\\x27`, `\\047`, `\\u0027`, `U&'\\0027'`, `%27`, `ʼ`, `＇`, `’`, `💥'`, `\u202e'`, `\u00a0`, ` `, `$1`, `$2'`, `:id`, `?`, `{}`, `{"a'b"}`, `null`, `NULL`, `\\.`, `\\N`, `a\\`, `\\a'\\`,
];

beforeAll(async () => {
  database = await makeTestDatabase();
  await database.admin.rows('create table words (id int primary key, body text, tags text[], doc jsonb); grant select on words to service_role');
  for (const [id, body] of hostile.entries()) await database.admin.rows(`insert into words values ($1, $2::text, array[$2::text], jsonb_build_object('a', $2::text))`, [id, body]);
  const settings = readSettings({ ...database.environment, PGRST_DB_SCHEMAS: 'public' });
  keeper = new SchemaKeeper(database.as('authenticator'), makeListener(settings, 'authenticator'), termsSource(settings));
  await keeper.start();
});
afterAll(async () => {
  await keeper.close();
  await database.close();
});

/** Runs the query of a table as an export does, with the session's strings read in one way or the other. */
async function idsFrom(query: string, isStandard: boolean): Promise<number[]> {
  const { sql } = readAsTable({ schema: 'public', name: 'words', query: `select=id&${query}`, maxRows: null }, service, keeper.current());
  const rows = await database.admin.transaction({ role: 'service_role', settings: { standard_conforming_strings: isStandard ? 'on' : 'off' } }, (tx) => tx.rows<{ id: number }>(sql));
  return rows.map(({ id }) => id);
}

describe.each([true, false])('a value that stands in the text of COPY (standard_conforming_strings %s)', (isStandard) => {
  it.each(hostile.map((value, id) => [JSON.stringify(value), value, id] as const))('%s finds its own row and nothing else', async (_, value, id) => {
    const text = encodeURIComponent(value);
    expect(await idsFrom(`body=eq.${text}`, isStandard)).toEqual([id]);
    expect(await idsFrom(`doc->>a=eq.${text}`, isStandard)).toEqual([id]);
    expect((await idsFrom(`body=neq.${text}`, isStandard)).length).toBe(hostile.length - 1);
    const listed = encodeURIComponent(`"${value.replace(/[\\"]/g, '\\$&')}"`);
    expect(await idsFrom(`body=in.(${listed})`, isStandard)).toEqual([id]);
    expect(await idsFrom(`or=(body.eq.${listed},id.eq.-1)`, isStandard)).toEqual([id]);
  });

  it('any other value finds nothing, and changes nothing', async () => {
    const letters = fc.string({ unit: fc.constantFrom(...`'"\\$;-/*(){}\n\rEeUu&xN0 aé💥`), minLength: 1, maxLength: 12 });
    await fc.assert(fc.asyncProperty(letters, async (value) => {
      expect(await idsFrom(`body=eq.${encodeURIComponent(value)}`, isStandard)).toEqual(hostile.flatMap((each, id) => (each === value ? [id] : [])));
    }), { numRuns: 150, seed: 20_261_124 });
    expect(await database.admin.rows('select count(*)::int as n from words')).toEqual([{ n: hostile.length }]);
  });
});

it('NUL is refused before it is written', () => {
  expect(() => readAsTable({ schema: 'public', name: 'words', query: 'body=eq.a%00b', maxRows: null }, service, keeper.current())).toThrow(expect.objectContaining({ code: 'PGRST100' }) as Error);
});
