import { readProviders, type ProviderSettings } from './read-providers.ts';
import { address, bytes, choice, duration, family, familyOf, flag, formed, integer, list, ports, secret, text, url } from './setting.ts';

/** Every setting of the house. A new one is a row here and nowhere else; `docs/settings.md` is written from it. */
export const settings = {
  // Where things are
  host: address('HOST', { default: '127.0.0.1', asPostgrest: '0.0.0.0', meaning: 'Address that the API binds to. `0.0.0.0` opens it to the network.', synonyms: ['PGRST_SERVER_HOST'] }),
  port: integer('PORT', 0, 65_535, { default: 54_321, asPostgrest: 3000, meaning: 'Port of the API and the console.', synonyms: ['PGRST_SERVER_PORT'] }),
  restPath: formed('MAINSTAY_REST_PATH', 'a path that begins with / and does not end with it, such as /rest/v1, or / alone', /^\/$|^(\/[\w.-]+)+$/, {
    default: '/rest/v1',
    asPostgrest: '/',
    meaning: 'Where the data API is reached. `/` leaves room for no other surface, so it needs `PGRST_DB_URI` alone.',
  }),
  unixSocket: text('PGRST_SERVER_UNIX_SOCKET', { default: null, meaning: 'Path of a Unix socket that the API listens on instead of HOST and PORT.' }),
  unixSocketMode: formed('PGRST_SERVER_UNIX_SOCKET_MODE', 'an octal mode from 600 to 777', /^[67][0-7]{2}$/, { default: '660', meaning: 'Mode of the Unix socket’s file.' }),
  adminHost: address('PGRST_ADMIN_SERVER_HOST', { default: '127.0.0.1', asPostgrest: '0.0.0.0', meaning: 'Address of the port for health checks.' }),
  adminPort: integer('PGRST_ADMIN_SERVER_PORT', 0, 65_535, { default: null, meaning: 'Port of its own for health checks: `/live` and `/ready`, as PostgREST’s admin server has them.' }),
  apiExternalUrl: url('API_EXTERNAL_URL', ['http', 'https'], {
    default: null,
    defaultText: 'http://HOST:PORT',
    meaning: 'The URL under which clients reach the API; it is the root of `iss` in tokens and of mailed links.',
    synonyms: ['SUPABASE_PUBLIC_URL'],
  }),
  siteUrl: url('SITE_URL', ['http', 'https'], { default: 'http://localhost:3000', meaning: 'The URL of the application, where mailed links lead.', synonyms: ['GOTRUE_SITE_URL'] }),
  home: text('MAINSTAY_HOME', { default: '.mainstay', meaning: 'Folder of the embedded servers’ data, the secrets and the logs.' }),
  project: text('MAINSTAY_PROJECT', { default: null, meaning: 'Project folder whose `supabase/` migrations `npm start` applies before the API starts.' }),

  // PostgreSQL
  dbPort: integer('MAINSTAY_DB_PORT', 0, 65_535, { default: 54_322, meaning: 'Port of the embedded PostgreSQL, on loopback only.' }),
  databaseUrl: url('DATABASE_URL', ['postgres', 'postgresql'], {
    default: null,
    defaultText: 'the embedded PostgreSQL',
    meaning: 'An outside PostgreSQL (15 to 18) instead of the embedded one, as its administrator: used for set-up and migrations only. The services log in with roles of their own.',
  }),
  dbUri: text('PGRST_DB_URI', {
    default: null,
    isSecret: true,
    meaning:
      'With it and without DATABASE_URL, Mainstay stands in for PostgREST: it serves somebody’s existing database as this login, at `/`, and keeps nothing of its own there. ' +
      'A URL, keywords such as `host=db user=authenticator`, or `@` and the path of a file that holds them.',
  }),
  dbSocket: text('MAINSTAY_DB_SOCKET', { default: null, defaultText: 'TCP', meaning: 'Folder of PostgreSQL’s Unix socket; set by `npm start` for its own api and worker, since the socket is faster than TCP.' }),
  vaultKeyFile: text('MAINSTAY_VAULT_KEY_FILE', { default: null, defaultText: 'none: the keys lie in the database', meaning: 'File, on the machine of the database, with the keys of the vault (`vault.secrets`); set by `npm start` for the embedded server.' }),
  postgresPassword: secret('POSTGRES_PASSWORD', 1, { default: null, defaultText: 'random at first start', meaning: 'Password of the logins `postgres` and `supabase_admin`.' }),
  dbPoolSize: integer('PGRST_DB_POOL', 1, 1000, { default: 10, meaning: 'Database connections that each API process keeps for data requests.' }),
  dbPoolLifetimeSeconds: integer('PGRST_DB_POOL_MAX_LIFETIME', 0, 86_400, { default: 1800, meaning: 'Seconds after which a database connection is closed and made anew; 0 is never.' }),
  dbPoolIdleSeconds: integer('PGRST_DB_POOL_MAX_IDLETIME', 0, 86_400, { default: 30, meaning: 'Seconds after which an idle database connection is closed; 0 is never.', synonyms: ['PGRST_DB_POOL_TIMEOUT'] }),
  dbPreparedStatements: flag('PGRST_DB_PREPARED_STATEMENTS', { default: true, meaning: 'Prepares statements by name. Off behind a pooler that gives each transaction another connection.' }),
  dbPoolTimeoutSeconds: integer('PGRST_DB_POOL_ACQUISITION_TIMEOUT', 1, 600, { default: 10, meaning: 'Seconds that a request waits for a connection before it is answered 504 (PGRST003).' }),

  // Queue
  redisUrl: url('REDIS_URL', ['redis', 'rediss'], { default: null, defaultText: 'the embedded Valkey', meaning: 'An outside Redis (6.2 or newer) or Valkey instead of the embedded one. It carries job ids only and may be emptied at any time.' }),
  queuePrefix: text('MAINSTAY_QUEUE_PREFIX', { default: '{mainstay}', meaning: 'Prefix of every key in Redis; the braces keep a queue on one node of a cluster.' }),

  // Keys
  secret: secret('MAINSTAY_SECRET', 32, { default: null, defaultText: 'random at first start', meaning: 'From it the passwords of the services’ own database logins are derived; every api and worker of one database needs the same.' }),
  jwtSecret: secret('JWT_SECRET', 32, {
    default: null,
    defaultText: 'random at first start',
    meaning: 'Shared secret of HS256 tokens, among them the JWT style API keys. Also a JWK or a JWK set in JSON, and `@` with the path of a file that holds it.',
    synonyms: ['GOTRUE_JWT_SECRET', 'PGRST_JWT_SECRET', 'SUPABASE_JWT_SECRET'],
  }),
  jwtKeys: secret('JWT_KEYS', 2, { default: null, defaultText: 'an ES256 key made at first start', meaning: 'JWK set with the private keys that sign access tokens; the first signs, all verify.', synonyms: ['GOTRUE_JWT_KEYS'] }),
  jwtAlgorithm: choice('MAINSTAY_JWT_ALGORITHM', ['ES256', 'RS256', 'HS256'], { default: 'ES256', meaning: 'Algorithm of signing keys that are made: at the first start and by `mainstay keys rotate`. HS256 keys are in no JWKS.' }, { es256: 'ES256', rs256: 'RS256', hs256: 'HS256' }),
  anonKey: secret('ANON_KEY', 20, { default: null, defaultText: 'made from JWT_SECRET', meaning: 'JWT style API key of role `anon`.', synonyms: ['SUPABASE_ANON_KEY'] }),
  serviceRoleKey: secret('SERVICE_ROLE_KEY', 20, { default: null, defaultText: 'made from JWT_SECRET', meaning: 'JWT style API key of role `service_role`. It opens everything: keep it on servers.', synonyms: ['SUPABASE_SERVICE_ROLE_KEY', 'SUPABASE_SERVICE_KEY'] }),
  publishableKey: secret('SUPABASE_PUBLISHABLE_KEY', 20, { default: null, defaultText: 'random at first start', meaning: 'Opaque API key (`sb_publishable_…`) of role `anon`.' }),
  secretKey: secret('SUPABASE_SECRET_KEY', 20, { default: null, defaultText: 'random at first start', meaning: 'Opaque API key (`sb_secret_…`) of role `service_role`.' }),
  jwtSecretIsBase64: flag('PGRST_JWT_SECRET_IS_BASE64', { default: false, meaning: 'The shared secret is bytes written in base64 (the URL-safe letters also).', synonyms: ['PGRST_SECRET_IS_BASE64'] }),
  jwtRoleClaimKey: text('PGRST_JWT_ROLE_CLAIM_KEY', {
    default: '$.role',
    meaning: 'Where a token says the role: a JSONPath such as `$.realm.roles[0]`, or PostgREST’s older form such as `.realm.roles[?(@ ^== "app_")]`.',
    synonyms: ['PGRST_ROLE_CLAIM_KEY'],
  }),
  jwtCacheMaxEntries: integer('PGRST_JWT_CACHE_MAX_ENTRIES', 0, 1_000_000, { default: 10_000, asPostgrest: 1000, meaning: 'How many proved tokens are remembered, about 1 kB each; 0 proves each anew.' }),
  jwtAudience: text('JWT_AUD', { default: 'authenticated', asPostgrest: '', asPostgrestText: 'any', meaning: 'Audience (`aud`) of access tokens; a token with another one is refused. In PostgREST’s place it is a regular expression.', synonyms: ['GOTRUE_JWT_AUD', 'PGRST_JWT_AUD'] }),
  jwtExpirySeconds: integer('JWT_EXPIRY', 30, 604_800, { default: 3600, meaning: 'Seconds that an access token lives.', synonyms: ['GOTRUE_JWT_EXP', 'JWT_EXP'] }),

  // Data API
  dbSchemas: list('PGRST_DB_SCHEMAS', { default: ['public', 'graphql_public', 'mainstay'], defaultText: 'public,graphql_public,mainstay', asPostgrest: ['public'], meaning: 'Schemas that `/rest/v1` exposes; the first is the default.', synonyms: ['PGRST_DB_SCHEMA'] }),
  dbExtraSearchPath: list('PGRST_DB_EXTRA_SEARCH_PATH', { default: ['public', 'extensions'], defaultText: 'public,extensions', asPostgrest: ['public'], takesEmpty: true, meaning: 'Schemas added to the `search_path` of every data request.' }),
  dbAnonRole: text('PGRST_DB_ANON_ROLE', { default: 'anon', asPostgrest: '', asPostgrestText: 'none: a token is needed', meaning: 'Role of a request without a token.' }),
  dbMaxRows: integer('PGRST_DB_MAX_ROWS', 0, 10_000_000, { default: 1000, asPostgrest: 0, asPostgrestText: 'no limit', meaning: 'Most rows that a read or a function gives, at the top and in every embed; 0 is no limit.', synonyms: ['PGRST_MAX_ROWS'] }),
  dbAggregatesEnabled: flag('PGRST_DB_AGGREGATES_ENABLED', { default: true, asPostgrest: false, meaning: 'Allows `sum()`, `avg()`, `count()`, `min()` and `max()` in `select`, `order` and `having`.' }),
  aggregateCostLimit: integer('MAINSTAY_AGGREGATE_COST_LIMIT', 0, 1_000_000_000, { default: 1_000_000, asPostgrest: 0, asPostgrestText: 'no limit', meaning: 'Most that a request with aggregates may cost by PostgreSQL’s estimate (the total cost that EXPLAIN tells); the service role may ask for any. 0 is no limit.' }),
  dbPlanEnabled: flag('PGRST_DB_PLAN_ENABLED', { default: false, meaning: 'Gives plans to whoever asks with `Accept: application/vnd.pgrst.plan`.' }),
  dbPreRequest: text('PGRST_DB_PRE_REQUEST', { default: null, meaning: 'Function that runs before every data request, as the caller and in the same transaction.', synonyms: ['PGRST_PRE_REQUEST'] }),
  dbTxEnd: choice('PGRST_DB_TX_END', ['commit', 'commit-allow-override', 'rollback', 'rollback-allow-override'], {
    default: 'commit',
    meaning: 'How a data request’s transaction ends, and whether `Prefer: tx` may say otherwise. Outside compatible mode the service role always may.',
  }),
  dbHoistedTxSettings: list('PGRST_DB_HOISTED_TX_SETTINGS', {
    default: ['statement_timeout', 'plan_filter.statement_cost_limit', 'default_transaction_isolation'],
    meaning: 'Settings of a function that hold from the start of its transaction.',
  }),
  dbConfig: flag('PGRST_DB_CONFIG', { default: true, meaning: 'Reads settings from the database: `ALTER ROLE authenticator SET pgrst.db_schemas = …`, by the login that serves data requests. They overrule the others.' }),
  dbPreConfig: text('PGRST_DB_PRE_CONFIG', { default: null, meaning: 'Function that sets `pgrst.…` settings, called before they are read from the database.' }),
  dbChannel: text('PGRST_DB_CHANNEL', { default: 'pgrst', meaning: 'Channel of `NOTIFY` on which the schema cache and the settings are told to be read anew.' }),
  dbChannelEnabled: flag('PGRST_DB_CHANNEL_ENABLED', { default: true, meaning: 'Listens on the channel.' }),
  appSettings: family('PGRST_APP_SETTINGS_', 'text', { meaning: '`PGRST_APP_SETTINGS_X` is there for SQL as `current_setting(\'app.settings.X\')`.' }),
  openapiMode: choice('PGRST_OPENAPI_MODE', ['follow-privileges', 'ignore-privileges', 'disabled'], { default: 'follow-privileges', meaning: 'What the description at the root shows: what the role may use, or everything; `disabled` gives none.' }),
  openapiReaders: choice('MAINSTAY_OPENAPI_READERS', ['service_role', 'everybody'], { default: 'service_role', asPostgrest: 'everybody', meaning: 'Who may read the descriptions of the data API: the service role alone, or whoever may ask.' }),
  openapiSecurityActive: flag('PGRST_OPENAPI_SECURITY_ACTIVE', { default: false, meaning: 'The description at the root says how a token is sent.' }),
  openapiServerProxyUri: text('PGRST_OPENAPI_SERVER_PROXY_URI', { default: null, meaning: 'The URL under which clients reach the data API, for its description; a proxy may stand there.' }),
  dbRootSpec: text('PGRST_DB_ROOT_SPEC', { default: null, meaning: 'Function that answers at the root instead of the description.', synonyms: ['PGRST_ROOT_SPEC'] }),
  clientErrorVerbosity: choice('PGRST_CLIENT_ERROR_VERBOSITY', ['verbose', 'minimal'], { default: 'verbose', meaning: '`minimal` leaves `details` and `hint` out of the data API’s errors.' }),
  corsAllowedOrigins: list('PGRST_SERVER_CORS_ALLOWED_ORIGINS', { default: [], defaultText: 'any', meaning: 'Origins whose pages may call the data API with credentials.' }),
  traceHeader: text('PGRST_SERVER_TRACE_HEADER', { default: null, meaning: 'Header that the data API’s answers bring back as it came.' }),
  isTimingShown: flag('PGRST_SERVER_TIMING_ENABLED', { default: false, meaning: 'Adds `Server-Timing` to the data API’s answers.' }),
  streamMaxRows: integer('MAINSTAY_STREAM_MAX_ROWS', 0, 2_000_000_000, { default: 0, defaultText: 'no limit', meaning: 'Most rows of a read that is streamed: as `application/x-ndjson`, or as a long `text/csv`; 0 is no limit. What is embedded keeps `PGRST_DB_MAX_ROWS`.' }),
  streamMaxOpen: integer('MAINSTAY_STREAMS', 1, 1000, { default: 4, meaning: 'Most streams that one API process sends at once, each on a database connection of its own; always fewer than `PGRST_DB_POOL`. One more is answered 503 (PGRSTX10).' }),
  streamStillSeconds: integer('MAINSTAY_STREAM_IDLE', 1, 600, { default: 25, meaning: 'Seconds that the reader of a stream may take nothing before it is cut.' }),
  streamMaxSeconds: integer('MAINSTAY_STREAM_SECONDS', 1, 604_800, { default: 3600, meaning: 'Seconds that a stream may last, however fast its reader is.' }),
  filterNeededFor: list('MAINSTAY_FILTER_NEEDED_FOR', {
    default: ['anon', 'authenticated'],
    defaultText: 'anon,authenticated',
    asPostgrest: [],
    takesEmpty: true,
    meaning: 'Roles whose PATCH and DELETE are refused where no filter stands, as an accident would touch every row; empty is none.',
  }),
  batchMaxRequests: integer('MAINSTAY_BATCH_MAX', 1, 100_000, { default: 1000, meaning: 'Most requests of one `POST /batch/v1`.' }),
  maxBodyBytes: bytes('MAINSTAY_MAX_BODY', { default: 10 * 1024 ** 2, defaultText: '10MB', meaning: 'Largest body of a request, after decompression; imports are streamed and have their own limits.' }),

  // Limits
  maxConnections: integer('MAINSTAY_MAX_CONNECTIONS', 1, 1_000_000, { default: 5000, meaning: 'Most connections of clients that one API process holds; one more is closed at once.' }),
  headersTimeoutSeconds: integer('MAINSTAY_HEADERS_TIMEOUT', 1, 600, { default: 10, meaning: 'Seconds in which the headers of a request must be here (408).' }),
  bodyTimeoutSeconds: integer('MAINSTAY_BODY_TIMEOUT', 1, 3600, { default: 25, meaning: 'Seconds in which the body of a request must be here (408). After the first ten it must come at 1 KiB/s or faster. Imports have the second limit only.' }),
  readerTimeoutSeconds: integer('MAINSTAY_READER_TIMEOUT', 1, 3600, { default: 20, meaning: 'Seconds that a client may take nothing of an answer that is ready before it is cut.' }),
  maxRequestLineBytes: bytes('MAINSTAY_MAX_REQUEST_LINE', { default: 16 * 1024, defaultText: '16KB', meaning: 'Longest path and query of a request (414).' }),
  maxFilters: integer('MAINSTAY_MAX_FILTERS', 1, 10_000, { default: 100, meaning: 'Most comparisons in the query of a data request.' }),
  maxLogicDepth: integer('MAINSTAY_MAX_LOGIC_DEPTH', 1, 100, { default: 10, meaning: 'How deep `and` and `or` may be nested.' }),
  maxSelectItems: integer('MAINSTAY_MAX_SELECT_ITEMS', 1, 10_000, { default: 200, meaning: 'Most items of a `select`.' }),
  maxEmbeds: integer('MAINSTAY_MAX_EMBEDS', 1, 1000, { default: 20, meaning: 'Most embedded collections of a data request.' }),
  maxEmbedDepth: integer('MAINSTAY_MAX_EMBED_DEPTH', 1, 100, { default: 5, meaning: 'How deep collections may be embedded in each other.' }),
  maxListElements: integer('MAINSTAY_MAX_LIST_ELEMENTS', 1, 100_000, { default: 1000, meaning: 'Most elements of an `in.(…)`.' }),
  maxJsonDepth: integer('MAINSTAY_MAX_JSON_DEPTH', 1, 1000, { default: 64, meaning: 'How deep the JSON of a body may be nested.' }),

  // Sign-in
  disableSignup: flag('GOTRUE_DISABLE_SIGNUP', { default: false, meaning: 'Refuses new accounts but by the admin API.', synonyms: ['DISABLE_SIGNUP'] }),
  mailerAutoconfirm: flag('GOTRUE_MAILER_AUTOCONFIRM', { default: false, meaning: 'Confirms an e-mail address at sign-up without a mail.', synonyms: ['ENABLE_EMAIL_AUTOCONFIRM'] }),
  emailEnabled: flag('GOTRUE_EXTERNAL_EMAIL_ENABLED', { default: true, meaning: 'Allows sign-up and sign-in by e-mail address.', synonyms: ['ENABLE_EMAIL_SIGNUP'] }),
  phoneEnabled: flag('GOTRUE_EXTERNAL_PHONE_ENABLED', { default: false, meaning: 'Allows sign-up and sign-in by phone number.', synonyms: ['ENABLE_PHONE_SIGNUP'] }),
  phoneAutoconfirm: flag('GOTRUE_SMS_AUTOCONFIRM', { default: false, meaning: 'Confirms a phone number at sign-up without a text message.', synonyms: ['ENABLE_PHONE_AUTOCONFIRM'] }),
  anonymousEnabled: flag('GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED', { default: false, meaning: 'Allows anonymous sign-in: an account without an address.', synonyms: ['ENABLE_ANONYMOUS_USERS'] }),
  allowsUnverifiedSignIns: flag('GOTRUE_MAILER_ALLOW_UNVERIFIED_EMAIL_SIGN_INS', { default: false, meaning: 'Lets a user with an unconfirmed e-mail address sign in.' }),
  secureEmailChange: flag('GOTRUE_MAILER_SECURE_EMAIL_CHANGE_ENABLED', { default: true, meaning: 'A new e-mail address is taken only when both the old and the new mailbox have confirmed it.' }),
  mailOtpSeconds: duration('GOTRUE_MAILER_OTP_EXP', 10, 604_800, { default: 3600, meaning: 'How long a mailed code or link is good.' }),
  mailOtpLength: integer('GOTRUE_MAILER_OTP_LENGTH', 6, 10, { default: 6, meaning: 'Digits of a mailed code.' }),
  smsOtpSeconds: duration('GOTRUE_SMS_OTP_EXP', 10, 604_800, { default: 60, meaning: 'How long a code in a text message is good.' }),
  smsOtpLength: integer('GOTRUE_SMS_OTP_LENGTH', 6, 10, { default: 6, meaning: 'Digits of a code in a text message.' }),
  smsTemplate: text('GOTRUE_SMS_TEMPLATE', { default: 'Your code is {{ .Code }}', meaning: 'The text message with a code.' }),
  smsPauseSeconds: duration('GOTRUE_SMS_MAX_FREQUENCY', 0, 86_400, { default: 60, meaning: 'Shortest pause between two text messages to one number.' }),
  smsTestOtp: list('GOTRUE_SMS_TEST_OTP', { default: [], defaultText: 'none', meaning: 'Phone numbers with a fixed code and no message, for tests: `4152127777=123456,…` (a colon does as well).' }),
  smsTestOtpUntil: text('GOTRUE_SMS_TEST_OTP_VALID_UNTIL', { default: null, meaning: 'RFC 3339 time after which the fixed codes are no longer taken.' }),
  redirectAllowList: list('GOTRUE_URI_ALLOW_LIST', {
    default: [],
    defaultText: 'none',
    meaning: 'Where links may lead besides SITE_URL: URLs, also as globs (`*` stops at `.` and `/`, `**` does not, `?`, `[a-z]`, `{a,b}`).',
    synonyms: ['ADDITIONAL_REDIRECT_URLS'],
  }),
  flowSeconds: duration('GOTRUE_EXTERNAL_FLOW_STATE_EXPIRY_DURATION', 30, 86_400, { default: 300, meaning: 'How long an authorization code (PKCE) is good.' }),
  verifyPage: flag('MAINSTAY_VERIFY_PAGE', { default: false, meaning: 'A mailed link first shows a page with a button, so that programs that open links in mails do not use them up.' }),
  passwordMinLength: integer('GOTRUE_PASSWORD_MIN_LENGTH', 6, 72, { default: 6, meaning: 'Shortest password that is taken.' }),
  refreshReuseSeconds: integer('GOTRUE_SECURITY_REFRESH_TOKEN_REUSE_INTERVAL', 0, 600, { default: 10, meaning: 'Seconds in which a refresh token that was just used is answered with its successor instead of ending the session.' }),
  passwordRequiredCharacters: text('GOTRUE_PASSWORD_REQUIRED_CHARACTERS', { default: '', meaning: 'Sets of characters separated by `:`, of each of which a password needs one (`\\:` is a colon), such as `abcdefghijklmnopqrstuvwxyz:0123456789`.' }),
  breachedPasswords: text('MAINSTAY_BREACHED_PASSWORDS', {
    default: null,
    meaning: 'Where breached passwords are known: a URL to which the first five hex digits of the SHA-1 are appended (`https://api.pwnedpasswords.com/range/`), or the path of a folder with one file per prefix.',
  }),
  hibpEnabled: flag('GOTRUE_PASSWORD_HIBP_ENABLED', { default: false, meaning: 'Refuses passwords that Have I Been Pwned knows, by MAINSTAY_BREACHED_PASSWORDS or its own URL.' }),
  hibpFailClosed: flag('GOTRUE_PASSWORD_HIBP_FAIL_CLOSED', { default: false, meaning: 'Refuses a new password also when the list of breached ones cannot be asked.' }),
  reauthenticatesForPassword: flag('GOTRUE_SECURITY_UPDATE_PASSWORD_REQUIRE_REAUTHENTICATION', { default: false, meaning: 'A password change needs a mailed nonce (`reauthenticate()`), unless the session is younger than a day.' }),
  currentPasswordForPassword: flag('GOTRUE_SECURITY_UPDATE_PASSWORD_REQUIRE_CURRENT_PASSWORD', { default: false, meaning: 'A password change needs the current password.' }),
  sessionTimeboxSeconds: duration('GOTRUE_SESSIONS_TIMEBOX', 0, 315_360_000, { default: 0, defaultText: 'no limit', meaning: 'How long a session may last; 0 is no limit.' }),
  sessionIdleSeconds: duration('GOTRUE_SESSIONS_INACTIVITY_TIMEOUT', 0, 315_360_000, { default: 0, defaultText: 'no limit', meaning: 'How long a session may go without a refresh; 0 is no limit.' }),
  singleSession: flag('GOTRUE_SESSIONS_SINGLE_PER_USER', { default: false, meaning: 'A sign-in ends the user’s other sessions at their next refresh.' }),
  captchaEnabled: flag('GOTRUE_SECURITY_CAPTCHA_ENABLED', { default: false, meaning: 'Sign-up, sign-in and recovery need a captcha token.' }),
  captchaProvider: choice('GOTRUE_SECURITY_CAPTCHA_PROVIDER', ['hcaptcha', 'turnstile'], { default: 'hcaptcha', meaning: 'Whose captcha it is; both have one protocol.' }),
  captchaSecret: secret('GOTRUE_SECURITY_CAPTCHA_SECRET', 1, { default: null, defaultText: 'none', meaning: 'Secret for the captcha’s verifier.' }),
  captchaVerifierUrl: url('MAINSTAY_CAPTCHA_VERIFIER_URL', ['http', 'https'], { default: null, defaultText: 'the provider’s', meaning: 'URL that verifies captcha tokens.' }),
  trustedProxies: list('MAINSTAY_TRUSTED_PROXIES', { default: [], defaultText: 'none', meaning: 'Addresses (or CIDR ranges) of proxies in front of the API; only their `X-Forwarded-For` is believed.' }),
  guessesPerAccount: integer('MAINSTAY_GUESSES_PER_ACCOUNT', 1, 10, { default: 10, meaning: 'Wrong passwords in a row, or wrong codes, that one account takes before guessing must wait; one more each minute.' }),
  guessesPerNetwork: integer('MAINSTAY_GUESSES_PER_NETWORK', 1, 1_000_000, { default: 300, meaning: 'Wrong passwords and codes that one network (an IPv4 address, an IPv6 /64) may try in five minutes.' }),
  rateOtp: integer('GOTRUE_RATE_LIMIT_OTP', 1, 1_000_000, { default: 30, meaning: 'Sign-ups and requests for codes, links and recovery that one network may make in five minutes. It and the next three count no loopback address: behind a proxy, name it in MAINSTAY_TRUSTED_PROXIES.' }),
  rateVerify: integer('GOTRUE_RATE_LIMIT_VERIFY', 1, 1_000_000, { default: 30, meaning: 'Verifications that one network may ask for in five minutes.' }),
  rateToken: integer('GOTRUE_RATE_LIMIT_TOKEN_REFRESH', 1, 1_000_000, { default: 150, meaning: 'Sign-ins that one network may make in five minutes. A refresh is never refused.' }),
  rateAnonymous: integer('GOTRUE_RATE_LIMIT_ANONYMOUS_USERS', 1, 1_000_000, { default: 30, meaning: 'Anonymous sign-ins that one network may make in an hour.' }),

  // Second factors and passkeys
  maxEnrolledFactors: integer('GOTRUE_MFA_MAX_ENROLLED_FACTORS', 0, 1000, { default: 10, meaning: 'Most second factors of a user, verified or not.' }),
  maxVerifiedFactors: integer('GOTRUE_MFA_MAX_VERIFIED_FACTORS', 0, 1000, { default: 10, meaning: 'Most verified second factors of a user.' }),
  factorChallengeSeconds: duration('GOTRUE_MFA_CHALLENGE_EXPIRY_DURATION', 10, 86_400, { default: 300, meaning: 'How long the challenge of a second factor is good.' }),
  factorExpirySeconds: duration('GOTRUE_MFA_FACTOR_EXPIRY_DURATION', 10, 604_800, { default: 300, meaning: 'After how long a factor that was begun and never verified makes room for another.' }),
  rateFactor: integer('GOTRUE_MFA_RATE_LIMIT_CHALLENGE_AND_VERIFY', 1, 1_000_000, { default: 15, meaning: 'Challenges and verifications of second factors that one network may ask for in a minute.' }),
  totpEnrollEnabled: flag('GOTRUE_MFA_TOTP_ENROLL_ENABLED', { default: true, meaning: 'Allows an authenticator app as a new second factor.' }),
  totpVerifyEnabled: flag('GOTRUE_MFA_TOTP_VERIFY_ENABLED', { default: true, meaning: 'Takes codes of authenticator apps.' }),
  phoneFactorEnrollEnabled: flag('GOTRUE_MFA_PHONE_ENROLL_ENABLED', { default: false, meaning: 'Allows a phone as a new second factor.' }),
  phoneFactorVerifyEnabled: flag('GOTRUE_MFA_PHONE_VERIFY_ENABLED', { default: false, meaning: 'Sends and takes codes of phone factors.' }),
  phoneFactorOtpLength: integer('GOTRUE_MFA_PHONE_OTP_LENGTH', 6, 10, { default: 6, meaning: 'Digits of a phone factor’s code.' }),
  phoneFactorPauseSeconds: duration('GOTRUE_MFA_PHONE_MAX_FREQUENCY', 0, 86_400, { default: 60, meaning: 'Shortest pause between two codes to one phone factor.' }),
  phoneFactorTemplate: text('GOTRUE_MFA_PHONE_TEMPLATE', { default: 'Your code is {{ .Code }}', meaning: 'The text message with a phone factor’s code.' }),
  webauthnFactorEnrollEnabled: flag('GOTRUE_MFA_WEB_AUTHN_ENROLL_ENABLED', { default: true, meaning: 'Allows a security key (WebAuthn) as a new second factor.' }),
  webauthnFactorVerifyEnabled: flag('GOTRUE_MFA_WEB_AUTHN_VERIFY_ENABLED', { default: true, meaning: 'Takes proofs of security keys.' }),
  recoveryCodesEnrollEnabled: flag('GOTRUE_MFA_RECOVERY_CODES_ENROLL_ENABLED', { default: true, meaning: 'Allows recovery codes to whoever has another second factor.' }),
  recoveryCodesVerifyEnabled: flag('GOTRUE_MFA_RECOVERY_CODES_VERIFY_ENABLED', { default: true, meaning: 'Takes recovery codes.' }),
  recoveryCodesCount: integer('GOTRUE_MFA_RECOVERY_CODES_COUNT', 4, 16, { default: 10, meaning: 'How many recovery codes a set has.' }),
  recoveryCodeLength: integer('GOTRUE_MFA_RECOVERY_CODES_CODE_LENGTH', 13, 32, { default: 16, meaning: 'Letters of a recovery code.' }),
  recoveryCodesAttempts: integer('GOTRUE_MFA_RECOVERY_CODES_MAX_VERIFY_ATTEMPTS', 3, 15, { default: 5, meaning: 'Wrong recovery codes before a user’s are locked.' }),
  recoveryCodesLockSeconds: duration('GOTRUE_MFA_RECOVERY_CODES_LOCKOUT_DURATION', 60, 86_400, { default: 900, meaning: 'In how long a locked set is as good as new; one attempt more comes back evenly within it.' }),
  passkeysEnabled: flag('GOTRUE_PASSKEY_ENABLED', { default: true, meaning: 'Allows passkeys: sign-in without a password or an address.' }),
  maxPasskeys: integer('GOTRUE_PASSKEY_MAX_PASSKEYS_PER_USER', 0, 1000, { default: 10, meaning: 'Most passkeys of a user.' }),
  ratePasskey: integer('GOTRUE_RATE_LIMIT_PASSKEY', 1, 1_000_000, { default: 30, meaning: 'Sign-ins by passkey that one network may begin or end in five minutes.' }),
  relyingPartyId: text('GOTRUE_WEBAUTHN_RP_ID', { default: null, defaultText: 'the host of SITE_URL', meaning: 'Domain that passkeys and security keys belong to. Changing it leaves all of them behind.' }),
  relyingPartyName: text('GOTRUE_WEBAUTHN_RP_DISPLAY_NAME', { default: null, defaultText: 'the host of SITE_URL', meaning: 'Name of the application that a browser shows with them.' }),
  relyingPartyOrigins: list('GOTRUE_WEBAUTHN_RP_ORIGINS', { default: [], defaultText: 'that of SITE_URL', meaning: 'Origins of the pages that may ask for them, such as `https://app.example.com`.' }),
  webauthnChallengeSeconds: duration('GOTRUE_WEBAUTHN_CHALLENGE_EXPIRY_DURATION', 10, 3600, { default: 300, meaning: 'How long the challenge of a passkey is good.' }),

  // Other providers
  providers: familyOf<Readonly<Record<string, ProviderSettings>>>('GOTRUE_EXTERNAL_', 'a family, see `docs/auth/providers.md`', {
    default: {},
    defaultText: 'none',
    isSecret: true,
    meaning: 'Providers by which users sign in, `<NAME>` being `GOOGLE`, `GITHUB`, … or a name of your own for an OpenID Connect issuer: `<NAME>_ENABLED`, `_CLIENT_ID` (several by commas), `_SECRET`, `_REDIRECT_URI`, `_URL` (the issuer), `_SCOPES`, `_SKIP_NONCE_CHECK`, `_EMAIL_OPTIONAL`.',
  }, readProviders),
  idTokenIssuers: list('GOTRUE_EXTERNAL_ALLOWED_ID_TOKEN_ISSUERS', { default: [], defaultText: 'none', meaning: 'Issuers besides the providers’ whose ID tokens sign users in, with the client id that the request names.' }),
  iosBundleId: text('GOTRUE_EXTERNAL_IOS_BUNDLE_ID', { default: null, meaning: 'Bundle of an iOS application: ID tokens of Apple for it are taken too.' }),
  customProvidersEnabled: flag('GOTRUE_CUSTOM_OAUTH_ENABLED', { default: true, meaning: 'Lets the service key set up providers while Mainstay runs (`/auth/v1/admin/custom-providers`).' }),
  maxCustomProviders: integer('GOTRUE_CUSTOM_OAUTH_MAX_PROVIDERS', 0, 10_000, { default: 0, meaning: 'Most providers that can be set up so; 0 is no limit.' }),
  manualLinkingEnabled: flag('GOTRUE_SECURITY_MANUAL_LINKING_ENABLED', { default: false, meaning: 'Lets users link and unlink the ways by which they sign in.' }),

  // The project as a provider for others
  oauthServerEnabled: flag('GOTRUE_OAUTH_SERVER_ENABLED', { default: false, meaning: 'Lets other applications sign their users in here: OAuth 2.1 and OpenID Connect.' }),
  oauthServerRegistration: flag('GOTRUE_OAUTH_SERVER_ALLOW_DYNAMIC_REGISTRATION', { default: false, meaning: 'Lets everybody register an application (RFC 7591).' }),
  oauthServerPath: formed('GOTRUE_OAUTH_SERVER_AUTHORIZATION_PATH', 'a path such as /oauth/consent', /^\/[\w\-./~]*$/, { default: '/oauth/consent', meaning: 'Page below SITE_URL where a user agrees; it is given `?authorization_id=…`.' }),
  oauthServerScope: text('GOTRUE_OAUTH_SERVER_DEFAULT_SCOPE', { default: 'email', meaning: 'Scope of an application that asks for none.' }),
  oauthServerSeconds: duration('GOTRUE_OAUTH_SERVER_AUTHORIZATION_TTL', 30, 3600, { default: 600, meaning: 'How long a user may take to agree, and again how long the application may take to exchange its code.' }),

  // Hooks
  hooks: family('GOTRUE_HOOK_', 'true or false, URI, secrets', {
    isSecret: true,
    meaning: 'A project’s own word, by name: `CUSTOM_ACCESS_TOKEN`, `SEND_EMAIL`, `SEND_SMS`, `MFA_VERIFICATION_ATTEMPT`, `PASSWORD_VERIFICATION_ATTEMPT`, `BEFORE_USER_CREATED`; each with `_ENABLED`, `_URI` (`pg-functions://postgres/schema/function` or `https://…`) and, for HTTP, `_SECRETS` (`v1,whsec_…`).',
  }),

  // Mail and text messages
  smtpHost: text('GOTRUE_SMTP_HOST', { default: null, defaultText: 'none: mails land in the mailbox', meaning: 'SMTP server that takes mails.', synonyms: ['SMTP_HOST'] }),
  smtpPort: integer('GOTRUE_SMTP_PORT', 1, 65_535, { default: 587, meaning: 'Its port; at 465 TLS is there from the start, else STARTTLS is used where it is offered.', synonyms: ['SMTP_PORT'] }),
  smtpUser: text('GOTRUE_SMTP_USER', { default: null, meaning: 'User at the SMTP server.', synonyms: ['SMTP_USER'] }),
  smtpPass: secret('GOTRUE_SMTP_PASS', 1, { default: null, defaultText: 'none', meaning: 'Password at the SMTP server.', synonyms: ['SMTP_PASS'] }),
  smtpAdminEmail: text('GOTRUE_SMTP_ADMIN_EMAIL', { default: 'noreply@localhost', meaning: 'Address that mails come from.', synonyms: ['SMTP_ADMIN_EMAIL'] }),
  smtpSenderName: text('GOTRUE_SMTP_SENDER_NAME', { default: 'Mainstay', meaning: 'Name that mails come from.', synonyms: ['SMTP_SENDER_NAME'] }),
  mailPauseSeconds: duration('GOTRUE_SMTP_MAX_FREQUENCY', 0, 86_400, { default: 60, meaning: 'Shortest pause between two mails of a kind to one address.' }),
  rateMail: integer('GOTRUE_RATE_LIMIT_EMAIL_SENT', 0, 1_000_000, { default: null, defaultText: '30 with an SMTP server, else no limit', meaning: 'Mails of the whole project in an hour.' }),
  rateSms: integer('GOTRUE_RATE_LIMIT_SMS_SENT', 0, 1_000_000, { default: null, defaultText: 'no limit', meaning: 'Text messages of the whole project in an hour.' }),
  mailSubjects: family('GOTRUE_MAILER_SUBJECTS_', 'text', { meaning: 'Subjects, by kind: `CONFIRMATION`, `INVITE`, `MAGIC_LINK`, `RECOVERY`, `EMAIL_CHANGE`, `REAUTHENTICATION`.' }),
  mailTemplates: family('GOTRUE_MAILER_TEMPLATES_', 'URL or path', { meaning: 'HTML templates, by the same kinds, with GoTrue’s variables such as `{{ .ConfirmationURL }}`.' }),
  mailPaths: family('GOTRUE_MAILER_URLPATHS_', 'path', { meaning: 'Paths of mailed links below the API’s URL: `CONFIRMATION`, `INVITE`, `RECOVERY`, `EMAIL_CHANGE`; by default `/auth/v1/verify`.' }),
  messageKeepSeconds: duration('MAINSTAY_MESSAGE_KEEP', 60, 31_536_000, { default: 86_400, defaultText: '1 day', meaning: 'How long the mailbox keeps messages.' }),

  // Calls to others
  outwardAllow: list('MAINSTAY_OUTWARD_ALLOW', {
    default: [],
    defaultText: 'none',
    meaning: 'Inner services that SQL, jobs and webhooks may call all the same: `host`, `host:port`, an address, `[IPv6]:port`, or a range such as `10.1.0.0/16`. Everything else that is not public is refused.',
  }),
  outwardPorts: ports('MAINSTAY_OUTWARD_PORTS', { default: [80, 443], defaultText: '80,443', meaning: 'Ports of public hosts that SQL, jobs and webhooks may call.' }),
  netKeepSeconds: duration('MAINSTAY_NET_TTL', 1, 31_536_000, { default: 21_600, defaultText: '6h', meaning: 'How long answers are kept in `net._http_response`; `pg_net.ttl` of the database goes before it.' }),
  netMostAnswerBytes: bytes('MAINSTAY_NET_MAX_ANSWER', { default: 1_048_576, defaultText: '1MB', meaning: 'So much of an answer is kept in `net._http_response`; one that is longer is cut, and says so.' }),

  // Webhooks
  webhookRetries: formed('MAINSTAY_WEBHOOK_RETRIES', 'seconds between the tries, with commas between, such as 5,300,1800', /^\d{1,7}(,\d{1,7}){0,49}$/, {
    default: '5,300,1800,7200,18000,36000,50400,72000,86400',
    meaning: 'Seconds between the tries of a delivery, to which chance adds up to a tenth: by default 10 tries in 75 hours. After the last one it is dead.',
  }),
  webhookTimeoutSeconds: integer('MAINSTAY_WEBHOOK_TIMEOUT', 1, 120, { default: 15, meaning: 'Seconds that a receiver has for its whole answer.' }),
  webhookConcurrency: integer('MAINSTAY_WEBHOOK_CONCURRENCY', 1, 1000, { default: 32, meaning: 'Most calls under way to one endpoint.' }),
  webhookBreakerFailures: integer('MAINSTAY_WEBHOOK_BREAKER', 0, 10_000, { default: 10, meaning: 'Failures in a row after which an endpoint is let rest; its deliveries wait without using up tries. 0 never lets it rest.' }),
  webhookBreakerSeconds: integer('MAINSTAY_WEBHOOK_BREAKER_REST', 1, 86_400, { default: 30, meaning: 'Seconds of its first rest; each further one is twice as long, up to 15 minutes or this.' }),
  webhookKeepSeconds: integer('MAINSTAY_WEBHOOK_KEEP', 0, 31_536_000, { default: 604_800, defaultText: '7 days', meaning: 'Seconds that a settled delivery is kept, with its event and the log of its tries.' }),
  webhookOverlapHours: integer('MAINSTAY_WEBHOOK_OVERLAP', 0, 8760, { default: 24, meaning: 'Hours that the old secret of an endpoint signs beside the new one.' }),

  // Imports and jobs
  importQuotaBytes: bytes('MAINSTAY_IMPORT_QUOTA', { default: 2 * 1024 ** 3, defaultText: '2GB', meaning: 'Most bytes, unpacked, that one owner may have waiting in imports.' }),
  importMaxRowBytes: bytes('MAINSTAY_IMPORT_MAX_ROW', { default: 1024 ** 2, defaultText: '1MB', meaning: 'Longest row of an imported file.' }),
  importKeepSeconds: integer('MAINSTAY_IMPORT_KEEP', 0, 31_536_000, { default: 604_800, defaultText: '7 days', meaning: 'Seconds that a finished import and its rejects are kept.' }),
  jobKeepSeconds: integer('MAINSTAY_JOB_KEEP', 0, 31_536_000, { default: 604_800, defaultText: '7 days', meaning: 'Seconds that a finished job is kept.' }),
  jobLeaseSeconds: integer('MAINSTAY_JOB_LEASE', 2, 3600, { default: 15, meaning: 'Seconds after which a job of a silent worker is given to another; the heartbeat comes three times as often.' }),
  metricsToken: secret('MAINSTAY_METRICS_TOKEN', 16, { default: null, defaultText: 'the service key alone', meaning: 'Bearer token that opens `/metrics`, for a Prometheus that must not hold the service key.' }),
  otel: family('OTEL_', 'as OpenTelemetry defines each', {
    isSecret: true,
    meaning: 'The standard variables of OpenTelemetry. `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_TRACES_EXPORTER` turns traces on; `docs/traces.md` lists those that are heard.',
  }),
  workerAliveFile: text('MAINSTAY_WORKER_ALIVE_FILE', { default: null, meaning: 'File that a worker touches every few seconds while it makes progress, for the health check of its container.' }),

  // Logs
  logLevel: choice('LOG_LEVEL', ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], { default: 'info', asPostgrest: 'error', meaning: 'How much is logged; `crit` is PostgREST’s word for `fatal`.', synonyms: ['GOTRUE_LOG_LEVEL', 'PGRST_LOG_LEVEL'] }, { crit: 'fatal' }),
};

type Rows = typeof settings;
export type SettingKey = keyof Rows;
/** The settings as read: a frozen value, handed down from the app that read it. */
export type Settings = { readonly [K in SettingKey]: ReturnType<Rows[K]['read']> };
