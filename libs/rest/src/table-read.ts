import { asTable, findCollection, hasGroups, makePlan, namesIn, parse, tableSql, type Collection, type RestRequest } from '@mainstay/dialect';
import { isService, type Caller } from '@mainstay/domain';
import type { Session, Statement } from '@mainstay/persistence';
import { restSession } from './rest-session.ts';
import { preRequestStatement } from './runner.ts';
import type { Known } from './schema-keeper.ts';

/** Rows that are wanted as a table, in the language of the data API. */
export interface TableRequest {
  readonly schema: string;
  readonly name: string;
  /** Select, filters, order and limits, without the question mark. */
  readonly query: string;
  /** Most rows; null is as many as are asked for. `PGRST_DB_MAX_ROWS` is for answers, and for what is embedded. */
  readonly maxRows: number | null;
  /** The headers of the request, where there is one: policies may read them. */
  readonly headers?: RestRequest['headers'];
}

/** How a table is read: as whom, and by which query. */
export interface TableRead {
  readonly collection: Collection;
  readonly session: Session;
  /** What runs before every request of the data API, if anything. */
  readonly first: Statement | null;
  /** One SELECT, whose values are part of its text. */
  readonly sql: string;
  /** Nobody signed in: a missing right is 401 and not 403. */
  readonly isAnonymous: boolean;
  /** What the planner may put it at; null is without a limit. */
  readonly costLimit: number | null;
}

/** Plans a table. @throws Fault as a read of the data API does, for what is not of its language. */
export function readAsTable({ schema, name, query, maxRows, headers = {} }: TableRequest, caller: Caller, known: Known): TableRead {
  const { cache, options } = known;
  const http: RestRequest = { method: 'GET', path: `/${encodeURIComponent(name)}`, query, headers: planHeaders(schema, headers), body: null };
  const plan = asTable(makePlan(parse(http, options, { mayChooseTx: false }), cache, options), maxRows);
  return {
    collection: plan.collection,
    session: restSession({ ...http, headers }, plan, caller, known),
    first: options.preRequest === null ? null : preRequestStatement(options.preRequest),
    sql: tableSql(plan),
    isAnonymous: caller.role === (options.guestRole ?? 'anon'),
    costLimit: hasGroups(plan.root) && !isService(caller) ? (options.aggregateCostLimit ?? null) : null,
  };
}

/** Of the request's headers those that say something about the rows; the others are about the answer. */
function planHeaders(schema: string, { prefer }: RestRequest['headers']): RestRequest['headers'] {
  const timezone = /(?:^|[,;])\s*(timezone=[^,;]+)/i.exec(prefer ?? '')?.[1];
  // Headers come byte by byte.
  return { accept: 'application/json', 'accept-profile': Buffer.from(schema).toString('latin1'), ...(timezone === undefined ? {} : { prefer: timezone }) };
}

/** A collection of an exposed schema, or null. */
export function collectionNamed({ cache }: Known, schema: string, name: string): Collection | null {
  return findCollection(cache, { schema, name }) ?? null;
}

/** The names of a schema's collections: what a mistyped one can have meant. */
export function collectionsOf({ cache }: Known, schema: string): string[] {
  return namesIn(cache.collections.keys(), schema);
}
