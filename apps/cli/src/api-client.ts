import type { Settings } from '@mainstay/config';
import { Explained } from './explained.ts';
import { runningUrlOf } from './home.ts';

type Request = RequestInit & { duplex?: 'half' };

/** The running API, as the service role. Every failure is `Explained`, for any status of 400 and above in the server's own words. */
export interface ApiClient {
  readonly url: string;
  /** Sends a request; gives parsed JSON. */
  ask<T>(method: string, path: string, init?: Request): Promise<T>;
  /** The first lines of an answer that has one JSON value on each. */
  lines<T>(path: string, most: number): Promise<readonly T[]>;
}

export function apiClient(settings: Settings, key: string | null): ApiClient {
  if (key === null) throw new Explained('There is no service key yet: run `npm start` once, or give one with --key.');
  const url = runningUrlOf(settings);
  const known = keyHeaders(key);
  const send = async (method: string, path: string, init: Request): Promise<Response> => {
    const headers = { ...known, ...(init.headers as Record<string, string> | undefined) };
    const answer = await fetch(`${url}${path}`, { ...init, method, headers });
    if (!answer.ok) throw new Explained(sentenceOf(answer.status, await answer.text()));
    return answer;
  };
  /** The connection may break at the first byte or at any later one. */
  const explained = <T>(answer: Promise<T>): Promise<T> =>
    answer.catch((cause: unknown) => {
      throw cause instanceof Explained ? cause : new Explained(whyNoAnswer(url, cause), { cause });
    });
  return {
    url,
    ask: async <T>(method: string, path: string, init: Request = {}) => {
      const text = await explained(send(method, path, init).then((answer) => answer.text()));
      return (text === '' ? undefined : JSON.parse(text)) as T;
    },
    lines: async <T>(path: string, most: number) => {
      const headers = { accept: 'application/x-ndjson' };
      const lines = await explained(send('GET', path, { headers }).then(({ body }) => firstLines(body!, most)));
      return lines.map((line) => JSON.parse(line) as T);
    },
  };
}

function keyHeaders(key: string): Record<string, string> {
  // Sooner or later `fetch` would say so, in the words of headers.
  if (!/^[\x21-\x7e]+$/.test(key)) throw new Explained('The text given with --key cannot be a key: it holds characters that no key has.');
  return { apikey: key, authorization: `Bearer ${key}` };
}

function whyNoAnswer(url: string, error: unknown): string {
  const { code } = ((error as Error).cause ?? {}) as { code?: string };
  if (code === 'ECONNRESET' || code === 'EPIPE' || code === 'UND_ERR_SOCKET') return `The connection to the API at ${url} broke before it had answered: look whether it runs, and try again.`;
  return `The API at ${url} does not answer: is \`npm start\` running?`;
}

async function firstLines(body: ReadableStream<Uint8Array>, most: number): Promise<readonly string[]> {
  const lines: string[] = [];
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (let part = await reader.read(); !part.done && lines.length < most; part = await reader.read()) {
    const texts = (rest + part.value).split('\n');
    rest = texts.pop()!;
    lines.push(...texts);
  }
  await reader.cancel();
  return lines.slice(0, most);
}

function sentenceOf(status: number, text: string): string {
  try {
    const { message, details, hint } = JSON.parse(text) as Record<string, string | null>;
    return [message, details, hint].filter((part) => typeof part === 'string' && part !== '').join('\n');
  } catch {
    return `The API answered ${status}: ${text.slice(0, 200)}`;
  }
}
