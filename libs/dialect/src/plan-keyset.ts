import { fault } from './faults.ts';
import type { Request } from './parse.ts';
import type { Node, Order } from './plan-types.ts';
import type { Collection } from './schema-cache.ts';

/** A page of rows that begins after a row, and not after a number of rows. */
export interface Keyset {
  /** By what the rows are ordered: what was asked for, then the key, so that no two rows are in the same place. */
  readonly terms: readonly KeysetTerm[];
  /** Where the page before ended; null for the first page. */
  readonly after: readonly (string | null)[] | null;
}

export interface KeysetTerm {
  readonly isDescending: boolean;
  readonly isNullsFirst: boolean;
  readonly isNullable: boolean;
}

/** What makes two requests the same query, whatever their page: a cursor of one is no cursor of another. */
export function fingerprintOf({ action, schema, query }: Request): string {
  const asked = query.canonical.split('&').filter((part) => !part.startsWith('limit='));
  return JSON.stringify([schema, action.kind === 'read' ? action.collection : '', ...asked]);
}

/**
 * The node with its rows in one order only, and the page as a keyset; null where none was asked for.
 * @throws Fault PGRSTX50 where rows cannot be told apart, PGRSTX51 for a cursor that does not fit.
 */
export function planKeyset(request: Request, collection: Collection, root: Node): { readonly root: Node; readonly keyset: Keyset | null } {
  if (!wantsKeyset(request) || (request.action.kind === 'read' && request.action.isHead)) return { root, keyset: null };
  refuseOthers(root);
  const order = [...root.order, ...tieBreakers(collection, root.order)];
  const terms = order.map((term) => termOf(term, collection));
  const after = request.cursor === null ? null : (request.place ?? null);
  if (request.cursor !== null && after?.length !== terms.length) throw fault('PGRSTX51', { details: 'It was made for another order of the rows.' });
  return { root: { ...root, order }, keyset: { terms, after } };
}

/** @throws Fault PGRSTX50: the rows of a function have no key. */
export function refuseKeyset(request: Request): void {
  if (wantsKeyset(request)) throw fault('PGRSTX50', { details: 'The rows that a function gives have no key. Read a table or a view.' });
}

function wantsKeyset({ preferences, cursor }: Request): boolean {
  return preferences.paging === 'keyset' || cursor !== null;
}

function refuseOthers({ outputs, order, having, window }: Node): void {
  const isGrouped = having.length > 0 || outputs.some((output) => output.kind === 'value' && output.aggregate !== null) || order.some(({ aggregate }) => aggregate !== null);
  if (isGrouped) throw fault('PGRSTX50', { details: 'Groups of rows have no key.' });
  if (order.some(({ output }) => output !== null)) throw fault('PGRSTX50', { details: 'Order by columns, not by what only the answer names.' });
  if (window.offset > 0) throw fault('PGRSTX50', { details: 'An offset and a cursor exclude each other: follow the links from the first page.' });
}

/** In the direction of the last term, so that rows are compared as wholes and one index serves it all. */
function tieBreakers({ schema, name, primaryKey, uniqueKey = [] }: Collection, order: readonly Order[]): Order[] {
  const key = primaryKey.length > 0 ? primaryKey : uniqueKey;
  if (key.length === 0) throw fault('PGRSTX50', { details: `'${schema}.${name}' has no primary key and no unique key without nulls, so two rows may be in the same place.` });
  const direction = order.at(-1)?.direction ?? null;
  const isOrdered = (column: string): boolean => order.some((term) => term.embed === null && term.bucket === null && term.column.name === column && term.column.path.length === 0);
  return key.filter((column) => !isOrdered(column)).map((column) => ({ column: { name: column, path: [], isJson: false }, embed: null, bucket: null, aggregate: null, output: null, direction, nulls: null }));
}

function termOf({ column, embed, direction, nulls }: Order, { primaryKey, columns, isView }: Collection): KeysetTerm {
  const isDescending = direction === 'desc';
  const isPlain = embed === null && column.path.length === 0;
  const isSure = isPlain && ((!isView && primaryKey.includes(column.name)) || columns.get(column.name)?.isNullable === false);
  return { isDescending, isNullsFirst: nulls === null ? isDescending : nulls === 'first', isNullable: !isSure };
}
