import { overruled, readSettings } from './read-settings.ts';
import { settings } from './settings.ts';

describe('settings', () => {
  it('have their defaults where nothing is said', () => {
    expect(readSettings({})).toMatchObject({ port: 54_321, host: '127.0.0.1', dbSchemas: ['public', 'graphql_public', 'mainstay'], databaseUrl: null, mailerAutoconfirm: false });
  });

  it.each([
    ['PORT', '8080', 'port', 8080],
    ['PGRST_DB_SCHEMAS', 'api, public', 'dbSchemas', ['api', 'public']],
    ['GOTRUE_DISABLE_SIGNUP', 'yes', 'disableSignup', true],
    ['MAINSTAY_MAX_BODY', '2 MB', 'maxBodyBytes', 2 * 1024 ** 2],
    ['DATABASE_URL', 'postgres://me@db/x', 'databaseUrl', 'postgres://me@db/x'],
    ['LOG_LEVEL', 'WARN', 'logLevel', 'warn'],
    ['SITE_URL', 'https://example.org/', 'siteUrl', 'https://example.org'],
  ])('%s=%s is read', (name, text, key, value) => {
    expect(readSettings({ [name]: text })).toMatchObject({ [key]: value });
  });

  it.each([
    ['PORT', '70000', 'PORT "70000" is not right: it must be a whole number from 0 to 65535.'],
    ['PORT', '1e3', 'PORT "1e3" is not right: it must be a whole number from 0 to 65535.'],
    ['GOTRUE_DISABLE_SIGNUP', 'maybe', 'GOTRUE_DISABLE_SIGNUP "maybe" is not right: it must be true or false.'],
    ['REDIS_URL', 'localhost:6379', 'REDIS_URL "localhost:6379" is not right: it must be a URL that begins with redis:// or rediss://.'],
    ['MAINSTAY_MAX_BODY', '10 parsecs', 'MAINSTAY_MAX_BODY "10 parsecs" is not right: it must be a number of bytes such as 10485760, 10MB or 2GB.'],
  ])('%s=%s is refused in one sentence', (name, text, sentence) => {
    expect(() => readSettings({ [name]: text })).toThrow(expect.objectContaining({ name: 'SettingError', message: sentence }));
  });

  it('never repeat a secret in a sentence', () => {
    expect(() => readSettings({ JWT_SECRET: 'hunter2' })).toThrow(expect.objectContaining({ message: 'JWT_SECRET is not right: it must be at least 32 characters.' }));
  });

  it('take a synonym, and refuse two names with different values', () => {
    const secret = 'x'.repeat(40);
    expect(readSettings({ GOTRUE_JWT_SECRET: secret }).jwtSecret).toBe(secret);
    expect(readSettings({ GOTRUE_JWT_SECRET: secret, JWT_SECRET: secret }).jwtSecret).toBe(secret);
    expect(() => readSettings({ GOTRUE_JWT_SECRET: secret, JWT_SECRET: `${secret}y` })).toThrow('JWT_SECRET and GOTRUE_JWT_SECRET are one setting');
  });

  it('come from the nearest source that has them', () => {
    expect(readSettings({ PORT: '1' }, { PORT: '2', HOST: 'a' }, { HOST: 'b', PGRST_DB_MAX_ROWS: '5' })).toMatchObject({ port: 1, host: 'a', dbMaxRows: 5 });
  });

  it('have each name once in the whole table', () => {
    const names = Object.values(settings).flatMap(({ name, synonyms }) => [name, ...synonyms]);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });
});

describe('settings in PostgREST’s place', () => {
  const uri = { PGRST_DB_URI: 'postgres://me@db/shop' };

  it('have PostgREST’s defaults where only its address of the database is given', () => {
    expect(readSettings(uri)).toMatchObject({ port: 3000, host: '0.0.0.0', restPath: '/', dbSchemas: ['public'], dbAnonRole: '', dbMaxRows: 0, dbAggregatesEnabled: false, filterNeededFor: [], jwtAudience: '' });
    expect(readSettings({ ...uri, DATABASE_URL: 'postgres://me@db/x' })).toMatchObject({ port: 54_321, restPath: '/rest/v1', dbAnonRole: 'anon' });
  });

  it.each<[Record<string, string>, object]>([
    [{ PGRST_SERVER_HOST: '!4', PGRST_LOG_LEVEL: 'crit', PGRST_DB_EXTRA_SEARCH_PATH: '' }, { host: '0.0.0.0', logLevel: 'fatal', dbExtraSearchPath: [] }],
    [{ PGRST_APP_SETTINGS_color: 'blue', PGRST_APP_SETTINGS_b: '' }, { appSettings: { color: 'blue', b: '' } }],
    [{ PGRST_DB_TX_END: 'rollback-allow-override', PGRST_DB_POOL_TIMEOUT: '5' }, { dbTxEnd: 'rollback-allow-override', dbPoolIdleSeconds: 5 }],
  ])('%j', (more, values) => {
    expect(readSettings({ ...uri, ...more })).toMatchObject(values);
  });

  it.each<[Record<string, string>, RegExp]>([
    [{ MAINSTAY_REST_PATH: '/' }, /the other surfaces need room/],
    [{ ...uri, PGRST_ADMIN_SERVER_PORT: '3000' }, /another port/],
    [{ ...uri, PGRST_DB_SCHEMAS: 'api,pg_catalog' }, /pg_catalog cannot be exposed/],
    [{ ...uri, MAINSTAY_REST_PATH: 'rest/' }, /begins with \//],
  ])('%j is refused', (environment, sentence) => {
    expect(() => readSettings(environment)).toThrow(sentence);
  });

  it('are overruled by the database, but for what is not right there and what is needed before', () => {
    const refused: string[] = [];
    const settings = readSettings(uri);
    const all = overruled(settings, { db_schemas: 'a, b', db_max_rows: 'many', jwt_aud: 'me', server_port: '5', nonsense: 'x' }, (error) => refused.push(error.message));
    expect(all).toMatchObject({ dbSchemas: ['a', 'b'], dbMaxRows: 0, jwtAudience: 'me', port: 3000 });
    expect(refused).toEqual(['PGRST_DB_MAX_ROWS "many" is not right: it must be a whole number from 0 to 10000000.']);
    expect(overruled(settings, {})).toBe(settings);
  });
});
