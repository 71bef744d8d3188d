import { keyOf, type Cardinality, type Collection, type ColumnPair, type ComputedRelationship, type KeyRelationship, type QualifiedName, type Relationship } from './schema-cache.ts';

/** A foreign key, as the catalogue has it. */
export interface ForeignKey {
  readonly constraint: string;
  readonly origin: QualifiedName;
  readonly target: QualifiedName;
  readonly columns: readonly ColumnPair[];
  /** Its columns are also a primary or unique key, so there is one row at most on either side. */
  readonly isUnique: boolean;
}

/** A key of a base table that a view shows whole. */
export interface ShownKey {
  readonly kind: 'primary' | 'referencing' | 'referenced';
  readonly constraint: string;
  readonly table: QualifiedName;
  readonly view: QualifiedName;
  /** For each column of the key, in its order, the columns of the view that show it. */
  readonly columns: readonly (readonly string[])[];
}

/** The primary key of each view: of several columns that show the same key column the first is taken. */
export function viewPrimaryKeys(shown: readonly ShownKey[]): Map<string, string[]> {
  const keys = new Map<string, string[]>();
  for (const key of shown) {
    if (key.kind !== 'primary') continue;
    const id = keyOf(key.view.schema, key.view.name);
    keys.set(id, [...(keys.get(id) ?? []), ...key.columns.flatMap((columns) => columns.slice(0, 1))]);
  }
  return keys;
}

/**
 * All relationships of the exposed collections, by origin: from foreign keys, through views that show their columns, and
 * through junctions; a function of a row overrides what the keys say under the same name.
 */
export function makeRelationships(
  keys: readonly ForeignKey[],
  shown: readonly ShownKey[],
  computed: readonly ComputedRelationship[],
  collections: ReadonlyMap<string, Collection>,
): Map<string, Relationship[]> {
  const direct = keys.map(relationshipOf);
  const referencing = [...direct, ...direct.flatMap((relationship) => throughViews(relationship, shown))];
  const all: Relationship[] = [...referencing, ...junctions(referencing, collections), ...referencing.map(reverse)];
  const overridden = new Set(computed.map(({ origin, function: { schema, name } }) => JSON.stringify([origin.schema, origin.name, schema, name])));
  const visible = all.filter((relationship) => isExposed(relationship, collections) && !overridden.has(pairOf(relationship)));
  return grouped([...visible, ...computed.filter((relationship) => isExposed(relationship, collections))].sort(inOrder));
}

function relationshipOf({ constraint, origin, target, columns, isUnique }: ForeignKey): KeyRelationship {
  return {
    kind: 'key',
    cardinality: isUnique ? 'one-to-one' : 'many-to-one',
    origin,
    target,
    isSelf: isSame(origin, target),
    isOriginView: false,
    isTargetView: false,
    constraint,
    columns,
    junction: null,
  };
}

/** The same relationship from views of the origin, to views of the target, and between both. */
function throughViews(relationship: KeyRelationship, shown: readonly ShownKey[]): KeyRelationship[] {
  const of = (kind: ShownKey['kind'], table: QualifiedName) =>
    shown.filter((key) => key.kind === kind && key.constraint === relationship.constraint && isSame(key.table, table)).flatMap(({ view, columns }) => combinations(columns).map((names) => ({ view, names })));
  const origins = of('referencing', relationship.origin);
  const targets = of('referenced', relationship.target);
  const pairs = (left: (i: number) => string, right: (i: number) => string): ColumnPair[] => relationship.columns.map((_, i) => [left(i), right(i)] as const);
  const ownLeft = (i: number) => relationship.columns[i]![0];
  const ownRight = (i: number) => relationship.columns[i]![1];
  return [
    ...origins.map(({ view, names }) => ({ ...relationship, origin: view, isSelf: false, isOriginView: true, columns: pairs((i) => names[i]!, ownRight) })),
    ...targets.map(({ view, names }) => ({ ...relationship, target: view, isSelf: false, isTargetView: true, columns: pairs(ownLeft, (i) => names[i]!) })),
    ...origins.flatMap((from) =>
      targets.map((to) => ({
        ...relationship,
        origin: from.view,
        target: to.view,
        isSelf: isSame(from.view, to.view),
        isOriginView: true,
        isTargetView: true,
        columns: pairs((i) => from.names[i]!, (i) => to.names[i]!),
      })),
    ),
  ];
}

/** One choice of a name for each place. */
function combinations(choices: readonly (readonly string[])[]): string[][] {
  return choices.reduce<string[][]>((so, names) => so.flatMap((chosen) => names.map((name) => [...chosen, name])), [[]]);
}

/** Two foreign keys of one table whose columns are part of its primary key relate the tables they point to. */
function junctions(referencing: readonly KeyRelationship[], collections: ReadonlyMap<string, Collection>): KeyRelationship[] {
  const byOrigin = Map.groupBy(referencing.filter(({ cardinality }) => cardinality === 'many-to-one'), ({ origin }) => keyOf(origin.schema, origin.name));
  return [...byOrigin].flatMap(([origin, keys]) => {
    const primaryKey = collections.get(origin)?.primaryKey ?? [];
    const isInKey = ({ columns }: KeyRelationship): boolean => columns.every(([column]) => primaryKey.includes(column));
    const parts = keys.filter(isInKey);
    return parts.flatMap((from) => parts.filter((to) => to.constraint !== from.constraint).map((to) => junctionOf(from, to)));
  });
}

function junctionOf(from: KeyRelationship, to: KeyRelationship): KeyRelationship {
  return {
    kind: 'key',
    cardinality: 'many-to-many',
    origin: from.target,
    target: to.target,
    isSelf: isSame(from.target, to.target),
    isOriginView: from.isTargetView,
    isTargetView: to.isTargetView,
    constraint: '',
    columns: [],
    junction: {
      ...from.origin,
      originConstraint: from.constraint,
      targetConstraint: to.constraint,
      originColumns: from.columns.map(swap),
      targetColumns: to.columns.map(swap),
    },
  };
}

function reverse(relationship: KeyRelationship): KeyRelationship {
  return {
    ...relationship,
    cardinality: relationship.cardinality === 'many-to-one' ? 'one-to-many' : relationship.cardinality,
    ...(relationship.cardinality === 'one-to-one' ? { isReversed: true } : {}),
    origin: relationship.target,
    target: relationship.origin,
    isOriginView: relationship.isTargetView,
    isTargetView: relationship.isOriginView,
    columns: relationship.columns.map(swap),
  };
}

function swap([left, right]: ColumnPair): ColumnPair {
  return [right, left];
}

function isSame(a: QualifiedName, b: QualifiedName): boolean {
  return a.schema === b.schema && a.name === b.name;
}

function isExposed(relationship: Relationship, collections: ReadonlyMap<string, Collection>): boolean {
  const ends: QualifiedName[] = [relationship.origin, relationship.target];
  if (relationship.kind === 'key' && relationship.junction !== null) ends.push(relationship.junction);
  return ends.every(({ schema, name }) => collections.has(keyOf(schema, name)));
}

function pairOf({ origin, target }: Relationship): string {
  return JSON.stringify([origin.schema, origin.name, target.schema, target.name]);
}

function grouped(relationships: readonly Relationship[]): Map<string, Relationship[]> {
  return Map.groupBy(relationships, ({ origin }) => keyOf(origin.schema, origin.name));
}

const cardinalities: readonly Cardinality[] = ['one-to-many', 'many-to-one', 'one-to-one', 'many-to-many'];

/** A fixed order, so that the answer to an ambiguous embed lists its choices always alike. */
function inOrder(a: Relationship, b: Relationship): number {
  return compare(sortKey(a), sortKey(b));
}

function sortKey(relationship: Relationship): readonly (string | number)[] {
  const { kind, target } = relationship;
  if (kind === 'computed') return [1, target.schema, target.name, relationship.function.name];
  const { junction } = relationship;
  const through = junction === null ? [relationship.constraint, ...relationship.columns.flat()] : [junction.schema, junction.name, junction.originConstraint, junction.targetConstraint, ...junction.originColumns.flat()];
  return [0, target.schema, target.name, cardinalities.indexOf(relationship.cardinality), ...through];
}

function compare(a: readonly (string | number)[], b: readonly (string | number)[]): number {
  const i = a.findIndex((part, place) => part !== b[place]);
  return i === -1 || b[i] === undefined ? 0 : a[i]! < b[i]! ? -1 : 1;
}
