import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { apiUrlOf, type Settings } from '@mainstay/config';
import {
  approveAuthorization, beginAuthorization, claimAuthorization, consentedScopes, endAuthorization, endClientSessions, giveSessionToClient, keepConsent, listGrants, lockAuthorization,
  lockAuthorizationByCode, revokeConsent, scopesOfSession, type Account, type Accounts, type Device, type OAuthAuthorization, type OAuthClient, type OpenAccounts, type User,
} from '@mainstay/persistence';
import type { AccessTokens } from './access-tokens.ts';
import { audit } from './audit.ts';
import { fault } from './faults.ts';
import { isStorable } from './metadata.ts';
import type { Limits } from './limits.ts';
import type { OAuthClients } from './oauth-clients.service.ts';
import { OAuthFault } from './oauth-fault.ts';
import type { OpenSession, SessionAnswer, Sessions, SignedIn } from './sessions.service.ts';
import { isBanned, isEmailConfirmed, isPhoneConfirmed } from './views.ts';

/** What a browser brings from an application; empty is what it does not say. */
export interface AuthorizeRequest {
  readonly clientId: string;
  readonly redirectUri: string;
  readonly responseType: string;
  readonly scope: string;
  readonly state: string;
  readonly nonce: string;
  readonly resource: string;
  readonly codeChallenge: string;
  readonly codeChallengeMethod: string;
}

export interface CodeExchange {
  readonly code: string;
  readonly redirectUri: string;
  readonly codeVerifier: string;
  readonly resource: string;
}

type ServerSettings = Pick<Settings, 'apiExternalUrl' | 'host' | 'port' | 'siteUrl' | 'oauthServerEnabled' | 'oauthServerRegistration' | 'oauthServerPath' | 'oauthServerScope' | 'oauthServerSeconds'>;

const scopes = ['openid', 'profile', 'email', 'phone'] as const;
const method = 'oauth_provider/authorization_code';

/**
 * The project as a provider for others: OAuth 2.1 and OpenID Connect. A browser brings an application's request, the user agrees on
 * a page of the site, the application exchanges a code for tokens.
 */
export class OAuthServer {
  readonly issuer: string;

  constructor(
    private readonly accounts: Accounts,
    private readonly clients: OAuthClients,
    private readonly sessions: Sessions,
    private readonly accessTokens: AccessTokens,
    private readonly limits: Limits,
    private readonly settings: ServerSettings,
  ) {
    this.issuer = `${apiUrlOf(settings)}/auth/v1`;
  }

  /** What the server says of itself (RFC 8414, OpenID Connect Discovery). */
  describe(): object {
    this.clients.refuseUnlessOn();
    const { issuer } = this;
    return {
      issuer,
      authorization_endpoint: `${issuer}/oauth/authorize`,
      token_endpoint: `${issuer}/oauth/token`,
      jwks_uri: `${issuer}/.well-known/jwks.json`,
      userinfo_endpoint: `${issuer}/oauth/userinfo`,
      ...(this.settings.oauthServerRegistration ? { registration_endpoint: `${issuer}/oauth/clients/register` } : {}),
      scopes_supported: scopes,
      response_types_supported: ['code'],
      response_modes_supported: ['query'],
      grant_types_supported: ['authorization_code', 'refresh_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: [this.accessTokens.algorithm],
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'none'],
      claims_supported: ['sub', 'aud', 'iss', 'exp', 'iat', 'auth_time', 'nonce', 'email', 'email_verified', 'phone_number', 'phone_number_verified', 'name', 'picture', 'preferred_username', 'updated_at'],
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
    };
  }

  /**
   * Begins: keeps the request, and leads to the page where the user agrees. A client that is not known, or an address that is not
   * its own, is answered here: only what was registered is ever redirected to.
   */
  async authorize(request: AuthorizeRequest, device: Device): Promise<string> {
    this.clients.refuseUnlessOn();
    const refuse = (message: string) => fault('validation_failed', { message });
    if (request.clientId === '') throw refuse('client_id is required');
    if (request.redirectUri === '') throw refuse('redirect_uri is required');
    await this.limits.request('token', device);
    const client = await this.clients.named(request.clientId);
    if (client === null) throw fault('oauth_client_not_found', { status: 400, message: 'invalid client_id' });
    if (!client.redirectUris.includes(request.redirectUri)) throw refuse('invalid redirect_uri');
    const wrong = whatIsWrongWith(request, client);
    if (wrong !== null) return this.led(request.redirectUri, { error: wrong[0], error_description: wrong[1] }, request.state);
    const authorizationId = randomBytes(32).toString('base64url');
    await beginAuthorization(this.accounts, {
      authorizationId, clientId: client.id, redirectUri: request.redirectUri, scope: this.scopeOf(request.scope), challenge: request.codeChallenge,
      state: request.state || null, resource: request.resource || null, nonce: request.nonce || null,
    }, this.settings.oauthServerSeconds);
    const page = new URL(`${this.settings.siteUrl.replace(/\/+$/, '')}${this.settings.oauthServerPath}`);
    page.searchParams.set('authorization_id', authorizationId);
    return page.href;
  }

  /** What the user is asked to agree to; where they have before, it is agreed at once. */
  async details(signedIn: SignedIn, authorizationId: string): Promise<object> {
    const { user } = signedIn.account;
    return this.accounts.transaction(async (tx) => {
      const authorization = await this.pending(tx, authorizationId, user);
      if (authorization.userId === null) await claimAuthorization(tx, authorization.id, user.id);
      const agreed = (await consentedScopes(tx, user.id, authorization.clientId)) ?? [];
      if (authorization.userId === null && listOf(authorization.scope).every((scope) => agreed.includes(scope))) return { redirect_url: await this.approve(tx, authorization) };
      const client = (await this.clients.named(authorization.clientId))!;
      return { authorization_id: authorization.authorizationId, redirect_uri: authorization.redirectUri, client: brief(client), user: { id: user.id, email: user.email ?? '' }, scope: authorization.scope };
    });
  }

  /** The user agrees or does not. @returns where the page leads the browser */
  async consent(signedIn: SignedIn, authorizationId: string, action: string, device: Device): Promise<object> {
    this.clients.refuseUnlessOn();
    if (action !== 'approve' && action !== 'deny') throw fault('validation_failed', { message: "action must be 'approve' or 'deny'" });
    const { user } = signedIn.account;
    return this.accounts.transaction(async (tx) => {
      const authorization = await this.pending(tx, authorizationId, user);
      // Only what they have been shown.
      if (authorization.userId === null) throw fault('oauth_authorization_not_found');
      if (action === 'deny') {
        await endAuthorization(tx, authorization.id, 'denied');
        return { redirect_url: this.led(authorization.redirectUri, { error: 'access_denied', error_description: 'User denied the request' }, authorization.state ?? '') };
      }
      const agreed = (await consentedScopes(tx, user.id, authorization.clientId)) ?? [];
      await keepConsent(tx, user.id, authorization.clientId, [...new Set([...agreed, ...listOf(authorization.scope)])]);
      await audit(tx, 'oauth_consent_granted', user, device, { client_id: authorization.clientId, scope: authorization.scope });
      return { redirect_url: await this.approve(tx, authorization) };
    });
  }

  /**
   * Exchanges a code. It is good once: a second time two hold it, and one of them stole it, so what was given for it ends.
   * @throws OAuthFault `invalid_grant`
   */
  async exchange(client: OAuthClient, request: CodeExchange, device: Device): Promise<object> {
    if (request.code === '') throw new OAuthFault('invalid_request', 'code is required for authorization_code grant');
    await this.limits.request('token', device);
    const outcome = await this.accounts.transaction(async (tx) => {
      const authorization = await lockAuthorizationByCode(tx, digestOf(request.code));
      const wrong = whatIsWrongWithCode(authorization, client, request);
      if (authorization === null || wrong !== null) {
        // Written down, so it leaves the transaction as a value.
        if (authorization !== null && authorization.status === 'expired' && authorization.clientId === client.id) await endClientSessions(tx, authorization.userId!, client.id);
        return wrong ?? 'Invalid authorization code';
      }
      const account = await tx.lock(authorization.userId!);
      if (account === null || account.user.deletedAt instanceof Date) return 'User not found for authorization code';
      if (isBanned(account.user)) throw new OAuthFault('access_denied', 'User is banned');
      await endAuthorization(tx, authorization.id, 'expired');
      await audit(tx, 'login', account.user, device, { provider_type: 'oauth_provider_authorization_code', client_id: client.id });
      return { authorization, open: await this.openFor(tx, account, client, authorization.scope, device) };
    });
    if (typeof outcome === 'string') throw new OAuthFault('invalid_grant', outcome);
    const { authorization, open } = outcome;
    const answer = tokensOf(await this.sessions.answer(open), client, authorization.scope);
    return listOf(authorization.scope).includes('openid') ? { ...answer, id_token: await this.idToken(open, client, authorization) } : answer;
  }

  /** @throws OAuthFault `invalid_grant` */
  async refresh(client: OAuthClient, refreshToken: string, device: Device): Promise<object> {
    if (refreshToken === '') throw new OAuthFault('invalid_request', 'refresh_token is required for refresh_token grant');
    try {
      const answer = await this.sessions.refresh(refreshToken, device, client.id);
      return tokensOf(answer, client, null);
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      if (code === 'user_banned') throw new OAuthFault('access_denied', 'User is not permitted to access this resource.', { cause: error });
      if (['refresh_token_not_found', 'refresh_token_already_used', 'session_not_found', 'session_expired'].includes(String(code))) throw new OAuthFault('invalid_grant', 'Refresh token is invalid or expired.', { cause: error });
      throw error;
    }
  }

  /** What the scopes of a token let its holder know. */
  async userInfo({ account, session }: SignedIn): Promise<object> {
    this.clients.refuseUnlessOn();
    const granted = session === null ? [] : ((await scopesOfSession(this.accounts, session.id))?.scopes ?? []);
    return { sub: account.user.id, ...claimsFor(account.user, granted), ...(granted.includes('profile') ? { user_metadata: account.user.rawUserMetaData ?? {} } : {}) };
  }

  async grants({ account }: SignedIn): Promise<object[]> {
    this.clients.refuseUnlessOn();
    const kept = await listGrants(this.accounts, account.user.id);
    return kept.map(({ client, scopes: agreed, grantedAt }) => ({ client: brief(client), scopes: agreed, granted_at: grantedAt }));
  }

  async revokeGrant({ account }: SignedIn, clientId: string, device: Device): Promise<void> {
    this.clients.refuseUnlessOn();
    if (clientId === '') throw fault('validation_failed', { message: 'client_id query parameter is required' });
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(clientId)) throw fault('validation_failed', { message: 'invalid client_id format' });
    await this.accounts.transaction(async (tx) => {
      if (!(await revokeConsent(tx, account.user.id, clientId))) throw fault('oauth_consent_not_found');
      await audit(tx, 'token_revoked', account.user, device, { oauth_client_id: clientId, action: 'revoke_oauth_grant' });
    });
  }

  /** A request that waits for this user. To anybody else it is not there. */
  private async pending(tx: OpenAccounts, authorizationId: string, user: User): Promise<OAuthAuthorization> {
    this.clients.refuseUnlessOn();
    const authorization = isStorable(authorizationId) ? await lockAuthorization(tx, authorizationId) : null;
    if (authorization === null || authorization.isOver || (authorization.userId !== null && authorization.userId !== user.id)) throw fault('oauth_authorization_not_found');
    if (authorization.status !== 'pending') throw fault('validation_failed', { message: 'authorization request cannot be processed' });
    return authorization;
  }

  private async approve(tx: OpenAccounts, authorization: OAuthAuthorization): Promise<string> {
    const code = randomBytes(32).toString('base64url');
    await approveAuthorization(tx, authorization.id, digestOf(code), this.settings.oauthServerSeconds);
    return this.led(authorization.redirectUri, { code }, authorization.state ?? '');
  }

  /** Back to the application, which is told who answers (RFC 9207). */
  private led(redirectUri: string, values: Readonly<Record<string, string>>, state: string): string {
    const url = new URL(redirectUri);
    for (const [name, value] of Object.entries({ ...values, ...(state === '' ? {} : { state }), iss: this.issuer })) url.searchParams.set(name, value);
    return url.href;
  }

  private async openFor(tx: OpenAccounts, account: Account, client: OAuthClient, scope: string, device: Device): Promise<OpenSession> {
    const open = await this.sessions.open(tx, account, method, device);
    await giveSessionToClient(tx, open.facts.id, client.id, scope);
    return { ...open, facts: { ...open.facts, clientId: client.id, scopes: scope } };
  }

  private idToken({ account, facts }: OpenSession, client: OAuthClient, { scope, nonce }: OAuthAuthorization): Promise<string> {
    const authTime = facts.amr[0]?.timestamp ?? Math.floor(Date.now() / 1000);
    return this.accessTokens.signIdToken(account.user.id, client.id, { auth_time: authTime, ...(nonce === null ? {} : { nonce }), ...claimsFor(account.user, listOf(scope)) });
  }

  /** What we know of what was asked for; at least what is given where nothing is asked for. */
  private scopeOf(asked: string): string {
    const known = [...new Set(listOf(asked))].filter((scope) => (scopes as readonly string[]).includes(scope));
    return known.length > 0 ? known.join(' ') : this.settings.oauthServerScope;
  }
}

/** OAuth's word for what is wrong, and ours. */
function whatIsWrongWith(request: AuthorizeRequest, client: OAuthClient): readonly [string, string] | null {
  const { responseType, codeChallenge, codeChallengeMethod, state, nonce, resource, scope } = request;
  if (responseType !== '' && responseType !== 'code') return ['unsupported_response_type', 'Only response_type=code is supported'];
  if (!client.grantTypes.includes('authorization_code')) return ['unauthorized_client', 'The client may not use codes'];
  if (codeChallenge === '' || codeChallengeMethod === '') return ['invalid_request', 'PKCE flow requires both code_challenge and code_challenge_method'];
  if (codeChallengeMethod.toUpperCase() !== 'S256') return ['invalid_request', "code_challenge_method must be 'S256'"];
  if (!/^[\w\-.~]{43,128}$/.test(codeChallenge)) return ['invalid_request', 'code_challenge must be between 43 and 128 characters'];
  const tooLong = Object.entries({ state: [state, 4096], nonce: [nonce, 255], resource: [resource, 2048], scope: [scope, 4096] } as const).find(([, [text, most]]) => text.length > most || !isStorable(text));
  return tooLong === undefined ? null : ['invalid_request', `${tooLong[0]} is too long`];
}

function whatIsWrongWithCode(authorization: OAuthAuthorization | null, client: OAuthClient, { redirectUri, codeVerifier, resource }: CodeExchange): string | null {
  if (authorization === null || authorization.userId === null) return 'Invalid authorization code';
  if (authorization.clientId !== client.id) return 'Authorization code was not issued for this client';
  if (authorization.status !== 'approved') return 'Invalid authorization code';
  if (authorization.isOver) return 'Authorization code has expired';
  if (redirectUri !== '' && redirectUri !== authorization.redirectUri) return 'Invalid redirect_uri';
  if (resource !== '' && resource !== authorization.resource) return 'Authorization code resource does not match the resource parameter';
  if (!isProof(authorization.challenge, codeVerifier)) return 'PKCE verification failed: code verifier does not match the challenge';
  return null;
}

function isProof(challenge: string, verifier: string): boolean {
  const [shown, kept] = [createHash('sha256').update(verifier).digest(), Buffer.from(challenge, 'base64url')];
  return shown.length === kept.length && timingSafeEqual(shown, kept);
}

/** OAuth's answer; the user's own is for the user alone. */
function tokensOf({ access_token, expires_in, refresh_token }: SessionAnswer, client: OAuthClient, scope: string | null): object {
  return {
    access_token,
    token_type: 'bearer',
    expires_in,
    ...(client.grantTypes.includes('refresh_token') ? { refresh_token } : {}),
    ...(scope === null ? {} : { scope }),
  };
}

/** The claims of OpenID Connect that scopes stand for. */
function claimsFor(user: User, granted: readonly string[]): Record<string, unknown> {
  const metadata = user.rawUserMetaData ?? {};
  const text = (...names: readonly string[]): string | undefined => names.map((name) => metadata[name]).find((value): value is string => typeof value === 'string' && value !== '');
  const has = (value: unknown): boolean => value !== null && value !== undefined && value !== '';
  return {
    ...(granted.includes('email') && has(user.email) ? { email: user.email, email_verified: isEmailConfirmed(user) } : {}),
    ...(granted.includes('phone') && has(user.phone) ? { phone_number: `+${user.phone!.replace(/^\+/, '')}`, phone_number_verified: isPhoneConfirmed(user), phone: user.phone, phone_verified: isPhoneConfirmed(user) } : {}),
    ...(granted.includes('profile') ? profileClaims(user, text) : {}),
  };
}

function profileClaims(user: User, text: (...names: readonly string[]) => string | undefined): Record<string, unknown> {
  const claims = { name: text('full_name', 'name') ?? user.email ?? undefined, picture: text('picture', 'avatar_url'), preferred_username: text('preferred_username', 'user_name', 'username') };
  const updated = user.updatedAt instanceof Date ? { updated_at: Math.floor(user.updatedAt.getTime() / 1000) } : {};
  return { ...Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined && value !== '')), ...updated };
}

function brief({ id, name, uri, logoUri }: OAuthClient): object {
  return { id, name: name ?? '', uri: uri ?? '', logo_uri: logoUri ?? '' };
}

function listOf(scope: string): string[] {
  return scope.split(' ').filter((each) => each !== '');
}

function digestOf(code: string): string {
  return createHash('sha256').update(code).digest('hex');
}
