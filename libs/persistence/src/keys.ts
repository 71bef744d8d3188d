import type { Transaction } from './statement.ts';

/** Told whenever a key changes. */
export const keysChannel = 'mainstay_keys';

/** An API key as it is kept: by its digest. */
export interface ApiKey {
  readonly id: string;
  readonly name: string;
  readonly kind: 'publishable' | 'secret';
  readonly hint: string;
  readonly role: string;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
}

export interface ApiKeyDraft extends Pick<ApiKey, 'name' | 'kind' | 'hint' | 'role' | 'expiresAt'> {
  readonly digest: Uint8Array;
}

export type SigningKeyState = 'standby' | 'current' | 'previous' | 'revoked';

/** A key that signs access tokens, as it is kept: its private half sealed. */
export interface KeptSigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly state: SigningKeyState;
  readonly publicJwk: Readonly<Record<string, unknown>> | null;
  readonly sealed: string | null;
  readonly createdAt: Date;
  readonly changedAt: Date;
}

type Runner = Pick<Transaction, 'rows'>;

const shown = `id, name, kind, hint, role, created_at as "createdAt", expires_at as "expiresAt", revoked_at as "revokedAt"`;
const shownSigning = `kid, alg, state, public_jwk as "publicJwk", sealed, created_at as "createdAt", changed_at as "changedAt"`;

/** Every API key, the newest first; those long revoked are left out. */
export async function listApiKeys(tx: Runner): Promise<ApiKey[]> {
  return (await tx.rows<ApiKey>(`select ${shown} from mainstay_internal.api_keys where revoked_at is null or revoked_at > now() - interval '90 days' order by created_at desc, id limit 5000`)).map(dated);
}

/** By what requests are proved: the digests of keys that hold, and of those that were revoked. */
export async function listKeyDigests(tx: Runner): Promise<{ readonly digest: string; readonly role: string; readonly endsAtSeconds: number | null; readonly isRevoked: boolean }[]> {
  return tx.rows(
    `select encode(digest, 'hex') as digest, role, extract(epoch from expires_at)::float8 as "endsAtSeconds", revoked_at is not null as "isRevoked"
     from mainstay_internal.api_keys where expires_at is null or expires_at > now()`,
  );
}

/** How many keys hold now. */
export async function countApiKeys(tx: Runner): Promise<number> {
  const [row] = await tx.rows<{ count: number }>('select count(*)::int as count from mainstay_internal.api_keys where revoked_at is null and (expires_at is null or expires_at > now())');
  return row!.count;
}

/** Whether the data API may act as this role for a key: it has to exist, and to be among those that `authenticator` may become. */
export async function roleStanding(tx: Runner, role: string): Promise<'unknown' | 'not ours' | 'powerful' | 'plain'> {
  const [row] = await tx.rows<{ isOurs: boolean; isPowerful: boolean }>(
    `select pg_has_role('authenticator', oid, 'member') as "isOurs", rolsuper or rolbypassrls as "isPowerful" from pg_catalog.pg_roles where rolname = $1`,
    [role],
  );
  if (row === undefined) return 'unknown';
  if (!row.isOurs) return 'not ours';
  return row.isPowerful ? 'powerful' : 'plain';
}

export async function addApiKey(tx: Runner, { name, kind, digest, hint, role, expiresAt }: ApiKeyDraft): Promise<ApiKey> {
  const [row] = await tx.rows<ApiKey>(
    `insert into mainstay_internal.api_keys (name, kind, digest, hint, role, expires_at) values ($1, $2, decode($3::text, 'hex'), $4, $5, $6::text::timestamptz) returning ${shown}`,
    [name, kind, Buffer.from(digest).toString('hex'), hint, role, expiresAt?.toISOString() ?? null],
  );
  return dated(row!);
}

/** Writes down that a key of the settings holds no longer. */
export async function revokeSettingKey(tx: Runner, { name, kind, digest, hint, role }: ApiKeyDraft): Promise<boolean> {
  const rows = await tx.rows(
    `insert into mainstay_internal.api_keys (name, kind, digest, hint, role, revoked_at) values ($1, $2, decode($3::text, 'hex'), $4, $5, clock_timestamp()) on conflict (digest) do nothing returning 1`,
    [name, kind, Buffer.from(digest).toString('hex'), hint, role],
  );
  return rows.length === 1;
}

/** Ends a key, whose digest comes in hex; null where there is none that still holds. */
export async function revokeApiKey(tx: Runner, id: string): Promise<Pick<ApiKey, 'name' | 'role'> & { readonly digest: string } | null> {
  const [row] = await tx.rows<{ name: string; role: string; digest: string }>(
    `update mainstay_internal.api_keys set revoked_at = clock_timestamp() where id = $1::uuid and revoked_at is null returning name, role, encode(digest, 'hex') as digest`,
    [id],
  );
  return row ?? null;
}

/** Every signing key, the newest change first. */
export async function listSigningKeys(tx: Runner): Promise<KeptSigningKey[]> {
  const rows = await tx.rows<KeptSigningKey>(`select ${shownSigning} from mainstay_internal.signing_keys order by changed_at desc, kid`);
  return rows.map((row) => ({ ...row, createdAt: new Date(row.createdAt), changedAt: new Date(row.changedAt) }));
}

/** Whoever changes signing keys comes one after the other, until the transaction ends. */
export async function lockSigningKeys(tx: Runner): Promise<void> {
  await tx.rows(`select pg_advisory_xact_lock(hashtextextended('mainstay_internal.signing_keys', 0))`);
}

export async function addSigningKey(tx: Runner, { kid, alg, state, publicJwk, sealed }: Pick<KeptSigningKey, 'kid' | 'alg' | 'state' | 'publicJwk' | 'sealed'>): Promise<void> {
  await tx.rows(
    `insert into mainstay_internal.signing_keys (kid, alg, state, public_jwk, sealed) values ($1, $2, $3, $4::jsonb, $5)
     on conflict (kid) do update set state = excluded.state, changed_at = clock_timestamp()`,
    [kid, alg, state, publicJwk === null ? null : JSON.stringify(publicJwk), sealed],
  );
}

/** Gives a key another part to play; what is revoked loses its private half for good. */
export async function setSigningState(tx: Runner, kid: string, state: SigningKeyState): Promise<void> {
  await tx.rows(`update mainstay_internal.signing_keys set state = $2::text, changed_at = clock_timestamp(), sealed = case when $2::text = 'revoked' then null else sealed end where kid = $1`, [kid, state]);
}

function dated<K extends ApiKey>(key: K): K {
  const time = (value: Date | null): Date | null => (value === null ? null : new Date(value));
  return { ...key, createdAt: new Date(key.createdAt), expiresAt: time(key.expiresAt), revokedAt: time(key.revokedAt) };
}
