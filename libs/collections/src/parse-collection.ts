import { closest } from '@mainstay/domain';
import type { Access, CollectionDraft, FieldDraft } from '@mainstay/persistence';
import { collectionFault } from './collection-faults.ts';
import { fieldTypeOf, fieldTypes, knownTypes } from './field-types.ts';

const accesses: readonly Access[] = ['service', 'signed_in', 'everyone'];
/** PostgreSQL cuts longer names, silently. */
const mostNameBytes = 63;
/** PostgreSQL's own limit. */
const mostFields = 1600;

/**
 * Reads what a new collection shall be.
 * @throws Fault naming what is wrong and what would be right
 */
export function parseCollection(body: unknown, schemas: readonly string[]): CollectionDraft {
  const given = objectOf(body, 'The body');
  refuseUnknown(given, ['schema', 'name', 'fields', 'access'], 'a collection');
  const { schema = schemas[0], name, fields, access } = given;
  if (typeof schema !== 'string' || !schemas.includes(schema)) throw wrong(`"schema" must be one of the exposed schemas: ${schemas.join(', ')}`);
  if (!accesses.includes(access as Access)) throw wrong(`"access" must say who may read: ${accesses.map((word) => `"${word}"`).join(', ')}`);
  if (!Array.isArray(fields) || fields.length === 0 || fields.length > mostFields) throw wrong(`"fields" must be a list of 1 to ${mostFields} fields`);
  const drafts = fields.map(parseField);
  refuseTwice(drafts);
  return { schema, name: nameOf(name, 'The collection’s "name"'), fields: drafts, access: access as Access };
}

function parseField(field: unknown, index: number): FieldDraft {
  const place = `Field ${index + 1}`;
  const given = objectOf(field, place);
  refuseUnknown(given, ['name', 'type', 'is_nullable', 'is_primary_key'], 'a field');
  const name = nameOf(given['name'], `${place}: "name"`);
  const isPrimaryKey = flagOf(given['is_primary_key'], false, `${name}: "is_primary_key"`);
  const isNullable = flagOf(given['is_nullable'], !isPrimaryKey, `${name}: "is_nullable"`);
  if (isPrimaryKey && isNullable) throw wrong(`"${name}" is part of the primary key, so it cannot be nullable`);
  return { name, type: typeOf(given['type'], name), is_nullable: isNullable, is_primary_key: isPrimaryKey };
}

function objectOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(`${what} must be a JSON object`);
  return value as Record<string, unknown>;
}

function refuseUnknown(given: Record<string, unknown>, known: readonly string[], what: string): void {
  const unknown = Object.keys(given).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  const meant = closest(unknown, known);
  throw wrong(`"${shown(unknown)}" is no property of ${what}${meant === null ? '' : `; did you mean "${meant}"?`}`);
}

/** Letters of any script, digits, underscores, blanks and hyphens: names that can be typed, read and put into a URL. */
function nameOf(value: unknown, what: string): string {
  if (typeof value !== 'string' || !/^[\p{L}_](?:[\p{L}\p{M}\p{N}_ -]*[\p{L}\p{M}\p{N}_])?$/u.test(value)) {
    throw wrong(`${what} must begin with a letter or _ and hold letters, digits, _, blanks and hyphens${typeof value === 'string' ? `, not "${shown(value)}"` : ''}`);
  }
  const bytes = new TextEncoder().encode(value).length;
  if (bytes > mostNameBytes) throw wrong(`${what} has ${bytes} bytes; PostgreSQL’s names have at most ${mostNameBytes}`);
  return value;
}

function flagOf(value: unknown, otherwise: boolean, what: string): boolean {
  if (value === undefined) return otherwise;
  if (typeof value !== 'boolean') throw wrong(`${what} must be true or false`);
  return value;
}

function typeOf(value: unknown, name: string): string {
  const type = typeof value === 'string' ? fieldTypeOf(value) : null;
  if (type !== null) return type;
  const meant = typeof value === 'string' ? closest(value, knownTypes) : null;
  throw collectionFault('collection_not_valid', {
    message: typeof value === 'string' ? `"${shown(value)}" of "${name}" is no type for a field${meant === null ? '' : `; did you mean "${meant}"?`}` : `"${name}" has no "type"`,
    hint: `Types: ${Object.keys(fieldTypes).join(', ')}`,
  });
}

function refuseTwice(fields: readonly FieldDraft[]): void {
  const seen = new Set<string>();
  for (const { name } of fields) {
    if (seen.has(name)) throw wrong(`Two fields are named "${name}"`);
    seen.add(name);
  }
}

function wrong(message: string): Error {
  return collectionFault('collection_not_valid', { message });
}

function shown(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
