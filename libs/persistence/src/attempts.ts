import type { Transaction } from './statement.ts';

/** Something that may be tried so often within so many seconds. */
export interface Bucket {
  /** A digest of what is counted: 32 bytes. */
  readonly digest: Uint8Array;
  readonly most: number;
  readonly seconds: number;
}

/**
 * Counts one attempt in every bucket, or in none where one is full: then it gives the seconds until there is room, else 0.
 * Run it by itself and not in the transaction of what it guards: others wait for its rows.
 */
export async function takeAttempts(tx: Pick<Transaction, 'rows'>, buckets: readonly Bucket[]): Promise<number> {
  if (buckets.length === 0) return 0;
  const of = (values: readonly (string | number)[]): string => `{${values.join(',')}}`;
  const [row] = await tx.rows<{ waits: number }>('select mainstay_internal.take_attempts($1::text::bytea[], $2::text::integer[], $3::text::double precision[]) as waits', [
    // One backslash for the array's own syntax, one for bytea's.
    of(buckets.map(({ digest }) => `"\\\\x${Buffer.from(digest).toString('hex')}"`)),
    of(buckets.map(({ most }) => most)),
    of(buckets.map(({ seconds }) => seconds)),
  ]);
  return row!.waits;
}

/** What is taken back of a bucket: one attempt, or all of them. */
export interface ReturnedAttempt {
  readonly digest: Uint8Array;
  readonly how: 'one' | 'all';
}

/**
 * Takes attempts back: what was counted turned out to be no guess. As the last step of a transaction, it holds up the others that
 * count there for no longer than the commit takes.
 */
export async function returnAttempts(tx: Pick<Transaction, 'rows'>, returned: readonly ReturnedAttempt[]): Promise<void> {
  const calls = returned.map((_, i) => `mainstay_internal.return_attempt($${i * 2 + 1}::text::bytea, $${i * 2 + 2}::boolean)`);
  await tx.rows(`select ${calls.join(', ')}`, returned.flatMap(({ digest, how }) => [`\\x${Buffer.from(digest).toString('hex')}`, how === 'all']));
}

/** Forgets buckets that have run empty, and codes, links, flows and challenges that are long over; says how many. */
export async function sweepAccounts(tx: Pick<Transaction, 'rows'>, limit = 5000): Promise<number> {
  const [row] = await tx.rows<{ gone: number }>('select mainstay_internal.sweep_attempts($1) + mainstay_internal.sweep_accounts($1) + mainstay_internal.sweep_factors($1) as gone', [limit]);
  return row!.gone;
}
