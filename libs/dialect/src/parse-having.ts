import { fault } from './faults.ts';
import type { Limits } from './limits.ts';
import { comma, readField, separated, type FieldName } from './parse-field.ts';
import { readComparison, readTreeValue, type Comparison } from './parse-filter.ts';
import { aggregates, readCast, type AggregateName } from './parse-select.ts';
import { readWhole, type Scanner } from './scanner.ts';

/** A comparison of an aggregate over the rows of a group. */
export interface HavingMeasure extends Comparison {
  readonly kind: 'measure';
  /** `*` is the row itself. */
  readonly field: FieldName;
  readonly cast: string | null;
  readonly aggregate: AggregateName;
}

export type Having = HavingMeasure | { readonly kind: 'logic'; readonly isNegated: boolean; readonly operator: 'and' | 'or'; readonly trees: readonly Having[] };

/**
 * Reads a `having` parameter, `(count().gte.2,or(total.sum().gt.100,total.max().gt.50))`: logic as in `and`, of aggregates.
 * @throws Fault PGRST100 where it does not follow the grammar or asks for more than the limits.
 */
export function parseHaving(text: string, limits: Limits): Having {
  return readWhole(`and${text}`, `failed to parse having (${text})`, (scanner) => readLogic(scanner, limits, 1));
}

/** How many comparisons it holds. */
export function sizeOfHaving(having: Having): number {
  return having.kind === 'measure' ? 1 : having.trees.reduce((sum, inner) => sum + sizeOfHaving(inner), 0);
}

function readTree(scanner: Scanner, limits: Limits, depth: number): Having | null {
  return scanner.attempt(() => readMeasure(scanner, limits)) ?? readLogic(scanner, limits, depth);
}

function readMeasure(scanner: Scanner, limits: Limits): HavingMeasure | null {
  const isCount = scanner.text.startsWith('count().', scanner.position) && scanner.word('count()');
  const measured = isCount ? { field: { name: '*', path: [] }, cast: null, aggregate: 'count' as const } : readAggregated(scanner);
  if (measured === null || !scanner.char('.', 'delimiter (.)')) return null;
  const comparison = readComparison(scanner, readTreeValue, limits);
  return comparison === null ? null : { kind: 'measure', ...measured, ...comparison };
}

function readAggregated(scanner: Scanner): Pick<HavingMeasure, 'field' | 'cast' | 'aggregate'> | null {
  const field = readField(scanner);
  const cast = field === null ? null : readCast(scanner);
  if (field === null || cast === undefined || !scanner.char('.', 'delimiter (.)')) return null;
  const aggregate = aggregates.find((word) => scanner.word(`${word}()`));
  return aggregate === undefined ? null : { field, cast, aggregate };
}

function readLogic(scanner: Scanner, limits: Limits, depth: number): Having | null {
  if (depth > limits.logicDepth) throw fault('PGRST100', { message: `and/or are nested deeper than ${limits.logicDepth} levels`, details: 'This is a limit of the server.' });
  const isNegated = scanner.attempt(() => (scanner.word('not') && scanner.char('.', 'delimiter (.)') ? true : null)) ?? false;
  const operator = scanner.word('and') ? 'and' : scanner.word('or') ? 'or' : null;
  if (operator === null) return null;
  scanner.blanks();
  if (!scanner.char('(')) return null;
  scanner.blanks();
  const trees = separated(scanner, () => readTree(scanner, limits, depth + 1), () => comma(scanner));
  scanner.blanks();
  if (trees === null || !scanner.char(')')) return null;
  scanner.blanks();
  return { kind: 'logic', isNegated, operator, trees };
}
