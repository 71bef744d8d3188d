import type { Transaction } from '@mainstay/persistence';

const pageBytes = 256 * 1024;
const firstPageRows = 100;
const mostPageRows = 5000;

/** The rows of a query as PostgreSQL's own text, a page at a time, each of about one size however long the rows are. */
export async function* rowPages(tx: Transaction, query: string): AsyncGenerator<readonly (readonly (string | null)[])[], void, undefined> {
  let pageRows = firstPageRows;
  for await (const page of tx.pages({ text: query, values: [] }, () => pageRows)) {
    yield page;
    const bytes = page.reduce((sum, row) => sum + row.reduce((size, value) => size + 8 + (value?.length ?? 0), 0), 0);
    pageRows = Math.max(1, Math.min(mostPageRows, pageRows * 4, Math.floor((pageBytes * page.length) / Math.max(1, bytes))));
  }
}
