import { faultsOf } from '@mainstay/domain';

/** What `/webhooks/v1` refuses. */
export const webhookFaults = {
  webhooks_need_service: { status: 403, message: 'Webhooks are set up with the service key alone' },
  endpoint_not_found: { status: 404, message: 'There is no such endpoint' },
  delivery_not_found: { status: 404, message: 'There is no such delivery' },
  endpoint_not_valid: { status: 400, message: 'The endpoint cannot be kept like this' },
  endpoint_url_refused: { status: 400, message: 'This address is not called' },
  event_not_valid: { status: 400, message: 'An event cannot be subscribed to like this' },
  table_not_found: { status: 400, message: 'There is no such table' },
  filter_not_valid: { status: 400, message: 'A filter cannot be evaluated' },
  endpoint_is_disabled: { status: 409, message: 'This endpoint is disabled' },
  webhook_filter_not_valid: { status: 400, message: 'A parameter has a wrong value' },
  secret_not_readable: { status: 500, message: 'The secrets of this endpoint were sealed with another MAINSTAY_SECRET' },
} as const;

export const webhookFault = faultsOf(webhookFaults);
