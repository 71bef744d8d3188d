import { Fault } from '@mainstay/domain';
import { fault } from './faults.ts';
import { checkedHeader } from './render.ts';

/** What PostgreSQL says of an error. */
export interface DatabaseReport {
  readonly code?: string | undefined;
  readonly message: string;
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
}

/**
 * Statuses by SQLSTATE or its beginning; the longest that fits counts.
 * One differs from the protocol on purpose: class 54 (too complex, too long for a type) is what the client sent, so it is 400.
 */
const statuses: Readonly<Record<string, number>> = {
  '08': 503, '09': 500, '0L': 403, '0P': 403, '23503': 409, '23505': 409, '25006': 405, '25': 500, '28': 403, '2D': 500, '38': 500, '39': 500, '3B': 500,
  '40': 500, '42501': 403, '42883': 404, '42P01': 404, '42P17': 500, '53400': 500, '53': 503, '55': 500, '57P01': 503, '57': 500, '58': 500,
  F0: 500, HV: 500, P0001: 400, P0: 500, XX: 500,
};

/** The answer to an error of PostgreSQL: its own words, and the status that its code stands for. */
export function faultOfDatabase(report: DatabaseReport, isAnonymous: boolean): Fault {
  const { code = 'XX000', message, detail, hint } = report;
  if (code === 'PGRST') return faultOfRaise(report);
  const status = statusOf(code, message, isAnonymous);
  return new Fault(code, { status, message }, {
    details: detail ?? null,
    hint: hint ?? null,
    headers: { ...(status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}), ...(status === 503 ? { 'Retry-After': '1' } : {}) },
  });
}

function statusOf(code: string, message: string, isAnonymous: boolean): number {
  if (code === '42501') return isAnonymous ? 401 : 403;
  if (code === '21000') return /requires a WHERE clause$|^ON CONFLICT DO UPDATE/.test(message) ? 400 : 500;
  if (code === '22023') return message.startsWith('role') && message.endsWith('does not exist') ? 401 : 400;
  if (code === '42883' && message.startsWith('function xmlagg(')) return 406;
  if (code.startsWith('PT')) return statusOfRaise(code.slice(2)) ?? 500;
  return statuses[code] ?? statuses[code.slice(0, 2)] ?? 400;
}

function statusOfRaise(text: string): number | null {
  return /^[2-9]\d\d$/.test(text) ? Number(text) : null;
}

/** `RAISE SQLSTATE 'PGRST'` hands in the whole answer: code, message, details and hint in MESSAGE, status and headers in DETAIL. */
function faultOfRaise({ message, detail }: DatabaseReport): Fault {
  const answer = objectOf(message);
  const text = (key: string): string | null => (typeof answer?.[key] === 'string' ? answer[key] : null);
  if (answer === null || text('code') === null || text('message') === null) return malformed(`Invalid JSON value for MESSAGE: '${message}'`, messageHint);
  if (detail === undefined) return malformed('DETAIL is missing in the RAISE statement', detailHint);
  const terms = objectOf(detail);
  const status = typeof terms?.['status'] === 'number' ? statusOfRaise(String(terms['status'])) : null;
  const headers = terms?.['headers'];
  if (status === null || typeof headers !== 'object' || headers === null || Array.isArray(headers)) return malformed(`Invalid JSON value for DETAIL: '${detail}'`, detailHint);
  return new Fault(text('code')!, { status, message: text('message')! }, {
    details: text('details'),
    hint: text('hint'),
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => checkedHeader(name, value, 'PGRST121'))),
  });
}

const messageHint = "MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and optional keys: 'details', 'hint'.";
const detailHint = "DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and optional key: 'status_text'.";

function malformed(details: string, hint: string): Fault {
  return fault('PGRST121', { details, hint });
}

function objectOf(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    // Not JSON: the caller names what is wrong with it.
    return null;
  }
}
