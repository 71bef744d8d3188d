/** Another provider by which users sign in, as the operator sets it up: `GOTRUE_EXTERNAL_<NAME>_…`. */
export interface ProviderSettings {
  readonly isEnabled: boolean;
  /** The first is ours where we send somebody there; tokens for any of them are taken. */
  readonly clientIds: readonly string[];
  readonly secret: string | null;
  /** Where the provider sends its answer; null is the API's own `/auth/v1/callback`. */
  readonly redirectUri: string | null;
  /** The issuer, or where a provider that one may run oneself is. */
  readonly url: string | null;
  /** More scopes than those that the provider always needs. */
  readonly scopes: readonly string[];
  readonly skipsNonceCheck: boolean;
  /** Lets in who has no address at the provider. */
  readonly isEmailOptional: boolean;
}

const nothing: ProviderSettings = { isEnabled: false, clientIds: [], secret: null, redirectUri: null, url: null, scopes: [], skipsNonceCheck: false, isEmailOptional: false };

/** What may follow a provider's name, and what it sets. */
const parts: Readonly<Record<string, (text: string) => Partial<ProviderSettings>>> = {
  ENABLED: (text) => ({ isEnabled: readFlag(text) }),
  CLIENT_ID: (text) => ({ clientIds: text.split(',').map((id) => id.trim()).filter((id) => id !== '') }),
  SECRET: (text) => ({ secret: text }),
  REDIRECT_URI: (text) => ({ redirectUri: readUrl(text) }),
  URL: (text) => ({ url: readUrl(text) }),
  SCOPES: (text) => ({ scopes: text.split(/[\s,]+/).filter((scope) => scope !== '') }),
  SKIP_NONCE_CHECK: (text) => ({ skipsNonceCheck: readFlag(text) }),
  EMAIL_OPTIONAL: (text) => ({ isEmailOptional: readFlag(text) }),
};

/** Names that begin alike and are settings of their own. */
const others = /^(EMAIL|PHONE|ANONYMOUS_USERS|WEB3\w*|SAML|ALLOWED_ID_TOKEN_ISSUERS|FLOW_STATE_\w+|IOS_BUNDLE_ID|REDIRECT_URL)(_|$)/;

/**
 * Reads the providers from what follows `GOTRUE_EXTERNAL_` in the names of settings.
 * @throws Error whose message begins with the rest of the name that is not right.
 */
export function readProviders(found: Readonly<Record<string, string>>): Readonly<Record<string, ProviderSettings>> {
  const providers = new Map<string, ProviderSettings>();
  for (const [key, given] of Object.entries(found)) {
    const match = /^([A-Z0-9_]+?)_(ENABLED|CLIENT_ID|SECRET|REDIRECT_URI|URL|SCOPES|SKIP_NONCE_CHECK|EMAIL_OPTIONAL)$/.exec(key);
    const text = given.trim();
    if (match === null || others.test(key) || text === '') continue;
    const name = match[1]!.toLowerCase();
    try {
      providers.set(name, { ...(providers.get(name) ?? nothing), ...parts[match[2]!]!(text) });
    } catch (cause) {
      throw new Error(`${key} is not right: it must be ${(cause as Error).message}.`, { cause });
    }
  }
  return Object.freeze(Object.fromEntries(providers));
}

function readFlag(text: string): boolean {
  if (/^(true|on|yes|1)$/i.test(text)) return true;
  if (/^(false|off|no|0)$/i.test(text)) return false;
  throw new Error('true or false');
}

function readUrl(text: string): string {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) throw new Error('a URL that begins with https:// or http://');
  return text;
}
