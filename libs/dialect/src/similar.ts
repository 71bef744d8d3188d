/** PostgreSQL cuts names at 63 bytes; comparing longer texts would only cost time. */
const longestName = 200;
const mostCandidates = 2000;
const mostCompared = 50;

/**
 * The candidate most like a name, if it is like it enough. The protocol's hints come from a fuzzy set, and so does the choice
 * among equals here: what shares most runs of three letters (or else of two) is compared letter by letter; the share of equal
 * letters decides (0.75 for tables and functions, a third elsewhere).
 */
export function mostSimilar(name: string, candidates: readonly string[], minScore: number): string | null {
  if (name.length > longestName || candidates.length > mostCandidates) return null;
  const wanted = name.toLowerCase();
  const short = candidates.filter((candidate) => candidate.length <= longestName);
  const same = short.find((candidate) => candidate.toLowerCase() === wanted);
  if (same !== undefined) return same;
  for (const size of [3, 2]) {
    const found = best(wanted, short, size, minScore);
    if (found !== null) return found;
  }
  return null;
}

function best(wanted: string, candidates: readonly string[], size: number, minScore: number): string | null {
  const grams = gramsOf(wanted, size);
  const near = candidates.map((candidate) => ({ candidate, angle: cosine(grams, gramsOf(candidate.toLowerCase(), size)) })).filter(({ angle }) => angle > 0);
  near.sort((a, b) => b.angle - a.angle);
  let found: { candidate: string; score: number } | null = null;
  for (const { candidate } of near.slice(0, mostCompared)) {
    const score = similarity(wanted, candidate.toLowerCase());
    if (score >= minScore && score > (found?.score ?? 0)) found = { candidate, score };
  }
  return found?.candidate ?? null;
}

type Grams = ReadonlyMap<string, number>;

/** How often each run of letters occurs. Signs count for nothing: the list of no parameters is like no other list. */
function gramsOf(name: string, size: number): Grams {
  const text = `-${name.replace(/[^\p{L}\p{N}, ]+/gu, '')}-`;
  const padded = text.padEnd(size, '-');
  const grams = new Map<string, number>();
  for (let i = 0; i + size <= padded.length; i += 1) {
    const gram = padded.slice(i, i + size);
    grams.set(gram, (grams.get(gram) ?? 0) + 1);
  }
  return grams;
}

function cosine(a: Grams, b: Grams): number {
  let product = 0;
  for (const [gram, count] of a) product += count * (b.get(gram) ?? 0);
  return product === 0 ? 0 : product / (lengthOf(a) * lengthOf(b));
}

function lengthOf(grams: Grams): number {
  return Math.sqrt([...grams.values()].reduce((sum, count) => sum + count * count, 0));
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
