import { SettingError } from '@mainstay/config';
import type pg from 'pg';

/** The server and its administrator, as far as set-up must know them. */
export interface Server {
  /** 15, 16, 17, 18 … */
  readonly version: number;
  /** The administrator's login. */
  readonly login: string;
  readonly isSuperuser: boolean;
  readonly database: string;
}

/** Statements that may be refused, and the sentence that is then kept. */
export interface Attempt {
  readonly sql: string;
  readonly note: string;
}

/** The administrator's connection during set-up: what it may not do is noted in words, and the rest goes on. */
export class Administrator {
  readonly notes: string[] = [];

  constructor(
    private readonly client: pg.ClientBase,
    readonly server: Server,
  ) {}

  async rows<R extends object>(text: string, values: readonly unknown[] = []): Promise<R[]> {
    const { rows } = await this.client.query(text, values as unknown[]);
    return rows as R[];
  }

  /** Runs statements that must succeed. */
  async run(sql: string): Promise<void> {
    await this.client.query(sql);
  }

  /** Runs statements that this administrator may not be allowed to; then `note` is kept and the answer is false. */
  async attempt(sql: string, note: string | null): Promise<boolean> {
    try {
      // One round trip: PostgreSQL passes over the rest of a query once a part of it has failed.
      await this.client.query(`savepoint attempt; ${sql}; release savepoint attempt`);
      return true;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      await this.client.query('rollback to savepoint attempt; release savepoint attempt');
      if (note !== null && !this.notes.includes(note)) this.notes.push(note);
      return false;
    }
  }

  /** Attempts many: in one go, and one by one only where something is refused. */
  async attemptEach(attempts: readonly Attempt[]): Promise<void> {
    if (attempts.length === 0 || (await this.attempt(attempts.map(({ sql }) => sql).join('; '), null))) return;
    for (const { sql, note } of attempts) await this.attempt(sql, note);
  }

  /** Runs `work` in one transaction. */
  async transaction<T>(work: () => Promise<T>): Promise<T> {
    await this.client.query('begin');
    try {
      const value = await work();
      await this.client.query('commit');
      return value;
    } catch (error) {
      await this.client.query('rollback').catch(() => {});
      throw error;
    }
  }
}

/** @throws SettingError if the server is too old for us. */
export async function meetServer(client: pg.ClientBase): Promise<Server> {
  const { rows } = await client.query(`
    select current_setting('server_version_num')::int / 10000 as version, session_user as login, current_database() as database,
      (select rolsuper from pg_catalog.pg_roles where rolname = session_user) as "isSuperuser"`);
  const server = rows[0] as Server;
  if (server.version < 15) throw new SettingError(`DATABASE_URL leads to PostgreSQL ${server.version}; Mainstay needs PostgreSQL 15 to 18.`);
  return server;
}

/** 42501: not allowed; 0A000: not on this server; 42704: it has no such parameter; 55000: not as it is configured; 58P01: no such file (an extension). */
function isRefusal(error: unknown): boolean {
  return ['42501', '0A000', '42704', '55000', '58P01'].includes((error as { code?: string }).code ?? '');
}

/** An SQL identifier, quoted. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** An SQL string, quoted; for statements that take no bound values. */
export function quoteText(text: string): string {
  return `${text.includes('\\') ? ' E' : ''}'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}
