import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { quoteText } from './administrator.ts';

/** Extensions of ours in plain SQL, by name: the objects that each makes, with `@extschema@` where its schema goes. */
export type SqlExtensions = ReadonlyMap<string, string>;

/** What stands below this line in a script is for a true extension, made by a superuser. */
const asExtensionOnly = '-- As an extension only:';

/** Reads the folder of our extensions (`libs/embedded/extensions`). */
export function readSqlExtensions(folder: string): SqlExtensions {
  if (!existsSync(folder)) return new Map();
  const scripts = readdirSync(folder).filter((file) => file.endsWith('.sql'));
  return new Map(scripts.map((file) => [file.split('--')[0]!, plainScript(folder, file)]));
}

function plainScript(folder: string, file: string): string {
  const script = readFileSync(join(folder, file), 'utf8').split(asExtensionOnly)[0]!;
  const schema = /^schema = '(\w+)'/m.exec(readFileSync(join(folder, `${file.split('--')[0]}.control`), 'utf8'))?.[1];
  return schema === undefined ? script : `create schema if not exists ${schema};\n${script}`;
}

/**
 * What is sent instead of CREATE EXTENSION where the server cannot have ours: the same objects, made as the migrating role.
 * Objects that are there already stay. An empty extension becomes nothing.
 */
export function withoutExtension(script: string, schema: string | null): string {
  if (!/\bcreate\b/i.test(script)) return '-- passed over';
  const filled = [
    ['@extschema:pgcrypto@', `(select quote_ident(n.nspname) from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace where e.extname = 'pgcrypto')`],
    ['@extschema@', schema === null ? 'quote_ident(current_schema())' : `quote_ident(${quoteText(schema)})`],
  ].reduce((text, [mark, value]) => `replace(${text}, '${mark}', ${value})`, quoteText(script));
  // A script may set a search path of its own, which would go on to hold for the rest of the file.
  const body = `declare path text := current_setting('search_path'); begin execute ${filled}; perform set_config('search_path', path, true);
    exception when duplicate_function or duplicate_object or duplicate_table or duplicate_schema then null; end`;
  return `do ${quoteText(body)}`;
}

const never = ['pg_tle', 'postgis', 'pgroonga', 'plv8', 'timescaledb'];

/** A word about an extension that the server does not have, or null. */
export function absenceOf(extension: string): string | null {
  if (extension === 'vector') return 'vector needs pgvector on this server, or a superuser as the administrator of DATABASE_URL, since only a superuser makes types.';
  if (never.includes(extension)) return `${extension} needs compiled code that the embedded PostgreSQL does not have: use a server of yours that has it (DATABASE_URL).`;
  return null;
}
