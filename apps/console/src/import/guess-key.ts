import type { FieldType } from './guess-types.ts';
import type { Cell } from './parse-delimited.ts';

const keyTypes: readonly FieldType[] = ['bigint', 'uuid', 'text'];

/**
 * The column that looks like the key: named as one, and different in every row of the sample. Null when none is: a key that is
 * wrong would refuse good rows.
 */
export function guessKey(names: readonly string[], types: readonly FieldType[], columns: readonly (readonly Cell[])[]): number | null {
  const candidates = names
    .map((name, index) => ({ index, rank: rankOf(name, index) }))
    .filter(({ index, rank }) => rank > 0 && keyTypes.includes(types[index] ?? 'text') && isUnique(columns[index] ?? []));
  return candidates.sort((a, b) => b.rank - a.rank)[0]?.index ?? null;
}

function rankOf(name: string, index: number): number {
  if (name === 'id') return 4;
  if (['uuid', 'guid', 'key', 'line', 'code', 'slug', 'iata', 'isbn', 'sku'].includes(name)) return 3;
  return /_(id|key|uuid|no|number)$/.test(name) && index === 0 ? 2 : 0;
}

function isUnique(cells: readonly Cell[]): boolean {
  return cells.length > 0 && cells.every((cell) => cell !== null && cell !== '') && new Set(cells).size === cells.length;
}
