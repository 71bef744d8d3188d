import { scheduleFault } from './schedule-faults.ts';

/** A filter that is given twice comes as a list. @throws Fault `schedule_filter_not_valid` */
export function refuseLists(query: object): void {
  for (const [name, value] of Object.entries(query)) if (typeof value !== 'string') throw scheduleFault('schedule_filter_not_valid', { message: `"${name}" is given twice` });
}
