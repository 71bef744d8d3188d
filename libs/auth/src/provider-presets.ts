import { emailOf, profileOf, type Json, type Profile } from './provider-profiles.ts';

/** Asks a provider's API in the user's name. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- each provider's answer has a form of its own, and each field is read with care
export type AskProvider = (url: string, headers?: Readonly<Record<string, string>>) => Promise<any>;

/** What a provider's API needs besides the token. */
export interface ProfileTerms {
  readonly ask: AskProvider;
  /** Where the API is. */
  readonly api: string;
  readonly clientId: string;
  /** What the token endpoint said. */
  readonly tokens: Json;
}

interface Common {
  /** What we always ask for. */
  readonly scopes: readonly string[];
  /** Goes with every request to sign in. */
  readonly params?: Readonly<Record<string, string>>;
  /** Issuer of its ID tokens, where an application may bring one. */
  readonly issuer?: (url: string | null) => string;
}

/** A provider that describes itself by OpenID Connect discovery. */
export interface OidcPreset extends Common {
  readonly kind: 'oidc';
  readonly issuer: (url: string | null) => string;
  readonly isEmailVerified?: (claims: Json, url: string | null) => boolean;
  /** It sends its answer as a form. */
  readonly isFormPost?: true;
  /** Where it describes itself, if that is not below its issuer. */
  readonly discoveryUrl?: string;
  /** Where it signs people in, and whether it is given a proof there: a link to it can be made while it cannot be asked. */
  readonly door?: { readonly url: (url: string | null) => string; readonly takesProof: boolean };
  /** Whether it is given a proof (PKCE); where nothing is said, it says so itself. */
  readonly pkce?: boolean;
  /** Reads the claims in a way of its own, and is given all that there are. */
  readonly read?: (claims: Json) => Profile | null;
  /** Its ID tokens do not repeat our nonce; the state and the proof (PKCE) have to do. */
  readonly hasNoNonce?: true;
}

/** A provider of plain OAuth 2, with an API of its own for who somebody is. */
export interface OauthPreset extends Common {
  readonly kind: 'oauth2';
  readonly authorize: (url: string | null) => string;
  readonly token: (url: string | null) => string;
  readonly api: (url: string | null) => string;
  /** How we say who we are at the token endpoint: in the form where nothing is said; `either` is by the header first, and in the form where that is refused. */
  readonly auth?: 'basic' | 'either';
  /** It checks a proof (PKCE). */
  readonly pkce?: true;
  readonly profile: (terms: ProfileTerms) => Promise<Profile | null> | Profile | null;
}

export type Preset = OidcPreset | OauthPreset;

const at = (base: string, path: string) => (url: string | null) => `${(url ?? base).replace(/\/+$/, '')}${path}`;
const always = (url: string) => () => url;

/** An issuer that only the operator knows. */
export const anyIssuer: OidcPreset = { kind: 'oidc', scopes: ['openid', 'profile', 'email'], issuer: (url) => url ?? '' };

const microsoft = 'https://login.microsoftonline.com/common';

/**
 * Microsoft lets every tenant claim any address. One counts as verified only where Microsoft says that the tenant owns its domain
 * (`xms_edov`), or where the operator trusts one tenant by its URL.
 */
function isVerifiedAtMicrosoft({ xms_edov: isOwned }: Json, url: string | null): boolean {
  if (isOwned !== undefined) return isOwned === true || isOwned === 1 || isOwned === '1' || isOwned === 'true';
  return url !== null && !/\/(common|organizations|consumers)(\/v2\.0)?\/*$/.test(url);
}

/** The providers that GoTrue names, as data. */
export const presets: Readonly<Record<string, Preset>> = {
  apple: { kind: 'oidc', scopes: ['name', 'email'], issuer: always('https://appleid.apple.com'), isFormPost: true, door: { url: always('https://appleid.apple.com/auth/authorize'), takesProof: false } },
  azure: { kind: 'oidc', scopes: ['openid', 'profile', 'email'], issuer: (url) => `${(url ?? microsoft).replace(/(\/v2\.0)?\/*$/, '')}/v2.0`, isEmailVerified: isVerifiedAtMicrosoft },
  bitbucket: {
    kind: 'oauth2', scopes: ['account', 'email'], authorize: at('https://bitbucket.org', '/site/oauth2/authorize'), token: at('https://bitbucket.org', '/site/oauth2/access_token'), api: at('https://api.bitbucket.org', '/2.0'),
    profile: async ({ ask, api }) => {
      const [user, emails] = [await ask(`${api}/user`), await ask(`${api}/user/emails`)];
      return profileOf({ issuer: api, subject: user.uuid, name: user.display_name, userName: user.username, avatar: user.links?.avatar?.href, emails: listOf(emails.values).map((each) => emailOf(each['email'], each['is_confirmed'], each['is_primary'] === true)) });
    },
  },
  discord: {
    kind: 'oauth2', scopes: ['email', 'identify'], authorize: at('https://discord.com', '/api/oauth2/authorize'), token: at('https://discord.com', '/api/oauth2/token'), api: at('https://discord.com', '/api'), pkce: true,
    profile: async ({ ask, api }) => {
      const user = await ask(`${api}/users/@me`);
      const avatar = user.avatar ? `https://cdn.discordapp.com/avatars/${user.id}/${user.avatar}.png` : undefined;
      return profileOf({ issuer: api, subject: user.id, name: user.global_name ?? user.username, userName: user.username, avatar, emails: [emailOf(user.email, user.verified)] });
    },
  },
  facebook: {
    kind: 'oauth2', scopes: ['email'], authorize: at('https://www.facebook.com', '/dialog/oauth'), token: at('https://graph.facebook.com', '/oauth/access_token'), api: at('https://graph.facebook.com', ''), issuer: always('https://www.facebook.com'),
    profile: async ({ ask, api }) => {
      const user = await ask(`${api}/me?fields=email,first_name,last_name,name,picture`);
      // Facebook gives an address only once it is confirmed.
      return profileOf({ issuer: api, subject: user.id, name: user.name, avatar: user.picture?.data?.url, emails: [emailOf(user.email, true)] });
    },
  },
  figma: {
    kind: 'oauth2', scopes: ['current_user:read'], authorize: at('https://www.figma.com', '/oauth'), token: at('https://api.figma.com', '/v1/oauth/token'), api: at('https://api.figma.com', '/v1'), auth: 'basic',
    profile: async ({ ask, api }) => {
      const user = await ask(`${api}/me`);
      return profileOf({ issuer: api, subject: user.id, name: user.handle, userName: user.handle, avatar: user.img_url, emails: [emailOf(user.email, true)] });
    },
  },
  fly: {
    kind: 'oauth2', scopes: ['read'], authorize: at('https://api.fly.io', '/oauth/authorize'), token: at('https://api.fly.io', '/oauth/token'), api: at('https://api.fly.io', ''),
    profile: async ({ ask, api }) => {
      const user = await ask(`${api}/oauth/token/info`);
      return profileOf({ issuer: api, subject: user.user_id, name: user.user_name, emails: [emailOf(user.email, true)] });
    },
  },
  github: {
    kind: 'oauth2', scopes: ['user:email'], authorize: at('https://github.com', '/login/oauth/authorize'), token: at('https://github.com', '/login/oauth/access_token'), pkce: true,
    // An Enterprise server has its API below its own host.
    api: (url) => (url === null ? 'https://api.github.com' : at('', '/api/v3')(url)),
    profile: async ({ ask, api }) => {
      const [user, emails] = [await ask(`${api}/user`), await ask(`${api}/user/emails`)];
      return profileOf({ issuer: api, subject: user.id, name: user.name, userName: user.login, avatar: user.avatar_url, emails: listOf(emails).map((each) => emailOf(each['email'], each['verified'], each['primary'] === true)) });
    },
  },
  gitlab: {
    kind: 'oauth2', scopes: ['read_user'], authorize: at('https://gitlab.com', '/oauth/authorize'), token: at('https://gitlab.com', '/oauth/token'), api: at('https://gitlab.com', '/api/v4'), pkce: true,
    profile: async ({ ask, api }) => {
      const user = await ask(`${api}/user`);
      return profileOf({ issuer: api, subject: user.id, name: user.name, userName: user.username, avatar: user.avatar_url, emails: [emailOf(user.email, typeof user.confirmed_at === 'string' && user.confirmed_at !== '')] });
    },
  },
  google: { kind: 'oidc', scopes: ['openid', 'email', 'profile'], issuer: always('https://accounts.google.com'), door: { url: always('https://accounts.google.com/o/oauth2/v2/auth'), takesProof: true } },
  kakao: {
    kind: 'oauth2', scopes: ['account_email', 'profile_image', 'profile_nickname'], authorize: at('https://kauth.kakao.com', '/oauth/authorize'), token: at('https://kauth.kakao.com', '/oauth/token'), api: at('https://kapi.kakao.com', ''), issuer: always('https://kauth.kakao.com'),
    profile: async ({ ask, api }) => {
      const { id, kakao_account: account = {} } = await ask(`${api}/v2/user/me`);
      return profileOf({ issuer: api, subject: id, name: account.profile?.nickname, userName: account.profile?.nickname, avatar: account.profile?.profile_image_url, emails: [emailOf(account.email, account.is_email_verified === true && account.is_email_valid === true)] });
    },
  },
  keycloak: { kind: 'oidc', scopes: ['openid', 'profile', 'email'], issuer: (url) => (url ?? '').replace(/\/+$/, '') },
  linkedin: { kind: 'oidc', scopes: ['openid', 'profile', 'email'], issuer: always('https://www.linkedin.com/oauth'), hasNoNonce: true },
  linkedin_oidc: { kind: 'oidc', scopes: ['openid', 'profile', 'email'], issuer: always('https://www.linkedin.com/oauth'), hasNoNonce: true },
  notion: {
    kind: 'oauth2', scopes: [], params: { owner: 'user' }, authorize: at('https://api.notion.com', '/v1/oauth/authorize'), token: at('https://api.notion.com', '/v1/oauth/token'), api: at('https://api.notion.com', '/v1'), auth: 'basic',
    profile: async ({ ask, api }) => {
      const { bot } = await ask(`${api}/users/me`, { 'notion-version': '2021-08-16' });
      const user = bot?.owner?.user;
      return profileOf({ issuer: api, subject: user?.id, name: user?.name, userName: user?.name, avatar: user?.avatar_url, emails: [emailOf(user?.person?.email, true)] });
    },
  },
  slack: { kind: 'oidc', scopes: ['openid', 'profile', 'email'], issuer: always('https://slack.com') },
  slack_oidc: { kind: 'oidc', scopes: ['openid', 'profile', 'email'], issuer: always('https://slack.com') },
  snapchat: {
    kind: 'oauth2', scopes: ['https://auth.snapchat.com/oauth2/api/user.external_id', 'https://auth.snapchat.com/oauth2/api/user.display_name', 'https://auth.snapchat.com/oauth2/api/user.bitmoji.avatar'],
    authorize: at('https://accounts.snapchat.com', '/accounts/oauth2/auth'), token: at('https://accounts.snapchat.com', '/accounts/oauth2/token'), api: at('https://kit.snapchat.com', ''), pkce: true,
    profile: async ({ ask, api }) => {
      const { data } = await ask(`${api}/v1/me?query=${encodeURIComponent('{me{externalId displayName bitmoji{avatar}}}')}`);
      return profileOf({ issuer: api, subject: data?.me?.externalId, name: data?.me?.displayName, avatar: data?.me?.bitmoji?.avatar });
    },
  },
  spotify: {
    kind: 'oauth2', scopes: ['user-read-email'], authorize: at('https://accounts.spotify.com', '/authorize'), token: at('https://accounts.spotify.com', '/api/token'), api: at('https://api.spotify.com', '/v1'), pkce: true,
    profile: async ({ ask, api }) => {
      const user = await ask(`${api}/me`);
      // Spotify does not say whether an address is confirmed.
      return profileOf({ issuer: api, subject: user.id, name: user.display_name, userName: user.display_name, avatar: user.images?.[0]?.url, emails: [emailOf(user.email, false)] });
    },
  },
  twitch: {
    kind: 'oauth2', scopes: ['user:read:email'], authorize: at('https://id.twitch.tv', '/oauth2/authorize'), token: at('https://id.twitch.tv', '/oauth2/token'), api: at('https://api.twitch.tv', '/helix'),
    profile: async ({ ask, api, clientId }) => {
      const [user] = listOf((await ask(`${api}/users`, { 'client-id': clientId })).data);
      return profileOf({ issuer: api, subject: user?.['id'], name: user?.['display_name'], userName: user?.['login'], avatar: user?.['profile_image_url'], emails: [emailOf(user?.['email'], true)] });
    },
  },
  // OAuth 2 with the keys of X's OAuth 2: GoTrue's `twitter` still speaks OAuth 1.0a.
  twitter: twitter(),
  workos: {
    kind: 'oauth2', scopes: [], authorize: at('https://api.workos.com', '/sso/authorize'), token: at('https://api.workos.com', '/sso/token'), api: at('https://api.workos.com', ''),
    profile: ({ tokens, api }) => {
      const user = (tokens['profile'] ?? {}) as Json;
      const name = [user['first_name'], user['last_name']].filter((part) => typeof part === 'string').join(' ');
      const custom = { custom_claims: { connection_id: user['connection_id'], organization_id: user['organization_id'] } };
      return profileOf({ issuer: api, subject: user['id'], name, emails: [emailOf(user['email'], true)], claims: custom });
    },
  },
  x: twitter(),
  zoom: {
    kind: 'oauth2', scopes: [], authorize: at('https://zoom.us', '/oauth/authorize'), token: at('https://zoom.us', '/oauth/token'), api: at('https://api.zoom.us', '/v2'), auth: 'basic', pkce: true,
    profile: async ({ ask, api }) => {
      const user = await ask(`${api}/users/me`);
      return profileOf({ issuer: api, subject: user.id, name: [user.first_name, user.last_name].filter(Boolean).join(' '), avatar: user.pic_url, emails: [emailOf(user.email, user.verified === 1)] });
    },
  },
};

function twitter(): OauthPreset {
  return {
    kind: 'oauth2', scopes: ['users.email', 'users.read', 'tweet.read', 'offline.access'], authorize: at('https://x.com', '/i/oauth2/authorize'), token: at('https://api.x.com', '/2/oauth2/token'), api: at('https://api.x.com', '/2'), auth: 'basic', pkce: true,
    profile: async ({ ask, api }) => {
      const { data: user } = await ask(`${api}/users/me?user.fields=profile_image_url,confirmed_email`);
      return profileOf({ issuer: api, subject: user?.id, name: user?.name, userName: user?.username, avatar: user?.profile_image_url, emails: [emailOf(user?.confirmed_email, true)] });
    },
  };
}

function listOf(value: unknown): Json[] {
  return Array.isArray(value) ? (value as Json[]) : [];
}
