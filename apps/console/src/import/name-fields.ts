const longestName = 63;

/** `Flight Date (UTC)` → `flight_date_utc`: a name that needs no quotes in SQL. Letters of any script stay. */
export function toName(text: string, fallback: string): string {
  const plain = text
    .replaceAll('ß', 'ss')
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/([\p{Ll}\d])(\p{Lu})/gu, '$1_$2')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '_')
    .replace(/^_+|_+$/g, '');
  if (plain === '') return fallback;
  return (/^\p{N}/u.test(plain) ? `n_${plain}` : plain).slice(0, longestName);
}

/** One name per column of a file, all different; a column without a name is called by its place. */
export function nameFields(headers: readonly (string | null)[]): string[] {
  const taken = new Set<string>();
  return headers.map((header, index) => {
    const wish = toName(header ?? '', `column_${index + 1}`);
    let name = wish;
    for (let again = 2; taken.has(name); again++) name = `${wish.slice(0, longestName - 4)}_${again}`;
    taken.add(name);
    return name;
  });
}

/** `Flights 2001.csv.gz` → `flights_2001`. */
export function nameCollection(fileName: string): string {
  return toName(fileName.replace(/(\.(csv|tsv|txt|ndjson|jsonl|json|gz))+$/i, ''), 'imported');
}

/** Says what is wrong with a name for a field or a collection, or null; the api refuses the same. */
export function nameProblem(name: string): string | null {
  if (name.trim() === '') return 'A name is needed.';
  if (new TextEncoder().encode(name).length > longestName) return `At most ${longestName} bytes are a name in PostgreSQL.`;
  if (!/^[\p{L}_]/u.test(name)) return 'A name begins with a letter or _.';
  if (!/^[\p{L}\p{M}\p{N}_ -]*[\p{L}\p{M}\p{N}_]$/u.test(name)) return 'A name holds letters, digits, _, blanks and hyphens.';
  return null;
}
