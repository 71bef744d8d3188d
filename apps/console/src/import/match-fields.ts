import type { Collection, Field } from '../contracts.ts';

/** Which field each column of a file goes into; null leaves the column out. */
export type Targets = readonly (string | null)[];

/** Matches a file's columns to a collection's fields by name, then by letters and digits alone (`Flight Date` is `flight_date`). */
export function matchFields(headers: readonly string[], fields: readonly Field[]): Targets {
  const open = new Map(writable(fields).map((field) => [field.name, field]));
  const take = (isMatch: (name: string) => boolean): string | null => {
    const name = [...open.keys()].find(isMatch) ?? null;
    if (name !== null) open.delete(name);
    return name;
  };
  const exact = headers.map((header) => take((name) => name === header));
  return headers.map((header, index) => exact[index] ?? take((name) => bare(name) === bare(header)));
}

/** Fields that a file may fill: what PostgreSQL computes itself cannot be given. */
export function writable(fields: readonly Field[]): readonly Field[] {
  return fields.filter((field) => !field.is_generated);
}

/** Fields that must have a value and would get none: every row of such an import would be refused. */
export function missingFields(targets: Targets, fields: readonly Field[]): readonly Field[] {
  return writable(fields).filter((field) => !field.is_nullable && field.default === null && !targets.includes(field.name));
}

/** The fields that more than one column of the file would fill. */
export function doubledFields(targets: Targets): readonly string[] {
  return [...new Set(targets.filter((target, index) => target !== null && targets.indexOf(target) !== index))] as string[];
}

export function primaryKey(collection: Collection): readonly string[] {
  return collection.fields.filter((field) => field.is_primary_key).map((field) => field.name);
}

const bare = (text: string): string => text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
