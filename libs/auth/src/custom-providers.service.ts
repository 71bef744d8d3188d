import { randomUUID } from 'node:crypto';
import type { Settings } from '@mainstay/config';
import { OutwardRefusal } from '@mainstay/outward';
import {
  countCustomProviders, deleteCustomProvider, findCustomProvider, isDatabaseError, listCustomProviders, saveCustomProvider, Sealing, writeAudit,
  type Accounts, type CustomProvider, type CustomProviderDraft, type Device, type OpenAccounts,
} from '@mainstay/persistence';
import { administration } from './audit.ts';
import { fault } from './faults.ts';
import { refuseUnstorable } from './metadata.ts';
import type { Fetch } from './outgoing.ts';

/** What is said of a provider; null, and an empty text, is what a request does not say. */
export interface CustomProviderRequest {
  readonly type: string;
  readonly identifier: string;
  readonly name: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly acceptableClientIds: readonly string[] | null;
  readonly scopes: readonly string[] | null;
  readonly claimsAllowlist: readonly string[] | null;
  readonly isPkceEnabled: boolean | null;
  readonly attributeMapping: Readonly<Record<string, unknown>> | null;
  readonly authorizationParams: Readonly<Record<string, unknown>> | null;
  readonly isEnabled: boolean | null;
  readonly isEmailOptional: boolean | null;
  readonly issuer: string;
  readonly discoveryUrl: string;
  readonly skipsNonceCheck: boolean | null;
  readonly authorizationUrl: string;
  readonly tokenUrl: string;
  readonly userinfoUrl: string;
  readonly jwksUri: string;
}

type CustomSettings = Pick<Settings, 'secret' | 'customProvidersEnabled' | 'maxCustomProviders'>;

/** What ties a way out to its return is ours alone. */
const ourParams = ['client_id', 'client_secret', 'redirect_uri', 'response_type', 'state', 'code_challenge', 'code_challenge_method', 'code_verifier', 'nonce'];

/** What no other provider may say of an account. */
const protectedTargets = ['id', 'aud', 'role', 'app_metadata', 'created_at', 'updated_at', 'confirmed_at', 'email_confirmed_at', 'phone_confirmed_at', 'email_verified', 'phone_verified', 'banned_until', 'is_super_admin'];

/** Codes and tokens over plain HTTP only to this machine, and from a container to its host. */
const nearHosts = ['localhost', '127.0.0.1', '[::1]', 'host.docker.internal'];

const keptOfDiscovery = ['issuer', 'authorization_endpoint', 'token_endpoint', 'jwks_uri', 'userinfo_endpoint', 'revocation_endpoint', 'scopes_supported', 'response_types_supported', 'grant_types_supported', 'subject_types_supported', 'id_token_signing_alg_values_supported'];
const neededOfDiscovery = ['issuer', 'authorization_endpoint', 'token_endpoint', 'jwks_uri'];
const discoveryMs = 5000;

/** By it a sealed secret is told from one that a Supabase project brought along as it was. */
const sealedMark = 'sealed:';

const refuse = (message: string) => fault('validation_failed', { message });

/** Providers that the administration sets up while we run, beside those of the settings. */
export class CustomProviders {
  private readonly sealing: Sealing;

  constructor(
    private readonly accounts: Accounts,
    private readonly settings: CustomSettings,
    /** Whoever holds the service key says whom to ask: only public addresses. */
    private readonly ask: Fetch,
  ) {
    this.sealing = new Sealing(settings.secret ?? '', 'mainstay provider secrets');
  }

  async list(type: string): Promise<object[]> {
    this.refuseUnlessOn();
    if (type !== '' && type !== 'oauth2' && type !== 'oidc') throw refuse("type must be either 'oauth2' or 'oidc'");
    return (await listCustomProviders(this.accounts, type === '' ? null : type)).map(view);
  }

  async get(identifier: string): Promise<object> {
    return view(await this.find(identifier));
  }

  async create(request: CustomProviderRequest, device: Device): Promise<object> {
    this.refuseUnlessOn();
    const draft = draftOf(request);
    const { maxCustomProviders: most } = this.settings;
    if (most > 0 && (await countCustomProviders(this.accounts)) >= most) throw fault('over_custom_provider_quota');
    refuseOddUrls(draft);
    if ((await findCustomProvider(this.accounts, draft.identifier)) !== null) throw fault('conflict');
    return view(await this.save({ ...draft, clientSecret: this.seal(draft.id, request.clientSecret), discovery: await discovered(draft, this.ask) }, 'custom_provider_created', device));
  }

  async update(identifier: string, request: CustomProviderRequest, device: Device): Promise<object> {
    const { createdAt: _created, updatedAt: _updated, ...known } = await this.find(identifier);
    const draft = changed(known, request);
    refuseOddUrls(draft);
    const discovery = draft.issuer === known.issuer && draft.discoveryUrl === known.discoveryUrl ? known.discovery : await discovered(draft, this.ask);
    return view(await this.save({ ...draft, discovery, ...(request.clientSecret === '' ? {} : { clientSecret: this.seal(known.id, request.clientSecret) }) }, 'custom_provider_updated', device));
  }

  async remove(identifier: string, device: Device): Promise<void> {
    const { type } = await this.find(identifier);
    await this.accounts.transaction(async (tx) => {
      if (!(await deleteCustomProvider(tx, identifier))) throw fault('custom_provider_not_found');
      await note(tx, 'custom_provider_deleted', { identifier, type }, device);
    });
  }

  /** A provider with its secret open, for a sign-in; null where there is none of this name, and where none is let in. */
  async open(identifier: string): Promise<CustomProvider | null> {
    const provider = this.settings.customProvidersEnabled ? await findCustomProvider(this.accounts, identifier) : null;
    if (provider === null || !provider.clientSecret.startsWith(sealedMark)) return provider;
    const clientSecret = this.sealing.open(provider.id, provider.clientSecret.slice(sealedMark.length));
    if (clientSecret === null) throw fault('unexpected_failure', { cause: new Error(`the secret of ${identifier} was sealed by another MAINSTAY_SECRET: set it anew`) });
    return { ...provider, clientSecret };
  }

  private refuseUnlessOn(): void {
    if (!this.settings.customProvidersEnabled) throw fault('feature_disabled', { message: 'Custom OAuth providers are disabled' });
  }

  private async find(identifier: string): Promise<CustomProvider> {
    this.refuseUnlessOn();
    refuseOtherNames(identifier);
    refuseUnstorable(identifier, 'identifier');
    const provider = await findCustomProvider(this.accounts, identifier);
    if (provider === null) throw fault('custom_provider_not_found');
    return provider;
  }

  private async save(draft: CustomProviderDraft, action: string, device: Device): Promise<CustomProvider> {
    try {
      return await this.accounts.transaction(async (tx) => {
        const saved = await saveCustomProvider(tx, draft);
        await note(tx, action, saved, device);
        return saved;
      });
    } catch (error) {
      if (isDatabaseError(error) && error.constraint === 'custom_oauth_providers_identifier_key') throw fault('conflict', { cause: error });
      throw error;
    }
  }

  private seal(id: string, secret: string): string {
    return sealedMark + this.sealing.seal(id, secret);
  }
}

async function note(tx: OpenAccounts, action: string, { identifier, type }: Pick<CustomProvider, 'identifier' | 'type'>, { address }: Device): Promise<void> {
  await writeAudit(tx, { action, actor: administration, traits: { identifier, provider_type: type }, address });
}

/** Checked in the order in which GoTrue does. */
function draftOf(request: CustomProviderRequest): CustomProviderDraft {
  const { type, identifier, name, clientId, clientSecret, issuer } = request;
  if (type !== 'oauth2' && type !== 'oidc') throw refuse("provider_type must be either 'oauth2' or 'oidc'");
  if (identifier === '') throw refuse('identifier is required');
  refuseOtherNames(identifier);
  const needed = type === 'oidc' ? [['issuer', issuer]] : [['authorization_url', request.authorizationUrl], ['token_url', request.tokenUrl], ['userinfo_url', request.userinfoUrl]];
  for (const [field, value] of [['name', name], ['client_id', clientId], ['client_secret', clientSecret]] as const) if (value === '') throw refuse(`${field} is required`);
  for (const [field, value] of needed) if (value === '') throw refuse(`${field} is required for ${type === 'oidc' ? 'OIDC' : 'OAuth2'} providers`);
  if (!/^[a-z0-9][a-z0-9:-]{0,48}[a-z0-9]$/.test(identifier)) throw refuse('identifier must be at most 50 small letters, digits, colons and hyphens, and end with a letter or a digit');
  const nothing: CustomProviderDraft = {
    id: randomUUID(), type, identifier, name, clientId, clientSecret: '', acceptableClientIds: [], scopes: type === 'oidc' ? ['openid'] : [], isPkceEnabled: true, attributeMapping: {}, authorizationParams: {},
    claimsAllowlist: [], isEnabled: true, isEmailOptional: false, issuer: null, discoveryUrl: null, skipsNonceCheck: false, discovery: null, authorizationUrl: null, tokenUrl: null, userinfoUrl: null, jwksUri: null,
  };
  return changed(nothing, request);
}

/** What a request says takes the place of what is there; what belongs to the other type of provider is passed over. */
function changed(known: CustomProviderDraft, request: CustomProviderRequest): CustomProviderDraft {
  refuseUnstorable(request, 'the provider');
  const { scopes, claimsAllowlist } = request;
  const text = <T extends string | null>(given: string, otherwise: T): string | T => (given === '' ? otherwise : given);
  const isOidc = known.type === 'oidc';
  const common = {
    ...known,
    name: text(request.name, known.name),
    clientId: text(request.clientId, known.clientId),
    acceptableClientIds: request.acceptableClientIds ?? known.acceptableClientIds,
    scopes: scopes === null ? known.scopes : isOidc && !scopes.includes('openid') ? ['openid', ...scopes] : scopes,
    isPkceEnabled: request.isPkceEnabled ?? known.isPkceEnabled,
    authorizationParams: checkedParams(request.authorizationParams) ?? known.authorizationParams,
    attributeMapping: checkedMapping(request.attributeMapping) ?? known.attributeMapping,
    claimsAllowlist: claimsAllowlist ?? known.claimsAllowlist,
    isEnabled: request.isEnabled ?? known.isEnabled,
    isEmailOptional: request.isEmailOptional ?? known.isEmailOptional,
  };
  if (claimsAllowlist?.some((claim) => claim.trim() === '')) throw refuse('custom_claims_allowlist entries must be non-empty strings');
  if (common.name.length > 100) throw refuse('name cannot exceed 100 characters');
  if (common.clientId.length > 512) throw refuse('client_id cannot exceed 512 characters');
  if (isOidc) return { ...common, issuer: text(request.issuer, known.issuer), discoveryUrl: text(request.discoveryUrl, known.discoveryUrl), skipsNonceCheck: request.skipsNonceCheck ?? known.skipsNonceCheck };
  return {
    ...common, authorizationUrl: text(request.authorizationUrl, known.authorizationUrl), tokenUrl: text(request.tokenUrl, known.tokenUrl), userinfoUrl: text(request.userinfoUrl, known.userinfoUrl),
    jwksUri: text(request.jwksUri, known.jwksUri),
  };
}

function refuseOtherNames(identifier: string): void {
  if (!identifier.startsWith('custom:')) throw refuse(`identifier must start with 'custom:' prefix, e.g. 'custom:${identifier.slice(0, 50)}'`);
}

function checkedParams(params: Readonly<Record<string, unknown>> | null): Readonly<Record<string, string>> | null {
  for (const [name, value] of Object.entries(params ?? {})) {
    if (ourParams.includes(name)) throw refuse(`Cannot override reserved OAuth parameter: ${name}`);
    if (typeof value !== 'string') throw refuse(`Authorization parameter ${JSON.stringify(name)} must be a string`);
  }
  return params as Readonly<Record<string, string>> | null;
}

function checkedMapping(mapping: CustomProviderRequest['attributeMapping']): CustomProviderRequest['attributeMapping'] {
  const target = Object.keys(mapping ?? {}).find((name) => protectedTargets.includes(name));
  if (target !== undefined) throw refuse(`Cannot map to protected system field: ${target}`);
  return mapping;
}

function refuseOddUrls({ issuer, discoveryUrl, authorizationUrl, tokenUrl, userinfoUrl, jwksUri }: CustomProviderDraft): void {
  for (const [field, text] of Object.entries({ issuer, discovery_url: discoveryUrl, authorization_url: authorizationUrl, token_url: tokenUrl, userinfo_url: userinfoUrl, jwks_uri: jwksUri })) {
    if (text === null) continue;
    const url = URL.canParse(text) ? new URL(text) : null;
    if (url === null || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.password !== '' || url.hash !== '' || text.length > 2048) throw refuse(`${field} must be a valid URL`);
    if (url.protocol === 'http:' && !nearHosts.includes(url.hostname)) throw refuse(`${field} must use HTTPS`);
  }
}

/**
 * What an issuer says of itself; null while it cannot be reached, for then the first sign-in asks again.
 * @throws Fault `validation_failed` where what it says is no such description, or that of another
 */
async function discovered({ type, issuer, discoveryUrl }: CustomProviderDraft, ask: Fetch): Promise<CustomProvider['discovery']> {
  if (type !== 'oidc' || issuer === null) return null;
  const url = discoveryUrl ?? `${issuer.replace(/\/+$/, '')}/.well-known/openid-configuration`;
  const answer = await ask(url, { headers: { accept: 'application/json' }, signal: AbortSignal.timeout(discoveryMs) }).catch((error: unknown) => {
    if (error instanceof OutwardRefusal && error.isForGood) throw refuse(`OIDC discovery from ${JSON.stringify(url)} is not possible: ${[error.message, error.hint ?? []].flat().join('. ')}`);
    return null;
  });
  if (answer === null) return null;
  const failed = (why: string) => refuse(`OIDC discovery from ${JSON.stringify(url)} failed: ${why}`);
  if (answer.status !== 200) throw failed(`it answered ${answer.status}`);
  const document: unknown = await answer.json().catch(() => null);
  if (typeof document !== 'object' || document === null || Array.isArray(document)) throw failed('it is no JSON object');
  const missing = neededOfDiscovery.filter((name) => typeof (document as Record<string, unknown>)[name] !== 'string');
  if (missing.length > 0) throw refuse(`OIDC discovery document is missing required fields: ${missing.join(', ')}`);
  if ((document as { issuer: string }).issuer !== issuer) throw failed(`its issuer is ${JSON.stringify((document as { issuer: string }).issuer.slice(0, 200))}`);
  const kept = Object.fromEntries(Object.entries(document).filter(([name]) => keptOfDiscovery.includes(name)));
  refuseUnstorable(kept, 'the discovery document');
  return kept;
}

/** As GoTrue shows one: never its secret. */
function view(provider: CustomProvider): object {
  const { id, type, identifier, name, clientId, acceptableClientIds, scopes, isPkceEnabled, attributeMapping, authorizationParams, claimsAllowlist, isEnabled, isEmailOptional } = provider;
  const { issuer, discoveryUrl, skipsNonceCheck, discovery, authorizationUrl, tokenUrl, userinfoUrl, jwksUri, createdAt, updatedAt } = provider;
  const given = Object.entries({ issuer, discovery_url: discoveryUrl, authorization_url: authorizationUrl, token_url: tokenUrl, userinfo_url: userinfoUrl, jwks_uri: jwksUri }).filter(([, value]) => value !== null);
  return {
    id, provider_type: type, identifier, name, client_id: clientId, acceptable_client_ids: acceptableClientIds, scopes, pkce_enabled: isPkceEnabled, attribute_mapping: attributeMapping,
    custom_claims_allowlist: claimsAllowlist, authorization_params: authorizationParams, enabled: isEnabled, email_optional: isEmailOptional, skip_nonce_check: skipsNonceCheck, ...Object.fromEntries(given),
    ...(type === 'oidc' ? { discovery_document: discovery } : {}), created_at: createdAt, updated_at: updatedAt,
  };
}
