import { createHash, timingSafeEqual } from 'node:crypto';
import type { Settings } from '@mainstay/config';
import type { CustomProvider } from '@mainstay/persistence';
import { createRemoteJWKSet, customFetch, decodeJwt, decodeProtectedHeader, jwtVerify, type JWTPayload } from 'jose';
import { presetOf, settingsOf } from './custom-provider.ts';
import { fault } from './faults.ts';
import { OAuthFault } from './oauth-fault.ts';
import { fetchWithin, type Fetch } from './outgoing.ts';
import type { ProviderClients } from './provider-clients.ts';
import { anyIssuer, presets, type Preset } from './provider-presets.ts';
import { profileOfClaims, type Profile } from './provider-profiles.ts';

/** An ID token that an application got from a provider itself. */
export interface IdTokenSignIn {
  readonly provider: string;
  readonly idToken: string;
  readonly accessToken: string;
  readonly nonce: string;
  readonly issuer: string;
  readonly clientId: string;
}

/** Who may have issued a token, and for whom. */
interface Expectation {
  readonly provider: string;
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly skipsNonceCheck: boolean;
  readonly preset: Preset;
  readonly url: string | null;
  readonly isEmailOptional: boolean;
}

type TokenSettings = Pick<Settings, 'providers' | 'idTokenIssuers' | 'iosBundleId'>;

/** Signatures by a key pair; a shared secret or none proves nothing here. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];

const refuse = (description: string, cause?: unknown) => new OAuthFault('invalid request', description, { cause });

/** Verifies ID tokens of other providers: issuer, audience, signature, nonce and access token. */
export class IdTokens {
  private readonly keySets = new Map<string, ReturnType<typeof createRemoteJWKSet>>();

  constructor(
    private readonly clients: ProviderClients,
    private readonly settings: TokenSettings,
  ) {}

  /** @throws OAuthFault, or Fault for a provider that is off */
  async verify(request: IdTokenSignIn): Promise<{ readonly provider: string; readonly profile: Profile; readonly isEmailOptional: boolean }> {
    const { idToken, accessToken, provider, clientId, issuer } = request;
    if (idToken === '') throw refuse('id_token required');
    if (provider === '' && (clientId === '' || issuer === '')) throw refuse('provider or client_id and issuer required');
    const expected = await this.expected(request);
    refuseUnlessToken(idToken);
    const claims = await this.verified(idToken, expected);
    if (typeof claims.sub !== 'string' || claims.sub === '') throw refuse('Missing sub claim in id_token');
    const audiences = [claims.aud ?? []].flat();
    if (!audiences.some((audience) => expected.audiences.includes(audience))) throw refuse('Unacceptable audience in id_token');
    if (!expected.skipsNonceCheck) checkNonce(claims['nonce'], request.nonce);
    if (accessToken !== '' && typeof claims['at_hash'] === 'string' && !isHashOf(claims['at_hash'], accessToken, idToken)) throw refuse('Bad ID token');
    const { preset, url } = expected;
    const isVerified = preset.kind === 'oidc' && preset.isEmailVerified !== undefined ? (all: JWTPayload) => preset.isEmailVerified!(all, url) : undefined;
    const profile = preset.kind === 'oidc' && preset.read !== undefined ? preset.read(claims) : profileOfClaims(claims, isVerified);
    if (profile === null) throw refuse('Missing sub claim in id_token');
    return { provider: expected.provider, profile, isEmailOptional: expected.isEmailOptional };
  }

  /** By the provider's name, or by the issuer of one that is set up. */
  private async expected(request: IdTokenSignIn): Promise<Expectation> {
    const custom = await this.clients.findCustom(request.provider);
    if (custom !== null) return customExpectation(custom);
    const name = request.provider.toLowerCase().replace(/^custom:/, '');
    const known = Object.hasOwn(presets, name) || Object.hasOwn(this.settings.providers, name) ? name : this.byIssuer(request.issuer === '' ? request.provider : request.issuer);
    return known === null ? this.foreign(request) : this.own(known, request);
  }

  private byIssuer(issuer: string): string | null {
    return [...Object.keys(this.settings.providers), ...Object.keys(presets)].find((name) => this.issuerOf(name) === issuer) ?? null;
  }

  private issuerOf(name: string): string | undefined {
    return (Object.hasOwn(presets, name) ? presets[name]! : anyIssuer).issuer?.(this.settings.providers[name]?.url ?? null);
  }

  private own(name: string, { idToken }: IdTokenSignIn): Expectation {
    const preset = Object.hasOwn(presets, name) ? presets[name]! : anyIssuer;
    const issuer = this.issuerOf(name);
    const settings = Object.hasOwn(this.settings.providers, name) ? this.settings.providers[name]! : null;
    if (issuer === undefined) throw fault('validation_failed', { message: `Custom OIDC provider "${name}" not allowed` });
    if (settings === null || !settings.isEnabled) throw fault('provider_disabled', { message: `Provider (issuer "${issuer}") is not enabled` });
    if (issuer === '' || idToken.length > 16_384) throw refuse('Bad ID token');
    const bundle = name === 'apple' && this.settings.iosBundleId !== null ? [this.settings.iosBundleId] : [];
    return { provider: name, issuer, audiences: [...settings.clientIds, ...bundle], skipsNonceCheck: settings.skipsNonceCheck, preset, url: settings.url, isEmailOptional: settings.isEmailOptional };
  }

  /** An issuer that the operator lets in by name; the audience is then what the request says, as in GoTrue. */
  private foreign({ provider, issuer, clientId }: IdTokenSignIn): Expectation {
    if (!this.settings.idTokenIssuers.includes(issuer) || clientId === '') throw fault('validation_failed', { message: `Custom OIDC provider "${provider.slice(0, 100)}" not allowed` });
    return { provider: issuer, issuer, audiences: [clientId], skipsNonceCheck: false, preset: anyIssuer, url: issuer, isEmailOptional: false };
  }

  private async verified(idToken: string, { provider, issuer, preset }: Expectation): Promise<JWTPayload> {
    const metadata = await this.clients.metadataOf(provider, issuer, preset.kind === 'oidc' ? preset.discoveryUrl : undefined);
    try {
      const { payload } = await jwtVerify(idToken, this.keysAt(metadata.jwks_uri!, this.clients.askOf(provider)), { issuer: issuerFor(metadata.issuer, idToken), algorithms, clockTolerance: 30, requiredClaims: ['exp', 'iat'] });
      return payload;
    } catch (cause) {
      throw refuse('Bad ID token', cause);
    }
  }

  private keysAt(uri: string, ask: Fetch): ReturnType<typeof createRemoteJWKSet> {
    const key = `${ask === fetchWithin} ${uri}`;
    const known = this.keySets.get(key) ?? createRemoteJWKSet(new URL(uri), { timeoutDuration: 10_000, [customFetch]: ask });
    this.keySets.set(key, known);
    return known;
  }
}

/** What is no token is refused before its provider is asked for keys, which may be away. @throws OAuthFault */
function refuseUnlessToken(idToken: string): void {
  try {
    const { alg = '' } = decodeProtectedHeader(idToken);
    if (algorithms.includes(alg) && typeof decodeJwt(idToken).iss === 'string') return;
  } catch (cause) {
    throw refuse('Bad ID token', cause);
  }
  throw refuse('Bad ID token');
}

/** @throws Fault for a provider without ID tokens, and for one that is off */
function customExpectation(provider: CustomProvider): Expectation {
  const { identifier, type, issuer, isEnabled, skipsNonceCheck, isEmailOptional } = provider;
  if (type !== 'oidc' || issuer === null) throw fault('validation_failed', { message: `Custom OIDC provider "${identifier}" not allowed` });
  if (!isEnabled) throw fault('provider_disabled', { message: `Provider (issuer "${issuer}") is not enabled` });
  return { provider: identifier, issuer, audiences: settingsOf(provider).clientIds, skipsNonceCheck, preset: presetOf(provider), url: issuer, isEmailOptional };
}

/** Microsoft's issuer has the tenant in its name; the token says which, and its signature that it may. */
function issuerFor(issuer: string, idToken: string): string {
  if (!issuer.includes('{tenantid}')) return issuer;
  const { tid } = decodeJwt(idToken);
  if (typeof tid !== 'string' || !/^[0-9a-f-]{36}$/i.test(tid)) throw new Error('no tenant in the token');
  return issuer.replace('{tenantid}', tid);
}

/** The token holds the SHA-256 of the nonce that the application kept: who only saw the token cannot use it. */
function checkNonce(inToken: unknown, given: string): void {
  const has = typeof inToken === 'string' && inToken !== '';
  if (has !== (given !== '')) throw refuse('Passed nonce and nonce in id_token should either both exist or not.');
  if (!has) return;
  const hash = createHash('sha256').update(given).digest('hex');
  if (!isSame(hash, inToken)) throw new OAuthFault('invalid nonce', 'Nonces mismatch');
}

/** `at_hash`: the left half of the access token's digest, by the hash of the token's own algorithm. */
function isHashOf(atHash: string, accessToken: string, idToken: string): boolean {
  const { alg = '' } = decodeProtectedHeader(idToken);
  const name = alg.endsWith('384') ? 'sha384' : alg.endsWith('512') || alg.startsWith('Ed') ? 'sha512' : 'sha256';
  const digest = createHash(name).update(accessToken).digest();
  return isSame(digest.subarray(0, digest.length / 2).toString('base64url'), atHash);
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
