import { countKept, planFile } from './plan-file.ts';
import { splitStatements } from './split-statements.ts';

describe('an SQL file is split into statements', () => {
  it.each([
    ['plain ones', 'select 1;\nselect 2;', ['select 1', 'select 2']],
    ['a last one without semicolon', 'select 1; select 2  \n', ['select 1', 'select 2']],
    ['empty ones and comments at the end', ';;\nselect 1;;\n-- the end', ['select 1']],
    ['comments stay with what is below them', '-- é: first\nselect 1;\n/* second; */ select 2;', ['-- é: first\nselect 1', '/* second; */ select 2']],
    ['quotes', `select 'a;b', "c;d", E'\\';', $$;$$, $x$ $$;$$ $x$; select 2;`, [`select 'a;b', "c;d", E'\\';', $$;$$, $x$ $$;$$ $x$`, 'select 2']],
    ['a function body of SQL statements', 'create function f() returns int begin atomic select 1; select 2; end; select 3', ['create function f() returns int begin atomic select 1; select 2; end', 'select 3']],
    ['a rule with several commands', 'create rule r as on insert to t do also (delete from a; delete from b); select 1', ['create rule r as on insert to t do also (delete from a; delete from b)', 'select 1']],
    ['nothing', '  \n-- nothing\n', []],
    ['an empty file', '', []],
    ['a file of blanks', ' \n', []],
  ])('%s', async (_, sql, texts) => {
    const statements = await splitStatements(sql);
    expect(statements.map(({ text }) => text)).toEqual(texts);
    for (const { text, offset } of statements) expect(sql.slice(offset, offset + text.length)).toBe(text);
  });

  it.each([
    ['create index on t using hnsw (v vector_l2_ops) with (m = 16, ef_construction = 64)', 'create index on t using hnsw (v vector_l2_ops) '],
    [`-- é 🐘\ncreate index concurrently i on t using ivfflat (v) WITH (lists='100') where x = 'with (y)'`, `-- é 🐘\ncreate index concurrently i on t using ivfflat (v)  where x = 'with (y)'`],
  ])('finds the options of a vector index: %s', async (sql, without) => {
    for (const before of ['', "select 'ü';\n"]) {
      const { kind, text } = (await splitStatements(before + sql)).at(-1)!;
      if (kind.kind !== 'vector index') throw new Error(kind.kind);
      expect(text.slice(0, kind.options[0]) + text.slice(kind.options[1])).toBe(without);
      expect(kind.isAlone).toBe(sql.includes('concurrently'));
    }
  });

  it('knows where a statement begins below its comments, beyond letters of two and four bytes', async () => {
    const sql = `-- ünïcode 🐘\nselect '🐘';\n\n-- note\n  select oops`;
    const [, second] = await splitStatements(sql);
    expect(sql.slice(second!.begins)).toBe('select oops');
  });

  it.each([
    ['begin', { kind: 'transaction', opens: true }],
    ['start transaction isolation level serializable', { kind: 'transaction', opens: true }],
    ['commit', { kind: 'transaction', opens: false }],
    ['rollback', { kind: 'transaction', opens: false }],
    ['savepoint a', { kind: 'plain' }],
    ['rollback to savepoint a', { kind: 'plain' }],
    ['create index concurrently i on t (a)', { kind: 'alone' }],
    ['create index i on t (a)', { kind: 'plain' }],
    ['drop index concurrently i', { kind: 'alone' }],
    ['reindex (concurrently) table t', { kind: 'alone' }],
    ['vacuum', { kind: 'alone' }],
    ['alter system set work_mem = 1', { kind: 'alone' }],
    ['create extension if not exists "pg_trgm" with schema extensions', { kind: 'create extension', extension: 'pg_trgm', schema: 'extensions' }],
    ['create extension citext', { kind: 'create extension', extension: 'citext', schema: null }],
    [`comment on extension citext is 'x'`, { kind: 'comment on extension', extension: 'citext' }],
    ['copy t from stdin', { kind: 'copy from stdin' }],
    [`copy t to stdout`, { kind: 'plain' }],
    ['create role "Reader" login', { kind: 'create role', role: 'Reader' }],
  ])('%s is told apart', async (sql, kind) => {
    expect((await splitStatements(sql)).map((statement) => statement.kind)).toEqual([kind]);
  });

  it('a file that the parser refuses stays whole, for PostgreSQL to say why', async () => {
    const sql = 'select 1;\nselect frm x y;';
    expect(await splitStatements(sql)).toMatchObject([{ text: sql, kind: { kind: 'unparsed' } }]);
  });

  it('a file of data beyond 4 MB stays whole', async () => {
    const sql = `insert into t values ('${'x'.repeat(5_000_000)}');`;
    expect(await splitStatements(sql)).toMatchObject([{ kind: { kind: 'unparsed' } }]);
  });
});

describe('a file is run', () => {
  const groupsOf = async (sql: string) => {
    const plan = planFile(await splitStatements(sql));
    return plan.groups.map(({ statements }) => statements.map(({ text }) => text));
  };

  it.each([
    ['as one transaction', 'a(); b(); c()', [['a', 'b', 'c']]],
    ['around what goes alone', 'a(); b(); ALONE; c(); d()', [['a', 'b'], ['ALONE'], ['c', 'd']]],
    ['with two alone in a row, and at both ends', 'ALONE; ALONE; a(); ALONE', [['ALONE'], ['ALONE'], ['a'], ['ALONE']]],
    ['one by one where it says BEGIN itself', 'a(); begin; b(); commit', [['a'], ['begin'], ['b'], ['commit']]],
  ])('%s', async (_, file, expected) => {
    const sql = file.replace(/(\w)\(\)/g, 'select $1').replaceAll('ALONE', 'create index concurrently on t (x)');
    const spelt = expected.map((group) => group.map((word) => (word === 'ALONE' ? 'create index concurrently on t (x)' : word.length === 1 ? `select ${word}` : word)));
    expect(await groupsOf(sql)).toEqual(spelt);
  });

  it.each([
    ['select 1; select 2; select 3', 2, 0],
    ['select 1; vacuum; select 2; select 3', 1, 1],
    ['select 1; vacuum; select 2; select 3', 3, 2],
    ['select 1; begin; select 2; select 3; commit; select 4; select 5', 3, 1],
    ['select 1; begin; select 2; commit; select 3; select 4', 5, 5],
  ])('%s: when statement %i (from 0) fails, %i stay', async (sql, failed, kept) => {
    const statements = await splitStatements(sql);
    expect(countKept(statements, planFile(statements), failed)).toBe(kept);
  });
});
