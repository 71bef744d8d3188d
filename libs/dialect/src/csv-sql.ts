import { quoteLiteral } from './sql.ts';

/** Writes the header line for a row: the names of its fields, quoted as CSV wants. */
export function csvHeaderSql(row: string): string {
  const quoted = `case when k ~ '[",\\n\\r]' then '"' || replace(k, '"', '""') || '"' else k end`;
  return `(select coalesce(string_agg(${quoted}, ','), '') from json_object_keys(row_to_json(${row})) as k)`;
}

/** Writes the line of a row: PostgreSQL's own text of it is CSV between brackets. */
export function csvLineSql(row: string): string {
  return `substring((${row})::text, 2, length((${row})::text) - 2)`;
}

/** Writes one line of newline-delimited JSON. JSON that is kept as it came in may have line breaks, which are blanks there. */
export function jsonLineSql(json: string): string {
  return `coalesce(translate(${json}::text, E'\\n\\r', '  '), ${quoteLiteral('null')})`;
}
