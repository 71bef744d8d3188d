import type { Configuration } from '@mikro-orm/core';
import { PostgreSqlConnection, PostgreSqlDriver } from '@mikro-orm/postgresql';
import { isConnectionError } from './database-faults.ts';

type Dialect = ReturnType<PostgreSqlConnection['createKyselyDialect']>;
type PoolDriver = ReturnType<Dialect['createDriver']>;

/**
 * The ORM's driver with one hole closed: where BEGIN or ROLLBACK fails because the connection broke, Kysely 0.29 never gives
 * that connection back, and after a few restarts of PostgreSQL the pool has none left to hand out.
 */
export class SoundDriver extends PostgreSqlDriver {
  constructor(config: Configuration) {
    super(config);
    Object.assign(this, { connection: new SoundConnection(config) });
  }
}

class SoundConnection extends PostgreSqlConnection {
  override createKyselyDialect(...overrides: Parameters<PostgreSqlConnection['createKyselyDialect']>): Dialect {
    const dialect = super.createKyselyDialect(...overrides);
    const createDriver = dialect.createDriver.bind(dialect);
    return Object.assign(dialect, { createDriver: () => closeHole(createDriver()) });
  }
}

function closeHole(driver: PoolDriver): PoolDriver {
  const begin = driver.beginTransaction.bind(driver);
  const rollback = driver.rollbackTransaction.bind(driver);
  return Object.assign(driver, {
    beginTransaction: async (...args: Parameters<PoolDriver['beginTransaction']>) => {
      try {
        await begin(...args);
      } catch (error) {
        await driver.releaseConnection(args[0]);
        throw error;
      }
    },
    // The connection is gone and its transaction with it: all that is left to do is what Kysely does after a rollback,
    // give it back, upon which the pool sees that it is broken and drops it.
    rollbackTransaction: async (...args: Parameters<PoolDriver['rollbackTransaction']>) => {
      await rollback(...args).catch((error: unknown) => {
        if (!isConnectionError(error)) throw error;
      });
    },
  });
}
