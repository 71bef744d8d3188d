import type { Endpoint, Field, WatchedTable } from '../contracts.ts';
import { type Filter, filterParameter } from '../data/filters.ts';
import { isTable } from './describe-webhook.ts';

export const operations = ['insert', 'update', 'delete', 'truncate'] as const;

/** What is filled in about one table. */
export interface TableDraft {
  /** Keeps its place in a list that changes. */
  readonly key: number;
  /** `schema.name`; '' until one is chosen. */
  readonly collection: string;
  readonly operations: readonly string[];
  readonly filters: readonly Filter[];
  /** A filter that was written elsewhere, in the data API's words; it is shown as it is. */
  readonly filterText: string | null;
  readonly without: readonly string[];
  /** Chosen columns of a table whose fields are not known yet. */
  readonly columns: readonly string[] | null;
}

/** What is filled in about an endpoint. */
export interface EndpointDraft {
  readonly url: string;
  readonly description: string;
  /** Most deliveries a second as it was typed; '' is without a limit. */
  readonly rate: string;
  readonly tables: readonly TableDraft[];
  readonly types: readonly string[];
}

export function emptyTable(key: number): TableDraft {
  return { key, collection: '', operations: ['insert', 'update', 'delete'], filters: [], filterText: null, without: [], columns: null };
}

export const emptyDraft: EndpointDraft = { url: '', description: '', rate: '', tables: [emptyTable(0)], types: [] };

export function draftOf({ url, description, rate, events }: Endpoint): EndpointDraft {
  return {
    url,
    description: description ?? '',
    rate: rate === null ? '' : String(rate),
    tables: events.filter(isTable).map((event, key) => ({ ...emptyTable(key), collection: `${event.schema}.${event.table}`, operations: event.operations, filterText: event.filter, columns: event.columns })),
    types: events.flatMap((event) => (isTable(event) ? [] : [event.type])),
  };
}

type EventBody = { readonly type: string } | Pick<WatchedTable, 'schema' | 'table' | 'operations' | 'filter' | 'columns'>;

/** The body that makes or changes an endpoint. `fieldsOf` gives the fields of a collection, null for one that is not known. */
export function bodyOf({ url, description, rate, tables, types }: EndpointDraft, fieldsOf: (collection: string) => readonly Field[] | null): { url: string; description: string | null; rate: number | null; events: readonly EventBody[] } {
  return {
    url: url.trim(),
    description: description.trim() === '' ? null : description.trim(),
    rate: rate.trim() === '' ? null : Number(rate),
    events: [...tables.filter(({ collection }) => collection !== '').map((table) => eventOf(table, fieldsOf(table.collection))), ...types.map((type) => ({ type }))],
  };
}

function eventOf({ collection, operations: chosen, filters, filterText, without, columns }: TableDraft, fields: readonly Field[] | null): EventBody {
  const dot = collection.indexOf('.');
  const filter = filterText ?? (filters.length === 0 ? null : new URLSearchParams(filters.map(filterParameter)).toString());
  return {
    schema: collection.slice(0, dot),
    table: collection.slice(dot + 1),
    operations: operations.filter((each) => chosen.includes(each)),
    filter: filter === '' ? null : filter,
    columns: without.length === 0 || fields === null ? columns : fields.map(({ name }) => name).filter((name) => !without.includes(name)),
  };
}

/** What is missing before it can be sent, in a sentence; null when nothing is. */
export function missingIn({ url, rate, tables, types }: EndpointDraft): string | null {
  if (url.trim() === '') return 'Say where events are to be sent.';
  if (!URL.canParse(url.trim()) || !/^https?:/i.test(url.trim())) return 'The address must begin with https:// or http://.';
  if (rate.trim() !== '' && !(/^\d+$/.test(rate.trim()) && Number(rate) >= 1 && Number(rate) <= 100_000)) return 'The most deliveries a second must be a whole number from 1 to 100000, or nothing.';
  const filled = tables.filter(({ collection }) => collection !== '');
  if (filled.length + types.length === 0) return 'Choose a collection, or something else that it shall be told of.';
  const idle = filled.find((table) => table.operations.length === 0);
  return idle === undefined ? null : `Choose what happens in ${idle.collection}: an insert, an update or a delete.`;
}
