import type { Access, Collection, NewCollection } from '../contracts.ts';
import type { Column, Description, Reading } from './describe-sample.ts';
import { fits } from './guess-types.ts';
import { doubledFields, matchFields, missingFields, primaryKey, type Targets } from './match-fields.ts';
import { nameProblem } from './name-fields.ts';

/** A field that is to be made for a column of the file; the reader may change what was guessed. */
export interface PlannedField {
  readonly name: string;
  readonly type: string;
  readonly isKey: boolean;
}

/** A collection that is to be made for the file. */
export interface NewPlan {
  readonly name: string;
  readonly access: Access;
  readonly fields: readonly PlannedField[];
}

export function planNew(name: string, { columns, key }: Description): NewPlan {
  return { name, access: 'service', fields: columns.map((column, index) => ({ name: column.name, type: column.type, isKey: index === key })) };
}

/** What keeps a new collection from being made, in sentences. */
export function newPlanProblems({ name, fields }: NewPlan, collections: readonly Collection[]): readonly string[] {
  const problems: string[] = [];
  const wrongName = nameProblem(name);
  if (wrongName !== null) problems.push(`Name of the collection: ${wrongName}`);
  if (collections.some((collection) => collection.schema === 'public' && collection.name === name)) problems.push(`There is a collection “${name}” already: choose another name, or import into it.`);
  fields.forEach((field, index) => {
    const wrong = nameProblem(field.name);
    if (wrong !== null) problems.push(`Field ${index + 1}: ${wrong}`);
  });
  const names = fields.map((field) => field.name);
  const doubled = [...new Set(names.filter((each, index) => names.indexOf(each) !== index))];
  doubled.forEach((each) => problems.push(`Two fields are called “${each}”.`));
  return problems;
}

export function toNewCollection({ name, access, fields }: NewPlan): NewCollection {
  return {
    schema: 'public',
    name,
    access,
    fields: fields.map((field) => ({ name: field.name, type: field.type, is_nullable: !field.isKey, is_primary_key: field.isKey })),
  };
}

/** The targets to begin with: JSON finds its fields by the exact name only, since that is how it is written. */
export function planTargets({ columns }: Description, { format }: Reading, { fields }: Collection): Targets {
  const matched = matchFields(columns.map(nameOf), fields);
  return format === 'csv' ? matched : matched.map((target, index) => (target === columns[index]?.name ? target : null));
}

/** What keeps a file from an existing collection, and what the reader should know before. */
export function targetProblems(targets: Targets, { columns }: Description, { format }: Reading, collection: Collection): { readonly stops: readonly string[]; readonly warnings: readonly string[] } {
  const stops: string[] = [];
  const warnings: string[] = [];
  if (targets.every((target) => target === null)) stops.push(`No column of the file goes into “${collection.name}”. Choose a field for at least one.`);
  // A delimited file is read by COPY, which takes every column; of JSON objects the api takes the keys that are named.
  const homeless = format === 'csv' ? columns.filter((_, index) => targets[index] === null).map(nameOf) : [];
  if (homeless.length > 0 && homeless.length < columns.length) stops.push(`${listed(homeless)} ${homeless.length === 1 ? 'goes' : 'go'} nowhere. Choose a field, or take the column out of the file: every column of a CSV file is imported.`);
  doubledFields(targets).forEach((name) => stops.push(`Two columns go into “${name}”. Leave one of them out.`));
  const missing = missingFields(targets, collection.fields).map(({ name }) => name);
  if (missing.length > 0) stops.push(`${listed(missing)} must have a value and ${missing.length === 1 ? 'has' : 'have'} no default, but no column goes there: every row would be refused.`);
  columns.forEach((column, index) => {
    const field = collection.fields.find(({ name }) => name === targets[index]);
    if (field !== undefined && !fits(column.type, field.type)) warnings.push(`“${nameOf(column)}” looks like ${column.type}, and “${field.name}” is ${field.type}: rows that PostgreSQL cannot convert are set aside.`);
  });
  return { stops, warnings };
}

const nameOf = (column: Column): string => column.header || column.name;
const listed = (names: readonly string[]): string => names.map((name) => `“${name}”`).join(', ');

/** A key can decide which row is meant only if the file gives all of it. */
export function conflictKey(targets: Targets, collection: Collection): readonly string[] {
  const key = primaryKey(collection);
  return key.length > 0 && key.every((name) => targets.includes(name)) ? key : [];
}
