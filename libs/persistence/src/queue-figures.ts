import type { Database } from './database.ts';
import { asEngine } from './jobs.ts';

/** How attempts ended: `again` is one after which the job is tried again. */
export const outcomes = ['done', 'failed', 'dead', 'again'] as const;
export type TalliedOutcome = (typeof outcomes)[number];

/** What was counted of a queue: a histogram of seconds (`wait`, `run`), or how many attempts ended in one way. */
export interface QueueTally {
  readonly queue: string;
  readonly what: 'wait' | 'run' | TalliedOutcome;
  readonly counts: readonly number[];
  readonly sum: number;
}

/** Adds what one worker has counted to what all of them have, in one statement. */
export async function addTallies(database: Database, tallies: readonly QueueTally[]): Promise<void> {
  if (tallies.length === 0) return;
  await database.once(asEngine, { ...addText, values: [JSON.stringify(tallies)] });
}

const addText = {
  name: 'add_tallies',
  text: `
    insert into mainstay_internal.job_tallies (queue, what, counts, sum)
    select queue, what, counts, sum from json_to_recordset($1::json) as made (queue text, what text, counts float8[], sum float8)
    -- In one order: two workers that add at once must not wait for each other in a circle.
    order by queue, what
    on conflict (queue, what) do update set sum = job_tallies.sum + excluded.sum,
      counts = array(select coalesce(a, 0) + coalesce(b, 0) from unnest(job_tallies.counts, excluded.counts) with ordinality as both_counts (a, b, place) order by place)`,
};

/** How a queue stands. */
export interface QueueFigures {
  readonly queue: string;
  /** Due, and claimed by no worker yet. */
  readonly waiting: number;
  /** Of those, how many Bull was not yet told of. */
  readonly unpublished: number;
  /** To be done at a later time. */
  readonly scheduled: number;
  readonly running: number;
  readonly failed: number;
  readonly dead: number;
  readonly cancelled: number;
  /** How long the job that waits longest has been due. */
  readonly oldestSeconds: number;
}

/** How every queue stands, as a login of the house. */
export async function readQueueFigures(database: Database): Promise<QueueFigures[]> {
  return database.rows<QueueFigures>(
    `select queue, waiting::float8, unpublished::float8, scheduled::float8, running::float8, failed::float8, dead::float8, cancelled::float8, oldest_seconds as "oldestSeconds"
     from mainstay_internal.queue_figures()`,
  );
}

/** How many there are of something in a state. */
export interface RoomFigure {
  readonly room: 'endpoints' | 'deliveries' | 'schedules' | 'schedules_late' | 'schedules_lateness' | 'imports' | 'exports';
  readonly state: string | null;
  readonly value: number;
}

/** How webhooks, schedules, imports and exports stand, as a login of the house. */
export async function readRoomFigures(database: Database): Promise<RoomFigure[]> {
  return database.rows<RoomFigure>('select room, state, value from mainstay_internal.room_figures()');
}

/** What the workers have counted since the database was made. */
export async function readTallies(database: Database): Promise<QueueTally[]> {
  return database.rows<QueueTally>('select queue, what, counts, sum from mainstay_internal.job_tallies order by queue, what');
}
