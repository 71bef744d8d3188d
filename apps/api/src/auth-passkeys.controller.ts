import { Passkeys, Sessions, type PasskeyAnswer } from '@mainstay/auth';
import type { Caller } from '@mainstay/domain';
import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Req, UseFilters, UseGuards, UseInterceptors } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { deviceOf } from './auth-device.ts';
import { PasskeyInput, PasskeyNameInput } from './auth-factors.inputs.ts';
import { AuthHeaders } from './auth-version.ts';
import { BearerGuard } from './auth.controller.ts';
import { AuthFilter } from './auth.filter.ts';
import { readInput } from './auth.inputs.ts';
import { Asker, KeyGuard } from './caller.guard.ts';
import { CaptchaGuard } from './captcha.guard.ts';

/** Passkeys: kept by whoever is signed in, and signed in with by whoever holds one. */
@Controller('auth/v1/passkeys')
@UseFilters(AuthFilter)
@UseInterceptors(AuthHeaders)
export class AuthPasskeysController {
  constructor(
    private readonly sessions: Sessions,
    private readonly passkeys: Passkeys,
  ) {}

  @Post('registration/options')
  @HttpCode(200)
  @UseGuards(BearerGuard)
  async registrationOptions(@Asker() caller: Caller): Promise<object> {
    return this.passkeys.registrationOptions(await this.sessions.signedIn(caller));
  }

  @Post('registration/verify')
  @HttpCode(200)
  @UseGuards(BearerGuard)
  async register(@Asker() caller: Caller, @Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    const answer = answerOf(body);
    return this.passkeys.register(await this.sessions.signedIn(caller), answer, deviceOf(request));
  }

  @Post('authentication/options')
  @HttpCode(200)
  @UseGuards(KeyGuard, CaptchaGuard)
  authenticationOptions(@Req() request: FastifyRequest): Promise<object> {
    return this.passkeys.authenticationOptions(deviceOf(request));
  }

  /** No captcha once more: the challenge was only given for one. */
  @Post('authentication/verify')
  @HttpCode(200)
  @UseGuards(KeyGuard)
  authenticate(@Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    return this.passkeys.authenticate(answerOf(body), deviceOf(request));
  }

  @Get()
  @UseGuards(BearerGuard)
  async list(@Asker() caller: Caller): Promise<object[]> {
    return this.passkeys.list(await this.sessions.signedIn(caller));
  }

  @Patch(':id')
  @UseGuards(BearerGuard)
  async rename(@Asker() caller: Caller, @Param('id') id: string, @Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    const { friendly_name: friendlyName } = readInput(PasskeyNameInput, body);
    return this.passkeys.rename(await this.sessions.signedIn(caller), id, friendlyName, deviceOf(request));
  }

  @Delete(':id')
  @HttpCode(204)
  @UseGuards(BearerGuard)
  async remove(@Asker() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest): Promise<void> {
    await this.passkeys.remove(await this.sessions.signedIn(caller), id, deviceOf(request));
  }
}

function answerOf(body: unknown): PasskeyAnswer {
  const { challenge_id: challengeId, credential, credential_response: older } = readInput(PasskeyInput, body);
  return { challengeId, credential: credential ?? older };
}
