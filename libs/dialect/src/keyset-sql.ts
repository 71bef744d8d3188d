import type { Keyset, KeysetTerm } from './plan-keyset.ts';
import type { Values } from './sql.ts';

interface Term extends KeysetTerm {
  readonly sql: string;
  /** The parameter with the value of the row before, or null for a null. */
  readonly value: string | null;
}

/** The condition for rows that stand after a place; null at the beginning. `keys` are what the rows are ordered by, as SQL. */
export function afterSql({ terms, after }: Keyset, keys: readonly string[], values: Values): string | null {
  if (after === null) return null;
  return afterFrom(terms.map((term, i) => ({ ...term, sql: keys[i]!, value: after[i] === null ? null : values.bind(after[i]!) })));
}

function afterFrom(terms: readonly Term[]): string {
  const [first, ...rest] = terms as [Term, ...Term[]];
  if (terms.every((term) => isPlain(term) && term.isDescending === first.isDescending)) return compared(terms, signOf(first));
  const beyond = beyondSql(first);
  const level = rest.length === 0 ? null : `(${first.value === null ? `${first.sql} is null` : `${first.sql} = ${first.value}`} and ${afterFrom(rest)})`;
  const parts = [beyond, level].filter((part) => part !== null);
  const either = parts.length === 0 ? 'false' : `(${parts.join(' or ')})`;
  // What follows from the rest anyway, but an index can begin there.
  return isPlain(first) && level !== null ? `(${first.sql} ${signOf(first)}= ${first.value} and ${either})` : either;
}

/** Rows whose null would come later are missed by a comparison; where nulls come first they have been given already. */
function isPlain({ value, isNullable, isNullsFirst }: Term): boolean {
  return value !== null && (!isNullable || isNullsFirst);
}

function beyondSql(term: Term): string | null {
  const { sql, value, isNullable, isNullsFirst } = term;
  if (value === null) return isNullsFirst ? `${sql} is not null` : null;
  return isNullable && !isNullsFirst ? `${sql} ${signOf(term)} ${value} or ${sql} is null` : `${sql} ${signOf(term)} ${value}`;
}

/** As one row: an index on these columns finds the place in one step. */
function compared(terms: readonly Term[], sign: string): string {
  if (terms.length === 1) return `${terms[0]!.sql} ${sign} ${terms[0]!.value}`;
  return `(${terms.map(({ sql }) => sql).join(', ')}) ${sign} (${terms.map(({ value }) => value).join(', ')})`;
}

function signOf({ isDescending }: KeysetTerm): string {
  return isDescending ? '<' : '>';
}
