import type { Scanner } from './scanner.ts';

/** One step into a JSON value: `->key`, `->>key`, `->0`. */
export interface JsonStep {
  readonly arrow: '->' | '->>';
  readonly key: string;
  /** The key is a place in an array. */
  readonly isIndex: boolean;
}

/** A field by name, and the way into its JSON value. */
export interface FieldName {
  readonly name: string;
  readonly path: readonly JsonStep[];
}

const noPath: readonly JsonStep[] = [];
const identifierCharacters = /[\p{L}\p{M}0-9_ $]+/uy;
const jsonKeyCharacters = /[^(\-:.,>)]+/uy;
const digits = /[0-9]+/y;

/** A name: quoted, or letters, digits, `_`, `$` and inner blanks, with dashes between. */
export function readName(scanner: Scanner): string | null {
  return scanner.labelled('field name (* or [a..z0..9_$])', () => (scanner.text[scanner.position] === '"' ? readQuoted(scanner) : dashed(scanner, readIdentifier)));
}

/** Letters, digits, `_`, `$` and blanks; blanks around are dropped. */
export function readIdentifier(scanner: Scanner): string | null {
  return scanner.take(identifierCharacters, ['letter', 'digit'])?.replace(/^ +| +$/g, '') ?? null;
}

/** A text in double quotes, in which a backslash takes the next character as it is. */
export function readQuoted(scanner: Scanner): string | null {
  if (!scanner.char('"')) return null;
  let value = '';
  for (;;) {
    const plain = scanner.take(/[^\\"]+/y, []);
    if (plain !== null) value += plain;
    if (scanner.text[scanner.position] === '"' || !scanner.char('\\')) break;
    const escaped = scanner.take(/[^]/uy, []);
    if (escaped === null) return null;
    value += escaped;
  }
  return scanner.char('"') ? value : null;
}

/** A name and its JSON path, with blanks around. */
export function readField(scanner: Scanner): FieldName | null {
  scanner.blanks();
  const name = readName(scanner);
  if (name === null) return null;
  const path = readJsonPath(scanner);
  if (path === null) return null;
  scanner.blanks();
  return { name, path };
}

/** Names joined by dots, then a JSON path: `embed.field->key`. */
export function readPath(scanner: Scanner): { path: string[]; field: FieldName } | null {
  const names = separated(scanner, readName, () => scanner.char('.', 'delimiter (.)'));
  if (names === null) return null;
  const path = readJsonPath(scanner);
  if (path === null) return null;
  return { path: names.slice(0, -1), field: { name: names.at(-1)!, path } };
}

/** Names joined by commas, as in `columns` and `on_conflict`. */
export function readNames(scanner: Scanner): string[] | null {
  return separated(scanner, readName, () => comma(scanner));
}

/** A comma with blanks around it. */
export function comma(scanner: Scanner): true | null {
  if (scanner.text[scanner.position] === ',' && scanner.char(',')) {
    scanner.blanks();
    return true;
  }
  return scanner.attempt(() => {
    scanner.blanks();
    if (!scanner.char(',')) return null;
    scanner.blanks();
    return true;
  });
}

/** One or more of what `read` reads. */
export function separated<T>(scanner: Scanner, read: (scanner: Scanner) => T | null, separator: () => boolean | null): T[] | null {
  const first = read(scanner);
  if (first === null) return null;
  const all = [first];
  while (separator()) {
    const next = read(scanner);
    if (next === null) return null;
    scanner.forget();
    all.push(next);
  }
  return all;
}

function readJsonPath(scanner: Scanner): readonly JsonStep[] | null {
  let steps: JsonStep[] | null = null;
  for (;;) {
    const plain = readPlainStep(scanner);
    if (plain !== null) {
      (steps ??= []).push(plain);
      continue;
    }
    const arrow = scanner.word('->>') ? '->>' : scanner.word('->') ? '->' : null;
    if (arrow === null) return steps ?? noPath;
    const step = readStep(scanner, arrow);
    if (step === null) return null;
    (steps ??= []).push(step);
  }
}

const plainStep = /(->>?)([A-Za-z_]\w*)(?=->|::|[.,)]|$)/y;

/** Most steps are a bare word; they need none of the attempts below. */
function readPlainStep(scanner: Scanner): JsonStep | null {
  if (scanner.isExplaining) return null;
  plainStep.lastIndex = scanner.position;
  const match = plainStep.exec(scanner.text);
  if (match === null) return null;
  scanner.take(plainStep, []);
  return { arrow: match[1] as JsonStep['arrow'], key: match[2]!, isIndex: false };
}

function readStep(scanner: Scanner, arrow: '->' | '->>'): JsonStep | null {
  const index = scanner.attempt(() => readIndex(scanner));
  if (index !== null) return { arrow, key: index, isIndex: true };
  const key = scanner.attempt(() => scanner.labelled('any non reserved character different from: .,>()', () => readJsonKey(scanner)));
  return key === null ? null : { arrow, key, isIndex: false };
}

/** Digits are a place in the array only where the step ends after them; `->2nd` is a key. */
function readIndex(scanner: Scanner): string | null {
  const sign = scanner.char('-') ? '-' : '';
  const number = scanner.take(digits, ['digit']);
  if (number === null) return null;
  const isOver = scanner.sees('->') || scanner.sees('::') || scanner.sees('.') || scanner.sees(',') || scanner.ends();
  return isOver ? sign + number : null;
}

function readJsonKey(scanner: Scanner): string | null {
  if (scanner.text[scanner.position] === '"') return readQuoted(scanner);
  return dashed(scanner, () => scanner.take(jsonKeyCharacters, [])?.trim() ?? null);
}

/** Words with single dashes between them; `->` is no dash. */
function dashed(scanner: Scanner, read: (scanner: Scanner) => string | null): string | null {
  const first = read(scanner);
  if (first === null) return null;
  let all = first;
  while (readDash(scanner)) {
    const next = read(scanner);
    if (next === null) return null;
    scanner.forget();
    all += `-${next}`;
  }
  return all;
}

function readDash(scanner: Scanner): true | null {
  return scanner.attempt(() => {
    if (!scanner.char('-')) return null;
    if (scanner.text[scanner.position] !== '>') return true;
    scanner.refuse(scanner.position, null);
    return null;
  });
}
