import { SettingError } from '@mainstay/config';

/** Where a project may have a say, by GoTrue's names. */
export const hookNames = ['custom_access_token', 'send_email', 'send_sms', 'mfa_verification_attempt', 'password_verification_attempt', 'before_user_created'] as const;
export type HookName = (typeof hookNames)[number];

/** A function in the database, or a URL with the secrets by which it knows us. */
export type HookTarget = { readonly kind: 'sql'; readonly uri: string; readonly schema: string; readonly routine: string } | { readonly kind: 'http'; readonly uri: string; readonly secrets: readonly Buffer[] };

const nameForm = /^[a-z_][a-z0-9_]{0,62}$/i;

/** Plain HTTP shows codes and addresses to everybody on the way: only to this machine, and from a container to its host. */
const nearHosts = ['localhost', '127.0.0.1', '[::1]', 'host.docker.internal'];

/**
 * Reads `GOTRUE_HOOK_<NAME>_ENABLED`, `_URI` and `_SECRETS`; what is not enabled is not there.
 * @throws SettingError that names the setting, and never shows a secret
 */
export function readHookTargets(given: Readonly<Record<string, string>>): ReadonlyMap<HookName, HookTarget> {
  const known = new Set(hookNames.flatMap((name) => ['ENABLED', 'URI', 'SECRETS'].map((part) => `${name.toUpperCase()}_${part}`)));
  const stranger = Object.keys(given).find((key) => !known.has(key));
  if (stranger !== undefined) throw new SettingError(`GOTRUE_HOOK_${stranger} is no setting: hooks are ${hookNames.map((name) => name.toUpperCase()).join(', ')}, each with _ENABLED, _URI and _SECRETS.`);
  return new Map(hookNames.flatMap((name) => {
    const part = (what: string): string => given[`${name.toUpperCase()}_${what}`]?.trim() ?? '';
    return isOn(name, part('ENABLED')) ? [[name, readTarget(name, part('URI'), part('SECRETS'))] as const] : [];
  }));
}

function isOn(name: HookName, text: string): boolean {
  if (/^(true|on|yes|1)$/i.test(text)) return true;
  if (/^(false|off|no|0|)$/i.test(text)) return false;
  throw refused(name, 'ENABLED', 'it must be true or false');
}

function readTarget(name: HookName, uri: string, secrets: string): HookTarget {
  const url = URL.canParse(uri) ? new URL(uri) : null;
  if (url?.protocol === 'pg-functions:') return readRoutine(name, uri);
  if (url?.protocol === 'https:') return { kind: 'http', uri, secrets: readSecrets(name, secrets) };
  if (url?.protocol === 'http:') {
    if (!nearHosts.includes(url.hostname)) throw refused(name, 'URI', `http leads only to ${nearHosts.join(', ')}; use https`);
    return { kind: 'http', uri, secrets: readSecrets(name, secrets) };
  }
  throw refused(name, 'URI', 'it must be https://… or pg-functions://postgres/schema/function');
}

function readRoutine(name: HookName, uri: string): HookTarget {
  const [database, schema, routine, ...more] = uri.slice('pg-functions://'.length).split('/');
  if (database !== 'postgres' || schema === undefined || routine === undefined || more.length > 0 || !nameForm.test(schema) || !nameForm.test(routine)) {
    throw refused(name, 'URI', 'a function is written pg-functions://postgres/schema/function');
  }
  return { kind: 'sql', uri, schema, routine };
}

/** `v1,whsec_…` as Standard Webhooks has it; several, separated by `|`, while one takes the other's place. */
function readSecrets(name: HookName, text: string): Buffer[] {
  const secrets = text.split('|').map((secret) => secret.trim()).filter((secret) => secret !== '');
  if (secrets.length === 0) throw refused(name, 'SECRETS', 'a hook over HTTP needs a secret: v1,whsec_ and 24 to 64 bytes in base64');
  return secrets.map((secret) => {
    const match = /^v1,whsec_([A-Za-z0-9+/_-]+={0,2})$/.exec(secret);
    const key = match === null ? null : Buffer.from(match[1]!, 'base64');
    if (key === null || key.length < 24 || key.length > 75) throw refused(name, 'SECRETS', 'each must be v1,whsec_ and 24 to 64 bytes in base64, separated by |');
    return key;
  });
}

function refused(name: HookName, part: string, why: string): SettingError {
  return new SettingError(`GOTRUE_HOOK_${name.toUpperCase()}_${part} is not right: ${why}.`);
}
