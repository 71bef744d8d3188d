import { fault } from './faults.ts';
import { parseAccept, parseMediaType, type MediaType } from './media-types.ts';
import type { RestOptions } from './options.ts';
import { parseBody, type Body } from './parse-body.ts';
import { decode, parseQuery, type Query, type QueryUse } from './parse-query.ts';
import { parsePreferences, type Preferences } from './preferences.ts';
import { utf8OfLatin1 } from './text.ts';
import { everything, intersect, isEverything, parseRange, type Window } from './window.ts';

/** A request as it came, below the path of the data API. */
export interface RestRequest {
  readonly method: string;
  /** `/orders`, `/rpc/total`, or `/`; still encoded. */
  readonly path: string;
  /** Without the question mark. */
  readonly query: string;
  /** The path as the client wrote it, for links; left out, it is `path`. */
  readonly externalPath?: string;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array | null;
}

/** What is to be done, and to what. */
export type Action =
  | { readonly kind: 'read'; readonly collection: string; readonly isHead: boolean }
  | { readonly kind: 'insert' | 'update' | 'put' | 'delete'; readonly collection: string }
  | { readonly kind: 'call'; readonly function: string; readonly method: 'GET' | 'HEAD' | 'POST' }
  | { readonly kind: 'describe'; readonly of: 'collection' | 'function'; readonly name: string }
  | { readonly kind: 'describe'; readonly of: 'root'; readonly name: null }
  | { readonly kind: 'root'; readonly isHead: boolean };

/** A request, read: every text in it has been understood, no name has been looked up yet. */
export interface Request {
  readonly action: Action;
  readonly schema: string;
  /** The schema was asked for, or there was a choice; the answer then names it. */
  readonly isSchemaNegotiated: boolean;
  readonly query: Query;
  /** The rows asked for at the top level, by query and `Range`. */
  readonly window: Window;
  readonly preferences: Preferences;
  /** The cursor of a keyset page, as it came; only reads have one. */
  readonly cursor: string | null;
  /** What the cursor says, once it was proved. */
  readonly place?: readonly (string | null)[];
  readonly accepts: readonly MediaType[];
  readonly contentType: MediaType;
  readonly body: Body | null;
}

/** What the caller may say about the transaction. */
export interface ParseTerms {
  readonly mayChooseTx: boolean;
}

const noBytes = new Uint8Array();

/**
 * Reads a request.
 * @throws Fault for what is not of the dialect: unknown paths and verbs, schemas that are not exposed, bad queries and bodies.
 */
export function parse(http: RestRequest, options: RestOptions, { mayChooseTx }: ParseTerms): Request {
  const { headers, method } = http;
  const target = targetOf(http.path);
  const { schema, isSchemaNegotiated } = schemaOf(http, options.schemas);
  const action = actionOf(target, method);
  const cursor = action.kind === 'read' ? cursorOf(http.query) : null;
  const query = parseQuery(cursor === null ? http.query : cursor.others, useOf(action), options.limits);
  const contentType: MediaType = headers['content-type'] === undefined ? { kind: 'json' } : parseMediaType(headers['content-type']);
  return {
    action,
    schema,
    isSchemaNegotiated,
    query,
    window: windowOf(method, query, headers['range']),
    preferences: parsePreferences(headers['prefer'], mayChooseTx),
    cursor: cursor?.token ?? null,
    accepts: parseAccept(headers['accept']),
    contentType,
    body: hasBody(action) ? parseBody(http.body ?? noBytes, contentType, { isCall: action.kind === 'call', columns: columnsOf(action, query), limits: options.limits }) : null,
  };
}

/** No filter's value begins with `~`, so a column may have the parameter's name. */
const cursorParameter = /^cursor=(?:~|%7e)(.*)$/i;

function cursorOf(query: string): { readonly token: string; readonly others: string } | null {
  if (!query.includes('cursor=')) return null;
  const parts = query.split('&');
  const token = parts.map((part) => cursorParameter.exec(part)?.[1]).find((found) => found !== undefined);
  return token === undefined ? null : { token, others: parts.filter((part) => !cursorParameter.test(part)).join('&') };
}

type Target = { readonly kind: 'root' } | { readonly kind: 'collection' | 'function'; readonly name: string };

function targetOf(path: string): Target {
  if (/^\/\w+$/.test(path)) return { kind: 'collection', name: path.slice(1) };
  const segments = path.replace(/^\//, '').split('/').map((segment) => decode(segment.replaceAll('+', '%2B')));
  const [first, second] = segments;
  if (segments.length === 1) return first === '' ? { kind: 'root' } : { kind: 'collection', name: first! };
  if (segments.length === 2 && first === 'rpc' && second !== undefined) return { kind: 'function', name: second! };
  throw fault('PGRST125');
}

function schemaOf({ headers, method }: RestRequest, schemas: readonly string[]): Pick<Request, 'schema' | 'isSchemaNegotiated'> {
  const isWrite = method === 'POST' || method === 'PATCH' || method === 'PUT' || method === 'DELETE';
  const given = headers[isWrite ? 'content-profile' : 'accept-profile'];
  const profile = given === undefined ? undefined : utf8OfLatin1(given);
  if (profile === undefined) return { schema: schemas[0]!, isSchemaNegotiated: schemas.length !== 1 };
  if (schemas.includes(profile)) return { schema: profile, isSchemaNegotiated: true };
  throw fault('PGRST106', { message: `Invalid schema: ${profile}`, hint: `Only the following schemas are exposed: ${schemas.join(', ')}` });
}

function actionOf(target: Target, method: string): Action {
  switch (target.kind) {
    case 'function':
      if (method === 'GET' || method === 'HEAD' || method === 'POST') return { kind: 'call', function: target.name, method };
      if (method === 'OPTIONS') return { kind: 'describe', of: 'function', name: target.name };
      throw fault('PGRST101', { message: `Cannot use the ${method} method on RPC` });
    case 'root':
      if (method === 'GET' || method === 'HEAD') return { kind: 'root', isHead: method === 'HEAD' };
      if (method === 'OPTIONS') return { kind: 'describe', of: 'root', name: null };
      throw unsupported(method);
    case 'collection':
      return collectionAction(target.name, method);
  }
}

function collectionAction(collection: string, method: string): Action {
  switch (method) {
    case 'GET':
    case 'HEAD':
      return { kind: 'read', collection, isHead: method === 'HEAD' };
    case 'POST':
      return { kind: 'insert', collection };
    case 'PATCH':
      return { kind: 'update', collection };
    case 'PUT':
      return { kind: 'put', collection };
    case 'DELETE':
      return { kind: 'delete', collection };
    case 'OPTIONS':
      return { kind: 'describe', of: 'collection', name: collection };
    default:
      throw unsupported(method);
  }
}

function unsupported(method: string): Error {
  return fault('PGRST117', { message: `Unsupported HTTP method: ${method}` });
}

function useOf(action: Action): QueryUse {
  return {
    takesArguments: action.kind === 'call' && action.method !== 'POST',
    choosesForWrite: action.kind === 'update' || action.kind === 'put' || action.kind === 'delete',
  };
}

/** `Range` means something on GET only (RFC 9110, 14.2). */
function windowOf(method: string, query: Query, range: string | undefined): Window {
  const asked = query.windows.find(({ path }) => path.length === 0)?.what ?? everything;
  if (method === 'PUT' && !isEverything(asked)) throw fault('PGRST114');
  // Who asks for no rows gets none, whatever the header says.
  return intersect(asked, method === 'GET' && asked.limit !== 0 ? parseRange(range) : everything);
}

function hasBody(action: Action): boolean {
  return action.kind === 'insert' || action.kind === 'update' || action.kind === 'put' || (action.kind === 'call' && action.method === 'POST');
}

/** PUT writes a whole row: it knows no `columns`. */
function columnsOf(action: Action, query: Query): readonly string[] | null {
  return action.kind === 'put' ? null : query.columns;
}
