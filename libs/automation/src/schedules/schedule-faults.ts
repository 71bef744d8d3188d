import { faultsOf } from '@mainstay/domain';

/** What `/schedules/v1` refuses, and what becomes of a command that does not get through. */
export const scheduleFaults = {
  schedule_needs_caller: { status: 401, message: 'Sign in, or use the service key, to see schedules' },
  schedule_not_found: { status: 404, message: 'There is no such schedule' },
  schedule_not_valid: { status: 422, message: 'This is no schedule' },
  schedule_exists: { status: 409, message: 'There is a schedule of this name already' },
  schedule_of_pg_cron: { status: 409, message: 'This schedule belongs to pg_cron' },
  schedule_filter_not_valid: { status: 400, message: 'A filter has a wrong value' },
  command_failed: { status: 422, message: 'The command failed' },
  command_interrupted: { status: 409, message: 'The worker that ran this command stopped answering; part of it may have taken effect, so it is not run again' },
} as const;

export const scheduleFault = faultsOf(scheduleFaults);
