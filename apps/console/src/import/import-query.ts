import type { Reading } from './describe-sample.ts';
import type { Targets } from './match-fields.ts';

/** What to do with a row whose key is already there. */
export type Conflict = 'refuse' | 'merge' | 'ignore';

/** How an import is to be carried out, besides how its file is read. */
export interface Terms {
  readonly mode: 'rows' | 'all';
  readonly maxErrors: number;
  readonly conflict: Conflict;
  /** The fields that make a row the same row. */
  readonly key: readonly string[];
}

export const usualTerms: Terms = { mode: 'rows', maxErrors: 1000, conflict: 'refuse', key: [] };

/** The request that starts an import: its address and the type of its body. */
export function importRequest(collection: { schema: string; name: string }, reading: Reading, fields: Targets, terms: Terms): { path: string; contentType: string } {
  const query = new URLSearchParams();
  query.set('columns', fields.filter((field) => field !== null).map(quote).join(','));
  if (reading.format === 'csv') {
    query.set('header', String(reading.hasHeader));
    if (reading.delimiter !== ',') query.set('delimiter', reading.delimiter);
    if (reading.nullText !== '') query.set('null', reading.nullText);
  }
  query.set('mode', terms.mode);
  if (terms.mode === 'rows') query.set('max_errors', String(terms.maxErrors));
  if (terms.conflict !== 'refuse' && terms.key.length > 0) {
    query.set('on_conflict', terms.key.map(quote).join(','));
    query.set('resolution', terms.conflict);
  }
  return {
    path: `/imports/v1/${encodeURIComponent(`${collection.schema}.${collection.name}`)}?${query.toString()}`,
    contentType: reading.format === 'ndjson' ? 'application/x-ndjson' : 'text/csv',
  };
}

/** Lists of names are read as a line of CSV. */
function quote(name: string): string {
  return /[",]|^\s|\s$/.test(name) ? `"${name.replaceAll('"', '""')}"` : name;
}
