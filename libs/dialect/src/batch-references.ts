import { elementsOf, kindOfJson, membersOf, objectOf } from './json-spans.ts';
import { batchFault } from './parse-batch.ts';
import type { RestAnswer } from './render.ts';

/** What an entry may refer to. */
export interface AnswersSoFar {
  /** By the index of their request. */
  readonly answers: readonly RestAnswer[];
  /** How long what is put in may be in all, in one entry: a small reference to a large answer is quickly written often. */
  readonly maxLength: number;
}

/**
 * Puts what earlier answers hold into a piece of JSON: an object with the only key `$ref`, such as
 * `{"$ref": "0.body[0].id"}`, becomes what it names. `{"$literal": …}` stands for its content as it is.
 * @throws Fault `batch_reference_not_valid`
 */
export function resolved(json: string, so: AnswersSoFar): string {
  // The name may have been written with an escape.
  if (!/\$ref|\$literal|\\u0024/i.test(json)) return json;
  let left = so.maxLength;
  const found = (reference: string): string => {
    const value = lookUp(reference, so);
    if ((left -= value.length) < 0) throw wrong(`What the request refers to is longer than ${so.maxLength} characters.`);
    return value;
  };
  return resolvedPiece(json, found);
}

function resolvedPiece(json: string, found: (reference: string) => string): string {
  const kind = kindOfJson(json);
  if (kind === 'array') return `[${elementsOf(json).map((element) => resolvedPiece(element, found)).join(',')}]`;
  if (kind !== 'object') return json;
  const members = membersOf(json);
  const [only] = members.size === 1 ? members : [];
  if (only?.[0] === '$literal') return only[1];
  if (only?.[0] === '$ref') return found(nameOf(only[1]));
  return objectOf([...members].map(([key, value]) => [key, resolvedPiece(value, found)] as const));
}

/** The reference that a piece of JSON is, or null. */
export function referenceIn(json: string): string | null {
  if (kindOfJson(json) !== 'object') return null;
  const [only, ...others] = membersOf(json);
  return only?.[0] === '$ref' && others.length === 0 ? nameOf(only[1]) : null;
}

function nameOf(json: string): string {
  const name: unknown = JSON.parse(json);
  if (typeof name !== 'string') throw wrong('A $ref must be a string.');
  return name;
}

/** What a reference names, as JSON. @throws Fault `batch_reference_not_valid` */
export function lookUp(reference: string, { answers }: AnswersSoFar): string {
  const { index, part, steps } = parseReference(reference);
  const answer = answers[index];
  if (answer === undefined) throw wrong(`"${reference}" names request ${index}, which is not before this one.`);
  let so = `${index}.${part}`;
  let json = partOf(answer, part, so);
  for (const [depth, step] of steps.entries()) {
    const found = depth === 0 && part === 'body' ? stepIntoBody(answer, json, step) : stepInto(json, step);
    if (found === undefined) throw wrong(`"${reference}": ${so} ${emptyHanded(json, step)}.`);
    json = found;
    so += typeof step === 'number' ? `[${step}]` : `.${step}`;
  }
  return json;
}

type Part = 'body' | 'status' | 'headers';
type Step = string | number;

function parseReference(reference: string): { index: number; part: Part; steps: Step[] } {
  const start = /^(\d{1,6})\.(body|status|headers)(?=[.[]|$)/.exec(reference);
  if (start === null) throw notReadable(reference);
  const step = /\.([^.[\]"]+)|\[(\d{1,9})\]|\[("(?:[^"\\]|\\.)*")\]/y;
  const steps: Step[] = [];
  step.lastIndex = start[0].length;
  while (step.lastIndex < reference.length) {
    const match = step.exec(reference);
    if (match === null) throw notReadable(reference);
    steps.push(match[1] ?? (match[2] === undefined ? quoted(match[3]!, reference) : Number(match[2])));
  }
  return { index: Number(start[1]), part: start[2] as Part, steps };
}

function quoted(text: string, reference: string): string {
  try {
    return JSON.parse(text) as string;
  } catch {
    // An escape that JSON does not have.
    throw notReadable(reference);
  }
}

function notReadable(reference: string): Error {
  return batchFault('batch_reference_not_valid', {
    details: `"${reference}" cannot be read.`,
    hint: 'A $ref is written like "0.body[0].id", "0.status" or "0.headers.location"; a key with dots is quoted: "0.body[\\"a.b\\"]". An object that only looks like one is written {"$literal": {…}}.',
  });
}

function partOf({ status, headers, body }: RestAnswer, part: Part, name: string): string {
  if (part === 'status') return String(status);
  if (part === 'headers') return objectOf(headers.map(([header, value]) => [header.toLowerCase(), JSON.stringify(value)] as const));
  if (typeof body === 'string' && isJson(headers)) return body;
  const why = body === null ? 'that answer has no body; ask for one with "Prefer": "return=representation"' : 'that body is not JSON';
  throw wrong(`"${name}" has nothing to name: ${why}.`);
}

/** Whether an answer's body is JSON. */
export function isJson(headers: RestAnswer['headers']): boolean {
  const type = headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '';
  return /^application\/([\w.-]+\+)?json\b/i.test(type);
}

/** Bodies taken apart: many may refer to one, and it may be large. */
const rowsOf = new WeakMap<RestAnswer, string[]>();

function stepIntoBody(answer: RestAnswer, json: string, step: Step): string | undefined {
  if (typeof step !== 'number' || kindOfJson(json) !== 'array') return stepInto(json, step);
  let rows = rowsOf.get(answer);
  if (rows === undefined) rowsOf.set(answer, (rows = elementsOf(json)));
  return rows[step];
}

function stepInto(json: string, step: Step): string | undefined {
  const kind = kindOfJson(json);
  if (typeof step === 'number') return kind === 'array' ? elementsOf(json)[step] : undefined;
  return kind === 'object' ? membersOf(json).get(step) : undefined;
}

function emptyHanded(json: string, step: Step): string {
  const kind = kindOfJson(json);
  if (typeof step === 'number') return kind === 'array' ? `has ${elementsOf(json).length} elements` : `is no list (${kind})`;
  return kind === 'object' ? `has no "${step}"` : `is no object (${kind})`;
}

function wrong(details: string): Error {
  return batchFault('batch_reference_not_valid', { details });
}
