import { createHmac } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { readSettings, settings as table, type Settings } from '@mainstay/config';
import { vaultKeyFile } from '@mainstay/embedded';
import { homeAt, readRunFile, writePrivately, type Home } from './home.ts';

/** The secrets of this home as names and values; empty before the first start. */
export function readSecrets(home: Home): Record<string, string> {
  return existsSync(home.secrets) ? (parseEnv(readFileSync(home.secrets, 'utf8')) as Record<string, string>) : {};
}

/**
 * Reads the secrets and makes those that are missing. What the environment gives is used and not written down:
 * whoever sets a secret there keeps it there.
 */
export async function ensureSecrets(home: Home, environment: NodeJS.ProcessEnv): Promise<Record<string, string>> {
  const kept = readSecrets(home);
  // Keys that another JWT_SECRET signed would be refused: with a new one they are made anew.
  if ((environment['JWT_SECRET'] ?? kept['JWT_SECRET']) !== kept['JWT_SECRET']) for (const name of ['ANON_KEY', 'SERVICE_ROLE_KEY']) delete kept[name];
  // At every start but the first there is nothing to make or to check: then the code that does it is not loaded.
  if (isWhole(kept) && !isAnyGiven(environment)) return kept;
  const { makeSecrets } = await import('@mainstay/auth');
  const made = await makeSecrets({ ...kept, ...environment });
  const toKeep = Object.entries(made).filter(([name]) => (environment[name] ?? '') === '');
  if (toKeep.some(([name, value]) => kept[name] !== value)) writePrivately(home.secrets, asEnvFile({ ...kept, ...Object.fromEntries(toKeep) }));
  return { ...kept, ...made };
}

const secretRows = [table.secret, table.postgresPassword, table.jwtSecret, table.jwtKeys, table.anonKey, table.serviceRoleKey, table.publishableKey, table.secretKey];

/** Nothing is missing, and the keys belong to the secret: a file that somebody changed by hand is looked at more closely. */
function isWhole(kept: Readonly<Record<string, string>>): boolean {
  if (secretRows.some(({ name }) => (kept[name] ?? '') === '')) return false;
  return [table.anonKey, table.serviceRoleKey].every(({ name }) => {
    const [head, body, signature] = kept[name]!.split('.');
    return createHmac('sha256', kept[table.jwtSecret.name]!).update(`${head}.${body}`).digest('base64url') === signature;
  });
}

/** What decides over the keys is given from outside, so they may have to be made anew. */
function isAnyGiven(environment: NodeJS.ProcessEnv): boolean {
  return [...secretRows, table.jwtAlgorithm].some(({ name, synonyms }) => [name, ...synonyms].some((known) => (environment[known] ?? '') !== ''));
}

function asEnvFile(values: Record<string, string>): string {
  const head = '# Made at the first start. Whoever has SERVICE_ROLE_KEY or SUPABASE_SECRET_KEY may do everything.\n';
  return head + Object.entries(values).map(([name, value]) => `${name}='${value}'\n`).join('');
}

/**
 * The settings of a stack that was started before: what the environment says, then the home's secrets. Where no DATABASE_URL
 * is set, it is the embedded server's.
 */
export async function settingsOfHome(environment: NodeJS.ProcessEnv): Promise<Settings> {
  const home = homeAt(readSettings(environment).home);
  const secrets = readSecrets(home);
  const settings = readSettings(environment, secrets);
  if (settings.databaseUrl !== null || settings.postgresPassword === null) return settings;
  const port = readRunFile(home)?.dbPort ?? settings.dbPort;
  const url = `postgresql://supabase_admin:${encodeURIComponent(settings.postgresPassword)}@127.0.0.1:${port}/postgres`;
  return readSettings(environment, secrets, { DATABASE_URL: url, MAINSTAY_VAULT_KEY_FILE: vaultKeyFile(home.postgres) });
}
