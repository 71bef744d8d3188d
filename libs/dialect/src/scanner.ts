import { fault } from './faults.ts';

/** What the grammar would have liked to see, at the farthest place it got to. */
interface Complaint {
  readonly at: number;
  /** The token that a terminal met instead of what it wanted; only the first is told. */
  readonly met: string | null;
  /** What a rule named as unexpected of its own; told instead of `met` where there is any. */
  readonly unexpected: readonly string[];
  readonly expected: readonly string[];
}

/**
 * Walks over a text for a recursive descent parser. A reader gives null when the text is not what it wants.
 * The protocol words a refusal as "unexpected … expecting …" with a column, and clients show it, so the rules for what is
 * told are those of the protocol's first parser: the farthest place wins, equal places join, progress forgets.
 * Telling costs time and happens rarely: `readStart` first reads without, and reads again to explain only what it refuses.
 */
export class Scanner {
  position = 0;
  private complaint: Complaint | null = null;

  constructor(
    readonly text: string,
    /** Shortcuts are not for explaining: they would hide what the grammar had hoped for. */
    readonly isExplaining: boolean,
  ) {}

  get isAtEnd(): boolean {
    return this.position >= this.text.length;
  }

  /** Takes the character, or complains. */
  char(wanted: string, label = haskellString(wanted)): boolean {
    if (this.text[this.position] === wanted) return this.advance(1);
    return this.complain(this.position, this.tokenHere(), [label]);
  }

  /** Takes the whole word or nothing of it. */
  word(wanted: string): boolean {
    if (this.text.startsWith(wanted, this.position)) return this.advance(wanted.length);
    if (!this.isExplaining) return false;
    let same = 0;
    while (this.text[this.position + same] === wanted[same] && this.position + same < this.text.length) same += 1;
    return this.complain(this.position, tokenAt(this.text, this.position + same), [`"${wanted}"`]);
  }

  /** Takes what the sticky pattern matches here (at least one character), or complains with the given expectations. */
  take(pattern: RegExp, expected: readonly string[]): string | null {
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined && found !== '') this.advance(found.length);
    // A run of characters might always have gone on: its last, failed step is part of the complaint.
    this.complain(this.position, this.tokenHere(), expected);
    return found === undefined || found === '' ? null : found;
  }

  /** Whether the word stands here, without taking it. */
  sees(wanted: string): boolean {
    if (this.text.startsWith(wanted, this.position)) return true;
    return this.complain(this.position, this.tokenHere(), [`"${wanted}"`]);
  }

  /** Whether the text ends here. Where it does, what follows may still tell that this was possible. */
  ends(): boolean {
    if (!this.isAtEnd) return this.refuse(this.position, 'end of input');
    this.complain(this.position, this.tokenHere(), ['end of input']);
    return true;
  }

  /** Forgets what was hoped for: of a list's items after the first the protocol's parser tells nothing once they are read. */
  forget(): void {
    this.complaint = null;
  }

  /** Skips blanks and tabs. */
  blanks(): void {
    let at = this.position;
    while (this.text[at] === ' ' || this.text[at] === '\t') at += 1;
    if (at > this.position) this.advance(at - this.position);
    this.complain(this.position, this.tokenHere(), []);
  }

  /** Names the character here as unexpected. */
  refuse(at: number, wanted: string | null): false {
    if (this.isExplaining) {
      const here = codePointAt(this.text, at);
      this.add({ at, met: null, unexpected: here === '' ? [] : [`'${here}'`], expected: wanted === null ? [] : [wanted] });
    }
    return false;
  }

  /** Tries a reader; where it gives null, the place is as before and its complaint is kept beside the others. */
  attempt<T>(read: () => T | null): T | null {
    const start = this.position;
    const before = this.complaint;
    this.complaint = null;
    const value = read();
    if (value === null) this.position = start;
    if (this.position === start) this.joinTo(before);
    return value;
  }

  /** Gives a reader's wishes one name, unless it got somewhere. */
  labelled<T>(label: string, read: () => T | null): T | null {
    const start = this.position;
    const before = this.complaint;
    this.complaint = null;
    const value = read();
    if (this.position !== start) return value;
    if (this.complaint !== null) this.complaint = { ...(this.complaint as Complaint), expected: [label] };
    this.joinTo(before);
    return value;
  }

  /** The complaint in the protocol's words: where, and what. */
  explain(title: string): { message: string; details: string } {
    const complaint = this.complaint ?? { at: this.position, met: this.tokenHere(), unexpected: [], expected: [] };
    return { message: `"${title}" (${placeOf(this.text, complaint.at)})`, details: wordsOf(complaint) };
  }

  private advance(length: number): true {
    this.position += length;
    this.complaint = null;
    return true;
  }

  private tokenHere(): string {
    return this.isExplaining ? tokenAt(this.text, this.position) : '';
  }

  private complain(at: number, met: string, expected: readonly string[]): false {
    if (this.isExplaining) this.add({ at, met, unexpected: [], expected });
    return false;
  }

  private add(later: Complaint): void {
    this.complaint = join(this.complaint, later);
  }

  private joinTo(before: Complaint | null): void {
    if (before !== null) this.complaint = this.complaint === null ? before : join(before, this.complaint);
  }
}

/** `readStart` or `readWhole`. */
export type ReadText = <T>(text: string, title: string, read: (scanner: Scanner) => T | null) => T;

/**
 * Reads a text with one reader and passes over what follows, as the protocol's parsers do.
 * @throws Fault PGRST100 with the place and what was expected there.
 */
export const readStart: ReadText = (text, title, read) => {
  const value = read(new Scanner(text, false));
  if (value !== null) return value;
  const scanner = new Scanner(text, true);
  read(scanner);
  throw fault('PGRST100', scanner.explain(title));
};

/** As `readStart`, and nothing may follow. */
export const readWhole: ReadText = (text, title, read) =>
  readStart(text, title, (scanner) => {
    const value = read(scanner);
    return value !== null && scanner.ends() ? value : null;
  });

function join(earlier: Complaint | null, later: Complaint): Complaint {
  if (earlier === null || later.at > earlier.at) return later;
  if (later.at < earlier.at) return earlier;
  return {
    at: earlier.at,
    met: earlier.met ?? later.met,
    unexpected: [...earlier.unexpected, ...later.unexpected],
    expected: [...earlier.expected, ...later.expected],
  };
}

function wordsOf({ met, unexpected, expected }: Complaint): string {
  const parts: string[] = [];
  if (unexpected.length > 0) parts.push(`unexpected ${series(unexpected)}`);
  else if (met !== null) parts.push(`unexpected ${met}`);
  if (expected.length > 0) parts.push(`expecting ${series(expected)}`);
  return parts.length === 0 ? 'unknown parse error' : parts.join(' ');
}

/** `a`, `a or b`, `a, b or c`; each once. */
function series(words: readonly string[]): string {
  const unique = [...new Set(words)];
  const last = unique.pop()!;
  return unique.length === 0 ? last : `${unique.join(', ')} or ${last}`;
}

function codePointAt(text: string, at: number): string {
  const code = text.codePointAt(at);
  return code === undefined ? '' : String.fromCodePoint(code);
}

function tokenAt(text: string, at: number): string {
  const here = codePointAt(text, at);
  return here === '' ? 'end of input' : haskellString(here);
}

/** Line and column as a reader counts them: characters, not code units; a tab goes to the next eighth column. */
function placeOf(text: string, at: number): string {
  let line = 1;
  let column = 1;
  for (const character of text.slice(0, at)) {
    if (character === '\n') [line, column] = [line + 1, 1];
    else column += character === '\t' ? 8 - ((column - 1) % 8) : 1;
  }
  return `line ${line}, column ${column}`;
}

/** A token in double quotes, as the protocol writes it: what is beyond ASCII as decimal escapes. */
function haskellString(text: string): string {
  let written = '';
  let wasNumeric = false;
  for (const character of text) {
    const code = character.codePointAt(0)!;
    const isNumeric = code < 32 || code > 126;
    if (wasNumeric && /\d/.test(character)) written += '\\&';
    if (character === '"' || character === '\\') written += `\\${character}`;
    else if (isNumeric) written += named[code] ?? `\\${code}`;
    else written += character;
    wasNumeric = isNumeric && named[code] === undefined;
  }
  return `"${written}"`;
}

const named: Readonly<Record<number, string>> = { 7: '\\a', 8: '\\b', 9: '\\t', 10: '\\n', 11: '\\v', 12: '\\f', 13: '\\r' };
