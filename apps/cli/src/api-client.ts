import type { Settings } from '@mainstay/config';
import { Explained } from './explained.ts';
import { runningUrlOf } from './home.ts';

/** The running API, as the service role. */
export interface ApiClient {
  readonly url: string;
  /** Sends a request; gives parsed JSON. @throws Explained with the server's own words for any status of 400 and above. */
  ask<T>(method: string, path: string, init?: RequestInit & { duplex?: 'half' }): Promise<T>;
}

export function apiClient(settings: Settings, key: string | null): ApiClient {
  if (key === null) throw new Explained('There is no service key yet: run `npm start` once, or give one with --key.');
  const url = runningUrlOf(settings);
  return {
    url,
    ask: async <T>(method: string, path: string, init: RequestInit & { duplex?: 'half' } = {}): Promise<T> => {
      const answer = await fetch(`${url}${path}`, { ...init, method, headers: { apikey: key, authorization: `Bearer ${key}`, ...init.headers } }).catch((cause: unknown) => {
        throw new Explained(`The API at ${url} does not answer: is \`npm start\` running?`, { cause });
      });
      const text = await answer.text();
      if (!answer.ok) throw new Explained(sentenceOf(answer.status, text));
      return (text === '' ? undefined : JSON.parse(text)) as T;
    },
  };
}

function sentenceOf(status: number, text: string): string {
  try {
    const { message, details, hint } = JSON.parse(text) as Record<string, string | null>;
    return [message, details, hint].filter((part) => typeof part === 'string' && part !== '').join('\n');
  } catch {
    return `The API answered ${status}: ${text.slice(0, 200)}`;
  }
}
