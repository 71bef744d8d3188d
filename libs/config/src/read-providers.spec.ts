import { readProviders } from './read-providers.ts';

describe('providers in settings', () => {
  it('a name may have several words, and each of its parts is read', () => {
    const { linkedin_oidc, acme } = readProviders({
      LINKEDIN_OIDC_ENABLED: 'true', LINKEDIN_OIDC_CLIENT_ID: 'web, ios', LINKEDIN_OIDC_SECRET: 's',
      ACME_ENABLED: 'on', ACME_URL: 'https://id.acme.test/', ACME_SKIP_NONCE_CHECK: '1', ACME_EMAIL_OPTIONAL: 'yes', ACME_SCOPES: 'a b,c', ACME_REDIRECT_URI: 'https://api.test/cb',
    });
    expect(linkedin_oidc).toMatchObject({ isEnabled: true, clientIds: ['web', 'ios'], secret: 's', redirectUri: null });
    expect(acme).toEqual({ isEnabled: true, clientIds: [], secret: null, redirectUri: 'https://api.test/cb', url: 'https://id.acme.test/', scopes: ['a', 'b', 'c'], skipsNonceCheck: true, isEmailOptional: true });
  });

  it('other settings that begin alike, and empty ones, are no providers', () => {
    expect(readProviders({ EMAIL_ENABLED: 'true', PHONE_ENABLED: 'true', ANONYMOUS_USERS_ENABLED: 'true', WEB3_SOLANA_ENABLED: 'true', GITHUB_SECRET: '', ALLOWED_ID_TOKEN_ISSUERS: 'x' })).toEqual({});
  });

  it.each([
    [{ GITHUB_ENABLED: 'perhaps' }, 'GITHUB_ENABLED is not right: it must be true or false.'],
    [{ KEYCLOAK_URL: 'realm' }, 'KEYCLOAK_URL is not right: it must be a URL that begins with https:// or http://.'],
  ])('%o is refused', (found, message) => {
    expect(() => readProviders(found)).toThrow(message);
  });
});
