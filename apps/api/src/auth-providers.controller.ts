import { randomUUID } from 'node:crypto';
import { authFault, Providers, Sessions, type Outward, type OutwardRequest, type ReturnEnd } from '@mainstay/auth';
import type { Settings } from '@mainstay/config';
import { Fault, type Caller } from '@mainstay/domain';
import { Controller, Delete, Get, HttpCode, Inject, Logger, Param, Post, Query, Req, Res, UseFilters, UseGuards, UseInterceptors } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { deviceOf, redirectOf } from './auth-device.ts';
import { failureAt, withFragment, withQuery } from './auth-landing.ts';
import { AuthHeaders } from './auth-version.ts';
import { BearerGuard } from './auth.controller.ts';
import { AuthFilter } from './auth.filter.ts';
import { Asker } from './caller.guard.ts';
import { settingsToken } from './settings-token.ts';

/** What of the query is said to us and not to the provider. */
const ours = ['provider', 'scopes', 'redirect_to', 'code_challenge', 'code_challenge_method', 'skip_http_redirect', 'apikey', 'invite_token'];

/** Sign-in by other providers: browsers are led there, and come back. */
@Controller('auth/v1')
@UseFilters(AuthFilter)
@UseInterceptors(AuthHeaders)
export class AuthProvidersController {
  private readonly logger = new Logger('auth');

  constructor(
    private readonly providers: Providers,
    private readonly sessions: Sessions,
    @Inject(settingsToken) private readonly settings: Settings,
  ) {}

  @Get('authorize')
  async authorize(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    if (request.method === 'HEAD') return void reply.status(200).send();
    const { url, cookie } = await this.providers.begin(this.outwardOf(request), isNavigation(request), deviceOf(request));
    if (cookie !== null) reply.header('set-cookie', cookieText(cookie));
    void reply.status(302).headers({ location: url, 'referrer-policy': 'no-referrer' }).send();
  }

  @Get('callback')
  async callback(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    // Who only asks for the headers is no person, and the way back is good once.
    if (request.method === 'HEAD') return void reply.status(200).send();
    await this.lead(paramsOf(request.query), request, reply);
  }

  /** Some providers (Apple) let the browser bring their answer as a form. */
  @Post('callback')
  async formCallback(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await this.lead(paramsOf({ ...(request.query as object), ...(request.body as object | undefined) }), request, reply);
  }

  @Get('user/identities/authorize')
  @UseGuards(BearerGuard)
  async link(@Asker() caller: Caller, @Query('skip_http_redirect') isAnswered: unknown, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { url } = await this.providers.beginLinking(await this.sessions.signedIn(caller), this.outwardOf(request));
    if (isAnswered === 'true') return void reply.status(200).send({ url });
    void reply.status(302).headers({ location: url, 'referrer-policy': 'no-referrer' }).send();
  }

  @Delete('user/identities/:id')
  @HttpCode(200)
  @UseGuards(BearerGuard)
  async unlink(@Asker() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest): Promise<object> {
    await this.providers.unlink(await this.sessions.signedIn(caller), id, deviceOf(request));
    return {};
  }

  private async lead(answer: URLSearchParams, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const end = await this.providers.finish(answer, { cookies: cookiesOf(request), isNavigation: isNavigation(request) }, deviceOf(request));
    const location = end.kind === 'failed' ? failureAt(end.target, this.faultOf(end.error), end.isPkce) : landing(end);
    void reply.status(303).headers({ location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' }).send();
  }

  private faultOf(error: unknown): Fault {
    const fault = error instanceof Fault ? error : authFault('unexpected_failure', { cause: error });
    if (fault.status < 500) return fault;
    const cause = fault.cause ?? fault;
    this.logger.error({ event: 'sign-in by a provider failed', id: randomUUID(), code: fault.code, error: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) });
    return fault;
  }

  private outwardOf(request: FastifyRequest): OutwardRequest {
    const query = request.query as Record<string, unknown>;
    const text = (name: string): string => (typeof query[name] === 'string' ? query[name] : '');
    const params = Object.fromEntries(Object.entries(query).filter((entry): entry is [string, string] => !ours.includes(entry[0]) && typeof entry[1] === 'string'));
    return { provider: text('provider'), scopes: text('scopes'), redirectTo: redirectOf(request, this.settings), codeChallenge: text('code_challenge'), codeChallengeMethod: text('code_challenge_method'), params };
  }
}

function landing(end: Exclude<ReturnEnd, { kind: 'failed' }>): string {
  if (end.kind === 'code') return withQuery(end.target, { code: end.code });
  const { session, providerToken, providerRefreshToken } = end;
  return withFragment(end.target, {
    access_token: session.access_token,
    expires_at: String(session.expires_at),
    expires_in: String(session.expires_in),
    ...(providerRefreshToken === null ? {} : { provider_refresh_token: providerRefreshToken }),
    provider_token: providerToken,
    refresh_token: session.refresh_token,
    token_type: session.token_type,
  });
}

/** Only a browser says so, and only of a link that a person follows or a redirect of it. */
function isNavigation(request: FastifyRequest): boolean {
  return request.headers['sec-fetch-mode'] === 'navigate';
}

/** A form that comes from another site brings no cookie that is not open to all sites, and browsers take such only when it is secure. */
function cookieText({ name, value, path, isSecure, isForForm, maxAgeSeconds }: NonNullable<Outward['cookie']>): string {
  return `${name}=${value}; Path=${path}; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=${isForForm ? 'None' : 'Lax'}${isSecure || isForForm ? '; Secure' : ''}`;
}

function cookiesOf(request: FastifyRequest): Record<string, string> {
  const pairs = (request.headers.cookie ?? '').split(';').map((pair) => pair.trim().split('='));
  return Object.fromEntries(pairs.map(([name = '', ...rest]) => [name, rest.join('=')]));
}

/** Parameters that come twice are none. */
function paramsOf(values: unknown): URLSearchParams {
  return new URLSearchParams(Object.entries(values as Record<string, unknown>).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}
