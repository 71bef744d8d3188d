import { refusalOf, type Refusal } from './refusal.ts';

/** How rows, numbered from 0, are written and set aside. */
export interface Placing {
  /** Writes the rows from `from` up to but not including `to`, all or none: when it throws, nothing of them stays. */
  readonly put: (from: number, to: number) => Promise<void>;
  /** Sets one row aside; a throw ends the placing. */
  readonly refuse: (row: number, refusal: Refusal, error: unknown) => Promise<void>;
  /** The row on which COPY was, by the line that it counted from `from` on; null where there is no such row. */
  readonly rowAtCopyLine: (from: number, to: number, line: number) => number | null;
  /** Rows known to be bad, in order: each is tried alone, to hear PostgreSQL's own reason. */
  readonly suspects: readonly number[];
}

/**
 * Writes all rows but the bad ones, in order. What cannot be written as a whole is split where COPY names a line, else in
 * halves, until the bad row stands alone. So when `refuse` throws, every row before that one is written and none after it.
 * @throws what `refuse` throws, and every error that is no fault of the rows
 */
export async function placeRows(placing: Placing, from: number, to: number): Promise<void> {
  let start = from;
  for (const suspect of placing.suspects) {
    if (suspect < start || suspect >= to) continue;
    await placeRange(placing, start, suspect);
    await placeRange(placing, suspect, suspect + 1);
    start = suspect + 1;
  }
  await placeRange(placing, start, to);
}

async function placeRange(placing: Placing, from: number, to: number): Promise<void> {
  let window = to - from;
  for (let start = from; start < to; ) {
    const end = Math.min(to, start + window);
    const failed = await attempt(placing, start, end);
    // Bad rows come in swarms: after one, a few rows are tried, then more and more. The whole rest each time would be sent in vain.
    window = failed === null ? window * 4 : windowAfterRefusal;
    start = failed === null ? end : await placeFailed(placing, start, end, failed);
  }
}

const windowAfterRefusal = 32;

interface Failed {
  readonly refusal: Refusal;
  readonly error: unknown;
}

/** Places the rows of a put that failed, up to and with its first bad row where COPY names that, else all. @returns the next row */
async function placeFailed(placing: Placing, from: number, to: number, failed: Failed): Promise<number> {
  if (to - from === 1) {
    await placing.refuse(from, failed.refusal, failed.error);
    return to;
  }
  const bad = failed.refusal.copyLine === null ? null : placing.rowAtCopyLine(from, to, failed.refusal.copyLine);
  if (bad === null) return placeHalves(placing, from, to);
  await placeRange(placing, from, bad);
  const alone = await attempt(placing, bad, bad + 1);
  // COPY reads ahead of what it writes, so the line that it names may be a wrong one; trusting it again could take as long as there are rows.
  if (alone === null) return placeHalves(placing, bad + 1, to);
  await placing.refuse(bad, alone.refusal, alone.error);
  return bad + 1;
}

async function placeHalves(placing: Placing, from: number, to: number): Promise<number> {
  const middle = from + Math.ceil((to - from) / 2);
  await placeRange(placing, from, middle);
  await placeRange(placing, middle, to);
  return to;
}

async function attempt(placing: Placing, from: number, to: number): Promise<Failed | null> {
  try {
    await placing.put(from, to);
    return null;
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === null) throw error;
    return { refusal, error };
  }
}
