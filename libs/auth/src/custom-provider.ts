import type { ProviderSettings } from '@mainstay/config';
import type { CustomProvider } from '@mainstay/persistence';
import type { Preset } from './provider-presets.ts';
import { profileOfClaims, type Json, type Profile } from './provider-profiles.ts';

/** Claims of ours, beside those that every profile has, that an administrator may fill from the provider's. */
const extraClaims = ['avatar_url', 'full_name', 'user_name', 'nickname', 'slug'];
const maxClaimsBytes = 4096;

/** A provider that the administration set up, in the form of those that we know by name. */
export function presetOf(provider: CustomProvider): Preset {
  const { type, scopes, authorizationParams: params, isPkceEnabled, issuer, discoveryUrl, authorizationUrl, tokenUrl, userinfoUrl } = provider;
  const always = (url: string | null) => () => url ?? '';
  if (type === 'oidc') {
    return { kind: 'oidc', scopes, params, issuer: always(issuer), pkce: isPkceEnabled, read: (claims) => readProfile(provider, claims), ...(discoveryUrl === null ? {} : { discoveryUrl }) };
  }
  return {
    kind: 'oauth2', scopes, params, authorize: always(authorizationUrl), token: always(tokenUrl), api: always(userinfoUrl), auth: 'either', ...(isPkceEnabled ? { pkce: true as const } : {}),
    profile: async ({ ask, api }) => readProfile(provider, { iss: new URL(api).origin, ...((await ask(api)) as Json) }),
  };
}

export function settingsOf({ isEnabled, clientId, acceptableClientIds, clientSecret, issuer, skipsNonceCheck, isEmailOptional }: CustomProvider): ProviderSettings {
  return { isEnabled, clientIds: [clientId, ...acceptableClientIds], secret: clientSecret, redirectUri: null, url: issuer, scopes: [], skipsNonceCheck, isEmailOptional };
}

/** Whether an address is verified only the provider's own claim of that name says: no mapping fills it. */
function readProfile({ attributeMapping, claimsAllowlist }: CustomProvider, claims: Json): Profile | null {
  const mapped = new Map(Object.entries(claims));
  for (const [target, source] of Object.entries(attributeMapping)) {
    if (typeof source !== 'string') mapped.set(target, source);
    else if (Object.hasOwn(claims, source)) mapped.set(target, claims[source]);
  }
  const profile = profileOfClaims(Object.fromEntries(mapped));
  if (profile === null) return null;
  const extra = extraClaims.flatMap((name) => (Object.hasOwn(attributeMapping, name) && typeof mapped.get(name) === 'string' ? [[name, mapped.get(name)] as const] : []));
  const custom = Object.fromEntries(claimsAllowlist.flatMap((name) => (Object.hasOwn(claims, name) ? [[name, claims[name] as unknown] as const] : [])));
  return { ...profile, data: { ...profile.data, ...fitting(Object.fromEntries(extra)), ...(Object.keys(custom).length === 0 ? {} : fitting({ custom_claims: custom })) } };
}

/** What travels in every access token must stay small, and be storable; what is neither is left out. */
function fitting(claims: Record<string, unknown>): Record<string, unknown> {
  const text = JSON.stringify(claims);
  return text.length > maxClaimsBytes || /\\u(?:0000|d[89a-f])/.test(text) ? {} : claims;
}
