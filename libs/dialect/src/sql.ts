import type { QualifiedName } from './schema-cache.ts';

/** Quotes an identifier. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Quotes a schema-qualified name. */
export function quoteQualified({ schema, name }: QualifiedName): string {
  return schema === '' ? quoteName(name) : `${quoteName(schema)}.${quoteName(name)}`;
}

/**
 * Quotes a literal that is part of a statement's shape, such as a JSON key, so that an index on the expression is found.
 * With a backslash it is an escape string: right whatever `standard_conforming_strings` says.
 */
export function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}

/** An array literal: each element quoted, so that any text is one element. */
export function arrayLiteral(elements: readonly string[]): string {
  return `{${elements.map((element) => `"${element.replace(/[\\"]/g, '\\$&')}"`).join(',')}}`;
}

/** Collects the values of a statement; each is bound untyped, and PostgreSQL takes its type from where it stands. */
export class Values {
  readonly all: unknown[] = [];

  bind(value: string | number | null): string {
    this.all.push(value === null ? null : String(value));
    return `$${this.all.length}`;
  }
}
