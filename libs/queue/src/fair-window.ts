/** Most ids of a queue that lie in Bull unclaimed. */
export const widest = 500;
/** Most ids that travel through Bull as one. */
const mostBundled = 16;

const quickMs = 250;
const slowMs = 500;
const restedMs = 1000;

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

/**
 * How many a queue's window is after no id of it was claimed for so long. It was opened by jobs that are over, and what comes next may take
 * minutes where those took a millisecond: five hundred of that would be in Bull before the first had been seen to wait.
 */
export function restedWindow(size: number, restMs: number, narrowest: number): number {
  return restMs > restedMs ? narrowest : size;
}

/**
 * How many ids travel through Bull as one message. What Bull and Redis do for a message costs more than an empty job, so ids
 * that lie there several rounds deep are bundled: only a window that quick jobs have opened is that deep, and a bundle is never
 * more than a quarter of a slot's share of it.
 */
export function bundleSize(window: number, narrowest: number): number {
  return Math.max(1, Math.min(Math.floor(window / (4 * narrowest)), mostBundled));
}
