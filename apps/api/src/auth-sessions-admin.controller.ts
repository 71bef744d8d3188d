import { Sessions, type SessionView } from '@mainstay/auth';
import { Controller, Delete, Get, HttpCode, Param, Req, UseFilters, UseGuards, UseInterceptors } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AdminGuard } from './auth-admin.controller.ts';
import { deviceOf } from './auth-device.ts';
import { AuthHeaders } from './auth-version.ts';
import { AuthFilter } from './auth.filter.ts';

/** Where others are signed in, by the service key: what `/user/sessions` is to oneself. */
@Controller('auth/v1/admin/users/:userId/sessions')
@UseFilters(AuthFilter)
@UseInterceptors(AuthHeaders)
@UseGuards(AdminGuard)
export class AuthSessionsAdminController {
  constructor(private readonly sessions: Sessions) {}

  @Get()
  async list(@Param('userId') userId: string): Promise<{ sessions: SessionView[] }> {
    return { sessions: await this.sessions.listOf(userId) };
  }

  @Delete()
  @HttpCode(204)
  async endAll(@Param('userId') userId: string, @Req() request: FastifyRequest): Promise<void> {
    await this.sessions.endOf(userId, null, deviceOf(request));
  }

  @Delete(':id')
  @HttpCode(204)
  async endOne(@Param('userId') userId: string, @Param('id') id: string, @Req() request: FastifyRequest): Promise<void> {
    await this.sessions.endOf(userId, id, deviceOf(request));
  }
}
