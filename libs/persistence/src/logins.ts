import { createHmac } from 'node:crypto';
import { standsInForPostgrest, type Settings } from '@mainstay/config';
import type pg from 'pg';
import { readConnectionString } from './connection-string.ts';
import { Database } from './database.ts';
import { Listener } from './listen.ts';

/** The logins of the services, each with as few powers as its work needs; `supabase_admin` sets up and migrates. */
export const logins = ['authenticator', 'supabase_auth_admin', 'mainstay_api', 'mainstay_worker', 'mainstay_commands'] as const;
export type Login = (typeof logins)[number];

/** A service's password is derived, so that every api and worker with the same MAINSTAY_SECRET logs in without sharing files. */
export function loginPassword(settings: Pick<Settings, 'secret'>, login: Login): string {
  if (settings.secret === null) throw new Error('MAINSTAY_SECRET is not set');
  return createHmac('sha256', settings.secret).update(`login:${login}`).digest('base64url');
}

/**
 * Where the database is, for the given login; `null` is the administrator of DATABASE_URL. Where Mainstay stands in for
 * PostgREST there is one login, whatever its name is, and it serves data requests.
 */
export function connectionOf(settings: Settings, login: Login | null): pg.ClientConfig {
  if (standsInForPostgrest(settings) && login === 'authenticator') return readConnectionString(settings.dbUri!);
  if (settings.databaseUrl === null) throw new Error('DATABASE_URL is not set');
  const url = new URL(settings.databaseUrl);
  if (login !== null) {
    url.username = login;
    url.password = loginPassword(settings, login);
  }
  if (settings.dbSocket === null) return { connectionString: url.href };
  return {
    host: settings.dbSocket,
    port: Number(url.port || 5432),
    database: decodeURIComponent(url.pathname.slice(1)),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  };
}

/** A pool for one login. */
export function makeDatabase(settings: Settings, login: Login | null, options: { max?: number; applicationName?: string } = {}): Database {
  return new Database({
    connection: connectionOf(settings, login),
    max: options.max ?? settings.dbPoolSize,
    acquireTimeoutSeconds: settings.dbPoolTimeoutSeconds,
    maxIdleSeconds: settings.dbPoolIdleSeconds,
    maxLifetimeSeconds: settings.dbPoolLifetimeSeconds,
    isPrepared: settings.dbPreparedStatements,
    applicationName: options.applicationName ?? `mainstay ${login ?? 'set-up'}`,
  });
}

/** A connection of its own that listens, for one login. */
export function makeListener(settings: Settings, login: Login): Listener {
  return new Listener({ ...connectionOf(settings, login), application_name: `mainstay ${login} listens`, keepAlive: true });
}

/** Where the worker runs what role `postgres` asked for. */
export function makeCommandsDatabase(settings: Settings, options: { max: number }): Database {
  return makeDatabase(settings, commandsLogin(settings), { ...options, applicationName: 'mainstay_worker commands' });
}

/** The same for a connection of its own. */
export function commandsConnection(settings: Settings): pg.ClientConfig {
  return connectionOf(settings, commandsLogin(settings));
}

/**
 * An administrator by the name of `postgres` cannot always make another login a member of itself (PostgreSQL 16 and later); its
 * own login has the same powers.
 */
function commandsLogin(settings: Settings): Login | null {
  const isAdministrator = settings.databaseUrl !== null && decodeURIComponent(new URL(settings.databaseUrl).username) === 'postgres';
  return isAdministrator ? null : 'mainstay_commands';
}
