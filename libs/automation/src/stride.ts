/** A step shall take about this long: a cancelled import ends soon, a killed worker has little to repeat, the bar moves. */
const goodMs = 1000;
const tooLongMs = 2000;

/** How many rows one transaction takes: a whole chunk, and fewer where triggers, checks or locks make them slow. */
export class Stride {
  rows = Infinity;

  /** Learns from a step that went well. */
  adapt(rows: number, ms: number): void {
    if (ms > tooLongMs) this.rows = Math.max(1, Math.floor((rows * goodMs) / ms));
    else if (ms < goodMs / 2 && rows >= this.rows) this.rows = rows * 2;
  }

  /** A step was stopped because it took too long. */
  shorten(rows: number): void {
    this.rows = Math.max(1, Math.floor(rows / 8));
  }
}
