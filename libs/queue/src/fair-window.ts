/** Most ids of a queue that lie in Bull unclaimed. */
export const widest = 500;

const quickMs = 250;
const slowMs = 500;

/**
 * How many unclaimed ids of a queue Bull may hold after one was claimed that had lain there for `waitedMs`.
 *
 * Bull is first in, first out: whatever lies in it delays whoever comes next, of another owner too. So it shall hold half a
 * second's work and no more: hundreds of ids where jobs take a millisecond, a handful where they take minutes. It opens by
 * one with each quick claim, as TCP does, and closes by an eighth with each slow one; never below `narrowest`, which keeps
 * every slot of the queue busy.
 */
export function nextWindow(size: number, waitedMs: number, narrowest: number): number {
  if (waitedMs < quickMs) return Math.min(size + 1, Math.max(widest, narrowest));
  if (waitedMs > slowMs) return Math.max(Math.floor(size - size / 8), narrowest);
  return size;
}
