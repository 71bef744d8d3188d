import type { Transaction } from './statement.ts';

/** A provider that the administration set up while we run. */
export interface CustomProvider {
  readonly id: string;
  readonly type: 'oauth2' | 'oidc';
  /** `custom:…`: by it applications ask for the provider, and identities name it. */
  readonly identifier: string;
  readonly name: string;
  readonly clientId: string;
  /** Sealed by whoever writes it. */
  readonly clientSecret: string;
  readonly acceptableClientIds: readonly string[];
  readonly scopes: readonly string[];
  readonly isPkceEnabled: boolean;
  /** What a claim of ours is read from: a text names one of the provider's, anything else is its value. */
  readonly attributeMapping: Readonly<Record<string, unknown>>;
  readonly authorizationParams: Readonly<Record<string, string>>;
  /** Claims of the provider that are kept as they are. */
  readonly claimsAllowlist: readonly string[];
  readonly isEnabled: boolean;
  readonly isEmailOptional: boolean;
  readonly issuer: string | null;
  readonly discoveryUrl: string | null;
  readonly skipsNonceCheck: boolean;
  /** What the issuer said of itself; null while it could not be asked. */
  readonly discovery: Readonly<Record<string, unknown>> | null;
  readonly authorizationUrl: string | null;
  readonly tokenUrl: string | null;
  readonly userinfoUrl: string | null;
  readonly jwksUri: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export type CustomProviderDraft = Omit<CustomProvider, 'createdAt' | 'updatedAt'>;

type Runner = Pick<Transaction, 'rows'>;

const columns = `id, provider_type as type, identifier, name, client_id as "clientId", client_secret as "clientSecret", to_json(acceptable_client_ids) as "acceptableClientIds", to_json(scopes) as scopes,
  pkce_enabled as "isPkceEnabled", attribute_mapping as "attributeMapping", authorization_params as "authorizationParams", to_json(custom_claims_allowlist) as "claimsAllowlist", enabled as "isEnabled",
  email_optional as "isEmailOptional", issuer, discovery_url as "discoveryUrl", skip_nonce_check as "skipsNonceCheck", cached_discovery as discovery, authorization_url as "authorizationUrl",
  token_url as "tokenUrl", userinfo_url as "userinfoUrl", jwks_uri as "jwksUri", to_json(created_at) #>> '{}' as "createdAt", to_json(updated_at) #>> '{}' as "updatedAt"`;

/** All of them, the newest first, or those of one type. */
export async function listCustomProviders(tx: Runner, type: CustomProvider['type'] | null): Promise<CustomProvider[]> {
  return tx.rows<CustomProvider>(`select ${columns} from auth.custom_oauth_providers where $1::text is null or provider_type = $1::text order by created_at desc, id`, [type]);
}

export async function findCustomProvider(tx: Runner, identifier: string): Promise<CustomProvider | null> {
  const [found] = await tx.rows<CustomProvider>(`select ${columns} from auth.custom_oauth_providers where identifier = $1`, [identifier]);
  return found ?? null;
}

export async function countCustomProviders(tx: Runner): Promise<number> {
  const [row] = await tx.rows<{ count: number }>('select count(*)::int as count from auth.custom_oauth_providers');
  return row!.count;
}

/** Writes a provider, a new one or one that is there; its type and identifier stay. */
export async function saveCustomProvider(tx: Runner, draft: CustomProviderDraft): Promise<CustomProvider> {
  const texts = (number: number): string => `array(select jsonb_array_elements_text($${number}::jsonb))`;
  const [saved] = await tx.rows<CustomProvider>(
    `insert into auth.custom_oauth_providers (id, provider_type, identifier, name, client_id, client_secret, acceptable_client_ids, scopes, pkce_enabled, attribute_mapping, authorization_params,
       custom_claims_allowlist, enabled, email_optional, issuer, discovery_url, skip_nonce_check, cached_discovery, discovery_cached_at, authorization_url, token_url, userinfo_url, jwks_uri)
     values ($1::uuid, $2, $3, $4, $5, $6, ${texts(7)}, ${texts(8)}, $9, $10::jsonb, $11::jsonb, ${texts(12)}, $13, $14, $15, $16, $17, $18::jsonb, case when $18::jsonb is null then null else now() end, $19, $20, $21, $22)
     on conflict (id) do update set name = excluded.name, client_id = excluded.client_id, client_secret = excluded.client_secret, acceptable_client_ids = excluded.acceptable_client_ids, scopes = excluded.scopes,
       pkce_enabled = excluded.pkce_enabled, attribute_mapping = excluded.attribute_mapping, authorization_params = excluded.authorization_params, custom_claims_allowlist = excluded.custom_claims_allowlist,
       enabled = excluded.enabled, email_optional = excluded.email_optional, issuer = excluded.issuer, discovery_url = excluded.discovery_url, skip_nonce_check = excluded.skip_nonce_check,
       cached_discovery = excluded.cached_discovery, discovery_cached_at = excluded.discovery_cached_at, authorization_url = excluded.authorization_url, token_url = excluded.token_url,
       userinfo_url = excluded.userinfo_url, jwks_uri = excluded.jwks_uri, updated_at = clock_timestamp()
     returning ${columns}`,
    [
      draft.id, draft.type, draft.identifier, draft.name, draft.clientId, draft.clientSecret, JSON.stringify(draft.acceptableClientIds), JSON.stringify(draft.scopes), draft.isPkceEnabled,
      JSON.stringify(draft.attributeMapping), JSON.stringify(draft.authorizationParams), JSON.stringify(draft.claimsAllowlist), draft.isEnabled, draft.isEmailOptional, draft.issuer, draft.discoveryUrl,
      draft.skipsNonceCheck, draft.discovery === null ? null : JSON.stringify(draft.discovery), draft.authorizationUrl, draft.tokenUrl, draft.userinfoUrl, draft.jwksUri,
    ],
  );
  return saved!;
}

/** Deletes a provider; false where there is none of this name. */
export async function deleteCustomProvider(tx: Runner, identifier: string): Promise<boolean> {
  return (await tx.rows('delete from auth.custom_oauth_providers where identifier = $1 returning 1', [identifier])).length > 0;
}
