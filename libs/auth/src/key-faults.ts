import { faultsOf } from '@mainstay/domain';

/** What `/keys/v1` may answer on purpose. */
export const keyFaults = {
  key_not_found: { status: 404, message: 'There is no such key, or it was revoked before' },
  key_not_valid: { status: 400, message: 'A key cannot be made like this' },
  key_name_taken: { status: 409, message: 'There is a key with this name already' },
  key_needed: { status: 409, message: 'Without this key nobody could manage the others' },
  too_many_keys: { status: 409, message: 'There are as many keys as there may be' },
} as const;

export const keyFault = faultsOf(keyFaults);
