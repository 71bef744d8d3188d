import { fault } from './faults.ts';
import type { Scanner } from './scanner.ts';

/** A span of time that moments are rounded down to. */
export interface Bucket {
  readonly count: number;
  readonly unit: keyof typeof units;
}

/** How a moment is held: with a zone, without one, or as a day. */
export type MomentType = 'zoned' | 'plain' | 'day';

/** Spans of fixed length by their seconds, of the calendar by their months. */
const units = {
  s: { seconds: 1 },
  m: { seconds: 60 },
  min: { seconds: 60 },
  h: { seconds: 3600 },
  d: { days: 1 },
  w: { days: 7 },
  mo: { months: 1 },
  q: { months: 3 },
  y: { months: 12 },
} as const satisfies Record<string, { seconds: number } | { days: number } | { months: number }>;

const pattern = /\.bucket\(([1-9]\d{0,3})(s|m|min|h|d|w|mo|q|y)\)/y;

/**
 * Reads `.bucket(15min)`. It does not tell the scanner what it hoped for: who mistypes an aggregate is not told of buckets.
 * @throws Fault PGRST100 for a span that is none.
 */
export function readBucket(scanner: Scanner): Bucket | null {
  if (!scanner.text.startsWith('.bucket(', scanner.position)) return null;
  pattern.lastIndex = scanner.position;
  const match = pattern.exec(scanner.text);
  if (match === null) throw fault('PGRST100', { message: 'bucket(…) takes a whole number and a unit', details: `Units are ${Object.keys(units).join(', ')}.`, hint: 'A day is bucket(1d), a quarter of an hour bucket(15min).' });
  scanner.take(pattern, []);
  return { count: Number(match[1]), unit: match[2] as Bucket['unit'] };
}

/** The type of moments behind a type of PostgreSQL's, by any of its names; null where it holds none. */
export function momentTypeOf(type: string): MomentType | null {
  switch (type.replaceAll('"', '').replace(/\(\d\)/, '').toLowerCase()) {
    case 'timestamptz':
    case 'timestamp with time zone':
      return 'zoned';
    case 'timestamp':
    case 'timestamp without time zone':
      return 'plain';
    case 'date':
      return 'day';
    default:
      return null;
  }
}

/**
 * Writes the beginning of the bucket that a moment is in. Days and longer begin at midnight of the session's time zone, and
 * weeks on Monday; hours and shorter are counted from midnight, so an hour that the clock repeats stays two.
 */
export function bucketSql(value: string, type: MomentType, { count, unit }: Bucket): string {
  const span = units[unit];
  const moment = type === 'day' ? `(${value})::timestamp` : value;
  if ('seconds' in span) return ended(`date_bin('${count * span.seconds} seconds', ${moment}, date_trunc('day', ${moment}))`, type);
  const zone = `current_setting('TimeZone')`;
  const local = type === 'zoned' ? `timezone(${zone}, ${moment})` : moment;
  const begun = 'days' in span ? dayBucket(local, count * span.days) : monthBucket(local, count * span.months);
  return type === 'zoned' ? `timezone(${zone}, ${begun})` : ended(begun, type);
}

/** 2001-01-01 was a Monday. */
function dayBucket(local: string, days: number): string {
  return days === 1 ? `date_trunc('day', ${local})` : `date_bin('${days} days', ${local}, timestamp '2001-01-01')`;
}

function monthBucket(local: string, months: number): string {
  const month = `date_trunc('month', ${local})`;
  if (months === 1) return month;
  return `${month} - make_interval(months => (extract(year from ${local})::int * 12 + extract(month from ${local})::int - 1) % ${months})`;
}

function ended(moment: string, type: MomentType): string {
  return type === 'day' ? `(${moment})::date` : moment;
}
