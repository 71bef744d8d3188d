import { makeRelationships, viewPrimaryKeys, type ForeignKey, type ShownKey } from './relationships.ts';
import { castKey, keyOf, type Collection, type Column, type ComputedRelationship, type MediaHandler, type QualifiedName, type RoleSettings, type Routine, type SchemaCache } from './schema-cache.ts';
import { readViewColumns } from './view-columns.ts';

/** The system catalogue as one JSON document: what the introspection query of `rest` gives. Relations go by their number. */
export interface Catalogue {
  readonly collections: readonly (Omit<Collection, 'primaryKey' | 'columns'> & { readonly relation: number; readonly columns: readonly Column[] })[];
  /** Every relation that has a key or is a view, with the names of its columns by number. */
  readonly relations: readonly { readonly relation: number; readonly schema: string; readonly name: string; readonly columns: Readonly<Record<string, string>> }[];
  readonly keys: readonly CatalogueKey[];
  readonly views: readonly { readonly relation: number; readonly rule: string }[];
  readonly computed: readonly Omit<ComputedRelationship, 'kind'>[];
  readonly routines: readonly Routine[];
  readonly casts: readonly { readonly from: string; readonly to: string; readonly function: string }[];
  readonly mediaHandlers: readonly MediaHandler[];
  readonly types: readonly string[];
  readonly roles: readonly (RoleSettings & { readonly role: string })[];
}

interface CatalogueKey {
  readonly kind: 'p' | 'u' | 'f';
  readonly constraint: string;
  readonly relation: number;
  readonly columns: readonly number[];
  readonly target: number | null;
  readonly targetColumns: readonly number[] | null;
}

/** Makes the schema cache from what the catalogue says. */
export function makeSchemaCache(catalogue: Catalogue, schemas: readonly string[]): SchemaCache {
  const relations = new Map(catalogue.relations.map((relation) => [relation.relation, relation]));
  const shown = shownKeys(catalogue, relations);
  const collections = makeCollections(catalogue, relations, viewPrimaryKeys(shown));
  const computed = catalogue.computed.map((relationship): ComputedRelationship => ({ kind: 'computed', ...relationship }));
  return {
    schemas,
    collections,
    relationships: makeRelationships(foreignKeys(catalogue.keys, relations), shown, computed, collections),
    routines: Map.groupBy(catalogue.routines, ({ schema, name }) => keyOf(schema, name)),
    casts: new Map(catalogue.casts.map((cast) => [castKey(cast.from, cast.to), cast.function])),
    mediaHandlers: catalogue.mediaHandlers,
    types: new Set(catalogue.types),
    roles: new Map(catalogue.roles.map(({ role, isolation, settings }) => [role, { isolation, settings }])),
  };
}

type Relations = ReadonlyMap<number, Catalogue['relations'][number]>;

function makeCollections({ collections, keys }: Catalogue, relations: Relations, ofViews: ReadonlyMap<string, readonly string[]>): Map<string, Collection> {
  const primaryKeys = new Map(keys.filter(({ kind }) => kind === 'p').map(({ relation, columns }) => [relation, namesOf(relations.get(relation), columns).sort()]));
  const uniqueKeys = Map.groupBy(keys.filter(({ kind }) => kind === 'u').map((key) => ({ relation: key.relation, names: namesOf(relations.get(key.relation), key.columns) })), ({ relation }) => relation);
  return new Map(
    collections.map(({ relation, columns, ...collection }) => {
      const key = keyOf(collection.schema, collection.name);
      const primaryKey = (collection.isView ? ofViews.get(key) : primaryKeys.get(relation)) ?? [];
      const uniqueKey = primaryKey.length > 0 ? undefined : uniqueKeys.get(relation)?.find(({ names }) => names.every((name) => columns.some((column) => column.name === name && column.isNullable === false)))?.names;
      return [key, { ...collection, primaryKey, ...(uniqueKey === undefined ? {} : { uniqueKey }), columns: new Map(columns.map((column) => [column.name, column])) }];
    }),
  );
}

function foreignKeys(keys: readonly CatalogueKey[], relations: Relations): ForeignKey[] {
  const unique = new Set(keys.filter(({ kind }) => kind !== 'f').map(({ relation, columns }) => columnSet(relation, columns)));
  return keys.flatMap(({ kind, constraint, relation, columns, target, targetColumns }) => {
    const origin = relations.get(relation);
    const other = relations.get(target ?? 0);
    if (kind !== 'f' || origin === undefined || other === undefined || targetColumns === null) return [];
    const names = namesOf(origin, columns);
    const targetNames = namesOf(other, targetColumns);
    return [{
      constraint,
      origin: qualified(origin),
      target: qualified(other),
      columns: names.map((name, i) => [name, targetNames[i]!] as const),
      isUnique: unique.has(columnSet(relation, columns)),
    }];
  });
}

function columnSet(relation: number, columns: readonly number[]): string {
  return `${relation}:${[...columns].sort((a, b) => a - b).join()}`;
}

/** For each view, the keys of base tables whose columns it shows, all of them, also through other views. */
function shownKeys({ keys, views }: Catalogue, relations: Relations): ShownKey[] {
  const columnsOf = new Map(views.map(({ relation, rule }) => [relation, readViewColumns(rule)]));
  const keysByRelation = Map.groupBy(keys.flatMap(sidesOf), ({ relation }) => relation);
  return views.flatMap(({ relation }) => {
    const view = relations.get(relation);
    if (view === undefined) return [];
    const shownBy = sourcesOf(relation, columnsOf);
    return [...shownBy].flatMap(([source, byColumn]) =>
      (keysByRelation.get(source) ?? []).filter(({ columns }) => columns.every((column) => byColumn.has(column))).map(({ kind, constraint, columns }) => ({
        kind,
        constraint,
        table: qualified(relations.get(source)!),
        view: qualified(view),
        columns: columns.map((column) => byColumn.get(column)!.map((number) => view.columns[number] ?? '')),
      })),
    );
  });
}

/** A foreign key is a key of both tables that it joins. */
function sidesOf({ kind, constraint, relation, columns, target, targetColumns }: CatalogueKey): { kind: ShownKey['kind']; constraint: string; relation: number; columns: readonly number[] }[] {
  if (kind === 'u') return [];
  if (kind === 'p') return [{ kind: 'primary', constraint, relation, columns }];
  return [
    { kind: 'referencing', constraint, relation, columns },
    { kind: 'referenced', constraint, relation: target!, columns: targetColumns! },
  ];
}

/** For each relation below a view: its columns that the view shows, with the numbers they have in the view. */
function sourcesOf(view: number, columnsOf: ReadonlyMap<number, ReturnType<typeof readViewColumns>>): Map<number, Map<number, number[]>> {
  const sources = new Map<number, Map<number, number[]>>();
  const follow = (relation: number, column: number, inView: number, seen: ReadonlySet<number>): void => {
    const byColumn = sources.get(relation) ?? new Map<number, number[]>();
    sources.set(relation, byColumn);
    byColumn.set(column, [...(byColumn.get(column) ?? []), inView]);
    if (seen.has(relation)) return;
    for (const below of columnsOf.get(relation) ?? []) {
      if (below.number === column) follow(below.sourceRelation, below.sourceColumn, inView, new Set([...seen, relation]));
    }
  };
  for (const { number, sourceRelation, sourceColumn } of columnsOf.get(view) ?? []) follow(sourceRelation, sourceColumn, number, new Set([view]));
  return sources;
}

function namesOf(relation: Catalogue['relations'][number] | undefined, numbers: readonly number[]): string[] {
  return numbers.map((number) => relation?.columns[number] ?? '');
}

function qualified({ schema, name }: QualifiedName): QualifiedName {
  return { schema, name };
}
