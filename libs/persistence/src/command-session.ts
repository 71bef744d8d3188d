import type { Settings } from '@mainstay/config';
import pg from 'pg';
import { quoteText } from './administrator.ts';
import { Cancellation } from './cancel.ts';
import { runText, type CommandAnswer } from './command-text.ts';
import { ConnectionLost } from './database-faults.ts';
import type { Lease } from './jobs.ts';
import { commandsConnection } from './logins.ts';
import { splitStatements } from './split-statements.ts';

export interface CommandTerms {
  readonly role: string;
  /** Another database of the same server; null is our own. */
  readonly database: string | null;
  /** Settings of the session, such as the claims to act with and `app.settings.…`; they win over those of role and database. */
  readonly settings: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** Who may do all that the login may: what they run cannot gain anything by leaving its role. */
const master = 'postgres';

/**
 * A session of its own for a command, as its role would find it after a login: with what ALTER ROLE … SET says. It is closed
 * afterwards, so a command leaves nothing behind in it.
 */
export class CommandSession {
  private constructor(
    private readonly client: pg.Client,
    private readonly cancellation: Cancellation,
    readonly pid: number,
    private readonly role: string,
  ) {}

  /** @throws DatabaseError when role or database refuse; ConnectionLost */
  static async open(settings: Settings, terms: CommandTerms): Promise<CommandSession> {
    const connection = commandsConnection(settings);
    const client = new pg.Client({ ...connection, ...(terms.database === null ? {} : inDatabase(connection, terms.database)), application_name: 'mainstay_worker command', keepAlive: true });
    client.on('error', () => {});
    try {
      await client.connect();
      await settle(client, terms);
      await client.query(`set role ${client.escapeIdentifier(terms.role)}`);
      if (terms.role !== master) await client.query(confinement);
    } catch (error) {
      await client.end().catch(() => {});
      throw error instanceof pg.DatabaseError ? error : new ConnectionLost(error, false);
    }
    const cancellation = new Cancellation(client as unknown as pg.PoolClient, terms.signal);
    return new CommandSession(client, cancellation, (client as unknown as { processID: number }).processID, terms.role);
  }

  /**
   * Runs a command and completes its job in the same transaction: both happen or neither. Not for what brings its own
   * transactions along (`canBeTakenBack`); what must not stand in one answers with 25001 or 2D000 and has done nothing.
   */
  runOnce(command: string, lease: Lease): Promise<CommandAnswer> {
    const fence = `select mainstay_internal.complete_call(${quoteText(lease.jobId)}, ${quoteText(lease.token)})`;
    return this.send(this.confined(command), ['set role none', fence]);
  }

  /** Runs a command as it stands: what it has committed stays, whatever happens then. */
  run(command: string): Promise<CommandAnswer> {
    return this.send(this.confined(command), []);
  }

  async close(): Promise<void> {
    const asked = this.cancellation.settled();
    if (asked !== null) await asked;
    await this.client.end().catch(() => {});
  }

  private async send(text: string, extra: readonly string[]): Promise<CommandAnswer> {
    try {
      return await runText(this.client, text, extra);
    } catch (error) {
      throw new ConnectionLost(error, true);
    }
  }

  private confined(command: string): string {
    return this.role === master ? command : `select pg_temp.mainstay_command(${quoteText(command)})`;
  }
}

/** Says whether a command leaves it to us where its transaction ends. */
export async function canBeTakenBack(command: string): Promise<boolean> {
  const statements = await splitStatements(command);
  return statements.length > 0 && statements.every(({ kind }) => !['transaction', 'alone', 'unparsed', 'copy from stdin'].includes(kind.kind));
}

/** What ALTER ROLE … SET says holds for logins, and this is none of the role's; what may not be set is gone without. */
async function settle(client: pg.Client, { role, settings }: CommandTerms): Promise<void> {
  const { rows } = await client.query<{ setting: string }>(roleSettings, [role]);
  const ofRole = rows.map(({ setting }) => [setting.slice(0, setting.indexOf('=')), setting.slice(setting.indexOf('=') + 1)] as const);
  // A backend whose worker is gone shall not go on by itself.
  const all = [['client_connection_check_interval', '2s'] as const, ...ofRole.filter(([name]) => !notSettings.has(name)), ...Object.entries(settings)];
  for (const [name, value] of all) await client.query('select set_config($1, $2, false)', [name, value]).catch(unlessRefused);
}

const roleSettings = `
  select unnest(setconfig) as setting from pg_catalog.pg_db_role_setting
  where setrole = (select oid from pg_catalog.pg_roles where rolname = $1)
    and setdatabase in (0, (select oid from pg_catalog.pg_database where datname = current_database()))
  order by setdatabase`;
const notSettings = new Set(['role', 'session_authorization']);

function unlessRefused(error: unknown): void {
  if (!(error instanceof pg.DatabaseError) || error.severity !== 'ERROR') throw error;
}

/**
 * A login can always RESET ROLE to its own powers, and this one's are those of postgres. Inside a function that runs as its owner
 * PostgreSQL refuses that, so what other roles ask for runs in one of theirs; the constraints that wait for the commit are
 * checked inside as well.
 */
const confinement = `
  create function pg_temp.mainstay_command(command text) returns text language plpgsql security definer as $confined$
    declare
      done bigint;
    begin
      execute command;
      get diagnostics done = row_count;
      set constraints all immediate;
      return done;
    end
  $confined$`;

function inDatabase(connection: pg.ClientConfig, database: string): pg.ClientConfig {
  if (connection.connectionString === undefined) return { database };
  const url = new URL(connection.connectionString);
  url.pathname = `/${encodeURIComponent(database)}`;
  return { connectionString: url.href };
}
