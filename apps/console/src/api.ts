import { currentKey, signOut } from './session.ts';

/** An answer that is not what was asked for, in the words of the api; or no answer at all (`status` 0). */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly details: string | null;
  readonly hint: string | null;

  constructor(status: number, { code, message, details, hint }: { code: string; message: string; details?: unknown; hint?: string | null }) {
    super(message);
    this.name = 'Problem';
    this.status = status;
    this.code = code;
    this.details = detailsInWords(details);
    this.hint = hint ?? null;
  }

  /** The server is not there or not ready: worth asking again without a hand. A fault in the request stays what it is. */
  get isAway(): boolean {
    return this.status === 0 || this.status === 429 || (this.status >= 502 && this.status <= 504);
  }
}

/** Details are words; of a bug they are the id under which the server's log tells more. */
function detailsInWords(details: unknown): string | null {
  if (details === null || details === undefined || typeof details === 'string') return details || null;
  const { id } = details as { id?: unknown };
  return typeof id === 'string' ? `Id in the log: ${id}` : JSON.stringify(details);
}

export const noAnswer = { code: 'no_answer', message: 'The server does not answer.', hint: 'If it was stopped, start it again with “npm start”.' };

export interface Asking {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly signal?: AbortSignal;
  /** A key that is only being tried. */
  readonly key?: string;
}

/** Asks the api with the service key; what is not a success is thrown as a `Problem`. */
export async function ask(path: string, asking: Asking = {}): Promise<Response> {
  const response = await send(path, asking);
  if (response.ok) return response;
  const problem = problemOf(response.status, await response.text());
  if (response.status === 401 && asking.key === undefined) signOut('The key is no longer accepted. Sign in with the current one.');
  throw problem;
}

export async function askJson<T>(path: string, asking: Asking = {}): Promise<T> {
  return (await (await ask(path, asking)).json()) as T;
}

/** Asks `/auth/v1`, whose faults have words for codes only in the newer form of its answers. */
export function askAuth(path: string, asking: Asking = {}): Promise<Response> {
  return ask(`/auth/v1${path}`, { ...asking, headers: { 'x-supabase-api-version': '2024-01-01', ...asking.headers } });
}

export async function askAuthJson<T>(path: string, asking: Asking = {}): Promise<T> {
  return (await (await askAuth(path, asking)).json()) as T;
}

/** The headers by which the api knows who asks. */
export function keyHeaders(key: string | null): Record<string, string> {
  return key === null ? {} : { apikey: key, authorization: `Bearer ${key}` };
}

/** Reads a fault's JSON; a proxy in between may have answered with anything. */
export function problemOf(status: number, body: string): Problem {
  try {
    const fault = JSON.parse(body) as { code?: unknown; message?: unknown; msg?: unknown; details?: unknown; hint?: unknown };
    const message = fault.message ?? fault.msg;
    if (typeof message === 'string') {
      return new Problem(status, { code: String(fault.code ?? status), message, details: fault.details, hint: typeof fault.hint === 'string' ? fault.hint : null });
    }
  } catch (_notJson) {
    // Answered below by its status.
  }
  return new Problem(status, { code: String(status), message: `The server answered with status ${status}.` });
}

async function send(path: string, { method = 'GET', headers = {}, json, signal, key }: Asking): Promise<Response> {
  // Made outside: a key that no header can carry is not a server that is away.
  const sent = new Headers({ ...keyHeaders(key ?? currentKey()), ...(json === undefined ? {} : { 'content-type': 'application/json' }), ...headers });
  try {
    return await fetch(path, { method, headers: sent, signal: signal ?? null, cache: 'no-store', body: json === undefined ? null : JSON.stringify(json) });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, noAnswer);
  }
}
