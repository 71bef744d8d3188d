import type { Settings } from '@mainstay/config';

/** Providers that GoTrue's clients ask about by name; none of the outside ones is here yet. */
const outsideProviders = [
  'apple', 'azure', 'bitbucket', 'discord', 'facebook', 'figma', 'fly', 'github', 'gitlab', 'google', 'kakao', 'keycloak', 'linkedin', 'linkedin_oidc', 'notion',
  'slack', 'slack_oidc', 'snapchat', 'spotify', 'twitch', 'twitter', 'workos', 'zoom',
];

/** What a sign-in page asks before it draws its buttons: `GET /settings`. */
export function describeSettings(settings: Pick<Settings, 'disableSignup' | 'emailEnabled' | 'phoneEnabled' | 'anonymousEnabled' | 'mailerAutoconfirm' | 'phoneAutoconfirm' | 'passkeysEnabled'>): Record<string, unknown> {
  return {
    external: { anonymous_users: settings.anonymousEnabled, ...Object.fromEntries(outsideProviders.map((name) => [name, false])), email: settings.emailEnabled, phone: settings.phoneEnabled },
    disable_signup: settings.disableSignup,
    mailer_autoconfirm: settings.mailerAutoconfirm,
    phone_autoconfirm: settings.phoneAutoconfirm,
    sms_provider: '',
    saml_enabled: false,
    passkeys_enabled: settings.passkeysEnabled,
  };
}
