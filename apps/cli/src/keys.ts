import type { Settings } from '@mainstay/config';
import { apiClient, type ApiClient } from './api-client.ts';
import { Explained } from './explained.ts';
import { runningUrlOf } from './home.ts';
import { flag, readOptions, text, wayToHelp } from './options.ts';

interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  readonly hint: string;
  readonly role: string;
  readonly expires_at: string | null;
  readonly revoked_at: string | null;
}

interface SigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly state: string;
  readonly source: string;
}

/** `mainstay keys`: what a client needs, and with a word behind it the keys of the running stack. */
export async function keysCommand(args: string[], settings: Settings): Promise<number> {
  const { values, positionals } = readOptions('keys', args, { reveal: flag, publishable: flag, role: text, expires: text, key: text }, 2);
  const [verb, what] = positionals;
  if (verb === undefined) return show(settings, values.reveal === true);
  const api = apiClient(settings, values.key ?? settings.secretKey ?? settings.serviceRoleKey);
  if (verb === 'list') return list(api);
  if (verb === 'create') return create(api, what, { kind: values.publishable === true ? 'publishable' : 'secret', role: values.role ?? '', expires_at: values.expires === undefined ? null : timeOf(values.expires) });
  if (verb === 'rotate') return rotate(api);
  if (verb === 'revoke') return revoke(api, what);
  throw new Explained(`There is no "keys ${verb}": list, create, rotate or revoke.\n${wayToHelp('keys')}`);
}

/** The secret ones only when asked for by name. */
function show(settings: Settings, isRevealing: boolean): number {
  if (settings.publishableKey === null) throw new Explained('There are no keys yet: they are made by the first `npm start`.');
  const secret = (value: string | null): string => (value === null ? '(not set)' : isRevealing ? value : '(secret: add --reveal)');
  const rows: [string, string][] = [
    ['SUPABASE_URL', runningUrlOf(settings)],
    ['SUPABASE_PUBLISHABLE_KEY', settings.publishableKey],
    ['ANON_KEY', settings.anonKey ?? '(not set)'],
    ['SUPABASE_SECRET_KEY', secret(settings.secretKey)],
    ['SERVICE_ROLE_KEY', secret(settings.serviceRoleKey)],
    ['POSTGRES_PASSWORD', secret(settings.postgresPassword)],
  ];
  for (const [name, value] of rows) console.log(`${name}=${value}`);
  return 0;
}

async function list(api: ApiClient): Promise<number> {
  for (const { id, name, kind, hint, role, expires_at: end, revoked_at: revoked } of await api.ask<ApiKey[]>('GET', '/keys/v1')) {
    const standing = revoked !== null ? `revoked ${revoked}` : end === null ? '' : `until ${end}`;
    console.log([id.padEnd(36), name.padEnd(24), kind.padEnd(11), role.padEnd(14), hint, standing].join('  ').trimEnd());
  }
  console.log();
  printSigning(await api.ask<SigningKey[]>('GET', '/keys/v1/signing'));
  return 0;
}

async function create(api: ApiClient, name: string | undefined, terms: object): Promise<number> {
  if (name === undefined) throw new Explained('Say how the key is to be called: npm run mainstay -- keys create NAME');
  const { id, key, role } = await api.ask<ApiKey & { readonly key: string }>('POST', '/keys/v1', { body: JSON.stringify({ name, ...terms }), headers: { 'content-type': 'application/json' } });
  console.log(key);
  console.error(`This is the only time that it is shown. It may do what ${role} may; end it with: npm run mainstay -- keys revoke ${id}`);
  return 0;
}

async function rotate(api: ApiClient): Promise<number> {
  printSigning(await api.ask<SigningKey[]>('POST', '/keys/v1/signing/rotate'));
  return 0;
}

/** An API key by its id, or a signing key by its kid. */
async function revoke(api: ApiClient, id: string | undefined): Promise<number> {
  if (id === undefined) throw new Explained('Say which key: npm run mainstay -- keys revoke ID');
  const isSigning = (await api.ask<SigningKey[]>('GET', '/keys/v1/signing')).some(({ kid }) => kid === id);
  await api.ask('DELETE', `/keys/v1/${isSigning ? 'signing/' : ''}${encodeURIComponent(id)}`);
  console.log(`Revoked ${id}.`);
  return 0;
}

function printSigning(keys: readonly SigningKey[]): void {
  for (const { kid, alg, state, source } of keys) console.log(`${kid.padEnd(44)} ${alg.padEnd(6)} ${state.padEnd(9)} ${source === 'settings' ? 'JWT_KEYS' : ''}`.trimEnd());
}

/** A moment, or how long from now: `90d`, `12h`, `30m`. */
export function timeOf(words: string, nowMs = Date.now()): string {
  const span = /^(\d{1,6})([mhd])$/.exec(words);
  const time = span === null ? new Date(words) : new Date(nowMs + Number(span[1]) * { m: 60_000, h: 3_600_000, d: 86_400_000 }[span[2] as 'm' | 'h' | 'd']);
  if (Number.isNaN(time.getTime())) throw new Explained(`--expires takes a moment such as 2030-01-31, or a span such as 90d, 12h or 30m, and not "${words}".`);
  return time.toISOString();
}
