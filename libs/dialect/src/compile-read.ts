import { columnSql, conditionSql } from './compile-condition.ts';
import type { Condition, Embed, Node, Order, Output } from './plan-types.ts';
import { quoteName, quoteQualified, type Values } from './sql.ts';
import type { Window } from './window.ts';

/** The rows that a write or a call gave, for what is read from them. */
export const rowsName = 'pgrst_source';

/**
 * Writes the query for a node's rows.
 * What is embedded becomes a sub-query in the select list: PostgreSQL evaluates it after ORDER BY and LIMIT, for the rows
 * of the page only, where a join would be computed for all. What filters is an EXISTS, the same for rows and for counts.
 * Only a spread, which gives several columns, is a lateral join.
 */
export function selectRows(node: Node, values: Values, isLifted = false): string {
  const columns = columnsOf(node, values, isLifted);
  const list = columns.map(({ sql }) => sql).join(', ');
  return `select ${list} ${fromSql(node)}${spreadJoins(node, values)}${whereSql(node, values)}${groupSql(columns)}${orderSql(node, values)}${windowSql(node.window, values)}`;
}

/** Writes the query that counts a node's rows, whatever its window. */
export function countRows(node: Node, values: Values, limit: number | null = null): string {
  const isGrouped = node.outputs.some((output) => isAggregated(output, false));
  if (isGrouped) return `select count(*) from (${selectRows({ ...node, order: [], window: { offset: 0, limit } }, values)}) as "counted"`;
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
  const existence = (): string => {
    throw new Error('a write has no embeds to ask for');
  };
  return conditions.map((condition) => conditionSql(condition, { alias, values, existence }));
}

interface SelectColumn {
  readonly sql: string;
  readonly isAggregate: boolean;
}

function columnsOf(node: Node, values: Values, isLifted: boolean): SelectColumn[] {
  const isGrouping = node.outputs.some((output) => isAggregated(output, isLifted));
  return node.outputs.flatMap((output) => columnsOfOutput(output, node, values, isLifted, isGrouping));
}

function isAggregated(output: Output, isLifted: boolean): boolean {
  if (output.kind === 'value') return output.aggregate !== null && !isLifted;
  return output.kind === 'embed' && !isLifted && exportsOf(output.embed).some(({ aggregate }) => aggregate !== null);
}

function columnsOfOutput(output: Output, node: Node, values: Values, isLifted: boolean, isGrouping: boolean): SelectColumn[] {
  switch (output.kind) {
    case 'star':
      return [{ sql: `${quoteName(node.alias)}.*`, isAggregate: false }];
    case 'value':
      return [valueColumn(output, node.alias, isLifted)];
    case 'embed':
      return output.embed.isEmpty ? [] : embedColumns(output.embed, values, isLifted, isGrouping);
  }
}

type Value = Extract<Output, { kind: 'value' }>;

function valueColumn({ column, formatter, cast, aggregate, key, liftedAs }: Value, alias: string, isLifted: boolean): SelectColumn {
  const isAggregate = aggregate !== null && !isLifted;
  // Lifted, the row itself is counted one level up, so anything that is not null will do.
  const base = column.name === '*' && isLifted ? '1' : column.name === '*' ? '*' : columnSql(alias, column);
  const formatted = formatter === null ? base : `${formatter}(${base})`;
  const value = cast === null ? formatted : `cast(${formatted} as ${cast})`;
  return { sql: `${isAggregate ? aggregateSql(aggregate, value) : value} as ${quoteName(isLifted ? liftedAs : key)}`, isAggregate };
}

function aggregateSql({ name, cast }: NonNullable<Value['aggregate']>, value: string): string {
  return cast === null ? `${name}(${value})` : `cast(${name}(${value}) as ${cast})`;
}

function embedColumns(embed: Embed, values: Values, isLifted: boolean, isGrouping: boolean): SelectColumn[] {
  const alias = quoteName(embed.node.alias);
  // JSON cannot be compared, so what groups are made by is JSONB.
  const comparable = isGrouping ? '::jsonb' : '';
  if (embed.shape === 'object' || embed.shape === 'array') {
    const rows = selectRows(embed.node, values);
    const json = embed.shape === 'object' ? `row_to_json("e".*)` : `coalesce(json_agg("e".*), '[]')`;
    return [{ sql: `(select ${json} from (${rows}) as "e")${comparable} as ${quoteName(embed.key)}`, isAggregate: false }];
  }
  return exportsOf(embed).map(({ name, key, aggregate }) => {
    if (name === '*') return { sql: `${alias}.*`, isAggregate: false };
    const column = `${alias}.${quoteName(name)}`;
    if (aggregate !== null && !isLifted) return { sql: `${aggregateSql(aggregate, column)} as ${quoteName(key)}`, isAggregate: true };
    const isJson = embed.shape === 'spread-many';
    return { sql: `${column}${isJson ? comparable : ''} as ${quoteName(isLifted ? name : key)}`, isAggregate: false };
  });
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

function spreadJoins(node: Node, values: Values): string {
  return node.embeds
    .filter(({ shape, isEmpty }) => !isEmpty && (shape === 'spread-one' || shape === 'spread-many'))
    .map((embed) => ` left join lateral (${embed.shape === 'spread-one' ? selectRows(embed.node, values, true) : spreadArrays(embed, values)}) as ${quoteName(embed.node.alias)} on true`)
    .join('');
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
  const existence = ({ node: related }: Embed): string => `exists (${matchingRows(related, values)})`;
  return whereOf([...joinSql(node), ...node.conditions.map((condition) => conditionSql(condition, { alias: node.alias, values, existence }))]);
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
  if (!columns.some(({ isAggregate }) => isAggregate)) return '';
  const places = columns.flatMap(({ isAggregate }, i) => (isAggregate ? [] : [i + 1]));
  return places.length === 0 ? '' : ` group by ${places.join(', ')}`;
}

function orderSql(node: Node, values: Values): string {
  if (node.order.length === 0) return '';
  return ` order by ${node.order.map((term) => termSql(term, node.alias, values)).join(', ')}`;
}

function termSql({ column, embed, direction, nulls }: Order, alias: string, values: Values): string {
  const value = embed === null ? columnSql(alias, column) : `(select ${columnSql(embed.node.alias, column)} ${fromSql(embed.node)}${whereSql(embed.node, values)}${windowSql(embed.node.window, values)})`;
  return `${value}${direction === null ? '' : ` ${direction}`}${nulls === null ? '' : ` nulls ${nulls}`}`;
}

function windowSql({ limit, offset }: Window, values: Values): string {
  return `${limit === null ? '' : ` limit ${values.bind(limit)}`}${offset === 0 ? '' : ` offset ${values.bind(offset)}`}`;
}
