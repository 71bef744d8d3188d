/**
 * JSON in pieces of its own text. What is taken out of a document and put into another keeps every digit and the order of its
 * keys, which a value that went through JavaScript would not. All of it is for text that `JSON.parse` has accepted.
 */

/** The text of an object's members, by key; of a doubled key the last counts. */
export function membersOf(json: string): Map<string, string> {
  const members = new Map<string, string>();
  let at = pastBlanks(json, pastBlanks(json, 0) + 1);
  while (json[at] !== '}') {
    const afterKey = pastString(json, at);
    const key = JSON.parse(json.slice(at, afterKey)) as string;
    const start = pastBlanks(json, pastBlanks(json, afterKey) + 1);
    const end = pastValue(json, start);
    members.set(key, json.slice(start, end));
    at = pastComma(json, end);
  }
  return members;
}

/** The text of an array's elements. */
export function elementsOf(json: string): string[] {
  const elements: string[] = [];
  let at = pastBlanks(json, pastBlanks(json, 0) + 1);
  while (json[at] !== ']') {
    const end = pastValue(json, at);
    elements.push(json.slice(at, end));
    at = pastComma(json, end);
  }
  return elements;
}

export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null';

/** What a text of JSON is, by its first sign. */
export function kindOfJson(json: string): JsonKind {
  switch (json[pastBlanks(json, 0)]) {
    case '{':
      return 'object';
    case '[':
      return 'array';
    case '"':
      return 'string';
    case 't':
    case 'f':
      return 'boolean';
    case 'n':
      return 'null';
    default:
      return 'number';
  }
}

/** Writes an object of members that are JSON already. */
export function objectOf(members: Iterable<readonly [string, string]>): string {
  return `{${Array.from(members, ([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`;
}

/** How deep brackets stand in one another at most; strings are passed over. Also for text that may be no JSON at all. */
export function depthOfJson(text: string): number {
  const next = /["[\]{}]/g;
  let depth = 0;
  let deepest = 0;
  for (let match = next.exec(text); match !== null; match = next.exec(text)) {
    if (match[0] === '"') next.lastIndex = pastString(text, match.index);
    else if (match[0] === '[' || match[0] === '{') deepest = Math.max(deepest, (depth += 1));
    else depth -= 1;
  }
  return deepest;
}

function pastBlanks(json: string, at: number): number {
  while (json[at] === ' ' || json[at] === '\n' || json[at] === '\r' || json[at] === '\t') at += 1;
  return at;
}

function pastComma(json: string, at: number): number {
  const next = pastBlanks(json, at);
  return json[next] === ',' ? pastBlanks(json, next + 1) : next;
}

/** The place after the string that begins here. An odd number of backslashes before a quote makes it part of the string. */
function pastString(json: string, at: number): number {
  for (let quote = json.indexOf('"', at + 1); ; quote = json.indexOf('"', quote + 1)) {
    if (quote === -1) return json.length;
    let before = quote - 1;
    while (json[before] === '\\') before -= 1;
    if ((quote - before) % 2 === 1) return quote + 1;
  }
}

function pastValue(json: string, at: number): number {
  const first = json[at];
  if (first === '"') return pastString(json, at);
  if (first === '{' || first === '[') return pastBrackets(json, at);
  const rest = /[^\s,\]}]*/y;
  rest.lastIndex = at;
  rest.exec(json);
  return rest.lastIndex;
}

function pastBrackets(json: string, at: number): number {
  const next = /["[\]{}]/g;
  next.lastIndex = at;
  for (let depth = 0; ; ) {
    const sign = next.exec(json)![0];
    if (sign === '"') next.lastIndex = pastString(json, next.lastIndex - 1);
    else if (sign === '{' || sign === '[') depth += 1;
    else if ((depth -= 1) === 0) return next.lastIndex;
  }
}
