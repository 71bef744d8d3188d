import type { Settings } from '@mainstay/config';
import { Accounts, makeListener, type Listener } from '@mainstay/persistence';
import { Logger, type OnApplicationShutdown, type OnModuleInit, type Provider } from '@nestjs/common';
import { Callers } from './callers.ts';
import { KeyStore } from './key-store.ts';
import { Keyring } from './keyring.ts';
import { KeysService } from './keys.service.ts';

/** Hears of changed keys for as long as the process runs. */
export class KeyWatch implements OnModuleInit, OnApplicationShutdown {
  constructor(
    private readonly store: KeyStore,
    private readonly callers: Callers,
    private readonly listener: Listener,
  ) {}

  async onModuleInit(): Promise<void> {
    this.store.onChange((keyring) => this.callers.takeKeys(keyring));
    await this.store.start(this.listener);
  }

  async onApplicationShutdown(): Promise<void> {
    this.store.stop();
    await this.listener.close();
  }
}

/** Who asks, where the database keeps keys beside those of the settings. */
export function keyProviders(settings: Settings): Provider[] {
  const logger = new Logger('keys');
  const failed = (error: unknown): void => logger.warn({ event: 'keys not read', error: (error as Error).message });
  return [
    { provide: Keyring, useFactory: () => Keyring.read(settings) },
    { provide: KeyStore, useFactory: (accounts: Accounts, keyring: Keyring) => new KeyStore(accounts, settings, keyring, failed), inject: [Accounts, Keyring] },
    { provide: Callers, useFactory: (keyring: Keyring, store: KeyStore) => new Callers(keyring, settings, undefined, store), inject: [Keyring, KeyStore] },
    { provide: KeyWatch, useFactory: (store: KeyStore, callers: Callers) => new KeyWatch(store, callers, makeListener(settings, 'supabase_auth_admin')), inject: [KeyStore, Callers] },
    { provide: KeysService, useFactory: (accounts: Accounts, store: KeyStore) => new KeysService(accounts, store, settings), inject: [Accounts, KeyStore] },
  ];
}
