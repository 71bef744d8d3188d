import { Outward } from '@mainstay/outward';
import { fault } from './faults.ts';

/** Longest that we wait for another server, and the most that we read of what it says. */
const timeoutMs = 10_000;
const maxBytes = 1024 * 1024;

type Asked = Parameters<typeof fetch>[1];

/** Has the form of `fetch`, so that libraries ask through it too. */
export type Fetch = (url: string | URL, init?: Asked) => Promise<Response>;

/** Where the operator's own settings say whom to ask: that may be a machine of theirs (adr/0025). */
const anywhere = new Outward({ reach: 'anywhere', allowedHosts: [], allowedPorts: [] });

/** Asks another server within limits: no redirect is followed, what it says is read whole, and no more than a megabyte of it. */
export const fetchWithin: Fetch = fetchThrough(anywhere);

/** The same where somebody who is not the operator says whom to ask: only public addresses are called, and inner services that are allowed. */
export function fetchThrough(outward: Pick<Outward, 'call'>): Fetch {
  return async (url, init = {}) => {
    const answer = await outward.call({
      method: init.method ?? 'GET',
      url: String(url),
      headers: Object.fromEntries(headersOf(init)),
      body: init.body === undefined || init.body === null ? null : bytesOf(init.body),
      timeoutMs,
      maxAnswerBytes: maxBytes,
      ...(init.signal ? { signal: init.signal } : {}),
    });
    if (answer.isCut) throw new Error(`${new URL(url).host} says more than ${maxBytes} bytes`);
    // A status such as 304 has no body, and a Response with one cannot be made.
    const body = [101, 204, 205, 304].includes(answer.status) ? null : new Uint8Array(answer.body);
    return new Response(body, { status: answer.status, headers: answer.headers });
  };
}

function headersOf({ headers, body }: NonNullable<Asked>): Headers {
  const sent = new Headers(headers as ConstructorParameters<typeof Headers>[0]);
  if (body instanceof URLSearchParams && !sent.has('content-type')) sent.set('content-type', 'application/x-www-form-urlencoded;charset=UTF-8');
  return sent;
}

function bytesOf(body: NonNullable<NonNullable<Asked>['body']>): Buffer {
  if (typeof body === 'string' || body instanceof URLSearchParams) return Buffer.from(String(body));
  if (body instanceof ArrayBuffer) return Buffer.from(body);
  if (ArrayBuffer.isView(body)) return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  throw new Error('only texts, forms and bytes are sent');
}

/** Asks for a JSON object or list. @throws Fault `unexpected_failure` that names the server and no secret */
export async function fetchJson(url: string, init: Asked = {}, ask: Fetch = fetchWithin): Promise<unknown> {
  const { host } = new URL(url);
  try {
    const answer = await ask(url, { ...init, headers: { accept: 'application/json', 'user-agent': 'Mainstay', ...(init.headers as Record<string, string> | undefined) } });
    if (!answer.ok) throw new Error(`${host} answered ${answer.status}`);
    return await answer.json();
  } catch (cause) {
    throw fault('unexpected_failure', { message: `Error getting user profile from external provider`, cause });
  }
}
