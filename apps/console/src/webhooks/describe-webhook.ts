import type { Endpoint, WatchedTable, WebhookEvent } from '../contracts.ts';

/** What the house announces by itself, and what it means to a reader. */
export const announcements: readonly { readonly type: string; readonly words: string }[] = [
  { type: 'job.dead', words: 'a job used up its attempts' },
  { type: 'job.failed', words: 'a job was refused for good' },
  { type: 'job.done', words: 'a job is done' },
  { type: 'import.done', words: 'an import is done' },
  { type: 'import.failed', words: 'an import failed' },
  { type: 'user.signed_up', words: 'somebody signed up' },
  { type: 'user.signed_in', words: 'somebody signed in' },
  { type: 'user.deleted', words: 'an account was deleted' },
];

export function isTable(event: WebhookEvent): event is WatchedTable {
  return 'table' in event;
}

/** `public.orders: insert, update where status=eq.paid`; `a job used up its attempts`. */
export function eventInWords(event: WebhookEvent): string {
  if (!isTable(event)) return announcements.find(({ type }) => type === event.type)?.words ?? event.type;
  const filter = event.filter === null ? '' : ` where ${readable(event.filter)}`;
  const columns = event.columns === null ? '' : `, with ${event.columns.join(', ')}`;
  return `${event.schema}.${event.table}: ${event.operations.join(', ')}${filter}${columns}`;
}

/** A filter as it was meant, where it is encoded as in an address. */
export function readable(filter: string): string {
  return [...new URLSearchParams(filter)].map(([name, value]) => `${name}=${value}`).join(' and ');
}

export interface Standing {
  readonly word: string;
  readonly tone: 'good' | 'warn' | 'bad';
  readonly meaning: string;
}

/** How an endpoint stands, with what it means. */
export function standingOf({ state, reason, breaker }: Pick<Endpoint, 'state' | 'reason' | 'breaker'>): Standing {
  if (state === 'disabled') return { word: 'disabled', tone: 'bad', meaning: reason?.message ?? 'It was disabled. Nothing is written down for it until it is resumed.' };
  if (state === 'paused') return { word: 'paused', tone: 'warn', meaning: 'Nothing is sent; what happens is written down and waits.' };
  if (breaker.state === 'open') return { word: 'resting', tone: 'warn', meaning: 'It failed several times in a row, so it is left in peace for a while. What happens waits.' };
  if (breaker.state === 'half-open') return { word: 'being tried', tone: 'warn', meaning: 'It failed before. One delivery is tried; if it arrives, the others follow.' };
  return { word: 'active', tone: 'good', meaning: 'What happens is sent at once.' };
}

/** `12`, `10,000 or more`: the api stops counting there. */
export function counted(value: number): string {
  return value >= 10_000 ? '10,000 or more' : new Intl.NumberFormat('en').format(value);
}

/** What a try came to: the receiver's status, or why there was none. */
export function outcomeInWords(status: number | null, error: string | null): string {
  return status === null ? (error?.replaceAll('_', ' ') ?? 'no answer') : `answered ${status}`;
}
