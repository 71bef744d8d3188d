export { apiUrlOf } from './api-url.ts';
export type { ProviderSettings } from './read-providers.ts';
export { overruled, readSettings, SettingError, standsInForPostgrest } from './read-settings.ts';
export { settings, type SettingKey, type Settings } from './settings.ts';
export type { Setting } from './setting.ts';
export { unknownSettings } from './unknown-settings.ts';
