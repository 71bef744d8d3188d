import type { Cell } from './parse-delimited.ts';

/** The types that a new field may be given here, with what they are for; PostgreSQL has more, and a migration may use them. */
export const fieldTypes = [
  { name: 'text', meaning: 'text' },
  { name: 'bigint', meaning: 'whole number' },
  { name: 'numeric', meaning: 'exact decimal number' },
  { name: 'double precision', meaning: 'floating point number' },
  { name: 'boolean', meaning: 'true or false' },
  { name: 'date', meaning: 'date' },
  { name: 'timestamp with time zone', meaning: 'moment, with time zone' },
  { name: 'timestamp without time zone', meaning: 'date and time, no zone' },
  { name: 'time without time zone', meaning: 'time of day' },
  { name: 'uuid', meaning: 'unique id' },
  { name: 'jsonb', meaning: 'JSON' },
] as const;
export type FieldType = (typeof fieldTypes)[number]['name'];

const time = String.raw`([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?`;
const zone = String.raw`(Z|[-+]\d{2}(:?\d{2})?)`;
const day = String.raw`\d{4}[-/]\d{1,2}[-/]\d{1,2}`;

const looks = {
  boolean: /^(true|false|t|f|yes|no)$/i,
  whole: /^[-+]?(0|[1-9]\d*)$/,
  decimal: /^[-+]?(0|[1-9]\d*)?\.?\d*$/,
  float: /^([-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?|nan|[-+]?inf(inity)?)$/i,
  uuid: /^[\da-f]{8}-([\da-f]{4}-){3}[\da-f]{12}$/i,
  day: new RegExp(`^${day}$`),
  momentWithZone: new RegExp(`^${day}[T ]${time} ?${zone}$`, 'i'),
  moment: new RegExp(`^${day}[T ]${time}$`, 'i'),
  time: new RegExp(`^${time}$`),
} as const;

/** Strictest first: the first type that takes every value is the guess. */
const recognizers: readonly (readonly [FieldType, (text: string) => boolean])[] = [
  ['boolean', (text) => looks.boolean.test(text)],
  ['bigint', (text) => looks.whole.test(text) && fitsBigint(text)],
  ['numeric', (text) => looks.decimal.test(text) && /\d/.test(text) && !hasLeadingZero(text)],
  ['double precision', (text) => looks.float.test(text) && !hasLeadingZero(text)],
  ['uuid', (text) => looks.uuid.test(text)],
  ['date', (text) => looks.day.test(text) && isDay(text)],
  ['timestamp with time zone', (text) => looks.momentWithZone.test(text) && isDay(text)],
  ['timestamp without time zone', (text) => looks.moment.test(text) && isDay(text)],
  ['time without time zone', (text) => looks.time.test(text)],
  ['jsonb', isJson],
];

/**
 * Guesses a field's type from the values of a sample. Text is the answer whenever one value speaks against all others, a value
 * is an empty text, or there is none: a type that is too narrow costs rows, text costs nothing.
 */
export function guessType(cells: readonly Cell[]): FieldType {
  const texts = cells.filter((cell) => cell !== null);
  if (texts.length === 0 || texts.some((text) => text.trim() === '')) return 'text';
  return recognizers.find(([, takes]) => texts.every((text) => takes(text.trim())))?.[0] ?? 'text';
}

/** The same for JSON values, which say themselves what they are: `"007"` is a text there, however much it looks like a number. */
export function guessJsonType(values: readonly unknown[]): FieldType {
  const present = values.filter((value) => value !== null && value !== undefined);
  const kinds = new Set(present.map((value) => typeof value));
  if (kinds.has('object')) return 'jsonb';
  if (kinds.size !== 1) return 'text';
  const guess = guessType(present.map(String));
  if (!kinds.has('string')) return guess;
  return ['date', 'timestamp with time zone', 'timestamp without time zone', 'time without time zone', 'uuid'].includes(guess) ? guess : 'text';
}

/** Whether values of the guessed type can be expected to enter a field of another type. */
export function fits(guess: FieldType, fieldType: string): boolean {
  if (guess === 'text') return !/^(bigint|integer|smallint|numeric|double|real|boolean|date|time|uuid|json)/.test(fieldType);
  if (/^(text|character|jsonb?$)/.test(fieldType)) return true;
  if (/^(bigint|integer|smallint)/.test(fieldType)) return guess === 'bigint';
  if (/^(numeric|double|real)/.test(fieldType)) return ['bigint', 'numeric', 'double precision'].includes(guess);
  if (/^(date|timestamp)/.test(fieldType)) return /^(date|timestamp)/.test(guess);
  if (fieldType === 'boolean') return guess === 'boolean' || guess === 'bigint';
  return true;
}

/** `007` is a postal code or an account, not the number 7. */
function hasLeadingZero(text: string): boolean {
  return /^[-+]?0\d/.test(text);
}

function fitsBigint(text: string): boolean {
  const value = BigInt(text.replace(/^\+/, ''));
  return value >= -(2n ** 63n) && value < 2n ** 63n;
}

function isDay(text: string): boolean {
  const [year = 0, month = 0, date = 0] = text.split(/[-/T ]/, 3).map(Number);
  return month >= 1 && month <= 12 && date >= 1 && date <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}

function isJson(text: string): boolean {
  if (!/^[[{]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
