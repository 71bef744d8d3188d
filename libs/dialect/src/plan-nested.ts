import { fault } from './faults.ts';
import { findRelationship } from './find-relationship.ts';
import { elementsOf, kindOfJson, membersOf } from './json-spans.ts';
import type { RestOptions } from './options.ts';
import type { Body } from './parse-body.ts';
import type { WriteColumn } from './plan-types.ts';
import { castKey, findCollection, keyOf, type Collection, type ColumnPair, type KeyRelationship, type Relationship, type SchemaCache } from './schema-cache.ts';

/** Rows of one collection that are inserted together, and what hangs on them. */
export interface Level {
  readonly collection: Collection;
  /** The columns that the body gives. */
  readonly columns: ReadonlyMap<string, WriteColumn>;
  readonly rows: readonly NestedRow[];
  readonly children: readonly Children[];
}

export interface NestedRow {
  /** Values as JSON, by column. */
  readonly values: ReadonlyMap<string, string>;
  /** Where it stands in the body: `[3].items[2]`. */
  readonly path: string;
}

/** The rows under one name of a level's rows. */
export interface Children {
  readonly level: Level;
  /** For each of their rows, the row of the level above that it stands in. */
  readonly parents: readonly number[];
  readonly link: Link;
}

/** How rows of two levels are tied, as pairs of columns: above, below. */
export type Link =
  /** The row above has the key, so the one below is stored before it. */
  | { readonly kind: 'above refers'; readonly columns: readonly ColumnPair[] }
  | { readonly kind: 'below refers'; readonly columns: readonly ColumnPair[] }
  /** Rows of a third collection refer to both: pairs of a column there, and the junction's. */
  | { readonly kind: 'junction'; readonly junction: Collection; readonly above: readonly ColumnPair[]; readonly below: readonly ColumnPair[] };

/**
 * The levels of a body that holds children under the names of relationships; null where there are none, and for a body that
 * is an ordinary one. A column always goes before a relationship of its name.
 * @throws Fault PGRST201, PGRST204, PGRSTX30
 */
export function planNested(body: Body | null, collection: Collection, cache: SchemaCache, { limits }: RestOptions): Level | null {
  if (body?.kind !== 'json' || body.keys.every((key) => collection.columns.has(key))) return null;
  const names = body.keys.filter((key) => !collection.columns.has(key));
  if (!names.every((name) => isRelated(cache, collection, name))) return null;
  if (body.uneven?.some((name) => collection.columns.has(name))) return null;
  if (!isValid(body.text)) return null;
  const planner = new Nesting(cache, limits.embedDepth, limits.embeds);
  const kept = new Set(body.keys);
  const elements = body.isObject ? [{ json: body.text, path: '' }] : elementsOf(body.text).map((json, i) => ({ json, path: `[${i}]` }));
  return planner.level(collection, elements, 1, kept);
}

/** With `columns` a body comes here as it was sent: PostgreSQL says better what is wrong with it. */
function isValid(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Whether a name may mean children; which ones is found out later, and told where it is not clear. */
function isRelated(cache: SchemaCache, { schema, name: origin }: Collection, name: string): boolean {
  const [target] = name.split('!');
  const related = cache.relationships.get(keyOf(schema, origin)) ?? [];
  return related.some((relationship) => relationship.target.name === target || (relationship.kind === 'key' ? relationship.constraint === target || relationship.columns[0]?.[0] === target : relationship.function.name === target));
}

interface Element {
  readonly json: string;
  readonly path: string;
}

class Nesting {
  private links = 0;

  constructor(
    private readonly cache: SchemaCache,
    private readonly maxDepth: number,
    private readonly maxLinks: number,
  ) {}

  /** @param kept The keys that are meant, where `columns` says so. */
  level(collection: Collection, elements: readonly Element[], depth: number, kept: ReadonlySet<string> | null): Level {
    const rows: NestedRow[] = [];
    const columns = new Map<string, WriteColumn>();
    const below = new Map<string, Below>();
    for (const { json, path } of elements) {
      if (kindOfJson(json) !== 'object') throw cannot(path, 'must be an object');
      const values = new Map<string, string>();
      for (const [key, value] of membersOf(json)) {
        if (kept !== null && !kept.has(key)) continue;
        const column = collection.columns.get(key);
        if (column !== undefined) {
          values.set(key, value);
          if (!columns.has(key)) columns.set(key, { ...column, parser: this.cache.casts.get(castKey('json', column.type)) ?? null });
        }
        if (column === undefined) this.collect(below, collection, key, value, { index: rows.length, path: joined(path, key) });
      }
      rows.push({ values, path });
    }
    for (const [key, { link }] of below) refuseGivenTwice(rows, key, link);
    return { collection, columns, rows, children: [...below.values()].map((children) => this.childLevel(children, depth)) };
  }

  private collect(below: Map<string, Below>, collection: Collection, key: string, value: string, { index, path }: { index: number; path: string }): void {
    let children = below.get(key);
    if (children === undefined) below.set(key, (children = this.below(collection, key, path)));
    const kind = kindOfJson(value);
    if (kind === 'null') return;
    if (!children.isMany && kind !== 'object') throw cannot(path, 'must be an object or null');
    if (children.isMany && kind !== 'array') throw cannot(path, 'must be a list of objects');
    const elements = children.isMany ? elementsOf(value).map((json, i) => ({ json, path: `${path}[${i}]` })) : [{ json: value, path }];
    for (const element of elements) {
      children.elements.push(element);
      children.parents.push(index);
    }
  }

  private below(collection: Collection, key: string, path: string): Below {
    const relationship = this.relationship(collection, key, path);
    if ((this.links += 1) > this.maxLinks) throw cannot(path, `is one relation too many: ${this.maxLinks} may be inserted through`);
    const target = findCollection(this.cache, relationship.target)!;
    return { target, link: this.linkOf(relationship, path), isMany: relationship.cardinality === 'one-to-many' || relationship.cardinality === 'many-to-many', elements: [], parents: [] };
  }

  private relationship(collection: Collection, key: string, path: string): KeyRelationship {
    if (!isRelated(this.cache, collection, key)) {
      throw fault('PGRST204', { message: `Could not find the '${key}' column of '${collection.name}' in the schema cache`, details: path });
    }
    const [target, hint = null] = key.split('!') as [string, string?];
    const relationship: Relationship = findRelationship(this.cache, collection, target, hint);
    if (relationship.kind === 'computed') throw cannot(path, 'is computed by a function, so nothing can be stored through it');
    return relationship;
  }

  private linkOf({ cardinality, columns, junction, isReversed }: KeyRelationship, path: string): Link {
    if (junction !== null) {
      const through = findCollection(this.cache, junction);
      if (through === undefined) throw cannot(path, `goes through '${junction.name}', which is not exposed`);
      return { kind: 'junction', junction: through, above: junction.originColumns, below: junction.targetColumns };
    }
    const isAbove = cardinality === 'many-to-one' || (cardinality === 'one-to-one' && isReversed !== true);
    return { kind: isAbove ? 'above refers' : 'below refers', columns };
  }

  private childLevel({ target, link, elements, parents }: Below, depth: number): Children {
    if (depth >= this.maxDepth && elements.length > 0) throw cannot(elements[0]!.path, `stands too deep: ${this.maxDepth} levels may be inserted at once`);
    const level = this.level(target, elements, depth + 1, null);
    if (link.kind === 'below refers') refuseGiven(level.rows, link.columns.map(([, column]) => column));
    return { level, parents, link };
  }
}

interface Below {
  readonly target: Collection;
  readonly link: Link;
  readonly isMany: boolean;
  readonly elements: Element[];
  readonly parents: number[];
}

/** The object decides what its row is called; a key beside it would say it twice. */
function refuseGivenTwice(rows: readonly NestedRow[], key: string, link: Link): void {
  if (link.kind !== 'above refers') return;
  for (const [column] of link.columns) {
    const row = rows.find(({ values }) => values.has(column));
    if (row !== undefined) throw cannot(joined(row.path, column), `is also given by "${key}"`);
  }
}

function refuseGiven(rows: readonly NestedRow[], columns: readonly string[]): void {
  for (const column of columns) {
    const row = rows.find(({ values }) => values.has(column));
    if (row !== undefined) throw cannot(joined(row.path, column), 'is given by the row that it stands in');
  }
}

/** The place of a member. */
export function joined(path: string, key: string): string {
  if (!/^[\p{L}_][\p{L}\d_]*$/u.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path === '' ? key : `${path}.${key}`;
}

function cannot(path: string, why: string): Error {
  return fault('PGRSTX30', { message: `${path === '' ? 'The body' : path} ${why}`, details: path });
}
