import { jobs, ownerOf, type Caller, type Claims, type JobKind, type PayloadOf } from '@mainstay/domain';
import { asEnqueueStep } from './sql-steps.ts';
import type { Transaction } from './statement.ts';

/** For whom a job runs: its owner, and the role and claims to act as. The token itself is never kept. */
export interface ActingAs {
  /** Who may see and cancel it (`ownerOf(caller)`); null is the house itself. */
  readonly owner: string | null;
  readonly role: string;
  readonly claims: Claims;
}

export interface EnqueueTerms extends ActingAs {
  /** Not before this time; at once where it is left out. */
  readonly runAt?: Date;
  /** Instead of the contract's `keyOf`: two open jobs of a kind with the same key are one job. */
  readonly key?: string | null;
  /** The owner's own key: two jobs with the same one are one job, even when the first is long done. */
  readonly idempotencyKey?: string;
  readonly maxAttempts?: number;
  /** Higher goes first among the jobs of the same owner; between owners the turns are fair whatever it says. */
  readonly priority?: number;
  /** A queue of people's, by name, whose terms it obeys; the contract's own where it is left out. */
  readonly queue?: string;
  /** As whom it counts in the fair turns, and towards its queue's cap per turn; its owner where it is left out. */
  readonly turn?: string;
  /** Not before these jobs are done; it fails when one of them does. */
  readonly after?: readonly string[];
  /** W3C traceparent; the session's own where it is left out. */
  readonly trace?: string | null;
}

/** The house itself as the one who acts: for upkeep that nobody asked for. */
export const asHouse: ActingAs = { owner: null, role: 'service_role', claims: { role: 'service_role' } };

/** What is kept of a caller for the jobs they ask for. */
export function actingAs(caller: Caller): ActingAs {
  return { owner: ownerOf(caller), role: caller.role, claims: { ...caller.claims, role: caller.role } };
}

/**
 * Writes a job and its outbox row in the transaction of the caller: it runs if that commits, and only then.
 * Gives the job's id; of an open job with the same key (or of any with the same idempotency key), that one's.
 */
export function enqueue<K extends JobKind>(tx: Pick<Transaction, 'rows'>, kind: K, payload: PayloadOf<K>, terms: EnqueueTerms): Promise<string> {
  return asEnqueueStep(kind, (trace) => enqueueOnce(tx, kind, payload, trace === null ? terms : { ...terms, trace }));
}

async function enqueueOnce<K extends JobKind>(tx: Pick<Transaction, 'rows'>, kind: K, payload: PayloadOf<K>, terms: EnqueueTerms): Promise<string> {
  const contract = jobs[kind];
  const key = terms.key === undefined ? contract.keyOf(payload as never) : terms.key;
  const [row] = await tx.rows<{ id: string }>(enqueueText, [
    kind,
    terms.queue ?? contract.queue,
    JSON.stringify(payload),
    terms.owner,
    terms.role,
    JSON.stringify(terms.claims),
    terms.runAt ?? null,
    key,
    terms.idempotencyKey ?? null,
    terms.maxAttempts ?? contract.attempts,
    terms.priority ?? 0,
    contract.queue,
    terms.turn ?? null,
    terms.trace ?? null,
    terms.after === undefined || terms.after.length === 0 ? null : terms.after,
  ]);
  return row!.id;
}

const enqueueText = `select mainstay_internal.enqueue_job(kind => $1, queue => $2, payload => $3, owner => $4, role => $5, claims => $6,
  run_at => $7, unique_key => $8, idempotency_key => $9, max_attempts => $10, priority => $11, carrier => $12, turn => $13, trace => $14, after => $15) as id`;
