import type { Settings } from '@mainstay/config';
import { MikroORM } from '@mikro-orm/postgresql';
import { DriverException } from '@mikro-orm/core';
import pg from 'pg';
import { AuthSession } from './auth-session.entity.ts';
import { ConnectionLost, isConnectionError, PoolTimeout } from './database-faults.ts';
import { Identity } from './identity.entity.ts';
import { connectionOf } from './logins.ts';
import { RefreshToken } from './refresh-token.entity.ts';
import { SoundDriver } from './sound-driver.ts';
import { User } from './user.entity.ts';

/** The object-relational view of the auth tables, as their owner `supabase_auth_admin`. It connects at the first question. */
export async function makeAccountsOrm(settings: Settings): Promise<MikroORM> {
  return MikroORM.init({
    driver: SoundDriver,
    entities: [User, Identity, AuthSession, RefreshToken],
    dbName: decodeURIComponent(new URL(settings.databaseUrl ?? 'postgresql:///').pathname.slice(1)),
    ensureDatabase: false,
    // Every question is asked on a fork of its own; there is no ambient request to find one by.
    allowGlobalContext: false,
    driverOptions: {
      ...connectionOf(settings, 'supabase_auth_admin'),
      application_name: 'mainstay supabase_auth_admin',
      connectionTimeoutMillis: settings.dbPoolTimeoutSeconds * 1000,
      keepAlive: true,
      allowExitOnIdle: true,
    },
    // Half of what data requests have: sign-ins are bounded by hashing long before they are by connections.
    pool: { min: 0, max: Math.max(2, Math.ceil(settings.dbPoolSize / 2)), idleTimeoutMillis: 30_000 },
  });
}

/** Gives what the ORM threw back as the errors that the house knows: `DatabaseError`, `ConnectionLost`, `PoolTimeout`. */
export function houseError(error: unknown, settings: Pick<Settings, 'dbPoolTimeoutSeconds'>, mayHaveCommitted: boolean): unknown {
  if (error instanceof Error && error.message.startsWith('timeout exceeded when trying to connect')) return new PoolTimeout(settings.dbPoolTimeoutSeconds);
  if (!(error instanceof DriverException)) return isConnectionError(error) ? new ConnectionLost(error, mayHaveCommitted) : error;
  const reported = databaseErrorOf(error);
  return isConnectionError(reported) ? new ConnectionLost(error, mayHaveCommitted) : reported;
}

/** The ORM copies every field of PostgreSQL's report into its own error; five-character codes are SQLSTATEs, but for the system's EPIPE. */
function databaseErrorOf(error: DriverException): unknown {
  if (!/^(?!EPIPE)[0-9A-Z]{5}$/.test(error.code ?? '')) return Object.assign(new Error(error.message, { cause: error }), { code: error.code });
  const reported = new pg.DatabaseError(error.message.split('\n - ')[0]!, 0, 'error');
  const { code, detail, hint, schema, table, column, constraint } = error as DriverException & Partial<pg.DatabaseError>;
  return Object.assign(reported, { code, detail, hint, schema, table, column, constraint, cause: error });
}
