import { absenceOf } from './missing-extensions.ts';
import type { FileStatement } from './split-statements.ts';

/** What is known when a statement of a file has failed. */
export interface Failure {
  readonly path: string;
  readonly sql: string;
  readonly statements: readonly FileStatement[];
  /** The place of the statement in the file; their number, if recording or committing the file failed. */
  readonly index: number;
  /** How many statements stay committed. */
  readonly kept: number;
  readonly error: PostgresError;
  /** False if something else was sent in the statement's place, so that PostgreSQL's position means nothing here. */
  readonly isVerbatim: boolean;
}

/** The fields of PostgreSQL's error that are shown. */
export interface PostgresError {
  readonly message: string;
  readonly code?: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly where?: string;
  /** Counted in characters from 1. */
  readonly position?: string;
}

/** A failed file in words: where, why, and what of it stays. */
export function describeFailure(failure: Failure): string {
  const { path, sql, statements, index, error } = failure;
  const statement = statements[index];
  const reason = `${error.message}${error.code === undefined ? '' : ` (${error.code})`}`;
  if (statement === undefined) return [`${path}: at its end, ${reason}`, ...notesOf(error), keptOf(failure)].join('\n');
  const at = placeOf(failure, statement);
  const { line, column } = lineAndColumn(sql, at ?? statement.begins);
  return [
    `${path}, line ${line}${at === null ? '' : `, column ${column}`}: ${reason}`,
    ...excerptOf(sql, line, at === null ? null : column),
    ...notesOf(error, statement),
    keptOf(failure),
  ].join('\n');
}

/** PostgreSQL's position as an index of the file's string, or null. */
function placeOf({ error, isVerbatim }: Failure, statement: FileStatement): number | null {
  const position = Number(error.position ?? 0);
  if (position < 1 || !isVerbatim) return null;
  const before = Array.from(statement.text.slice(0, 2 * position)).slice(0, position - 1);
  return statement.offset + before.join('').length;
}

function lineAndColumn(sql: string, index: number): { line: number; column: number } {
  const before = sql.slice(0, index).split('\n');
  return { line: before.length, column: Array.from(before.at(-1)!).length + 1 };
}

/** The line in question, the caret below it, cut where a line is endless. */
function excerptOf(sql: string, line: number, column: number | null): string[] {
  const margin = ' '.repeat(String(line).length);
  const characters = Array.from((sql.split('\n')[line - 1] ?? '').trimEnd());
  const from = Math.max(0, (column ?? 0) - 80);
  const text = characters.slice(from, from + 120).join('');
  const caret = column === null ? [] : [`  ${margin} | ${' '.repeat(column - 1 - from)}^`];
  return [`  ${line} | ${text}`, ...caret];
}

function notesOf(error: PostgresError, statement?: FileStatement): string[] {
  const absence = statement?.kind.kind === 'create extension' && error.code === '0A000' ? absenceOf(statement.kind.extension) : null;
  return [
    ...(error.detail === undefined ? [] : [`Detail: ${error.detail}`]),
    ...(absence ?? error.hint) === undefined ? [] : [`Hint: ${absence ?? error.hint}`],
    ...(error.where === undefined ? [] : [`Where: ${error.where.split('\n')[0]}`]),
  ];
}

function keptOf({ statements, index, kept }: Failure): string {
  const which = index < statements.length ? `Statement ${index + 1} of ${statements.length}. ` : '';
  if (kept === 0) return `${which}Nothing of this file stays.`;
  return `${which}What stands before statement ${kept + 1} was committed by itself and stays; the file is not recorded as applied.`;
}
