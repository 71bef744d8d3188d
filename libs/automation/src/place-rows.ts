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
  let start = from;
  while (start < to) {
    const failed = await attempt(placing, start, to);
    if (failed === null) return;
    if (to - start === 1) return placing.refuse(start, failed.refusal, failed.error);
    const bad = failed.refusal.copyLine === null ? null : placing.rowAtCopyLine(start, to, failed.refusal.copyLine);
    if (bad === null) return placeHalves(placing, start, to);
    await placeRange(placing, start, bad);
    const alone = await attempt(placing, bad, bad + 1);
    // COPY reads ahead of what it writes, so the line that it names may be a wrong one; trusting it again could take as long as there are rows.
    if (alone === null) return placeHalves(placing, bad + 1, to);
    await placing.refuse(bad, alone.refusal, alone.error);
    start = bad + 1;
  }
}

async function placeHalves(placing: Placing, from: number, to: number): Promise<void> {
  const middle = from + Math.ceil((to - from) / 2);
  await placeRange(placing, from, middle);
  await placeRange(placing, middle, to);
}

async function attempt(placing: Placing, from: number, to: number): Promise<{ refusal: Refusal; error: unknown } | null> {
  try {
    await placing.put(from, to);
    return null;
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === null) throw error;
    return { refusal, error };
  }
}
