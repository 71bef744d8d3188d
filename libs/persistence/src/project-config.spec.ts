import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readProjectConfig, readProjectToml } from './project-config.ts';
import { findProjectFiles, readSql } from './project-files.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'project-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(path: string, content: string | Buffer): void {
  mkdirSync(join(folder, path, '..'), { recursive: true });
  writeFileSync(join(folder, path), content);
}

describe('supabase/config.toml', () => {
  it('gives settings by our names', () => {
    write('supabase/config.toml', `
      project_id = "x"
      [api]
      port = 54999
      schemas = ["public", "api"]
      extra_search_path = ["public", "extensions"]
      max_rows = 500
      [db]
      port = 54998
      major_version = 17
      [auth]
      site_url = "http://localhost:3000"`);
    expect(readProjectConfig(folder)).toEqual({
      PORT: '54999', PGRST_DB_SCHEMAS: 'public,api,mainstay', PGRST_DB_EXTRA_SEARCH_PATH: 'public,extensions', PGRST_DB_MAX_ROWS: '500', MAINSTAY_DB_PORT: '54998', SITE_URL: 'http://localhost:3000',
    });
  });

  it('may be missing', () => {
    expect(readProjectToml(folder)).toEqual({ settings: {}, notes: [], seed: { isEnabled: true, patterns: ['./seed.sql'], isDefault: true } });
  });

  it('takes env(NAME) from the environment', () => {
    write('supabase/config.toml', '[api]\nschemas = ["public", "env(EXTRA)"]');
    expect(readProjectConfig(folder, { EXTRA: 'reports' })).toEqual({ PGRST_DB_SCHEMAS: 'public,reports,mainstay' });
  });

  it('gives the settings of sign-in, and names what has no effect', () => {
    write('supabase/templates/invite.html', 'x');
    write('supabase/templates/changed.html', 'x');
    write('supabase/config.toml', `
      [auth]
      enabled = true
      site_url = "env(SITE)"
      additional_redirect_urls = ["https://a.test/**", "myapp://back"]
      jwt_issuer = "other"
      enable_signup = false
      enable_refresh_token_rotation = true
      minimum_password_length = 8
      password_requirements = "letters_digits"
      [auth.rate_limit]
      email_sent = 2
      token_verifications = 10
      [auth.email]
      enable_confirmations = false
      max_frequency = "1s"
      [auth.email.template.invite]
      subject = "Come"
      content_path = "./supabase/templates/invite.html"
      [auth.email.notification.password_changed]
      enabled = true
      subject = "Changed"
      content_path = "./templates/changed.html"
      [auth.email.notification.mfa_factor_enrolled]
      enabled = false
      [auth.email.notification.moon_changed]
      enabled = true
      [auth.sms.twilio]
      enabled = false
      account_sid = ""
      [auth.sms.test_otp]
      4152127777 = "123456"
      [auth.sessions]
      timebox = "24h"
      [auth.third_party.firebase]
      enabled = false
      project_id = "x"
      [auth.third_party.auth0]
      enabled = true
      tenant = "x"`);
    expect(readProjectToml(folder, { SITE: 'https://site.test' })).toMatchObject({
      settings: {
        SITE_URL: 'https://site.test', GOTRUE_URI_ALLOW_LIST: 'https://a.test/**,myapp://back', GOTRUE_DISABLE_SIGNUP: 'true', GOTRUE_PASSWORD_MIN_LENGTH: '8',
        GOTRUE_PASSWORD_REQUIRED_CHARACTERS: 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:0123456789', GOTRUE_RATE_LIMIT_VERIFY: '10', GOTRUE_MAILER_AUTOCONFIRM: 'true',
        GOTRUE_SMTP_MAX_FREQUENCY: '1s', GOTRUE_MAILER_SUBJECTS_INVITE: 'Come', GOTRUE_MAILER_TEMPLATES_INVITE: join(folder, 'supabase/templates/invite.html'),
        GOTRUE_MAILER_NOTIFICATIONS_PASSWORD_CHANGED_ENABLED: 'true', GOTRUE_MAILER_SUBJECTS_PASSWORD_CHANGED_NOTIFICATION: 'Changed', GOTRUE_MAILER_NOTIFICATIONS_MFA_FACTOR_ENROLLED_ENABLED: 'false',
        GOTRUE_MAILER_TEMPLATES_PASSWORD_CHANGED_NOTIFICATION: join(folder, 'supabase/templates/changed.html'),
        GOTRUE_SMS_TEST_OTP: '4152127777=123456', GOTRUE_SESSIONS_TIMEBOX: '24h',
      },
      notes: ['supabase/config.toml: jwt_issuer of [auth] has no effect here.', 'supabase/config.toml: enabled of [auth.email.notification.moon_changed] has no effect here.', 'supabase/config.toml: tenant of [auth.third_party.auth0] has no effect here.'],
    });
  });

  it.each([
    ['[api\nport = 1', /^supabase\/config\.toml, line 1, column \d+: /],
    ['[api]\nmax_rows = true', /^supabase\/config\.toml: \[api\] max_rows must be text or a number\.$/],
    ['api = 3', /^supabase\/config\.toml: api must be a table\.$/],
    ['[db.seed]\nenabled = "no"', /\[db\.seed\] enabled must be true or false\.$/],
    ['[db.seed]\nsql_paths = "seed.sql"', /\[db\.seed\] sql_paths must be a list of paths\.$/],
  ])('is refused in one sentence: %j', (text, sentence) => {
    write('supabase/config.toml', text);
    expect(() => readProjectToml(folder)).toThrow(sentence);
  });
});

describe('a project’s files', () => {
  it('come in the order of their versions as text, whatever their names; others are passed over with a word', () => {
    for (const name of ['20240102_b.sql', '20240101120000_c.sql', '20240101_d.sql', '3_e.sql', 'README.md', 'x_1.sql', '.keep']) write(`supabase/migrations/${name}`, '');
    const { migrations, notes } = findProjectFiles(folder);
    expect(migrations.map(({ version, name }) => `${version} ${name}`)).toEqual(['20240101 d', '20240101120000 c', '20240102 b', '3 e']);
    expect(notes).toEqual(['README.md', 'x_1.sql'].map((name) => `supabase/migrations/${name} is passed over: a migration is named <digits>_name.sql.`));
  });

  it('two with one version are refused', () => {
    write('supabase/migrations/1_a.sql', '');
    write('supabase/migrations/1_b.sql', '');
    expect(() => findProjectFiles(folder)).toThrow('supabase/migrations/1_a.sql and supabase/migrations/1_b.sql have the same version 1: give one of them another.');
  });

  it('seeds come by their patterns, each once, with the path that the Supabase CLI records', () => {
    write('supabase/config.toml', '[db.seed]\nsql_paths = ["./seeds/*.sql", "seeds/a.sql", "../shared.sql", "none/*.sql"]');
    for (const path of ['supabase/seeds/b.sql', 'supabase/seeds/a.sql', 'shared.sql']) write(path, 'select 1');
    const { seeds, notes } = findProjectFiles(folder);
    expect(seeds.map(({ path }) => path)).toEqual(['supabase/seeds/a.sql', 'supabase/seeds/b.sql', 'shared.sql']);
    expect(seeds[0]!.hash).toBe('822ae07d4783158bc1912bb623e5107cc9002d519e1143a9c200ed6ee18b6d0f');
    expect(notes).toEqual(['No file matches "none/*.sql" of [db.seed] sql_paths.']);
  });

  it('seeds can be off', () => {
    write('supabase/config.toml', '[db.seed]\nenabled = false');
    write('supabase/seed.sql', 'select 1');
    expect(findProjectFiles(folder).seeds).toEqual([]);
  });

  it('a folder without supabase/ is refused', () => {
    expect(() => findProjectFiles(folder)).toThrow(`There is no folder "supabase" in ${folder}: give the folder that holds it.`);
  });

  it('a file is UTF-8, with or without a byte order mark', () => {
    write('supabase/a.sql', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from('select 1')]));
    expect(readSql(folder, 'supabase/a.sql')).toBe('select 1');
    write('supabase/b.sql', Buffer.from([0x73, 0xe9]));
    expect(() => readSql(folder, 'supabase/b.sql')).toThrow('supabase/b.sql is not UTF-8');
  });
});
