import { isService, type Caller } from '@mainstay/domain';
import { deleteMessages, findMessage, listMessages, ownSessionOf, type Database, type KeptMessage } from '@mainstay/persistence';
import { Controller, Delete, Get, HttpCode, Inject, Param, Query, UseFilters, UseGuards } from '@nestjs/common';
import { Asker, CallerGuard } from './caller.guard.ts';
import { edgeFault } from './edge-faults.ts';
import { surfaceFault } from './surface-faults.ts';
import { SurfaceFilter } from './surface.filter.ts';

/** The database by which the mailbox is read: as login `mainstay_api`. */
export const mailboxDatabase = Symbol('mailbox database');

const mostAtOnce = 500;
const uuidForm = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

interface MailboxQuery {
  readonly to?: unknown;
  readonly limit?: unknown;
  readonly before?: unknown;
}

/** `/mailbox/v1`: mails and text messages that nobody was there to deliver. They let their readers in: for the service key only. */
@Controller('mailbox/v1/messages')
@UseGuards(CallerGuard)
@UseFilters(SurfaceFilter)
export class MailboxController {
  constructor(@Inject(mailboxDatabase) private readonly database: Database) {}

  @Get()
  async list(@Asker() caller: Caller, @Query() query: MailboxQuery): Promise<KeptMessage[]> {
    refuseStranger(caller);
    const filters = { to: addressOf(query.to), limit: limitOf(query.limit), before: beforeOf(query.before) };
    return this.database.transaction(ownSessionOf(caller), (tx) => listMessages(tx, filters));
  }

  @Get(':id')
  async find(@Asker() caller: Caller, @Param('id') id: string): Promise<KeptMessage> {
    refuseStranger(caller);
    const message = uuidForm.test(id) ? await this.database.transaction(ownSessionOf(caller), (tx) => findMessage(tx, id)) : null;
    if (message === null) throw notFound(id);
    return message;
  }

  @Delete(':id')
  @HttpCode(204)
  async remove(@Asker() caller: Caller, @Param('id') id: string): Promise<void> {
    refuseStranger(caller);
    const gone = uuidForm.test(id) ? await this.database.transaction(ownSessionOf(caller), (tx) => deleteMessages(tx, { id })) : 0;
    if (gone === 0) throw notFound(id);
  }

  /** All of them, or those to one address. */
  @Delete()
  async empty(@Asker() caller: Caller, @Query() query: MailboxQuery): Promise<{ deleted: number }> {
    refuseStranger(caller);
    const to = addressOf(query.to);
    return { deleted: await this.database.transaction(ownSessionOf(caller), (tx) => deleteMessages(tx, { to })) };
  }
}

function refuseStranger(caller: Caller): void {
  if (!isService(caller)) throw edgeFault('service_role_needed');
}

function notFound(id: string): Error {
  return edgeFault('not_found', { message: 'There is no such message', details: id });
}

/** Addresses are kept in small letters, numbers as digits. */
function addressOf(to: unknown): string | null {
  if (to === undefined || to === '') return null;
  if (typeof to !== 'string') throw surfaceFault('request_not_valid', { message: '"to" must be one address or number' });
  const text = to.trim().toLowerCase();
  // A plus in a query is a space, and numbers are kept without it.
  return text.includes('@') ? text.replaceAll(' ', '+') : text.replace(/^\+/, '').replaceAll(' ', '');
}

function limitOf(limit: unknown): number {
  if (limit === undefined) return 50;
  const number = Number(limit);
  if (typeof limit !== 'string' || !/^\d+$/.test(limit) || number < 1 || number > mostAtOnce) throw surfaceFault('request_not_valid', { message: `"limit" must be a whole number from 1 to ${mostAtOnce}` });
  return number;
}

function beforeOf(before: unknown): string | null {
  if (before === undefined) return null;
  if (typeof before !== 'string' || !uuidForm.test(before)) throw surfaceFault('request_not_valid', { message: '"before" must be the id of a message' });
  return before;
}
