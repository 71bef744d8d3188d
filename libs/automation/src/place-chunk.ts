import { isUtf8 } from 'node:buffer';
import { isDatabaseError, rowSecurityBinds, type KeptChunk, type Reject, type Transaction } from '@mainstay/persistence';
import { Records } from './cut-records.ts';
import { explainReject } from './explain-reject.ts';
import { placeRows, type Placing } from './place-rows.ts';
import { refusalOf, type Refusal } from './refusal.ts';
import { copyStraight, Stage, type Destination } from './write-rows.ts';

/** What became of some rows of a chunk. */
export interface Placed {
  /** How many were read: all, or up to and with the one that was one too many. */
  readonly rows: number;
  readonly written: number;
  readonly rejects: readonly Reject[];
}

/**
 * Writes rows `from` up to but not including `to` of a chunk as the role of the transaction, and sets aside those that PostgreSQL
 * refuses, at most `mayRefuse` and one more. A clean chunk goes as a whole; only one that fails is taken apart.
 * @throws every error that is no fault of the rows
 */
export async function placeChunk(tx: Transaction, to: Destination, chunk: KeptChunk, from: number, end: number, mayRefuse: number): Promise<Placed> {
  const records = chunk.isPlain && from === 0 && end === chunk.rows ? null : recordsOf(to, chunk);
  const isStraight = await goesStraight(tx, to);
  try {
    const bytes = records === null ? chunk.slices : [records.join(from, end)];
    const written = await tx.savepoint(() => (isStraight ? copyStraight(tx, to, bytes, end - from) : throughStage(tx, to, bytes, end - from)));
    return { rows: end - from, written, rejects: [] };
  } catch (error) {
    if (refusalOf(error) === null) throw error;
  }
  const apart = new ChunkApart(tx, to, chunk, records ?? recordsOf(to, chunk), mayRefuse);
  return isStraight ? apart.placeStraight(from, end) : apart.placeThroughStage(from, end);
}

/** A whole chunk as COPY takes it. */
export function copyableBytes(chunk: KeptChunk, to: Destination): readonly Uint8Array[] {
  return chunk.isPlain ? chunk.slices : [recordsOf(to, chunk).join(0, chunk.rows)];
}

function recordsOf({ format, terms }: Destination, chunk: KeptChunk): Records {
  return new Records(Buffer.concat(chunk.slices), { format, ending: terms.ending, skipsBlank: skipsBlank(format, terms.columns.length) }, chunk.firstLine);
}

/** An empty line is a row only where a row can be one empty value. */
export function skipsBlank(format: Destination['format'], columns: number): boolean {
  return format === 'ndjson' || columns > 1;
}

/** COPY cannot write under row policies, nor resolve conflicts. */
async function goesStraight(tx: Transaction, { target, format, terms }: Destination): Promise<boolean> {
  return format === 'csv' && terms.conflict === null && target.takesCopy && !(await rowSecurityBinds(tx, target.oid));
}

async function throughStage(tx: Transaction, to: Destination, bytes: readonly Uint8Array[], rows: number): Promise<number> {
  const stage = await new Stage(tx, to, false).open();
  await stage.fill(bytes, 0, rows);
  const written = await pourWhole(tx, stage, to);
  await stage.close();
  return written;
}

/** Writes all that a stage holds; where rows of one file replace each other, the last one wins. Gives how many count as written. */
export async function pourWhole(tx: Transaction, stage: Stage, { terms }: Destination): Promise<number> {
  if (terms.conflict?.resolution !== 'merge') return stage.pour();
  try {
    return await tx.savepoint(() => stage.pour());
  } catch (error) {
    // 21000: one statement cannot write to a row twice.
    if (!isDatabaseError(error) || error.code !== '21000') throw error;
    return (await stage.dropReplaced()) + (await stage.pour());
  }
}

/** Thrown out of the placing when one row too many was refused. */
class TooManyRefused extends Error {
  constructor(readonly row: number) {
    super('too many rows were refused');
  }
}

/** A chunk in which something is wrong, taken apart record by record where need be. */
class ChunkApart {
  private readonly rejects: Reject[] = [];
  /** The rows of the rejects, as numbered in the chunk. */
  private readonly refused: number[] = [];
  private written = 0;

  constructor(
    private readonly tx: Transaction,
    private readonly to: Destination,
    private readonly chunk: KeptChunk,
    private readonly records: Records,
    private readonly mayRefuse: number,
  ) {}

  async placeStraight(from: number, to: number): Promise<Placed> {
    const end = await this.place(from, to, this.suspects(), (first, last) => copyStraight(this.tx, this.to, [this.records.join(first, last)], last - first));
    return this.placed(from, end);
  }

  /** First every value is brought to its type, which COPY refuses line by line; then the rows are written, in the order of the file. */
  async placeThroughStage(from: number, to: number): Promise<Placed> {
    const stage = await new Stage(this.tx, this.to, true).open();
    const filled = await this.place(from, to, this.suspects(), async (first, last) => {
      await stage.fill([this.records.join(first, last)], first, last - first);
      return 0;
    });
    await stage.index();
    const refused = new Set(this.refused);
    const end = await this.place(from, filled, [...refused], async (first, last) => {
      if (!refused.has(first)) return stage.pourRange(first, last);
      // Refused in the first pass, and now it is its turn to count.
      this.refuseTooMany(first);
      return 0;
    });
    await stage.close();
    return this.placed(from, end);
  }

  /** @returns the row after the last that was dealt with */
  private async place(from: number, to: number, suspects: readonly number[], put: (from: number, to: number) => Promise<number>): Promise<number> {
    const placing: Placing = {
      suspects,
      put: async (first, last) => {
        this.written += await this.tx.savepoint(() => put(first, last));
      },
      refuse: (row, refusal, error) => this.refuse(row, refusal, error),
      rowAtCopyLine: (first, last, line) => {
        const row = this.records.atCopyLine(first, line);
        return row === null || row >= last ? null : row;
      },
    };
    try {
      await placeRows(placing, from, to);
      return to;
    } catch (error) {
      if (!(error instanceof TooManyRefused)) throw error;
      return error.row + 1;
    }
  }

  private async refuse(index: number, refusal: Refusal, error: unknown): Promise<void> {
    const row = this.chunk.firstRow + index;
    this.rejects.push(await explainReject(this.tx, this.to, { row, line: this.records.lineOf(index), record: this.records.at(index) }, refusal, error));
    this.refused.push(index);
    this.refuseTooMany(index);
  }

  /** Rows that an earlier pass refused further on do not count yet: they may never be reached. */
  private refuseTooMany(index: number): void {
    if (this.refused.filter((refused) => refused <= index).length > this.mayRefuse) throw new TooManyRefused(index);
  }

  private placed(from: number, end: number): Placed {
    const rejects = this.rejects.filter(({ row }) => row < this.chunk.firstRow + end).sort((a, b) => a.row - b.row);
    return { rows: end - from, written: this.written, rejects };
  }

  /** Records that cannot be good, found without PostgreSQL: about encodings and JSON it does not say which line it was. */
  private suspects(): number[] {
    const isJson = this.to.format === 'ndjson';
    if (!isJson && isUtf8(this.records.bytes) && !this.records.bytes.includes(0)) return [];
    const suspects: number[] = [];
    for (let i = 0; i < this.records.length; i += 1) {
      const record = this.records.at(i);
      if (!isUtf8(record) || record.includes(0) || (isJson && !isObject(record))) suspects.push(i);
    }
    return suspects;
  }
}

function isObject(record: Uint8Array): boolean {
  try {
    const value: unknown = JSON.parse(Buffer.from(record).toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
