import { apiUrlOf, type Settings } from '@mainstay/config';
import { isService, type Caller } from '@mainstay/domain';
import { Controller, Get, Inject, UseGuards } from '@nestjs/common';
import { Asker, CallerGuard } from './caller.guard.ts';
import { edgeFault } from './edge-faults.ts';
import { settingsToken } from './settings-token.ts';
import { version } from './version.ts';

/** What somebody needs who wants to connect an application: read by the console's first page. */
@Controller('connection/v1')
@UseGuards(CallerGuard)
export class ConnectionController {
  constructor(@Inject(settingsToken) private readonly settings: Settings) {}

  @Get()
  connection(@Asker() caller: Caller): Record<string, unknown> {
    if (!isService(caller)) throw edgeFault('service_role_needed');
    const { publishableKey, anonKey, databaseUrl } = this.settings;
    const database = new URL(databaseUrl!);
    database.username = 'postgres';
    database.password = '*****';
    return { api_url: apiUrlOf(this.settings), publishable_key: publishableKey, anon_key: anonKey, database_url: database.href, version };
  }
}
