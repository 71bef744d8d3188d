import { authFault, Links, Otp, Recover, Sessions, Verify, type LinkEnd } from '@mainstay/auth';
import type { Settings } from '@mainstay/config';
import { Fault, type Caller } from '@mainstay/domain';
import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Query, Req, Res, UseFilters, UseGuards, UseInterceptors } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AdminGuard } from './auth-admin.controller.ts';
import { deviceOf, redirectOf } from './auth-device.ts';
import { InviteInput, LinkInput, OtpInput, RecoverInput, ResendInput, VerifyInput } from './auth-otp.inputs.ts';
import { failureAt, withFragment, withQuery } from './auth-landing.ts';
import { AuthHeaders } from './auth-version.ts';
import { BearerGuard } from './auth.controller.ts';
import { AuthFilter } from './auth.filter.ts';
import { readInput } from './auth.inputs.ts';
import { Asker, KeyGuard } from './caller.guard.ts';
import { CaptchaGuard } from './captcha.guard.ts';
import { settingsToken } from './settings-token.ts';
import { verifyPage } from './verify-page.ts';

interface LinkQuery {
  readonly type?: unknown;
  readonly token?: unknown;
  readonly token_hash?: unknown;
  readonly confirmed?: unknown;
}

/** Codes and links of `/auth/v1`: asked for, spent, and followed by browsers. */
@Controller('auth/v1')
@UseFilters(AuthFilter)
@UseInterceptors(AuthHeaders)
export class AuthOtpController {
  constructor(
    private readonly otps: Otp,
    private readonly recoveries: Recover,
    private readonly verifications: Verify,
    private readonly links: Links,
    private readonly sessions: Sessions,
    @Inject(settingsToken) private readonly settings: Settings,
  ) {}

  @Post('otp')
  @HttpCode(200)
  @UseGuards(KeyGuard, CaptchaGuard)
  otp(@Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    const { create_user: createUser, code_challenge: codeChallenge, code_challenge_method: codeChallengeMethod, ...rest } = readInput(OtpInput, body);
    return this.otps.send({ ...rest, createUser, codeChallenge, codeChallengeMethod, redirectTo: redirectOf(request, this.settings) }, deviceOf(request));
  }

  /** The older form: by address alone, and an account is always made. */
  @Post('magiclink')
  @HttpCode(200)
  @UseGuards(KeyGuard, CaptchaGuard)
  magicLink(@Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    const { email, data, code_challenge: codeChallenge, code_challenge_method: codeChallengeMethod } = readInput(OtpInput, body);
    if (email === '') throw authFault('validation_failed', { message: 'Password recovery requires an email' });
    return this.otps.send({ email, phone: '', channel: '', data, createUser: true, codeChallenge, codeChallengeMethod, redirectTo: redirectOf(request, this.settings) }, deviceOf(request));
  }

  @Post('recover')
  @HttpCode(200)
  @UseGuards(KeyGuard, CaptchaGuard)
  recover(@Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    const { email, code_challenge: codeChallenge, code_challenge_method: codeChallengeMethod } = readInput(RecoverInput, body);
    return this.recoveries.recover({ email, codeChallenge, codeChallengeMethod, redirectTo: redirectOf(request, this.settings) }, deviceOf(request));
  }

  @Post('resend')
  @HttpCode(200)
  @UseGuards(KeyGuard, CaptchaGuard)
  resend(@Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    const { code_challenge: codeChallenge, code_challenge_method: codeChallengeMethod, ...rest } = readInput(ResendInput, body);
    return this.recoveries.resend({ ...rest, codeChallenge, codeChallengeMethod, redirectTo: redirectOf(request, this.settings) }, deviceOf(request));
  }

  @Get('reauthenticate')
  @UseGuards(BearerGuard)
  async reauthenticate(@Asker() caller: Caller, @Req() request: FastifyRequest): Promise<object> {
    return this.recoveries.reauthenticate(await this.sessions.signedIn(caller), deviceOf(request));
  }

  @Post('verify')
  @HttpCode(200)
  @UseGuards(KeyGuard)
  verify(@Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    const { token_hash: tokenHash, redirect_to: redirectTo, ...rest } = readInput(VerifyInput, body);
    return this.verifications.verify({ ...rest, tokenHash, redirectTo }, deviceOf(request));
  }

  /** A browser follows a mailed link: it brings no key, and is led on to the application whatever comes of it. */
  @Get('verify')
  async follow(@Query() query: LinkQuery, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const [type, hash] = [textOf(query.type), textOf(query.token_hash) || textOf(query.token)];
    // Who only asks for the headers is no person, and the link is good once.
    if (request.method === 'HEAD') return void reply.status(200).header('cache-control', 'no-store').send();
    if (this.settings.verifyPage && query.confirmed !== '1') {
      const { html, policy } = verifyPage(request.query as Record<string, unknown>);
      return void reply.status(200).headers({ 'cache-control': 'no-store', 'content-security-policy': policy, 'referrer-policy': 'no-referrer' }).type('text/html; charset=utf-8').send(html);
    }
    const target = redirectOf(request, this.settings);
    const location = await this.verifications.follow(type, hash, deviceOf(request)).then(
      (end) => landing(target, type, end),
      (error: unknown) => {
        if (error instanceof Fault) return failureAt(target, error, hash.startsWith('pkce_'));
        throw error;
      },
    );
    void reply.status(303).headers({ location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' }).send();
  }

  @Post('invite')
  @HttpCode(200)
  @UseGuards(AdminGuard)
  invite(@Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    return this.links.invite({ ...readInput(InviteInput, body), redirectTo: redirectOf(request, this.settings) }, deviceOf(request));
  }

  @Post('admin/generate_link')
  @HttpCode(200)
  @UseGuards(AdminGuard)
  generateLink(@Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    const { new_email: newEmail, redirect_to: inBody, ...rest } = readInput(LinkInput, body);
    return this.links.generate({ ...rest, newEmail, redirectTo: redirectOf(request, this.settings, inBody) }, deviceOf(request));
  }

  @Get('user/sessions')
  @UseGuards(BearerGuard)
  async listSessions(@Asker() caller: Caller): Promise<object> {
    return { sessions: await this.sessions.list(await this.sessions.signedIn(caller)) };
  }

  @Delete('user/sessions/:id')
  @HttpCode(204)
  @UseGuards(BearerGuard)
  async endSession(@Asker() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest): Promise<void> {
    await this.sessions.endOne(await this.sessions.signedIn(caller), id, deviceOf(request));
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** The application's address with what the browser brings there: a session only behind `#`, which no server ever sees. */
function landing(target: string, type: string, end: LinkEnd): string {
  if (end.kind === 'code') return withQuery(target, { code: end.code });
  if (end.kind === 'message') return end.isPkce ? withFragment(withQuery(target, { message: end.message }), { message: end.message }) : withFragment(target, { message: end.message });
  const { access_token, expires_at, expires_in, refresh_token, token_type } = end.session;
  return withFragment(target, { access_token, expires_at: String(expires_at), expires_in: String(expires_in), refresh_token, token_type, type });
}
