import { askedCredentials, authFault, Callers, describeSettings, KeyStore, notYetHere, OAuthFault, Providers, refusedGrant, Sessions, SignIn, SignUp, UserService, type LogoutScope, type SignedIn } from '@mainstay/auth';
import type { Settings } from '@mainstay/config';
import type { Caller } from '@mainstay/domain';
import { All, Body, Controller, Get, Header, HttpCode, Inject, Injectable, Post, Put, Query, Req, UseFilters, UseGuards, UseInterceptors, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AdminGuard } from './auth-admin.controller.ts';
import { deviceOf, redirectOf } from './auth-device.ts';
import { CodeInput } from './auth-otp.inputs.ts';
import { IdTokenInput } from './auth-providers.inputs.ts';
import { AuthHeaders } from './auth-version.ts';
import { AuthFilter } from './auth.filter.ts';
import { PasswordInput, readInput, RefreshInput, SignUpInput, UserInput } from './auth.inputs.ts';
import { Asker, CallerGuard, KeyGuard, type AskedRequest } from './caller.guard.ts';
import { CaptchaGuard } from './captcha.guard.ts';
import { edgeFault } from './edge-faults.ts';
import { settingsToken } from './settings-token.ts';
import { version } from './version.ts';

/** The door of what is one user's own: without a bearer there is nobody to speak of, whatever key came along. */
@Injectable()
export class BearerGuard extends CallerGuard {
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<AskedRequest>();
    if (askedCredentials(request).bearer === null) throw authFault('no_authorization');
    await super.canActivate(context);
    if (!isForApplications(request)) refuseApplication(request.caller);
    return true;
  }
}

/**
 * An application that acts for its user (OAuth) changes nothing of the account: it could stay for ever by a passkey or a password of its own.
 * @throws Fault `no_authorization`
 */
function refuseApplication({ claims }: Caller): void {
  if (claims['client_id'] !== undefined) throw authFault('no_authorization', { status: 403, message: 'OAuth clients are not allowed to perform these actions' });
}

/** What an application may do with a token that its user granted it: read who they are, and give the token back. */
function isForApplications({ method, url, query }: FastifyRequest): boolean {
  const path = url.split('?')[0]!;
  if (path === '/auth/v1/oauth/userinfo' || (path === '/auth/v1/user' && method === 'GET')) return true;
  return path === '/auth/v1/logout' && (query as { scope?: unknown }).scope === 'local';
}

/** `/auth/v1` for everybody: GoTrue's protocol, as `supabase.auth` speaks it. */
@Controller('auth/v1')
@UseFilters(AuthFilter)
@UseInterceptors(AuthHeaders)
export class AuthController {
  constructor(
    private readonly signUps: SignUp,
    private readonly signIns: SignIn,
    private readonly sessions: Sessions,
    private readonly users: UserService,
    private readonly providers: Providers,
    private readonly callers: Callers,
    @Inject(settingsToken) private readonly settings: Settings,
  ) {}

  @Post('signup')
  @HttpCode(200)
  @UseGuards(KeyGuard, CaptchaGuard)
  signUp(@Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    const { code_challenge: codeChallenge, code_challenge_method: codeChallengeMethod, ...rest } = readInput(SignUpInput, body);
    return this.signUps.signUp({ ...rest, codeChallenge, codeChallengeMethod, redirectTo: redirectOf(request, this.settings) }, deviceOf(request));
  }

  @Post('token')
  @HttpCode(200)
  @UseGuards(KeyGuard, CaptchaGuard)
  token(@Query('grant_type') grantType: unknown, @Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    if (grantType === 'password') return this.signIns.withPassword(readInput(PasswordInput, body), deviceOf(request));
    if (grantType === 'refresh_token') return this.sessions.refresh(tokenOf(body), deviceOf(request));
    if (grantType === 'pkce') return this.signIns.withCode(codeOf(body), deviceOf(request));
    if (grantType === 'id_token') return this.withIdToken(readInput(IdTokenInput, body), request);
    throw refusedGrant(String(grantType ?? ''));
  }

  /** A token of another provider signs somebody in, or is linked to whoever is signed in already. */
  private async withIdToken({ id_token: idToken, access_token: accessToken, client_id: clientId, link_identity: isLinking, provider, nonce, issuer }: IdTokenInput, request: FastifyRequest): Promise<object> {
    const credentials = askedCredentials(request);
    if (isLinking && credentials.bearer === null) throw new OAuthFault('invalid request', 'Linking requires a valid user authentication');
    const linkTo = isLinking ? await this.linking(await this.callers.prove(credentials)) : null;
    return this.providers.withIdToken({ provider, idToken, accessToken, nonce, issuer, clientId }, linkTo, redirectOf(request, this.settings), deviceOf(request));
  }

  private linking(caller: Caller): Promise<SignedIn> {
    refuseApplication(caller);
    return this.sessions.signedIn(caller);
  }

  @Get('user')
  @UseGuards(BearerGuard)
  async user(@Asker() caller: Caller): Promise<object> {
    return this.users.view(await this.sessions.signedIn(caller));
  }

  @Put('user')
  @UseGuards(BearerGuard)
  async updateUser(@Asker() caller: Caller, @Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    const { app_metadata: appMetadata, current_password: currentPassword, code_challenge: codeChallenge, code_challenge_method: codeChallengeMethod, ...changes } = readInput(UserInput, body);
    const asked = { ...changes, appMetadata, currentPassword, codeChallenge, codeChallengeMethod, redirectTo: redirectOf(request, this.settings) };
    return this.users.update(await this.sessions.signedIn(caller), asked, deviceOf(request));
  }

  @Post('logout')
  @HttpCode(204)
  @UseGuards(BearerGuard)
  async logout(@Asker() caller: Caller, @Query('scope') scope: unknown, @Req() request: FastifyRequest): Promise<void> {
    const which = scopeOf(scope);
    await this.sessions.end(await this.sessions.signedIn(caller), which, deviceOf(request));
  }

  @Get('settings')
  @UseGuards(KeyGuard)
  describe(): object {
    return describeSettings(this.settings);
  }

  @Get('health')
  health(): object {
    return { name: 'Mainstay', version, description: 'Accounts and sessions, by the protocol of GoTrue' };
  }
}

/** The public keys of access tokens, at both places where clients and libraries look for them. */
@Controller()
@UseFilters(AuthFilter)
export class JwksController {
  constructor(private readonly keys: KeyStore) {}

  @Get(['.well-known/jwks.json', 'auth/v1/.well-known/jwks.json'])
  @Header('cache-control', 'public, max-age=600')
  jwks(): object {
    return this.keys.published;
  }
}

/** What of the protocol is still to come says so, in the words by which its clients know that a thing is off. */
@Controller('auth/v1')
@UseFilters(AuthFilter)
@UseInterceptors(AuthHeaders)
export class AuthNotYetController {
  /** What only the administration may ask is not told to others either. */
  @All('admin/*')
  @UseGuards(AdminGuard)
  admin(@Req() request: FastifyRequest): never {
    return this.any(request);
  }

  @All('*')
  any(@Req() { method, url }: FastifyRequest): never {
    const path = url.split('?')[0]!;
    throw notYetHere(path.slice('/auth/v1'.length)) ?? edgeFault('not_found', { message: `There is nothing at ${method} ${path}` });
  }
}

function tokenOf(body: unknown): string {
  const { refresh_token: token } = readInput(RefreshInput, body);
  if (token === '') throw new OAuthFault('invalid_request', 'refresh_token required');
  return token;
}

function codeOf(body: unknown): { authCode: string; codeVerifier: string } {
  const { auth_code: authCode, code_verifier: codeVerifier } = readInput(CodeInput, body);
  return { authCode, codeVerifier };
}

function scopeOf(scope: unknown): LogoutScope {
  if (scope === undefined || scope === '' || scope === 'global') return 'global';
  if (scope === 'local' || scope === 'others') return scope;
  throw authFault('validation_failed', { message: `Unsupported logout scope "${String(scope)}"` });
}
