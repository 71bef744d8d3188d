import { settings, type SettingKey, type Settings } from '@mainstay/config';

/** One setting as it is now, for people to read. */
export interface ShownSetting {
  readonly name: string;
  readonly synonyms: readonly string[];
  readonly group: string;
  readonly meaning: string;
  readonly type: string;
  /** Null where nothing is set, and of a secret always. */
  readonly value: unknown;
  readonly is_secret: boolean;
  /** Whether something else than the default holds; of a secret, whether there is one. */
  readonly is_set: boolean;
  /** What the default is in words, where the value does not say it. */
  readonly default_text: string | null;
}

/** What is about accounts, in the order in which one reads it. */
const groups: readonly (readonly [title: string, keys: readonly SettingKey[]])[] = [
  ['Ways in', ['emailEnabled', 'phoneEnabled', 'anonymousEnabled', 'passkeysEnabled', 'providers', 'manualLinkingEnabled', 'customProvidersEnabled', 'maxCustomProviders', 'idTokenIssuers', 'iosBundleId']],
  ['New accounts', ['disableSignup', 'mailerAutoconfirm', 'phoneAutoconfirm', 'allowsUnverifiedSignIns', 'captchaEnabled', 'captchaProvider', 'captchaSecret', 'captchaVerifierUrl']],
  ['Where links lead', ['siteUrl', 'redirectAllowList', 'apiExternalUrl', 'verifyPage', 'flowSeconds']],
  ['Passwords', ['passwordMinLength', 'passwordRequiredCharacters', 'hibpEnabled', 'hibpFailClosed', 'breachedPasswords', 'reauthenticatesForPassword', 'currentPasswordForPassword']],
  ['Sessions and tokens', ['jwtExpirySeconds', 'jwtAudience', 'refreshReuseSeconds', 'sessionTimeboxSeconds', 'sessionIdleSeconds', 'singleSession']],
  ['Codes and links', ['mailOtpSeconds', 'mailOtpLength', 'smsOtpSeconds', 'smsOtpLength', 'smsTemplate', 'smsTestOtp', 'smsTestOtpUntil', 'secureEmailChange']],
  ['Mail', ['smtpHost', 'smtpPort', 'smtpUser', 'smtpPass', 'smtpAdminEmail', 'smtpSenderName', 'mailSubjects', 'mailTemplates', 'mailPaths', 'messageKeepSeconds']],
  ['Notices to owners', ['noticesPasswordChanged', 'noticesEmailChanged', 'noticesPhoneChanged', 'noticesIdentityLinked', 'noticesIdentityUnlinked', 'noticesFactorEnrolled', 'noticesFactorUnenrolled']],
  ['Second factors', [
    'totpEnrollEnabled', 'totpVerifyEnabled', 'phoneFactorEnrollEnabled', 'phoneFactorVerifyEnabled', 'webauthnFactorEnrollEnabled', 'webauthnFactorVerifyEnabled', 'recoveryCodesEnrollEnabled', 'recoveryCodesVerifyEnabled',
    'maxEnrolledFactors', 'maxVerifiedFactors', 'factorChallengeSeconds', 'factorExpirySeconds', 'phoneFactorOtpLength', 'phoneFactorPauseSeconds', 'phoneFactorTemplate', 'recoveryCodesCount', 'recoveryCodeLength',
    'recoveryCodesAttempts', 'recoveryCodesLockSeconds',
  ]],
  ['Passkeys', ['relyingPartyId', 'relyingPartyName', 'relyingPartyOrigins', 'maxPasskeys', 'webauthnChallengeSeconds']],
  ['Limits', ['guessesPerAccount', 'guessesPerNetwork', 'rateOtp', 'rateVerify', 'rateToken', 'rateAnonymous', 'rateFactor', 'ratePasskey', 'rateMail', 'rateSms', 'mailPauseSeconds', 'smsPauseSeconds', 'trustedProxies']],
  ['This project as a provider', ['oauthServerEnabled', 'oauthServerRegistration', 'oauthServerPath', 'oauthServerScope', 'oauthServerSeconds']],
];

/** Every setting of accounts as it is, never a secret: a new one of GoTrue's names appears among the rest until it has a group. */
export function describeSignIn(current: Settings): ShownSetting[] {
  const grouped = groups.flatMap(([group, keys]) => keys.map((key) => show(key, group, current)));
  const known = new Set(grouped.map(({ name }) => name));
  const rest = (Object.keys(settings) as SettingKey[]).filter((key) => /^GOTRUE_/.test(settings[key].name) && !known.has(settings[key].name));
  return [...grouped, ...rest.map((key) => show(key, 'Others', current))];
}

function show(key: SettingKey, group: string, current: Settings): ShownSetting {
  const { name, synonyms, meaning, type, default: byDefault, defaultText, isSecret } = settings[key];
  const value = key === 'providers' ? enabledProviders(current) : isSecret ? null : current[key];
  const isSet = isSecret ? holdsSomething(current[key]) : JSON.stringify(value) !== JSON.stringify(byDefault);
  return { name, synonyms, group, meaning, type, value, is_secret: isSecret && key !== 'providers', is_set: isSet, default_text: defaultText };
}

/** Their names alone: the rest of what is set of a provider is secret. */
function enabledProviders({ providers }: Settings): string[] {
  return Object.entries(providers).filter(([, { isEnabled }]) => isEnabled).map(([name]) => name);
}

function holdsSomething(value: unknown): boolean {
  if (value === null || value === undefined || value === '') return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}
