import { closest } from '@mainstay/domain';
import type { ImportTerms, Target, TargetField } from '@mainstay/persistence';
import { importFault } from './import-faults.ts';
import { shown, type ImportOptions } from './import-options.ts';
import type { Head } from './read-head.ts';

/**
 * Agrees what goes where: the file's columns become fields of the collection, each of which the role may write.
 * @throws Fault with the name that is wrong and the one that was meant
 */
export function planImport(target: Target, head: Pick<Head, 'names' | 'ending'>, options: ImportOptions, role: string): ImportTerms {
  if (!target.mayInsert) throw notWritable(target, role);
  const columns = columnsOf(target, head, options);
  const terms: ImportTerms = {
    columns,
    ignoresOtherKeys: options.format === 'ndjson' && options.columns !== null,
    delimiter: options.delimiter,
    null: options.null,
    ending: head.ending,
    conflict: conflictOf(target, columns, options),
  };
  checkTerms(target, terms, role);
  return terms;
}

/** Checks what was agreed once more: between the upload and its run a field may go and a grant may be taken back. */
export function checkTerms(target: Target, terms: ImportTerms, role: string): void {
  if (!target.mayInsert) throw notWritable(target, role);
  for (const name of terms.columns) {
    const field = fieldOf(target, name, terms);
    if (field.isGenerated) {
      throw importFault('column_not_writable', { message: `"${name}" of ${nameOf(target)} is computed by PostgreSQL`, hint: 'Leave the column out of the file.' });
    }
    if (!field.mayInsert) throw importFault('collection_not_writable', { message: `Role ${role} may not give "${name}" of ${nameOf(target)} a value` });
  }
  if (terms.conflict !== null) checkConflict(target, terms, terms.conflict, role);
}

function columnsOf(target: Target, head: Pick<Head, 'names'>, options: ImportOptions): readonly string[] {
  if (options.columns === null) return head.names ?? target.fields.filter((field) => !field.isGenerated).map(({ name }) => name);
  if (head.names !== null && head.names.length !== options.columns.length) {
    throw importFault('option_not_valid', {
      message: `The option "columns" names ${options.columns.length} columns, and the header of the file ${head.names.length}`,
      hint: '"columns" names the fields of all columns in the order of the file.',
    });
  }
  return options.columns;
}

function fieldOf(target: Target, name: string, terms: ImportTerms): TargetField {
  const field = target.fields.find((candidate) => candidate.name === name);
  if (field !== undefined) return field;
  const meant = closest(name.trim(), target.fields.map((candidate) => candidate.name));
  throw importFault('column_unknown', {
    message: `"${shown(name)}" is no field of ${nameOf(target)}${meant === null ? '' : `; did you mean "${meant}"?`}`,
    details: `Fields: ${shownList(target.fields.map((candidate) => candidate.name))}`,
    hint: otherDelimiter(name, terms),
  });
}

/** A file of one column whose name holds another sign was most likely made with that sign. */
function otherDelimiter(name: string, terms: ImportTerms): string | null {
  const sign = terms.columns.length === 1 ? [';', '\t', '|', ','].find((candidate) => candidate !== terms.delimiter && name.includes(candidate)) : undefined;
  if (sign === undefined) return null;
  return `The columns seem to be separated by ${sign === '\t' ? 'tabs: add delimiter=tab' : `"${sign}": add delimiter=${encodeURIComponent(sign)}`}.`;
}

function conflictOf(target: Target, columns: readonly string[], options: ImportOptions): ImportTerms['conflict'] {
  if (options.onConflict === null && options.resolution === null) return null;
  const keys = options.onConflict ?? target.uniqueKeys.find((key) => key.isPrimary)?.columns;
  if (keys === undefined) throw importFault('conflict_key_unknown', { message: `${nameOf(target)} has no primary key`, hint: 'Name the columns of a unique key with on_conflict=…' });
  const missing = keys.find((key) => !columns.includes(key));
  const resolution = options.resolution ?? 'merge';
  if (missing !== undefined && resolution === 'merge') {
    throw importFault('conflict_key_unknown', { message: `The key column "${shown(missing)}" is not in the file, so no row can be matched by it` });
  }
  return { keys, resolution };
}

function checkConflict(target: Target, terms: ImportTerms, conflict: NonNullable<ImportTerms['conflict']>, role: string): void {
  const isSame = (columns: readonly string[]): boolean => columns.length === conflict.keys.length && columns.every((column) => conflict.keys.includes(column));
  if (!target.uniqueKeys.some(({ columns }) => isSame(columns))) {
    throw importFault('conflict_key_unknown', {
      message: `${nameOf(target)} has no unique key of exactly ${shownList(conflict.keys)}`,
      hint: target.uniqueKeys.length === 0 ? null : `Its keys: ${target.uniqueKeys.map(({ columns }) => `(${columns.join(', ')})`).join(', ')}`,
    });
  }
  for (const field of target.fields) {
    const isKey = conflict.keys.includes(field.name);
    const isChanged = conflict.resolution === 'merge' && !isKey && terms.columns.includes(field.name);
    // ON CONFLICT compares the keys, and compared is read.
    if (isKey && !field.maySelect) throw importFault('collection_not_writable', { message: `Role ${role} may not read "${field.name}" of ${nameOf(target)}, which on_conflict compares` });
    if (isChanged && !field.mayUpdate) throw importFault('collection_not_writable', { message: `Role ${role} may not change "${field.name}" of ${nameOf(target)}, as resolution=merge would` });
  }
}

function notWritable(target: Target, role: string): Error {
  return importFault('collection_not_writable', { message: `Role ${role} may not add rows to ${nameOf(target)}` });
}

/** A collection's name as people read it. */
export function nameOf(target: { readonly schema: string; readonly name: string }): string {
  return `${target.schema}.${target.name}`;
}

function shownList(names: readonly string[]): string {
  return names.length > 20 ? `${names.slice(0, 20).join(', ')} and ${names.length - 20} more` : names.join(', ');
}
