import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { readSettings, type Settings } from '@mainstay/config';
import { freePort, removePostgres, startPostgres, startValkey, vaultKeyFile, writeVaultKeyFile } from '@mainstay/embedded';
import { makeDatabase, prepareDatabase, vaultKeyOf, vaultLines } from '@mainstay/persistence';
import { clearAbandonedFolders, makeTestFolder } from './test-folders.ts';

/** The database that every test database is copied from: bootstrapped and migrated, never connected to. */
export const templateDatabase = 'mainstay_template';

/** What the spec files need to find the servers, as environment variables that Jest's workers inherit. */
export const serverVariables = 'MAINSTAY_TEST_SETTINGS';

export interface TestServers {
  stop(): Promise<void>;
}

/** Starts one PostgreSQL and one Valkey for a whole test run and prepares the template. Durability is off: no test loses power. */
export async function startTestServers(): Promise<TestServers> {
  clearAbandonedFolders();
  const folder = makeTestFolder('test');
  const password = randomBytes(18).toString('hex');
  const [postgres, valkey] = await Promise.all([
    freePort().then((port) =>
      startPostgres({ folder: join(folder, 'postgres'), port, password, settings: { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off', max_connections: '400', autovacuum: 'off' } }),
    ),
    freePort().then((port) => startValkey({ port, password })),
  ]);
  const keyFile = vaultKeyFile(join(folder, 'postgres'));
  const secrets = testSecrets();
  const environment = {
    DATABASE_URL: `postgresql://supabase_admin:${password}@127.0.0.1:${postgres.port}/${templateDatabase}`,
    MAINSTAY_DB_SOCKET: postgres.socket,
    REDIS_URL: valkey.url,
    POSTGRES_PASSWORD: password,
    LOG_LEVEL: 'silent',
    MAINSTAY_VAULT_KEY_FILE: keyFile,
    ...secrets,
  };
  writeVaultKeyFile(keyFile, vaultLines(new Map([[1, vaultKeyOf({ secret: secrets['MAINSTAY_SECRET']! }, 1)]])));
  await createTemplate(environment);
  process.env[serverVariables] = JSON.stringify(environment);
  return {
    stop: async () => {
      await Promise.all([valkey.stop(), postgres.stop()]);
      // The data may lie elsewhere, where the database's user can enter.
      removePostgres(join(folder, 'postgres'));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function createTemplate(environment: Record<string, string>): Promise<void> {
  const admin = makeDatabase(readSettings({ ...environment, DATABASE_URL: environment['DATABASE_URL']!.replace(/[^/]*$/, 'postgres') }), null, { max: 1 });
  await admin.rows(`create database ${templateDatabase}`);
  await admin.close();
  await prepareDatabase(readSettings(environment));
}

/** Keys of one test run; random, so that none can be mistaken for a real one. */
function testSecrets(): Record<string, string> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = { ...privateKey.export({ format: 'jwk' }), kid: 'test-key', alg: 'ES256', use: 'sig' };
  return {
    MAINSTAY_SECRET: randomBytes(32).toString('hex'),
    JWT_SECRET: randomBytes(32).toString('hex'),
    JWT_KEYS: JSON.stringify({ keys: [key] }),
    SUPABASE_PUBLISHABLE_KEY: `sb_publishable_${randomBytes(24).toString('base64url')}`,
    SUPABASE_SECRET_KEY: `sb_secret_${randomBytes(24).toString('base64url')}`,
  };
}

/** The settings of this run's servers, for one database and, where given, with some settings of the test's own. */
export function testSettings(database = templateDatabase, more: Record<string, string> = {}): Settings {
  return readSettings({ ...testEnvironment(database), ...more });
}

/** The same as environment variables, for a process that a spec starts. */
export function testEnvironment(database = templateDatabase): Record<string, string> {
  const text = process.env[serverVariables];
  if (text === undefined) throw new Error('no test servers are running: this spec needs the global set-up of jest.config.mjs');
  const environment = JSON.parse(text) as Record<string, string>;
  const url = environment['DATABASE_URL']!.replace(/[^/]*$/, database);
  return { ...environment, DATABASE_URL: url };
}
