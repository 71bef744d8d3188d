import { Fault } from '@mainstay/domain';
import type { SchemaCache } from './schema-cache.ts';
import { quoteName } from './sql.ts';

/** Names that PostgreSQL's grammar knows though no type is called so, or means otherwise when they are quoted. */
const wordsOfGrammar = new Set([
  'int', 'integer', 'smallint', 'bigint', 'real', 'float', 'double precision', 'decimal', 'dec', 'numeric', 'boolean', 'bit', 'bit varying',
  'char', 'character', 'character varying', 'varchar', 'nchar', 'national character', 'national char', 'national character varying',
  'timestamp', 'timestamp with time zone', 'timestamp without time zone', 'time', 'time with time zone', 'time without time zone', 'interval',
]);

/**
 * The SQL of a type that a request names in a cast. It is the one place where a request's text reaches SQL as more than a
 * value or a quoted name, so only types that exist get there.
 * @throws Fault 42704, as PostgreSQL words it.
 */
export function resolveCast(cache: SchemaCache, text: string): string {
  const word = text.toLowerCase().replace(/ +/g, ' ');
  if (wordsOfGrammar.has(word)) return word;
  if (cache.types.has(word)) return quoteName(word);
  if (cache.types.has(text)) return quoteName(text);
  throw new Fault('42704', { status: 400, message: `type "${text}" does not exist` });
}
