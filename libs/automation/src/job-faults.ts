import { faultsOf } from '@mainstay/domain';

/** What `/jobs/v1` refuses. */
export const jobFaults = {
  job_needs_caller: { status: 401, message: 'Sign in, or use the service key, to have jobs' },
  job_not_found: { status: 404, message: 'There is no such job' },
  job_is_over: { status: 409, message: 'This job has ended already' },
  job_is_open: { status: 409, message: 'This job has not ended yet' },
  job_is_done: { status: 409, message: 'This job is done: there is nothing to try again' },
  job_has_successor: { status: 409, message: 'Another open job does the same already' },
  job_filter_not_valid: { status: 400, message: 'A filter has a wrong value' },
  job_not_valid: { status: 400, message: 'The job cannot be taken as it is asked for' },
  function_not_found: { status: 404, message: 'There is no such function' },
  function_not_allowed: { status: 403, message: 'The caller may not execute this function' },
} as const;

export const jobFault = faultsOf(jobFaults);

/** What `/queues/v1` refuses. */
export const queueFaults = {
  queue_needs_service_key: { status: 403, message: 'Queues are for the service key' },
  queue_not_found: { status: 404, message: 'There is no such queue' },
  queue_not_valid: { status: 400, message: 'The terms of the queue are not valid' },
  queue_in_use: { status: 409, message: 'This queue has open jobs, or belongs to the house' },
} as const;

export const queueFault = faultsOf(queueFaults);
