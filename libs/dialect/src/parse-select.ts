import { fault } from './faults.ts';
import type { Limits } from './limits.ts';
import { comma, readField, readIdentifier, readName, type FieldName } from './parse-field.ts';
import { readStart, type Scanner } from './scanner.ts';
import { readBucket, type Bucket } from './time-bucket.ts';

export type AggregateName = 'sum' | 'avg' | 'count' | 'max' | 'min';

/** A field to give, perhaps cast, aggregated and renamed. `*` is the field of that name, without a path. */
export interface SelectField {
  readonly kind: 'field';
  readonly field: FieldName;
  readonly alias: string | null;
  readonly cast: string | null;
  /** Moments are given as the beginning of the bucket that they are in. */
  readonly bucket?: { readonly span: Bucket; readonly cast: string | null };
  readonly aggregate: { readonly name: AggregateName; readonly cast: string | null } | null;
}

/** A related collection to embed, or to spread into its parent. */
export interface SelectEmbed {
  readonly kind: 'embed';
  readonly name: string;
  readonly alias: string | null;
  readonly hint: string | null;
  readonly join: 'inner' | 'left' | null;
  readonly isSpread: boolean;
  readonly items: readonly SelectItem[];
}

export type SelectItem = SelectField | SelectEmbed;

type EmbedHead = Omit<SelectEmbed, 'kind' | 'items'>;

const star: SelectField = { kind: 'field', field: { name: '*', path: [] }, alias: null, cast: null, aggregate: null };
/** The aggregates, in the order in which a refusal tells them. */
export const aggregates: readonly AggregateName[] = ['sum', 'avg', 'count', 'max', 'min'];

/**
 * Reads the `select` parameter.
 * @throws Fault PGRST100 where it does not follow the grammar or asks for more than the limits.
 */
export function parseSelect(text: string, limits: Limits): readonly SelectItem[] {
  // Most requests ask for everything, or for bare names.
  if (text === '*') return [star];
  if (bareNames.test(text)) return bareFields(text.split(','), limits);
  return readStart(text, `failed to parse select parameter (${text})`, (scanner) => readItems(scanner, new Budget(limits), 0));
}

const bareNames = /^[A-Za-z_]\w*(?:,[A-Za-z_]\w*)*$/;

function bareFields(names: readonly string[], limits: Limits): SelectField[] {
  if (names.length > limits.selectItems) throw tooMany(limits);
  return names.map(bareField);
}

function bareField(name: string): SelectField {
  return { kind: 'field', field: { name, path: [] }, alias: null, cast: null, aggregate: null };
}

/** Counts what one `select` asks for. */
class Budget {
  private items = 0;
  private embeds = 0;

  constructor(private readonly limits: Limits) {}

  item(): void {
    this.items += 1;
    if (this.items > this.limits.selectItems) throw tooMany(this.limits);
  }

  embed(depth: number): void {
    this.embeds += 1;
    if (this.embeds > this.limits.embeds) throw tooMuch(`select embeds more than ${this.limits.embeds} resources`);
    if (depth > this.limits.embedDepth) throw tooMuch(`select embeds deeper than ${this.limits.embedDepth} levels`);
  }
}

function tooMany({ selectItems }: Limits): Error {
  return tooMuch(`select names more than ${selectItems} items`);
}

function tooMuch(message: string): Error {
  return fault('PGRST100', { message, details: 'This is a limit of the server.' });
}

/** Items separated by commas; there may be none. */
function readItems(scanner: Scanner, budget: Budget, depth: number): SelectItem[] | null {
  const items: SelectItem[] = [];
  const start = scanner.position;
  for (;;) {
    const item = readItem(scanner, budget, depth);
    if (item === null) return items.length === 0 && scanner.position === start ? items : null;
    if (items.length > 0) scanner.forget();
    budget.item();
    items.push(item);
    if (!comma(scanner)) return items;
  }
}

function readItem(scanner: Scanner, budget: Budget, depth: number): SelectItem | null {
  const plain = readPlainField(scanner);
  if (plain !== null) return plain;
  const head = scanner.attempt(() => readSpreadHead(scanner)) ?? scanner.attempt(() => readEmbedHead(scanner));
  if (head === null) return readSelectField(scanner);
  budget.embed(depth + 1);
  if (!scanner.char('(')) return null;
  const items = readItems(scanner, budget, depth + 1);
  if (items === null || !scanner.char(')')) return null;
  return { kind: 'embed', ...head, items };
}

const plainName = /[A-Za-z_][A-Za-z0-9_]*(?=[,)]|$)/y;

/** Most items are bare names; they need none of the attempts below. */
function readPlainField(scanner: Scanner): SelectField | null {
  if (scanner.isExplaining) return null;
  plainName.lastIndex = scanner.position;
  const name = plainName.exec(scanner.text)?.[0];
  if (name === undefined) return null;
  scanner.take(plainName, []);
  return bareField(name);
}

function readSpreadHead(scanner: Scanner): EmbedHead | null {
  scanner.blanks();
  if (!scanner.word('...')) return null;
  const name = readName(scanner);
  return name === null ? null : readEmbedTail(scanner, { name, alias: null, isSpread: true });
}

function readEmbedHead(scanner: Scanner): EmbedHead | null {
  scanner.blanks();
  const alias = readAlias(scanner);
  const name = readName(scanner);
  // A bare `count` is a column, `count()` the aggregate.
  return name === null || name === 'count' ? null : readEmbedTail(scanner, { name, alias, isSpread: false });
}

/** `!hint`, `!inner` and `!left` in any order, up to the opening parenthesis. */
function readEmbedTail(scanner: Scanner, start: Pick<SelectEmbed, 'name' | 'alias' | 'isSpread'>): EmbedHead | null {
  let hint: string | null = null;
  let join: 'inner' | 'left' | null = null;
  for (let i = 0; i < 2 && scanner.char('!'); i += 1) {
    const param = scanner.word('left') ? 'left' : scanner.word('inner') ? 'inner' : null;
    if (param !== null) join ??= param;
    else {
      const name = readName(scanner);
      if (name === null) return null;
      hint ??= name;
    }
  }
  scanner.blanks();
  return scanner.sees('(') ? { ...start, hint, join } : null;
}

function readSelectField(scanner: Scanner): SelectField | null {
  scanner.blanks();
  const item =
    scanner.attempt(() => (scanner.word('*') && endsItem(scanner) ? star : null)) ??
    scanner.attempt(() => readRowCount(scanner)) ??
    readFieldItem(scanner);
  scanner.blanks();
  return item;
}

function readRowCount(scanner: Scanner): SelectField | null {
  const alias = readAlias(scanner);
  if (!scanner.word('count()')) return null;
  const cast = readCast(scanner);
  if (cast === undefined || !endsItem(scanner)) return null;
  return { ...star, alias, aggregate: { name: 'count', cast } };
}

function readFieldItem(scanner: Scanner): SelectField | null {
  const alias = readAlias(scanner);
  const field = readField(scanner);
  if (field === null) return null;
  const cast = readCast(scanner);
  if (cast === undefined) return null;
  const span = readBucket(scanner);
  if (span !== null) return readBucketTail(scanner, { kind: 'field', field, alias, cast, aggregate: null }, span);
  const name = scanner.attempt(() => readAggregate(scanner));
  const aggregateCast = readCast(scanner);
  if (aggregateCast === undefined || !endsItem(scanner)) return null;
  return { kind: 'field', field, alias, cast, aggregate: name === null ? null : { name, cast: aggregateCast } };
}

function readBucketTail(scanner: Scanner, item: SelectField, span: Bucket): SelectField | null {
  const cast = readCast(scanner);
  return cast === undefined || !endsItem(scanner) ? null : { ...item, bucket: { span, cast } };
}

function readAggregate(scanner: Scanner): AggregateName | null {
  if (!scanner.char('.')) return null;
  const name = aggregates.find((word) => scanner.word(word)) ?? null;
  return name !== null && scanner.word('()') ? name : null;
}

/** `alias:`, but not the first colon of a cast. */
function readAlias(scanner: Scanner): string | null {
  return scanner.attempt(() => {
    const name = readName(scanner);
    if (name === null || !scanner.char(':')) return null;
    if (!scanner.sees(':')) return name;
    scanner.refuse(scanner.position, null);
    return null;
  });
}

/** `::type`; null where there is none, undefined where the type is missing. */
export function readCast(scanner: Scanner): string | null | undefined {
  if (!scanner.word('::')) return null;
  return readIdentifier(scanner) ?? undefined;
}

function endsItem(scanner: Scanner): boolean {
  return scanner.sees(')') || scanner.sees(',') || scanner.ends();
}
