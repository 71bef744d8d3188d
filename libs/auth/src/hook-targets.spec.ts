import { readHookTargets } from './hook-targets.ts';

const secret = `v1,whsec_${Buffer.alloc(32, 7).toString('base64')}`;

describe('a hook', () => {
  it('is a function of the database, or a URL with secrets', () => {
    const targets = readHookTargets({
      CUSTOM_ACCESS_TOKEN_ENABLED: 'true', CUSTOM_ACCESS_TOKEN_URI: 'pg-functions://postgres/public/add_claims',
      SEND_EMAIL_ENABLED: 'on', SEND_EMAIL_URI: 'https://mail.example.com/hook?x=1', SEND_EMAIL_SECRETS: `${secret}|${secret}`,
      SEND_SMS_ENABLED: 'false', SEND_SMS_URI: 'nonsense',
    });
    expect([...targets.keys()]).toEqual(['custom_access_token', 'send_email']);
    expect(targets.get('custom_access_token')).toMatchObject({ kind: 'sql', schema: 'public', routine: 'add_claims' });
    expect(targets.get('send_email')).toMatchObject({ kind: 'http', uri: 'https://mail.example.com/hook?x=1', secrets: [Buffer.alloc(32, 7), Buffer.alloc(32, 7)] });
  });

  it.each([
    [{ SEND_SMS_URI: 'ftp://x' }, 'GOTRUE_HOOK_SEND_SMS_URI is not right: it must be https://… or pg-functions://postgres/schema/function.'],
    [{ SEND_SMS_URI: 'http://sms.example.com' }, 'GOTRUE_HOOK_SEND_SMS_URI is not right: http leads only to localhost, 127.0.0.1, [::1], host.docker.internal; use https.'],
    [{ SEND_SMS_URI: 'pg-functions://postgres/public/a b' }, 'a function is written pg-functions://postgres/schema/function'],
    [{ SEND_SMS_URI: 'pg-functions://other/public/f' }, 'a function is written pg-functions://postgres/schema/function'],
    [{ SEND_SMS_URI: 'pg-functions://postgres/public/f/more' }, 'a function is written pg-functions://postgres/schema/function'],
    [{ SEND_SMS_URI: 'https://x.example.com' }, 'GOTRUE_HOOK_SEND_SMS_SECRETS is not right: a hook over HTTP needs a secret'],
    [{ SEND_SMS_URI: 'https://x.example.com', SEND_SMS_SECRETS: 'whsec_short' }, 'GOTRUE_HOOK_SEND_SMS_SECRETS is not right: each must be v1,whsec_'],
    [{ SEND_SMS_URI: 'https://x.example.com', SEND_SMS_SECRETS: 'v1,whsec_c2hvcnQ=' }, 'GOTRUE_HOOK_SEND_SMS_SECRETS is not right: each must be v1,whsec_'],
    [{ SEND_SMS_ENABLED: 'maybe' }, 'GOTRUE_HOOK_SEND_SMS_ENABLED is not right: it must be true or false.'],
    [{ SEND_SMS_URL: 'https://x.example.com' }, 'GOTRUE_HOOK_SEND_SMS_URL is no setting'],
  ])('%j is refused in one sentence', (given, message) => {
    expect(() => readHookTargets({ SEND_SMS_ENABLED: 'true', ...given })).toThrow(message);
  });
});
