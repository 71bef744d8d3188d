export { extensionsFolder } from './extensions-folder.ts';
export { goAhead, waiting, type GoAhead } from './go-ahead.ts';
export { freePort, obstacleAt } from './ports.ts';
export { foldersElsewhere } from './postgres-files.ts';
export { orphanPort, removeAbandoned, removePostgres, startPostgres, type Postgres, type PostgresOptions } from './postgres.ts';
export { findRoot } from './root.ts';
export { trustedContrib } from './trust-contrib.ts';
export { startValkey, type Valkey, type ValkeyOptions } from './valkey.ts';
export { readVaultKeyFile, vaultKeyFile, writeVaultKeyFile } from './vault-keys.ts';
