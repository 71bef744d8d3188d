import { createHash } from 'node:crypto';
import { apiUrlOf, type ProviderSettings, type Settings } from '@mainstay/config';
import type { CustomProvider } from '@mainstay/persistence';
import * as oidc from 'openid-client';
import { presetOf, settingsOf } from './custom-provider.ts';
import { fault } from './faults.ts';
import { fetchJson, fetchWithin, type Fetch } from './outgoing.ts';
import { anyIssuer, presets, type OauthPreset, type OidcPreset, type Preset } from './provider-presets.ts';
import { profileOfClaims, type Json, type Profile } from './provider-profiles.ts';

/** A provider that is on, with what it needs. */
export interface Provider {
  readonly name: string;
  readonly preset: Preset;
  readonly settings: ProviderSettings;
  readonly clientId: string;
  readonly redirectUri: string;
}

/** Where providers are that the administration sets up while we run; their secrets are open. */
export interface CustomProviderSource {
  open(identifier: string): Promise<CustomProvider | null>;
}

/** What ties a way out to its return: all of it is derived from the flow and a key of ours. */
export interface Ties {
  readonly state: string;
  readonly nonce: string;
  /** Of the proof (PKCE) that we bring to the provider. */
  readonly verifier: string;
}

/** Who came back, and the provider's tokens, which the application gets once. */
export interface Outcome {
  readonly profile: Profile | null;
  readonly accessToken: string;
  readonly refreshToken: string | null;
}

type ClientSettings = Pick<Settings, 'providers' | 'apiExternalUrl' | 'host' | 'port'>;

/** How long what an issuer says of itself is believed. */
const discoveryMs = 3_600_000;

/** What a request must not overrule: who asks, where the answer goes, and what ties it to us. */
const ours = /^(client_id|client_secret|client_assertion\w*|redirect_uri|response_type|response_mode|state|nonce|scope|code_challenge|code_challenge_method|request|request_uri|registration|claims_locales)$/;

/** Speaks with other providers: OpenID Connect by discovery, and those of plain OAuth 2 by their own APIs. */
export class ProviderClients {
  private readonly configurations = new Map<string, { readonly at: number; readonly configuration: Promise<oidc.Configuration> }>();

  constructor(
    private readonly settings: ClientSettings,
    private readonly custom: CustomProviderSource = { open: async () => null },
    /** For providers that somebody names while we run. */
    private readonly askPublic: Fetch = fetchWithin,
  ) {}

  /** @throws Fault `validation_failed` for a provider that is unknown or off */
  async find(asked: string): Promise<Provider> {
    const custom = await this.findCustom(asked);
    if (custom === null) return this.findSet(asked);
    if (!custom.isEnabled) throw unsupported(`custom provider ${custom.identifier} is disabled`);
    return { name: custom.identifier, preset: presetOf(custom), settings: settingsOf(custom), clientId: custom.clientId, redirectUri: this.callbackUrl };
  }

  /** The provider of this name that the administration set up while we run; null where it stands in the settings, if anywhere. */
  async findCustom(asked: string): Promise<CustomProvider | null> {
    return isCustom(asked) ? this.custom.open(asked.toLowerCase()) : null;
  }

  private findSet(asked: string): Provider {
    const name = asked.toLowerCase().replace(/^custom:/, '');
    const settings = Object.hasOwn(this.settings.providers, name) ? this.settings.providers[name]! : null;
    const preset = Object.hasOwn(presets, name) ? presets[name]! : anyIssuer;
    const refuse = unsupported;
    if (settings === null && isCustom(asked)) throw refuse(`custom provider ${asked.slice(0, 64)} not found`);
    if (settings === null && preset === anyIssuer) throw refuse(`Provider ${asked.slice(0, 64)} could not be found`);
    if (settings === null || !settings.isEnabled) throw refuse('provider is not enabled');
    const [clientId] = settings.clientIds;
    if (clientId === undefined) throw refuse('missing OAuth client ID');
    if (settings.secret === null && preset.kind === 'oauth2') throw refuse('missing OAuth secret');
    if (preset.kind === 'oidc' && preset.issuer(settings.url) === '') throw refuse('missing OAuth URL of the issuer');
    return { name, preset, settings, clientId, redirectUri: settings.redirectUri ?? this.callbackUrl };
  }

  private get callbackUrl(): string {
    return `${apiUrlOf(this.settings)}/auth/v1/callback`;
  }

  /** Where to send somebody who wants to sign in at a provider. */
  async authorizationUrl(provider: Provider, ties: Ties, asked: { readonly scopes: string; readonly params: Readonly<Record<string, string>> }): Promise<string> {
    const { preset, settings, clientId, redirectUri } = provider;
    const scopes = new Set([...preset.scopes, ...settings.scopes, ...asked.scopes.split(/[\s,]+/).filter((scope) => scope !== '')]);
    const params = new URLSearchParams(preset.params);
    for (const [name, value] of Object.entries(asked.params)) if (!ours.test(name)) params.set(name === 'workos_provider' ? 'provider' : name, value);
    params.set('redirect_uri', redirectUri);
    params.set('state', ties.state);
    if (scopes.size > 0) params.set('scope', [...scopes].join(' '));
    const provesItself = async () => {
      params.set('code_challenge', await oidc.calculatePKCECodeChallenge(ties.verifier));
      params.set('code_challenge_method', 'S256');
    };
    if (preset.kind === 'oauth2') {
      if (preset.pkce) await provesItself();
      params.set('client_id', clientId);
      params.set('response_type', 'code');
      return withParams(preset.authorize(settings.url), params);
    }
    const configuration = await this.configurationOf(provider, preset).catch((error: unknown) => {
      if (preset.door === undefined) throw error;
      return null;
    });
    if (configuration === null ? preset.door!.takesProof : takesProof(preset, configuration)) await provesItself();
    if (hasNonce(provider)) params.set('nonce', ties.nonce);
    if (preset.isFormPost) params.set('response_mode', 'form_post');
    if (configuration === null) {
      params.set('client_id', clientId);
      params.set('response_type', 'code');
      return withParams(preset.door!.url(settings.url), params);
    }
    return oidc.buildAuthorizationUrl(configuration, params).href;
  }

  /** Exchanges what a provider sent somebody back with. @throws Fault `unexpected_failure` */
  async exchange(provider: Provider, answer: URLSearchParams, ties: Ties): Promise<Outcome> {
    try {
      return provider.preset.kind === 'oidc' ? await this.exchangeOidc(provider, provider.preset, answer, ties) : await exchangeOauth(provider, provider.preset, answer.get('code')!, ties, this.askOf(provider.name));
    } catch (cause) {
      throw fault('unexpected_failure', { message: 'Unable to exchange external code', cause });
    }
  }

  /** What an issuer says of itself, for verifying its tokens. */
  async metadataOf(provider: string, issuer: string, discoveryUrl?: string): Promise<oidc.ServerMetadata> {
    return (await this.discovered(issuer, 'none', null, this.askOf(provider), discoveryUrl)).serverMetadata();
  }

  private async exchangeOidc(provider: Provider, preset: OidcPreset, answer: URLSearchParams, ties: Ties): Promise<Outcome> {
    const configuration = await this.configurationOf(provider, preset);
    const current = new URL(withParams(provider.redirectUri, onlyStandard(answer)));
    const tokens = await oidc.authorizationCodeGrant(configuration, current, {
      expectedState: ties.state,
      idTokenExpected: true,
      ...(takesProof(preset, configuration) ? { pkceCodeVerifier: ties.verifier } : {}),
      ...(hasNonce(provider) ? { expectedNonce: ties.nonce } : {}),
    });
    const claims = await withUserInfo(configuration, tokens.access_token, tokens.claims() as Json, preset.read !== undefined);
    const told = namesFrom(answer, preset);
    const profile = preset.read !== undefined ? preset.read(claims) : profileOfClaims({ ...told, ...claims }, (all) => (preset.isEmailVerified === undefined ? all['email_verified'] : preset.isEmailVerified(all, provider.settings.url)));
    return { profile, accessToken: tokens.access_token, refreshToken: tokens.refresh_token ?? null };
  }

  /** Whom the settings name may be a machine of the operator's; whom somebody named while we run, only a public one. */
  askOf(provider: string): Fetch {
    return isCustom(provider) ? this.askPublic : fetchWithin;
  }

  private configurationOf({ name, settings, clientId }: Provider, preset: OidcPreset): Promise<oidc.Configuration> {
    return this.discovered(preset.issuer(settings.url), clientId, settings.secret, this.askOf(name), preset.discoveryUrl);
  }

  private async discovered(issuer: string, clientId: string, secret: string | null, ask: Fetch, discoveryUrl?: string): Promise<oidc.Configuration> {
    // What is set up while we run may get another secret.
    const key = JSON.stringify([issuer, clientId, discoveryUrl ?? null, ask === fetchWithin, secret === null ? null : createHash('sha256').update(secret).digest('base64')]);
    const known = this.configurations.get(key);
    if (known !== undefined && Date.now() - known.at < discoveryMs) return known.configuration;
    const configuration = discover(issuer, clientId, secret, ask, discoveryUrl);
    this.configurations.set(key, { at: Date.now(), configuration });
    try {
      return await configuration;
    } catch (cause) {
      // An issuer that was away is asked again next time; what it said before is as good as it was.
      if (known === undefined) this.configurations.delete(key);
      else this.configurations.set(key, known);
      if (known !== undefined) return known.configuration;
      throw fault('unexpected_failure', { message: 'Error reaching the external provider', cause });
    }
  }
}

async function discover(issuer: string, clientId: string, secret: string | null, ask: Fetch, discoveryUrl?: string): Promise<oidc.Configuration> {
  const url = new URL(discoveryUrl ?? issuer);
  const execute = [oidc.enableNonRepudiationChecks, ...(url.protocol === 'http:' ? [oidc.allowInsecureRequests] : [])];
  const configuration = await oidc.discovery(url, clientId, {}, secret === null ? oidc.None() : bySecret(secret), { execute, timeout: 10, [oidc.customFetch]: ask as oidc.CustomFetch });
  if (discoveryUrl !== undefined && configuration.serverMetadata().issuer !== issuer) throw new Error(`${discoveryUrl} describes another issuer than ${issuer}`);
  return configuration;
}

/** By a header or in the form, as the provider says; most say nothing and take both. */
function bySecret(secret: string): oidc.ClientAuth {
  const [inForm, inHeader] = [oidc.ClientSecretPost(secret), oidc.ClientSecretBasic(secret)];
  return (server, client, body, headers) => {
    const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
    (methods.includes('client_secret_post') ? inForm : inHeader)(server, client, body, headers);
  };
}

/** Many issuers put only the subject into the ID token, and the rest where one has to ask for it. */
async function withUserInfo(configuration: oidc.Configuration, accessToken: string, claims: Json, isAlwaysAsked: boolean): Promise<Json> {
  if ((claims['email'] !== undefined && !isAlwaysAsked) || configuration.serverMetadata().userinfo_endpoint === undefined) return claims;
  const { iss: _iss, ...more } = await oidc.fetchUserInfo(configuration, accessToken, String(claims['sub']));
  return { ...more, ...claims };
}

/** Apple tells a name only once, beside the code, and nobody signs it: it decides nothing. */
function namesFrom(answer: URLSearchParams, { isFormPost }: OidcPreset): Json {
  if (!isFormPost || !answer.has('user')) return {};
  try {
    const { name } = JSON.parse(answer.get('user')!) as { name?: { firstName?: unknown; lastName?: unknown } };
    return { given_name: name?.firstName, family_name: name?.lastName };
  } catch {
    // A name that cannot be read is none.
    return {};
  }
}

function hasNonce({ preset, settings }: Provider): boolean {
  return preset.kind === 'oidc' && !preset.hasNoNonce && !settings.skipsNonceCheck;
}

function onlyStandard(answer: URLSearchParams): URLSearchParams {
  return new URLSearchParams(['code', 'state', 'iss', 'session_state'].filter((name) => answer.has(name)).map((name): [string, string] => [name, answer.get(name)!]));
}

async function exchangeOauth(provider: Provider, preset: OauthPreset, code: string, ties: Ties, ask: Fetch): Promise<Outcome> {
  const { settings, clientId } = provider;
  const tokens = preset.auth === 'either' ? await askTokens(provider, preset, code, ties, 'basic', ask).catch(() => askTokens(provider, preset, code, ties, undefined, ask)) : await askTokens(provider, preset, code, ties, preset.auth, ask);
  const { access_token: accessToken, refresh_token: refreshToken } = tokens;
  const api = preset.api(settings.url);
  const profile = await preset.profile({ api, clientId, tokens, ask: (url, more) => fetchJson(url, { headers: { authorization: `Bearer ${accessToken}`, ...more } }, ask) });
  return { profile, accessToken, refreshToken: typeof refreshToken === 'string' ? refreshToken : null };
}

/** Asks for tokens by a code. A server that does not know us by one way has not used the code up. */
async function askTokens({ settings, clientId, redirectUri }: Provider, preset: OauthPreset, code: string, ties: Ties, auth: 'basic' | undefined, ask: Fetch): Promise<Json> {
  const form = new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: redirectUri, ...(preset.pkce ? { code_verifier: ties.verifier } : {}) });
  const headers: Record<string, string> = { 'content-type': 'application/x-www-form-urlencoded' };
  if (auth === 'basic') headers['authorization'] = `Basic ${Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(settings.secret!)}`).toString('base64')}`;
  else for (const [name, value] of [['client_id', clientId], ['client_secret', settings.secret!]] as const) form.set(name, value);
  const tokens = (await fetchJson(preset.token(settings.url), { method: 'POST', headers, body: form.toString() }, ask)) as Json;
  const { access_token: accessToken } = tokens;
  if (typeof accessToken !== 'string' || accessToken === '') throw new Error(`no access token: ${String(tokens['error'] ?? 'nothing said why').slice(0, 200)}`);
  return tokens;
}

function takesProof({ pkce }: OidcPreset, configuration: oidc.Configuration): boolean {
  return pkce ?? configuration.serverMetadata().supportsPKCE();
}

function isCustom(asked: string): boolean {
  return /^custom:/i.test(asked);
}

function unsupported(why: string) {
  return fault('validation_failed', { message: `Unsupported provider: ${why}` });
}

function withParams(address: string, params: URLSearchParams): string {
  const url = new URL(address);
  for (const [name, value] of params) url.searchParams.set(name, value);
  return url.href;
}
