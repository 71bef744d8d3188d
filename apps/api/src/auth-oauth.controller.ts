import { OAuthClients, OAuthFault, OAuthServer, Sessions, type ClientCredentials, type ClientRequest } from '@mainstay/auth';
import type { Settings } from '@mainstay/config';
import type { Caller } from '@mainstay/domain';
import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Put, Query, Req, Res, UseFilters, UseGuards, UseInterceptors } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AdminGuard } from './auth-admin.controller.ts';
import { deviceOf } from './auth-device.ts';
import { ConsentInput, OAuthClientInput, OAuthTokenInput } from './auth-oauth.inputs.ts';
import { AuthHeaders } from './auth-version.ts';
import { BearerGuard } from './auth.controller.ts';
import { AuthFilter } from './auth.filter.ts';
import { readInput, readPage } from './auth.inputs.ts';
import { Asker } from './caller.guard.ts';
import { settingsToken } from './settings-token.ts';

/** The project as a provider for others: OAuth 2.1 and OpenID Connect. */
@Controller()
@UseFilters(AuthFilter)
@UseInterceptors(AuthHeaders)
export class AuthOAuthController {
  constructor(
    private readonly server: OAuthServer,
    private readonly clients: OAuthClients,
    private readonly sessions: Sessions,
  ) {}

  /** RFC 8414 puts the issuer's path behind the well-known one; OpenID Connect before it. Clients look at either place. */
  @Get(['auth/v1/.well-known/oauth-authorization-server', 'auth/v1/.well-known/openid-configuration', '.well-known/oauth-authorization-server/auth/v1'])
  describe(): object {
    return this.server.describe();
  }

  @Get('auth/v1/oauth/authorize')
  async authorize(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    if (request.method === 'HEAD') return void reply.status(200).send();
    const query = request.query as Record<string, unknown>;
    const text = (name: string): string => (typeof query[name] === 'string' ? query[name] : '');
    const location = await this.server.authorize({
      clientId: text('client_id'), redirectUri: text('redirect_uri'), responseType: text('response_type'), scope: text('scope'), state: text('state'), nonce: text('nonce'),
      resource: text('resource'), codeChallenge: text('code_challenge'), codeChallengeMethod: text('code_challenge_method'),
    }, deviceOf(request));
    void reply.status(302).headers({ location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' }).send();
  }

  @Post('auth/v1/oauth/token')
  @HttpCode(200)
  async token(@Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    this.clients.refuseUnlessOn();
    const input = readInput(OAuthTokenInput, body ?? {});
    if (input.grant_type === '') throw new OAuthFault('invalid_request', 'grant_type is required');
    const client = await this.clients.prove(credentialsOf(request, input));
    if (!['authorization_code', 'refresh_token'].includes(input.grant_type)) throw new OAuthFault('unsupported_grant_type', `Unsupported grant type: ${input.grant_type.slice(0, 100)}`);
    if (!client.grantTypes.includes(input.grant_type)) throw new OAuthFault('unauthorized_client', `Client is not allowed to use grant type: ${input.grant_type}`);
    if (input.grant_type === 'refresh_token') return this.server.refresh(client, input.refresh_token, deviceOf(request));
    return this.server.exchange(client, { code: input.code, redirectUri: input.redirect_uri, codeVerifier: input.code_verifier, resource: input.resource }, deviceOf(request));
  }

  @Get('auth/v1/oauth/userinfo')
  @UseGuards(BearerGuard)
  async userInfo(@Asker() caller: Caller): Promise<object> {
    return this.server.userInfo(await this.sessions.signedIn(caller));
  }

  /** OpenID Connect lets a client ask by POST too. */
  @Post('auth/v1/oauth/userinfo')
  @HttpCode(200)
  @UseGuards(BearerGuard)
  async postedUserInfo(@Asker() caller: Caller): Promise<object> {
    return this.userInfo(caller);
  }

  @Post('auth/v1/oauth/clients/register')
  @HttpCode(201)
  register(@Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    return this.clients.registerItself(clientOf(body), deviceOf(request));
  }

  @Get('auth/v1/oauth/authorizations/:id')
  @UseGuards(BearerGuard)
  async authorization(@Asker() caller: Caller, @Param('id') id: string): Promise<object> {
    return this.server.details(await this.sessions.signedIn(caller), id);
  }

  @Post('auth/v1/oauth/authorizations/:id/consent')
  @HttpCode(200)
  @UseGuards(BearerGuard)
  async consent(@Asker() caller: Caller, @Param('id') id: string, @Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    return this.server.consent(await this.sessions.signedIn(caller), id, readInput(ConsentInput, body).action, deviceOf(request));
  }

  @Get('auth/v1/user/oauth/grants')
  @UseGuards(BearerGuard)
  async grants(@Asker() caller: Caller): Promise<object[]> {
    return this.server.grants(await this.sessions.signedIn(caller));
  }

  @Delete('auth/v1/user/oauth/grants')
  @HttpCode(204)
  @UseGuards(BearerGuard)
  async revoke(@Asker() caller: Caller, @Query('client_id') clientId: unknown, @Req() request: FastifyRequest): Promise<void> {
    await this.server.revokeGrant(await this.sessions.signedIn(caller), typeof clientId === 'string' ? clientId : '', deviceOf(request));
  }
}

/** Applications as `supabase.auth.admin.oauth` manages them. */
@Controller('auth/v1/admin/oauth/clients')
@UseFilters(AuthFilter)
@UseInterceptors(AuthHeaders)
@UseGuards(AdminGuard)
export class AuthOAuthAdminController {
  constructor(
    private readonly clients: OAuthClients,
    @Inject(settingsToken) private readonly settings: Settings,
  ) {}

  @Get()
  async list(@Query() query: { page?: unknown; per_page?: unknown }, @Res({ passthrough: true }) reply: FastifyReply): Promise<object> {
    const { page, perPage } = readPage(query);
    const size = Math.min(perPage, 1000);
    const { clients, total, lastPage } = await this.clients.list(page, size);
    const link = (to: number, rel: string) => `</auth/v1/admin/oauth/clients?page=${to}&per_page=${size}>; rel="${rel}"`;
    reply.headers({ 'x-total-count': String(total), link: [...(lastPage > page ? [link(page + 1, 'next')] : []), link(lastPage, 'last')].join(', ') });
    return { clients, aud: this.settings.jwtAudience };
  }

  @Post()
  @HttpCode(201)
  create(@Body() body: unknown): Promise<object> {
    return this.clients.register(clientOf(body), 'manual');
  }

  @Get(':id')
  get(@Param('id') id: string): Promise<object> {
    return this.clients.get(id);
  }

  @Put(':id')
  update(@Param('id') id: string, @Body() body: unknown): Promise<object> {
    return this.clients.update(id, clientOf(body));
  }

  @Delete(':id')
  @HttpCode(204)
  async remove(@Param('id') id: string): Promise<void> {
    await this.clients.remove(id);
  }

  @Post(':id/regenerate_secret')
  @HttpCode(200)
  regenerateSecret(@Param('id') id: string): Promise<object> {
    return this.clients.regenerateSecret(id);
  }
}

function clientOf(body: unknown): ClientRequest {
  const input = readInput(OAuthClientInput, body);
  return {
    name: input.client_name, uri: input.client_uri, logoUri: input.logo_uri, redirectUris: input.redirect_uris, grantTypes: input.grant_types, clientType: input.client_type,
    authMethod: input.token_endpoint_auth_method,
  };
}

/** By the header or in the body, and not by both: one of the two would decide. */
function credentialsOf({ headers }: FastifyRequest, { client_id: inBody, client_secret: secret }: OAuthTokenInput): ClientCredentials {
  const basic = /^basic\s+(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  if (basic === undefined) {
    if (inBody === '') throw new OAuthFault('invalid_client', 'Client authentication required', { status: 401 });
    return { clientId: inBody, secret: secret === '' ? null : secret, isByHeader: false };
  }
  const [, name, password] = /^([^:]*):(.*)$/s.exec(Buffer.from(basic, 'base64').toString('utf8')) ?? [];
  if (name === undefined || password === undefined) throw new OAuthFault('invalid_client', 'invalid basic auth format', { status: 401, headers: { 'www-authenticate': 'Basic realm="oauth"' } });
  const clientId = decoded(name);
  if (secret !== null || (inBody !== '' && inBody !== clientId)) throw new OAuthFault('invalid_request', 'Only one way of client authentication may be used');
  return { clientId, secret: password === '' ? null : decoded(password), isByHeader: true };
}

/** RFC 6749 has both parts written as in a form. */
function decoded(text: string): string {
  return new URLSearchParams(`x=${text.replaceAll('&', '%26')}`).get('x') ?? '';
}
