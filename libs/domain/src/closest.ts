/** PostgreSQL cuts names at 63 bytes; a longer text is no mistyped name, and comparing it would only cost time. */
const longestName = 63;

/** The candidate that a mistyped name most likely meant, for `did you mean …?`; null where none is near. */
export function closest(name: string, candidates: Iterable<string>): string | null {
  if (name.length > longestName) return null;
  const wanted = fold(name);
  let best: { candidate: string; distance: number } | null = null;
  for (const candidate of candidates) {
    if (candidate.length > longestName) continue;
    const distance = editDistance(wanted, fold(candidate));
    if (distance < (best?.distance ?? Math.max(1, Math.floor(wanted.length / 3)) + 1)) best = { candidate, distance };
  }
  return best?.candidate ?? null;
}

/** `Created At`, `createdAt` and `created_at` are near each other for a reader. */
function fold(name: string): string {
  return name.toLowerCase().replace(/[\s_-]+/g, '');
}

/** Insertions, deletions, changes and swaps of neighbours between two texts (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min(row[j - 1]! + 1, last[j]! + 1, last[j - 1]! + change);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, beforeLast[j - 2]! + 1);
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
