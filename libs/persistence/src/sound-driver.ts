import { isRaw, type Configuration } from '@mikro-orm/core';
import { PostgreSqlConnection, PostgreSqlDriver } from '@mikro-orm/postgresql';
import { CompiledQuery } from 'kysely';
import { isConnectionError } from './database-faults.ts';

type Dialect = ReturnType<PostgreSqlConnection['createKyselyDialect']>;
type PoolDriver = ReturnType<Dialect['createDriver']>;
type Execute = PostgreSqlConnection['execute'];

/**
 * The ORM's driver, made to keep three promises of the house.
 * - Values are bound. MikroORM 7 writes them into the text of a statement, escaped, and sends it by the simple protocol,
 *   which would run a second statement too; here they travel apart from the text, and a second statement is an error.
 * - It ends when it is told to. Kysely 0.29 forgets its pool at once, and a connection that is being opened meanwhile is handed
 *   to nobody and never given back: the pool would wait for it without end, and with it the process.
 * - A broken connection is given back. Where BEGIN or ROLLBACK fails, Kysely 0.29 never returns the connection, and after
 *   a few restarts of PostgreSQL the pool has none left to hand out.
 */
export class SoundDriver extends PostgreSqlDriver {
  constructor(config: Configuration) {
    super(config);
    Object.assign(this, { connection: new SoundConnection(config) });
  }
}

class SoundConnection extends PostgreSqlConnection {
  override async execute<T>(...[query, params = [], method = 'all', ctx, loggerContext]: Parameters<Execute>): Promise<T> {
    await this.ensureConnection();
    const { sql, params: given } = typeof query === 'string' ? { sql: query, params } : 'toRaw' in query ? query.toRaw() : query;
    const { text, values } = bind(this.platform, sql, given as readonly unknown[]);
    const run = async () => this.transformRawResult<T>(await (ctx ?? this.getClient()).executeQuery(CompiledQuery.raw(text, values)), method);
    return this.executeQuery(text, run, { query: text, ...loggerContext });
  }

  override createKyselyDialect(...overrides: Parameters<PostgreSqlConnection['createKyselyDialect']>): Dialect {
    const dialect = super.createKyselyDialect(...overrides);
    const createDriver = dialect.createDriver.bind(dialect);
    return Object.assign(dialect, { createDriver: () => givingBack(createDriver()) });
  }
}

type Platform = PostgreSqlConnection['platform'];

/** The ORM's own way of filling in a statement, but for the values, which leave a number behind instead of their text. */
function bind(platform: Platform, sql: string, params: readonly unknown[]): { text: string; values: unknown[] } {
  const values: unknown[] = [];
  const binding = Object.create(platform) as Platform;
  binding.quoteValue = (value: unknown): string => {
    if (isRaw(value)) return binding.formatQuery(value.sql, value.params);
    if (Array.isArray(value)) return value.map((item) => binding.quoteValue(item)).join(', ');
    return `$${values.push(asParameter(value))}`;
  };
  return { text: binding.formatQuery(sql, params), values };
}

function asParameter(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString();
  if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) return JSON.stringify(value);
  return value;
}

function givingBack(driver: PoolDriver): PoolDriver {
  const begin = driver.beginTransaction.bind(driver);
  const rollback = driver.rollbackTransaction.bind(driver);
  const acquire = driver.acquireConnection.bind(driver);
  const destroy = driver.destroy.bind(driver);
  const acquiring = new Set<Promise<unknown>>();
  return Object.assign(driver, {
    acquireConnection: (...args: Parameters<PoolDriver['acquireConnection']>) => {
      const acquired = acquire(...args);
      acquiring.add(acquired);
      return acquired.finally(() => acquiring.delete(acquired));
    },
    destroy: async (...args: Parameters<PoolDriver['destroy']>) => {
      await Promise.allSettled(acquiring);
      await destroy(...args);
    },
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
