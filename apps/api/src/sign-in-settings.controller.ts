import type { Settings } from '@mainstay/config';
import { isService, type Caller } from '@mainstay/domain';
import { Controller, Get, Inject, UseFilters, UseGuards } from '@nestjs/common';
import { Asker, CallerGuard } from './caller.guard.ts';
import { describeSignIn, type ShownSetting } from './describe-sign-in.ts';
import { edgeFault } from './edge-faults.ts';
import { settingsToken } from './settings-token.ts';
import { SurfaceFilter } from './surface.filter.ts';

/** `/sign-in-settings/v1`: what holds for accounts, with each setting's name; for the console, read only. */
@Controller('sign-in-settings/v1')
@UseGuards(CallerGuard)
@UseFilters(SurfaceFilter)
export class SignInSettingsController {
  constructor(@Inject(settingsToken) private readonly settings: Settings) {}

  @Get()
  list(@Asker() caller: Caller): ShownSetting[] {
    if (!isService(caller)) throw edgeFault('service_role_needed');
    return describeSignIn(this.settings);
  }
}
