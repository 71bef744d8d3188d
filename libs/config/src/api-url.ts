import type { Settings } from './settings.ts';

/** The URL under which clients reach the API: as the operator says it, or where it listens (an open address is reached by loopback). */
export function apiUrlOf(settings: Pick<Settings, 'apiExternalUrl' | 'host' | 'port'>): string {
  const address = settings.host === '0.0.0.0' ? '127.0.0.1' : settings.host;
  return settings.apiExternalUrl ?? `http://${address}:${settings.port}`;
}
