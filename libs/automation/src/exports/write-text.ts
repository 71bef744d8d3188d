import { quoteName, quoteText, type ExportTerms, type Transaction } from '@mainstay/persistence';
import { kindOf } from './column-types.ts';
import type { FilePiece } from './packed.ts';

const byteOrderMark = Buffer.from('\ufeff');

/** Gives the rows of a query as CSV, by PostgreSQL's own COPY. */
export async function* writeCsv(tx: Transaction, query: string, terms: ExportTerms): AsyncGenerator<FilePiece, void, undefined> {
  if (terms.hasBom) yield { bytes: byteOrderMark, rows: 0 };
  const rows = terms.isSpreadsheetSafe ? await withoutFormulas(tx, query) : query;
  const options = `format csv, header ${terms.hasHeader}, delimiter ${quoteText(terms.delimiter)}, null ${quoteText(terms.null)}`;
  let isHeader = terms.hasHeader;
  for await (const piece of tx.copyOut(`copy (${rows}) to stdout (${options})`)) {
    yield { bytes: piece.bytes, rows: piece.rows - (isHeader ? 1 : 0) };
    isHeader = false;
  }
}

/**
 * Gives the rows of a query as JSON, one object a line. COPY writes a value as it is where nothing in it must be quoted: JSON
 * holds no control characters but blanks, so two of them can be the quote and the delimiter, and line breaks between its parts
 * are made blanks.
 */
export async function* writeNdjson(tx: Transaction, query: string): AsyncGenerator<FilePiece, void, undefined> {
  const line = String.raw`translate(row_to_json("r".*)::text, E'\n\r', '  ')`;
  yield* tx.copyOut(String.raw`copy (select ${line} from (${query}) as "r") to stdout (format csv, header false, delimiter E'\x02', quote E'\x01')`);
}

/** With one of these a spreadsheet takes a cell for a formula, or for the next cell; the wide ones stand for the others in some. */
const formulaStart = String.raw`E'^[-=+@\t\r\n＝＋－＠]'`;
/** A value of these is a number, a moment or digits: no spreadsheet executes that. */
const harmless = new Set(['integer', 'bigint', 'float', 'double', 'numeric', 'boolean', 'date', 'timestamp', 'timestamptz', 'uuid', 'bytea']);

/** The query with an apostrophe before each text, and each column's name, that a spreadsheet could execute. It does not read back the same. */
async function withoutFormulas(tx: Transaction, query: string): Promise<string> {
  const columns = await tx.columnsOf(query);
  const given = columns.map((_, i) => `"c${i}"`);
  const cells = columns.map(({ name, type }, i) => {
    const cell = `"r".${given[i]}`;
    const safe = harmless.has(kindOf(type)) ? cell : `case when ${cell}::text ~ ${formulaStart} then '''' || ${cell}::text else ${cell}::text end`;
    return `${safe} as ${quoteName(/^[-=+@\t\r\n＝＋－＠]/.test(name) ? `'${name}` : name)}`;
  });
  return `select ${cells.join(', ')} from (${query}) as "r" (${given.join(', ')})`;
}
