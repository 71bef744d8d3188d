import { fault } from './faults.ts';
import type { Limits } from './limits.ts';
import { comma, readField, readIdentifier, readName, readPath, readQuoted, separated, type FieldName } from './parse-field.ts';
import { readStart, type ReadText, type Scanner } from './scanner.ts';

/** Comparisons that may be followed by `(any)` or `(all)`. */
export type QuantifiedOperator = 'eq' | 'gte' | 'gt' | 'lte' | 'lt' | 'like' | 'ilike' | 'match' | 'imatch';
export type SimpleOperator = 'neq' | 'cs' | 'cd' | 'ov' | 'sl' | 'sr' | 'nxr' | 'nxl' | 'adj';
export type SearchOperator = 'fts' | 'plfts' | 'phfts' | 'wfts';
export type IsValue = 'null' | 'not_null' | 'true' | 'false' | 'unknown';

export type Operation =
  | { readonly kind: 'quantified'; readonly operator: QuantifiedOperator; readonly quantifier: 'any' | 'all' | null; readonly value: string }
  | { readonly kind: 'simple'; readonly operator: SimpleOperator; readonly value: string }
  | { readonly kind: 'in'; readonly values: readonly string[] }
  | { readonly kind: 'is'; readonly value: IsValue }
  | { readonly kind: 'isdistinct'; readonly value: string }
  | { readonly kind: 'search'; readonly operator: SearchOperator; readonly config: string | null; readonly value: string };

export interface Comparison {
  readonly isNegated: boolean;
  readonly operation: Operation;
}

export interface Filter extends Comparison {
  readonly kind: 'filter';
  readonly field: FieldName;
}

export interface Logic {
  readonly kind: 'logic';
  readonly isNegated: boolean;
  readonly operator: 'and' | 'or';
  readonly trees: readonly Tree[];
}

export type Tree = Filter | Logic;

const simpleOperators: readonly SimpleOperator[] = ['neq', 'cs', 'cd', 'ov', 'sl', 'sr', 'nxr', 'nxl', 'adj'];
// A longer word before one that it begins with.
const quantifiedOperators: readonly QuantifiedOperator[] = ['eq', 'gte', 'gt', 'lte', 'lt', 'like', 'ilike', 'match', 'imatch'];
const searchOperators: readonly SearchOperator[] = ['fts', 'plfts', 'phfts', 'wfts'];
const isValues: readonly IsValue[] = ['null', 'not_null', 'true', 'false', 'unknown'];

/**
 * Reads the name of a filter parameter: the embed it belongs to and the field.
 * @throws Fault PGRST100.
 */
export function parseFilterKey(key: string, readText: ReadText = readStart): { path: readonly string[]; field: FieldName } {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) return { path: [], field: { name: key, path: [] } };
  return readText(key, `failed to parse tree path (${key})`, readPath);
}

/**
 * Reads the value of a filter parameter, `[not.]operator.value`.
 * @throws Fault PGRST100.
 */
export function parseComparison(value: string, limits: Limits, readText: ReadText = readStart): Comparison {
  const plain = plainComparison.exec(value);
  if (plain !== null) return { isNegated: false, operation: { kind: 'quantified', operator: plain[1] as QuantifiedOperator, quantifier: null, value: plain[2]! } };
  return readText(value, `failed to parse filter (${value})`, (scanner) => readComparison(scanner, readRest, limits));
}

/** Most comparisons are one of these; they need none of the attempts of the grammar. */
const plainComparison = /^(eq|gte?|lte?)\.([^]*)$/;

/** Whether a function's parameter is a filter on its result: its value begins like a comparison. */
export function looksLikeComparison(value: string): boolean {
  const start = /^(?:not\.)?(in\.|is\.|isdistinct\.|(?:fts|plfts|phfts|wfts)(?:\([\p{L}\p{M}0-9_ $]+\))?\.|(?:neq|cs|cd|ov|sl|sr|nxr|nxl|adj)\.|(?:eq|gte|gt|lte|lt|like|ilike|match|imatch)(?:\((?:any|all)\))?\.)/u;
  return start.test(value) || value.startsWith('not.');
}

/**
 * Reads an `and` or `or` parameter: the embed it belongs to and the tree.
 * @throws Fault PGRST100.
 */
export function parseLogic(key: string, value: string, limits: Limits, readText: ReadText = readStart): { path: readonly string[]; tree: Tree } {
  const names = readText(key, `failed to parse logic path (${key})`, (scanner) => separated(scanner, readName, () => scanner.char('.', 'delimiter (.)')));
  const operator = names.includes('not') ? `not.${names.at(-1)!}` : names.at(-1)!;
  const tree = readText(operator + value, `failed to parse logic tree (${value})`, (scanner) => readTree(scanner, limits, 1));
  return { path: names.slice(0, -1).filter((name) => name !== 'not'), tree };
}

/** How many comparisons a tree holds. */
export function sizeOf(tree: Tree): number {
  return tree.kind === 'filter' ? 1 : tree.trees.reduce((sum, inner) => sum + sizeOf(inner), 0);
}

function readTree(scanner: Scanner, limits: Limits, depth: number): Tree | null {
  return scanner.attempt(() => readTreeFilter(scanner, limits)) ?? readLogic(scanner, limits, depth);
}

function readTreeFilter(scanner: Scanner, limits: Limits): Filter | null {
  const field = readField(scanner);
  if (field === null || !scanner.char('.', 'delimiter (.)')) return null;
  const comparison = readComparison(scanner, readTreeValue, limits);
  return comparison === null ? null : { kind: 'filter', field, ...comparison };
}

function readLogic(scanner: Scanner, limits: Limits, depth: number): Logic | null {
  if (depth > limits.logicDepth) throw fault('PGRST100', { message: `and/or are nested deeper than ${limits.logicDepth} levels`, details: 'This is a limit of the server.' });
  const isNegated = scanner.labelled('negation operator (not)', () => readNot(scanner) ?? false);
  const operator = scanner.labelled('logic operator (and, or)', () => (scanner.word('and') ? 'and' : scanner.word('or') ? 'or' : null));
  if (operator === null || !bracket(scanner, '(')) return null;
  const trees = separated(scanner, () => readTree(scanner, limits, depth + 1), () => comma(scanner));
  if (trees === null || !bracket(scanner, ')')) return null;
  return { kind: 'logic', isNegated: isNegated!, operator, trees };
}

function bracket(scanner: Scanner, wanted: '(' | ')'): boolean {
  scanner.blanks();
  const isThere = scanner.char(wanted);
  if (isThere) scanner.blanks();
  return isThere;
}

function readNot(scanner: Scanner): true | null {
  return scanner.attempt(() => (scanner.word('not') && scanner.char('.', 'delimiter (.)') ? true : null));
}

type ReadValue = (scanner: Scanner) => string | null;

/** `[not.]operator.value`, with the reader of the value. */
export function readComparison(scanner: Scanner, readValue: ReadValue, limits: Limits): Comparison | null {
  const isNegated = readNot(scanner) ?? false;
  const operation = scanner.labelled('operator (eq, gt, ...)', () => readOperation(scanner, readValue, limits));
  return operation === null ? null : { isNegated, operation };
}

function readOperation(scanner: Scanner, readValue: ReadValue, limits: Limits): Operation | null {
  if (keyword(scanner, 'in')) return readIn(scanner, limits);
  if (keyword(scanner, 'is')) return readIs(scanner);
  if (keyword(scanner, 'isdistinct')) return withValue(readValue(scanner), (value) => ({ kind: 'isdistinct', value }));
  return (
    scanner.attempt(() => readSearch(scanner, readValue)) ??
    scanner.attempt(() => readSimple(scanner, readValue)) ??
    scanner.attempt(() => readQuantified(scanner, readValue))
  );
}

function keyword(scanner: Scanner, word: string): true | null {
  return scanner.attempt(() => (scanner.word(word) && scanner.char('.', 'delimiter (.)') ? true : null));
}

function withValue(value: string | null, make: (value: string) => Operation): Operation | null {
  return value === null ? null : make(value);
}

function readIn(scanner: Scanner, limits: Limits): Operation | null {
  if (!bracket(scanner, '(')) return null;
  // Nothing between the brackets is no value; one empty text must be quoted.
  const values = scanner.text[scanner.position] === ')' ? [] : separated(scanner, readElement, () => scanner.char(','));
  if (values === null || !bracket(scanner, ')')) return null;
  if (values.length > limits.listElements) throw fault('PGRST100', { message: `in.(…) lists more than ${limits.listElements} values`, details: 'This is a limit of the server.' });
  return { kind: 'in', values };
}

/** The words are read in any case. `null` is tried before `not_null` and each must be the whole value. */
function readIs(scanner: Scanner): Operation | null {
  const value = scanner.labelled('isVal: (null, not_null, true, false, unknown)', () => isValues.find((word) => scanner.attempt(() => readIsWord(scanner, word))) ?? null);
  return value === null ? null : { kind: 'is', value };
}

function readIsWord(scanner: Scanner, word: string): true | null {
  for (const letter of word) {
    const here = scanner.text[scanner.position];
    if (!scanner.char(here !== undefined && here.toLowerCase() === letter ? here : letter)) return null;
  }
  const next = scanner.text[scanner.position];
  if (next === undefined || next === ',' || next === ')') return true;
  scanner.refuse(scanner.position, null);
  return null;
}

function readSearch(scanner: Scanner, readValue: ReadValue): Operation | null {
  const operator = searchOperators.find((word) => scanner.word(word));
  if (operator === undefined) return null;
  const config = scanner.attempt(() => {
    const name = scanner.char('(') ? readIdentifier(scanner) : null;
    return name !== null && scanner.char(')') ? name : null;
  });
  if (!scanner.char('.', 'delimiter (.)')) return null;
  return withValue(readValue(scanner), (value) => ({ kind: 'search', operator, config, value }));
}

function readSimple(scanner: Scanner, readValue: ReadValue): Operation | null {
  const operator = simpleOperators.find((word) => scanner.word(word));
  if (operator === undefined || !scanner.char('.', 'delimiter (.)')) return null;
  return withValue(readValue(scanner), (value) => ({ kind: 'simple', operator, value }));
}

function readQuantified(scanner: Scanner, readValue: ReadValue): Operation | null {
  const operator = quantifiedOperators.find((word) => scanner.word(word));
  if (operator === undefined) return null;
  const quantifier = scanner.attempt(() => {
    if (!scanner.char('(')) return null;
    const word = scanner.word('any') ? 'any' : scanner.word('all') ? 'all' : null;
    return word !== null && scanner.char(')') ? word : null;
  });
  if (!scanner.char('.', 'delimiter (.)')) return null;
  return withValue(readValue(scanner), (value) => ({ kind: 'quantified', operator, quantifier, value }));
}

/** In a plain filter the value is all that is left, as it is: quotes and commas mean nothing. */
function readRest(scanner: Scanner): string {
  return scanner.take(/[^]+/y, []) ?? '';
}

/** In a tree a value ends at a comma or bracket, unless it is quoted or an array literal in braces. */
export function readTreeValue(scanner: Scanner): string {
  return scanner.attempt(() => readWholeQuoted(scanner)) ?? scanner.take(/\{[^{}]*\}/y, []) ?? scanner.take(/[^,)]+/y, []) ?? '';
}

function readElement(scanner: Scanner): string {
  return scanner.attempt(() => readWholeQuoted(scanner)) ?? scanner.take(/[^,)]+/y, []) ?? '';
}

/** A quoted text that is the whole element; `"a"b` is taken as it stands. */
function readWholeQuoted(scanner: Scanner): string | null {
  if (scanner.text[scanner.position] !== '"') return null;
  const value = readQuoted(scanner);
  if (value === null) return null;
  const next = scanner.text[scanner.position];
  return next === undefined || next === ',' || next === ')' ? value : null;
}
