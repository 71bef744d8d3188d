import { makeRelationships, viewPrimaryKeys, type ForeignKey, type ShownKey } from './relationships.ts';
import { keyOf, type Collection } from './schema-cache.ts';
import { readViewColumns } from './view-columns.ts';

const name = (table: string) => ({ schema: 's', name: table });
const key = (constraint: string, origin: string, target: string, columns: [string, string][], isUnique = false): ForeignKey => ({ constraint, origin: name(origin), target: name(target), columns, isUnique });
const collections = (...tables: [string, string[]?][]) =>
  new Map<string, Collection>(tables.map(([table, primaryKey = []]) => [keyOf('s', table), { ...name(table), isView: false, isInsertable: true, isUpdatable: true, isDeletable: true, primaryKey, columns: new Map() }]));
const shown = (kind: ShownKey['kind'], constraint: string, table: string, view: string, columns: string[][]): ShownKey => ({ kind, constraint, table: name(table), view: name(view), columns });

/** `origin cardinality target (columns)`, the way one would say it. */
const told = (map: ReturnType<typeof makeRelationships>) =>
  [...map.values()].flat().map((r) => {
    if (r.kind === 'computed') return `${r.origin.name} computed ${r.target.name} by ${r.function.name}`;
    const columns = r.junction === null ? r.columns.map((pair) => pair.join('=')).join() : `via ${r.junction.name}`;
    return `${r.origin.name} ${r.cardinality} ${r.target.name} (${columns})`;
  }).sort();

describe('relationships', () => {
  it('a foreign key relates both ways', () => {
    expect(told(makeRelationships([key('f', 'a', 'b', [['b_id', 'id']])], [], [], collections(['a'], ['b'])))).toEqual(['a many-to-one b (b_id=id)', 'b one-to-many a (id=b_id)']);
  });

  it('a unique foreign key relates one to one', () => {
    expect(told(makeRelationships([key('f', 'a', 'b', [['id', 'id']], true)], [], [], collections(['a'], ['b'])))).toEqual(['a one-to-one b (id=id)', 'b one-to-one a (id=id)']);
  });

  it('a composite key keeps its pairs', () => {
    expect(told(makeRelationships([key('f', 'a', 'b', [['x', 'p'], ['y', 'q']])], [], [], collections(['a'], ['b'])))).toContain('a many-to-one b (x=p,y=q)');
  });

  it('two keys within the primary key make a junction', () => {
    const keys = [key('fa', 'j', 'a', [['a_id', 'id']]), key('fb', 'j', 'b', [['b_id', 'id']])];
    expect(told(makeRelationships(keys, [], [], collections(['j', ['a_id', 'b_id', 'at']], ['a'], ['b'])))).toEqual(expect.arrayContaining(['a many-to-many b (via j)', 'b many-to-many a (via j)']));
    expect(told(makeRelationships(keys, [], [], collections(['j', ['a_id']], ['a'], ['b']))).join()).not.toContain('many-to-many');
  });

  it('a view that shows the columns of a key has its relationships', () => {
    const views = [shown('referencing', 'f', 'a', 'av', [['ref']]), shown('referenced', 'f', 'b', 'bv', [['key', 'key2']])];
    expect(told(makeRelationships([key('f', 'a', 'b', [['b_id', 'id']])], views, [], collections(['a'], ['b'], ['av'], ['bv'])))).toEqual(
      expect.arrayContaining(['av many-to-one b (ref=id)', 'a many-to-one bv (b_id=key)', 'a many-to-one bv (b_id=key2)', 'av many-to-one bv (ref=key)', 'bv one-to-many av (key=ref)']),
    );
  });

  it('what is not exposed is not related', () => {
    expect(told(makeRelationships([key('f', 'a', 'b', [['b_id', 'id']])], [], [], collections(['a'])))).toEqual([]);
    const keys = [key('fa', 'j', 'a', [['a_id', 'id']]), key('fb', 'j', 'b', [['b_id', 'id']])];
    expect(told(makeRelationships(keys, [], [], collections(['a'], ['b'])))).toEqual([]);
  });

  it('a function of a row overrides the key under the same name', () => {
    const computed = { kind: 'computed' as const, function: name('b'), origin: name('a'), target: name('b'), isSingle: true, isSelf: false };
    expect(told(makeRelationships([key('f', 'a', 'b', [['b_id', 'id']])], [], [computed], collections(['a'], ['b'])))).toEqual(['a computed b by b', 'b one-to-many a (id=b_id)']);
  });

  it('a view has the primary key that it shows', () => {
    expect(viewPrimaryKeys([shown('primary', 'p', 'a', 'av', [['x', 'x2'], ['y']])])).toEqual(new Map([[keyOf('s', 'av'), ['x', 'y']]]));
  });
});

describe('the columns of a view', () => {
  const entry = (number: number, table: number, column: number, more = '') => `{TARGETENTRY :expr {VAR :varno 1 :location 7} :resno ${number} :resname x :ressortgroupref 0 :resorigtbl ${table} :resorigcol ${column} :resjunk ${more || 'false'}}`;
  const query = (list: string, tables = '<>') => `({QUERY :commandType 1 :querySource 0 :rtable (${tables}) :jointree {FROMEXPR :fromlist ({RANGETBLREF :rtindex 1}) :quals <>} :targetList ${list} :override 0 :onConflict <>})`;

  it.each([
    ['those that come from a table', query(`(${entry(1, 100, 2)} ${entry(2, 100, 1)})`), [{ number: 1, sourceRelation: 100, sourceColumn: 2 }, { number: 2, sourceRelation: 100, sourceColumn: 1 }]],
    ['not those that are computed', query(`(${entry(1, 0, 0)})`), []],
    ['not those for sorting only', query(`(${entry(1, 100, 1, 'true')})`), []],
    ['not those of a subquery', query(`(${entry(1, 7, 1)})`, `{RTE :subquery {QUERY :targetList (${entry(1, 100, 9)})}}`), [{ number: 1, sourceRelation: 7, sourceColumn: 1 }]],
    ['not those of a subquery in an expression', query(`({TARGETENTRY :expr {SUBLINK :subselect {QUERY :targetList (${entry(1, 100, 9)})}} :resno 1 :resname x :resorigtbl 0 :resorigcol 0 :resjunk false} ${entry(2, 5, 3)})`), [{ number: 2, sourceRelation: 5, sourceColumn: 3 }]],
    ['whatever they are called', query(`(${entry(1, 100, 1).replace(':resname x', ':resname a\\ \\}\\(\\:targetList\\ \\(')})`), [{ number: 1, sourceRelation: 100, sourceColumn: 1 }]],
    ['none of an empty list', query('<>'), []],
  ])('%s', (_what, rule, columns) => {
    expect(readViewColumns(rule)).toEqual(columns);
  });
});
