import { listProcessReports, readQueueFigures, readRoomFigures, readTallies, type Database, type TalliedOutcome } from '@mainstay/persistence';
import { slowBounds } from '@mainstay/telemetry';
import type { Source } from './exposition.ts';

/** What is read from the database is kept for at least so long: any number of scrapes costs one reading. */
const leastMs = 2000;
/** And for so many times as long as the reading took: counting a backlog of millions takes at most a twentieth of a connection. */
const restFactor = 20;

/** Keeps what is dear to read for a time that grows with its cost. */
export function kept<T>(read: () => Promise<T>, now: () => number = () => performance.now()): () => Promise<T> {
  let reading: Promise<T> | null = null;
  let freshUntil = 0;
  return () => {
    if (reading !== null && now() < freshUntil) return reading;
    const began = now();
    // Whoever asks meanwhile is given the same reading.
    freshUntil = Infinity;
    reading = read();
    const ended = (): void => void (freshUntil = now() + Math.max(leastMs, (now() - began) * restFactor));
    reading.then(ended, ended);
    return reading;
  };
}

/** A queue as the console shows it. The totals are of all workers since the database was made. */
export interface ShownQueue {
  readonly queue: string;
  readonly waiting: number;
  readonly scheduled: number;
  readonly running: number;
  readonly failed: number;
  readonly dead: number;
  readonly cancelled: number;
  readonly oldest_seconds: number;
  readonly ended: Readonly<Record<TalliedOutcome, number>>;
}

/** Looks at the queues, by a login that may read them; `/metrics` and the console share what was read. */
export class QueueLook {
  private readonly read;

  constructor(database: Database) {
    this.read = kept(() => Promise.all([readQueueFigures(database), readTallies(database)]));
  }

  async show(): Promise<ShownQueue[]> {
    const [queues, tallies] = await this.read();
    const ended = (queue: string, outcome: TalliedOutcome): number => tallies.find((tally) => tally.queue === queue && tally.what === outcome)?.counts[0] ?? 0;
    return queues.map(({ queue, waiting, scheduled, running, failed, dead, cancelled, oldestSeconds }) => ({
      queue, waiting, scheduled, running, failed, dead, cancelled,
      oldest_seconds: Math.max(0, oldestSeconds),
      ended: { done: ended(queue, 'done'), failed: ended(queue, 'failed'), dead: ended(queue, 'dead'), again: ended(queue, 'again') },
    }));
  }

  /** Tells Prometheus. */
  readonly tell: Source = async (samples) => {
    const [queues, tallies] = await this.read();
    for (const { queue, ...figures } of queues) {
      samples.add('mainstay_queue_waiting', figures.waiting, { queue });
      samples.add('mainstay_queue_scheduled', figures.scheduled, { queue });
      samples.add('mainstay_queue_running', figures.running, { queue });
      samples.add('mainstay_queue_oldest_seconds', Math.max(0, figures.oldestSeconds), { queue });
      for (const state of ['failed', 'dead', 'cancelled'] as const) samples.add('mainstay_queue_kept', figures[state], { queue, state });
    }
    samples.add('mainstay_outbox_length', queues.reduce((sum, { unpublished }) => sum + unpublished, 0));
    for (const { queue, what, counts, sum } of tallies) {
      if (what === 'wait' || what === 'run') samples.histogram(`mainstay_job_${what}_seconds`, { bounds: slowBounds, counts: Float64Array.from(counts), sum }, { queue });
      else samples.add('mainstay_jobs_ended_total', counts[0]!, { queue, outcome: what });
    }
  };
}

const names = { endpoints: 'mainstay_webhook_endpoints', deliveries: 'mainstay_webhook_deliveries', schedules: 'mainstay_schedules', imports: 'mainstay_imports', exports: 'mainstay_exports' } as const;

/** How webhooks, schedules, imports and exports stand. */
export function roomsOf(database: Database): Source {
  const read = kept(() => readRoomFigures(database));
  return async (samples) => {
    for (const { room, state, value } of await read()) {
      if (room === 'schedules_late') samples.add('mainstay_schedules_late', value);
      else if (room === 'schedules_lateness') samples.add('mainstay_schedules_lateness_seconds', value);
      else samples.add(names[room], value, { state: state! });
    }
  };
}

/** Which processes run, and what the workers say of themselves. */
export function processesOf(database: Database): Source {
  const read = kept(() => listProcessReports(database));
  return async (samples) => {
    const processes = await read();
    for (const kind of ['api', 'worker'] as const) samples.add('mainstay_processes', processes.filter((each) => each.kind === kind).length, { kind });
    for (const { id: worker, report } of processes) {
      if (report === null) continue;
      samples.add('mainstay_worker_running', report.running, { worker });
      samples.add('mainstay_worker_is_progressing', report.isProgressing ? 1 : 0, { worker });
      if (report.process === undefined) continue;
      samples.add('mainstay_worker_resident_memory_bytes', report.process.residentBytes, { worker });
      samples.add('mainstay_worker_cpu_seconds_total', report.process.cpuSeconds, { worker });
      samples.add('mainstay_worker_event_loop_lag_seconds', report.process.lagSeconds, { worker });
    }
  };
}
