import { afterSql } from './keyset-sql.ts';
import type { KeysetTerm } from './plan-keyset.ts';
import { Values } from './sql.ts';

const sure = { isNullable: false };
const open = { isNullable: true };
const up = { isDescending: false, isNullsFirst: false };
const down = { isDescending: true, isNullsFirst: true };

describe('the condition for what stands after a place', () => {
  it.each<[string, KeysetTerm[], (string | null)[], string]>([
    ['one column', [{ ...up, ...sure }], ['1'], 'a > $1'],
    ['columns of one direction, as a row', [{ ...up, ...sure }, { ...up, ...sure }], ['1', '2'], '(a, b) > ($1, $2)'],
    ['falling ones', [{ ...down, ...sure }, { ...down, ...sure }], ['1', '2'], '(a, b) < ($1, $2)'],
    ['one that may be null, and would have come first', [{ ...down, ...open }, { ...down, ...sure }], ['1', '2'], '(a, b) < ($1, $2)'],
    ['one that may be null, and comes last', [{ ...up, ...open }, { ...up, ...sure }], ['1', '2'], '(a > $1 or a is null or (a = $1 and b > $2))'],
    ['a null that came last', [{ ...up, ...open }, { ...up, ...sure }], [null, '2'], '((a is null and b > $1))'],
    ['a null that came first', [{ ...down, ...open }, { ...down, ...sure }], [null, '2'], '(a is not null or (a is null and b < $1))'],
    ['directions that differ, with a bound for an index', [{ ...up, ...sure }, { ...down, ...sure }], ['1', '2'], '(a >= $1 and (a > $1 or (a = $1 and b < $2)))'],
    ['a null after all others', [{ ...up, ...open }], [null], 'false'],
  ])('%s', (_what, terms, after, sql) => {
    const values = new Values();
    expect(afterSql({ terms, after }, ['a', 'b'], values)).toBe(sql);
    expect(values.all).toEqual(after.filter((value) => value !== null));
  });

  it('the first page has none', () => {
    expect(afterSql({ terms: [{ ...up, ...sure }], after: null }, ['a'], new Values())).toBeNull();
  });
});
