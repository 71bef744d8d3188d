import { generateKeyPairSync } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ClientMetadata, JWK } from 'oidc-provider';

/** A real OpenID provider on loopback; whoever types a login into its form is that account. */
export interface Issuer {
  readonly url: string;
  /** What the provider says of somebody, by their login. */
  readonly people: Map<string, Record<string, unknown>>;
  /**
   * Walks through its pages as somebody does: signs in and agrees.
   * @param how `deny` says no instead
   * @returns where the browser is led in the end
   */
  walk(authorizationUrl: string, login: string, how?: 'agree' | 'deny'): Promise<URL>;
  close(): Promise<void>;
}

export async function startIssuer(clients: readonly ClientMetadata[]): Promise<Issuer> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const people = new Map<string, Record<string, unknown>>();
  const jwk = signingKey();
  const { default: Provider } = await import('oidc-provider');
  const provider = silently(() => new Provider(url, {
    clients: [...clients],
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, ...people.get(id) }) }),
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'picture', 'preferred_username'] },
    cookies: { keys: ['of no worth'] },
    pkce: { required: () => true },
    features: { devInteractions: { enabled: true } },
    ttl: { Interaction: 600, Session: 600, Grant: 600, AccessToken: 600, IdToken: 600 },
    jwks: { keys: [jwk] },
  }));
  server.on('request', provider.callback());
  return { url, people, walk: (from, login, how = 'agree') => walk(url, from, login, how), close: () => end(server) };
}

/** It warns of what it is here for: to be quick, and for tests. */
function silently<T>(work: () => T): T {
  const { warn } = console;
  console.warn = () => {};
  try {
    return work();
  } finally {
    console.warn = warn;
  }
}

/** Its own keys it would complain about. */
function signingKey(): JWK {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig' } as JWK;
}

/** A browser reduced to what the pages need: cookies, redirects and the two forms. */
async function walk(issuer: string, from: string, login: string, how: 'agree' | 'deny'): Promise<URL> {
  const jar = new Map<string, string>();
  let next = new URL(from);
  let form: Record<string, string> | null = null;
  for (let step = 0; step < 20; step += 1) {
    if (next.origin !== issuer) return next;
    const answer: Response = await fetch(next, {
      redirect: 'manual',
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form === null ? {} : { method: 'POST', body: new URLSearchParams(form) }),
    });
    form = null;
    for (const cookie of answer.headers.getSetCookie()) {
      const [name = '', value = ''] = cookie.split(';')[0]!.split(/=(.*)/s);
      jar.set(name, value);
    }
    const location = answer.headers.get('location');
    if (location !== null) {
      next = new URL(location, next);
      continue;
    }
    const page = await answer.text();
    const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1];
    if (prompt === undefined) throw new Error(`the issuer shows no form at ${next.pathname}: ${page.replaceAll(/<[^>]+>|\s+/g, ' ').slice(0, 300)}`);
    if (how === 'deny') next = new URL(`${next.href}/abort`);
    else form = prompt === 'login' ? { prompt, login, password: 'any' } : { prompt };
  }
  throw new Error('the issuer leads round in a circle');
}

function end(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
