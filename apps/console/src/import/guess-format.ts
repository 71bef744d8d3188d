import { guessType } from './guess-types.ts';
import { type Cell, parseDelimited } from './parse-delimited.ts';

export type Format = 'csv' | 'ndjson';

export const delimiters = [
  { value: ',', name: 'comma' },
  { value: ';', name: 'semicolon' },
  { value: '\t', name: 'tab' },
  { value: '|', name: 'vertical bar' },
] as const;

/** Looks at the text and not at the file's name, which may say anything: a first line that is a JSON object makes it NDJSON. */
export function guessFormat(text: string): Format {
  const first = text.trimStart().split(/[\r\n]/, 1)[0] ?? '';
  if (!first.startsWith('{')) return 'csv';
  try {
    JSON.parse(first);
    return 'ndjson';
  } catch {
    return 'csv';
  }
}

/** The delimiter that cuts most rows into one and the same number of values, and into more than one. */
export function guessDelimiter(text: string, isCut: boolean): string {
  const scored = delimiters.map(({ value }) => ({ value, score: scoreOf(parseDelimited(text, { delimiter: value, nullText: '' }, { isCut, maxRows: 200 })) }));
  return scored.reduce((best, next) => (next.score > best.score ? next : best)).value;
}

function scoreOf(rows: readonly Cell[][]): number {
  const widths = new Map<number, number>();
  for (const row of rows) widths.set(row.length, (widths.get(row.length) ?? 0) + 1);
  let best = 0;
  for (const [width, times] of widths) if (width > 1) best = Math.max(best, times / rows.length + Math.min(width, 100) / 1000);
  return best;
}

/**
 * Names are texts; one number or date among them makes the first row a row of data. Where a name is missing or stands twice, as
 * where a program exports its index, the rows below must speak for it: a column of numbers under a text.
 */
export function guessHeader(rows: readonly Cell[][]): boolean {
  const first = rows[0];
  if (first === undefined) return true;
  const names = first.map((cell) => (cell ?? '').trim());
  const given = names.filter((name) => name !== '');
  if (given.length === 0 || !given.every(isName)) return false;
  return (given.length === names.length && new Set(names).size === names.length) || isAboveOtherThings(names, rows.slice(1));
}

const isName = (name: string): boolean => !/^[-+]?[\d.,:/\sTZ-]+$/.test(name) && !/^(true|false|null)$/i.test(name);

function isAboveOtherThings(names: readonly string[], rows: readonly Cell[][]): boolean {
  return names.some((name, index) => name !== '' && rows.length > 0 && guessType(rows.map((row) => row[index] ?? null)) !== 'text');
}
