import type { Transaction } from './statement.ts';

/** What a queue's jobs are held to. */
export interface QueueTerms {
  readonly isPaused: boolean;
  /** How many may be on their way or running, over all workers; null: as many as the workers take. */
  readonly concurrency: number | null;
  readonly perTurnConcurrency: number | null;
  readonly rate: { readonly count: number; readonly seconds: number; readonly isPerTurn: boolean } | null;
  /** The argument by whose value its jobs take turns; null: by their owner. */
  readonly turnFrom: string | null;
}

/** A queue with its terms, and how it stands. */
export interface Queue extends QueueTerms {
  readonly name: string;
  readonly isHouse: boolean;
  /** Waiting for a place; for its time or for other jobs; running. */
  readonly waiting: number;
  readonly later: number;
  readonly running: number;
  readonly oldestSeconds: number;
}

interface Row {
  name: string;
  is_house: boolean;
  is_paused: boolean;
  concurrency: number | null;
  per_turn_concurrency: number | null;
  rate_count: number | null;
  rate_seconds: number | null;
  is_rate_per_turn: boolean;
  turn_from: string | null;
  waiting: string | null;
  later: string | null;
  running: string | null;
  oldest_seconds: number | null;
}

/** Every queue, or the one of a name. Row policies let only the service key see any. */
export async function listQueues(tx: Transaction, name: string | null = null): Promise<Queue[]> {
  const rows = await tx.rows<Row>(
    `select queues.*, loads.waiting, loads.later, loads.running, loads.oldest_seconds
     from mainstay_internal.queues left join mainstay_internal.queue_loads() as loads on loads.queue = queues.name
     where $1::text is null or queues.name = $1 order by queues.name`,
    [name],
  );
  return rows.map((row) => ({
    name: row.name,
    isHouse: row.is_house,
    isPaused: row.is_paused,
    concurrency: row.concurrency,
    perTurnConcurrency: row.per_turn_concurrency,
    rate: row.rate_count === null ? null : { count: row.rate_count, seconds: row.rate_seconds!, isPerTurn: row.is_rate_per_turn },
    turnFrom: row.turn_from,
    waiting: Number(row.waiting ?? 0),
    later: Number(row.later ?? 0),
    running: Number(row.running ?? 0),
    oldestSeconds: row.oldest_seconds ?? 0,
  }));
}

/** Makes a queue, or gives one other terms. What is on its way of a queue that is now paused comes back; what runs goes on. */
export async function putQueue(tx: Transaction, name: string, terms: QueueTerms): Promise<void> {
  await tx.rows(
    `insert into mainstay_internal.queues (name, is_paused, concurrency, per_turn_concurrency, rate_count, rate_seconds, is_rate_per_turn, turn_from)
     values ($1, $2, $3, $4, $5, $6, $7, $8)
     on conflict (name) do update set is_paused = excluded.is_paused, concurrency = excluded.concurrency, per_turn_concurrency = excluded.per_turn_concurrency,
       rate_count = excluded.rate_count, rate_seconds = excluded.rate_seconds, is_rate_per_turn = excluded.is_rate_per_turn, turn_from = excluded.turn_from, updated_at = clock_timestamp()`,
    [name, terms.isPaused, terms.concurrency, terms.perTurnConcurrency, terms.rate?.count ?? null, terms.rate?.seconds ?? null, terms.rate?.isPerTurn ?? false, terms.turnFrom],
  );
  if (terms.isPaused) await tx.rows('select mainstay_internal.recall_jobs($1)', [name]);
  await tx.rows(`select pg_notify('mainstay_outbox', $1)`, [name]);
}

/** Deletes a queue of people's that has no open job; false when there is none such. */
export async function deleteQueue(tx: Transaction, name: string): Promise<boolean> {
  const rows = await tx.rows(
    `delete from mainstay_internal.queues where name = $1 and not is_house
       and not exists (select from mainstay_internal.queue_loads() as loads where loads.queue = $1) returning name`,
    [name],
  );
  return rows.length > 0;
}
