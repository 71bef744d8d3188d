import { Cron } from 'croner';

/** Why an expression is refused, and where in it. */
export class CronRefusal extends Error {
  override name = 'CronRefusal';

  constructor(
    message: string,
    /** The character that the complaint is about, counted from 1. */
    readonly at: number,
  ) {
    super(message);
  }
}

/** What an expression may say: everything that Mainstay knows, or what pg_cron knows and nothing more. */
export type CronDialect = 'mainstay' | 'pg_cron';

/** When something shall run: at local times that fit a pattern, every so many seconds, or at each start of the database. */
export type Timing =
  | {
      readonly kind: 'pattern';
      /** Walks through the fitting times of a calendar without time zones. */
      readonly calendar: Cron;
      /** It names no hour, so it means the time that passes and not what a clock shows. */
      readonly hasEveryHour: boolean;
    }
  | { readonly kind: 'interval'; readonly seconds: number }
  | { readonly kind: 'start' };

interface Field {
  readonly name: string;
  readonly low: number;
  readonly high: number;
  readonly names?: readonly string[];
  /** Forms of the field's own, in Mainstay's dialect. */
  readonly special?: RegExp;
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

const fields: readonly Field[] = [
  { name: 'second', low: 0, high: 59 },
  { name: 'minute', low: 0, high: 59 },
  { name: 'hour', low: 0, high: 23 },
  { name: 'day of the month', low: 1, high: 31, special: /^(l|lw|([1-9]|[12]\d|3[01])w)$/ },
  { name: 'month', low: 1, high: 12, names: months },
  { name: 'day of the week', low: 0, high: 7, names: days, special: /^([0-7]|sun|mon|tue|wed|thu|fri|sat)(l|#[1-5])$/ },
];

const nicknames: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

const unitSeconds = { second: 1, minute: 60, hour: 3600, day: 86_400 } as const;
/** A year: what comes less often is no interval. */
const longestSeconds = 366 * 86_400;

/**
 * Reads five fields (minute, hour, day of the month, month, day of the week), six with seconds first, `@daily` and its like,
 * or an interval such as `30 seconds`.
 * @throws CronRefusal
 */
export function parseCron(expression: string, dialect: CronDialect = 'mainstay'): Timing {
  const text = expression.toLowerCase();
  const interval = parseInterval(text, dialect);
  if (interval !== null) return interval;
  const words = [...text.matchAll(/[^ \t\n\r\f\v]+/g)].map((match) => ({ text: match[0], at: match.index + 1 }));
  const [first] = words;
  if (first === undefined) throw new CronRefusal('it is empty', 1);
  if (first.text.startsWith('@')) return parseNickname(words, dialect);
  return parseFields(words, dialect, expression.length);
}

interface Word {
  readonly text: string;
  readonly at: number;
}

function parseInterval(text: string, dialect: CronDialect): Timing | null {
  const [, digits, unit] = /^[ \t\n\r\f\v]*(\d{1,10})[ \t\n\r\f\v]*(second|minute|hour|day)s?[ \t\n\r\f\v]*$/.exec(text) ?? [];
  if (digits === undefined) return null;
  const at = text.indexOf(digits) + 1;
  if (dialect === 'pg_cron') {
    if (unit !== 'second') throw new CronRefusal(`an interval is given in seconds`, text.indexOf(unit!) + 1);
    if (Number(digits) < 1 || Number(digits) > 59) throw new CronRefusal(`an interval has 1 to 59 seconds, not ${digits}`, at);
  }
  const seconds = Number(digits) * unitSeconds[unit as keyof typeof unitSeconds];
  if (seconds < 1 || seconds > longestSeconds) throw new CronRefusal('an interval has 1 second to 366 days', at);
  return { kind: 'interval', seconds };
}

function parseNickname([word, more]: readonly Word[], dialect: CronDialect): Timing {
  if (more !== undefined) throw new CronRefusal(`nothing may follow "${word!.text}"`, more.at);
  if (dialect === 'pg_cron' && word!.text === '@reboot') return { kind: 'start' };
  const meant = nicknames[word!.text];
  if (meant === undefined) throw new CronRefusal(`"${word!.text}" is none of ${Object.keys(nicknames).join(', ')}`, word!.at);
  return parseCron(meant);
}

function parseFields(words: readonly Word[], dialect: CronDialect, length: number): Timing {
  const most = dialect === 'pg_cron' ? 5 : 6;
  if (words.length > most) throw new CronRefusal(`it has more than ${most} fields`, words[most]!.at);
  if (words.length < 5) throw new CronRefusal(`it has ${words.length} ${words.length === 1 ? 'field' : 'fields'}, and five are needed: minute, hour, day of the month, month, day of the week`, length + 1);
  const asked = fields.slice(fields.length - words.length);
  const patterns = words.map((word, i) => parseField(word, asked[i]!, dialect));
  const [day, weekday] = [words.at(-3)!, words.at(-1)!];
  return {
    kind: 'pattern',
    calendar: new Cron(patterns.join(' '), {
      timezone: 'UTC',
      mode: '5-or-6-parts',
      // As cron has it: a day must fit both fields where one of them begins with a star, else one of them is enough.
      domAndDow: day.text.startsWith('*') || weekday.text.startsWith('*'),
    }),
    hasEveryHour: hasAll(words.at(-4)!.text),
  };
}

/** A list of items, each checked, in the words that croner takes. */
function parseField(word: Word, field: Field, dialect: CronDialect): string {
  let { at } = word;
  const items = word.text.split(',').map((item) => {
    const parsed = parseItem({ text: item, at }, field, dialect);
    at += item.length + 1;
    return parsed;
  });
  // A star among others is all of them, and croner wants it alone.
  return items.includes('*') ? '*' : items.join(',');
}

function parseItem({ text, at }: Word, field: Field, dialect: CronDialect): string {
  if (text === '') throw new CronRefusal(`an item of the ${field.name} is missing`, at);
  if (text === '*') return '*';
  if (text === '$' && field.name === 'day of the month') return 'L';
  if (dialect === 'mainstay' && field.special?.test(text)) return text.toUpperCase().replace(/^7/, '0');
  const [, low, high, step] = /^(\*|\w+)(?:-(\w+))?(?:\/(\w+))?$/.exec(text) ?? [];
  if (low === undefined || (low === '*' && high !== undefined)) throw new CronRefusal(`"${text}" is no ${field.name} (${formsOf(field)})`, at);
  const from = low === '*' ? field.low : valueOf(low, field, at);
  const to = high !== undefined ? valueOf(high, field, at + low.length + 1) : step === undefined ? from : highOf(field);
  if (from > to) throw new CronRefusal(`"${text}" goes backwards`, at);
  if (step === undefined) return from === to ? String(from) : `${from}-${to}`;
  const stride = /^\d{1,9}$/.test(step) ? Number(step) : 0;
  if (stride < 1) throw new CronRefusal(`"${step}" is no step: a whole number from 1 on is`, at + text.indexOf('/') + 1);
  // croner refuses a step that is longer than its range; as cron has it, it leaves the first of the range.
  return stride > to - from ? String(from) : `${from}-${to}/${stride}`;
}

function valueOf(text: string, field: Field, at: number): number {
  const named = field.names?.indexOf(text) ?? -1;
  if (named >= 0) return field.low + named;
  const value = /^\d{1,4}$/.test(text) ? Number(text) : NaN;
  if (!(value >= field.low && value <= field.high)) throw new CronRefusal(`"${text}" is no ${field.name} (${formsOf(field)})`, at);
  return value;
}

/** Sunday is 0 and also 7; where nobody says 7, the week ends with Saturday. */
function highOf(field: Field): number {
  return Math.min(field.high, field.low + (field.names?.length ?? 60) - 1);
}

function formsOf({ low, high, names }: Field): string {
  return `${low} to ${high}${names === undefined ? '' : `, ${names[0]} to ${names.at(-1)}`}`;
}

/** `*`, and its longer ways to say it. */
function hasAll(hour: string): boolean {
  return hour.split(',').some((item) => /^(\*(\/0*1)?|0*0-23(\/0*1)?|0*0\/0*1)$/.test(item));
}
