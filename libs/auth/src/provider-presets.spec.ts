import { jest } from '@jest/globals';
import { readSettings } from '@mainstay/config';
import { ProviderClients } from './provider-clients.ts';
import { anyIssuer, presets, type OauthPreset, type OidcPreset } from './provider-presets.ts';
import { emailOf, profileOf, profileOfClaims } from './provider-profiles.ts';

const oauth = (name: string): OauthPreset => presets[name] as OauthPreset;

/** Asks a provider whose API says what it is told to. */
async function profileAt(name: string, answers: Record<string, unknown>, tokens = {}) {
  const preset = oauth(name);
  const asked: string[] = [];
  const ask = async (url: string) => {
    asked.push(url);
    return answers[Object.keys(answers).find((path) => url.includes(path))!];
  };
  return { profile: await preset.profile({ ask, api: preset.api(null), clientId: 'client', tokens }), asked };
}

describe('providers of plain OAuth 2', () => {
  it.each<[string, Record<string, unknown>, string, string | undefined, boolean]>([
    ['github', { '/user/emails': [{ email: 'a@b.test', verified: true, primary: true }], '/user': { id: 1, login: 'a', name: 'A' } }, '1', 'a@b.test', true],
    ['gitlab', { '/user': { id: 2, username: 'a', name: 'A', email: 'a@b.test', confirmed_at: '2024-01-01T00:00:00Z' } }, '2', 'a@b.test', true],
    ['gitlab', { '/user': { id: 2, username: 'a', email: 'a@b.test', confirmed_at: null } }, '2', 'a@b.test', false],
    ['bitbucket', { '/user/emails': { values: [{ email: 'a@b.test', is_confirmed: true, is_primary: true }] }, '/user': { uuid: '{3}', display_name: 'A' } }, '{3}', 'a@b.test', true],
    ['discord', { '/users/@me': { id: '4', username: 'a', email: 'a@b.test', verified: false } }, '4', 'a@b.test', false],
    ['facebook', { '/me': { id: '5', name: 'A', email: 'a@b.test', picture: { data: { url: 'https://i.test' } } } }, '5', 'a@b.test', true],
    ['figma', { '/me': { id: '6', handle: 'A', email: 'a@b.test' } }, '6', 'a@b.test', true],
    ['fly', { '/oauth/token/info': { user_id: '7', user_name: 'A', email: 'a@b.test' } }, '7', 'a@b.test', true],
    ['kakao', { '/v2/user/me': { id: 8, kakao_account: { email: 'a@b.test', is_email_verified: true, is_email_valid: false, profile: { nickname: 'A' } } } }, '8', 'a@b.test', false],
    ['notion', { '/users/me': { bot: { owner: { user: { id: '9', name: 'A', person: { email: 'a@b.test' } } } } } }, '9', 'a@b.test', true],
    ['snapchat', { '/v1/me': { data: { me: { externalId: '10', displayName: 'A' } } } }, '10', undefined, false],
    ['spotify', { '/me': { id: '11', display_name: 'A', email: 'a@b.test', images: [] } }, '11', 'a@b.test', false],
    ['twitch', { '/users': { data: [{ id: '12', login: 'a', display_name: 'A', email: 'a@b.test' }] } }, '12', 'a@b.test', true],
    ['twitter', { '/users/me': { data: { id: '13', username: 'a', name: 'A', confirmed_email: 'a@b.test' } } }, '13', 'a@b.test', true],
    ['zoom', { '/users/me': { id: '14', first_name: 'A', last_name: 'B', email: 'a@b.test', verified: 0 } }, '14', 'a@b.test', false],
  ])('%s', async (name, answers, subject, email, isVerified) => {
    const { profile, asked } = await profileAt(name, answers);
    expect(profile).toMatchObject({ subject, data: { sub: subject, provider_id: subject, iss: oauth(name).api(null), email_verified: isVerified } });
    expect(profile!.data['email']).toBe(email);
    expect(asked.every((url) => url.startsWith('https://'))).toBe(true);
  });

  it('WorkOS tells who somebody is with the token', async () => {
    const { profile } = await profileAt('workos', {}, { profile: { id: 'prof_1', email: 'a@b.test', first_name: 'A', last_name: 'B', organization_id: 'org_1' } });
    expect(profile).toMatchObject({ subject: 'prof_1', data: { full_name: 'A B', custom_claims: { organization_id: 'org_1' } } });
  });

  it.each(['github', 'twitch', 'notion', 'workos'])('nobody at %s is nobody', async (name) => {
    expect((await profileAt(name, { '/users/me': {}, '/users': {}, '/user': {}, '/user/emails': {} })).profile).toBeNull();
  });

  it('a server of one’s own is asked at its own address', () => {
    expect([oauth('github').authorize('https://git.acme.test/'), oauth('github').api('https://git.acme.test'), oauth('gitlab').token('https://lab.acme.test')]).toEqual([
      'https://git.acme.test/login/oauth/authorize', 'https://git.acme.test/api/v3', 'https://lab.acme.test/oauth/token',
    ]);
  });
});

describe('OpenID providers', () => {
  it.each([
    ['google', null, 'https://accounts.google.com'],
    ['azure', null, 'https://login.microsoftonline.com/common/v2.0'],
    ['azure', 'https://login.microsoftonline.com/acme/', 'https://login.microsoftonline.com/acme/v2.0'],
    ['azure', 'https://login.microsoftonline.com/acme/v2.0', 'https://login.microsoftonline.com/acme/v2.0'],
    ['keycloak', 'https://id.acme.test/realms/a/', 'https://id.acme.test/realms/a'],
    ['linkedin_oidc', null, 'https://www.linkedin.com/oauth'],
  ])('%s at %s is issued by %s', (name, url, issuer) => {
    expect((presets[name] as OidcPreset).issuer(url)).toBe(issuer);
  });

  it('any other is where the operator says, letter by letter', () => {
    expect([anyIssuer.issuer('https://id.test/'), anyIssuer.issuer(null)]).toEqual(['https://id.test/', '']);
  });

  it.each<[object, string | null, boolean]>([
    [{}, null, false],
    [{ email_verified: true }, null, false],
    [{ xms_edov: true }, null, true],
    [{ xms_edov: '1' }, null, true],
    [{ xms_edov: false }, 'https://login.microsoftonline.com/acme', false],
    [{}, 'https://login.microsoftonline.com/acme', true],
    [{}, 'https://login.microsoftonline.com/organizations/v2.0', false],
  ])('an address of Microsoft with %o at %s is verified: %s', (claims, url, isVerified) => {
    expect((presets['azure'] as OidcPreset).isEmailVerified!(claims, url)).toBe(isVerified);
  });
});

describe('profiles', () => {
  it('keep what stands for a person, and nothing without end', () => {
    const profile = profileOfClaims({ iss: 'https://id.test', sub: 's', email: 'A@B.test', email_verified: 'true', name: 'A', nonce: 'n', at_hash: 'h', aud: 'x', picture: 'https://i.test', locale: 'x'.repeat(2000), nickname: 'a\0b', hd: 'b.test' });
    expect(profile).toEqual({
      subject: 's', emails: [{ email: 'a@b.test', isVerified: true, isPrimary: true }],
      data: { iss: 'https://id.test', sub: 's', provider_id: 's', name: 'A', full_name: 'A', picture: 'https://i.test', avatar_url: 'https://i.test', email: 'a@b.test', email_verified: true, phone_verified: false, custom_claims: { hd: 'b.test' } },
    });
  });

  it.each([[null], [''], ['no address'], ['two@at@signs'], [5], ['a b@c.test'], [`${'a'.repeat(260)}@b.test`]])('%o is no address', (email) => {
    expect(emailOf(email, true)).toBeNull();
  });

  it.each([[undefined], [''], ['x'.repeat(256)], [{}]])('%o is nobody', (subject) => {
    expect(profileOf({ issuer: 'i', subject })).toBeNull();
  });
});

describe('while a provider cannot be asked', () => {
  beforeAll(() => void jest.spyOn(ProviderClients.prototype, 'askOf').mockReturnValue(() => Promise.reject(new Error('away'))));
  afterAll(() => jest.restoreAllMocks());

  const linkTo = async (name: string) => {
    const clients = new ProviderClients(readSettings({ [`GOTRUE_EXTERNAL_${name}_ENABLED`]: 'true', [`GOTRUE_EXTERNAL_${name}_CLIENT_ID`]: 'web', [`GOTRUE_EXTERNAL_${name}_SECRET`]: 's', [`GOTRUE_EXTERNAL_${name}_URL`]: 'https://id.test' }));
    return new URL(await clients.authorizationUrl(await clients.find(name), { state: 'st', nonce: 'no', verifier: 'v'.repeat(43) }, { scopes: '', params: {} }));
  };

  it.each([
    ['GOOGLE', 'https://accounts.google.com/o/oauth2/v2/auth', { client_id: 'web', response_type: 'code', state: 'st', nonce: 'no', scope: 'openid email profile', code_challenge_method: 'S256' }],
    ['APPLE', 'https://appleid.apple.com/auth/authorize', { client_id: 'web', response_type: 'code', state: 'st', nonce: 'no', scope: 'name email', response_mode: 'form_post' }],
  ])('the link to %s is made all the same', async (name, place, params) => {
    const link = await linkTo(name);
    expect(link.origin + link.pathname).toBe(place);
    expect(Object.fromEntries(link.searchParams)).toMatchObject(params);
    expect(link.searchParams.has('code_challenge')).toBe('code_challenge_method' in params);
  });

  it('one whose door only discovery tells is unreachable', async () => {
    await expect(linkTo('KEYCLOAK')).rejects.toMatchObject({ code: 'unexpected_failure', message: 'Error reaching the external provider' });
  });
});
