import { afterSql } from './keyset-sql.ts';
import type { Keyset } from './plan-keyset.ts';
import { columnSql, conditionSql, operationSql } from './compile-condition.ts';
import type { ColumnRef, Condition, Embed, GroupCondition, Measure, Node, Order, Output, TimeBucket } from './plan-types.ts';
import { isToOne } from './schema-cache.ts';
import { quoteName, quoteQualified, type Values } from './sql.ts';
import { bucketSql } from './time-bucket.ts';
import type { Window } from './window.ts';

/** The rows that a write or a call gave, for what is read from them. */
export const rowsName = 'pgrst_source';

/** How a node's rows are written. */
interface Mode {
  /** Aggregates are left to the parent, which a spread hands the columns to. */
  readonly isLifted: boolean;
  /** The parent makes groups of the columns. JSON cannot be compared, so it is JSONB then. */
  readonly isCompared: boolean;
}

const plainMode: Mode = { isLifted: false, isCompared: false };

/**
 * Writes the query for a node's rows.
 * What is embedded becomes a sub-query in the select list: PostgreSQL evaluates it after ORDER BY and LIMIT, for the rows
 * of the page only, where a join would be computed for all. What filters is an EXISTS, the same for rows and for counts.
 * Only a spread, which gives several columns, and what groups are made by are lateral joins.
 */
export function selectRows(node: Node, values: Values, mode: Mode = plainMode): string {
  const isGrouping = isGrouped(node, mode);
  const columns = node.outputs.flatMap((output) => columnsOfOutput(output, { node, values, mode, isGrouping }));
  const list = columns.map(({ sql }) => sql).join(', ');
  const joins = lateralJoins(node, values, mode, isGrouping);
  const having = havingSql(node, values);
  return `select ${list} ${fromSql(node)}${joins}${whereSql(node, values)}${isGrouping ? groupSql(columns) : ''}${having}${orderSql(node, values, isGrouping ? columns : null)}${windowSql(node.window, values)}`;
}

/**
 * Writes the query for a page of a keyset: each row whole, as `row`, and beside it what it is ordered by, as `k1`, `k2`, ….
 * No rows are grouped here.
 */
export function keyedRows(node: Node, keyset: Keyset, values: Values): string {
  const columns = node.outputs.flatMap((output) => columnsOfOutput(output, { node, values, mode: plainMode, isGrouping: false }));
  const list = columns.map(({ sql }) => sql).join(', ');
  const keys = node.order.map((term) => orderedSql(term, node, values, null));
  const after = afterSql(keyset, keys, values);
  const where = whereSql(node, values);
  const conditions = after === null ? where : `${where === '' ? ' where ' : `${where} and `}${after}`;
  const given = keys.map((key, i) => `, ${key} as "k${i + 1}"`).join('');
  return `select (select "r" from (select ${list}) as "r") as "row"${given} ${fromSql(node)}${lateralJoins(node, values, plainMode, false)}${conditions}${orderSql(node, values, null)}${windowSql(node.window, values)}`;
}

/** Writes the query that counts a node's rows, whatever its window. */
export function countRows(node: Node, values: Values, limit: number | null = null): string {
  if (isGrouped(node, plainMode)) return `select count(*) from (${selectRows({ ...node, order: [], window: { offset: 0, limit } }, values)}) as "counted"`;
  if (limit === null) return `select count(*) ${fromSql(node)}${whereSql(node, values)}`;
  return `select count(*) from (${matchingRows(node, values)}${windowSql({ offset: 0, limit }, values)}) as "counted"`;
}

/** Writes the query for as many empty rows as match: for EXISTS, for estimates. */
export function matchingRows(node: Node, values: Values): string {
  return `select 1 ${fromSql(node)}${whereSql(node, values)}`;
}

/** ` where …`, or nothing. */
export function whereOf(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : ` where ${conditions.join(' and ')}`;
}

/** Writes conditions on one source that has no parent and no embeds. */
export function plainConditions(conditions: readonly Condition[], alias: string, values: Values): string[] {
  const presence = (): string => {
    throw new Error('a write has no embeds to ask for');
  };
  return conditions.map((condition) => conditionSql(condition, { alias, values, presence }));
}

/** Whether what a node gives are groups of its rows. */
function isGrouped(node: Node, mode: Mode): boolean {
  return node.outputs.some((output) => isAggregated(output, mode)) || node.having.length > 0 || node.order.some(({ aggregate }) => aggregate !== null);
}

function isAggregated(output: Output, { isLifted }: Mode): boolean {
  if (isLifted) return false;
  if (output.kind === 'value') return output.aggregate !== null;
  return output.kind === 'embed' && exportsOf(output.embed).some(({ aggregate }) => aggregate !== null);
}

/** Whether any level of what is read makes groups. */
export function hasGroups(node: Node): boolean {
  return isGrouped(node, plainMode) || node.embeds.some((embed) => hasGroups(embed.node));
}

interface SelectColumn {
  readonly sql: string;
  readonly isAggregate: boolean;
  /** What groups are made by, where it is another thing than what is given. */
  readonly groupBy: string | null;
  /** The value that is given cast or rounded, so that an order by it means what is given. */
  readonly changed: Pick<Value, 'column' | 'bucket'> | null;
}

function column(sql: string, more: Partial<SelectColumn> = {}): SelectColumn {
  return { sql, isAggregate: false, groupBy: null, changed: null, ...more };
}

interface OutputTerms {
  readonly node: Node;
  readonly values: Values;
  readonly mode: Mode;
  readonly isGrouping: boolean;
}

function columnsOfOutput(output: Output, terms: OutputTerms): SelectColumn[] {
  switch (output.kind) {
    case 'star':
      return [column(`${quoteName(terms.node.alias)}.*`)];
    case 'value':
      return [valueColumn(output, terms)];
    case 'embed':
      return output.embed.isEmpty ? [] : embedColumns(output.embed, terms);
  }
}

type Value = Extract<Output, { kind: 'value' }>;

function valueColumn(output: Value, { node: { alias }, mode: { isLifted, isCompared } }: OutputTerms): SelectColumn {
  const { column: ref, formatter, cast, bucket, aggregate, key, liftedAs } = output;
  const isAggregate = aggregate !== null && !isLifted;
  // Lifted, the row itself is counted one level up, so anything that is not null will do.
  const base = ref.name === '*' && isLifted ? '1' : ref.name === '*' ? '*' : columnSql(alias, ref);
  const formatted = formatter === null ? base : `${formatter}(${base})${isCompared ? '::jsonb' : ''}`;
  const value = bucketed(cast === null ? formatted : `cast(${formatted} as ${cast})`, bucket);
  return column(`${isAggregate ? aggregateSql(aggregate, value) : value} as ${quoteName(isLifted ? liftedAs : key)}`, {
    isAggregate,
    groupBy: formatter === null ? null : base,
    changed: (cast !== null || bucket !== null) && formatter === null && !isAggregate ? output : null,
  });
}

function bucketed(value: string, bucket: TimeBucket | null): string {
  if (bucket === null) return value;
  const begun = bucketSql(value, bucket.type, bucket);
  return bucket.cast === null ? begun : `cast(${begun} as ${bucket.cast})`;
}

function aggregateSql({ name, cast }: NonNullable<Value['aggregate']>, value: string): string {
  return cast === null ? `${name}(${value})` : `cast(${name}(${value}) as ${cast})`;
}

function embedColumns(embed: Embed, { values, mode: { isLifted, isCompared }, isGrouping }: OutputTerms): SelectColumn[] {
  const alias = quoteName(embed.node.alias);
  if (embed.shape === 'object' || embed.shape === 'array') return [column(`${embedSql(embed, values, isGrouping || isCompared)} as ${quoteName(embed.key)}`)];
  return exportsOf(embed).map(({ name, key, aggregate }) => {
    if (name === '*') return column(`${alias}.*`);
    const value = `${alias}.${quoteName(name)}`;
    if (aggregate !== null && !isLifted) return column(`${aggregateSql(aggregate, value)} as ${quoteName(key)}`, { isAggregate: true });
    const comparable = embed.shape === 'spread-many' && (isGrouping || isCompared) ? '::jsonb' : '';
    return column(`${value}${comparable} as ${quoteName(isLifted ? name : key)}`);
  });
}

/** The JSON of related rows: an object or null, or an array. */
function embedSql(embed: Embed, values: Values, isCompared: boolean): string {
  const alias = quoteName(embed.node.alias);
  if (isCompared) return embed.shape === 'object' ? `row_to_json(${alias}.*)::jsonb` : `${alias}.${rowsColumn}`;
  const json = embed.shape === 'object' ? `row_to_json("e".*)` : `coalesce(json_agg("e".*), '[]')`;
  return `(select ${json} from (${selectRows(embed.node, values)}) as "e")`;
}

/** A column that a spread hands to its parent. */
interface Export {
  readonly name: string;
  readonly key: string;
  readonly aggregate: Value['aggregate'];
}

function exportsOf(embed: Embed): Export[] {
  if (embed.shape === 'object' || embed.shape === 'array') return [];
  return embed.node.outputs.flatMap((output): Export[] => {
    switch (output.kind) {
      case 'star':
        return [{ name: '*', key: '*', aggregate: null }];
      case 'value':
        return embed.shape === 'spread-one' ? [{ name: output.liftedAs, key: output.key, aggregate: output.aggregate }] : [{ name: output.key, key: output.key, aggregate: null }];
      case 'embed': {
        if (output.embed.isEmpty) return [];
        const isJson = output.embed.shape === 'object' || output.embed.shape === 'array';
        return isJson ? [{ name: output.embed.key, key: output.embed.key, aggregate: null }] : exportsOf(output.embed);
      }
    }
  });
}

const rowsColumn = '"rows"';

function lateralJoins(node: Node, values: Values, mode: Mode, isGrouping: boolean): string {
  return node.embeds
    .filter(({ shape, isEmpty }) => !isEmpty && (isGrouping || mode.isCompared || shape === 'spread-one' || shape === 'spread-many'))
    .map((embed) => ` left join lateral (${joinedRows(embed, values, mode.isCompared || isGrouping)}) as ${quoteName(embed.node.alias)} on true`)
    .join('');
}

function joinedRows(embed: Embed, values: Values, isCompared: boolean): string {
  switch (embed.shape) {
    case 'spread-one':
      return selectRows(embed.node, values, { isLifted: true, isCompared });
    case 'spread-many':
      return spreadArrays(embed, values);
    case 'object':
      return selectRows(embed.node, values);
    case 'array':
      return `select coalesce(json_agg("e".*), '[]')::jsonb as ${rowsColumn} from (${selectRows(embed.node, values)}) as "e"`;
  }
}

/** One array per column, all over the same ordered rows, so that equal places belong together. */
function spreadArrays(embed: Embed, values: Values): string {
  const arrays = exportsOf(embed).map(({ name }) => `coalesce(json_agg("e".${quoteName(name)}), '[]') as ${quoteName(name)}`);
  return `select ${arrays.join(', ')} from (${selectRows(embed.node, values)}) as "e"`;
}

function fromSql({ source, alias, join }: Node): string {
  const own = `${sourceSql(source)} as ${quoteName(alias)}`;
  const through = join?.junction ?? null;
  return `from ${own}${through === null ? '' : `, ${quoteQualified(through.name)} as ${quoteName(through.alias)}`}`;
}

function sourceSql(source: Node['source']): string {
  switch (source.kind) {
    case 'collection':
      return quoteQualified(source.name);
    case 'rows':
      return rowsName;
    case 'computed':
      // The cast chooses among functions of the name, and gives rows of a CTE, which have no type, the collection's.
      return `${quoteQualified(source.function)}((${quoteName(source.argument)}.*)::${quoteQualified(source.argumentType)})`;
  }
}

function whereSql(node: Node, values: Values): string {
  return whereOf([...joinSql(node), ...node.conditions.map((condition) => conditionSql(condition, { alias: node.alias, values, presence: (embed, isNegated) => presenceSql(embed, isNegated, values) }))]);
}

/**
 * Whether there are related rows. Where they may be many, or none is wanted, PostgreSQL must not make a join of it: a join
 * gives the parents in an order of its own, and who did not ask for one expects the table's. It hashes the related rows
 * instead, or looks for each parent's. With a parent there is one row at most, and a join keeps the order.
 */
function presenceSql({ node, relationship, asked }: Embed, isNegated: boolean, values: Values): string {
  const exists = `exists (${matchingRows(node, values)}${windowSql(asked, values)})`;
  if (isToOne(relationship) && !isNegated) return exists;
  return `(${exists}) is ${isNegated ? 'not ' : ''}true`;
}

function joinSql({ join, alias }: Node): string[] {
  if (join === null) return [];
  const equal = (left: string, leftColumn: string, right: string, rightColumn: string): string =>
    `${quoteName(left)}.${quoteName(leftColumn)} = ${quoteName(right)}.${quoteName(rightColumn)}`;
  const { junction, parentAlias } = join;
  if (junction === null) return join.columns.map(([theirs, own]) => equal(alias, own, parentAlias, theirs));
  return [
    ...junction.parentColumns.map(([theirs, column]) => equal(junction.alias, column, parentAlias, theirs)),
    ...junction.ownColumns.map(([own, column]) => equal(junction.alias, column, alias, own)),
  ];
}

/** By place in the select list: a name could be a column's, and an expression with a value in it equals no other. */
function groupSql(columns: readonly SelectColumn[]): string {
  const terms = columns.flatMap(({ isAggregate, groupBy }, i) => (isAggregate ? [] : [groupBy ?? String(i + 1)]));
  return terms.length === 0 ? '' : ` group by ${terms.join(', ')}`;
}

function havingSql(node: Node, values: Values): string {
  if (node.having.length === 0) return '';
  return ` having ${node.having.map((condition) => groupConditionSql(condition, node.alias, values)).join(' and ')}`;
}

function groupConditionSql(condition: GroupCondition, alias: string, values: Values): string {
  if (condition.kind === 'logic') {
    const all = condition.conditions.map((inner) => groupConditionSql(inner, alias, values)).join(` ${condition.operator} `);
    return condition.isNegated ? `not (${all})` : `(${all})`;
  }
  const text = operationSql(measureSql(condition.measure, alias), condition.operation, { values, parser: null, isTsVector: true });
  return condition.isNegated ? `not (${text})` : text;
}

function measureSql({ column: ref, cast, aggregate }: Measure, alias: string): string {
  const base = ref.name === '*' ? '*' : columnSql(alias, ref);
  return `${aggregate}(${cast === null ? base : `cast(${base} as ${cast})`})`;
}

/** @param grouped The columns of the groups, or null where rows are not grouped. */
function orderSql(node: Node, values: Values, grouped: readonly SelectColumn[] | null): string {
  if (node.order.length === 0) return '';
  return ` order by ${node.order.map((term) => termSql(term, node, values, grouped)).join(', ')}`;
}

function termSql(term: Order, node: Node, values: Values, grouped: readonly SelectColumn[] | null): string {
  const { direction, nulls } = term;
  return `${orderedSql(term, node, values, grouped)}${direction === null ? '' : ` ${direction}`}${nulls === null ? '' : ` nulls ${nulls}`}`;
}

function orderedSql({ column: ref, embed, bucket, aggregate, output }: Order, node: Node, values: Values, grouped: readonly SelectColumn[] | null): string {
  if (output !== null) return quoteName(output);
  if (aggregate !== null) return measureSql({ column: ref, cast: null, aggregate }, node.alias);
  if (embed !== null) return (grouped === null ? null : spreadColumn(embed, ref)) ?? `(select ${columnSql(embed.node.alias, ref)} ${fromSql(embed.node)}${whereSql(embed.node, values)}${windowSql(embed.node.window, values)})`;
  const place = grouped?.findIndex(({ changed }) => changed !== null && isSameColumn(changed.column, ref) && isSameBucket(changed.bucket, bucket)) ?? -1;
  return place === -1 ? bucketed(columnSql(node.alias, ref), bucket) : String(place + 1);
}

/** Groups can only be ordered by what they are made by: the column that the spread gives. */
function spreadColumn({ shape, node }: Embed, ref: ColumnRef): string | null {
  if (shape !== 'spread-one') return null;
  const given = node.outputs.find((output): output is Value => output.kind === 'value' && output.aggregate === null && isSameColumn(output.column, ref));
  return given === undefined ? null : `${quoteName(node.alias)}.${quoteName(given.liftedAs)}`;
}

function isSameBucket(a: TimeBucket | null, b: TimeBucket | null): boolean {
  return a?.count === b?.count && a?.unit === b?.unit;
}

function isSameColumn(a: ColumnRef, b: ColumnRef): boolean {
  return a.name === b.name && JSON.stringify(a.path) === JSON.stringify(b.path);
}

function windowSql({ limit, offset }: Window, values: Values): string {
  return `${limit === null ? '' : ` limit ${values.bind(limit)}`}${offset === 0 ? '' : ` offset ${values.bind(offset)}`}`;
}
