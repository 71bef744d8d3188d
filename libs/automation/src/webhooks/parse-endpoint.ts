import { checkSentHeaders, OutwardRefusal } from '@mainstay/outward';
import { watchedOperations, type WatchedOperation } from '@mainstay/persistence';
import { webhookFault } from './webhook-faults.ts';

/** What is asked for an endpoint; what is undefined stays as it is. */
export interface EndpointInput {
  readonly url: string | undefined;
  readonly description: string | null | undefined;
  readonly events: readonly EventInput[] | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly isPaused: boolean | undefined;
  readonly rate: number | null | undefined;
}

export type EventInput =
  | { readonly kind: 'rows'; readonly schema: string; readonly table: string; readonly operations: readonly WatchedOperation[]; readonly filter: string | null; readonly columns: readonly string[] | null }
  | { readonly kind: 'announced'; readonly pattern: string };

/** Stands for the value of a header in answers, and for *leave it* in questions. */
export const starred = '***';

const known = ['url', 'description', 'events', 'headers', 'is_paused', 'rate'];
const families = ['job', 'import', 'user'];
const mostEvents = 100;

/** Reads the body of a POST or PATCH. @throws Fault that names what is wrong */
export function parseEndpoint(body: unknown): EndpointInput {
  const input = objectOf(body, 'The body');
  refuseUnknown(input, known, 'An endpoint');
  return {
    url: textOf(input, 'url', 2000),
    description: input['description'] === null ? null : textOf(input, 'description', 1000),
    events: input['events'] === undefined ? undefined : eventsOf(input['events']),
    headers: headersOf(input['headers']),
    isPaused: flagOf(input, 'is_paused'),
    rate: rateOf(input['rate']),
  };
}

function eventsOf(value: unknown): EventInput[] {
  if (!Array.isArray(value) || value.length === 0) throw notValid('"events" must be a list of at least one event, such as {"table":"orders","operations":["insert"]} or "job.dead"');
  if (value.length > mostEvents) throw notValid(`"events" lists more than ${mostEvents}`);
  return value.map(eventOf);
}

function eventOf(value: unknown): EventInput {
  if (typeof value === 'string') return { kind: 'announced', pattern: patternOf(value) };
  const event = objectOf(value, 'An event');
  if (event['type'] !== undefined) {
    refuseUnknown(event, ['type'], 'An event with a type');
    return { kind: 'announced', pattern: patternOf(event['type']) };
  }
  refuseUnknown(event, ['schema', 'table', 'operations', 'filter', 'columns'], 'An event of a table');
  const named = textOf(event, 'table', 200);
  const schema = textOf(event, 'schema', 200);
  if (named === undefined) throw eventFault('An event needs a "table", or a "type" such as "job.dead"');
  // With its schema, as `imports/v1` takes it too.
  const [, before, after] = schema === undefined ? (/^([^.]+)\.([^.]+)$/.exec(named) ?? []) : [];
  return {
    kind: 'rows',
    schema: schema ?? before ?? 'public',
    table: after ?? named,
    operations: operationsOf(event['operations']),
    filter: event['filter'] === null ? null : (textOf(event, 'filter', 8000) ?? null),
    columns: columnsOf(event['columns']),
  };
}

function patternOf(value: unknown): string {
  const isPattern = typeof value === 'string' && /^(\*|[a-z]+\.(\*|[a-z_]+\*?))$/.test(value);
  if (!isPattern) throw eventFault(`${shown(value)} is no type of event`, 'Such as "job.dead", "import.*", "user.signed_in", or "*" for all of these.');
  const family = value.split('.')[0]!;
  if (family !== '*' && !families.includes(family)) throw eventFault(`There are no events "${family}.…"`, `There are ${families.map((name) => `${name}.*`).join(', ')}; rows of a table are asked for by "table" and "operations".`);
  return value;
}

/** The pattern as LIKE reads it. */
export function likeOf(pattern: string): string {
  // A star alone is what is announced; rows have a name with two dots, and are asked for by their table.
  return pattern.replace(/[\\%_]/g, '\\$&').replaceAll('*', '%');
}

function operationsOf(value: unknown): WatchedOperation[] {
  if (value === undefined) return ['insert', 'update', 'delete'];
  const words = Array.isArray(value) ? value.map((word: unknown) => (typeof word === 'string' ? word.toLowerCase() : word)) : [];
  const isRight = words.length > 0 && words.every((word) => watchedOperations.includes(word as WatchedOperation));
  if (!isRight) throw eventFault(`"operations" must be a list of ${watchedOperations.join(', ')}, not ${shown(value)}`);
  return [...new Set(words as WatchedOperation[])];
}

function columnsOf(value: unknown): string[] | null {
  if (value === undefined || value === null) return null;
  if (!Array.isArray(value) || value.length === 0 || !value.every((name) => typeof name === 'string')) throw eventFault('"columns" must be a list of names of columns');
  return [...new Set(value as string[])];
}

function headersOf(value: unknown): Record<string, string> | undefined {
  if (value === undefined) return undefined;
  if (value === null) return {};
  const headers = objectOf(value, '"headers"');
  for (const [name, text] of Object.entries(headers)) {
    if (typeof text !== 'string') throw notValid(`The header "${name}" must have a text as its value`);
    if (/^(webhook-|content-type$)/i.test(name)) throw notValid(`The header "${name}" is ours to send`);
  }
  try {
    checkSentHeaders(headers as Record<string, string>);
  } catch (error) {
    if (!(error instanceof OutwardRefusal)) throw error;
    throw notValid(error.message);
  }
  return Object.fromEntries(Object.entries(headers as Record<string, string>).map(([name, text]) => [name.toLowerCase(), text]));
}

function rateOf(value: unknown): number | null | undefined {
  if (value === undefined || value === null) return value;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > 100_000) throw notValid('"rate" must be a whole number of deliveries a second, from 1 to 100000, or null');
  return value;
}

function flagOf(input: Record<string, unknown>, name: string): boolean | undefined {
  const value = input[name];
  if (value === undefined || typeof value === 'boolean') return value;
  throw notValid(`"${name}" must be true or false`);
}

function textOf(input: Record<string, unknown>, name: string, longest: number): string | undefined {
  const value = input[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value === '' || value.length > longest || value.includes('\0')) throw notValid(`"${name}" must be a text of 1 to ${longest} characters`);
  return value;
}

function objectOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw notValid(`${what} must be a JSON object`);
  return value as Record<string, unknown>;
}

function refuseUnknown(input: Record<string, unknown>, names: readonly string[], what: string): void {
  const unknown = Object.keys(input).find((name) => !names.includes(name));
  if (unknown !== undefined) throw notValid(`${what} has no "${unknown.slice(0, 100)}"`, `It has ${names.join(', ')}.`);
}

function notValid(message: string, hint: string | null = null): Error {
  return webhookFault('endpoint_not_valid', { message, hint });
}

function eventFault(message: string, hint: string | null = null): Error {
  return webhookFault('event_not_valid', { message, hint });
}

function shown(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 200) ?? 'nothing';
}
