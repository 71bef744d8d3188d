import type { Database } from './database.ts';
import type { ActingAs } from './enqueue.ts';
import { asWorker } from './jobs.ts';
import type { Transaction } from './statement.ts';

/** A call of a URL that somebody asks for. */
export interface AskedRequest {
  readonly url: string;
  readonly body: unknown;
  readonly headers: Readonly<Record<string, unknown>> | null;
  readonly method: string | null;
  readonly timeoutMs: number | null;
  readonly isSigned: boolean | null;
  readonly runAt: Date | null;
  readonly key: string | null;
  readonly maxAttempts: number | null;
  readonly queue: string | null;
  readonly priority: number | null;
  readonly after: readonly string[] | null;
}

/** One that a job is to send. */
export interface KeptRequest {
  readonly id: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly timeoutMs: number;
  readonly isSigned: boolean;
}

/** What was answered, as the job's owner reads it. */
export interface RequestAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly is_cut: boolean;
  readonly ms: number;
}

/**
 * Writes a request and its job; gives the job's id, or that of the open job with the same key.
 * @throws DatabaseError 22023 in whose words it says which value is wrong
 */
export async function enqueueRequest(tx: Transaction, asked: AskedRequest, { owner, role, claims }: ActingAs, trace: string | null): Promise<string> {
  const [row] = await tx.rows<{ id: string }>(
    `select mainstay_internal.enqueue_request(url => $1, body => $2, headers => $3, method => $4, timeout_ms => $5, is_signed => $6, owner => $7, role => $8, claims => $9, run_at => $10,
       key => $11, max_attempts => $12, queue => $13, priority => $14, after => $15, trace => $16) as id`,
    [
      asked.url, asked.body === undefined || asked.body === null ? null : JSON.stringify(asked.body), asked.headers === null ? null : JSON.stringify(asked.headers), asked.method, asked.timeoutMs, asked.isSigned,
      owner, role, JSON.stringify(claims), asked.runAt, asked.key, asked.maxAttempts, asked.queue, asked.priority, asked.after, trace,
    ],
  );
  return row!.id;
}

/** A request that waits to be sent; null where it was swept away. For the worker. */
export async function findRequest(database: Database, id: string): Promise<KeptRequest | null> {
  const { rows } = await database.once(asWorker, { name: 'find_request', text: 'select id, method, url, headers, body, timeout_ms, is_signed from mainstay_internal.requests where id = $1::uuid', values: [id] });
  const [row] = rows;
  if (row === undefined) return null;
  const [, method, url, headers, body, timeoutMs, isSigned] = row;
  return { id, method: method!, url: url!, headers: JSON.parse(headers!) as Record<string, string>, body: body ?? null, timeoutMs: Number(timeoutMs), isSigned: isSigned === 't' };
}

/** Keeps what was answered, also where the job goes on. */
export async function keepRequestAnswer(database: Database, id: string, answer: RequestAnswer): Promise<void> {
  await database.once(asWorker, { name: 'keep_request_answer', text: 'update mainstay_internal.requests set answer = $2::jsonb where id = $1::uuid', values: [id, JSON.stringify(answer)] });
}

/** Deletes requests whose jobs were swept away; says how many. */
export async function sweepRequests(tx: Pick<Transaction, 'rows'>, limit = 5000): Promise<number> {
  const gone = await tx.rows(
    `delete from mainstay_internal.requests where id in (
       select id from mainstay_internal.requests where created_at < now() - interval '1 hour' and not exists (select from mainstay_internal.jobs where jobs.id = requests.job_id)
       order by created_at limit $1 for update skip locked) returning 1`,
    [limit],
  );
  return gone.length;
}

/** A secret that signs what is sent to URLs, sealed. */
export interface KeptSecret {
  readonly id: string;
  readonly sealed: string;
  readonly created_at: Date;
  readonly expires_at: Date | null;
}

/** Those that sign now, the newest first. */
export function listSigningSecrets(tx: Pick<Transaction, 'rows'>): Promise<KeptSecret[]> {
  return tx.rows<KeptSecret>('select id, sealed, created_at, expires_at from mainstay_internal.signing_secrets where expires_at is null or expires_at > clock_timestamp() order by id desc');
}

/** Of those that ask at the same time, one after the other: until the transaction ends. */
export async function lockSigningSecrets(tx: Pick<Transaction, 'rows'>): Promise<void> {
  await tx.rows(`select pg_advisory_xact_lock(hashtextextended('mainstay_internal.signing_secrets', 0))`);
}

/** Adds a secret; those before it sign beside it for a while, and are deleted after that. */
export async function addSigningSecret(tx: Pick<Transaction, 'rows'>, id: string, sealed: string, overlapSeconds: number): Promise<void> {
  await tx.rows(`delete from mainstay_internal.signing_secrets where expires_at < clock_timestamp()`);
  await tx.rows(`update mainstay_internal.signing_secrets set expires_at = least(expires_at, clock_timestamp() + make_interval(secs => $1))`, [overlapSeconds]);
  await tx.rows('insert into mainstay_internal.signing_secrets (id, sealed) values ($1, $2)', [id, sealed]);
}
