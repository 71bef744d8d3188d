/** One value of a file's row; null where COPY would read a null. */
export type Cell = string | null;

/** How a delimited file is written; the quote is always `"`, as in PostgreSQL's COPY. */
export interface Dialect {
  readonly delimiter: string;
  /** The unquoted text that means null. */
  readonly nullText: string;
}

/**
 * Parses the beginning of a delimited text as COPY … CSV does: a quote may open anywhere, a doubled quote is one quote, and only
 * an unquoted value can be null. A last row that the end of a sample may have cut is left out.
 */
export function parseDelimited(text: string, { delimiter, nullText }: Dialect, { isCut, maxRows = Infinity }: { isCut: boolean; maxRows?: number }): Cell[][] {
  const rows: Cell[][] = [];
  let row: Cell[] = [];
  let value = '';
  let isQuoted = false;
  let isInside = false;

  const endValue = (): void => {
    row.push(!isQuoted && value === nullText ? null : value);
    value = '';
    isQuoted = false;
  };
  const endRow = (): void => {
    const isBlank = row.length === 0 && value === '' && !isQuoted;
    if (!isBlank) {
      endValue();
      rows.push(row);
    }
    row = [];
  };

  for (let at = 0; at < text.length && rows.length < maxRows; at++) {
    const char = text.charAt(at);
    if (isInside) {
      if (char !== '"') value += char;
      else if (text.charAt(at + 1) === '"') value += text.charAt(++at);
      else isInside = false;
    } else if (char === '"') {
      isInside = isQuoted = true;
    } else if (char === delimiter) {
      endValue();
    } else if (char === '\n' || char === '\r') {
      if (char === '\r' && text.charAt(at + 1) === '\n') at++;
      endRow();
    } else {
      value += char;
    }
  }
  if (!isCut && rows.length < maxRows) endRow();
  return rows;
}
