import type { Settings } from '@mainstay/config';
import pg from 'pg';
import { quoteName } from './administrator.ts';
import { isConnectionError } from './database-faults.ts';
import { connectionOf } from './logins.ts';
import { withoutExtension, type SqlExtensions } from './missing-extensions.ts';
import { runPipeline, type PipelineStatement } from './pipeline.ts';
import { countKept, planFile, type FilePlan, type Group } from './plan-file.ts';
import { describeFailure, type PostgresError } from './project-failure.ts';
import { ProjectFault } from './project-fault.ts';
import { readSql } from './project-files.ts';
import { asText } from './project-history.ts';
import { splitStatements, type FileStatement } from './split-statements.ts';

/** What a run may use where the server lacks something, and whom it tells. */
export interface RunTerms {
  /** Extensions of ours for a server that cannot have them as such. */
  readonly sqlExtensions: SqlExtensions;
  /** Contrib extensions that the administrator creates where only a superuser may. */
  readonly trustedContrib: readonly string[];
  /** Told what happens, a sentence at a time. */
  readonly tell: (sentence: string) => void;
}

/** Gives what is sent instead of a statement, or null to send it as it is. */
type Replace = (statement: FileStatement) => Promise<string | null>;

/** Sent in the place of a statement that is passed over; PostgreSQL answers it like any other. */
const nothing = '-- passed over';

/** Runs SQL files one after the other on one connection. */
export class ProjectRun {
  private server: Promise<ServerExtensions> | undefined;

  constructor(
    private readonly client: pg.Client,
    private readonly settings: Settings,
    private readonly folder: string,
    private readonly terms: RunTerms,
  ) {
    client.on('notice', ({ severity, message }) => {
      if (severity === 'WARNING') terms.tell(`PostgreSQL warns: ${message}`);
    });
  }

  /** Runs `roles.sql`: roles belong to the whole server, so one that is there already is no mistake. */
  async runRoles(path: string, record: PipelineStatement): Promise<void> {
    await this.runFile(path, () => record, async ({ kind }) =>
      kind.kind === 'create role' && (await this.hasRole(kind.role)) ? this.passOver(`Role ${kind.role} exists already.`) : null,
    );
  }

  /**
   * Runs a file and records it, in one transaction where the file allows it.
   * @throws ProjectFault naming file, line and statement, after a rollback.
   */
  async runFile(path: string, record: (statements: readonly string[]) => PipelineStatement, replace: Replace = (statement) => this.replaceExtension(statement)): Promise<void> {
    const sql = readSql(this.folder, path);
    const statements = await splitStatements(sql);
    refuseCopy(path, sql, statements);
    const plan = planFile(statements);
    const sent: string[] = [];
    for (const statement of statements) sent.push((await replace(statement)) ?? statement.text);
    // A file before this one may have changed the settings of the session, its search_path above all.
    await this.client.query('reset all');

    const failed = await this.send(plan, sent, record(statements.map(({ text }) => text)));
    if (failed !== null) {
      await this.undo();
      if (isConnectionError(failed.error)) throw new ProjectFault(`${path}: ${(failed.error as Error).message}. Run it again: a file that was applied is recorded.`, { cause: failed.error });
      const { index, error } = failed;
      const isVerbatim = sent[index] === statements[index]?.text;
      throw new ProjectFault(describeFailure({ path, sql, statements, index, kept: countKept(statements, plan, index), error: error as PostgresError, isVerbatim }), { cause: error });
    }
    if (this.client.getTransactionStatus() !== 'I') {
      await this.undo();
      throw new ProjectFault(`${path} leaves its transaction open: end it with COMMIT. What it did since BEGIN is undone.`);
    }
  }

  private async send(plan: FilePlan, sent: readonly string[], record: PipelineStatement): Promise<{ index: number; error: unknown } | null> {
    const last = plan.groups.at(-1);
    const isRecordApart = plan.ownsTransactions || last === undefined || isAlone(last);
    for (const group of plan.groups) {
      const texts = group.statements.map((_, i) => ({ text: sent[group.first + i]! }));
      const failure =
        group.statements[0]!.kind.kind === 'unparsed'
          ? await this.sendWhole(texts[0]!.text, record)
          : await runPipeline(this.client, group === last && !isRecordApart ? [...texts, record] : texts);
      if (failure !== null) return { index: group.first + failure.index, error: failure.error };
    }
    if (last?.statements[0]!.kind.kind === 'unparsed' || !isRecordApart) return null;
    const failure = await runPipeline(this.client, [record]);
    return failure === null ? null : { index: sent.length, error: failure.error };
  }

  /** A file that could not be split goes as one simple query: PostgreSQL reads it whole before it does anything. */
  private async sendWhole(text: string, record: PipelineStatement): Promise<{ index: number; error: unknown } | null> {
    return this.client.query(`${text}\n;${asText(record)}`).then(
      () => null,
      (error: unknown) => ({ index: 0, error }),
    );
  }

  private async undo(): Promise<void> {
    // What failed as a whole is rolled back already, and PostgreSQL would warn that there is nothing to roll back.
    if (this.client.getTransactionStatus() === 'I') return;
    await this.client.query('rollback').catch(() => {});
  }

  /** What is sent instead of a statement that this server would refuse for no fault of the project's; null for most. */
  private async replaceExtension({ kind, text }: FileStatement): Promise<string | null> {
    if (kind.kind === 'vector index') return this.withoutOptions(text, kind.options);
    if (kind.kind !== 'create extension' && kind.kind !== 'comment on extension') return null;
    const server = await (this.server ??= readExtensions(this.client));
    const script = this.terms.sqlExtensions.get(kind.extension);
    const isMissing = script !== undefined && !server.available.has(kind.extension);
    if (kind.kind === 'comment on extension') return isMissing ? nothing : null;
    if (isMissing && kind.extension === 'vector') return (await this.makeTypesAsAdministrator(script, kind.schema)) ? this.passOver('The administrator made what our extension vector would make, since only a superuser makes types.') : null;
    if (isMissing) {
      this.terms.tell(`The server cannot have our extension ${kind.extension}: CREATE EXTENSION is passed over, and what it would make is made.`);
      return withoutExtension(script, kind.schema);
    }
    const isOffered = this.terms.trustedContrib.includes(kind.extension) && server.untrusted.has(kind.extension);
    return isOffered && (await this.createAsAdministrator(kind.extension, kind.schema)) ? this.passOver(`The administrator made extension ${kind.extension}, since only a superuser may.`) : null;
  }

  /** Our vector indexes know no options; pgvector's own do. */
  private async withoutOptions(text: string, [from, to]: readonly [number, number]): Promise<string | null> {
    const server = await (this.server ??= readExtensions(this.client));
    if (server.hasPgvector) return null;
    this.terms.tell('An index of vectors is made without its options: here it makes no search faster, every row is looked at.');
    return text.slice(0, from) + text.slice(to);
  }

  private passOver(sentence: string): string {
    this.terms.tell(sentence);
    return nothing;
  }

  private async hasRole(role: string): Promise<boolean> {
    const { rows } = await this.client.query('select from pg_catalog.pg_roles where rolname = $1', [role]);
    return rows.length > 0;
  }

  /** False where the administrator is no superuser: then PostgreSQL's own words are heard. */
  private async makeTypesAsAdministrator(script: string, schema: string | null): Promise<boolean> {
    return this.asAdministrator(async (admin) => {
      const { rows } = await admin.query('select from pg_catalog.pg_roles where rolname = current_user and rolsuper');
      if (rows.length === 0) return false;
      await admin.query(withoutExtension(script, schema ?? 'public'));
      return true;
    });
  }

  /** False where the administrator may not either, or the schema is yet to be made: then PostgreSQL's own words are heard. */
  private async createAsAdministrator(extension: string, schema: string | null): Promise<boolean> {
    return this.asAdministrator(async (admin) => {
      await admin.query(`create extension if not exists ${quoteName(extension)} with schema ${quoteName(schema ?? 'public')}`);
      return true;
    });
  }

  private async asAdministrator(work: (admin: pg.Client) => Promise<boolean>): Promise<boolean> {
    const admin = new pg.Client({ ...connectionOf(this.settings, null), options: '-c search_path=pg_catalog' });
    admin.on('error', () => {});
    await admin.connect();
    try {
      return await work(admin);
    } catch (error) {
      if (!['42501', '3F000'].includes((error as { code?: string }).code ?? '')) throw error;
      return false;
    } finally {
      await admin.end();
    }
  }
}

/** Refused before anything is sent: PostgreSQL would take the rest of the pipeline for rows. */
function refuseCopy(path: string, sql: string, statements: readonly FileStatement[]): void {
  const copy = statements.find(({ kind }) => kind.kind === 'copy from stdin');
  if (copy === undefined) return;
  throw new ProjectFault(`${path}, line ${sql.slice(0, copy.begins).split('\n').length}: COPY … FROM STDIN has no rows to read in an SQL file: write them as INSERT.`);
}

function isAlone({ statements: [statement] }: Group): boolean {
  return statement!.kind.kind === 'alone' || statement!.kind.kind === 'unparsed' || (statement!.kind.kind === 'vector index' && statement!.kind.isAlone);
}

interface ServerExtensions {
  readonly available: ReadonlySet<string>;
  /** Those that this role may not create. */
  readonly untrusted: ReadonlySet<string>;
  /** True if its extension vector is the compiled one. */
  readonly hasPgvector: boolean;
}

async function readExtensions(client: pg.Client): Promise<ServerExtensions> {
  const { rows } = await client.query<{ name: string; version: string; isUntrusted: boolean }>(`
    select v.name, v.version, v.superuser and not v.trusted and not r.rolsuper as "isUntrusted"
    from pg_catalog.pg_available_extension_versions v, pg_catalog.pg_roles r where r.rolname = current_user`);
  return {
    available: new Set(rows.map(({ name }) => name)),
    untrusted: new Set(rows.filter(({ isUntrusted }) => isUntrusted).map(({ name }) => name)),
    hasPgvector: rows.some(({ name, version }) => name === 'vector' && !version.endsWith('-sql')),
  };
}
