import { Type, type Platform } from '@mikro-orm/core';

/** The last moment that RFC 3339 can write; `infinity` is read as this, so that a ban for ever is a date like any other. */
const endOfTime = new Date('9999-12-31T23:59:59.999Z');
const beginningOfTime = new Date('0001-01-01T00:00:00.000Z');

/** A `timestamptz` as a Date, its two infinities included: the ORM's own type reads those as something that is no date. */
export class Timestamp extends Type<Date, string> {
  override convertToDatabaseValue(value: Date): string {
    if (!(value instanceof Date)) return value;
    if (value.getTime() === endOfTime.getTime()) return 'infinity';
    return value.getTime() === beginningOfTime.getTime() ? '-infinity' : value.toISOString();
  }

  override convertToJSValue(value: string, platform: Platform): Date {
    if (typeof value !== 'string') return value;
    return infinityOf(value) ?? (platform.parseDate(value) as Date);
  }

  override getColumnType(): string {
    return 'timestamptz';
  }
}

/** A `timestamptz` as JSON has it. */
export function timeOfJson(text: string): Date {
  return infinityOf(text) ?? new Date(text);
}

function infinityOf(text: string): Date | null {
  if (!/^-?infinity/.test(text)) return null;
  return text.startsWith('-') ? beginningOfTime : endOfTime;
}
