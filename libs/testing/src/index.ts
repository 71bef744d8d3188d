export { findRoot, freePort } from '@mainstay/embedded';
export type { Database } from '@mainstay/persistence';
export { connectAsUser } from './connect.ts';
export { SoftAuthenticator } from './soft-authenticator.ts';
export { startIssuer, type Issuer } from './oidc-issuer.ts';
export { startTestServers, templateDatabase, testEnvironment, testSettings, type TestServers } from './servers.ts';
export { makeTestDatabase, type TestDatabase } from './test-database.ts';
export { testRedis } from './test-redis.ts';
export { OtlpReceiver, type SentSpan } from './otlp-receiver.ts';
