import { readSettings, settings } from '@mainstay/config';
import { describeSignIn } from './describe-sign-in.ts';

describe('settings of sign-in, to be read', () => {
  const shown = (environment: Record<string, string>) => {
    const all = describeSignIn(readSettings(environment));
    return { all, of: (name: string) => all.find((setting) => setting.name === name) };
  };

  it('has every setting with a name of GoTrue’s, each once', () => {
    const names = shown({}).all.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(Object.values(settings).map(({ name }) => name).filter((name) => name.startsWith('GOTRUE_') && !names.includes(name))).toEqual([]);
  });

  it('shows no secret, only that there is one', () => {
    const { all, of } = shown({ GOTRUE_SMTP_PASS: 'hush-hush', GOTRUE_EXTERNAL_GITHUB_ENABLED: 'true', GOTRUE_EXTERNAL_GITHUB_CLIENT_ID: 'id', GOTRUE_EXTERNAL_GITHUB_SECRET: 'hush-hush' });
    expect(JSON.stringify(all)).not.toContain('hush');
    expect(of('GOTRUE_SMTP_PASS')).toMatchObject({ value: null, is_secret: true, is_set: true });
    expect(of('GOTRUE_SECURITY_CAPTCHA_SECRET')).toMatchObject({ value: null, is_set: false });
    expect(of('GOTRUE_EXTERNAL_*')).toMatchObject({ value: ['github'], is_secret: false, is_set: true });
  });

  it('tells the default from what was chosen', () => {
    const { of } = shown({ GOTRUE_PASSWORD_MIN_LENGTH: '10' });
    expect(of('GOTRUE_PASSWORD_MIN_LENGTH')).toMatchObject({ group: 'Passwords', value: 10, is_set: true });
    expect(of('GOTRUE_DISABLE_SIGNUP')).toMatchObject({ value: false, is_set: false });
  });
});
