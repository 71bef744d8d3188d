/** PostgreSQL cuts names at 63 bytes; comparing longer texts would only cost time. */
const longestName = 200;
const mostCandidates = 2000;

/**
 * The candidate most like a name, if it is like it enough. The protocol's hints ask for a share of equal letters
 * (0.75 for tables and functions, a third for parameters), which is another question than `closest` of `domain` answers.
 */
export function mostSimilar(name: string, candidates: readonly string[], minScore: number): string | null {
  if (name.length > longestName || candidates.length > mostCandidates) return null;
  const wanted = fold(name);
  let best: { candidate: string; score: number } | null = null;
  for (const candidate of candidates) {
    if (candidate.length > longestName) continue;
    const score = similarity(wanted, fold(candidate));
    if (score >= minScore && score > (best?.score ?? 0)) best = { candidate, score };
  }
  return best?.candidate ?? null;
}

/** Signs count for nothing: the list of no parameters is like no other list. */
function fold(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}, ]+/gu, '');
}

function similarity(a: string, b: string): number {
  const longest = Math.max(a.length, b.length);
  return longest === 0 ? 0 : 1 - distance(a, b) / longest;
}

function distance(a: string, b: string): number {
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) row.push(Math.min(row[j - 1]! + 1, last[j]! + 1, last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    last = row;
  }
  return last[b.length]!;
}
