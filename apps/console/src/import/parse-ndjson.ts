/** The objects of the beginning of an NDJSON text, each with its values as they were written. */
export interface JsonRows {
  /** Keys in the order in which they were first met. */
  readonly keys: readonly string[];
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  /** Line numbers that hold no JSON object. */
  readonly badLines: readonly number[];
}

export function parseNdjson(text: string, { isCut }: { isCut: boolean }): JsonRows {
  const lines = text.split(/\r\n|\n|\r/);
  if (isCut) lines.pop();
  const keys = new Set<string>();
  const rows: Record<string, unknown>[] = [];
  const badLines: number[] = [];
  lines.forEach((line, index) => {
    if (line.trim() === '') return;
    const row = parseObject(line);
    if (row === null) return badLines.push(index + 1);
    rows.push(row);
    Object.keys(row).forEach((key) => keys.add(key));
  });
  return { keys: [...keys], rows, badLines };
}

function parseObject(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
