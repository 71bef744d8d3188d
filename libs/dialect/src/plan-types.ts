import type { FieldName } from './parse-field.ts';
import type { Operation } from './parse-filter.ts';
import type { AggregateName } from './parse-select.ts';
import type { Collection, Column, ColumnPair, QualifiedName, Relationship } from './schema-cache.ts';
import type { Bucket, MomentType } from './time-bucket.ts';
import type { Window } from './window.ts';

/** A column, or a value inside it, as SQL has to name it. */
export interface ColumnRef extends FieldName {
  /** The column is JSON already; any other must be turned into it before a path is followed. */
  readonly isJson: boolean;
}

/** A bucket that moments are put in, and what its beginning is cast to. */
export interface TimeBucket extends Bucket {
  readonly type: MomentType;
  readonly cast: string | null;
}

/** An aggregate over the rows of a group; the column `*` is the row itself. */
export interface Measure {
  readonly column: ColumnRef;
  readonly cast: string | null;
  readonly aggregate: AggregateName;
}

/** What a group must be like to be given. */
export type GroupCondition =
  | { readonly kind: 'logic'; readonly isNegated: boolean; readonly operator: 'and' | 'or'; readonly conditions: readonly GroupCondition[] }
  | { readonly kind: 'measure'; readonly measure: Measure; readonly isNegated: boolean; readonly operation: Operation };

/** A column that a write sets. */
export interface WriteColumn extends Column {
  /** The function that reads a domain's value from JSON. */
  readonly parser: string | null;
}

/** One thing that a node gives. */
export type Output =
  | { readonly kind: 'star' }
  | {
      readonly kind: 'value';
      readonly column: ColumnRef;
      /** The function that writes a domain's values as JSON. */
      readonly formatter: string | null;
      readonly cast: string | null;
      readonly bucket: TimeBucket | null;
      readonly aggregate: { readonly name: AggregateName; readonly cast: string | null } | null;
      /** The key in the answer. */
      readonly key: string;
      /** The column's name in a spread, where an aggregate is applied one level up. */
      readonly liftedAs: string;
    }
  | { readonly kind: 'embed'; readonly embed: Embed };

export type Condition =
  | { readonly kind: 'logic'; readonly isNegated: boolean; readonly operator: 'and' | 'or'; readonly conditions: readonly Condition[] }
  | { readonly kind: 'filter'; readonly column: ColumnRef; readonly isTsVector: boolean; readonly isNegated: boolean; readonly operation: Operation; readonly parser: string | null }
  /** Related rows exist, or none. */
  | { readonly kind: 'presence'; readonly embed: Embed; readonly isNegated: boolean };

export interface Order {
  readonly column: ColumnRef;
  /** The to-one embed that the column belongs to, or null for the node's own. */
  readonly embed: Embed | null;
  readonly bucket: TimeBucket | null;
  readonly aggregate: AggregateName | null;
  /** The key of something given that is no column, such as a renamed aggregate; it is ordered by instead. */
  readonly output: string | null;
  readonly direction: 'asc' | 'desc' | null;
  readonly nulls: 'first' | 'last' | null;
}

/** Where the rows of a node come from. */
export type Source =
  | { readonly kind: 'collection'; readonly name: QualifiedName }
  /** The rows that a write or a call gave. */
  | { readonly kind: 'rows' }
  /** A function of the parent's row. */
  | { readonly kind: 'computed'; readonly function: QualifiedName; readonly argument: string; readonly argumentType: QualifiedName };

/** How a node's rows belong to its parent's row. */
export interface Join {
  readonly parentAlias: string;
  /** Column of the parent, column of the node; empty when joined through a junction or a function. */
  readonly columns: readonly ColumnPair[];
  readonly junction: { readonly name: QualifiedName; readonly alias: string; readonly parentColumns: readonly ColumnPair[]; readonly ownColumns: readonly ColumnPair[] } | null;
}

/** One level of what is read: rows of a source, filtered, ordered, with what is embedded in them. */
export interface Node {
  readonly source: Source;
  readonly alias: string;
  readonly collection: Collection | null;
  readonly outputs: readonly Output[];
  readonly conditions: readonly Condition[];
  readonly having: readonly GroupCondition[];
  readonly order: readonly Order[];
  readonly window: Window;
  readonly embeds: readonly Embed[];
  readonly join: Join | null;
}

export interface Embed {
  readonly name: string;
  readonly alias: string | null;
  /** The key in the answer, and the name in filters: the alias, or the name. */
  readonly key: string;
  readonly relationship: Relationship;
  readonly shape: 'object' | 'array' | 'spread-one' | 'spread-many';
  readonly isInner: boolean;
  /** The rows of it that were asked for: only they count as being there. */
  readonly asked: Window;
  /** Nothing was selected in it: it filters, and adds no key. */
  readonly isEmpty: boolean;
  readonly node: Node;
}
