import { nextRuns } from './next-runs.ts';
import { CronRefusal } from './parse-cron.ts';
import { refuseLists } from './refuse-lists.ts';
import { scheduleFault } from './schedule-faults.ts';

/** When a schedule would run, as it stands in a query. */
export interface PreviewQuery {
  readonly cron?: string;
  readonly time_zone?: string;
  readonly count?: string;
}

const usual = 5;
const most = 50;

/** The next runs of an expression that nobody has made a schedule of yet. @throws Fault that says what is wrong, and where */
export function previewRuns(query: PreviewQuery, now: Date): { readonly next_runs: readonly Date[] } {
  refuseLists(query);
  const { cron = '', time_zone: timeZone = 'UTC', count } = query;
  const wanted = count === undefined ? usual : Number(count);
  if (!(Number.isInteger(wanted) && wanted >= 1 && wanted <= most)) throw scheduleFault('schedule_filter_not_valid', { message: `"count" must be a whole number from 1 to ${most}, not "${count}"` });
  try {
    return { next_runs: nextRuns(cron, timeZone, now, wanted) };
  } catch (error) {
    if (error instanceof CronRefusal) throw scheduleFault('schedule_not_valid', { message: `"${cron}" is no schedule: ${error.message}`, details: { field: 'cron', at: error.at } });
    if (error instanceof RangeError) throw scheduleFault('schedule_not_valid', { message: `There is no time zone "${timeZone}"`, details: { field: 'time_zone' }, hint: 'Such as Europe/Berlin or UTC.' });
    throw error;
  }
}
