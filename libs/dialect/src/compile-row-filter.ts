import { closest } from '@mainstay/domain';
import { plainConditions } from './compile-read.ts';
import { fault } from './faults.ts';
import { defaultLimits } from './limits.ts';
import type { Filter, Tree } from './parse-filter.ts';
import { parseQuery } from './parse-query.ts';
import { conditionOf } from './plan-read.ts';
import type { Condition } from './plan-types.ts';
import type { Collection } from './schema-cache.ts';
import { quoteLiteral, Values } from './sql.ts';

/** A column that a filter may name, and under what name it stands in the row that is asked. */
export interface RowColumn {
  readonly name: string;
  readonly baseType: string;
  readonly as: string;
}

export interface RowFilter {
  /** A condition on `"row"`, with its values in it. */
  readonly sql: string;
  /** The columns that it names, by their names in the row. */
  readonly uses: readonly string[];
  /** Patterns that PostgreSQL reads only when it meets a value: regular expressions, and text searches. */
  readonly patterns: readonly { readonly kind: 'regex' | 'search'; readonly text: string }[];
}

/**
 * Compiles the filters of a query string into a condition on one row that is at hand, such as a trigger's: `status=eq.paid&total=gt.5`,
 * `or=(…)`, JSON paths. What is no filter, and what belongs to another collection, is refused.
 * @throws Fault PGRST100, and PGRST204 for a column that is not there
 */
export function compileRowFilter(text: string, columns: readonly RowColumn[]): RowFilter {
  const query = parseQuery(text, { takesArguments: false, choosesForWrite: true }, defaultLimits);
  const placed = [...query.filters, ...query.logic];
  const isMore = query.orders.length + query.having.length + query.windows.length > 0 || query.columns !== null || query.onConflict !== null || query.select.some((item) => item.kind !== 'field' || item.field.name !== '*');
  if (isMore || placed.length === 0 || placed.some(({ path }) => path.length > 0)) {
    throw fault('PGRST100', { message: `"${text}" is no filter on one row`, details: 'Only conditions on its own columns can be asked, such as status=eq.paid or or=(a.eq.1,b.is.null).' });
  }
  const trees = placed.map(({ what }): Tree => what);
  const filters = trees.flatMap(filtersOf);
  for (const filter of filters) {
    mustKnow(filter.field.name, columns);
    refuseOpenPattern(filter);
  }
  const conditions = trees.map((tree) => renamed(conditionOf(noCasts, collectionOf(columns), tree), columns));
  return {
    sql: plainConditions(conditions, 'row', new Literals()).join(' and '),
    uses: [...new Set(filters.map(({ field }) => nameIn(field.name, columns)))],
    patterns: filters.flatMap(patternOf),
  };
}

/** Values as they stand in a statement that is kept: quoted, and of a type that PostgreSQL takes from where they stand, as it does for bound ones. */
class Literals extends Values {
  override bind(value: string | number | null): string {
    return value === null ? 'null' : quoteLiteral(String(value));
  }
}

const noCasts = { casts: new Map<string, string>() };

function collectionOf(columns: readonly RowColumn[]): Pick<Collection, 'columns'> {
  return { columns: new Map(columns.map(({ name, baseType }) => [name, { name, type: baseType, baseType, default: null }])) };
}

function filtersOf(tree: Tree): Filter[] {
  return tree.kind === 'filter' ? [tree] : tree.trees.flatMap(filtersOf);
}

function mustKnow(name: string, columns: readonly RowColumn[]): void {
  if (columns.some((column) => column.name === name)) return;
  const meant = closest(name, columns.map((column) => column.name));
  throw fault('PGRST204', { message: `There is no column "${name}" that a filter could ask for`, hint: meant === null ? null : `Did you mean "${meant}"?` });
}

function nameIn(name: string, columns: readonly RowColumn[]): string {
  return columns.find((column) => column.name === name)!.as;
}

function renamed(condition: Condition, columns: readonly RowColumn[]): Condition {
  if (condition.kind === 'logic') return { ...condition, conditions: condition.conditions.map((inner) => renamed(inner, columns)) };
  if (condition.kind === 'presence') return condition;
  return { ...condition, column: { ...condition.column, name: nameIn(condition.column.name, columns) } };
}

/** PostgreSQL refuses `like 'a\'` only when it comes to the end of it, with some row. */
function refuseOpenPattern({ operation }: Filter): void {
  if (operation.kind !== 'quantified' || !operation.operator.endsWith('like') || !/(^|[^\\])(\\\\)*\\$/.test(operation.value)) return;
  throw fault('PGRST100', { message: `The pattern "${operation.value}" ends with a backslash that escapes nothing` });
}

function patternOf({ operation }: Filter): RowFilter['patterns'] {
  if (operation.kind === 'search') return operation.operator === 'fts' ? [{ kind: 'search', text: operation.value }] : [];
  if (operation.kind !== 'quantified' || (operation.operator !== 'match' && operation.operator !== 'imatch')) return [];
  // Of a list each is a pattern; whoever quotes inside of it learns of a wrong one when it is met.
  const texts = operation.quantifier === null ? [operation.value] : operation.value.replace(/^\{|\}$/g, '').split(',');
  return texts.map((text) => ({ kind: 'regex' as const, text }));
}
