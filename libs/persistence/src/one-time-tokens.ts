import type { Transaction } from './statement.ts';

/** What a code or link is for, by the names of `auth.one_time_tokens`. */
export type TokenType = 'confirmation_token' | 'recovery_token' | 'email_change_token_new' | 'email_change_token_current' | 'phone_change_token' | 'reauthentication_token';

/** A code or link that has been given out. Only its digest is kept. */
export interface OneTimeToken {
  readonly userId: string;
  readonly type: TokenType;
  readonly digest: string;
  /** The address or number to which it went. */
  readonly relatesTo: string;
  readonly ageSeconds: number;
}

type Runner = Pick<Transaction, 'rows'>;

const columns = `user_id as "userId", token_type as type, token_hash as digest, relates_to as "relatesTo", extract(epoch from (clock_timestamp() at time zone 'utc') - created_at)::float8 as "ageSeconds"`;

/** Keeps a token in place of the user's last one of its type. */
export async function keepToken(tx: Runner, userId: string, type: TokenType, digest: string, relatesTo: string): Promise<void> {
  await tx.rows(
    `insert into auth.one_time_tokens (id, user_id, token_type, token_hash, relates_to, created_at, updated_at)
     values (gen_random_uuid(), $1::uuid, $2::auth.one_time_token_type, $3, $4, clock_timestamp() at time zone 'utc', clock_timestamp() at time zone 'utc')
     on conflict (user_id, token_type) do update set token_hash = excluded.token_hash, relates_to = excluded.relates_to, created_at = excluded.created_at, updated_at = excluded.updated_at`,
    [userId, type, digest, relatesTo],
  );
}

/** The token with this digest, whoever's it is. */
export async function findToken(tx: Runner, digest: string): Promise<OneTimeToken | null> {
  const [row] = await tx.rows<OneTimeToken>(`select ${columns} from auth.one_time_tokens where token_hash = $1`, [digest]);
  return row ?? null;
}

/** Everybody's tokens that went to an address or number. */
export async function listTokensTo(tx: Runner, relatesTo: string): Promise<OneTimeToken[]> {
  return tx.rows<OneTimeToken>(`select ${columns} from auth.one_time_tokens where relates_to = $1`, [relatesTo]);
}

/** Uses a token up. False where somebody was faster: of two at the same moment one waits for the other, and finds nothing. */
export async function spendToken(tx: Runner, { userId, type, digest }: Pick<OneTimeToken, 'userId' | 'type' | 'digest'>): Promise<boolean> {
  const spent = await tx.rows('delete from auth.one_time_tokens where user_id = $1::uuid and token_type = $2::auth.one_time_token_type and token_hash = $3 returning 1', [userId, type, digest]);
  return spent.length > 0;
}
