import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import type { Settings } from '@mainstay/config';
import { deleteOAuthClient, findOAuthClient, listOAuthClients, saveOAuthClient, type Accounts, type AuthMethod, type Device, type OAuthClient } from '@mainstay/persistence';
import { fault } from './faults.ts';
import type { Limits } from './limits.ts';
import { isStorable } from './metadata.ts';
import { OAuthFault } from './oauth-fault.ts';

/** What a registration or a change says of an application; null is what it does not say. */
export interface ClientRequest {
  readonly name: string | null;
  readonly uri: string | null;
  readonly logoUri: string | null;
  readonly redirectUris: readonly unknown[] | null;
  readonly grantTypes: readonly unknown[] | null;
  readonly clientType: string | null;
  readonly authMethod: string | null;
}

/** How an application shows at the token endpoint who it is. */
export interface ClientCredentials {
  readonly clientId: string;
  readonly secret: string | null;
  readonly isByHeader: boolean;
}

const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const authMethods: readonly string[] = ['none', 'client_secret_basic', 'client_secret_post'];
const grants: readonly string[] = ['authorization_code', 'refresh_token'];

/** Applications that sign their users in here: registered by the administration, or by themselves where that is allowed. */
export class OAuthClients {
  constructor(
    private readonly accounts: Accounts,
    private readonly limits: Limits,
    private readonly settings: Pick<Settings, 'oauthServerEnabled' | 'oauthServerRegistration'>,
  ) {}

  /** @throws Fault `feature_disabled` */
  refuseUnlessOn(): void {
    if (!this.settings.oauthServerEnabled) throw fault('feature_disabled', { message: 'OAuth server is disabled' });
  }

  /** An application registers itself (RFC 7591). */
  async registerItself(request: ClientRequest, device: Device): Promise<object> {
    this.refuseUnlessOn();
    if (!this.settings.oauthServerRegistration) throw fault('oauth_dynamic_client_registration_disabled');
    await this.limits.request('otp', device);
    return this.register(request, 'dynamic');
  }

  /** @returns the client with its secret, which is shown this once */
  async register(request: ClientRequest, registrationType: OAuthClient['registrationType']): Promise<object> {
    this.refuseUnlessOn();
    const { clientType, authMethod } = typeOf(request);
    const secret = clientType === 'confidential' ? makeSecret() : null;
    const saved = await saveOAuthClient(this.accounts, {
      id: randomUUID(),
      secretHash: secret === null ? null : hashOf(secret),
      registrationType,
      clientType,
      authMethod,
      redirectUris: parseRedirectUris(request.redirectUris ?? []),
      grantTypes: request.grantTypes === null || request.grantTypes.length === 0 ? grants : parseGrantTypes(request.grantTypes),
      ...names(request),
    });
    return viewClient(saved, secret);
  }

  async list(page: number, perPage: number): Promise<{ readonly clients: readonly object[]; readonly total: number; readonly lastPage: number }> {
    this.refuseUnlessOn();
    const { clients, total } = await listOAuthClients(this.accounts, page, perPage);
    return { clients: clients.map((client) => viewClient(client, null)), total, lastPage: Math.max(1, Math.ceil(total / perPage)) };
  }

  async get(id: string): Promise<object> {
    return viewClient(await this.find(id), null);
  }

  async update(id: string, request: ClientRequest): Promise<object> {
    const known = await this.find(id);
    if (Object.values(request).every((value) => value === null)) throw fault('validation_failed', { message: 'No fields provided for update' });
    const authMethod = request.authMethod === null ? known.authMethod : typeOf({ ...request, clientType: known.clientType }).authMethod;
    const { name, uri, logoUri } = names(request);
    const saved = await saveOAuthClient(this.accounts, {
      ...known,
      authMethod,
      redirectUris: request.redirectUris === null ? known.redirectUris : parseRedirectUris(request.redirectUris),
      grantTypes: request.grantTypes === null ? known.grantTypes : parseGrantTypes(request.grantTypes),
      name: request.name === null ? known.name : name,
      uri: request.uri === null ? known.uri : uri,
      logoUri: request.logoUri === null ? known.logoUri : logoUri,
    });
    return viewClient(saved, null);
  }

  async remove(id: string): Promise<void> {
    const { id: known } = await this.find(id);
    await this.accounts.transaction((tx) => deleteOAuthClient(tx, known));
  }

  async regenerateSecret(id: string): Promise<object> {
    const known = await this.find(id);
    if (known.clientType === 'public') throw fault('validation_failed', { message: 'Cannot regenerate secret for public client' });
    const secret = makeSecret();
    return viewClient(await saveOAuthClient(this.accounts, { ...known, secretHash: hashOf(secret) }), secret);
  }

  /** The client that asks for tokens, proved by its secret if it has one. @throws OAuthFault `invalid_client` */
  async prove({ clientId, secret, isByHeader }: ClientCredentials): Promise<OAuthClient> {
    const refuse = () => new OAuthFault('invalid_client', 'Invalid client credentials', { status: 401, headers: isByHeader ? { 'www-authenticate': 'Basic realm="oauth"' } : {} });
    const client = uuidForm.test(clientId) ? await findOAuthClient(this.accounts, clientId) : null;
    if (client === null) throw refuse();
    if (client.clientType === 'public' ? secret !== null : !isSecretOf(client, secret ?? '')) throw refuse();
    return client;
  }

  /** A client by its id, for one that only names itself. */
  async named(id: string): Promise<OAuthClient | null> {
    return uuidForm.test(id) ? findOAuthClient(this.accounts, id) : null;
  }

  private async find(id: string): Promise<OAuthClient> {
    this.refuseUnlessOn();
    if (!uuidForm.test(id)) throw fault('validation_failed', { message: 'invalid client_id format' });
    const client = await findOAuthClient(this.accounts, id);
    if (client === null) throw fault('oauth_client_not_found');
    return client;
  }
}

/** A public client keeps no secret, so it cannot be asked for one. */
function typeOf({ clientType, authMethod }: Pick<ClientRequest, 'clientType' | 'authMethod'>): { readonly clientType: OAuthClient['clientType']; readonly authMethod: AuthMethod } {
  const refuse = (message: string) => fault('validation_failed', { message });
  if (clientType !== null && clientType !== 'public' && clientType !== 'confidential') throw refuse("client_type must be 'public' or 'confidential'");
  if (authMethod !== null && !authMethods.includes(authMethod)) throw refuse(`token_endpoint_auth_method must be one of: [${authMethods.join(' ')}]`);
  const type = clientType ?? (authMethod === 'none' ? 'public' : 'confidential');
  const method = (authMethod ?? (type === 'public' ? 'none' : 'client_secret_basic')) as AuthMethod;
  if ((type === 'public') !== (method === 'none')) throw refuse(`token_endpoint_auth_method '${method}' is not valid for client_type '${type}'`);
  return { clientType: type, authMethod: method };
}

function names({ name, uri, logoUri }: ClientRequest): Pick<OAuthClient, 'name' | 'uri' | 'logoUri'> {
  if (name !== null && (name.length > 1024 || !isStorable(name))) throw fault('validation_failed', { message: 'client_name cannot exceed 1024 characters' });
  for (const [field, value] of [['client_uri', uri], ['logo_uri', logoUri]] as const) {
    if (value === null || value === '') continue;
    if (value.length > 2048) throw fault('validation_failed', { message: `${field} cannot exceed 2048 characters` });
    // It is shown to whoever is asked to agree: nothing that runs when it is followed.
    if (!/^https?:\/\/[^\s]+$/i.test(value) || !URL.canParse(value)) throw fault('validation_failed', { message: `${field} must be a valid URL` });
  }
  return { name: name || null, uri: uri || null, logoUri: logoUri || null };
}

function parseGrantTypes(types: readonly unknown[]): string[] {
  if (types.length === 0) throw fault('validation_failed', { message: 'grant_types cannot be empty' });
  if (!types.every((type): type is string => grants.includes(type as string))) throw fault('validation_failed', { message: "grant_types must only contain 'authorization_code' and/or 'refresh_token'" });
  return [...new Set(types)];
}

function parseRedirectUris(uris: readonly unknown[]): string[] {
  if (uris.length === 0) throw fault('validation_failed', { message: 'redirect_uris is required' });
  if (uris.length > 10) throw fault('validation_failed', { message: 'redirect_uris cannot exceed 10 items' });
  return uris.map((uri) => {
    const wrong = typeof uri === 'string' ? whatIsWrongWith(uri) : 'must be a text';
    if (wrong !== null) throw fault('validation_failed', { message: `invalid redirect_uri '${String(uri).slice(0, 200)}': ${wrong}` });
    return uri as string;
  });
}

/** Addresses are compared letter by letter, and browsers must read them as they are written. */
function whatIsWrongWith(uri: string): string | null {
  if (uri === '') return 'redirect URI cannot be empty';
  if (uri.length > 2048 || /[\s\\,\p{Cc}]/u.test(uri) || !URL.canParse(uri)) return /^[a-z][a-z0-9+.-]*:/i.test(uri) ? 'invalid URL format' : 'must have scheme';
  const { protocol, host, hostname, username, password } = new URL(uri);
  if (host === '') return 'must have scheme and host';
  if (uri.includes('#')) return 'fragment not allowed in redirect URI';
  if (username !== '' || password !== '') return 'no name or password allowed in redirect URI';
  // An editor's own scheme, which applications for it (MCP) rely on.
  if (protocol === 'cursor:' && hostname === 'anysphere.cursor-mcp') return null;
  if (protocol === 'http:') return ['localhost', '127.0.0.1', '[::1]'].includes(hostname) ? null : 'HTTP scheme only allowed for localhost';
  return protocol === 'https:' ? null : 'scheme must be HTTPS or HTTP (localhost only)';
}

function viewClient(client: OAuthClient, secret: string | null): object {
  const { id, clientType, authMethod, registrationType, redirectUris, grantTypes, name, uri, logoUri, createdAt, updatedAt } = client;
  return {
    client_id: id,
    // RFC 7591 asks for the end of a secret beside it; this one has none.
    ...(secret === null ? {} : { client_secret: secret, client_secret_expires_at: 0 }),
    client_id_issued_at: Math.floor(Date.parse(createdAt) / 1000),
    client_type: clientType,
    redirect_uris: redirectUris,
    token_endpoint_auth_method: authMethod,
    grant_types: grantTypes,
    response_types: ['code'],
    ...(name === null ? {} : { client_name: name }),
    ...(uri === null ? {} : { client_uri: uri }),
    ...(logoUri === null ? {} : { logo_uri: logoUri }),
    registration_type: registrationType,
    created_at: createdAt,
    updated_at: updatedAt,
  };
}

function makeSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** 256 random bits need no slow hash. */
function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

function isSecretOf({ secretHash }: OAuthClient, secret: string): boolean {
  const [given, kept] = [Buffer.from(hashOf(secret)), Buffer.from(secretHash ?? '')];
  return given.length === kept.length && timingSafeEqual(given, kept);
}
