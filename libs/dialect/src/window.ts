import { fault } from './faults.ts';

/** The rows from `offset` on, at most `limit` of them. */
export interface Window {
  readonly offset: number;
  readonly limit: number | null;
}

/** All rows. */
export const everything: Window = { offset: 0, limit: null };

/** A window as `limit` and `offset` say; both may be out of bounds until `checkedWindow`. */
export function offsetWindow(offset: number, limit: number | null): Window {
  return { offset, limit };
}

/** Reads a `Range: 0-9` or `Range: 10-` header; anything else asks for everything. @throws Fault PGRST103. */
export function parseRange(header: string | undefined): Window {
  const match = /^(\d{1,15})-(\d{0,15})$/.exec(header ?? '');
  if (match === null) return everything;
  const first = Number(match[1]);
  if (match[2] === '') return { offset: first, limit: null };
  const last = Number(match[2]);
  if (first > last) throw fault('PGRST103', { details: 'The lower boundary must be lower than or equal to the upper boundary in the Range header.' });
  return { offset: first, limit: last - first + 1 };
}

/** The rows that both windows hold. `limit=0` is a window of its own: no rows. @throws Fault PGRST103. */
export function intersect(asked: Window, range: Window): Window {
  const negativeLimit = () => fault('PGRST103', { details: 'Limit should be greater than or equal to zero.' });
  if (asked.limit !== null && asked.limit < 0) throw negativeLimit();
  if (asked.limit === 0) return { offset: Math.max(0, asked.offset), limit: 0 };
  const offset = Math.max(asked.offset, range.offset, 0);
  const end = Math.min(endOf(asked), endOf(range));
  if (end <= offset) throw negativeLimit();
  return { offset, limit: end === Infinity ? null : end - offset };
}

/** At most `maxRows` rows of the window. */
export function capped(window: Window, maxRows: number | null): Window {
  if (maxRows === null || (window.limit !== null && window.limit <= maxRows)) return window;
  return { offset: window.offset, limit: maxRows };
}

/** Whether the window leaves nothing out. */
export function isEverything(window: Window): boolean {
  return window.offset === 0 && window.limit === null;
}

function endOf(window: Window): number {
  return window.limit === null ? Infinity : window.offset + window.limit;
}
