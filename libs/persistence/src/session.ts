import type { Caller } from '@mainstay/domain';
import { tracing } from '@mainstay/telemetry';
import type { Session, Statement } from './statement.ts';

/** The session in which everything is done as the given caller: role, claims, and what policies and functions may read. */
export function sessionOf(caller: Caller, more: { settings?: Readonly<Record<string, string>>; isReadOnly?: boolean } = {}): Session {
  return { role: caller.role, settings: { ...claimSettings(caller), ...more.settings }, isReadOnly: more.isReadOnly ?? false };
}

/** The session of the house's own surfaces: the login keeps its role, row policies read the caller's claims. */
export function ownSessionOf(caller: Caller): Session {
  return { role: null, settings: claimSettings(caller) };
}

/**
 * `request.jwt.claim.sub` stands beside the JSON claims: `auth.uid()` reads it first and need not parse JSON per row,
 * which makes a policy with a bare `auth.uid()` nearly twice as fast.
 */
export function claimSettings(caller: Pick<Caller, 'claimsText' | 'subject'>): Record<string, string> {
  return { 'request.jwt.claims': caller.claimsText, 'request.jwt.claim.sub': caller.subject ?? '' };
}

/**
 * The statement that opens a session inside a transaction: one `set_config(…, true)` each, all values bound.
 * Its text depends only on the names, so it is written once, and prepared once by each connection, per shape of session.
 */
export function openSession(session: Session): Statement {
  const { settings, role, isReadOnly } = traced(session);
  const names = Object.keys(settings);
  const values: string[] = Object.values(settings);
  if (role !== null) values.push(role);
  const key = `${role === null ? '' : 'role'} ${isReadOnly ? 'read-only' : ''} ${names.join(' ')}`;
  const known = shapes.get(key);
  if (known !== undefined) return { ...known, values };
  const text = sessionText(names, role !== null, isReadOnly === true);
  // The house opens few shapes of session; a bound keeps even a wrong use from growing without end.
  if (shapes.size >= 100) return { text, values };
  const shape = { text, name: `session_${shapes.size + 1}` };
  shapes.set(key, shape);
  return { ...shape, values };
}

/** A job that is enqueued by SQL goes on with the trace of the request that did it. */
function traced(session: Session): Session {
  const traceparent = tracing()?.traceparent() ?? null;
  return traceparent === null ? session : { ...session, settings: { 'mainstay.traceparent': traceparent, ...session.settings } };
}

/** Text and name of the statement of each shape of session. */
const shapes = new Map<string, { readonly text: string; readonly name: string }>();

function sessionText(names: readonly string[], hasRole: boolean, isReadOnly: boolean): string {
  const calls = names.map((name, i) => `set_config('${checkedName(name)}', $${i + 1}, true)`);
  if (isReadOnly) calls.push(`set_config('transaction_read_only', 'on', true)`);
  // The role comes last: the login may set what the role may not.
  if (hasRole) calls.push(`set_config('role', $${names.length + 1}, true)`);
  // As operands of a condition that never holds they are run in order and answer nothing: 3 µs less than as a row of columns.
  return calls.length === 0 ? 'select' : `select where num_nulls(${calls.join(', ')}) < 0`;
}

/** Names come from our code and from the catalogue, never from a request; the check keeps it so. */
function checkedName(name: string): string {
  if (!/^[A-Za-z_][\w$]*(\.[A-Za-z_][\w$-]*)*$/.test(name)) throw new Error(`"${name}" is no name of a setting`);
  return name;
}
