/** Breaks JSON into lines. It works on the text and parses nothing: a number keeps every digit that PostgreSQL gave it. */
export function prettyJson(text: string): string {
  let out = '';
  let depth = 0;
  let last = '';
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/g)) {
    const isClosing = token === '}' || token === ']';
    const isAfterOpening = last === '{' || last === '[';
    if (isClosing) depth--;
    if (isClosing ? !isAfterOpening : isAfterOpening || last === ',') out += `\n${'  '.repeat(depth)}`;
    out += token === ':' ? ': ' : token;
    if (token === '{' || token === '[') depth++;
    last = token;
  }
  return out;
}
