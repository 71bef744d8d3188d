import { guessType } from './guess-types.ts';
import type { Cell } from './parse-delimited.ts';

const candidates = ['NULL', 'null', 'NA', 'N/A', '\\N', 'None', 'NaN', '-'];

/**
 * Finds the text that a file writes for null, where it is not the empty value: the one that turns most columns from text into
 * something stricter. COPY knows one such text only, so a column that also has empty values gains nothing.
 */
export function guessNullText(rows: readonly Cell[][]): string {
  const columns = (rows[0] ?? []).map((_, index) => rows.map((row) => row[index] ?? null));
  const gain = (token: string): number => columns.filter((cells) => cells.includes(token) && isText(cells) && !isText(without(cells, token))).length;
  const scored = candidates.map((token) => ({ token, gain: gain(token) }));
  const best = scored.reduce((a, b) => (b.gain > a.gain ? b : a));
  return best.gain > 0 ? best.token : '';
}

const isText = (cells: readonly Cell[]): boolean => guessType(cells) === 'text';

// Once another text means null, an empty value is an empty text.
const without = (cells: readonly Cell[], token: string): Cell[] => cells.map((cell) => (cell === token ? null : (cell ?? '')));
