import { randomUUID } from 'node:crypto';
import type { Transaction } from './statement.ts';

export type AuthMethod = 'none' | 'client_secret_basic' | 'client_secret_post';

/** An application that signs its users in here. */
export interface OAuthClient {
  readonly id: string;
  readonly secretHash: string | null;
  readonly registrationType: 'dynamic' | 'manual';
  readonly clientType: 'public' | 'confidential';
  readonly authMethod: AuthMethod;
  readonly redirectUris: readonly string[];
  readonly grantTypes: readonly string[];
  readonly name: string | null;
  readonly uri: string | null;
  readonly logoUri: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export type OAuthClientDraft = Omit<OAuthClient, 'createdAt' | 'updatedAt'>;

/** An application's request for a user's agreement, and later the code for it. */
export interface OAuthAuthorization {
  readonly id: string;
  readonly authorizationId: string;
  readonly clientId: string;
  readonly userId: string | null;
  readonly redirectUri: string;
  readonly scope: string;
  readonly state: string | null;
  readonly resource: string | null;
  readonly nonce: string | null;
  readonly challenge: string;
  /** `expired` is also one whose code has been used. */
  readonly status: 'pending' | 'approved' | 'denied' | 'expired';
  readonly isOver: boolean;
}

export type OAuthAuthorizationDraft = Pick<OAuthAuthorization, 'authorizationId' | 'clientId' | 'redirectUri' | 'scope' | 'state' | 'resource' | 'nonce' | 'challenge'>;

/** What a user has agreed to. */
export interface OAuthGrant {
  readonly client: OAuthClient;
  readonly scopes: readonly string[];
  readonly grantedAt: string;
}

type Runner = Pick<Transaction, 'rows'>;

interface ClientRow extends Omit<OAuthClient, 'redirectUris' | 'grantTypes'> {
  readonly redirectUris: string;
  readonly grantTypes: string;
}

/** Lists are kept as Supabase keeps them: separated by commas, which no registered address may hold. */
const clientColumns = `c.id, c.client_secret_hash as "secretHash", c.registration_type as "registrationType", c.client_type as "clientType", c.token_endpoint_auth_method as "authMethod",
  c.redirect_uris as "redirectUris", c.grant_types as "grantTypes", c.client_name as name, c.client_uri as uri, c.logo_uri as "logoUri",
  to_json(c.created_at) #>> '{}' as "createdAt", to_json(c.updated_at) #>> '{}' as "updatedAt"`;

function clientOf<R extends ClientRow>(row: R): OAuthClient {
  return { ...row, redirectUris: row.redirectUris.split(','), grantTypes: row.grantTypes.split(',') };
}

/** A client that is there; deleted ones stay in the table for what references them. */
export async function findOAuthClient(tx: Runner, id: string): Promise<OAuthClient | null> {
  const [row] = await tx.rows<ClientRow>(`select ${clientColumns} from auth.oauth_clients c where c.id = $1::uuid and c.deleted_at is null`, [id]);
  return row === undefined ? null : clientOf(row);
}

export async function listOAuthClients(tx: Runner, page: number, perPage: number): Promise<{ readonly clients: OAuthClient[]; readonly total: number }> {
  const rows = await tx.rows<ClientRow>(`select ${clientColumns} from auth.oauth_clients c where c.deleted_at is null order by c.created_at desc, c.id limit $1 offset $2`, [perPage, (page - 1) * perPage]);
  const [count] = await tx.rows<{ total: number }>('select count(*)::int as total from auth.oauth_clients where deleted_at is null');
  return { clients: rows.map(clientOf), total: count!.total };
}

/** Writes a client, a new one or one that is there. */
export async function saveOAuthClient(tx: Runner, client: OAuthClientDraft): Promise<OAuthClient> {
  const [row] = await tx.rows<ClientRow>(
    `insert into auth.oauth_clients as c (id, client_secret_hash, registration_type, client_type, token_endpoint_auth_method, redirect_uris, grant_types, client_name, client_uri, logo_uri)
     values ($1::uuid, $2, $3::auth.oauth_registration_type, $4::auth.oauth_client_type, $5, $6, $7, $8, $9, $10)
     on conflict (id) do update set client_secret_hash = excluded.client_secret_hash, client_type = excluded.client_type, token_endpoint_auth_method = excluded.token_endpoint_auth_method,
       redirect_uris = excluded.redirect_uris, grant_types = excluded.grant_types, client_name = excluded.client_name, client_uri = excluded.client_uri, logo_uri = excluded.logo_uri, updated_at = now()
     returning ${clientColumns}`,
    [client.id, client.secretHash, client.registrationType, client.clientType, client.authMethod, client.redirectUris.join(','), client.grantTypes.join(','), client.name, client.uri, client.logoUri],
  );
  return clientOf(row!);
}

/** Deletes a client with everything that users granted it: its sessions end. */
export async function deleteOAuthClient(tx: Runner, id: string): Promise<void> {
  await tx.rows('update auth.oauth_clients set deleted_at = now(), updated_at = now() where id = $1::uuid', [id]);
  await tx.rows('delete from auth.sessions where oauth_client_id = $1::uuid', [id]);
  await tx.rows('delete from auth.oauth_consents where client_id = $1::uuid', [id]);
  await tx.rows('delete from auth.oauth_authorizations where client_id = $1::uuid', [id]);
}

const authorizationColumns = `id, authorization_id as "authorizationId", client_id as "clientId", user_id as "userId", redirect_uri as "redirectUri", scope, state, resource, nonce,
  code_challenge as challenge, status, expires_at <= clock_timestamp() as "isOver"`;

export async function beginAuthorization(tx: Runner, draft: OAuthAuthorizationDraft, seconds: number): Promise<void> {
  await tx.rows(
    `insert into auth.oauth_authorizations (id, authorization_id, client_id, redirect_uri, scope, state, resource, nonce, code_challenge, code_challenge_method, created_at, expires_at)
     values ($1::uuid, $2, $3::uuid, $4, $5, $6, $7, $8, $9, 's256', clock_timestamp(), clock_timestamp() + make_interval(secs => $10))`,
    [randomUUID(), draft.authorizationId, draft.clientId, draft.redirectUri, draft.scope, draft.state, draft.resource, draft.nonce, draft.challenge, seconds],
  );
}

/** An authorization, locked until the transaction ends. */
export async function lockAuthorization(tx: Runner, authorizationId: string): Promise<OAuthAuthorization | null> {
  const [row] = await tx.rows<OAuthAuthorization>(`select ${authorizationColumns} from auth.oauth_authorizations where authorization_id = $1 for update`, [authorizationId]);
  return row ?? null;
}

export async function lockAuthorizationByCode(tx: Runner, codeDigest: string): Promise<OAuthAuthorization | null> {
  const [row] = await tx.rows<OAuthAuthorization>(`select ${authorizationColumns} from auth.oauth_authorizations where authorization_code = $1 for update`, [codeDigest]);
  return row ?? null;
}

/** Whoever looks at it first is the one whom it is about. */
export async function claimAuthorization(tx: Runner, id: string, userId: string): Promise<void> {
  await tx.rows('update auth.oauth_authorizations set user_id = $2::uuid where id = $1::uuid', [id, userId]);
}

/** Gives an authorization its code, of which only the digest is kept; its time begins anew. */
export async function approveAuthorization(tx: Runner, id: string, codeDigest: string, seconds: number): Promise<void> {
  await tx.rows(
    `update auth.oauth_authorizations set status = 'approved', authorization_code = $2, approved_at = clock_timestamp(), expires_at = clock_timestamp() + make_interval(secs => $3) where id = $1::uuid`,
    [id, codeDigest, seconds],
  );
}

export async function endAuthorization(tx: Runner, id: string, status: 'denied' | 'expired'): Promise<void> {
  await tx.rows('update auth.oauth_authorizations set status = $2::auth.oauth_authorization_status where id = $1::uuid', [id, status]);
}

/** The scopes that a user has agreed to for a client; none where there is no consent, or no longer. */
export async function consentedScopes(tx: Runner, userId: string, clientId: string): Promise<string[] | null> {
  const [row] = await tx.rows<{ scopes: string }>('select scopes from auth.oauth_consents where user_id = $1::uuid and client_id = $2::uuid and revoked_at is null', [userId, clientId]);
  return row === undefined ? null : row.scopes.split(' ');
}

export async function keepConsent(tx: Runner, userId: string, clientId: string, scopes: readonly string[]): Promise<void> {
  await tx.rows(
    `insert into auth.oauth_consents (id, user_id, client_id, scopes, granted_at) values ($1::uuid, $2::uuid, $3::uuid, $4, now())
     on conflict (user_id, client_id) do update set scopes = excluded.scopes, granted_at = now(), revoked_at = null`,
    [randomUUID(), userId, clientId, scopes.join(' ')],
  );
}

/** Takes a consent back, and ends what the client holds by it. False where there is none. */
export async function revokeConsent(tx: Runner, userId: string, clientId: string): Promise<boolean> {
  const revoked = await tx.rows('update auth.oauth_consents set revoked_at = now() where user_id = $1::uuid and client_id = $2::uuid and revoked_at is null returning 1', [userId, clientId]);
  if (revoked.length === 0) return false;
  await endClientSessions(tx, userId, clientId);
  await tx.rows(`update auth.oauth_authorizations set status = 'expired' where user_id = $1::uuid and client_id = $2::uuid and status in ('pending', 'approved')`, [userId, clientId]);
  return true;
}

export async function endClientSessions(tx: Runner, userId: string, clientId: string): Promise<void> {
  await tx.rows('delete from auth.sessions where user_id = $1::uuid and oauth_client_id = $2::uuid', [userId, clientId]);
}

export async function listGrants(tx: Runner, userId: string): Promise<OAuthGrant[]> {
  const rows = await tx.rows<ClientRow & { scopes: string; grantedAt: string }>(
    `select ${clientColumns}, g.scopes, to_json(g.granted_at) #>> '{}' as "grantedAt" from auth.oauth_consents g join auth.oauth_clients c on c.id = g.client_id and c.deleted_at is null
     where g.user_id = $1::uuid and g.revoked_at is null order by g.granted_at desc, c.id`,
    [userId],
  );
  return rows.map(({ scopes, grantedAt, ...client }) => ({ client: clientOf(client), scopes: scopes.split(' '), grantedAt }));
}

/** Marks a session as one that a client holds for its user. */
export async function giveSessionToClient(tx: Runner, sessionId: string, clientId: string, scopes: string): Promise<void> {
  await tx.rows('update auth.sessions set oauth_client_id = $2::uuid, scopes = $3 where id = $1::uuid', [sessionId, clientId, scopes]);
}

/** What a client may read by a session; null for a session of the user's own. */
export async function scopesOfSession(tx: Runner, sessionId: string): Promise<{ readonly clientId: string; readonly scopes: string[] } | null> {
  const [row] = await tx.rows<{ clientId: string; scopes: string | null }>('select oauth_client_id as "clientId", scopes from auth.sessions where id = $1::uuid and oauth_client_id is not null', [sessionId]);
  return row === undefined ? null : { clientId: row.clientId, scopes: (row.scopes ?? '').split(' ').filter((scope) => scope !== '') };
}
