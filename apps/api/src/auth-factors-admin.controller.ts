import { FactorsAdmin } from '@mainstay/auth';
import { Body, Controller, Delete, Get, HttpCode, Param, Put, Req, UseFilters, UseGuards, UseInterceptors } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AdminGuard } from './auth-admin.controller.ts';
import { deviceOf } from './auth-device.ts';
import { AdminFactorInput } from './auth-factors.inputs.ts';
import { AuthHeaders } from './auth-version.ts';
import { AuthFilter } from './auth.filter.ts';
import { readInput } from './auth.inputs.ts';

/** Second factors and passkeys of others, by the service key. */
@Controller('auth/v1/admin/users/:userId')
@UseFilters(AuthFilter)
@UseInterceptors(AuthHeaders)
@UseGuards(AdminGuard)
export class AuthFactorsAdminController {
  constructor(private readonly admin: FactorsAdmin) {}

  @Get('factors')
  factors(@Param('userId') userId: string): Promise<object[]> {
    return this.admin.factors(userId);
  }

  @Put('factors/:id')
  updateFactor(@Param('userId') userId: string, @Param('id') id: string, @Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    const { friendly_name: friendlyName, phone } = readInput(AdminFactorInput, body);
    return this.admin.updateFactor(userId, id, { friendlyName, phone }, deviceOf(request));
  }

  @Delete('factors/:id')
  removeFactor(@Param('userId') userId: string, @Param('id') id: string, @Req() request: FastifyRequest): Promise<object> {
    return this.admin.removeFactor(userId, id, deviceOf(request));
  }

  @Get('passkeys')
  passkeys(@Param('userId') userId: string): Promise<object[]> {
    return this.admin.passkeys(userId);
  }

  @Delete('passkeys/:id')
  @HttpCode(204)
  async removePasskey(@Param('userId') userId: string, @Param('id') id: string, @Req() request: FastifyRequest): Promise<void> {
    await this.admin.removePasskey(userId, id, deviceOf(request));
  }
}
