import { fault } from './faults.ts';

/** Longest that we wait for another server, and the most that we read of what it says. */
const timeoutMs = 10_000;
const maxBytes = 1024 * 1024;

/**
 * Asks another server within limits: no redirect is followed, what it says is read whole, and no more than a megabyte of it.
 * It has the form of `fetch`, so that libraries ask through it too.
 */
export async function fetchWithin(url: string | URL, init: Parameters<typeof fetch>[1] = {}): Promise<Response> {
  const within = AbortSignal.timeout(timeoutMs);
  const signal = init.signal ? AbortSignal.any([init.signal, within]) : within;
  const answer = await fetch(url, { ...init, signal, redirect: 'manual' });
  const { status, headers } = answer;
  // A status such as 304 has no body, and a Response with one cannot be made.
  const body = answer.body === null || [101, 204, 205, 304].includes(status) ? null : await readAtMost(answer.body, new URL(url).host);
  return new Response(body, { status, headers: withoutEncoding(headers) });
}

async function readAtMost(stream: NonNullable<Response['body']>, host: string): Promise<Buffer<ArrayBuffer>> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of stream) {
    length += piece.byteLength;
    if (length > maxBytes) throw new Error(`${host} says more than ${maxBytes} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** The body has been unpacked. */
function withoutEncoding(headers: Headers): Headers {
  const kept = new Headers(headers);
  kept.delete('content-encoding');
  kept.delete('content-length');
  return kept;
}

/** Asks for a JSON object or list. @throws Fault `unexpected_failure` that names the server and no secret */
export async function fetchJson(url: string, init: Parameters<typeof fetch>[1] = {}): Promise<unknown> {
  const { host } = new URL(url);
  try {
    const answer = await fetchWithin(url, { ...init, headers: { accept: 'application/json', 'user-agent': 'Mainstay', ...(init.headers as Record<string, string> | undefined) } });
    if (!answer.ok) throw new Error(`${host} answered ${answer.status}`);
    return await answer.json();
  } catch (cause) {
    throw fault('unexpected_failure', { message: `Error getting user profile from external provider`, cause });
  }
}
