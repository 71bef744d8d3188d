import { faultsOf } from '@mainstay/domain';

/** What a job that calls a URL meets, and what asking for one is refused for. */
export const requestFaults = {
  request_needs_service_key: { status: 403, message: 'Jobs that call a URL are for the service key' },
  request_not_valid: { status: 400, message: 'The request cannot be taken as it is asked for' },
  request_refused: { status: 422, message: 'The receiver refuses the request' },
  request_failed: { status: 503, message: 'The receiver could not take the request' },
  request_not_sent: { status: 422, message: 'The request is not sent' },
  request_without_answer: { status: 503, message: 'The receiver gave no answer' },
  signing_needs_service_key: { status: 403, message: 'Signing secrets are for the service key' },
} as const;

export const requestFault = faultsOf(requestFaults);
