import type { Transaction } from './statement.ts';

/** A passkey as its owner sees it. */
export interface Passkey {
  readonly id: string;
  readonly friendlyName: string;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
}

/** A passkey with what it is checked by. Bytes are base64url, as the browser's API writes them. */
export interface PasskeyCredential extends Passkey {
  readonly userId: string;
  readonly credentialId: string;
  readonly publicKey: string;
  readonly signCount: number;
  readonly transports: readonly string[];
}

export type PasskeyDraft = Pick<PasskeyCredential, 'userId' | 'credentialId' | 'publicKey' | 'signCount' | 'transports' | 'friendlyName'> & {
  readonly aaguid: string | null;
  readonly attestationType: string;
  readonly isBackupEligible: boolean;
  readonly isBackedUp: boolean;
};

/** A question that was asked of a passkey, taken away by whoever answers it. */
export interface PasskeyChallenge {
  readonly userId: string | null;
  readonly challenge: string;
  readonly isOver: boolean;
}

type Runner = Pick<Transaction, 'rows'>;

const shown = `id, friendly_name as "friendlyName", created_at as "createdAt", last_used_at as "lastUsedAt"`;
const url64 = (column: string): string => `translate(encode(${column}, 'base64'), E'+/=\\n', '-_')`;
const checked = `${shown}, user_id as "userId", ${url64('credential_id')} as "credentialId", ${url64('public_key')} as "publicKey", sign_count::float8 as "signCount", transports`;

/** The passkeys of a user, the oldest first. */
export async function listPasskeys(tx: Runner, userId: string): Promise<PasskeyCredential[]> {
  return (await tx.rows<PasskeyCredential>(`select ${checked} from auth.webauthn_credentials where user_id = $1::uuid order by created_at, id`, [userId])).map(dated);
}

/** The passkey of this credential, whoever's it is. */
export async function findPasskey(tx: Runner, credentialId: string): Promise<PasskeyCredential | null> {
  const [found] = await tx.rows<PasskeyCredential>(`select ${checked} from auth.webauthn_credentials where credential_id = decode($1, 'hex')`, [hexOf(credentialId)]);
  return found === undefined ? null : dated(found);
}

/** The same, locked until the transaction ends: its counter must not be read twice. */
export async function lockPasskey(tx: Runner, id: string): Promise<PasskeyCredential | null> {
  const [found] = await tx.rows<PasskeyCredential>(`select ${checked} from auth.webauthn_credentials where id = $1::uuid for update`, [id]);
  return found === undefined ? null : dated(found);
}

/** @throws DatabaseError 23505 where somebody has this credential */
export async function addPasskey(tx: Runner, draft: PasskeyDraft): Promise<Passkey> {
  const [row] = await tx.rows<Passkey>(
    `insert into auth.webauthn_credentials (user_id, credential_id, public_key, attestation_type, aaguid, sign_count, transports, backup_eligible, backed_up, friendly_name)
     values ($1::uuid, decode($2, 'hex'), decode($3, 'hex'), $4, $5::uuid, $6::bigint, $7::jsonb, $8::boolean, $9::boolean, $10) returning ${shown}`,
    [draft.userId, hexOf(draft.credentialId), hexOf(draft.publicKey), draft.attestationType, draft.aaguid, draft.signCount, JSON.stringify(draft.transports), draft.isBackupEligible, draft.isBackedUp, draft.friendlyName],
  );
  return dated(row!);
}

/** Notes that a passkey let its owner in. */
export async function usePasskey(tx: Runner, id: string, signCount: number, isBackedUp: boolean): Promise<void> {
  await tx.rows('update auth.webauthn_credentials set sign_count = $2::bigint, backed_up = $3::boolean, last_used_at = clock_timestamp(), updated_at = clock_timestamp() where id = $1::uuid', [id, signCount, isBackedUp]);
}

/** Null where the user has no such passkey. */
export async function renamePasskey(tx: Runner, userId: string, id: string, friendlyName: string): Promise<Passkey | null> {
  const [row] = await tx.rows<Passkey>(`update auth.webauthn_credentials set friendly_name = $3, updated_at = clock_timestamp() where id = $2::uuid and user_id = $1::uuid returning ${shown}`, [userId, id, friendlyName]);
  return row === undefined ? null : dated(row);
}

export async function dropPasskey(tx: Runner, userId: string, id: string): Promise<boolean> {
  return (await tx.rows('delete from auth.webauthn_credentials where id = $2::uuid and user_id = $1::uuid returning 1 as gone', [userId, id])).length === 1;
}

/** Keeps a question; gives its id and when it ends, in Unix seconds. */
export async function beginPasskey(tx: Runner, { userId, type, challenge }: { readonly userId: string | null; readonly type: 'registration' | 'authentication'; readonly challenge: string }, lifetimeSeconds: number): Promise<{ readonly id: string; readonly until: number }> {
  const [row] = await tx.rows<{ id: string; until: string }>(
    `insert into auth.webauthn_challenges (user_id, challenge_type, session_data, created_at, expires_at)
     values ($1::uuid, $2, jsonb_build_object('challenge', $3::text), clock_timestamp(), clock_timestamp() + make_interval(secs => $4::float8)) returning id, floor(extract(epoch from expires_at))::bigint as until`,
    [userId, type, challenge, lifetimeSeconds],
  );
  return { id: row!.id, until: Number(row!.until) };
}

/** Takes a question away, whatever its answer will be worth: nobody answers it twice. A registration is only taken by whoever began it. */
export async function takePasskeyChallenge(tx: Runner, id: string, type: 'registration' | 'authentication', userId: string | null): Promise<PasskeyChallenge | null> {
  const [row] = await tx.rows<PasskeyChallenge>(
    `delete from auth.webauthn_challenges where id = $1::uuid and challenge_type = $2 and user_id is not distinct from $3::uuid
     returning user_id as "userId", session_data ->> 'challenge' as challenge, expires_at <= clock_timestamp() as "isOver"`,
    [id, type, userId],
  );
  return row ?? null;
}

function hexOf(base64url: string): string {
  return Buffer.from(base64url, 'base64url').toString('hex');
}

function dated<T extends Passkey>(passkey: T): T {
  const date = (value: Date | string): Date => (value instanceof Date ? value : new Date(value));
  return { ...passkey, createdAt: date(passkey.createdAt), lastUsedAt: passkey.lastUsedAt === null ? null : date(passkey.lastUsedAt) };
}
