import { faultsOf } from '@mainstay/domain';

/** What `/imports/v1` refuses, and why an import that was taken came to nothing. */
export const importFaults = {
  // Who and where to
  import_needs_caller: { status: 401, message: 'Sign in, or use the service key, to import' },
  import_not_found: { status: 404, message: 'There is no such import' },
  collection_not_found: { status: 404, message: 'There is no such collection' },
  collection_not_writable: { status: 403, message: 'You may not add rows to this collection' },
  role_cannot_import: { status: 403, message: 'This role cannot import' },

  // How it is sent
  content_type_unknown: { status: 415, message: 'The body must be text/csv or application/x-ndjson' },
  option_unknown: { status: 400, message: 'There is no such option' },
  option_not_valid: { status: 400, message: 'An option has a wrong value' },
  upload_stands_still: { status: 408, message: 'The upload stood still' },
  upload_broken_off: { status: 400, message: 'The upload ended before the file did' },
  gzip_not_valid: { status: 400, message: 'The body is not valid gzip' },
  quota_used_up: { status: 413, message: 'You have too many bytes waiting in imports' },

  // The file
  file_is_empty: { status: 400, message: 'The file is empty' },
  encoding_not_utf8: { status: 400, message: 'The file must be UTF-8' },
  header_not_readable: { status: 400, message: 'The header cannot be read' },
  column_unknown: { status: 400, message: 'A column is no field of the collection' },
  column_repeated: { status: 400, message: 'A column is named twice' },
  column_not_writable: { status: 400, message: 'A column cannot be given a value' },
  too_many_columns: { status: 400, message: 'The file has too many columns' },
  row_too_long: { status: 400, message: 'A row is too long' },
  conflict_key_unknown: { status: 400, message: 'No unique key of the collection has these columns' },

  // On the way
  import_is_over: { status: 409, message: 'This import has ended already' },
  too_many_rejects: { status: 422, message: 'Too many rows were refused' },
  nothing_written: { status: 422, message: 'Some rows were refused, so none was written' },
  statement_refused: { status: 422, message: 'PostgreSQL refused the whole import' },
  file_is_gone: { status: 410, message: 'The file of this import is no longer kept; upload it again' },
} as const;

export const importFault = faultsOf(importFaults);
