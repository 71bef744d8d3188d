import { existsSync, readFileSync } from 'node:fs';

/** Resident memory of a process now; null of one that is gone. */
export function residentMiB(pid: number): number | null {
  if (!existsSync(`/proc/${pid}/status`)) return null;
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
}

/** Resident memory of a process over a time, in MiB. Flat is what needs no more in the second half than in the first. */
export interface WatchedMemory {
  readonly atFirst: number;
  readonly mostInFirstHalf: number;
  readonly mostInSecondHalf: number;
}

/** Looks at a process ten times a second; gives the function that ends it and says what was seen. */
export function watchMemory(pid: number): () => WatchedMemory {
  const seen: number[] = [];
  const look = (): void => {
    // A process that is gone has said its last figure; what ended it is told elsewhere.
    const mib = residentMiB(pid);
    if (mib !== null) seen.push(mib);
  };
  look();
  const timer = setInterval(look, 100);
  return () => {
    clearInterval(timer);
    look();
    const middle = Math.ceil(seen.length / 2);
    return { atFirst: seen[0]!, mostInFirstHalf: Math.max(...seen.slice(0, middle)), mostInSecondHalf: Math.max(...seen.slice(middle)) };
  };
}

export function describeMemory({ atFirst, mostInFirstHalf, mostInSecondHalf }: WatchedMemory): string {
  return [atFirst, mostInFirstHalf, mostInSecondHalf].map((mib) => mib.toFixed(0)).join(', ');
}
