import type { ImportFormat } from '@mainstay/persistence';

const quote = 0x22;
const carriageReturn = 0x0d;
const lineFeed = 0x0a;

/** How the records of a file are told apart. PostgreSQL's COPY reads CSV by the same rules, so both see the same rows. */
export interface RecordRules {
  readonly format: ImportFormat;
  /** What ends a line: LF (a CR before it belongs to the ending), or CR alone in files of old Macs. */
  readonly ending: 'lf' | 'cr';
  /** An empty line is no record; only in a file of one column it can be one, which is null. */
  readonly skipsBlank: boolean;
  readonly maxRowBytes: number;
}

/** Whole records of a file, in a row. */
export interface Piece {
  /** Only lent: the next push writes over them. */
  readonly bytes: Uint8Array;
  readonly rows: number;
  /** The line of the file on which it begins; the first is 1. */
  readonly firstLine: number;
  /** True if COPY takes the bytes as they are: no empty lines, and one kind of line ending. */
  readonly isPlain: boolean;
}

/** A single record is longer than is read: a line without end, or a quote that nobody closed. */
export class RowTooLong extends Error {
  constructor(
    readonly line: number,
    readonly isQuoted: boolean,
  ) {
    super(`the row that begins on line ${line} is too long`);
    this.name = 'RowTooLong';
  }
}

/** Where the scan stands; offsets count from the start of the piece. */
interface Scan {
  isQuoted: boolean;
  /** The byte before the next one, for a CR at the end of the last chunk. */
  lastByte: number;
  line: number;
  recordStart: number;
  recordLine: number;
}

/** Takes the end of a record: after its content, and after its line ending. True stops the scan. */
type OnEnd = (content: number, end: number, hasCarriageReturn: boolean) => boolean;

/**
 * Finds the ends of records in the bytes, which begin at `pieceOffset`, and stops after the first for which `onEnd` says true.
 * A quote opens and closes wherever it stands, as in COPY. A byte of a multi-byte UTF-8 character is never mistaken for
 * one of these signs: all of them are at least 0x80.
 * @returns how many bytes were read.
 */
function scan(bytes: Uint8Array, pieceOffset: number, state: Scan, rules: Omit<RecordRules, 'skipsBlank'>, onEnd: OnEnd): number {
  const eol = rules.ending === 'cr' ? carriageReturn : lineFeed;
  const quoting = rules.format === 'csv' ? quote : -1;
  const { length } = bytes;
  let isQuoted = state.isQuoted;
  for (let i = 0; i < length; i += 1) {
    const byte = bytes[i]!;
    // Nearly every byte of a file: one comparison is enough to pass it over.
    if (byte > quote) continue;
    if (byte === quoting) {
      isQuoted = !isQuoted;
    } else if (byte === eol) {
      state.line += 1;
      if (isQuoted) continue;
      const end = pieceOffset + i + 1;
      if (end - state.recordStart > rules.maxRowBytes) throw new RowTooLong(state.recordLine, false);
      const hasCarriageReturn = eol === lineFeed && end - 1 > state.recordStart && (i > 0 ? bytes[i - 1] : state.lastByte) === carriageReturn;
      const isDone = onEnd(hasCarriageReturn ? end - 2 : end - 1, end, hasCarriageReturn);
      state.recordStart = end;
      state.recordLine = state.line;
      if (isDone) {
        state.isQuoted = false;
        state.lastByte = eol;
        return i + 1;
      }
    }
  }
  state.isQuoted = isQuoted;
  if (length > 0) state.lastByte = bytes[length - 1]!;
  if (pieceOffset + length - state.recordStart > rules.maxRowBytes) throw new RowTooLong(state.recordLine, isQuoted);
  return length;
}

/** Bytes that arrive in chunks of any size, kept in one buffer: a million chunks of one byte take a megabyte and not a hundred. */
export class ByteHeap {
  private buffer = Buffer.alloc(0);
  private size = 0;

  /** `expected`: what it will most likely hold at a time. Memory that is not touched is not taken. */
  constructor(private readonly expected = 64 * 1024) {}

  get length(): number {
    return this.size;
  }

  add(bytes: Uint8Array): void {
    const needed = this.size + bytes.length;
    if (needed > this.buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2, this.expected));
      this.buffer.copy(larger, 0, 0, this.size);
      this.buffer = larger;
    }
    this.buffer.set(bytes, this.size);
    this.size = needed;
  }

  /** What is held, to look at; the next `add` may move it. */
  view(): Buffer {
    return this.buffer.subarray(0, this.size);
  }

  /** Lends what is held until the next `add`, and begins anew in the same memory. */
  take(): Buffer {
    const taken = this.view();
    this.size = 0;
    return taken;
  }
}

/** Cuts a stream of bytes into pieces of whole records, each at least `pieceBytes` long but the last, all in the same memory. */
export class RecordCutter {
  private readonly state: Scan;
  private readonly held: ByteHeap;
  private rows = 0;
  private firstLine: number;
  private blanks = 0;
  private withCarriageReturn = 0;

  constructor(
    private readonly rules: RecordRules,
    private readonly pieceBytes: number,
    firstLine = 1,
  ) {
    this.firstLine = firstLine;
    this.held = new ByteHeap(pieceBytes + 64 * 1024);
    this.state = { isQuoted: false, lastByte: -1, line: firstLine, recordStart: 0, recordLine: firstLine };
  }

  /** Takes the next bytes and gives the pieces that they complete. @throws RowTooLong */
  *push(bytes: Uint8Array): Generator<Piece> {
    let from = 0;
    while (from < bytes.length) {
      // Offsets count from the start of the piece: its bytes of this chunk begin at `from`.
      const rest = from === 0 ? bytes : bytes.subarray(from);
      let isFull = false;
      const read = scan(rest, this.held.length, this.state, this.rules, (content, end, hasReturn) => (isFull = this.count(content, end, hasReturn)));
      this.held.add(rest.subarray(0, read));
      from += read;
      if (isFull) yield this.take();
    }
  }

  /** Gives what is left; a last line needs no ending. */
  end(): Piece | null {
    const { state } = this;
    if (this.held.length > state.recordStart) {
      const hasCarriageReturn = state.lastByte === carriageReturn && this.rules.ending === 'lf';
      this.count(this.held.length - (hasCarriageReturn ? 1 : 0), this.held.length, hasCarriageReturn);
    }
    return this.held.length === 0 ? null : this.take();
  }

  /** Counts a record; says whether the piece is full. */
  private count(content: number, end: number, hasCarriageReturn: boolean): boolean {
    if (content === this.state.recordStart && this.rules.skipsBlank) {
      this.blanks += 1;
    } else {
      this.rows += 1;
      if (hasCarriageReturn) this.withCarriageReturn += 1;
    }
    return end >= this.pieceBytes;
  }

  private take(): Piece {
    const piece: Piece = {
      bytes: this.held.take(),
      rows: this.rows,
      firstLine: this.firstLine,
      isPlain: this.blanks === 0 && (this.withCarriageReturn === 0 || this.withCarriageReturn === this.rows),
    };
    this.rows = 0;
    this.blanks = 0;
    this.withCarriageReturn = 0;
    this.firstLine = this.state.line;
    this.state.recordStart = 0;
    return piece;
  }
}

/** The records of a piece one by one, without their line endings, for when not every one of them is good. */
export class Records {
  private readonly starts: number[] = [];
  private readonly ends: number[] = [];
  private readonly lines: number[] = [];
  /** How many lines COPY has counted after each record: one for each, and one for each line break inside quotes. */
  private readonly linesAfter: number[] = [];

  constructor(
    readonly bytes: Uint8Array,
    rules: Omit<RecordRules, 'maxRowBytes'>,
    firstLine: number,
  ) {
    const state: Scan = { isQuoted: false, lastByte: -1, line: firstLine, recordStart: 0, recordLine: firstLine };
    const add = (content: number): void => {
      if (content === state.recordStart && rules.skipsBlank) return;
      this.starts.push(state.recordStart);
      this.ends.push(content);
      this.lines.push(state.recordLine);
      this.linesAfter.push((this.linesAfter.at(-1) ?? 0) + Math.max(1, state.line - state.recordLine));
    };
    // The row's length was checked when the piece was cut.
    scan(bytes, 0, state, { ...rules, maxRowBytes: Infinity }, (content) => {
      add(content);
      return false;
    });
    const hasCarriageReturn = rules.ending === 'lf' && state.lastByte === carriageReturn;
    if (bytes.length > state.recordStart) add(bytes.length - (hasCarriageReturn ? 1 : 0));
  }

  get length(): number {
    return this.starts.length;
  }

  /** One record's own bytes. */
  at(index: number): Uint8Array {
    return this.bytes.subarray(this.starts[index], this.ends[index]);
  }

  /** The line of the file on which a record begins. */
  lineOf(index: number): number {
    return this.lines[index]!;
  }

  /** The record on which COPY was when it had counted `line` lines before this one, from record `from` on; null after the last. */
  atCopyLine(from: number, line: number): number | null {
    const wanted = (from === 0 ? 0 : this.linesAfter[from - 1]!) + line;
    let low = from;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.linesAfter[middle]! > wanted) high = middle;
      else low = middle + 1;
    }
    return low < this.length ? low : null;
  }

  /** The records from `from` up to but not including `to`, each with one line feed behind it. */
  join(from: number, to: number): Uint8Array {
    const parts: Uint8Array[] = [];
    for (let i = from; i < to; i += 1) parts.push(this.at(i), newline);
    return Buffer.concat(parts);
  }
}

const newline = Uint8Array.of(lineFeed);
