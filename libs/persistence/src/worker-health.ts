import type { Database } from './database.ts';
import { silentSeconds as goneAfterSeconds, type ProcessKind } from './processes.ts';

/** What a worker says of itself at each heartbeat. */
export interface WorkerReport {
  /** True while it makes progress, or there is nothing to do: not merely connected. */
  readonly isProgressing: boolean;
  readonly isQueueReachable: boolean;
  /** What is wrong, in words; null when nothing is. */
  readonly note: string | null;
  readonly running: number;
  /** What the process uses of the machine; not said by a worker of an older release. */
  readonly process?: ProcessLoad;
}

export interface ProcessLoad {
  readonly residentBytes: number;
  readonly cpuSeconds: number;
  /** The longest that its event loop was held up since the last report. */
  readonly lagSeconds: number;
}

/** A process that runs, and what it said of itself last. */
export interface RunningProcess {
  readonly id: string;
  readonly kind: ProcessKind;
  readonly report: WorkerReport | null;
}

export interface PartHealth {
  readonly state: 'ok' | 'down';
  readonly note: string | null;
}

/** Writes a worker's report; `processId` is the id under which the process was registered. */
export async function reportWorker(database: Database, processId: string, report: WorkerReport): Promise<void> {
  await database.rows(`update mainstay_internal.processes set reported_at = now(), report = $2 where id = $1`, [processId, JSON.stringify(report)]);
}

/** Every process that has been seen lately. */
export async function listProcessReports(database: Database): Promise<RunningProcess[]> {
  return database.rows<RunningProcess>(`select id, kind, report from mainstay_internal.processes where seen_at > now() - make_interval(secs => $1) order by id`, [goneAfterSeconds]);
}

/** How the workers and the queue are, from what the workers reported last: ready when one of them makes progress. */
export async function workerHealth(database: Database, silentSeconds = 15): Promise<{ worker: PartHealth; queue: PartHealth }> {
  const rows = await database.rows<{ report: WorkerReport }>(
    `select report from mainstay_internal.processes
     where kind = 'worker' and reported_at > now() - make_interval(secs => $1)`,
    [silentSeconds],
  );
  const reports = rows.map(({ report }) => report);
  if (reports.length === 0) {
    const note = `no worker has reported for ${silentSeconds} s`;
    return { worker: { state: 'down', note }, queue: { state: 'down', note } };
  }
  return {
    worker: healthOf(reports, ({ isProgressing }) => isProgressing),
    queue: healthOf(reports, ({ isQueueReachable }) => isQueueReachable),
  };
}

function healthOf(reports: readonly WorkerReport[], isWell: (report: WorkerReport) => boolean): PartHealth {
  if (reports.some(isWell)) return { state: 'ok', note: null };
  return { state: 'down', note: reports.find(({ note }) => note !== null)?.note ?? null };
}
