import { comma, readField, readName, separated, type FieldName } from './parse-field.ts';
import { readAll, type Scanner } from './scanner.ts';

export interface OrderTerm {
  /** The embed whose field orders the parents, or null for a field of the collection itself. */
  readonly relation: string | null;
  readonly field: FieldName;
  readonly direction: 'asc' | 'desc' | null;
  readonly nulls: 'first' | 'last' | null;
}

/**
 * Reads an `order` parameter.
 * @throws Fault PGRST100 where it does not follow the grammar.
 */
export function parseOrder(text: string): readonly OrderTerm[] {
  const plain = plainOrder.exec(text);
  if (plain !== null) return [{ relation: null, field: { name: plain[1]!, path: [] }, direction: (plain[2] as OrderTerm['direction'] | undefined) ?? null, nulls: null }];
  return readAll(text, `failed to parse order (${text})`, (scanner) => separated(scanner, readTerm, () => comma(scanner)));
}

/** Most orders are one bare name. */
const plainOrder = /^([A-Za-z_]\w*)(?:\.(asc|desc))?$/;

function readTerm(scanner: Scanner): OrderTerm | null {
  scanner.blanks();
  const term = scanner.attempt(() => readRelated(scanner)) ?? readOwn(scanner);
  scanner.blanks();
  return term;
}

function readRelated(scanner: Scanner): OrderTerm | null {
  const relation = readName(scanner);
  if (relation === null || !scanner.char('(')) return null;
  const field = readField(scanner);
  if (field === null || !scanner.char(')')) return null;
  return readTail(scanner, relation, field);
}

function readOwn(scanner: Scanner): OrderTerm | null {
  const field = readField(scanner);
  return field === null ? null : readTail(scanner, null, field);
}

function readTail(scanner: Scanner, relation: string | null, field: FieldName): OrderTerm | null {
  const direction = suffix(scanner, 'asc') ?? suffix(scanner, 'desc');
  const nulls = suffix(scanner, 'nullsfirst') ?? suffix(scanner, 'nullslast');
  if (!scanner.sees(',') && !scanner.ends()) return null;
  return { relation, field, direction, nulls: nulls === null ? null : nulls === 'nullsfirst' ? 'first' : 'last' };
}

function suffix<W extends string>(scanner: Scanner, word: W): W | null {
  return scanner.attempt(() => (scanner.char('.', 'delimiter (.)') && scanner.word(word) ? word : null));
}
