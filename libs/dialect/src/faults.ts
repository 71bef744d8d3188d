import { faultsOf, type Catalogue } from '@mainstay/domain';

/** Every answer-on-purpose of `/rest/v1` that is the server's own, by its code on the wire. PostgreSQL's errors keep their SQLSTATE. */
export const restFaults = {
  // The database
  PGRST000: { status: 503, message: 'Database connection error.' },
  PGRST001: { status: 503, message: 'Database client error. Retrying the connection.' },
  PGRST002: { status: 503, message: 'Could not query the database for the schema cache. Retrying.' },
  PGRST003: { status: 504, message: 'Timed out acquiring connection from connection pool.' },

  // The request
  PGRST100: { status: 400, message: 'The query string cannot be read' },
  PGRST101: { status: 405, message: 'Cannot use this method on RPC' },
  PGRST102: { status: 400, message: 'Empty or invalid json' },
  PGRST103: { status: 416, message: 'Requested range not satisfiable' },
  PGRST105: { status: 405, message: "Filters must include all and only primary key columns with 'eq' operators" },
  PGRST106: { status: 406, message: 'Invalid schema' },
  PGRST107: { status: 406, message: 'None of these media types are available' },
  PGRST108: { status: 400, message: 'This is not an embedded resource in this request' },
  PGRST111: { status: 500, message: 'response.headers guc must be a JSON array composed of objects with a single key and a string value' },
  PGRST112: { status: 500, message: 'response.status guc must be a valid status code' },
  PGRST114: { status: 400, message: 'limit/offset querystring parameters are not allowed for PUT' },
  PGRST115: { status: 400, message: 'Payload values do not match URL in primary key column(s)' },
  PGRST116: { status: 406, message: 'Cannot coerce the result to a single JSON object' },
  PGRST117: { status: 405, message: 'Unsupported HTTP method' },
  PGRST118: { status: 400, message: 'A related order is not possible' },
  PGRST120: { status: 400, message: 'Bad operator on an embedded resource' },
  PGRST121: { status: 500, message: 'Could not parse JSON in the "RAISE SQLSTATE \'PGRST\'" error' },
  PGRST122: { status: 400, message: 'Invalid preferences given with handling=strict' },
  PGRST123: { status: 400, message: 'Use of aggregate functions is not allowed' },
  PGRST124: { status: 400, message: 'Query result exceeds max-affected preference constraint' },
  PGRST125: { status: 404, message: 'Invalid path specified in request URL' },
  PGRST126: { status: 404, message: 'Root endpoint metadata is disabled' },
  PGRST127: { status: 400, message: 'Feature not implemented' },
  PGRST128: { status: 400, message: 'Function must return SETOF or TABLE when max-affected preference is used with handling=strict' },

  // Groups
  PGRSTX20: { status: 400, message: 'A time bucket needs a date or a timestamp' },
  PGRSTX21: { status: 400, message: 'The aggregate would cost more than is allowed' },

  // The schema cache
  PGRST200: { status: 400, message: 'Could not find a relationship in the schema cache' },
  PGRST201: { status: 300, message: 'Could not embed because more than one relationship was found' },
  PGRST202: { status: 404, message: 'Could not find the function in the schema cache' },
  PGRST203: { status: 300, message: 'Could not choose the best candidate function' },
  PGRST204: { status: 400, message: 'Could not find the column in the schema cache' },
  PGRST205: { status: 404, message: 'Could not find the table in the schema cache' },

  // The token
  PGRST300: { status: 500, message: 'Server lacks JWT secret' },
  PGRST301: { status: 401, message: 'No suitable key or wrong key type' },
  PGRST302: { status: 401, message: 'Anonymous access is disabled' },
  PGRST303: { status: 401, message: 'JWT claims are not valid' },

  // Streams
  PGRSTX10: { status: 503, message: 'Too many streams are open' },
  PGRSTX11: { status: 503, message: 'The stream took longer than it may' },

  // Writes beyond the protocol
  PGRSTX30: { status: 400, message: 'This cannot be inserted together' },
  PGRSTX31: { status: 409, message: 'Fewer rows were stored than were sent, so it is not known whose children are whose' },
  PGRSTX32: { status: 400, message: 'The elements of the body must name one row each' },
  PGRSTX33: { status: 409, message: 'Not every row of the body was found' },

  // Pages
  PGRSTX50: { status: 400, message: 'Keyset paging is not possible here' },
  PGRSTX51: { status: 400, message: 'The cursor cannot be used' },

  // Preconditions
  PGRSTX40: { status: 412, message: 'The row is not the one that the precondition names' },

  // Descriptions
  PGRSTX70: { status: 403, message: 'The description of this API is for the service role' },

  PGRSTX00: { status: 500, message: 'Internal error' },
} as const satisfies Catalogue;

export type RestFaultCode = keyof typeof restFaults;

/** Raises one of the dialect's own faults. */
export const fault = faultsOf(restFaults);
