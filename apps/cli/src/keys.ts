import type { Settings } from '@mainstay/config';
import { runningUrlOf } from './home.ts';
import { Explained } from './explained.ts';
import { flag, readOptions } from './options.ts';

/** `mainstay keys`: what a client needs; the secret ones only when asked for by name. */
export function keysCommand(args: string[], settings: Settings): number {
  const { values } = readOptions('keys', args, { reveal: flag });
  if (settings.publishableKey === null) throw new Explained('There are no keys yet: they are made by the first `npm start`.');
  const secret = (value: string | null): string => (value === null ? '(not set)' : values.reveal === true ? value : '(secret: add --reveal)');
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
