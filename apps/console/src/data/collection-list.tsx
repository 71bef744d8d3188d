import type { Collection } from '../contracts.ts';
import { links } from '../route.ts';
import { count } from '../words.ts';
import { whoMayRead } from './who-may-read.ts';

/** Tables and views by schema, each with its rows as PostgreSQL estimates them and who may read it. */
export function CollectionList({ collections, at }: { collections: readonly Collection[] | null; at: { schema: string; name: string } | null }) {
  const schemas = Map.groupBy(collections ?? [], ({ schema }) => schema);
  // One's own things first: `public` is where they are made.
  const names = [...schemas.keys()].sort((a, b) => Number(b === 'public') - Number(a === 'public') || a.localeCompare(b));
  return (
    <nav className="collections" aria-label="Collections" aria-busy={collections === null}>
      {collections === null ? <div className="skeleton-block skeleton-tall" aria-hidden="true" /> : null}
      {names.map((schema) => (
        <section key={schema} aria-labelledby={`schema-${schema}`}>
          <h2 id={`schema-${schema}`}>{schema}</h2>
          <ul>
            {schemas.get(schema)?.map((collection) => (
              <li key={collection.name}>
                <a href={links.rows(collection)} aria-current={at?.schema === schema && at.name === collection.name ? 'page' : undefined}>
                  <span className="collection-name">{collection.name}</span>
                  <span className="collection-rows">{rowsInWords(collection)}</span>
                  <span className="collection-note">{collection.kind === 'table' ? whoMayRead(collection).label : collection.kind}</span>
                </a>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </nav>
  );
}

function rowsInWords({ kind, row_estimate: rows }: Collection): string {
  if (kind === 'view') return '';
  return rows < 0 ? '–' : `${rows >= 1000 ? '≈ ' : ''}${count(rows)}`;
}
