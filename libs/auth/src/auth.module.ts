import type { Settings } from '@mainstay/config';
import { Module, type DynamicModule } from '@nestjs/common';
import { CallerStrategy } from './caller.strategy.ts';
import { Callers } from './callers.ts';
import { Keyring } from './keyring.ts';

/** Accounts and who asks. Global, since the guard of every surface proves its callers here. */
@Module({})
export class AuthModule {
  static with(settings: Settings): DynamicModule {
    return {
      module: AuthModule,
      global: true,
      providers: [
        { provide: Keyring, useFactory: () => Keyring.read(settings) },
        { provide: Callers, useFactory: (keyring: Keyring) => new Callers(keyring, settings), inject: [Keyring] },
        { provide: CallerStrategy, useFactory: (callers: Callers) => new CallerStrategy(callers), inject: [Callers] },
      ],
      exports: [Callers],
    };
  }
}
