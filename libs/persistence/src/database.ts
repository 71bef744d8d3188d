import pg from 'pg';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { Histogram } from '@mainstay/telemetry';
import { from as copyFrom } from 'pg-copy-streams';
import { Cancellation } from './cancel.ts';
import { copyOutValues } from './copy-out.ts';
import { copyOutStream } from './copy-stream.ts';
import { ConnectionLost, isConnectionError, PoolTimeout } from './database-faults.ts';
import { roundTrip, series } from './round-trip.ts';
import { openSession } from './session.ts';
import { asSqlStep, asTransactionStep } from './sql-steps.ts';
import { fetchLines } from './fetch-lines.ts';
import type { CopyPiece, LineFormat, LinePage, Result, ResultColumn, Session, Statement, Transaction } from './statement.ts';

export interface DatabaseOptions {
  readonly connection: pg.ClientConfig;
  /** Most connections held at once. */
  readonly max: number;
  /** How long a caller waits for a connection before `PoolTimeout`. */
  readonly acquireTimeoutSeconds?: number;
  /** Shown by `pg_stat_activity`. */
  readonly applicationName?: string;
  /** Seconds after which an idle connection is closed, and any connection; 0 is never. */
  readonly maxIdleSeconds?: number;
  readonly maxLifetimeSeconds?: number;
  /** Off behind a pooler that gives each transaction another connection: nothing is prepared by name. */
  readonly isPrepared?: boolean;
}

/** Who waits for a piece of work. */
export interface RunTerms {
  /** Aborted when nobody waits any more: what runs is cancelled in PostgreSQL, and what has not begun never does. */
  readonly signal?: AbortSignal | undefined;
}

/** Every pool of this process that is not closed, for whoever tells how they are. */
const open = new Set<Database>();

export function openDatabases(): readonly Database[] {
  return [...open];
}

/** PostgreSQL as one login sees it: a pool of connections, and the two ways to use one. */
export class Database {
  readonly name: string;
  readonly max: number;
  /** How long callers waited for a connection, in seconds. */
  readonly waits = new Histogram();
  /** How many waited in vain. */
  timeouts = 0;
  private readonly pool: pg.Pool;
  private readonly acquireTimeoutSeconds: number;
  private readonly isPrepared: boolean;

  constructor(options: DatabaseOptions) {
    this.name = options.applicationName ?? 'mainstay';
    this.max = options.max;
    this.acquireTimeoutSeconds = options.acquireTimeoutSeconds ?? 10;
    this.isPrepared = options.isPrepared ?? true;
    this.pool = new pg.Pool({
      ...options.connection,
      max: options.max,
      application_name: options.applicationName,
      connectionTimeoutMillis: this.acquireTimeoutSeconds * 1000,
      idleTimeoutMillis: (options.maxIdleSeconds ?? 30) * 1000,
      maxLifetimeSeconds: options.maxLifetimeSeconds ?? 0,
      keepAlive: true,
      allowExitOnIdle: true,
    });
    // An idle connection that breaks is dropped by the pool; without a listener the error would end the process. So it would
    // for one that breaks between two statements of a transaction: the next statement tells.
    this.pool.on('error', () => {});
    this.pool.on('connect', (client) => client.on('error', () => {}));
    open.add(this);
  }

  /**
   * Runs one statement as `session` says, in a transaction of its own and a single round trip.
   * @throws DatabaseError as PostgreSQL reports it; ConnectionLost; PoolTimeout; the signal's reason.
   */
  once(session: Session, statement: Statement, terms: RunTerms = {}): Promise<Result> {
    return asSqlStep(statement.text, () => this.onceAs(session, statement, terms));
  }

  private async onceAs(session: Session, statement: Statement, { signal }: RunTerms): Promise<Result> {
    const client = await this.acquire(signal);
    const cancellation = signal === undefined ? null : new Cancellation(client, signal);
    try {
      const opening = openSession(session);
      const result = this.isPrepared ? await roundTrip(client, opening, statement) : await roundTrip(client, unnamed(opening), unnamed(statement));
      this.release(client, cancellation);
      return result;
    } catch (error) {
      throw this.giveBack(client, error, session.isReadOnly !== true, cancellation);
    }
  }

  /**
   * Runs statements in a transaction of their own and a single round trip, whatever each does to role and settings; gives the
   * answer of the last. `onMessage` is told what PostgreSQL says meanwhile (RAISE), at once.
   * @throws as `once`; `failedPlace` tells at which statement
   */
  series(statements: readonly Statement[], { signal, onMessage }: RunTerms & { readonly onMessage?: (message: { code?: string | undefined; message?: string | undefined }) => void } = {}): Promise<Result> {
    return asSqlStep(statements[0]?.text ?? '', async () => {
      const client = await this.acquire(signal);
      const cancellation = signal === undefined ? null : new Cancellation(client, signal);
      if (onMessage !== undefined) client.on('notice', onMessage);
      try {
        const result = await series(client, this.isPrepared ? statements : statements.map(unnamed));
        if (onMessage !== undefined) client.off('notice', onMessage);
        this.release(client, cancellation);
        return result;
      } catch (error) {
        if (onMessage !== undefined) client.off('notice', onMessage);
        throw this.giveBack(client, error, true, cancellation);
      }
    });
  }

  /**
   * Runs `work` in an ordinary transaction: commits what it returns, rolls back what it throws.
   * @throws whatever `work` throws; DatabaseError, ConnectionLost, PoolTimeout; the signal's reason.
   */
  transaction<T>(session: Session, work: (tx: Transaction) => Promise<T>, terms: RunTerms = {}): Promise<T> {
    return asTransactionStep(() => this.transactionAs(session, work, terms));
  }

  private async transactionAs<T>(session: Session, work: (tx: Transaction) => Promise<T>, { signal }: RunTerms): Promise<T> {
    const client = await this.acquire(signal);
    const cancellation = signal === undefined ? null : new Cancellation(client, signal);
    let isCommitting = false;
    try {
      await client.query(beginOf(session));
      const tx = new OpenTransaction(client, signal);
      await tx.become(session);
      const value = await work(tx);
      signal?.throwIfAborted();
      isCommitting = true;
      const answer = await client.query('commit');
      // COMMIT of a transaction that already failed answers ROLLBACK and no error.
      if (answer.command !== 'COMMIT') throw new Error('the transaction had failed and was rolled back');
      this.release(client, cancellation);
      return value;
    } catch (error) {
      if (!isConnectionError(error) && !isCommitting) {
        const rolledBack = await client.query('rollback').then(() => true, () => false);
        if (rolledBack) this.release(client, cancellation);
        else this.discard(client, cancellation);
        throw error;
      }
      throw this.giveBack(client, error, isCommitting, cancellation);
    }
  }

  /** Runs one statement of ours as the login itself, outside any session, and gives rows as objects. */
  async rows<R extends object = Record<string, unknown>>(text: string, values: readonly unknown[] = []): Promise<R[]> {
    const client = await this.acquire();
    try {
      const { rows } = await asSqlStep(text, () => client.query(text, values as unknown[]));
      client.release();
      return rows as R[];
    } catch (error) {
      throw this.giveBack(client, error, true);
    }
  }

  /** Reads the only column of a query as bytes, as the login itself. The query is our own: it cannot have bound values. */
  async bytes(query: string): Promise<Buffer[]> {
    const client = await this.acquire();
    try {
      const values = await copyOutValues(client, query);
      client.release();
      return values;
    } catch (error) {
      throw this.giveBack(client, error, false);
    }
  }

  /** Connections in use, idle, and callers that wait for one. */
  load(): { busy: number; idle: number; waiting: number } {
    return { busy: this.pool.totalCount - this.pool.idleCount, idle: this.pool.idleCount, waiting: this.pool.waitingCount };
  }

  /** Closes every connection, once the running statements are done. */
  async close(): Promise<void> {
    open.delete(this);
    if (!this.pool.ended && !this.pool.ending) await this.pool.end();
  }

  private async acquire(signal?: AbortSignal): Promise<pg.PoolClient> {
    const client = await this.connect();
    if (!signal?.aborted) return client;
    client.release();
    throw signal.reason;
  }

  private async connect(): Promise<pg.PoolClient> {
    const askedAt = performance.now();
    try {
      const client = await this.pool.connect();
      this.waits.observe((performance.now() - askedAt) / 1000);
      return client;
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('timeout exceeded')) {
        this.timeouts += 1;
        throw new PoolTimeout(this.acquireTimeoutSeconds);
      }
      if (isConnectionError(error)) throw new ConnectionLost(error, false);
      throw error;
    }
  }

  /** Gives a client to the next user; one that is being cancelled only when that can no longer hit the next user. */
  private release(client: pg.PoolClient, cancellation: Cancellation | null): void {
    const asked = cancellation?.settled() ?? null;
    if (asked === null) client.release();
    else void asked.then((isOver) => client.release(!isOver));
  }

  private discard(client: pg.PoolClient, cancellation: Cancellation | null): void {
    void cancellation?.settled();
    client.release(true);
  }

  /** Returns a client after an error: a broken connection is destroyed, never given to the next caller. */
  private giveBack(client: pg.PoolClient, error: unknown, mayHaveCommitted: boolean, cancellation: Cancellation | null = null): unknown {
    if (!isConnectionError(error)) {
      this.release(client, cancellation);
      return error;
    }
    this.discard(client, cancellation);
    return error instanceof ConnectionLost ? error : new ConnectionLost(error, mayHaveCommitted);
  }
}

function unnamed({ text, values }: Statement): Statement {
  return { text, values };
}

function beginOf(session: Session): string {
  const isolation = session.isolation === undefined ? '' : ` isolation level ${session.isolation}`;
  return `begin${isolation}${session.isReadOnly ? ' read only' : ''}`;
}

/** Every value as PostgreSQL's own text. */
const asText = { getTypeParser: () => (value: string) => value } as unknown as pg.CustomTypesConfig;

class OpenTransaction implements Transaction {
  private depth = 0;
  private cursors = 0;

  constructor(
    private readonly client: pg.PoolClient,
    private readonly signal: AbortSignal | undefined,
  ) {}

  // Unnamed even where the statement has a name: `once` and pg each keep a list of their own of what a connection has prepared.
  async run(statement: Statement): Promise<Result> {
    // A request to cancel that arrives between two statements is dropped by PostgreSQL.
    this.signal?.throwIfAborted();
    const { text, values } = statement;
    const answer = await asSqlStep(text, () => this.client.query({ text, values: values as unknown[], rowMode: 'array', types: asText }));
    return { fields: answer.fields.map((field) => field.name), rows: answer.rows as (string | null)[][], rowCount: answer.rowCount ?? 0 };
  }

  runAs({ role, settings }: Pick<Session, 'role' | 'settings'>, statement: Statement): Promise<Result> {
    this.signal?.throwIfAborted();
    return asSqlStep(statement.text, () => roundTrip(this.client, openSession({ role, settings }), statement));
  }

  async rows<R extends object>(text: string, values: readonly unknown[] = []): Promise<R[]> {
    const { rows } = await asSqlStep(text, () => this.client.query(text, values as unknown[]));
    return rows as R[];
  }

  async *pages(statement: Statement, rowsPerPage: number | (() => number)): AsyncGenerator<Result['rows'], void, undefined> {
    const name = `"pages_${(this.cursors += 1)}"`;
    await this.run({ text: `declare ${name} no scroll cursor for ${statement.text}`, values: statement.values });
    for (;;) {
      const most = typeof rowsPerPage === 'number' ? rowsPerPage : rowsPerPage();
      const { rows } = await this.run({ text: `fetch forward ${most} from ${name}`, values: [] });
      if (rows.length > 0) yield rows;
      if (rows.length < most) break;
    }
    await this.run({ text: `close ${name}`, values: [] });
  }

  async *lines(statement: Statement, format: LineFormat, rowsPerPage: () => number): AsyncGenerator<LinePage, void, undefined> {
    const name = `"lines_${(this.cursors += 1)}"`;
    await this.run({ text: `declare ${name} no scroll cursor for ${statement.text}`, values: statement.values });
    for (;;) {
      const most = rowsPerPage();
      this.signal?.throwIfAborted();
      const page = await fetchLines(this.client, `fetch forward ${most} from ${name}`, format);
      if (page.rows > 0) yield page;
      if (page.rows < most) break;
    }
    await this.run({ text: `close ${name}`, values: [] });
  }

  async savepoint<T>(work: () => Promise<T>): Promise<T> {
    const name = `step_${(this.depth += 1)}`;
    await this.client.query(`savepoint ${name}`);
    try {
      const value = await work();
      await this.client.query(`release savepoint ${name}`);
      return value;
    } catch (error) {
      if (!isConnectionError(error)) await this.client.query(`rollback to savepoint ${name}; release savepoint ${name}`);
      throw error;
    } finally {
      this.depth -= 1;
    }
  }

  async copyIn(copy: string, data: Uint8Array | readonly Uint8Array[]): Promise<number> {
    const stream = this.client.query(copyFrom(copy));
    await pipeline(Readable.from(data instanceof Uint8Array ? [data] : data, { objectMode: false }), stream);
    return stream.rowCount ?? 0;
  }

  copyOut(copy: string): AsyncIterable<CopyPiece> {
    this.signal?.throwIfAborted();
    return copyOutStream(this.client, copy);
  }

  async columnsOf(query: string): Promise<readonly ResultColumn[]> {
    const { fields } = await this.client.query({ text: `select * from (${query}) as "q" limit 0`, rowMode: 'array' });
    return fields.map(({ name, dataTypeID, dataTypeModifier }) => ({ name, type: dataTypeID, modifier: dataTypeModifier }));
  }

  async become(session: Pick<Session, 'role' | 'settings'>): Promise<void> {
    const { text, values } = openSession({ role: session.role, settings: session.settings });
    await this.client.query(text, values as unknown[]);
  }
}
