import type { Reject } from '@mainstay/persistence';

export type RejectFormat = 'csv' | 'ndjson';

/** What a reader asks for by its Accept header; CSV unless it says NDJSON. */
export function rejectFormatOf(accept: string | undefined): RejectFormat {
  return /\bapplication\/(x-ndjson|ndjson|jsonl)\b/i.test(accept ?? '') ? 'ndjson' : 'csv';
}

/** Rejects as text, page by page: a header and lines of CSV, or a line of JSON each. */
export async function* writeRejects(pages: AsyncIterable<readonly Reject[]>, format: RejectFormat): AsyncGenerator<string> {
  if (format === 'csv') yield 'line,column,value,reason\n';
  for await (const page of pages) yield page.map(format === 'csv' ? csvLine : jsonLine).join('');
}

function csvLine({ line, column, value, reason }: Reject): string {
  return `${line},${csvText(column)},${csvText(value)},${csvText(reason)}\n`;
}

/** As COPY writes it: null is nothing, the empty text is quoted. */
function csvText(text: string | null): string {
  if (text === null) return '';
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function jsonLine({ line, column, value, reason }: Reject): string {
  return `${JSON.stringify({ line, column, value, reason })}\n`;
}
