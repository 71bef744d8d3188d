import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { settings as settingRows } from '@mainstay/config';
import { ProjectFault } from './project-fault.ts';

/** What `[auth]` of a project's `supabase/config.toml` says of our settings, and what of it has no effect here: a line each. */
export interface AuthTables {
  readonly settings: Readonly<Record<string, string>>;
  readonly notes: readonly string[];
}

type Table = Readonly<Record<string, unknown>>;

/** A key of a table, by its path below `auth`, and the setting that it is. `!` in front turns yes and no round. */
const plain: Readonly<Record<string, string>> = {
  site_url: 'SITE_URL',
  additional_redirect_urls: 'GOTRUE_URI_ALLOW_LIST',
  jwt_expiry: 'JWT_EXPIRY',
  refresh_token_reuse_interval: 'GOTRUE_SECURITY_REFRESH_TOKEN_REUSE_INTERVAL',
  enable_signup: '!GOTRUE_DISABLE_SIGNUP',
  enable_anonymous_sign_ins: 'GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED',
  enable_manual_linking: 'GOTRUE_SECURITY_MANUAL_LINKING_ENABLED',
  minimum_password_length: 'GOTRUE_PASSWORD_MIN_LENGTH',
  'rate_limit.sms_sent': 'GOTRUE_RATE_LIMIT_SMS_SENT',
  'rate_limit.anonymous_users': 'GOTRUE_RATE_LIMIT_ANONYMOUS_USERS',
  'rate_limit.token_refresh': 'GOTRUE_RATE_LIMIT_TOKEN_REFRESH',
  'rate_limit.sign_in_sign_ups': 'GOTRUE_RATE_LIMIT_OTP',
  'rate_limit.token_verifications': 'GOTRUE_RATE_LIMIT_VERIFY',
  'captcha.enabled': 'GOTRUE_SECURITY_CAPTCHA_ENABLED',
  'captcha.provider': 'GOTRUE_SECURITY_CAPTCHA_PROVIDER',
  'captcha.secret': 'GOTRUE_SECURITY_CAPTCHA_SECRET',
  'email.enable_signup': 'GOTRUE_EXTERNAL_EMAIL_ENABLED',
  'email.enable_confirmations': '!GOTRUE_MAILER_AUTOCONFIRM',
  'email.double_confirm_changes': 'GOTRUE_MAILER_SECURE_EMAIL_CHANGE_ENABLED',
  'email.secure_password_change': 'GOTRUE_SECURITY_UPDATE_PASSWORD_REQUIRE_REAUTHENTICATION',
  'email.max_frequency': 'GOTRUE_SMTP_MAX_FREQUENCY',
  'email.otp_length': 'GOTRUE_MAILER_OTP_LENGTH',
  'email.otp_expiry': 'GOTRUE_MAILER_OTP_EXP',
  'sms.enable_signup': 'GOTRUE_EXTERNAL_PHONE_ENABLED',
  'sms.enable_confirmations': '!GOTRUE_SMS_AUTOCONFIRM',
  'sms.template': 'GOTRUE_SMS_TEMPLATE',
  'sms.max_frequency': 'GOTRUE_SMS_MAX_FREQUENCY',
  'sessions.timebox': 'GOTRUE_SESSIONS_TIMEBOX',
  'sessions.inactivity_timeout': 'GOTRUE_SESSIONS_INACTIVITY_TIMEOUT',
  'mfa.max_enrolled_factors': 'GOTRUE_MFA_MAX_ENROLLED_FACTORS',
  'webauthn.rp_id': 'GOTRUE_WEBAUTHN_RP_ID',
  'webauthn.rp_display_name': 'GOTRUE_WEBAUTHN_RP_DISPLAY_NAME',
  'webauthn.rp_origins': 'GOTRUE_WEBAUTHN_RP_ORIGINS',
};

/** Tables that count only where their `enabled` says so, by what their keys' settings begin with. */
const switched: readonly (readonly [path: RegExp, prefix: (name: string) => string])[] = [
  [/^email\.smtp$/, () => 'GOTRUE_SMTP_'],
  [/^hook\.(\w+)$/, (name) => `GOTRUE_HOOK_${name.toUpperCase()}_`],
  [/^external\.(\w+)$/, (name) => `GOTRUE_EXTERNAL_${name.toUpperCase()}_`],
];

const lower = 'abcdefghijklmnopqrstuvwxyz';
const upper = lower.toUpperCase();
const digits = '0123456789';
/** The CLI's words for sets of characters. */
const requirements: Readonly<Record<string, string>> = {
  '': '',
  letters_digits: `${lower}${upper}:${digits}`,
  lower_upper_letters_digits: `${lower}:${upper}:${digits}`,
  lower_upper_letters_digits_symbols: `${lower}:${upper}:${digits}:!@#$%^&*()_+-=[]{};'\\:"|<>?,./\`~`,
};

/** Reads `[auth]` with all its tables. @throws ProjectFault for a value of the wrong kind */
export function readAuthTables(auth: Table, folder: string, environment: Readonly<Record<string, string | undefined>>): AuthTables {
  const settings: Record<string, string> = {};
  const notes: string[] = [];
  const honoured = knownNames();
  const set = (path: string, setting: string, value: unknown): void => {
    const isTurned = setting.startsWith('!');
    const name = isTurned ? setting.slice(1) : setting;
    const text = textOf(path, value, environment);
    if (text === '') return;
    if (!honoured(name)) notes.push(note(path));
    else settings[name] = isTurned ? String(text !== 'true') : text;
  };
  const walk = (table: Table, path: string): void => {
    const rule = switched.find(([form]) => form.test(path));
    if (rule !== undefined) return takeSwitched(table, path, rule[1](rule[0].exec(path)![1] ?? ''), set);
    if (/^email\.template\.\w+$/.test(path)) return takeTemplate(table, path, kindOf(path), folder, set);
    if (/^email\.notification\.\w+$/.test(path)) {
      if (table['enabled'] !== undefined) set(`${path}.enabled`, `GOTRUE_MAILER_NOTIFICATIONS_${kindOf(path)}_ENABLED`, table['enabled']);
      return takeTemplate(table, path, `${kindOf(path)}_NOTIFICATION`, folder, set);
    }
    if (path === 'sms.test_otp') return set(path, 'GOTRUE_SMS_TEST_OTP', Object.entries(table).map(([phone, code]) => `${phone}=${String(code)}`));
    if (/^mfa\.\w+$/.test(path)) return each(table, path, (key, value) => set(`${path}.${key}`, `GOTRUE_${path.replace('.', '_').replace('web_authn', 'WEB_AUTHN').toUpperCase()}_${key.toUpperCase()}`, value));
    // Here they are on unless somebody says otherwise.
    if (path === 'passkey') return each(table, path, (key, value) => set(`passkey.${key}`, `GOTRUE_PASSKEY_${key.toUpperCase()}`, value));
    if (table['enabled'] === false) return;
    each(table, path, (key, value) => {
      const at = path === '' ? key : `${path}.${key}`;
      if (isTable(value)) walk(value, at);
      else if (Object.hasOwn(plain, at)) set(at, plain[at]!, value);
      else takeOdd(at, value, set, notes);
    });
  };
  walk(auth, '');
  // The CLI counts mails only where they really leave.
  const sent = isTable(auth['rate_limit']) ? auth['rate_limit']['email_sent'] : undefined;
  if (settings['GOTRUE_SMTP_HOST'] !== undefined && sent !== undefined) set('rate_limit.email_sent', 'GOTRUE_RATE_LIMIT_EMAIL_SENT', sent);
  return { settings, notes: [...new Set(notes)] };
}

type Take = (path: string, setting: string, value: unknown) => void;

function takeSwitched(table: Table, path: string, prefix: string, set: Take): void {
  // A table of SMTP without `enabled` counts.
  if (table['enabled'] === false || (table['enabled'] === undefined && path !== 'email.smtp')) return;
  for (const [key, value] of Object.entries(table)) if (path !== 'email.smtp' || key !== 'enabled') set(`${path}.${key}`, `${prefix}${key.toUpperCase()}`, value);
}

/** What a mail is about: the last part of its table's path. */
function kindOf(path: string): string {
  return path.split('.').at(-1)!.toUpperCase();
}

function takeTemplate(table: Table, path: string, kind: string, folder: string, set: Take): void {
  if (table['subject'] !== undefined) set(`${path}.subject`, `GOTRUE_MAILER_SUBJECTS_${kind}`, table['subject']);
  const file = table['content_path'];
  if (typeof file !== 'string' || file === '') return;
  // The CLI's versions differ in where the path begins.
  const found = [join(folder, file), join(folder, 'supabase', file)].find((place) => existsSync(place));
  if (found === undefined) throw new ProjectFault(`supabase/config.toml: [auth.${path}] content_path names ${file}, which is not there.`);
  set(`${path}.content_path`, `GOTRUE_MAILER_TEMPLATES_${kind}`, found);
}

/** What neither is a setting of ours nor would be said for nothing. */
function takeOdd(path: string, value: unknown, set: Take, notes: string[]): void {
  // Always so here.
  if (path === 'enabled' || path.endsWith('.enabled') || (path === 'enable_refresh_token_rotation' && value === true)) return;
  if (path === 'rate_limit.email_sent' || path === 'rate_limit.web3') return;
  if (path === 'password_requirements') {
    if (typeof value !== 'string' || !Object.hasOwn(requirements, value)) throw new ProjectFault(`supabase/config.toml: [auth] password_requirements must be one of ${Object.keys(requirements).filter(Boolean).join(', ')}.`);
    return set(path, 'GOTRUE_PASSWORD_REQUIRED_CHARACTERS', requirements[value]);
  }
  if (value !== '') notes.push(note(path));
}

function note(path: string): string {
  const parts = path.split('.');
  const key = parts.pop()!;
  return `supabase/config.toml: ${key} of [${['auth', ...parts].join('.')}] has no effect here.`;
}

function each(table: Table, path: string, take: (key: string, value: unknown) => void): void {
  for (const [key, value] of Object.entries(table)) if (!(key === 'enabled' && path === '')) take(key, value);
}

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Names, synonyms and beginnings of families of our settings. */
function knownNames(): (name: string) => boolean {
  const rows = Object.values(settingRows);
  const names = new Set(rows.flatMap((row) => [row.name, ...row.synonyms]));
  const families = rows.filter((row) => row.readMany !== null).map((row) => row.name.slice(0, -1));
  return (name) => names.has(name) || families.some((beginning) => name.startsWith(beginning));
}

/** Text, numbers, yes and no, and lists of them; `env(NAME)` comes from the environment. */
function textOf(path: string, value: unknown, environment: Readonly<Record<string, string | undefined>>): string {
  const items = Array.isArray(value) ? (value as unknown[]) : [value];
  return items
    .map((item) => {
      if (!['string', 'number', 'bigint', 'boolean'].includes(typeof item)) throw new ProjectFault(`supabase/config.toml: [auth] ${path} must be text, a number, true or false.`);
      const variable = /^env\((\w+)\)$/.exec(String(item))?.[1];
      return variable === undefined ? String(item) : (environment[variable] ?? '');
    })
    .join(',');
}
