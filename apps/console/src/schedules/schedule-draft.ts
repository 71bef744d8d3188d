import type { Schedule } from '../contracts.ts';

/** What is filled in about a schedule; JSON stands as it is typed. */
export interface ScheduleDraft {
  readonly name: string;
  readonly cron: string;
  readonly zone: string;
  readonly kind: Schedule['kind'];
  readonly function: string;
  readonly arguments: string;
  readonly sql: string;
  readonly url: string;
  readonly method: string;
  readonly body: string;
  readonly missed: Schedule['missed'];
  readonly overlap: Schedule['overlap'];
}

export function emptyDraft(zone: string): ScheduleDraft {
  return { name: '', cron: '0 9 * * *', zone, kind: 'function', function: '', arguments: '', sql: '', url: '', method: 'POST', body: '', missed: 'once', overlap: 'skip' };
}

export function draftOf(schedule: Schedule): ScheduleDraft {
  return {
    name: schedule.name,
    cron: schedule.cron,
    zone: schedule.time_zone,
    kind: schedule.kind,
    function: schedule.function ?? '',
    arguments: textOf(schedule.arguments),
    sql: schedule.sql ?? '',
    url: schedule.url ?? '',
    method: schedule.method ?? 'POST',
    body: textOf(schedule.body),
    missed: schedule.missed,
    overlap: schedule.overlap,
  };
}

function textOf(value: unknown): string {
  const isEmpty = value === null || value === undefined || (typeof value === 'object' && Object.keys(value).length === 0);
  return isEmpty ? '' : JSON.stringify(value, null, 2);
}

/** The body that makes or changes a schedule. @throws SyntaxError for JSON that is none; `missingIn` tells before */
export function bodyOf({ name, cron, zone, kind, missed, overlap, ...draft }: ScheduleDraft): Readonly<Record<string, unknown>> {
  const target = {
    function: () => ({ function: draft.function.trim(), arguments: draft.arguments.trim() === '' ? {} : (JSON.parse(draft.arguments) as unknown) }),
    sql: () => ({ sql: draft.sql }),
    url: () => ({ url: draft.url.trim(), method: draft.method, body: draft.body.trim() === '' || draft.method === 'GET' ? null : (JSON.parse(draft.body) as unknown) }),
  }[kind]();
  return { name: name.trim(), cron: cron.trim(), time_zone: zone.trim(), ...target, missed, overlap };
}

/** What is missing or no JSON, in a sentence; null when it can be sent. */
export function missingIn({ name, cron, kind, ...draft }: ScheduleDraft): string | null {
  if (name.trim() === '') return 'Give it a name.';
  if (cron.trim() === '') return 'Say when it shall run.';
  if (kind === 'function' && draft.function.trim() === '') return 'Name the function that it shall call.';
  if (kind === 'function' && !isJson(draft.arguments, true)) return 'The arguments must be a JSON object, such as {"days": 30}.';
  if (kind === 'sql' && draft.sql.trim() === '') return 'Write the SQL that it shall run.';
  if (kind === 'url' && !URL.canParse(draft.url.trim())) return 'The URL must begin with https:// or http://.';
  return kind === 'url' && !isJson(draft.body, false) ? 'The body must be JSON, or empty.' : null;
}

function isJson(text: string, mustBeObject: boolean): boolean {
  if (text.trim() === '') return true;
  try {
    const value: unknown = JSON.parse(text);
    return !mustBeObject || (typeof value === 'object' && value !== null && !Array.isArray(value));
  } catch {
    return false;
  }
}
