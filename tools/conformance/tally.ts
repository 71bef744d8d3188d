import type { Difference, Known } from './known.ts';

/** How often each thing came up. */
export interface Tally {
  asked: number;
  same: number;
  readonly known: Map<Known, number>;
  readonly unknown: Difference[];
}

export function emptyTally(): Tally {
  return { asked: 0, same: 0, known: new Map(), unknown: [] };
}
