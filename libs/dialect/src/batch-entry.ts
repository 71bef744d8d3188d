import { lookUp, referenceIn, resolved, type AnswersSoFar } from './batch-references.ts';
import { elementsOf, kindOfJson, membersOf } from './json-spans.ts';
import { batchFault, type BatchEntry } from './parse-batch.ts';
import type { RestRequest } from './parse.ts';
import { decode } from './parse-query.ts';
import { arrayLiteral } from './sql.ts';

const utf8 = new TextEncoder();

/**
 * The data request that an entry is, once the answers before it are known. A value that a reference gives stands where the
 * dialect takes a value whole, or is quoted there: it is never read as a part of the dialect.
 * @throws Fault `batch_not_valid`, `batch_reference_not_valid`
 */
export function entryRequest({ method, path, query, headers, body }: BatchEntry, so: AnswersSoFar, around: RestRequest['headers']): RestRequest {
  const [pathname, search = ''] = path.split(/\?(.*)/s) as [string, string?];
  const parameters = [...inPath(search, so), ...[...query].flatMap(([name, value]) => parametersOf(name, value, so).map((text) => `${encode(name)}=${encode(text)}`))];
  return { method, path: pathname, query: parameters.join('&'), headers: { ...around, ...headers }, body: body === null ? null : bytesOf(resolved(body, so), headers['content-type']) };
}

/** JSON goes on as it is; another content is a text in JSON, and what it says is sent. */
function bytesOf(json: string, type: string | undefined): Uint8Array {
  const isText = kindOfJson(json) === 'string' && type !== undefined && !/json\b/i.test(type);
  return utf8.encode(isText ? (JSON.parse(json) as string) : json);
}

/** `id=eq.{"$ref": "0.body[0].id"}` in a query string means what `"query": {"id": {"eq": {"$ref": …}}}` means. */
function inPath(search: string, so: AnswersSoFar): string[] {
  if (!/\$|%24/.test(search)) return search === '' ? [] : [search];
  return search.split('&').map((part) => {
    const [name, value = ''] = part.split(/=(.*)/s) as [string, string?];
    const match = /^([\w.()]+?)\.(\{\s*"\$ref"\s*:.*\})$/s.exec(decode(value));
    if (match === null) return part;
    const json = asJson(match[2]!);
    return json === null ? part : `${name}=${encode(filterOf(match[1]!, json, so))}`;
  });
}

function asJson(text: string): string | null {
  try {
    JSON.parse(text);
    return referenceIn(text) === null ? null : text;
  } catch {
    // A value that only begins like a reference is a value.
    return null;
  }
}

/** A parameter is a text as in a query string, a filter as an object `{operator: value}`, or a list of these. */
function parametersOf(name: string, json: string, so: AnswersSoFar): string[] {
  switch (kindOfJson(json)) {
    case 'array':
      return elementsOf(json).flatMap((element) => parametersOf(name, element, so));
    case 'object':
      if (referenceIn(json) !== null) throw notValid(`"query".${JSON.stringify(name)} is a $ref without an operator`, `Write {"eq": {"$ref": …}}. Arguments of a function are referred to in the body of a POST.`);
      return [...membersOf(json)].map(([operator, value]) => filterOf(operator, value, so));
    case 'null':
      throw notValid(`"query".${JSON.stringify(name)} is null`, 'Rows without a value are found by {"is": null}.');
    default:
      return [scalarOf(json)];
  }
}

const comparing = /^(?:not\.)?(?:eq|neq|gt|gte|lt|lte|isdistinct|cs|cd|ov|sl|sr|nxr|nxl|adj|(?:fts|plfts|phfts|wfts)(?:\([\w ]+\))?)$/;
const quantified = /^(?:not\.)?(?:eq|gt|gte|lt|lte)\((?:any|all)\)$/;
const inList = /^(?:not\.)?in$/;
/** Here a text is a pattern or a word, so one that is not known beforehand has no place. */
const patterned = /^(?:not\.)?(?:is|(?:like|ilike|match|imatch)(?:\((?:any|all)\))?)$/;

function filterOf(operator: string, json: string, so: AnswersSoFar): string {
  const reference = referenceIn(json);
  if (patterned.test(operator)) {
    if (reference !== null) throw notValid(`a $ref cannot stand after "${operator}", which reads patterns or words`, 'Use eq, neq, gt, gte, lt, lte, in, isdistinct, cs, cd, ov or a text search.');
    return `${operator}.${kindOfJson(json) === 'array' ? arrayOf(json) : kindOfJson(json) === 'null' ? 'null' : scalarOf(json)}`;
  }
  const value = reference === null ? resolved(json, so) : lookUp(reference, so);
  const kind = kindOfJson(value);
  if (kind === 'null') throw notValid(`the value of "${operator}" is null`, 'Rows without a value are found by {"is": null}.');
  if (inList.test(operator)) return `${operator}.(${(kind === 'array' ? elementsOf(value) : [value]).map((element) => quoted(scalarOf(element))).join(',')})`;
  if (quantified.test(operator)) return `${operator}.${kind === 'array' ? arrayOf(value) : arrayLiteral([scalarOf(value)])}`;
  if (comparing.test(operator)) return `${operator}.${kind === 'array' ? arrayOf(value) : scalarOf(value)}`;
  throw notValid(`"${operator}" is no operator`, 'An object in "query" is {operator: value}, such as {"eq": 5} or {"not.in": [1, 2]}.');
}

/** The text that a value has in a filter. */
function scalarOf(json: string): string {
  return kindOfJson(json) === 'string' ? (JSON.parse(json) as string) : json;
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** A list as PostgreSQL's array; one that holds more than plain values can only be meant as JSON. */
function arrayOf(json: string): string {
  const elements = elementsOf(json);
  const isPlain = elements.every((element) => !['array', 'object', 'null'].includes(kindOfJson(element)));
  return isPlain ? arrayLiteral(elements.map(scalarOf)) : json;
}

function encode(text: string): string {
  if (!text.isWellFormed()) throw notValid('a text has half of a surrogate pair, which is no character', null);
  return encodeURIComponent(text);
}

function notValid(details: string, hint: string | null): Error {
  return batchFault('batch_not_valid', { details: `${details[0]!.toUpperCase()}${details.slice(1)}.`, hint });
}
