import { authFault } from '@mainstay/auth';
import { Injectable, type ExecutionContext } from '@nestjs/common';
import { BearerGuard } from './auth.controller.ts';
import type { AskedRequest } from './caller.guard.ts';

/**
 * The door of what a person does alone: factors and passkeys are no business of an application that acts for its user (OAuth), which
 * could stay for ever by a passkey of its own.
 */
@Injectable()
export class PersonalGuard extends BearerGuard {
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    await super.canActivate(context);
    const { caller } = context.switchToHttp().getRequest<AskedRequest>();
    if (caller.claims['client_id'] === undefined) return true;
    throw authFault('no_authorization', { status: 403, message: 'OAuth clients are not allowed to perform these actions' });
  }
}
