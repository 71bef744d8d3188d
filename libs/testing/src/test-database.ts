import { randomBytes } from 'node:crypto';
import type { Settings } from '@mainstay/config';
import { makeDatabase, type Database, type Login } from '@mainstay/persistence';
import { templateDatabase, testEnvironment, testSettings } from './servers.ts';

/** A database of a spec's own, as fresh as after the first start. */
export interface TestDatabase {
  readonly name: string;
  readonly settings: Settings;
  /** The settings as environment variables, for a process that the spec starts. */
  readonly environment: Record<string, string>;
  /** The superuser, for arranging and looking. */
  readonly admin: Database;
  /** A pool for one of the services' logins, closed with the database. */
  as(login: Login, max?: number): Database;
  /** Closes every pool and drops the database. */
  close(): Promise<void>;
}

/** Copies the template: about 100 ms. Roles belong to the whole server and are shared by all test databases. */
export async function makeTestDatabase(more: Record<string, string> = {}): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  await onServer((server) => server.rows(`create database ${name} template ${templateDatabase} owner postgres`));
  const settings = testSettings(name, more);
  const admin = makeDatabase(settings, null, { max: 4 });
  const pools: Database[] = [admin];
  return {
    name,
    settings,
    environment: { ...testEnvironment(name), ...more },
    admin,
    as: (login, max = 4) => {
      const pool = makeDatabase(settings, login, { max });
      pools.push(pool);
      return pool;
    },
    close: async () => {
      await Promise.all(pools.map((pool) => pool.close()));
      await onServer((server) => server.rows(`drop database if exists ${name} with (force)`));
    },
  };
}

async function onServer(work: (server: Database) => Promise<unknown>): Promise<void> {
  const server = makeDatabase(testSettings('postgres'), null, { max: 1 });
  try {
    await work(server);
  } finally {
    await server.close();
  }
}
