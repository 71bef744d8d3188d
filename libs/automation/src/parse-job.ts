import { jobStates, type JobState } from '@mainstay/domain';
import type { AskedCall, JobFilters, JobSearch } from '@mainstay/persistence';
import { jobFault } from './job-faults.ts';

/** The filters of a list as they stand in a query. */
export interface JobQuery {
  readonly state?: string;
  readonly kind?: string;
  readonly queue?: string;
  readonly function?: string;
  readonly created_from?: string;
  readonly created_before?: string;
  readonly limit?: string;
  readonly before?: string;
}

const defaultLimit = 50;
const mostAtOnce = 500;

/** @throws Fault for a filter with a wrong value, or none that there is */
export function parseFilters(query: JobQuery): JobFilters {
  const { limit, before, ...search } = query;
  if (before !== undefined && !isUuid(before)) throw jobFault('job_filter_not_valid', { message: `"before" must be the id of a job, not "${shown(before)}"` });
  return { ...parseSearch(search), before, limit: parseLimit(limit) };
}

/** @throws Fault as `parseFilters` */
export function parseSearch(search: Readonly<Record<string, unknown>>): JobSearch {
  const { state, kind, queue, function: name, created_from: from, created_before: before, ...others } = search;
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) throw jobFault('job_filter_not_valid', { message: `There is no filter "${shown(unknown)}"`, hint: 'Filters: state, kind, queue, function, created_from, created_before' });
  if (state !== undefined && !jobStates.includes(state as JobState)) {
    throw jobFault('job_filter_not_valid', { message: `"${shown(state)}" is no state of a job`, hint: `States: ${jobStates.join(', ')}` });
  }
  return {
    state: state as JobState | undefined,
    kind: matching('kind', kind, /^[a-z][a-z0-9-]*$/, 'the name of a kind of job, such as "import-rows"'),
    queue: matching('queue', queue, queueName, 'the name of a queue'),
    function: name === undefined ? undefined : parseName('job_filter_not_valid', name),
    createdFrom: timeOf('job_filter_not_valid', 'created_from', from) ?? undefined,
    createdBefore: timeOf('job_filter_not_valid', 'created_before', before) ?? undefined,
  };
}

/** A job as somebody asks for it, checked as far as that needs no database. @throws Fault with the field that is wrong */
export function parseCall(body: unknown): AskedCall {
  const { function: name, arguments: args, run_at: runAt, key, max_attempts: maxAttempts, queue, priority, after, ...others } = objectOf(body);
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) {
    throw jobFault('job_not_valid', { message: `There is no field "${shown(unknown)}"`, hint: 'Fields: function, arguments, run_at, key, max_attempts, queue, priority, after' });
  }
  if (name === undefined) throw jobFault('job_not_valid', { message: '"function" is missing', hint: 'The name of a function with its schema, such as "public.send_invoice".' });
  return {
    ...parseName('job_not_valid', name),
    arguments: args ?? {},
    runAt: timeOf('job_not_valid', 'run_at', runAt),
    key: typed('key', key, 'string', 'text'),
    maxAttempts: wholeNumber('max_attempts', maxAttempts),
    queue: typed('queue', queue, 'string', 'the name of a queue'),
    priority: wholeNumber('priority', priority),
    after: idsOf(after),
  };
}

/** @throws Fault */
export function objectOf(body: unknown): Readonly<Record<string, unknown>> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw jobFault('job_not_valid', { message: 'The body must be a JSON object' });
  return body as Record<string, unknown>;
}

export function isUuid(text: unknown): text is string {
  return typeof text === 'string' && /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(text);
}

/** How a queue may be called. */
export const queueName = /^[a-z][a-z0-9_-]{0,62}$/;

type Code = 'job_filter_not_valid' | 'job_not_valid';

/** `schema.name` or `name`, each perhaps in quotes; without quotes PostgreSQL folds to lower case. */
function parseName(code: Code, value: unknown): { schema: string; name: string } {
  const part = String.raw`("(?:[^"\0]|"")+"|[\p{L}_][\p{L}\p{N}_$]*)`;
  const [, first, second] = (typeof value === 'string' ? new RegExp(`^${part}(?:\\.${part})?$`, 'u').exec(value) : null) ?? [];
  if (first === undefined) throw jobFault(code, { message: `"function" must be the name of a function, such as "public.send_invoice", not ${shown(JSON.stringify(value))}` });
  const parts = [first, second].flatMap((text) => (text === undefined ? [] : [text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text.toLowerCase()]));
  return parts.length === 2 ? { schema: parts[0]!, name: parts[1]! } : { schema: 'public', name: parts[0]! };
}

function timeOf(code: Code, field: string, value: unknown): Date | null {
  if (value === undefined || value === null) return null;
  const isTime = typeof value === 'string' && /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/i.test(value);
  const time = new Date(isTime ? value : Number.NaN);
  if (Number.isNaN(time.getTime())) throw jobFault(code, { message: `"${field}" must be a time with its zone, such as "2026-03-01T09:00:00Z", not ${shown(JSON.stringify(value))}` });
  return time;
}

function typed(field: string, value: unknown, type: 'string', what: string): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== type || (value as string).includes('\0')) throw jobFault('job_not_valid', { message: `"${field}" must be ${what}, not ${shown(JSON.stringify(value))}` });
  return value as string;
}

function wholeNumber(field: string, value: unknown): number | null {
  if (value === undefined || value === null) return null;
  if (!Number.isInteger(value) || Math.abs(value as number) > 2_147_483_647) throw jobFault('job_not_valid', { message: `"${field}" must be a whole number, not ${shown(JSON.stringify(value))}` });
  return value as number;
}

function idsOf(value: unknown): readonly string[] | null {
  if (value === undefined || value === null) return null;
  if (!Array.isArray(value) || !value.every(isUuid)) throw jobFault('job_not_valid', { message: `"after" must be a list of ids of jobs, not ${shown(JSON.stringify(value))}` });
  return value;
}

function matching(field: string, value: unknown, pattern: RegExp, what: string): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || !pattern.test(value)) throw jobFault('job_filter_not_valid', { message: `"${field}" must be ${what}` });
  return value;
}

function parseLimit(text: string | undefined): number {
  if (text === undefined) return defaultLimit;
  const limit = Number(text);
  if (!/^\d+$/.test(text) || limit < 1 || limit > mostAtOnce) throw jobFault('job_filter_not_valid', { message: `"limit" must be a whole number from 1 to ${mostAtOnce}, not "${shown(text)}"` });
  return limit;
}

/** What a stranger sent, as much of it as helps. */
function shown(value: unknown): string {
  return String(value).slice(0, 100);
}
