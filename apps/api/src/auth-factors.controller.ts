import { Factors, RecoveryCodes, Sessions, type FactorProof } from '@mainstay/auth';
import type { Caller } from '@mainstay/domain';
import { Body, Controller, Delete, Get, HttpCode, Param, Post, Req, UseFilters, UseGuards, UseInterceptors } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { deviceOf } from './auth-device.ts';
import { ChallengeInput, EnrollInput, FactorVerifyInput, RecoveryCodeInput, RecoveryCodesInput } from './auth-factors.inputs.ts';
import { AuthHeaders } from './auth-version.ts';
import { BearerGuard } from './auth.controller.ts';
import { AuthFilter } from './auth.filter.ts';
import { readInput } from './auth.inputs.ts';
import { Asker } from './caller.guard.ts';

/** Second factors of whoever is signed in, as `supabase.auth.mfa` speaks of them. */
@Controller('auth/v1/factors')
@UseFilters(AuthFilter)
@UseInterceptors(AuthHeaders)
@UseGuards(BearerGuard)
export class AuthFactorsController {
  constructor(
    private readonly sessions: Sessions,
    private readonly factors: Factors,
    private readonly recoveryCodes: RecoveryCodes,
  ) {}

  @Post()
  @HttpCode(200)
  async enroll(@Asker() caller: Caller, @Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    const { factor_type: factorType, friendly_name: friendlyName, issuer, phone } = readInput(EnrollInput, body);
    return this.factors.enroll(await this.sessions.signedIn(caller), { factorType, friendlyName, issuer, phone }, deviceOf(request));
  }

  @Get('recovery-codes')
  async status(@Asker() caller: Caller): Promise<object> {
    return this.recoveryCodes.status(await this.sessions.signedIn(caller));
  }

  /** A body is sent only where there is a name. */
  @Post('recovery-codes')
  @HttpCode(200)
  async generate(@Asker() caller: Caller, @Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    const { friendly_name: friendlyName } = readInput(RecoveryCodesInput, body ?? {});
    return this.recoveryCodes.generate(await this.sessions.signedIn(caller), friendlyName, deviceOf(request));
  }

  @Post('recovery-codes/regenerate')
  @HttpCode(200)
  async regenerate(@Asker() caller: Caller, @Req() request: FastifyRequest): Promise<object> {
    return this.recoveryCodes.regenerate(await this.sessions.signedIn(caller), deviceOf(request));
  }

  @Post('recovery-codes/verify')
  @HttpCode(200)
  async verifyRecoveryCode(@Asker() caller: Caller, @Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    const { code } = readInput(RecoveryCodeInput, body);
    return this.recoveryCodes.verify(await this.sessions.signedIn(caller), code, deviceOf(request));
  }

  @Delete('recovery-codes')
  async removeRecoveryCodes(@Asker() caller: Caller, @Req() request: FastifyRequest): Promise<object> {
    return this.recoveryCodes.remove(await this.sessions.signedIn(caller), deviceOf(request));
  }

  @Post(':id/challenge')
  @HttpCode(200)
  async challenge(@Asker() caller: Caller, @Param('id') id: string, @Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    const { channel } = readInput(ChallengeInput, body ?? {});
    return this.factors.challenge(await this.sessions.signedIn(caller), id, channel, deviceOf(request));
  }

  @Post(':id/verify')
  @HttpCode(200)
  async verify(@Asker() caller: Caller, @Param('id') id: string, @Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    return this.factors.verify(await this.sessions.signedIn(caller), id, proofOf(body), deviceOf(request));
  }

  @Delete(':id')
  async unenroll(@Asker() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest): Promise<object> {
    return this.factors.unenroll(await this.sessions.signedIn(caller), id, deviceOf(request));
  }
}

function proofOf(body: unknown): FactorProof {
  const { challenge_id: challengeId, code, webauthn } = readInput(FactorVerifyInput, body);
  return { challengeId, code, webauthn: webauthn === null ? null : { type: typeof webauthn['type'] === 'string' ? webauthn['type'] : '', response: webauthn['credential_response'] } };
}
