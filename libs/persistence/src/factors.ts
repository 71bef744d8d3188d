import { randomUUID } from 'node:crypto';
import type { Transaction } from './statement.ts';

export type FactorType = 'totp' | 'phone' | 'webauthn' | 'recovery_code';

/** A second proof of an account, as it is shown. */
export interface Factor {
  readonly id: string;
  readonly userId: string;
  readonly friendlyName: string | null;
  readonly type: FactorType;
  readonly status: 'unverified' | 'verified';
  readonly phone: string | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly lastChallengedAt: Date | null;
}

/** A factor with what it is checked by. */
export interface FactorWithSecret extends Factor {
  /** Of TOTP: sealed by us, or plain where another system wrote it. */
  readonly secret: string | null;
  /** Of WebAuthn, in the form that GoTrue keeps. */
  readonly credential: unknown;
}

/** A question that was asked for a factor. */
export interface FactorChallenge {
  readonly id: string;
  readonly isSpent: boolean;
  /** It was asked from the address that now answers. */
  readonly isSameAddress: boolean;
  readonly ageSeconds: number;
  /** Of a text message: the digest of its code. */
  readonly codeDigest: string | null;
  readonly webauthn: { readonly challenge: string; readonly type: 'create' | 'request' } | null;
}

type Runner = Pick<Transaction, 'rows'>;

const shown = `id, user_id as "userId", friendly_name as "friendlyName", factor_type as type, status, phone, created_at as "createdAt", updated_at as "updatedAt", last_challenged_at as "lastChallengedAt"`;

/** The factors of some users, the oldest first. */
export async function listFactors(tx: Runner, userIds: readonly string[]): Promise<Factor[]> {
  if (userIds.length === 0) return [];
  return (await tx.rows<Factor>(`select ${shown} from auth.mfa_factors where user_id = any($1::text::uuid[]) order by created_at, id`, [`{${userIds.join(',')}}`])).map(dated);
}

/** A factor of this user, locked until the transaction ends. */
export async function lockFactor(tx: Runner, userId: string, id: string): Promise<FactorWithSecret | null> {
  const [found] = await tx.rows<FactorWithSecret>(`select ${shown}, secret, web_authn_credential as credential from auth.mfa_factors where id = $1::uuid and user_id = $2::uuid for update`, [id, userId]);
  return found === undefined ? null : dated(found);
}

/** The credentials of a user's WebAuthn factors. */
export async function listFactorCredentials(tx: Runner, userId: string): Promise<unknown[]> {
  const rows = await tx.rows<{ credential: unknown }>(`select web_authn_credential as credential from auth.mfa_factors where user_id = $1::uuid and web_authn_credential is not null`, [userId]);
  return rows.map(({ credential }) => credential);
}

export type FactorDraft = Pick<Factor, 'id' | 'userId' | 'friendlyName' | 'type' | 'status' | 'phone'> & { readonly secret: string | null };

/** Writes a factor; the user's row is locked by then, so what was counted before still holds. */
export async function addFactor(tx: Runner, { id, userId, friendlyName, type, status, phone, secret }: FactorDraft): Promise<void> {
  await tx.rows(
    `insert into auth.mfa_factors (id, user_id, friendly_name, factor_type, status, phone, secret, created_at, updated_at)
     values ($1::uuid, $2::uuid, $3, $4::auth.factor_type, $5::auth.factor_status, $6, $7, clock_timestamp(), clock_timestamp())`,
    [id, userId, friendlyName, type, status, phone, secret],
  );
}

/** Deletes one factor, with its challenges and codes. */
export async function dropFactor(tx: Runner, id: string): Promise<void> {
  await tx.rows('delete from auth.mfa_factors where id = $1::uuid', [id]);
}

/** Deletes factors that were begun and never shown: of a type, of a number, or those that have waited too long. */
export async function dropUnverifiedFactors(tx: Runner, userId: string, which: { readonly type?: FactorType; readonly phone?: string; readonly olderThanSeconds?: number }): Promise<void> {
  await tx.rows(
    `delete from auth.mfa_factors where user_id = $1::uuid and status = 'unverified' and ($2::text is null or factor_type::text = $2) and ($3::text is null or phone = $3)
       and ($4::float8 is null or created_at < clock_timestamp() - make_interval(secs => $4))`,
    [userId, which.type ?? null, which.phone ?? null, which.olderThanSeconds ?? null],
  );
}

/** Writes what an administrator says of a factor. */
export async function renameFactor(tx: Runner, id: string, { friendlyName, phone }: { readonly friendlyName: string | null; readonly phone: string | null }): Promise<Factor> {
  const [row] = await tx.rows<Factor>(
    `update auth.mfa_factors set friendly_name = coalesce($2, friendly_name), phone = coalesce($3, phone), updated_at = clock_timestamp() where id = $1::uuid returning ${shown}`,
    [id, friendlyName, phone],
  );
  return dated(row!);
}

/** Marks a factor as shown to be its owner's; a WebAuthn one keeps what it is checked by from now on. */
export async function verifyFactor(tx: Runner, id: string, webauthn: { readonly credential: unknown; readonly aaguid: string | null } | null): Promise<void> {
  await tx.rows(
    `update auth.mfa_factors set status = 'verified', updated_at = clock_timestamp(), web_authn_credential = coalesce($2::jsonb, web_authn_credential), web_authn_aaguid = coalesce($3::uuid, web_authn_aaguid)
     where id = $1::uuid`,
    [id, webauthn === null ? null : JSON.stringify(webauthn.credential), webauthn?.aaguid ?? null],
  );
}

/** Keeps another text of a secret. */
export async function sealFactor(tx: Runner, id: string, secret: string): Promise<void> {
  await tx.rows('update auth.mfa_factors set secret = $2 where id = $1::uuid', [id, secret]);
}

/**
 * Takes the code of a step of time for good: false for a step that was taken before, or one before it. Whoever does so at the same
 * moment waits for the row, so of any number of equal codes one is taken.
 */
export async function takeStep(tx: Runner, factorId: string, step: number): Promise<boolean> {
  const taken = await tx.rows(
    `insert into auth.mfa_factor_steps as kept (factor_id, step) values ($1::uuid, $2::bigint)
     on conflict (factor_id) do update set step = excluded.step where kept.step < excluded.step returning 1 as taken`,
    [factorId, step],
  );
  return taken.length === 1;
}

/** Where nothing tells an address; the column takes no null. */
const noAddress = '0.0.0.0';

/** Keeps a question; gives when it ends, in Unix seconds. */
export async function addChallenge(
  tx: Runner, { id, factorId, address, codeDigest, webauthn }: { readonly id: string; readonly factorId: string; readonly address: string | null; readonly codeDigest?: string; readonly webauthn?: object }, lifetimeSeconds: number,
): Promise<number> {
  const [row] = await tx.rows<{ until: string }>(
    `with marked as (update auth.mfa_factors set last_challenged_at = clock_timestamp() where id = $2::uuid)
     insert into auth.mfa_challenges (id, factor_id, created_at, ip_address, otp_code, web_authn_session_data)
     values ($1::uuid, $2::uuid, clock_timestamp(), $3::text::inet, $4, $5::jsonb) returning floor(extract(epoch from created_at) + $6::float8)::bigint as until`,
    [id, factorId, address ?? noAddress, codeDigest ?? null, webauthn === undefined ? null : JSON.stringify(webauthn), lifetimeSeconds],
  );
  return Number(row!.until);
}

/** A question of this factor, locked until the transaction ends. */
export async function lockChallenge(tx: Runner, factorId: string, id: string, address: string | null): Promise<FactorChallenge | null> {
  const [found] = await tx.rows<FactorChallenge>(
    `select id, verified_at is not null as "isSpent", ip_address = $3::text::inet as "isSameAddress", extract(epoch from clock_timestamp() - created_at)::float8 as "ageSeconds",
       otp_code as "codeDigest", web_authn_session_data as webauthn
     from auth.mfa_challenges where id = $1::uuid and factor_id = $2::uuid for update`,
    [id, factorId, address ?? noAddress],
  );
  return found ?? null;
}

export async function spendChallenge(tx: Runner, id: string): Promise<void> {
  await tx.rows('update auth.mfa_challenges set verified_at = clock_timestamp() where id = $1::uuid', [id]);
}

/**
 * Raises a session to aal2. All its refresh tokens go and one new takes their place: who holds only an old one, got by the first
 * factor alone, must not be led on to what the second has opened. Gives the ways by which it was opened, the newest first; null where it is over.
 */
export async function raiseSession(tx: Runner, { sessionId, userId, factorId, method, tokenDigest }: { readonly sessionId: string; readonly userId: string; readonly factorId: string; readonly method: string; readonly tokenDigest: string }): Promise<{ readonly method: string; readonly timestamp: number }[] | null> {
  const locked = await tx.rows('select id from auth.sessions where id = $1::uuid and user_id = $2::uuid and (not_after is null or not_after > clock_timestamp()) for update', [sessionId, userId]);
  if (locked.length === 0) return null;
  await tx.rows(
    `insert into auth.mfa_amr_claims (session_id, created_at, updated_at, authentication_method, id) values ($1::uuid, clock_timestamp(), clock_timestamp(), $2, $3::uuid)
     on conflict (session_id, authentication_method) do update set updated_at = excluded.updated_at`,
    [sessionId, method, randomUUID()],
  );
  await tx.rows('delete from auth.refresh_tokens where session_id = $1::uuid', [sessionId]);
  await tx.rows(
    `insert into auth.refresh_tokens (instance_id, token, user_id, revoked, created_at, updated_at, session_id)
     values ('00000000-0000-0000-0000-000000000000', $1, $2, false, clock_timestamp(), clock_timestamp(), $3::uuid)`,
    [tokenDigest, userId, sessionId],
  );
  await tx.rows(`update auth.sessions set aal = 'aal2', factor_id = $2::uuid, updated_at = clock_timestamp() where id = $1::uuid`, [sessionId, factorId]);
  return tx.rows(
    `select authentication_method as method, floor(extract(epoch from updated_at))::float8 as timestamp from auth.mfa_amr_claims where session_id = $1::uuid order by updated_at desc`,
    [sessionId],
  );
}

/** Ends the user's sessions in which no second factor was shown, but for this one. */
export async function endLowSessions(tx: Runner, userId: string, keptSessionId: string): Promise<void> {
  await tx.rows(`delete from auth.sessions where user_id = $1::uuid and id <> $2::uuid and (aal is null or aal = 'aal1')`, [userId, keptSessionId]);
}

/** Takes back from sessions what a factor gave them that is no longer there. */
export async function lowerSessions(tx: Runner, userId: string, factorId: string, method: string): Promise<void> {
  await tx.rows(`delete from auth.mfa_amr_claims c using auth.sessions s where c.session_id = s.id and s.user_id = $1::uuid and s.factor_id = $2::uuid and c.authentication_method = $3`, [userId, factorId, method]);
  await tx.rows(`update auth.sessions set aal = 'aal1', factor_id = null, updated_at = clock_timestamp() where user_id = $1::uuid and factor_id = $2::uuid`, [userId, factorId]);
}

/** Keeps a new set of recovery codes, by their digests, in place of the last one. */
export async function keepRecoveryCodes(tx: Runner, factorId: string, digests: readonly string[]): Promise<void> {
  await tx.rows('delete from auth.mfa_recovery_codes where mfa_factor_id = $1::uuid', [factorId]);
  await tx.rows('insert into auth.mfa_recovery_codes (mfa_factor_id, code_hash) select $1::uuid, value from jsonb_array_elements_text($2::jsonb)', [factorId, JSON.stringify(digests)]);
}

/** Uses a recovery code up; false for one that is not there or was used. */
export async function spendRecoveryCode(tx: Runner, factorId: string, digest: string): Promise<boolean> {
  const spent = await tx.rows('update auth.mfa_recovery_codes set used_at = clock_timestamp() where mfa_factor_id = $1::uuid and code_hash = $2 and used_at is null returning 1 as spent', [factorId, digest]);
  return spent.length === 1;
}

/** How many codes a set has, and how many of them are left. */
export async function countRecoveryCodes(tx: Runner, factorId: string): Promise<{ readonly total: number; readonly remaining: number }> {
  const [row] = await tx.rows<{ total: number; remaining: number }>('select count(*)::int as total, (count(*) filter (where used_at is null))::int as remaining from auth.mfa_recovery_codes where mfa_factor_id = $1::uuid', [factorId]);
  return row!;
}

/** Rows that the ORM's connection reads as text become dates as everywhere else. */
/** A row of the table as JSON has it. */
export interface FactorRow {
  readonly id: string;
  readonly user_id: string;
  readonly friendly_name: string | null;
  readonly factor_type: FactorType;
  readonly status: Factor['status'];
  readonly phone: string | null;
  readonly created_at: string;
  readonly updated_at: string;
  readonly last_challenged_at: string | null;
}

export function factorOf(row: FactorRow): Factor {
  const { id, user_id: userId, friendly_name: friendlyName, factor_type: type, status, phone, created_at: createdAt, updated_at: updatedAt, last_challenged_at: challengedAt } = row;
  return { id, userId, friendlyName, type, status, phone, createdAt: new Date(createdAt), updatedAt: new Date(updatedAt), lastChallengedAt: challengedAt === null ? null : new Date(challengedAt) };
}

function dated<T extends Factor>(factor: T): T {
  const date = (value: Date | string): Date => (value instanceof Date ? value : new Date(value));
  return { ...factor, createdAt: date(factor.createdAt), updatedAt: date(factor.updatedAt), lastChallengedAt: factor.lastChallengedAt === null ? null : date(factor.lastChallengedAt) };
}
