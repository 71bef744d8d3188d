import type { Field } from '../contracts.ts';

/** What a reader asks of one field. */
export interface Filter {
  readonly field: string;
  readonly operator: OperatorName;
  readonly value: string;
}

interface Operator {
  readonly words: string;
  /** Whether the reader gives a value. */
  readonly takesValue: boolean;
  /** The condition in the dialect of `/rest/v1`. */
  readonly write: (value: string) => string;
}

const plain = (words: string, op: string): Operator => ({ words, takesValue: true, write: (value) => `${op}.${value}` });
const fixed = (words: string, condition: string): Operator => ({ words, takesValue: false, write: () => condition });

export const operators = {
  eq: plain('is', 'eq'),
  neq: plain('is not', 'neq'),
  gt: plain('is more than', 'gt'),
  gte: plain('is at least', 'gte'),
  lt: plain('is less than', 'lt'),
  lte: plain('is at most', 'lte'),
  contains: { words: 'contains', takesValue: true, write: (value) => like(value, '*') },
  starts: { words: 'starts with', takesValue: true, write: (value) => like(value, '') },
  in: { words: 'is one of', takesValue: true, write: writeList },
  holds: plain('holds', 'cs'),
  true: fixed('is true', 'is.true'),
  false: fixed('is false', 'is.false'),
  null: fixed('is null', 'is.null'),
  notnull: fixed('is not null', 'not.is.null'),
} as const satisfies Record<string, Operator>;
export type OperatorName = keyof typeof operators;

export function isOperator(name: string): name is OperatorName {
  return Object.hasOwn(operators, name);
}

/** The questions that PostgreSQL can answer about a field of this type. */
export function operatorsFor(type: string): readonly OperatorName[] {
  if (type.endsWith('[]') || type === 'jsonb') return ['holds', 'null', 'notnull'];
  if (/^(json|xml|point|line|box|path|polygon|circle)\b/.test(type)) return ['null', 'notnull'];
  if (type === 'boolean') return ['true', 'false', 'null', 'notnull'];
  if (/^(text|character|citext|name)/.test(type)) return ['contains', 'starts', 'eq', 'neq', 'in', 'gt', 'lt', 'null', 'notnull'];
  if (/^(uuid|bytea)/.test(type) || type.includes('.')) return ['eq', 'neq', 'in', 'null', 'notnull'];
  return ['eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'in', 'null', 'notnull'];
}

/** `delay is more than 30`. */
export function filterInWords(filter: Filter): string {
  const { words, takesValue } = operators[filter.operator];
  return takesValue ? `${filter.field} ${words} ${filter.value === '' ? '(empty)' : filter.value}` : `${filter.field} ${words}`;
}

/** One query parameter of `/rest/v1`; a name that is not plain is quoted there. */
export function filterParameter(filter: Filter): [string, string] {
  return [quoteName(filter.field), operators[filter.operator].write(filter.value)];
}

/** As it stands in the console's own address. */
export function packFilter({ field, operator, value }: Filter): string {
  return [field, operator, value].map(encodeURIComponent).join(':');
}

export function unpackFilter(text: string, fields: readonly Field[]): Filter | null {
  const [field = '', operator = '', value = ''] = text.split(':').map(decodeURIComponent);
  const isKnown = isOperator(operator) && fields.some(({ name }) => name === field);
  return isKnown ? { field, operator, value } : null;
}

/**
 * A name as `select`, `order` and filters take it; also names that the grammar keeps for itself (`order`, `and`, `not`) pass when
 * quoted.
 */
export function quoteName(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) && !reserved.has(name) ? name : `"${name.replace(/[\\"]/g, '\\$&')}"`;
}

const reserved = new Set(['select', 'order', 'limit', 'offset', 'and', 'or', 'not', 'columns', 'on_conflict', 'count']);

// `*` stands for `%` in the dialect and cannot be escaped there, so a value with a star is asked as a regular expression.
function like(value: string, before: '*' | ''): string {
  if (!value.includes('*')) return `ilike.${before}${value.replace(/[\\%_]/g, '\\$&')}*`;
  return `imatch.${before === '' ? '^' : ''}${value.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`;
}

function writeList(value: string): string {
  const items = value.split(',').map((item) => item.trim());
  return `in.(${items.map((item) => (/^[\w.-]+$/.test(item) ? item : `"${item.replace(/[\\"]/g, '\\$&')}"`)).join(',')})`;
}
