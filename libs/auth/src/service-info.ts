import type { Settings } from '@mainstay/config';
import { presets } from './provider-presets.ts';

/** Each provider that GoTrue's clients ask about by name, and each that has been set up, and whether it is on. */
function outsideProviders({ providers }: Pick<Settings, 'providers'>): Record<string, boolean> {
  return Object.fromEntries([...Object.keys(presets), ...Object.keys(providers)].sort().map((name) => [name, providers[name]?.isEnabled ?? false]));
}

/** What a sign-in page asks before it draws its buttons: `GET /settings`. */
export function describeSettings(settings: Pick<Settings, 'disableSignup' | 'emailEnabled' | 'phoneEnabled' | 'anonymousEnabled' | 'mailerAutoconfirm' | 'phoneAutoconfirm' | 'passkeysEnabled' | 'providers'>): Record<string, unknown> {
  return {
    external: { anonymous_users: settings.anonymousEnabled, ...outsideProviders(settings), email: settings.emailEnabled, phone: settings.phoneEnabled },
    disable_signup: settings.disableSignup,
    mailer_autoconfirm: settings.mailerAutoconfirm,
    phone_autoconfirm: settings.phoneAutoconfirm,
    sms_provider: '',
    saml_enabled: false,
    passkeys_enabled: settings.passkeysEnabled,
  };
}
