/** Bounds for what takes from half a millisecond to ten seconds. */
export const quickBounds: readonly number[] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Bounds for what takes from a few milliseconds to an hour. */
export const slowBounds: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600];

/** How often a value fell between which bounds. Bare numbers, since requests pay for it: 20 ns a value. */
export class Histogram {
  /** By bucket, not cumulated; the last is for what is above every bound. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(readonly bounds: readonly number[] = quickBounds) {
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const { bounds } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket += 1;
    this.counts[bucket]! += 1;
    this.sum += value;
  }

  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  /** Gives what was counted since the last time, and begins anew; null when that is nothing. */
  take(): { readonly counts: readonly number[]; readonly sum: number } | null {
    if (this.count === 0) return null;
    const taken = { counts: [...this.counts], sum: this.sum };
    this.counts.fill(0);
    this.sum = 0;
    return taken;
  }

  /** Counts in what was counted elsewhere, with the same bounds. */
  add({ counts, sum }: { readonly counts: readonly number[]; readonly sum: number }): void {
    counts.forEach((count, bucket) => (this.counts[bucket]! += count));
    this.sum += sum;
  }
}
