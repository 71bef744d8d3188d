import { createHmac } from 'node:crypto';
import type { Pair, Server } from './servers.ts';

/** A request as both servers get it. */
export interface Asked {
  readonly method: string;
  /** With the query, encoded, below the path of the data API. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | null;
  /** Claims of the token; null sends none. */
  readonly claims: Readonly<Record<string, unknown>> | null;
}

/** What came back, without what belongs to the transport. */
export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  /** The body's JSON, or undefined. */
  readonly json: unknown;
}

/** Headers that the connection makes, that only one of the two has (ours by addition or by its version), or that the edge adds to every answer. */
const transport = new Set(['date', 'server', 'connection', 'keep-alive', 'transfer-encoding', 'content-length', 'proxy-status', 'vary', 'etag', 'x-content-type-options', 'access-control-allow-origin']);

const patienceMs = 5000;

/** Sends one request to both, one after the other, so that neither waits for the other's locks. */
export async function askBoth(pair: Pair, asked: Asked): Promise<{ theirs: Answered; ours: Answered }> {
  const send = async (server: Server): Promise<Answered> => {
    if (asked.method === 'POST') await pair.resetSequences();
    return ask(server, asked, pair.jwtSecret);
  };
  return { theirs: await send(pair.theirs), ours: await send(pair.ours) };
}

async function ask(server: Server, { method, path, headers, body, claims }: Asked, secret: string): Promise<Answered> {
  const authorization = claims === null ? {} : { authorization: `Bearer ${sign(claims, secret)}` };
  const answer = await fetch(server.url + path, { method, headers: { ...authorization, ...headers }, body: body as string | null, redirect: 'manual', signal: AbortSignal.timeout(patienceMs) }).catch((error: unknown) => {
    // An answer that breaks off or never comes is compared as one, so that the run goes on.
    return new Response(String(error), { status: 599 });
  });
  const text = await answer.text();
  return { status: answer.status, headers: headersOf(answer.headers), text, json: parsed(text) };
}

function headersOf(headers: Headers): Record<string, string> {
  const kept = [...headers].filter(([name]) => !transport.has(name) && name !== 'set-cookie');
  const cookies = headers.getSetCookie();
  return Object.fromEntries([...kept, ...(cookies.length === 0 ? [] : [['set-cookie', cookies.join(' ; ')]])]) as Record<string, string>;
}

function sign(claims: object, secret: string): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What differs: `status`, `body`, or a header's name. Empty when the two answers say the same. */
export function differencesOf(asked: Asked, theirs: Answered, ours: Answered): string[] {
  const names = new Set([...Object.keys(theirs.headers), ...Object.keys(ours.headers)]);
  return [
    ...(theirs.status === ours.status ? [] : ['status']),
    ...[...names].filter((name) => theirs.headers[name] !== ours.headers[name]),
    ...(isSameBody(asked, theirs, ours) ? [] : ['body']),
  ];
}

function isSameBody(asked: Asked, theirs: Answered, ours: Answered): boolean {
  if (theirs.text === ours.text) return true;
  if (theirs.json === undefined || ours.json === undefined) return false;
  // Errors are objects without an order of keys; rows keep theirs, and every digit.
  if (theirs.status >= 300) return sorted(theirs.json, false) === sorted(ours.json, false);
  if (withoutSpace(theirs.text) === withoutSpace(ours.text)) return true;
  // Rows in no order that was asked for may come in any.
  return !/order=/.test(asked.path) && sorted(theirs.json, true) === sorted(ours.json, true);
}

/** JSON text without the space between tokens. */
function withoutSpace(json: string): string {
  return json.replaceAll(/"(?:[^"\\]|\\.)*"|\s+/g, (piece) => (piece.startsWith('"') ? piece : ''));
}

function sorted(value: unknown, areListsSets: boolean): string {
  if (Array.isArray(value)) {
    const items = value.map((item) => sorted(item, areListsSets));
    return `[${(areListsSets ? items.sort() : items).join()}]`;
  }
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}:${sorted(item, areListsSets)}`);
  return `{${(areListsSets ? entries : entries.sort()).join()}}`;
}
