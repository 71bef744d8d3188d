import { closest } from '@mainstay/domain';
import { unknownSettings } from './unknown-settings.ts';

describe('what looks like a setting and is none', () => {
  it.each<[Record<string, string>, string[]]>([
    [{ MAINSTAY_NOPE: '1' }, ['MAINSTAY_NOPE: no setting, it has no effect here.']],
    [{ GOTRUE_MAILER_AUTOCONFRIM: 'true' }, ['GOTRUE_MAILER_AUTOCONFRIM is no setting: did you mean GOTRUE_MAILER_AUTOCONFIRM?']],
    [{ GOTRUE_DISABLE_SIGNUPS: 'true', PGRST_DB_MAXROWS: '5' }, ['GOTRUE_DISABLE_SIGNUPS is no setting: did you mean GOTRUE_DISABLE_SIGNUP?', 'PGRST_DB_MAXROWS is no setting: did you mean PGRST_DB_MAX_ROWS?']],
    [{ MAINSTAY_METRIC_TOKEN: 'hush' }, ['MAINSTAY_METRIC_TOKEN is no setting: did you mean MAINSTAY_METRICS_TOKEN?']],
    [{ GOTRUE_PROJECT: '/x' }, ['GOTRUE_PROJECT is no setting: did you mean MAINSTAY_PROJECT?']],
    // What a Supabase of one's own sets, and is right for it.
    [{ GOTRUE_API_HOST: '0.0.0.0', GOTRUE_API_PORT: '9999', GOTRUE_DB_DRIVER: 'postgres', GOTRUE_JWT_ADMIN_ROLES: 'service_role', GOTRUE_JWT_DEFAULT_GROUP_NAME: 'authenticated', PGRST_DB_USE_LEGACY_GUCS: 'false' },
      ['GOTRUE_API_HOST, GOTRUE_API_PORT, GOTRUE_DB_DRIVER, GOTRUE_JWT_ADMIN_ROLES, GOTRUE_JWT_DEFAULT_GROUP_NAME, PGRST_DB_USE_LEGACY_GUCS: no settings, they have no effect here.']],
    [{ PATH: '/bin', POSTGRES_DB: 'x', SUPABASE_ACCESS_TOKEN: 'x', MAINSTAYS: '1', GOTRUE_EXTERNAL_ACME_ENABLED: 'true', PGRST_APP_SETTINGS_color: 'blue', OTEL_NOPE: '1', PORT: '1', GOTRUE_SITE_URL: 'http://a.test', MAINSTAY_WAITS: '1' }, []],
  ])('%j', (environment, sentences) => {
    expect(unknownSettings(environment, closest)).toEqual(sentences);
  });
});
