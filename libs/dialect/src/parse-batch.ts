import { faultsOf, type Fault } from '@mainstay/domain';
import { depthOfJson, elementsOf, kindOfJson, membersOf } from './json-spans.ts';
import type { Isolation } from './schema-cache.ts';
import { decodeUtf8 } from './text.ts';

/** What `/batch/v1` itself refuses; a refused entry is answered as `/rest/v1` would answer it, with its `index`. */
export const batchFaults = {
  batch_not_valid: { status: 400, message: 'The batch cannot be read' },
  batch_too_long: { status: 400, message: 'The batch has too many requests' },
  batch_answer_too_large: { status: 400, message: 'The answers of the batch are larger than the server gives in one' },
  batch_reference_not_valid: { status: 400, message: 'A $ref names nothing that an earlier answer has' },
  batch_isolation_too_weak: { status: 400, message: 'A request of the batch wants a stricter isolation than the batch has' },
} as const;

export const batchFault = faultsOf(batchFaults);

/** One request of a batch. Its body is a piece of the batch's own text, so that no digit of it changes. */
export interface BatchEntry {
  readonly method: string;
  /** With its query string, if it has one; still encoded. */
  readonly path: string;
  /** Filters and other parameters, as JSON by name. */
  readonly query: ReadonlyMap<string, string>;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON, or null where there is none. */
  readonly body: string | null;
}

/** Requests that are done together or not at all. */
export interface Batch {
  readonly entries: readonly BatchEntry[];
  /** Null leaves it to the role. */
  readonly isolation: Isolation | null;
  readonly isReadOnly: boolean;
}

export interface BatchTerms {
  readonly maxEntries: number;
  /** How deep the body of an entry may be nested. */
  readonly jsonDepth: number;
}

/** What an entry may say in headers: whatever the data API hears. Others would pose as what a proxy before us has set. */
const entryHeaders: ReadonlySet<string> = new Set(['accept', 'accept-profile', 'content-profile', 'content-type', 'prefer', 'range', 'range-unit', 'if-match', 'if-none-match']);
const entryKeys: ReadonlySet<string> = new Set(['method', 'path', 'query', 'headers', 'body']);
const batchKeys: ReadonlySet<string> = new Set(['requests', 'isolation', 'read_only']);
const isolations: readonly Isolation[] = ['read committed', 'repeatable read', 'serializable'];
/** An entry lies three brackets deep in a batch, and what it holds one more. */
const bracketsAround = 4;
const longestPath = 16 * 1024;

/**
 * Reads a batch: a list of requests, or an object that holds it as `requests` beside `isolation` and `read_only`.
 * @throws Fault `batch_not_valid`, `batch_too_long`; PGRST102 for what is not UTF-8.
 */
export function parseBatch(bytes: Uint8Array, { maxEntries, jsonDepth }: BatchTerms): Batch {
  const text = decodeUtf8(bytes, 'PGRST102', 'The body');
  if (depthOfJson(text) > jsonDepth + bracketsAround) throw notValid(`The JSON is nested deeper than ${jsonDepth} levels.`);
  const kind = checkedKind(text);
  if (kind !== 'array' && kind !== 'object') throw notValid('The body must be a list of requests, or an object with "requests".');
  const members = kind === 'array' ? new Map([['requests', text]]) : membersOf(text);
  refuseOthers(members.keys(), batchKeys, 'the batch');
  const requests = members.get('requests') ?? 'null';
  if (kindOfJson(requests) !== 'array') throw notValid('"requests" must be a list.');
  const entries = elementsOf(requests);
  if (entries.length === 0) throw notValid('The batch has no request.');
  if (entries.length > maxEntries) throw batchFault('batch_too_long', { details: `It has ${entries.length}; at most ${maxEntries} are taken.` });
  return { entries: entries.map(readEntry), isolation: readIsolation(members.get('isolation')), isReadOnly: readFlag(members.get('read_only')) };
}

function checkedKind(text: string): ReturnType<typeof kindOfJson> {
  try {
    JSON.parse(text);
  } catch (error) {
    throw batchFault('batch_not_valid', { details: 'The body is not valid JSON.', cause: error });
  }
  return kindOfJson(text);
}

function readEntry(text: string, index: number): BatchEntry {
  const wrong = (details: string): Error => notValid(`Request ${index}: ${details}`);
  if (kindOfJson(text) !== 'object') throw wrong('it must be an object.');
  const members = membersOf(text);
  refuseOthers(members.keys(), entryKeys, `request ${index}`);
  const word = (name: string): string => {
    const json = members.get(name) ?? 'null';
    if (kindOfJson(json) !== 'string') throw wrong(`"${name}" must be a string.`);
    return JSON.parse(json) as string;
  };
  const path = checkedPath(word('path'), wrong);
  const query = members.get('query') ?? '{}';
  if (kindOfJson(query) !== 'object') throw wrong('"query" must be an object.');
  return { method: word('method'), path, query: membersOf(query), headers: readHeaders(members.get('headers') ?? '{}', wrong), body: members.get('body') ?? null };
}

/** What a browser would put into a request line: anything else is encoded. */
function checkedPath(path: string, wrong: (details: string) => Error): string {
  if (!path.isWellFormed()) throw wrong('"path" has half of a surrogate pair, which is no character.');
  const encoded = path.replace(/[^\x21-\x7e]+/gu, encodeURIComponent);
  if (encoded.length > longestPath) throw batchFault('batch_not_valid', { status: 414, details: 'A path with its query may be 16 KiB long.' });
  // A request may be copied with the address that it has alone.
  return encoded.replace(/^\/rest\/v1(?=[/?]|$)/, '').replace(/^(?!\/)/, '/');
}

function readHeaders(json: string, wrong: (details: string) => Error): Record<string, string> {
  if (kindOfJson(json) !== 'object') throw wrong('"headers" must be an object.');
  const headers: Record<string, string> = {};
  for (const [name, text] of membersOf(json)) {
    const value: unknown = JSON.parse(text);
    if (!entryHeaders.has(name.toLowerCase())) throw wrong(`header ${JSON.stringify(name)} belongs to the batch, not to one of its requests; here may stand ${[...entryHeaders].join(', ')}.`);
    if (typeof value !== 'string' || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) throw wrong(`header ${JSON.stringify(name)} must be a string of one line.`);
    headers[name.toLowerCase()] = value;
  }
  return headers;
}

function readIsolation(json: string | undefined): Isolation | null {
  if (json === undefined || json === 'null') return null;
  const value: unknown = JSON.parse(json);
  const found = isolations.find((isolation) => isolation === value || isolation.replaceAll(' ', '_') === value);
  if (found === undefined) throw notValid(`"isolation" must be one of ${isolations.join(', ')}.`);
  return found;
}

function readFlag(json: string | undefined): boolean {
  if (json !== undefined && kindOfJson(json) !== 'boolean') throw notValid('"read_only" must be true or false.');
  return json === 'true';
}

function refuseOthers(given: Iterable<string>, known: ReadonlySet<string>, where: string): void {
  for (const name of given) {
    if (!known.has(name)) throw notValid(`${JSON.stringify(name)} is no part of ${where}; it may have ${[...known].join(', ')}.`);
  }
}

function notValid(details: string): Fault {
  return batchFault('batch_not_valid', { details });
}

