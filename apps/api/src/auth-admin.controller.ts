import { AdminService, askedCredentials, authFault, type AdminChanges, type Page } from '@mainstay/auth';
import type { Settings } from '@mainstay/config';
import { serviceRole } from '@mainstay/domain';
import { auditScopes, userSortFields, type AuditSearch, type UserSearch } from '@mainstay/persistence';
import { Body, Controller, Delete, Get, HttpCode, Inject, Injectable, Param, Post, Put, Query, Req, Res, UseFilters, UseGuards, UseInterceptors, type ExecutionContext } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { deviceOf } from './auth-device.ts';
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
  async list(@Query() query: Readonly<Record<string, unknown>>, @Res({ passthrough: true }) reply: FastifyReply): Promise<object> {
    const found = await this.admin.list({ filter: textOf(query['filter']), sort: readSort(query['sort']), ...readPage(query) });
    tellPages(reply, '/auth/v1/admin/users', found);
    return { users: found.items, aud: this.settings.jwtAudience };
  }

  @Get('audit')
  async audit(@Query() query: Readonly<Record<string, unknown>>, @Res({ passthrough: true }) reply: FastifyReply): Promise<object> {
    const found = await this.admin.audit({ ...readAuditQuery(textOf(query['query'])), ...readPage(query) });
    tellPages(reply, '/auth/v1/admin/audit', found);
    return found.items;
  }

  @Post('users')
  @HttpCode(200)
  create(@Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    return this.admin.create(changesOf(body), deviceOf(request));
  }

  @Get('users/:id')
  get(@Param('id') id: string): Promise<object> {
    return this.admin.get(id);
  }

  @Put('users/:id')
  update(@Param('id') id: string, @Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    return this.admin.update(id, changesOf(body), deviceOf(request));
  }

  @Delete('users/:id')
  async remove(@Param('id') id: string, @Body() body: unknown, @Req() request: FastifyRequest): Promise<object> {
    await this.admin.remove(id, readInput(DeleteUserInput, body ?? {}).should_soft_delete, deviceOf(request));
    return {};
  }
}

function changesOf(body: unknown): AdminChanges {
  const { password_hash: passwordHash, email_confirm: emailConfirm, phone_confirm: phoneConfirm, user_metadata: userMetadata, app_metadata: appMetadata, ban_duration: banDuration, ...rest } = readInput(AdminUserInput, body);
  return { ...rest, passwordHash, emailConfirm, phoneConfirm, userMetadata, appMetadata, banDuration };
}

/** The client cuts the page out of these links: `page` has to stand first. */
function tellPages(reply: FastifyReply, path: string, { total, page, perPage, lastPage }: Page<unknown>): void {
  const link = (to: number, rel: string) => `<${path}?page=${to}&per_page=${perPage}>; rel="${rel}"`;
  reply.headers({ 'x-total-count': String(total), link: [...(lastPage > page ? [link(page + 1, 'next')] : []), link(lastPage, 'last')].join(', ') });
}

/** `sort=created_at desc`, as GoTrue takes it. @throws Fault `validation_failed` */
function readSort(value: unknown): UserSearch['sort'] {
  const [name = '', ...rest] = textOf(value).split(' ');
  if (name === '') return { field: 'created_at', isAscending: false };
  const refuse = (why: string) => authFault('validation_failed', { message: `Bad Sort Parameters: ${why}` });
  const field = userSortFields.find((known) => known === name);
  if (field === undefined) throw refuse(`bad field for sort '${name}'`);
  const direction = rest.join(' ').toLowerCase();
  if (!['', 'asc', 'desc'].includes(direction)) throw refuse(`bad direction for sort '${rest.join(' ')}', only 'asc' and 'desc' allowed`);
  return { field, isAscending: direction === 'asc' };
}

/** `query=author:ada`, as GoTrue takes it. @throws Fault `validation_failed` */
function readAuditQuery(query: string): Pick<AuditSearch, 'scope' | 'text'> {
  if (query === '') return { scope: null, text: '' };
  const colon = query.indexOf(':');
  const scope = auditScopes.find((known) => known === query.slice(0, Math.max(colon, 0)).toLowerCase());
  if (scope === undefined) throw authFault('validation_failed', { message: `Invalid query scope: ${query}` });
  return { scope, text: query.slice(colon + 1) };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
