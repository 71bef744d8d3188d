/**
 * The types that a new field may have: PostgreSQL's own, by its own names and the short ones that people write.
 * A table made by a migration may use every type there is; this list is for tables made from a file.
 */
export const fieldTypes: Readonly<Record<string, readonly string[]>> = {
  text: [],
  'character varying': ['varchar'],
  boolean: ['bool'],
  smallint: ['int2'],
  integer: ['int', 'int4'],
  bigint: ['int8'],
  numeric: ['decimal'],
  real: ['float4'],
  'double precision': ['float8', 'float'],
  date: [],
  'time without time zone': ['time'],
  'timestamp without time zone': ['timestamp'],
  'timestamp with time zone': ['timestamptz'],
  interval: [],
  uuid: [],
  json: [],
  jsonb: [],
  bytea: [],
  inet: [],
  'text[]': [],
  'integer[]': ['int[]', 'int4[]'],
  'numeric[]': [],
};

const byName = new Map(Object.entries(fieldTypes).flatMap(([name, others]) => [name, ...others].map((known) => [known, name] as const)));

/** The type's full name, or null if it is none of the list. */
export function fieldTypeOf(name: string): string | null {
  return byName.get(name.trim().toLowerCase().replace(/\s+/g, ' ')) ?? null;
}

/** Every name that is understood. */
export const knownTypes: readonly string[] = [...byName.keys()];
