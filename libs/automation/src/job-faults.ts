import { faultsOf } from '@mainstay/domain';

/** What `/jobs/v1` refuses. */
export const jobFaults = {
  job_needs_caller: { status: 401, message: 'Sign in, or use the service key, to see jobs' },
  job_not_found: { status: 404, message: 'There is no such job' },
  job_is_over: { status: 409, message: 'This job has ended already' },
  job_is_open: { status: 409, message: 'This job has not ended yet' },
  job_is_done: { status: 409, message: 'This job is done: there is nothing to try again' },
  job_has_successor: { status: 409, message: 'Another open job does the same already' },
  job_filter_not_valid: { status: 400, message: 'A filter has a wrong value' },
} as const;

export const jobFault = faultsOf(jobFaults);
