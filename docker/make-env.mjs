// Writes docker/.env, the secrets of docker/compose.yaml, with random values. An existing file is left as it is.
import { randomBytes } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { importBundled } from '../tools/bundle.mjs';

const file = join(import.meta.dirname, '.env');
if (existsSync(file)) {
  console.error(`${file} exists already. New secrets would lock out the database that was made with the old ones: remove the file and the volume to begin anew.`);
  process.exit(1);
}
const { makeSecrets } = await importBundled('libs/auth/src/index.ts');
const secrets = { ...(await makeSecrets({})), VALKEY_PASSWORD: randomBytes(24).toString('hex') };
const lines = Object.entries(secrets).map(([name, value]) => `${name}='${value}'`);
writeFileSync(file, `# Secrets of docker/compose.yaml. Keep them, and keep them to yourself.\n${lines.join('\n')}\n`, { mode: 0o600 });
console.log(`Wrote ${file}. Next: docker compose -f docker/compose.yaml up --build`);
