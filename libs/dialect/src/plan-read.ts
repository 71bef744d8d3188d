import { fault } from './faults.ts';
import { findRelationship } from './find-relationship.ts';
import type { FieldName } from './parse-field.ts';
import { defaultLimits } from './limits.ts';
import { parseComparison, type Filter, type Tree } from './parse-filter.ts';
import type { Having } from './parse-having.ts';
import type { OrderTerm } from './parse-order.ts';
import type { Placed, WrittenHaving } from './parse-query.ts';
import type { SelectEmbed, SelectField, SelectItem } from './parse-select.ts';
import type { ColumnRef, Condition, Embed, GroupCondition, Join, Node, Order, Output, Source, TimeBucket } from './plan-types.ts';
import { castKey, findCollection, isToOne, type Collection, type QualifiedName, type Relationship, type SchemaCache } from './schema-cache.ts';
import { resolveCast } from './resolve-cast.ts';
import { momentTypeOf, type Bucket } from './time-bucket.ts';
import { capped, everything, type Window } from './window.ts';

/** What is asked of the rows: which of them, in which order, and what of them. */
export interface ReadTerms {
  /** The name under which relationships are looked up: the collection, or what a function returns. */
  readonly origin: QualifiedName;
  readonly source: Source;
  readonly select: readonly SelectItem[];
  readonly filters: readonly Placed<Filter>[];
  readonly logic: readonly Placed<Tree>[];
  readonly having: readonly Placed<WrittenHaving>[];
  readonly orders: readonly Placed<readonly OrderTerm[]>[];
  readonly windows: readonly Placed<Window>[];
  readonly window: Window;
  readonly maxRows: number | null;
  readonly areAggregatesAllowed: boolean;
}

export interface ReadTree {
  readonly root: Node;
  /** Embeds that were named by their target though they have an alias: old, and still heard. */
  readonly legacyNames: readonly { readonly name: string; readonly alias: string }[];
}

/**
 * Looks up everything that a read names and makes the tree that SQL is written from.
 * @throws Fault PGRST108, 118, 120, 123, 127, 200, 201.
 */
export function planRead(cache: SchemaCache, terms: ReadTerms): ReadTree {
  const planner = new ReadPlanner(cache, terms);
  const asked = askedOf(terms.select);
  planner.place(asked);
  return { root: planner.finish(planner.draftRoot(asked)), legacyNames: planner.legacyNames };
}

/** What was said of one level of the select, by name: nothing has been looked up. */
interface Asked {
  readonly items: readonly SelectItem[];
  readonly embeds: readonly { readonly select: SelectEmbed; readonly asked: Asked }[];
  readonly filters: Filter[];
  readonly trees: Tree[];
  readonly having: WrittenHaving[];
  order: readonly OrderTerm[];
  window: Window;
}

function askedOf(items: readonly SelectItem[]): Asked {
  const embeds = items.filter((item) => item.kind === 'embed').map((select) => ({ select, asked: askedOf(select.items) }));
  return { items, embeds, filters: [], trees: [], having: [], order: [], window: everything };
}

/** A level with its place among the collections. */
interface Draft {
  readonly asked: Asked;
  readonly source: Source;
  readonly alias: string;
  readonly origin: QualifiedName;
  readonly collection: Collection | null;
  readonly join: Join | null;
  readonly embeds: readonly EmbedDraft[];
}

interface EmbedDraft {
  readonly select: SelectEmbed;
  readonly relationship: Relationship;
  readonly draft: Draft;
}

type DraftStart = Pick<Draft, 'asked' | 'origin' | 'source' | 'alias' | 'join'>;

const utf8 = new TextEncoder();

class ReadPlanner {
  readonly legacyNames: { name: string; alias: string }[] = [];
  private readonly aliases = new Set<string>();

  constructor(
    private readonly cache: SchemaCache,
    private readonly terms: ReadTerms,
  ) {}

  /**
   * Gives filters, orders and windows to the levels that they are about. From the last to the first, as the protocol's first
   * server does: so of two orders the first counts, and of several wrong names the last is told.
   */
  place(root: Asked): void {
    const { filters, logic, having, orders, windows, window } = this.terms;
    for (const { path, what } of filters.toReversed()) this.find(root, path).filters.unshift(what);
    for (const { path, what } of orders.toReversed()) this.find(root, path).order = what;
    for (const { path, what } of windows) {
      if (path.length > 0) this.find(root, path).window = what;
    }
    for (const { path, what } of logic.toReversed()) this.find(root, path).trees.unshift(what);
    for (const { path, what } of having) this.find(root, path).having.push(what);
    root.window = window;
  }

  draftRoot(asked: Asked): Draft {
    const { origin, source } = this.terms;
    return this.draft({ asked, origin, source, alias: this.freeAlias(origin.name), join: null }, 1);
  }

  finish(draft: Draft, isExpanding = false): Node {
    const isAggregating = draft.asked.items.some(isAggregate) || draft.embeds.some(liftsAggregates) || makesGroups(draft.asked);
    const embeds = new Map(draft.embeds.map((embed) => [embed.select, this.finishEmbed(embed, isExpanding || isAggregating)]));
    const list = [...embeds.values()];
    const inner = list.filter(({ isInner }) => isInner).map((embed): Condition => ({ kind: 'presence', embed, isNegated: false }));
    return {
      source: draft.source,
      alias: draft.alias,
      collection: draft.collection,
      outputs: this.outputs(draft, embeds, isExpanding || isAggregating),
      conditions: [...draft.asked.filters.map((filter) => this.condition(draft, filter, list)), ...draft.asked.trees.map((tree) => this.condition(draft, tree, list)), ...inner],
      having: draft.asked.having.map((written) => this.groupCondition(draft, this.havingOf(draft, written))),
      order: draft.asked.order.map((term) => this.order(draft, term, list)),
      window: capped(draft.asked.window, this.terms.maxRows),
      embeds: list,
      join: draft.join,
    };
  }

  private draft(start: DraftStart, depth: number): Draft {
    const embeds = start.asked.embeds.map(({ select, asked }) => this.draftEmbed(select, asked, start, depth));
    return { ...start, collection: findCollection(this.cache, start.origin) ?? null, embeds };
  }

  private draftEmbed(select: SelectEmbed, asked: Asked, parent: DraftStart, depth: number): EmbedDraft {
    const relationship = findRelationship(this.cache, parent.origin, select.name, select.hint);
    const alias = this.freeAlias(`${relationship.target.name}_${depth}`);
    const join = this.joinOf(relationship, parent, depth);
    return { select, relationship, draft: this.draft({ asked, origin: relationship.target, source: sourceOf(relationship, parent), alias, join }, depth + 1) };
  }

  private joinOf(relationship: Relationship, parent: DraftStart, depth: number): Join {
    const start = { parentAlias: parent.alias, columns: [], junction: null };
    if (relationship.kind === 'computed') return start;
    const { junction } = relationship;
    if (junction === null) return { ...start, columns: relationship.columns };
    return {
      ...start,
      junction: { name: { schema: junction.schema, name: junction.name }, alias: this.freeAlias(`${junction.name}_${depth}`), parentColumns: junction.originColumns, ownColumns: junction.targetColumns },
    };
  }

  /** Names in SQL are unique in the whole tree: an inner one never hides an outer one that a join needs. */
  private freeAlias(wanted: string): string {
    // PostgreSQL cuts names at 63 bytes, and cut ones could meet.
    const base = utf8.encode(wanted).length > 56 && this.aliases.size > 0 ? 'embed' : wanted;
    let alias = base;
    for (let i = 2; this.aliases.has(alias); i += 1) alias = `${base}_${i}`;
    this.aliases.add(alias);
    return alias;
  }

  private find(asked: Asked, path: readonly string[]): Asked {
    const [name, ...rest] = path;
    if (name === undefined) return asked;
    const byKey = asked.embeds.find(({ select }) => (select.alias ?? select.name) === name);
    const found = byKey ?? asked.embeds.find(({ select }) => select.name === name);
    if (found === undefined) throw notEmbedded(name);
    if (byKey === undefined) this.legacyNames.push({ name, alias: found.select.alias! });
    return this.find(found.asked, rest);
  }

  private finishEmbed({ select, relationship, draft }: EmbedDraft, isParentExpanding: boolean): Embed {
    const toOne = isToOne(relationship);
    const shape = select.isSpread ? (toOne ? 'spread-one' : 'spread-many') : toOne ? 'object' : 'array';
    if (shape === 'spread-many' && (draft.asked.items.some(isAggregate) || draft.embeds.some(liftsAggregates))) {
      throw fault('PGRST127', { details: 'Aggregates are not implemented for one-to-many or many-to-many spreads.' });
    }
    const isExpanding = shape === 'spread-many' || (shape === 'spread-one' && isParentExpanding);
    const node = this.finish(draft, isExpanding);
    return {
      name: select.name,
      alias: select.alias,
      key: select.alias ?? select.name,
      relationship,
      shape,
      isInner: select.join === 'inner',
      asked: draft.asked.window,
      // PostgREST since 12.2.2: what embeds nothing but empty embeds gives nothing either.
      isEmpty: select.items.every((item) => item.kind === 'embed') && node.embeds.every(({ isEmpty }) => isEmpty),
      node: { ...node, window: singleRow(node.window, relationship, draft) },
    };
  }

  private outputs(draft: Draft, embeds: ReadonlyMap<SelectEmbed, Embed>, isExpanding: boolean): Output[] {
    // An empty select at the top gives everything; an empty embed only joins.
    const items: readonly SelectItem[] = draft.asked.items.length === 0 && draft.embeds.length === 0 ? [wholeRow] : draft.asked.items;
    return items.flatMap((item): Output[] => {
      if (item.kind === 'embed') return [{ kind: 'embed', embed: embeds.get(item)! }];
      if (item.aggregate !== null) this.allowAggregate();
      const isStar = item.field.name === '*' && item.aggregate === null;
      if (!isStar) return [this.value(draft, item)];
      const columns = draft.collection === null ? [] : [...draft.collection.columns.values()];
      const isPlain = !isExpanding && !columns.some(({ type }) => this.cache.casts.has(castKey(type, 'json')));
      return isPlain || columns.length === 0 ? [{ kind: 'star' }] : columns.map(({ name }) => this.value(draft, { ...item, field: { name, path: [] } }));
    });
  }

  private allowAggregate(): void {
    if (!this.terms.areAggregatesAllowed) throw fault('PGRST123');
  }

  private value(draft: Draft, { field, alias, cast, bucket, aggregate }: SelectField): Output {
    const type = draft.collection?.columns.get(field.name)?.type;
    const key = alias ?? aggregate?.name ?? (bucket === undefined ? keyOfField(field) : 'bucket');
    return {
      kind: 'value',
      column: this.columnRef(draft, field),
      formatter: type === undefined || field.path.length > 0 || bucket !== undefined ? null : (this.cache.casts.get(castKey(type, 'json')) ?? null),
      cast: cast === null ? null : resolveCast(this.cache, cast),
      bucket: bucket === undefined ? null : this.bucket(draft, field, cast, bucket.span, bucket.cast),
      aggregate: aggregate === null ? null : { name: aggregate.name, cast: aggregate.cast === null ? null : resolveCast(this.cache, aggregate.cast) },
      key,
      liftedAs: aggregate === null ? key : this.freeAlias(`${key}_lifted`),
    };
  }

  private bucket({ collection }: Draft, { name, path }: FieldName, cast: string | null, span: Bucket, bucketCast: string | null): TimeBucket {
    const type = cast ?? (path.length > 0 ? 'text' : (collection?.columns.get(name)?.baseType ?? 'unknown'));
    const moment = momentTypeOf(cast === null ? type : resolveCast(this.cache, cast));
    if (moment === null) throw fault('PGRSTX20', { message: `A time bucket of "${name}" needs a date or a timestamp, and it is of type ${type}`, hint: `Cast it before: "${name}::timestamptz.bucket(${span.count}${span.unit})".` });
    return { ...span, type: moment, cast: bucketCast === null ? null : resolveCast(this.cache, bucketCast) };
  }

  /** A column called `having` makes it a filter, and as that it cannot be read. */
  private havingOf({ collection }: Draft, { having, text }: WrittenHaving): Having {
    if (collection?.columns.has('having')) parseComparison(text, defaultLimits);
    this.allowAggregate();
    return having;
  }

  private groupCondition(draft: Draft, having: Having): GroupCondition {
    if (having.kind === 'logic') {
      return { kind: 'logic', isNegated: having.isNegated, operator: having.operator, conditions: having.trees.map((inner) => this.groupCondition(draft, inner)) };
    }
    const { field, cast, aggregate, isNegated, operation } = having;
    return { kind: 'measure', measure: { column: this.columnRef(draft, field), cast: cast === null ? null : resolveCast(this.cache, cast), aggregate }, isNegated, operation };
  }

  private columnRef(draft: Draft, { name, path }: FieldName): ColumnRef {
    const baseType = draft.collection?.columns.get(name)?.baseType;
    return { name, path, isJson: baseType === 'json' || baseType === 'jsonb' };
  }

  private condition(draft: Draft, tree: Tree, embeds: readonly Embed[]): Condition {
    if (tree.kind === 'logic') {
      return { kind: 'logic', isNegated: tree.isNegated, operator: tree.operator, conditions: tree.trees.map((inner) => this.condition(draft, inner, embeds)) };
    }
    return this.presence(draft, tree, embeds) ?? conditionOf(this.cache, draft.collection, tree);
  }

  /** `rel=is.null` asks for parents without such rows. A column of that name is meant only by other operators. */
  private presence(draft: Draft, { field, isNegated, operation }: Filter, embeds: readonly Embed[]): Condition | null {
    const embed = field.path.length === 0 ? embeds.find(({ key }) => key === field.name) : undefined;
    if (embed === undefined) return null;
    if (operation.kind === 'is' && operation.value === 'null') return { kind: 'presence', embed, isNegated: !isNegated };
    if (operation.kind === 'is' && operation.value === 'not_null') return { kind: 'presence', embed, isNegated };
    if (draft.collection?.columns.has(field.name)) return null;
    throw fault('PGRST120', { message: `Bad operator on the '${embed.key}' embedded resource`, details: 'Only is null or not is null filters are allowed on embedded resources' });
  }

  private order(draft: Draft, { relation, field, bucket, aggregate, direction, nulls }: OrderTerm, embeds: readonly Embed[]): Order {
    if (aggregate !== undefined) this.allowAggregate();
    const own = { bucket: bucket === undefined ? null : this.bucket(draft, field, null, bucket, null), aggregate: aggregate ?? null, direction, nulls };
    if (relation === null) return { ...own, column: this.columnRef(draft, field), embed: null, output: aggregate === undefined ? outputNamed(draft, field) : null };
    const embed = embeds.find(({ key }) => key === relation);
    if (embed === undefined) throw notEmbedded(relation);
    if (!isToOne(embed.relationship)) {
      throw fault('PGRST118', {
        message: `A related order on '${embed.key}' is not possible`,
        details: `'${draft.origin.name}' and '${embed.key}' do not form a many-to-one or one-to-one relationship`,
      });
    }
    const target = draft.embeds.find(({ select }) => (select.alias ?? select.name) === relation)!.draft;
    return { ...own, column: this.columnRef(target, unaliased(target, field)), embed, output: null };
  }
}

/** A filter on columns of one collection. */
export function conditionOf(cache: Pick<SchemaCache, 'casts'>, collection: Pick<Collection, 'columns'> | null, tree: Tree): Condition {
  if (tree.kind === 'logic') {
    return { kind: 'logic', isNegated: tree.isNegated, operator: tree.operator, conditions: tree.trees.map((inner) => conditionOf(cache, collection, inner)) };
  }
  const { field, isNegated, operation } = tree;
  const column = collection?.columns.get(field.name);
  return {
    kind: 'filter',
    column: { ...field, isJson: column?.baseType === 'json' || column?.baseType === 'jsonb' },
    // A computed column is searched as it is: PostgreSQL has the operator for text too.
    isTsVector: column === undefined || column.baseType === 'tsvector',
    isNegated,
    operation,
    parser: column === undefined ? null : (cache.casts.get(castKey('text', column.type)) ?? null),
  };
}

/** An aggregate or a bucket may be ordered by under the name that it is given, where no column has that name. */
function outputNamed({ asked, collection }: Draft, { name, path }: FieldName): string | null {
  if (collection === null || collection.columns.has(name) || path.length > 0) return null;
  return asked.items.some((item) => item.kind === 'field' && item.alias === name && (item.aggregate !== null || item.bucket !== undefined)) ? name : null;
}

/** Whether it is about groups although none of its items is an aggregate. */
function makesGroups({ having, order }: Asked): boolean {
  return having.length > 0 || order.some(({ aggregate }) => aggregate !== undefined);
}

/** What an embed gives may be named as it is given, where no column has the name. */
function unaliased({ asked, collection }: Draft, field: FieldName): FieldName {
  if (collection === null || collection.columns.has(field.name) || field.path.length > 0) return field;
  return asked.items.find((item): item is SelectField => item.kind === 'field' && item.alias === field.name && item.aggregate === null)?.field ?? field;
}

const wholeRow: SelectField = { kind: 'field', field: { name: '*', path: [] }, alias: null, cast: null, aggregate: null };

function isAggregate(item: SelectItem): boolean {
  return item.kind === 'field' && item.aggregate !== null;
}

/** Aggregates in a to-one spread are computed by the parent, over its groups. */
function liftsAggregates({ select, relationship, draft }: EmbedDraft): boolean {
  return select.isSpread && isToOne(relationship) && (draft.asked.items.some(isAggregate) || draft.embeds.some(liftsAggregates));
}

function sourceOf(relationship: Relationship, parent: DraftStart): Source {
  if (relationship.kind === 'key') return { kind: 'collection', name: relationship.target };
  return { kind: 'computed', function: relationship.function, argument: parent.alias, argumentType: relationship.origin };
}

/** Views and functions may break their word that there is one row; a key cannot. */
function singleRow(window: Window, relationship: Relationship, draft: Draft): Window {
  if (!isToOne(relationship)) return window;
  if (draft.asked.window.limit !== null) return window;
  const isSure = relationship.kind === 'key' && !relationship.isTargetView && !relationship.isOriginView;
  return { offset: draft.asked.window.offset, limit: isSure ? null : 1 };
}

function notEmbedded(name: string): Error {
  return fault('PGRST108', { message: `'${name}' is not an embedded resource in this request`, hint: `Verify that '${name}' is included in the 'select' query parameter.` });
}

/** The last key of a JSON path names the value; an index is no name. */
function keyOfField({ name, path }: FieldName): string {
  return path.findLast(({ isIndex }) => !isIndex)?.key ?? name;
}
