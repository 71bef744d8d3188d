import { fault } from './faults.ts';
import { contentTypeOf } from './media-types.ts';
import { missingRows } from './matching-report.ts';
import type { Outcome } from './outcome.ts';
import type { CallPlan, DescribePlan, ReadPlan, StatementPlan, WritePlan } from './plan.ts';
import { fingerprintOf } from './plan-keyset.ts';
import { appliedHeader, type Preferences } from './preferences.ts';
import { latin1OfUtf8 } from './text.ts';
import type { Window } from './window.ts';

/**
 * An answer, ready to be sent. The body is PostgreSQL's text as it came, the bytes of a media type of the database's own, or
 * pieces that are made as they are sent.
 */
export interface RestAnswer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string | Uint8Array | AsyncIterable<Uint8Array> | null;
  /** Where the next page begins, and of which query; not yet a link, which is signed. */
  readonly next?: { readonly place: readonly (string | null)[]; readonly fingerprint: string };
}

type Headers = (readonly [string, string])[];

/**
 * Writes the answer to a request.
 * @throws Fault PGRST103 for an offset beyond the last row, PGRST111 and 112 for wrong settings of the response.
 */
export function render(plan: StatementPlan, outcome: Outcome): RestAnswer {
  const answer = plan.answer.media.kind === 'plan' ? renderExplained(plan, outcome) : renderByKind(plan, outcome);
  const headers = [...answer.headers, ...commonHeaders(plan, answer)];
  if (answer.status === 416 && plan.kind !== 'write') throw beyondLastRow(plan.root.window, outcome, headers);
  return overridden({ ...answer, body: bytesOf(plan, answer.body), headers }, outcome);
}

/** A handler of the database may give bytes; they come as hex digits. */
function bytesOf({ answer: { shape } }: StatementPlan, body: RestAnswer['body']): RestAnswer['body'] {
  if (shape.kind !== 'custom' || !shape.isBinary || typeof body !== 'string') return body;
  return Uint8Array.from({ length: body.length / 2 }, (_, i) => Number.parseInt(body.slice(2 * i, 2 * i + 2), 16));
}

/** Writes the answer to OPTIONS. */
export function renderDescription({ allow }: DescribePlan): RestAnswer {
  return { status: 200, headers: [['Allow', allow.join(',')], ['Access-Control-Allow-Origin', '*']], body: null };
}

function renderByKind(plan: StatementPlan, outcome: Outcome): RestAnswer {
  switch (plan.kind) {
    case 'read':
      return renderRead(plan, outcome);
    case 'call':
      return renderCall(plan, outcome);
    case 'write':
      return renderWrite(plan, outcome);
  }
}

function renderExplained(plan: StatementPlan, { body }: Outcome): RestAnswer {
  return { status: 200, headers: [contentType(plan)], body };
}

function renderRead(plan: ReadPlan, outcome: Outcome): RestAnswer {
  const { status, range } = rangeOf(plan.root.window, outcome);
  const { cursor, query } = plan.request;
  const asked = [query.canonical, ...(cursor === null ? [] : [`cursor=~${encodeURIComponent(cursor)}`])].filter((part) => part !== '').join('&');
  const location = `/${encodeURIComponent(plan.collection.name)}${asked === '' ? '' : `?${asked}`}`;
  // How many rows stand before a cursor nobody knows.
  const ranges: Headers = cursor === null ? [range] : outcome.total === null ? [] : [['Content-Range', `*/${outcome.total}`]];
  return { status, headers: [...ranges, ['Content-Location', location], contentType(plan)], body: outcome.body, ...nextOf(plan, outcome) };
}

function nextOf({ keyset, request }: ReadPlan, { next }: Outcome): Pick<RestAnswer, 'next'> {
  if (keyset === null || next === null || next === undefined) return {};
  return { next: { place: JSON.parse(next) as (string | null)[], fingerprint: fingerprintOf(request) } };
}

function renderCall(plan: CallPlan, outcome: Outcome): RestAnswer {
  const { status, range } = rangeOf(plan.root.window, outcome);
  if (plan.routine.returns.isVoid) return { status: 204, headers: [range], body: null };
  return { status, headers: [range, contentType(plan)], body: outcome.body };
}

function renderWrite(plan: WritePlan, outcome: Outcome): RestAnswer {
  const hasBody = plan.request.preferences.return === 'representation';
  const headers: Headers = [...writeHeaders(plan, outcome), ...(hasBody ? [contentType(plan)] : [])];
  return { status: writeStatus(plan, outcome, hasBody), headers, body: hasBody ? outcome.body : null };
}

function writeStatus({ write, conflict }: WritePlan, { inserted }: Outcome, hasBody: boolean): number {
  const isNew = (inserted ?? 0) > 0;
  switch (write) {
    case 'insert':
      return conflict?.resolution === 'merge' && !isNew ? 200 : 201;
    case 'put':
      return hasBody ? (isNew ? 201 : 200) : 204;
    case 'update':
    case 'delete':
      return hasBody ? 200 : 204;
  }
}

function writeHeaders(plan: WritePlan, { page, location }: Outcome): Headers {
  const { count } = plan.request.preferences;
  const total = count === 'exact' || count === 'estimated' ? page : null;
  switch (plan.write) {
    case 'insert':
      return [...(location === null ? [] : [['Location', locationOf(plan, location)] as const]), contentRange(1, 0, total)];
    case 'update':
      return [contentRange(0, page - 1, total), ...(plan.matching === null ? [] : [['Missing-Rows', String(missingRows(location))] as const])];
    case 'delete':
      return [contentRange(1, 0, total)];
    case 'put':
      return [];
  }
}

/** Where the new row is: a filter on its key. */
function locationOf({ collection }: WritePlan, key: string): string {
  const filters = Object.entries(JSON.parse(key) as Record<string, string | null>).map(([name, value]) => `${encodeURIComponent(name)}=${value === null ? 'is.null' : `eq.${encodeURIComponent(value)}`}`);
  return `/${encodeURIComponent(collection.name)}?${filters.join('&')}`;
}

/** No count was asked: the total is unknown and this is 200; 206 is for a total known to be larger than the page. */
function rangeOf({ offset }: Window, { total, page }: Outcome): { status: number; range: readonly [string, string] } {
  const range = contentRange(offset, offset + page - 1, total);
  if (total !== null && offset > total) return { status: 416, range };
  return { status: total !== null && page < total ? 206 : 200, range };
}

/** The refusal bears the headers that the answer would have had; only its body, and the type of that, are others. */
function beyondLastRow({ offset }: Window, { total }: Outcome, headers: Headers): Error {
  return fault('PGRST103', {
    details: `An offset of ${offset} was requested, but there are only ${total} rows.`,
    headers: Object.fromEntries(headers.filter(([name]) => name !== 'Content-Type')),
  });
}

function contentRange(first: number, last: number, total: number | null): readonly [string, string] {
  const rows = first <= last && total !== 0 ? `${first}-${last}` : '*';
  return ['Content-Range', `${rows}/${total ?? '*'}`];
}

function contentType(plan: StatementPlan): readonly [string, string] {
  return ['Content-Type', contentTypeOf(plan.answer.media)];
}

/** Which schema it was matters where there is a body of it. */
function commonHeaders(plan: StatementPlan, answer: RestAnswer): Headers {
  const { request, legacyNames } = plan;
  const applied = appliedHeader(appliedPreferences(plan));
  return [
    ...(request.isSchemaNegotiated && answer.headers.some(([name]) => name === 'Content-Type') ? [['Content-Profile', latin1OfUtf8(request.schema)] as const] : []),
    ...(applied === null ? [] : [['Preference-Applied', applied] as const]),
    ...(legacyNames.length === 0 ? [] : [['Warning', legacyWarning(legacyNames)] as const]),
    ['Vary', 'Accept, Prefer, Range'],
  ];
}

/** Those that had a meaning for this request. */
function appliedPreferences(plan: StatementPlan): Preferences {
  const { preferences, query } = plan.request;
  const write = plan.kind === 'write' ? plan.write : null;
  const hasKey = plan.kind === 'write' && (plan.collection.primaryKey.length > 0 || query.onConflict !== null);
  return {
    ...preferences,
    paging: plan.kind === 'read' && plan.keyset !== null ? 'keyset' : null,
    unmatched: plan.kind === 'write' && plan.matching !== null ? preferences.unmatched : null,
    resolution: write === 'insert' && hasKey ? preferences.resolution : null,
    return: write !== null ? preferences.return : null,
    missing: write === 'insert' || write === 'update' ? preferences.missing : null,
    maxAffected: write === 'update' || write === 'delete' || plan.kind === 'call' ? preferences.maxAffected : null,
  };
}

function legacyWarning(names: StatementPlan['legacyNames']): string {
  const changes = names.map(({ name, alias }) => `\`${name}\` to \`${alias}\``).join(', ');
  const message = `Embedded resource was referenced by relation name even though it has an alias. This is deprecated and will stop working in a future release. Update ${changes} in query string filters, orders or limits.`;
  return `299 Mainstay "${message.replace(/[^\x20-\x7e]|["\\]/gu, '?')}"`;
}

/** SQL may set the status and headers of its own answer. */
function overridden(answer: RestAnswer, outcome: Outcome): RestAnswer {
  if (outcome.headers === null && outcome.status === null) return answer;
  const own = outcome.headers === null ? [] : headersOfSetting(outcome.headers);
  const replaced = new Set(own.map(([name]) => name.toLowerCase()));
  return {
    status: outcome.status === null ? answer.status : statusOfSetting(outcome.status),
    headers: [...answer.headers.filter(([name]) => !replaced.has(name.toLowerCase())), ...own],
    body: answer.body,
  };
}

function statusOfSetting(text: string): number {
  if (!/^[2-9]\d\d$/.test(text)) throw fault('PGRST112');
  return Number(text);
}

/** The setting is a list of objects with one key each. A value that would break out of its line is no header. */
function headersOfSetting(text: string): Headers {
  const list = parseJson(text);
  if (!Array.isArray(list)) throw fault('PGRST111');
  return list.map((item: unknown) => {
    const [entry, ...others] = typeof item === 'object' && item !== null && !Array.isArray(item) ? Object.entries(item) : [];
    if (entry === undefined || others.length > 0) throw fault('PGRST111');
    return checkedHeader(entry[0], entry[1], 'PGRST111');
  });
}

/** A header that SQL gave, if it can be one. @throws Fault of the given code. */
export function checkedHeader(name: string, value: unknown, code: 'PGRST111' | 'PGRST121'): readonly [string, string] {
  if (typeof value !== 'string' || !/^[!#$%&'*+.^_`|~\w-]+$/.test(name) || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) throw fault(code);
  return [name, value];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw fault('PGRST111', { cause: error });
  }
}
