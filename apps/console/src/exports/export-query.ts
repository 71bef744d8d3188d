import type { ExportFormat, Field } from '../contracts.ts';
import { type Filter, filterParameter, quoteName } from '../data/filters.ts';
import type { View } from '../data/view.ts';

/** What is to be written, and how. */
export interface ExportWish {
  readonly format: ExportFormat;
  /** Fields that are left out. */
  readonly without: readonly string[];
  readonly filters: readonly Filter[];
  readonly order: View['order'];
  readonly isGzip: boolean;
  /** Formulas are made harmless for spreadsheets, at the price of another text. */
  readonly isSpreadsheetSafe: boolean;
}

/** The query of `/exports/v1/<collection>`: the data API's own words, and the options of the file. */
export function exportQuery({ format, without, filters, order, isGzip, isSpreadsheetSafe }: ExportWish, fields: readonly Field[]): string {
  const query = new URLSearchParams([['format', format]]);
  if (without.length > 0) query.set('select', fields.filter(({ name }) => !without.includes(name)).map(({ name }) => quoteName(name)).join(','));
  for (const filter of filters) query.append(...filterParameter(filter));
  if (order !== null) query.set('order', `${quoteName(order.field)}.${order.isDescending ? 'desc' : 'asc'}`);
  if (isGzip && isText(format)) query.set('gzip', 'true');
  if (isSpreadsheetSafe && format === 'csv') query.set('spreadsheet_safe', 'true');
  return query.toString();
}

/** CSV and NDJSON can be packed; the others are packed inside. */
export function isText(format: ExportFormat): boolean {
  return format === 'csv' || format === 'ndjson';
}

/** What an export asked for, as a reader says it: `status=eq.paid, 2 fields`. */
export function queryInWords(query: string): string {
  const parts = [...new URLSearchParams(query)];
  const select = parts.find(([name]) => name === 'select')?.[1];
  const rest = parts.filter(([name]) => name !== 'select').map(([name, value]) => `${name}=${value}`);
  return [...rest, ...(select === undefined ? [] : [`only ${select}`])].join(', ') || 'all rows';
}
