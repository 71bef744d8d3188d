import type { DescribedCollection, DescribedColumn, DescribedFunction, Description, TypeName } from './description.ts';
import { findCollection, keyOf, type KeyRelationship, type SchemaCache } from './schema-cache.ts';

/** The release that supabase-js chooses its types by; the newest that it knows. */
const postgrestVersion = '14.5';

/** The module `database.types.ts` of some schemas, in the shape that `supabase gen types typescript` gives and supabase-js reads. */
export function databaseTypes(descriptions: readonly Description[], cache: SchemaCache): string {
  const sorted = [...descriptions].sort(byName(({ schema }) => schema));
  const house: House = { descriptions: new Map(sorted.map((description) => [description.schema, description])), cache };
  const first = descriptions[0]?.schema ?? 'public';
  return [
    json,
    `export type Database = ${block([internal, ...sorted.map((description) => `${key(description.schema)}: ${schemaType(description, house)}`)])}`,
    helpers(first),
    `export const Constants = ${block(sorted.map((description) => `${key(description.schema)}: ${constantsOf(description)},`))} as const`,
  ].join('\n\n') + '\n';
}

interface House {
  readonly descriptions: ReadonlyMap<string, Description>;
  readonly cache: SchemaCache;
}

const json = `export type Json =
  | string
  | number
  | boolean
  | null
  | { [key: string]: Json | undefined }
  | Json[]`;

const internal = `// What createClient needs to know of the server.
__InternalSupabase: ${block([`PostgrestVersion: ${text(postgrestVersion)}`])}`;

function schemaType(description: Description, house: House): string {
  const isTable = ({ isView }: DescribedCollection): boolean => !isView;
  const part = (entries: readonly string[]): string => (entries.length === 0 ? block(['[_ in never]: never']) : block(entries));
  const tables = description.collections.filter(isTable).sort(byName(({ name }) => name));
  const views = description.collections.filter((collection) => !isTable(collection)).sort(byName(({ name }) => name));
  const functions = [...Map.groupBy(description.functions, ({ name }) => name)].sort(byName(([name]) => name));
  return block([
    `Tables: ${part(tables.map((table) => `${key(table.name)}: ${tableType(table, description, house)}`))}`,
    `Views: ${part(views.map((view) => `${key(view.name)}: ${viewType(view, description, house)}`))}`,
    `Functions: ${part(functions.map(([name, overloads]) => `${key(name)}:${overloadsType(overloads, description, house)}`))}`,
    `Enums: ${part(description.enums.map(({ name, values }) => `${key(name)}: ${union(values)}`))}`,
    `CompositeTypes: ${part(description.composites.map(({ name, fields }) => `${key(name)}: ${block(fields.map((field) => `${key(field.name)}: ${orNull(typeText(field.type, house))}`))}`))}`,
  ]);
}

function tableType(table: DescribedCollection, description: Description, house: House): string {
  const columns = sortedColumns(table);
  return block([
    `Row: ${rowType(table, description, house)}`,
    `Insert: ${block(columns.map((column) => (column.isGenerated ? `${key(column.name)}?: never` : `${key(column.name)}${column.isNullable || column.hasDefault ? '?' : ''}: ${columnType(column, house)}`)))}`,
    `Update: ${block(columns.map((column) => (column.isGenerated ? `${key(column.name)}?: never` : `${key(column.name)}?: ${columnType(column, house)}`)))}`,
    `Relationships: ${relationshipsType(table, description, house)}`,
  ]);
}

/** A view may give null anywhere, and may be written where PostgreSQL can lead the value to a table. */
function viewType(view: DescribedCollection, description: Description, house: House): string {
  const known = findCollection(house.cache, { schema: description.schema, name: view.name });
  const written = block(sortedColumns(view).map((column) => (column.isUpdatable ? `${key(column.name)}?: ${orNull(valueType(column, house))}` : `${key(column.name)}?: never`)));
  return block([
    `Row: ${rowType(view, description, house)}`,
    ...(known?.isInsertable ? [`Insert: ${written}`] : []),
    ...(known?.isUpdatable ? [`Update: ${written}`] : []),
    `Relationships: ${relationshipsType(view, description, house)}`,
  ]);
}

/** Functions of a row that give one value are fields of it. */
function rowType(collection: DescribedCollection, description: Description, house: House): string {
  const computed = description.functions.filter(({ fieldOf, returns }) => fieldOf?.schema === description.schema && fieldOf.name === collection.name && !returns.isSet && returns.collection === null && returns.columns === null);
  return block([
    ...sortedColumns(collection).map((column) => `${key(column.name)}: ${columnType(column, house)}`),
    ...computed.map(({ name, returns }) => `${key(name)}: ${orNull(typeText(returns.type, house))}`),
  ]);
}

function sortedColumns({ columns, isView }: DescribedCollection): DescribedColumn[] {
  return columns.map((column) => (isView ? { ...column, isNullable: true } : column)).sort(byName(({ name }) => name));
}

function columnType(column: DescribedColumn, house: House): string {
  return column.isNullable ? orNull(valueType(column, house)) : valueType(column, house);
}

function valueType({ type }: DescribedColumn, house: House): string {
  return typeText(type, house);
}

function relationshipsType({ name }: DescribedCollection, { schema }: Description, { cache }: House): string {
  const keys = (cache.relationships.get(keyOf(schema, name)) ?? [])
    .filter((relationship): relationship is KeyRelationship => relationship.kind === 'key' && relationship.isReversed !== true && (relationship.cardinality === 'many-to-one' || relationship.cardinality === 'one-to-one'))
    .sort(byName(({ constraint, target, columns }) => `${constraint}\0${target.name}\0${JSON.stringify(columns)}`));
  if (keys.length === 0) return '[]';
  return `[\n${indent(
    keys.map(({ constraint, columns, cardinality, target }) =>
      `${block([
        `foreignKeyName: ${text(constraint)}`,
        `columns: [${columns.map(([own]) => text(own)).join(', ')}]`,
        `isOneToOne: ${cardinality === 'one-to-one'}`,
        `referencedRelation: ${text(target.name)}`,
        `referencedColumns: [${columns.map(([, other]) => text(other)).join(', ')}]`,
      ])},`).join('\n'),
  )}\n]`;
}

function overloadsType(overloads: readonly DescribedFunction[], description: Description, house: House): string {
  if (overloads.length === 1) return ` ${functionType(overloads[0]!, description, house)}`;
  return `\n${indent(overloads.map((overload) => `| ${functionType(overload, description, house)}`).join('\n'))}`;
}

function functionType(routine: DescribedFunction, description: Description, house: House): string {
  const { parameters, fieldOf, returns } = routine;
  const args = parameters.length === 0 ? 'never' : `{ ${parameters.map(({ name, type, isRequired, isVariadic }) => `${key(name)}${isRequired && !isVariadic ? '' : '?'}: ${typeText(type, house)}`).join('; ')} }`;
  const { collection, isSet, isOneRow } = returns;
  const to = collection !== null && collection.schema === description.schema ? collection.name : null;
  return block([
    `Args: ${args}`,
    `Returns: ${returnType(routine, house)}`,
    ...(to === null ? [] : [`SetofOptions: ${block([`from: ${text(fieldOf?.name ?? '*')}`, `to: ${text(to)}`, `isOneToOne: ${!isSet || isOneRow}`, `isSetofReturn: ${isSet}`])}`]),
  ]);
}

function returnType({ returns }: DescribedFunction, house: House): string {
  const { type, isSet, isVoid, columns, collection } = returns;
  if (isVoid) return 'undefined';
  const rows = collection === null ? undefined : house.descriptions.get(collection.schema)?.collections.find(({ name }) => name === collection.name);
  const one = columns !== null ? block(columns.map((column) => `${key(column.name)}: ${typeText(column.type, house)}`)) : rows !== undefined ? block(sortedColumns(rows).map((column) => `${key(column.name)}: ${columnType(column, house)}`)) : typeText(type, house);
  return isSet ? `${one}[]` : one;
}

const scalars: Readonly<Record<string, string>> = {
  bool: 'boolean', int2: 'number', int4: 'number', int8: 'number', float4: 'number', float8: 'number', numeric: 'number',
  bytea: 'string', bpchar: 'string', varchar: 'string', text: 'string', name: 'string', date: 'string', time: 'string', timetz: 'string', timestamp: 'string', timestamptz: 'string', interval: 'unknown', uuid: 'string',
  json: 'Json', jsonb: 'Json', void: 'undefined', record: 'Record<string, unknown>',
};

/** Types of extensions that are text on the wire, wherever they were installed. */
const textLike = new Set(['citext', 'vector', 'halfvec']);

function typeText({ schema, name, isList }: TypeName, house: House): string {
  if (isList) return listOf(typeText({ schema, name, isList: false }, house));
  if (schema === 'pg_catalog') return Object.hasOwn(scalars, name) ? scalars[name]! : 'unknown';
  const description = house.descriptions.get(schema);
  if (textLike.has(name)) return 'string';
  if (description === undefined) return 'unknown';
  const at = (part: string, end = ''): string => `Database[${text(schema)}][${text(part)}][${text(name)}]${end}`;
  if (description.enums.some((one) => one.name === name)) return at('Enums');
  if (description.composites.some((one) => one.name === name)) return at('CompositeTypes');
  const collection = description.collections.find((one) => one.name === name);
  return collection === undefined ? 'unknown' : at(collection.isView ? 'Views' : 'Tables', '["Row"]');
}

function listOf(type: string): string {
  return /[ |]/.test(type) && !type.startsWith('Database[') ? `(${type})[]` : `${type}[]`;
}

function orNull(type: string): string {
  return `${type} | null`;
}

function constantsOf({ enums }: Description): string {
  return block([`Enums: ${enums.length === 0 ? '{}' : block(enums.map(({ name, values }) => `${key(name)}: [${values.map(text).join(', ')}],`))},`]);
}

function union(values: readonly string[]): string {
  return values.length === 0 ? 'never' : values.map(text).join(' | ');
}

function block(lines: readonly string[]): string {
  return lines.length === 0 ? '{}' : `{\n${indent(lines.join('\n'))}\n}`;
}

function indent(lines: string): string {
  return lines.replaceAll(/^(?=.)/gm, '  ');
}

function text(value: string): string {
  return JSON.stringify(value);
}

function key(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : text(name);
}

function byName<T>(nameOf: (item: T) => string): (a: T, b: T) => number {
  return (a, b) => (nameOf(a) < nameOf(b) ? -1 : nameOf(a) > nameOf(b) ? 1 : 0);
}

/** The types by which applications name rows: `Tables<'orders'>`, or with `{ schema: 'other' }` first. */
function helpers(schema: string): string {
  const chosen = (name: string, kinds: string, result: (all: string, entry: string) => string): string => `export type ${name}<
  NameOrOptions extends keyof ${kinds.replaceAll('@', 'DefaultSchema')} | { schema: keyof DatabaseWithoutInternals },
  Name extends NameOrOptions extends { schema: keyof DatabaseWithoutInternals }
    ? keyof ${kinds.replaceAll('@', 'DatabaseWithoutInternals[NameOrOptions["schema"]]')}
    : never = never,
> = NameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? ${result(kinds.replaceAll('@', 'DatabaseWithoutInternals[NameOrOptions["schema"]]'), 'Name')}
  : NameOrOptions extends keyof ${kinds.replaceAll('@', 'DefaultSchema')}
    ? ${result(kinds.replaceAll('@', 'DefaultSchema'), 'NameOrOptions')}
    : never`;
  const part = (wanted: string) => (all: string, entry: string): string => `${all}[${entry}] extends { ${wanted}: infer T } ? T : never`;
  const itself = (all: string, entry: string): string => `${all}[${entry}]`;
  return [
    'type DatabaseWithoutInternals = Omit<Database, "__InternalSupabase">',
    `type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, ${text(schema)}>]`,
    chosen('Tables', '(@["Tables"] & @["Views"])', part('Row')),
    chosen('TablesInsert', '@["Tables"]', part('Insert')),
    chosen('TablesUpdate', '@["Tables"]', part('Update')),
    chosen('Enums', '@["Enums"]', itself),
    chosen('CompositeTypes', '@["CompositeTypes"]', itself),
  ].join('\n\n');
}
