import type { Collection, Field } from '../contracts.ts';
import { type Filter, filterParameter, packFilter, quoteName, unpackFilter } from './filters.ts';

/** What of a collection's rows is looked at; kept in the console's address. */
export interface View {
  readonly filters: readonly Filter[];
  readonly order: { readonly field: string; readonly isDescending: boolean } | null;
  /** From 0. */
  readonly page: number;
  readonly pageSize: PageSize;
  readonly count: 'exact' | 'estimated';
}

/** A row as the API gives it with every field cast to text. */
export type Row = Readonly<Record<string, string | null>>;

export const pageSizes = [25, 50, 100, 250] as const;
export type PageSize = (typeof pageSizes)[number];

/** `/rest/v1` takes 200 items in `select`. */
const maxFields = 200;

export function readView(query: URLSearchParams, fields: readonly Field[]): View {
  const [name = '', direction] = (query.get('order') ?? '').split(':').map(decodeURIComponent);
  const size = Number(query.get('size'));
  const page = Number(query.get('page'));
  return {
    filters: query.getAll('where').map((text) => unpackFilter(text, fields)).filter((filter) => filter !== null),
    order: fields.some((field) => field.name === name) ? { field: name, isDescending: direction === 'desc' } : null,
    page: Number.isInteger(page) && page > 1 ? page - 1 : 0,
    pageSize: pageSizes.find((known) => known === size) ?? 50,
    count: query.get('count') === 'exact' ? 'exact' : 'estimated',
  };
}

/** The address of a view; what is as usual is left out. */
export function writeView(view: View): string {
  const query = new URLSearchParams(view.filters.map((filter) => ['where', packFilter(filter)]));
  if (view.order) query.set('order', [view.order.field, view.order.isDescending ? 'desc' : 'asc'].map(encodeURIComponent).join(':'));
  if (view.page > 0) query.set('page', String(view.page + 1));
  if (view.pageSize !== 50) query.set('size', String(view.pageSize));
  if (view.count === 'exact') query.set('count', 'exact');
  return query.toString();
}

/** A click on a field's head: upwards, downwards, and back to the collection's own order. */
export function turnOrder(order: View['order'], field: string): View['order'] {
  if (order?.field !== field) return { field, isDescending: false };
  return order.isDescending ? null : { field, isDescending: true };
}

export function shownFields(collection: Collection): readonly Field[] {
  return collection.fields.slice(0, maxFields);
}

/**
 * The request to `/rest/v1` for a view. Every field is asked as text: so PostgreSQL itself writes the value, and a 64-bit number or
 * a number within JSON keeps the digits that JavaScript would drop.
 */
export function rowsPath(collection: Collection, view: View): string {
  const query = new URLSearchParams([
    ['select', shownFields(collection).map(({ name }) => `${quoteName(name)}::text`).join(',')],
    ...view.filters.map(filterParameter),
    ['limit', String(view.pageSize)],
    ['offset', String(view.page * view.pageSize)],
  ]);
  const order = orderOf(collection, view);
  if (order !== '') query.set('order', order);
  return `/rest/v1/${encodeURIComponent(collection.name)}?${query.toString()}`;
}

/** The key settles what the chosen field leaves open, so that no row is on two pages. */
function orderOf({ fields }: Collection, { order }: View): string {
  const chosen = fields.find((field) => field.name === order?.field);
  const rest = fields.filter((field) => field.is_primary_key && field !== chosen).map((field) => quoteName(field.name));
  if (chosen === undefined || order === null) return rest.join(',');
  // Where there can be no null, saying `nullslast` would only keep PostgreSQL from reading the index backwards.
  const direction = order.isDescending ? `.desc${chosen.is_nullable ? '.nullslast' : ''}` : '.asc';
  return [`${quoteName(chosen.name)}${direction}`, ...rest].join(',');
}

/** What `Content-Range: 0-49/200000` says. */
export function parseRange(header: string | null): { readonly first: number | null; readonly total: number | null } {
  const [range = '', total = ''] = (header ?? '').split('/');
  const first = /^\d+-\d+$/.test(range) ? Number(range.split('-')[0]) : null;
  return { first, total: /^\d+$/.test(total) ? Number(total) : null };
}
