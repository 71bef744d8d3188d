import cronstrue from 'cronstrue';
import type { Schedule, ScheduleRun } from '../contracts.ts';
import { some } from '../words.ts';

const nicknames: Readonly<Record<string, string>> = {
  '@yearly': 'Every year on 1 January at 00:00',
  '@annually': 'Every year on 1 January at 00:00',
  '@monthly': 'On the first of every month at 00:00',
  '@weekly': 'Every Sunday at 00:00',
  '@daily': 'Every day at 00:00',
  '@midnight': 'Every day at 00:00',
  '@hourly': 'Every hour',
  '@reboot': 'At each start of the database',
};

/** A cron line in words; null where nobody has words for it. Whether it is right is the api's to say. */
export function cronInWords(cron: string): string | null {
  const text = cron.trim().replace(/\s+/g, ' ');
  const known = nicknames[text.toLowerCase()];
  if (known !== undefined) return known;
  const [, count, unit] = /^(\d+) (second|minute|hour|day)s?$/i.exec(text) ?? [];
  if (unit !== undefined) return `Every ${count === '1' ? unit.toLowerCase() : some(Number(count), unit.toLowerCase())}`;
  try {
    // `L` and `W` are known in capitals alone.
    return cronstrue.toString(text.toUpperCase(), { use24HourTimeFormat: true });
  } catch (_noWords) {
    return null;
  }
}

/** What a schedule does, in one line. */
export function targetInWords({ kind, function: name, sql, url, method }: Pick<Schedule, 'kind' | 'function' | 'sql' | 'url' | 'method'>): string {
  if (kind === 'function') return `calls ${name}`;
  if (kind === 'url') return `${method ?? 'POST'} ${url}`;
  return (sql ?? '').replace(/\s+/g, ' ').trim();
}

/** A moment as the clocks of a time zone show it: `Mon, 26 Oct 2026, 09:00:00`. */
export function localTime(time: string, zone: string): string {
  return new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23', timeZone: zone, ...nameOfZone(zone) }).format(new Date(time));
}

/** Only where it is not the reader's own. */
function nameOfZone(zone: string): Intl.DateTimeFormatOptions {
  return zone === readersZone() ? {} : { timeZoneName: 'short' };
}

export function readersZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** What came of a run, beyond its state. */
export function runInWords({ state, reason, skipped_count: count, error, message }: Pick<ScheduleRun, 'state' | 'reason' | 'skipped_count' | 'error' | 'message'>): string {
  if (state === 'skipped') {
    const why = reason === 'overlap' ? 'the run before it was not over' : 'no worker was there at its time';
    return count === null || count > 1 ? `${count === null ? 'many' : some(count, 'run')} passed over: ${why}` : `passed over: ${why}`;
  }
  return error?.message ?? message ?? '';
}

export const presets: readonly { readonly cron: string; readonly words: string }[] = [
  { cron: '* * * * *', words: 'every minute' },
  { cron: '0 * * * *', words: 'every hour' },
  { cron: '0 9 * * *', words: 'every day at 9' },
  { cron: '0 9 * * mon-fri', words: 'on workdays at 9' },
  { cron: '0 9 * * mon', words: 'every Monday at 9' },
  { cron: '0 0 1 * *', words: 'on the first of the month' },
  { cron: '30 seconds', words: 'every 30 seconds' },
];
