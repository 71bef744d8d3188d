/** A name in a schema. */
export interface QualifiedName {
  readonly schema: string;
  readonly name: string;
}

export interface Column {
  readonly name: string;
  /** The type as declared, with length and domain: what a value of a JSON body is read as. */
  readonly type: string;
  /** The type below all domains. */
  readonly baseType: string;
  /** The expression of its default, or null. */
  readonly default: string | null;
  /** False where a constraint forbids nulls. */
  readonly isNullable?: boolean;
}

/** A table, view, materialised view, foreign table or partitioned table. */
export interface Collection extends QualifiedName {
  readonly isView: boolean;
  readonly isInsertable: boolean;
  readonly isUpdatable: boolean;
  readonly isDeletable: boolean;
  /** The columns of the primary key; of a view, the columns that show it. */
  readonly primaryKey: readonly string[];
  /** Of a table without a primary key: the columns of a unique key that has no nulls, if there is one. */
  readonly uniqueKey?: readonly string[];
  readonly columns: ReadonlyMap<string, Column>;
}

/** Columns that must be equal: one here, one there. */
export type ColumnPair = readonly [string, string];

export interface Junction extends QualifiedName {
  readonly originConstraint: string;
  readonly targetConstraint: string;
  /** Column of the origin, column of the junction. */
  readonly originColumns: readonly ColumnPair[];
  /** Column of the target, column of the junction. */
  readonly targetColumns: readonly ColumnPair[];
}

export type Cardinality = 'one-to-many' | 'many-to-one' | 'one-to-one' | 'many-to-many';

/** A relationship that foreign keys make. */
export interface KeyRelationship {
  readonly kind: 'key';
  readonly cardinality: Cardinality;
  readonly origin: QualifiedName;
  readonly target: QualifiedName;
  readonly isSelf: boolean;
  readonly isOriginView: boolean;
  readonly isTargetView: boolean;
  /** The foreign key's name; empty for many-to-many. */
  readonly constraint: string;
  /** Column of the origin, column of the target; empty for many-to-many. */
  readonly columns: readonly ColumnPair[];
  readonly junction: Junction | null;
  /** Of one-to-one: the key belongs to the target, and points here. Not said where it is plain. */
  readonly isReversed?: boolean;
}

/** A relationship that a function makes: it takes a row of the origin and gives rows of the target. */
export interface ComputedRelationship {
  readonly kind: 'computed';
  readonly function: QualifiedName;
  readonly origin: QualifiedName;
  readonly target: QualifiedName;
  readonly isSingle: boolean;
  readonly isSelf: boolean;
}

export type Relationship = KeyRelationship | ComputedRelationship;

export interface Parameter {
  /** Empty for an unnamed one. */
  readonly name: string;
  readonly type: string;
  /** The type for reading a value: without the lengths that PostgreSQL would cut to silently. */
  readonly readType: string;
  readonly isRequired: boolean;
  readonly isVariadic: boolean;
}

export type Volatility = 'volatile' | 'stable' | 'immutable';
export type Isolation = 'read committed' | 'repeatable read' | 'serializable';

/** A function that can be called. */
export interface Routine extends QualifiedName {
  readonly parameters: readonly Parameter[];
  readonly returns: {
    readonly schema: string;
    readonly name: string;
    readonly isSet: boolean;
    readonly isComposite: boolean;
    readonly isVoid: boolean;
  };
  readonly volatility: Volatility;
  readonly isVariadic: boolean;
  readonly isolation: Isolation | null;
  /** Settings of the function that must hold from the start of the transaction, such as `statement_timeout`. */
  readonly settings: Readonly<Record<string, string>>;
}

/** What gives a media type: an aggregate over rows, or the function itself whose result is already written so. */
export interface MediaHandler {
  /** The collection or function it is for; null is for any row. */
  readonly target: QualifiedName | null;
  readonly mediaType: string;
  /** The type that is answered; differs from `mediaType` for a handler of all types. */
  readonly answeredType: string;
  readonly aggregate: QualifiedName;
  /** It gives bytes and not text. */
  readonly isBinary: boolean;
}

/** What `ALTER ROLE … SET` says about a role; `SET ROLE` alone would not apply it. */
export interface RoleSettings {
  readonly isolation: Isolation | null;
  readonly settings: Readonly<Record<string, string>>;
}

/** All that the data API knows of a database. A value: made whole, replaced whole. */
export interface SchemaCache {
  /** Exposed schemas; the first is the default. */
  readonly schemas: readonly string[];
  readonly collections: ReadonlyMap<string, Collection>;
  /** By `keyOf` the origin. */
  readonly relationships: ReadonlyMap<string, readonly Relationship[]>;
  /** By `keyOf` the function. */
  readonly routines: ReadonlyMap<string, readonly Routine[]>;
  /** The function of an implicit cast from or to a domain, by `castKey`. */
  readonly casts: ReadonlyMap<string, string>;
  readonly mediaHandlers: readonly MediaHandler[];
  /** Types by the name under which a cast finds them. */
  readonly types: ReadonlySet<string>;
  readonly roles: ReadonlyMap<string, RoleSettings>;
}

/** One key for a schema and a name; no identifier holds a NUL. */
export function keyOf(schema: string, name: string): string {
  return `${schema}\0${name}`;
}

export function castKey(from: string, to: string): string {
  return `${from}\0${to}`;
}

/** Whether a relationship gives at most one row. */
export function isToOne(relationship: Relationship): boolean {
  return relationship.kind === 'computed' ? relationship.isSingle : relationship.cardinality === 'many-to-one' || relationship.cardinality === 'one-to-one';
}

/** Whether a function gives values that are no rows. */
export function returnsScalar(routine: Routine): boolean {
  return !routine.returns.isComposite;
}

/** The collection of an exposed schema, or undefined. */
export function findCollection(cache: SchemaCache, { schema, name }: QualifiedName): Collection | undefined {
  return cache.collections.get(keyOf(schema, name));
}

/** All names of a kind in one schema, for hints. */
export function namesIn(keys: Iterable<string>, schema: string): string[] {
  const prefix = keyOf(schema, '');
  return [...keys].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
}
