/** What a column holds, as a file with types has to know it. */
export type ValueKind = 'integer' | 'bigint' | 'float' | 'double' | 'numeric' | 'boolean' | 'text' | 'timestamptz' | 'timestamp' | 'date' | 'json' | 'uuid' | 'bytea' | 'other';

/** PostgreSQL's own types by number: these never change. */
const kinds: Readonly<Record<number, ValueKind>> = {
  16: 'boolean',
  17: 'bytea',
  20: 'bigint',
  21: 'integer',
  23: 'integer',
  26: 'bigint',
  700: 'float',
  701: 'double',
  1700: 'numeric',
  18: 'text',
  19: 'text',
  25: 'text',
  1042: 'text',
  1043: 'text',
  114: 'json',
  3802: 'json',
  1082: 'date',
  1114: 'timestamp',
  1184: 'timestamptz',
  2950: 'uuid',
};

/** What a type of the given number holds; `other` is everything that has a text and no more. */
export function kindOf(type: number): ValueKind {
  return kinds[type] ?? 'other';
}

/** The precision and scale of a `numeric(p,s)`, from its type's modifier; null where there are none. */
export function decimalOf(modifier: number): { readonly precision: number; readonly scale: number } | null {
  if (modifier < 4) return null;
  const packed = modifier - 4;
  // The scale has 11 bits and a sign (PostgreSQL 15 and later).
  const scale = ((packed & 0x7ff) ^ 1024) - 1024;
  return { precision: (packed >> 16) & 0xffff, scale };
}

const moment = /^(\d{4,})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?)?)?( BC)?$/;

/** Microseconds since 1970 of a moment as PostgreSQL writes it in ISO style; a moment without a zone counts as UTC. */
export function microsOf(text: string): bigint | 'infinity' | '-infinity' {
  if (text === 'infinity' || text === '-infinity') return text;
  const match = moment.exec(text);
  if (match === null) throw new Error('a moment that is not in ISO style');
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', sign, zoneHours = '0', zoneMinutes = '0', zoneSeconds = '0', era] = match;
  const days = daysOf(era === undefined ? Number(year) : 1 - Number(year), Number(month), Number(day));
  const offset = (Number(zoneHours) * 3600 + Number(zoneMinutes) * 60 + Number(zoneSeconds)) * (sign === '-' ? -1 : 1);
  const seconds = BigInt(days) * 86_400n + BigInt(Number(hour) * 3600 + Number(minute) * 60 + Number(second) - offset);
  return seconds * 1_000_000n + BigInt(fraction.padEnd(6, '0'));
}

/** Days since 1970-01-01 in the Gregorian calendar, years counted astronomically (H. Hinnant, "days_from_civil"). */
function daysOf(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}
