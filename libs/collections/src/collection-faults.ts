import { faultsOf } from '@mainstay/domain';

/** What `/collections/v1` refuses. */
export const collectionFaults = {
  service_key_needed: { status: 403, message: 'Only the service key may see and shape collections' },
  collection_not_valid: { status: 400, message: 'The collection cannot be made like this' },
  collection_exists: { status: 409, message: 'There is a collection of this name already' },
  collection_not_allowed: { status: 403, message: 'PostgreSQL does not allow a collection here' },
} as const;

export const collectionFault = faultsOf(collectionFaults);
