import type { QualifiedName, Volatility } from './schema-cache.ts';

/** Everything that a schema shows of itself: what descriptions for people and for code generators are written from. */
export interface Description {
  readonly schema: string;
  readonly comment: string | null;
  readonly collections: readonly DescribedCollection[];
  readonly functions: readonly DescribedFunction[];
  readonly enums: readonly { readonly name: string; readonly values: readonly string[] }[];
  readonly composites: readonly { readonly name: string; readonly fields: readonly { readonly name: string; readonly type: TypeName }[] }[];
}

/** A type below all domains. */
export interface TypeName extends QualifiedName {
  /** It is a list of that type. */
  readonly isList: boolean;
}

export interface DescribedCollection {
  readonly name: string;
  readonly comment: string | null;
  readonly isView: boolean;
  readonly columns: readonly DescribedColumn[];
}

export interface DescribedColumn {
  readonly name: string;
  readonly comment: string | null;
  /** As PostgreSQL writes it, below a domain of its own types; qualified where it is not PostgreSQL's own. */
  readonly format: string;
  readonly type: TypeName;
  readonly isNullable: boolean;
  readonly default: string | null;
  readonly maxLength: number | null;
  /** The values of an enum; empty for other types. */
  readonly values: readonly string[];
  /** Its value is always PostgreSQL's: generated, or an identity that takes no other. */
  readonly isGenerated: boolean;
  /** A row may be made without it: it has a default, an identity or is generated. */
  readonly hasDefault: boolean;
  /** May be written; columns of a view need not. */
  readonly isUpdatable: boolean;
}

export interface DescribedParameter {
  /** Empty for an unnamed one. */
  readonly name: string;
  readonly format: string;
  readonly type: TypeName;
  readonly isRequired: boolean;
  readonly isVariadic: boolean;
}

export interface DescribedFunction {
  readonly name: string;
  readonly comment: string | null;
  readonly volatility: Volatility;
  readonly parameters: readonly DescribedParameter[];
  readonly returns: {
    readonly type: TypeName;
    readonly isSet: boolean;
    readonly isVoid: boolean;
    /** The function gives one row and no more: `ROWS 1`. */
    readonly isOneRow: boolean;
    /** The collection whose rows it gives, or null. */
    readonly collection: QualifiedName | null;
    /** What OUT or TABLE name, or null. */
    readonly columns: readonly { readonly name: string; readonly format: string; readonly type: TypeName }[] | null;
  };
  /** The collection whose row is its single argument: it is a field, or an embed, of that collection. */
  readonly fieldOf: QualifiedName | null;
}
