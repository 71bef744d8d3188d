import { requestFault, SigningSecrets, type ShownSecret } from '@mainstay/automation';
import { isService, type Caller } from '@mainstay/domain';
import { ownSessionOf } from '@mainstay/persistence';
import { Body, Controller, Get, HttpCode, Post, UseFilters, UseGuards } from '@nestjs/common';
import { Asker, CallerGuard } from './caller.guard.ts';
import { SurfaceFilter } from './surface.filter.ts';

const defaultOverlapSeconds = 86_400;
const longestOverlapSeconds = 30 * 86_400;

/** `/jobs/v1/signing-secrets`: by which receivers know the requests of jobs; for the service key. */
@Controller('jobs/v1/signing-secrets')
@UseGuards(CallerGuard)
@UseFilters(SurfaceFilter)
export class SigningSecretsController {
  constructor(private readonly secrets: SigningSecrets) {}

  @Get()
  list(@Asker() caller: Caller): Promise<ShownSecret[]> {
    return this.secrets.list(sessionOf(caller));
  }

  /** A new secret signs from now on, and the old ones beside it for `overlap_seconds`. */
  @Post('rotate')
  @HttpCode(200)
  rotate(@Asker() caller: Caller, @Body() body: unknown): Promise<ShownSecret[]> {
    const seconds = (body as { overlap_seconds?: unknown } | null)?.overlap_seconds ?? defaultOverlapSeconds;
    if (!Number.isInteger(seconds) || (seconds as number) < 0 || (seconds as number) > longestOverlapSeconds) {
      throw requestFault('request_not_valid', { message: `"overlap_seconds" must be a whole number from 0 to ${longestOverlapSeconds}` });
    }
    return this.secrets.rotate(sessionOf(caller), seconds as number);
  }
}

function sessionOf(caller: Caller): ReturnType<typeof ownSessionOf> {
  if (!isService(caller)) throw requestFault('signing_needs_service_key');
  return ownSessionOf(caller);
}
