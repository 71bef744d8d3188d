import { askedCredentials, Callers, Captcha } from '@mainstay/auth';
import { isService } from '@mainstay/domain';
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { deviceOf } from './auth-device.ts';

/** What goes on with a session that is there: no person sits in front of it. */
const unguardedGrants = ['refresh_token', 'pkce'];

/** The door of what machines like to try: where a captcha is set up, a request must bring its token. A service key needs none. */
@Injectable()
export class CaptchaGuard implements CanActivate {
  constructor(
    private readonly captcha: Captcha,
    private readonly callers: Callers,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (!this.captcha.isOn) return true;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    if (unguardedGrants.includes(String((request.query as { grant_type?: unknown }).grant_type)) || (await this.isByService(request))) return true;
    await this.captcha.refuseUnproved(tokenIn(request.body), deviceOf(request).address);
    return true;
  }

  /** A worn-out token beside the key is no reason to refuse: it only is no service key. */
  private async isByService(request: FastifyRequest): Promise<boolean> {
    const { bearer } = askedCredentials(request);
    if (bearer === null) return false;
    return this.callers.proveKey(bearer).then(isService, () => false);
  }
}

function tokenIn(body: unknown): string {
  const security = (body as { gotrue_meta_security?: { captcha_token?: unknown } | null } | null | undefined)?.gotrue_meta_security;
  return typeof security?.captcha_token === 'string' ? security.captcha_token : '';
}
