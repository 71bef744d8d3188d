export { freePort, isPortFree } from './ports.ts';
export { orphanPort, removePostgres, startPostgres, type Postgres, type PostgresOptions } from './postgres.ts';
export { findRoot } from './root.ts';
export { startValkey, type Valkey, type ValkeyOptions } from './valkey.ts';
