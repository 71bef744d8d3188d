import { AdminService, askedCredentials, authFault, type AdminChanges } from '@mainstay/auth';
import type { Settings } from '@mainstay/config';
import { serviceRole } from '@mainstay/domain';
import { Body, Controller, Delete, Get, HttpCode, Inject, Injectable, Param, Post, Put, Query, Res, UseFilters, UseGuards, UseInterceptors, type ExecutionContext } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { AuthHeaders } from './auth-version.ts';
import { AuthFilter } from './auth.filter.ts';
import { AdminUserInput, DeleteUserInput, readInput, readPage } from './auth.inputs.ts';
import { CallerGuard, type AskedRequest } from './caller.guard.ts';
import { settingsToken } from './settings-token.ts';

/** The roles that manage accounts. */
const adminRoles = [serviceRole, 'supabase_admin'];

/** The door of the administration: a secret key, as bearer or as API key. */
@Injectable()
export class AdminGuard extends CallerGuard {
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    await super.canActivate(context);
    const request = context.switchToHttp().getRequest<AskedRequest>();
    if (adminRoles.includes(request.caller.role)) return true;
    throw authFault(askedCredentials(request).bearer === null ? 'no_authorization' : 'not_admin');
  }
}

/** `/auth/v1/admin`: accounts as `supabase.auth.admin` manages them. */
@Controller('auth/v1/admin')
@UseFilters(AuthFilter)
@UseInterceptors(AuthHeaders)
@UseGuards(AdminGuard)
export class AuthAdminController {
  constructor(
    private readonly admin: AdminService,
    @Inject(settingsToken) private readonly settings: Settings,
  ) {}

  @Get('users')
  async list(@Query() query: { page?: unknown; per_page?: unknown }, @Res({ passthrough: true }) reply: FastifyReply): Promise<object> {
    const { page, perPage } = readPage(query);
    const { users, total, lastPage, perPage: size } = await this.admin.list(page, perPage);
    // The client cuts the page out of these links: `page` has to stand first.
    const link = (to: number, rel: string) => `</auth/v1/admin/users?page=${to}&per_page=${size}>; rel="${rel}"`;
    const links = [...(lastPage > page ? [link(page + 1, 'next')] : []), link(lastPage, 'last')];
    reply.headers({ 'x-total-count': String(total), link: links.join(', ') });
    return { users, aud: this.settings.jwtAudience };
  }

  @Post('users')
  @HttpCode(200)
  create(@Body() body: unknown): Promise<object> {
    return this.admin.create(changesOf(body));
  }

  @Get('users/:id')
  get(@Param('id') id: string): Promise<object> {
    return this.admin.get(id);
  }

  @Put('users/:id')
  update(@Param('id') id: string, @Body() body: unknown): Promise<object> {
    return this.admin.update(id, changesOf(body));
  }

  @Delete('users/:id')
  async remove(@Param('id') id: string, @Body() body: unknown): Promise<object> {
    await this.admin.remove(id, readInput(DeleteUserInput, body ?? {}).should_soft_delete);
    return {};
  }
}

function changesOf(body: unknown): AdminChanges {
  const { password_hash: passwordHash, email_confirm: emailConfirm, phone_confirm: phoneConfirm, user_metadata: userMetadata, app_metadata: appMetadata, ban_duration: banDuration, ...rest } = readInput(AdminUserInput, body);
  return { ...rest, passwordHash, emailConfirm, phoneConfirm, userMetadata, appMetadata, banDuration };
}
