import { fault } from './faults.ts';
import type { Request } from './parse.ts';
import type { Collection } from './schema-cache.ts';

/**
 * The columns by which each element of a PATCH finds its own row; null for an ordinary one. A list does so where `on_conflict`
 * names the key, or where `columns` holds the primary key beside something to change: both mean nothing in PostgREST.
 * @throws Fault PGRST204, PGRSTX32
 */
export function planMatching({ body, query }: Request, { name, columns, primaryKey }: Collection): readonly string[] | null {
  if (body?.kind !== 'json' || body.isObject || body.keys.length === 0) return null;
  const isKeyed = query.columns !== null && primaryKey.length > 0 && primaryKey.length < body.keys.length && primaryKey.every((column) => body.keys.includes(column));
  const key = query.onConflict ?? (isKeyed ? primaryKey : null);
  if (key === null) return null;
  for (const column of key) {
    if (!columns.has(column)) throw fault('PGRST204', { message: `Could not find the '${column}' column of '${name}' in the schema cache` });
    if (!body.keys.includes(column)) throw fault('PGRSTX32', { details: `The elements have no "${column}".` });
  }
  // Nothing is left to be changed.
  if (key.length === body.keys.length) throw fault('PGRSTX32', { message: 'The elements of the body must change something', details: `They have ${key.map((column) => `"${column}"`).join(', ')} and nothing else.` });
  return key;
}
