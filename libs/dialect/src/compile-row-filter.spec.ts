import { compileRowFilter } from './compile-row-filter.ts';

const columns = [
  { name: 'status', baseType: 'text', as: 'c2' },
  { name: 'total', baseType: 'numeric', as: 'c3' },
  { name: 'data', baseType: 'jsonb', as: 'c4' },
  { name: 'words', baseType: 'tsvector', as: 'c5' },
];

describe('a filter on one row', () => {
  it.each([
    ['status=eq.paid', `"row"."c2" = 'paid'`, ['c2']],
    [`status=eq.it's`, `"row"."c2" = 'it''s'`, ['c2']],
    [String.raw`status=eq.a\b`, String.raw`"row"."c2" = E'a\\b'`, ['c2']],
    ['status=eq.$watch$', `"row"."c2" = '$watch$'`, ['c2']],
    ['status=in.(a,"b,c")', `"row"."c2" = any ('{"a","b,c"}')`, ['c2']],
    ['status=eq.a&total=gt.5', `"row"."c2" = 'a' and "row"."c3" > '5'`, ['c2', 'c3']],
    ['or=(status.is.null,total.not.lt.1)', `("row"."c2" is null or not ("row"."c3" < '1'))`, ['c2', 'c3']],
    ['data->a->>b=eq.x', `"row"."c4"->'a'->>'b' = 'x'`, ['c4']],
    ['words=fts.cat', `"row"."c5" @@ to_tsquery('cat')`, ['c5']],
  ])('%s', (text, sql, uses) => {
    expect(compileRowFilter(text, columns)).toMatchObject({ sql, uses });
  });

  it('tells which patterns PostgreSQL has to read', () => {
    expect(compileRowFilter('status=match.^a&or=(status.imatch(any).{b,c},words.fts.d)', columns).patterns).toEqual([
      { kind: 'regex', text: '^a' }, { kind: 'regex', text: 'b' }, { kind: 'regex', text: 'c' }, { kind: 'search', text: 'd' },
    ]);
  });

  it.each(['', 'select=status', 'status=eq.a&order=total', 'limit=1', 'other.status=eq.a', 'stats=eq.a', 'status=like.a\\', 'columns=status', 'status'])('%s is refused', (text) => {
    expect(() => compileRowFilter(text, columns)).toThrow(expect.objectContaining({ code: expect.stringMatching(/^PGRST(100|204)$/) }) as Error);
  });
});
