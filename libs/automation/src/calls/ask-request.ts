import { isService, type Caller, type Fault } from '@mainstay/domain';
import { checkSentHeaders, OutwardRefusal, type Outward } from '@mainstay/outward';
import { actingAs, enqueueRequest, isDatabaseError, type AskedRequest, type Transaction } from '@mainstay/persistence';
import { parseCall } from '../parse-job.ts';
import { requestFault } from './request-faults.ts';

const terms = ['run_at', 'key', 'max_attempts', 'queue', 'priority', 'after'];
const own = ['url', 'body', 'headers', 'method', 'timeout_ms', 'signed'];

/**
 * Makes what `POST /jobs/v1 {url, …}` does: writes a request and its job. A URL that would be refused for good is refused at once.
 * Only for the service key: whoever can make us send what they like, signed, can speak in the project's name.
 */
export function askForRequestBy(outward: Pick<Outward, 'check'>): (tx: Transaction, caller: Caller, body: Readonly<Record<string, unknown>>, trace: string | null) => Promise<string> {
  return async (tx, caller, body, trace) => {
    if (!isService(caller)) throw requestFault('request_needs_service_key', { hint: 'A function of yours that is SECURITY DEFINER may call mainstay.enqueue_http for its users.' });
    const asked = parseRequest(body);
    refuse(outward, asked);
    return enqueueRequest(tx, asked, actingAs(caller), trace).catch((error: unknown) => {
      throw refusalOf(error) ?? error;
    });
  };
}

/** @throws Fault with the field that is wrong */
export function parseRequest(body: Readonly<Record<string, unknown>>): AskedRequest {
  const unknown = Object.keys(body).find((field) => !own.includes(field) && !terms.includes(field));
  if (unknown !== undefined) throw requestFault('request_not_valid', { message: `There is no field "${unknown.slice(0, 100)}" beside "url"`, hint: `Fields: ${[...own, ...terms].join(', ')}` });
  const { url, body: sent, headers, method, timeout_ms: timeoutMs, signed } = body;
  const { runAt, key, maxAttempts, queue, priority, after } = parseCall({ function: 'none', ...Object.fromEntries(terms.map((field) => [field, body[field]])) });
  if (typeof url !== 'string') throw wrong('url', 'a text');
  if (headers !== undefined && headers !== null && (typeof headers !== 'object' || Array.isArray(headers))) throw wrong('headers', 'an object of texts');
  if (method !== undefined && method !== null && typeof method !== 'string') throw wrong('method', 'a text');
  if (timeoutMs !== undefined && timeoutMs !== null && !Number.isInteger(timeoutMs)) throw wrong('timeout_ms', 'a whole number');
  if (signed !== undefined && signed !== null && typeof signed !== 'boolean') throw wrong('signed', 'true or false');
  return {
    ...{ url, body: sent, runAt, key, maxAttempts, queue, priority, after },
    headers: (headers as Record<string, unknown> | undefined) ?? null,
    method: method ?? null,
    timeoutMs: (timeoutMs as number | undefined) ?? null,
    isSigned: signed ?? null,
  };
}

function wrong(field: string, what: string): Fault {
  return requestFault('request_not_valid', { message: `"${field}" must be ${what}` });
}

function refuse(outward: Pick<Outward, 'check'>, { url, headers }: AskedRequest): void {
  try {
    outward.check(url);
    // A value that is no text is refused by the database, in its own words.
    checkSentHeaders(Object.fromEntries(Object.entries(headers ?? {}).filter((entry): entry is [string, string] => typeof entry[1] === 'string')));
  } catch (error) {
    if (!(error instanceof OutwardRefusal)) throw error;
    throw requestFault('request_not_valid', { message: error.message, details: { reason: error.code }, hint: error.hint, cause: error });
  }
}

/** What the database refuses a request for, in its own words. */
function refusalOf(error: unknown): Fault | null {
  if (!isDatabaseError(error) || error.code !== '22023') return null;
  return requestFault('request_not_valid', { message: error.message, details: error.detail ?? null, hint: error.hint ?? null, cause: error });
}
