import type { Operation, QuantifiedOperator, SearchOperator, SimpleOperator } from './parse-filter.ts';
import type { ColumnRef, Condition, Embed } from './plan-types.ts';
import { arrayLiteral, quoteLiteral, quoteName, type Values } from './sql.ts';

const quantifiedSql: Readonly<Record<QuantifiedOperator, string>> = { eq: '=', gte: '>=', gt: '>', lte: '<=', lt: '<', like: 'like', ilike: 'ilike', match: '~', imatch: '~*' };
const simpleSql: Readonly<Record<SimpleOperator, string>> = { neq: '<>', cs: '@>', cd: '<@', ov: '&&', sl: '<<', sr: '>>', nxr: '&<', nxl: '&>', adj: '-|-' };
const searchSql: Readonly<Record<SearchOperator, string>> = { fts: 'to_tsquery', plfts: 'plainto_tsquery', phfts: 'phraseto_tsquery', wfts: 'websearch_to_tsquery' };
const isSql = { null: 'null', not_null: 'not null', true: 'true', false: 'false', unknown: 'unknown' } as const;

/** Where a condition is written: the alias of its columns, the values, and how presence of related rows is asked. */
export interface ConditionTerms {
  readonly alias: string;
  readonly values: Values;
  readonly presence: (embed: Embed, isNegated: boolean) => string;
}

/** Writes a condition as SQL. */
export function conditionSql(condition: Condition, terms: ConditionTerms): string {
  switch (condition.kind) {
    case 'logic': {
      const all = condition.conditions.map((inner) => conditionSql(inner, terms)).join(` ${condition.operator} `);
      return condition.isNegated ? `not (${all})` : `(${all})`;
    }
    case 'presence':
      return terms.presence(condition.embed, condition.isNegated);
    case 'filter': {
      const text = comparisonSql(condition, terms);
      return condition.isNegated ? `not (${text})` : text;
    }
  }
}

/** A column, and the way into its JSON value. */
export function columnSql(alias: string, { name, path, isJson }: ColumnRef): string {
  const column = name === '*' ? `${quoteName(alias)}.*` : `${quoteName(alias)}.${quoteName(name)}`;
  if (path.length === 0) return column;
  const steps = path.map(({ arrow, key, isIndex }) => `${arrow}${quoteLiteral(key)}${isIndex ? '::int' : ''}`).join('');
  return `${isJson ? column : `to_jsonb(${column})`}${steps}`;
}

type FilterCondition = Extract<Condition, { kind: 'filter' }>;

function comparisonSql({ column, isTsVector, operation, parser }: FilterCondition, { alias, values }: ConditionTerms): string {
  return operationSql(columnSql(alias, column), operation, { values, parser, isTsVector: isTsVector && column.path.length === 0 });
}

/** How the right side of an operation is bound, and whether its left side is a text search vector already. */
interface OperationTerms {
  readonly values: Values;
  /** The function that reads a domain's values from text. */
  readonly parser: string | null;
  readonly isTsVector: boolean;
}

/** Writes an operation on something that is SQL already. */
export function operationSql(field: string, operation: Operation, { values, parser, isTsVector }: OperationTerms): string {
  switch (operation.kind) {
    case 'quantified':
      return `${field} ${quantifiedSql[operation.operator]} ${quantifiedValue(operation, parser, values)}`;
    case 'simple':
      return `${field} ${simpleSql[operation.operator]} ${parsed(values.bind(operation.value), parser)}`;
    case 'in':
      // An array, and not `in (…)`: it may be empty, and its length is no part of the statement's shape.
      return `${field} = any (${arrayValue(arrayLiteral(operation.values), parser, values)})`;
    case 'is':
      return `${field} is ${isSql[operation.value]}`;
    case 'isdistinct':
      return `${field} is distinct from ${parsed(values.bind(operation.value), parser)}`;
    case 'search': {
      const config = operation.config === null ? '' : `${quoteLiteral(operation.config)}, `;
      const vector = isTsVector ? field : `to_tsvector(${config}${field})`;
      return `${vector} @@ ${searchSql[operation.operator]}(${config}${values.bind(operation.value)})`;
    }
  }
}

function quantifiedValue({ operator, quantifier, value }: Extract<Operation, { kind: 'quantified' }>, parser: string | null, values: Values): string {
  const isPattern = operator === 'like' || operator === 'ilike';
  const text = isPattern ? value.replaceAll('*', '%') : value;
  if (quantifier !== null) return `${quantifier} (${arrayValue(text, isPattern ? null : parser, values)})`;
  return isPattern ? values.bind(text) : parsed(values.bind(text), parser);
}

function arrayValue(literal: string, parser: string | null, values: Values): string {
  const value = values.bind(literal);
  return parser === null ? value : `select ${parser}(unnest(${value}::text[]))`;
}

function parsed(value: string, parser: string | null): string {
  return parser === null ? value : `${parser}(${value})`;
}
