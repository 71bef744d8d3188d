import { faultsOf } from '@mainstay/domain';

/** What `/exports/v1` refuses, and why an export that was taken came to nothing. */
export const exportFaults = {
  // Who and what
  export_needs_caller: { status: 401, message: 'Sign in, or use the service key, to have exports made' },
  export_not_found: { status: 404, message: 'There is no such export' },
  collection_not_found: { status: 404, message: 'There is no such collection' },
  role_cannot_export: { status: 403, message: 'A worker cannot act as this role' },

  // How it is asked for
  format_unknown: { status: 400, message: 'There is no such format' },
  format_not_acceptable: { status: 406, message: 'None of the formats is acceptable' },
  option_not_valid: { status: 400, message: 'An option has a wrong value' },
  column_unknown: { status: 400, message: 'A column is no field of the collection' },
  body_not_valid: { status: 400, message: 'The body must be a JSON object of parameters' },

  // How much
  export_too_large: { status: 413, message: 'This is too much to be sent at once' },
  export_took_too_long: { status: 503, message: 'The export took longer than it may' },
  too_many_exports: { status: 503, message: 'Too many exports are being sent' },
  quota_used_up: { status: 413, message: 'Your exports take up too much' },

  // On the way
  export_is_over: { status: 409, message: 'This export has ended already' },
  value_not_expressible: { status: 422, message: 'A value cannot be written in this format' },
  file_too_large: { status: 422, message: 'The file would be larger than its format allows' },

  // The file
  file_not_ready: { status: 409, message: 'The file is not made yet' },
  file_is_gone: { status: 410, message: 'The file is no longer kept' },
  link_not_valid: { status: 403, message: 'This link was not made by us, or it was changed' },
  link_expired: { status: 403, message: 'This link has expired' },
  link_owner_gone: { status: 403, message: 'The account that asked for this file may no longer use it' },
  range_not_satisfiable: { status: 416, message: 'The file has no such bytes' },
} as const;

export const exportFault = faultsOf(exportFaults);
