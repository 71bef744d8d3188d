import type { Database } from './database.ts';
import type { Session } from './statement.ts';

/** A row of `cron.job`. */
export interface CronJob {
  /** A bigint. */
  readonly jobid: string;
  readonly jobname: string | null;
  readonly schedule: string;
  readonly command: string;
  readonly database: string;
  readonly username: string;
  readonly active: boolean;
  /** In which its schedule is meant: `cron.timezone`. */
  readonly time_zone: string;
}

/** How a run of a job ended. */
export interface CronRunEnd {
  readonly runId: string;
  readonly isSuccess: boolean;
  readonly message: string;
  readonly at?: Date;
}

/**
 * The tables of pg_cron, touched as `postgres` over the login of commands: triggers on them are the project's own, and one could
 * leave any role for its login's powers. Only where somebody with those powers owns them: else a table by that name, made by
 * anybody who may make schemas, would run what they like as postgres.
 */
export class CronTables {
  constructor(private readonly database: Database) {}

  /** All jobs; null where there is no pg_cron. */
  async list(): Promise<CronJob[] | null> {
    if (!(await this.isThere('job'))) return null;
    const { rows } = await this.database.once(asPostgres, {
      text: `select jobid, jobname, schedule, command, database, username, active, coalesce(nullif(current_setting('cron.timezone', true), ''), 'GMT') from cron.job`,
      values: [],
    });
    return rows.map(([jobid, jobname, schedule, command, database, username, active, zone]) => ({
      jobid: jobid!, jobname: jobname!, schedule: schedule!, command: command!, database: database!, username: username!, active: active === 't', time_zone: zone!,
    }));
  }

  /** Whether a job stands and is active at this moment. */
  async isActive(jobId: string): Promise<boolean> {
    if (!(await this.isThere('job'))) return false;
    const { rows } = await this.database.once(asPostgres, { text: 'select 1 from cron.job where jobid = $1 and active', values: [jobId] });
    return rows.length > 0;
  }

  /** Puts down that a command is about to run; null where the table is gone. */
  async begin(run: Pick<CronJob, 'jobid' | 'database' | 'username' | 'command'>): Promise<string | null> {
    if (!(await this.isThere('job_run_details'))) return null;
    const { rows } = await this.database.once(asPostgres, {
      text: `insert into cron.job_run_details (jobid, database, username, command, status) values ($1, $2, $3, $4, 'starting') returning runid`,
      values: [run.jobid, run.database, run.username, run.command],
    });
    return rows[0]![0]!;
  }

  async mark(runId: string, pid: number): Promise<void> {
    if (!(await this.isThere('job_run_details'))) return;
    await this.database.once(asPostgres, {
      text: `update cron.job_run_details set status = 'running', job_pid = $2, start_time = clock_timestamp() where runid = $1 and status not in ('succeeded', 'failed')`,
      values: [runId, String(pid)],
    });
  }

  /** A run that has ended already keeps what is said of it. */
  async end({ runId, isSuccess, message, at }: CronRunEnd): Promise<void> {
    if (!(await this.isThere('job_run_details'))) return;
    await this.database.once(asPostgres, {
      text: `update cron.job_run_details
             set status = $2, return_message = $3, start_time = coalesce(start_time, clock_timestamp()), end_time = coalesce($4::timestamptz, clock_timestamp())
             where runid = $1 and status not in ('succeeded', 'failed')`,
      values: [runId, isSuccess ? 'succeeded' : 'failed', message, at?.toISOString() ?? null],
    });
  }

  private async isThere(table: 'job' | 'job_run_details'): Promise<boolean> {
    const { rows } = await this.database.once(asPostgres, { name: 'is_cron_there', text: isThereText, values: [table] });
    return rows.length > 0;
  }
}

const asPostgres: Session = { role: 'postgres', settings: { search_path: '' } };

// Not by to_regclass: it fails where a schema of that name is closed to us.
const isThereText = `
  select 1 from pg_catalog.pg_class as found join pg_catalog.pg_namespace as home on home.oid = found.relnamespace join pg_catalog.pg_roles as owner on owner.oid = found.relowner
  where home.nspname = 'cron' and found.relname = $1 and found.relkind in ('r', 'p') and (owner.rolsuper or owner.rolname in ('postgres', 'supabase_admin'))`;
