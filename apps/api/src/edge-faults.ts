import { faultsOf } from '@mainstay/domain';

/** What the edge itself refuses, before any surface sees the request. */
export const edgeFaults = {
  request_line_too_long: { status: 414, message: 'The path and query are longer than the server takes' },
  body_too_large: { status: 413, message: 'The body is larger than the server takes' },
  body_too_slow: { status: 408, message: 'The body did not arrive in time' },
  body_encoding_unknown: { status: 415, message: 'The Content-Encoding is not known; gzip, deflate and identity are' },
  body_not_decodable: { status: 400, message: 'The body is not what its Content-Encoding says' },
  body_not_json: { status: 400, message: 'The body is not valid JSON' },
  text_not_storable: { status: 400, message: 'A text has a character that PostgreSQL cannot keep: NUL, or half of a surrogate pair' },
  url_not_decodable: { status: 400, message: 'The path has a % that is no valid encoding' },
  not_found: { status: 404, message: 'There is nothing at this path' },
  not_yet_here: { status: 404, message: 'This surface is not yet here' },
  service_role_needed: { status: 403, message: 'Only the service key may do this' },
} as const;

export const edgeFault = faultsOf(edgeFaults);
