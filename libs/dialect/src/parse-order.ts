import { comma, readField, readName, separated, type FieldName } from './parse-field.ts';
import type { AggregateName } from './parse-select.ts';
import { readStart, type Scanner } from './scanner.ts';
import { readBucket, type Bucket } from './time-bucket.ts';

export interface OrderTerm {
  /** The embed whose field orders the parents, or null for a field of the collection itself. */
  readonly relation: string | null;
  readonly field: FieldName;
  readonly bucket?: Bucket;
  /** Groups are ordered by an aggregate over their rows; of the field `*` it is their number. */
  readonly aggregate?: AggregateName;
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
  return readStart(text, `failed to parse order (${text})`, (scanner) => separated(scanner, readTerm, () => comma(scanner)));
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
  if (scanner.text.startsWith('count()', scanner.position) && scanner.word('count()')) return withMore(readTail(scanner, null, { name: '*', path: [] }), { aggregate: 'count' });
  const field = readField(scanner);
  if (field === null) return null;
  const bucket = readBucket(scanner);
  const aggregate = bucket === null ? readOrderAggregate(scanner) : null;
  return withMore(readTail(scanner, null, field), { ...(bucket === null ? {} : { bucket }), ...(aggregate === null ? {} : { aggregate }) });
}

function withMore(term: OrderTerm | null, more: Pick<OrderTerm, 'bucket' | 'aggregate'>): OrderTerm | null {
  return term === null ? null : { ...term, ...more };
}

const aggregateCall = /\.(sum|avg|count|max|min)\(\)/y;

/** It does not tell the scanner what it hoped for: the protocol knows no order by an aggregate. */
function readOrderAggregate(scanner: Scanner): AggregateName | null {
  aggregateCall.lastIndex = scanner.position;
  const name = aggregateCall.exec(scanner.text)?.[1];
  if (name === undefined) return null;
  scanner.take(aggregateCall, []);
  return name as AggregateName;
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
